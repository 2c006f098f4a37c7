"""Every public error can be pickled: it may be raised in a worker process, or be sent to another one."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

from wsmgr.actors import ActorRef, Crash, Shutdown
from wsmgr.actors import errors as actors_errors
from wsmgr.manager.model import errors as manager_errors

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

pytestmark = pytest.mark.anyio

CAUSE = Shutdown("enough")
ARGUMENTS: dict[str, Callable[[ActorRef[Any]], tuple[Any, ...]]] = {
    "CallTimeoutError": lambda ref: (ref, 2.5),
    "LoopTimeoutError": lambda ref: (ref, 2.5),
    "CallExitError": lambda ref: (ref, CAUSE),
    "CallCycleError": lambda ref: (ref, "it would wait for itself"),
    "MailboxFullError": lambda ref: (ref, 64),
    "AlreadyRegisteredError": lambda ref: ("name", ref),
    "StartError": lambda _: ("child", CAUSE),
    "AlreadyStartedError": lambda ref: ("child", ref),
    "AlreadyPresentError": lambda _: ("child",),
    "ChildRunningError": lambda _: ("child",),
    "ChildRestartingError": lambda _: ("child",),
    "ChildNotFoundError": lambda _: ("child", "look elsewhere"),
    "MaxChildrenError": lambda _: ("child", 8),
    "SupervisorGaveUpError": lambda _: ("root", "child", CAUSE, "reached_max_consecutive"),
    "SupervisorKilledError": lambda _: ("root",),
    "NotFoundError": lambda _: ("abc",),
    "RejectedError": lambda _: ("v/trades?coin=X", "no such coin", "BTC is near"),
    "QuotaError": lambda _: ("users", 10, [f"0x{number}" for number in range(9)]),
    "RequestRefusedError": lambda _: ("too late",),
    "OutcomeUnknownError": lambda _: ("the socket was lost",),
    "RequestNotSentError": lambda _: ("no room",),
    "SubscribeTimeoutError": lambda _: ("v/trades?coin=X", "pending", "no socket", 12.5),
    "LaggedError": lambda _: (3,),
}
"""What makes an error that does not take its text alone."""


def text_alone(_: ActorRef[Any]) -> tuple[str]:
    return ("what happened",)


def errors_of(module: ModuleType) -> list[type[Exception]]:
    """Return the errors that a module defines."""
    return [
        found
        for found in vars(module).values()
        if isinstance(found, type) and issubclass(found, Exception) and found.__module__ == module.__name__
    ]


@pytest.mark.parametrize(
    "kind",
    [*errors_of(actors_errors), *errors_of(manager_errors)],
    ids=lambda kind: str(kind.__name__),
)
async def test_every_public_error_comes_through_a_pickle_as_it_is(kind: type[Exception]) -> None:
    """With its type, its text and what it knows; only a reference, which means nothing elsewhere, does not come along."""
    make = ARGUMENTS.get(kind.__name__, text_alone)
    error = kind(*make(ActorRef("worker", None, lambda _: None)))
    error.add_note("a note")
    came = pickle.loads(pickle.dumps(error))
    known = {name: value for name, value in vars(error).items() if name not in {"ref", "reason"}}
    assert (kind, error.args, str(error)) == (type(came), came.args, str(came))
    assert known == {name: value for name, value in vars(came).items() if name not in {"ref", "reason"}}
    assert (hasattr(error, "ref"), None) == (hasattr(came, "ref"), getattr(came, "ref", None))
    match getattr(error, "reason", None), getattr(came, "reason", None):
        case Crash(), Crash(again):
            assert came is again, "its reason was itself"
        case reason, same:
            assert reason == same
