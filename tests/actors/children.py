"""What the tests share: children that fail and end in known ways, how to look at them, and how to wait.

What goes where:

- `test_otp_*`: what OTP promises, by subject. Many name OTP's own test case.
- `test_pitfalls`: the traps of doing that on anyio, by the name of the trap.
- `test_cancellation`, `test_cancellation_sigint`: what comes from outside, in every state of a tree.
- `test_model`: random lives of trees, against a naive model of restarts; `test_decisions`: the pure functions.
- `test_<module>`: what one module promises and OTP does not ask for.

One promise has one test. Who would wait for ever waits for `LONG` virtual seconds, so that time can run out.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import anyio
import anyio.lowlevel
import pytest

from wsmgr.actors import (
    ChildSpec,
    ChildStatus,
    DynamicSupervisor,
    Normal,
    Shutdown,
    Stop,
    Supervisor,
    SupervisorGaveUpError,
)
from wsmgr.actors.testing import Probe, TrappingProbe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

P = ParamSpec("P")

Journal = list[tuple[object, ...]]

LONG = 100_000.0
"""Virtual seconds that stand for "never": a test that waits for them fails by the clock, and does not hang."""

HOT = 1_000
"""How often a start fails in a row: many more attempts than any test needs, and still an end if one never stops."""


# -- what a probe is sent ----------------------------------------------------------------------------------------------


async def crash(probe: Probe) -> None:
    raise ValueError("crash")


async def stop_normally(probe: Probe) -> Stop:
    return Stop(Normal())


async def shut_down(probe: Probe) -> Stop:
    return Stop(Shutdown("on purpose"))


async def wait_long(probe: Probe) -> None:
    await anyio.sleep(LONG)


# -- children ----------------------------------------------------------------------------------------------------------


class SlowGoodbye(TrappingProbe):
    """Takes some seconds to end."""

    def __init__(self, name: str, journal: Journal, seconds: float) -> None:
        super().__init__(name, journal)
        self.seconds = seconds

    async def terminate(self, reason: Any) -> None:
        await anyio.sleep(self.seconds)
        await super().terminate(reason)


class Failing(TrappingProbe):
    """Its `init` fails as often as `failures` says, over all incarnations."""

    def __init__(self, name: str, journal: Journal, failures: list[int]) -> None:
        super().__init__(name, journal)
        self.failures = failures

    async def init(self) -> Any:
        await super().init()
        if self.failures[0] > 0:
            self.failures[0] -= 1
            raise OSError("not yet")


def trapping(name: str, journal: Journal, **options: Any) -> ChildSpec:
    return ChildSpec(name, lambda: TrappingProbe(name, journal), **options)


def slow(name: str, journal: Journal, seconds: float, **options: Any) -> ChildSpec:
    return ChildSpec(name, lambda: SlowGoodbye(name, journal, seconds), **options)


def failing(name: str, journal: Journal, failures: list[int], **options: Any) -> ChildSpec:
    return ChildSpec(name, lambda: Failing(name, journal, failures), **options)


# -- to look, and to wait ----------------------------------------------------------------------------------------------


def ref_of(supervisor: Supervisor | DynamicSupervisor, child_id: object) -> Any:
    return next(child.ref for child in supervisor.which_children() if child.id == child_id)


def statuses(supervisor: Supervisor | DynamicSupervisor) -> dict[object, ChildStatus]:
    return {child.id: child.status for child in supervisor.which_children()}


def starts(journal: Journal) -> list[object]:
    return [entry[0] for entry in journal if entry[1:] == ("init",)]


def ends(journal: Journal) -> list[object]:
    return [entry[0] for entry in journal if entry[1] == "terminate"]


async def until(condition: Callable[[], bool]) -> None:
    """Let others run, without letting time pass, until `condition` holds; fail when it never does."""
    for _ in range(10 * HOT):
        if condition():
            return
        await anyio.lowlevel.checkpoint()
    pytest.fail("the condition did not hold, however often the loop turned")


async def quiet() -> None:
    """Let everything run until nothing can any more: only then does virtual time move."""
    await anyio.sleep(0.001)


def bounded(test: Callable[P, Awaitable[None]]) -> Callable[P, Awaitable[None]]:
    """Let a test fail that waits for what never comes."""

    @wraps(test)
    async def run(*args: P.args, **options: P.kwargs) -> None:
        with anyio.fail_after(LONG):
            await test(*args, **options)

    return run


async def give_up(
    supervisor: Supervisor | DynamicSupervisor, begin: Callable[[], Awaitable[object]]
) -> SupervisorGaveUpError:
    """Run a root with `begin` as its body until it gives up, and return the error that it raises."""
    try:
        async with supervisor:
            await begin()
            await anyio.sleep(LONG)
    except SupervisorGaveUpError as error:
        return error
    pytest.fail("it did not give up")
