"""Nobody waits for ever for his turn: timers, mail, requests to one's own supervisor, and who waits for a root."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest
from tests.actors.children import LONG, bounded

from wsmgr.actors import (
    Actor,
    ActorRef,
    ChildSpec,
    Continue,
    ExitReason,
    Killed,
    Reply,
    ReplyTo,
    Started,
    Supervisor,
    SupervisorKilledError,
    Timer,
)
from wsmgr.actors.testing import EventRecorder, Probe, settle

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]


class Restless(Actor[Any]):
    """Always has a timer due."""

    trap_exit = True

    def __init__(self, journal: list[object]) -> None:
        self._journal = journal

    async def init(self) -> None:
        self.send_after(0, "again")

    async def handle_info(self, message: object) -> None:
        match message:
            case Timer(message="again"):
                self.send_after(0, "again")
                await anyio.lowlevel.checkpoint()
            case _:
                pass

    async def handle_call(self, request: object, reply_to: ReplyTo) -> Reply:
        return Reply(request)

    async def terminate(self, reason: ExitReason) -> None:
        self._journal.append(reason)


@bounded
async def test_chain_of_due_timers_starves_neither_calls_nor_the_shutdown() -> None:
    """An actor that always has a timer due answers, and ends in an orderly way when it is told to."""
    journal: list[object] = []
    async with Supervisor([ChildSpec("restless", lambda: Restless(journal))]) as supervisor:
        ref = supervisor.which_children()[0].ref
        assert ref is not None
        assert ["a", "b"] == [await ref.call("a"), await ref.call("b")]
    assert ["Shutdown"] == [type(reason).__name__ for reason in journal]


async def test_actor_may_start_a_sibling_as_soon_as_its_own_start_is_acknowledged() -> None:
    """`handle_continue` runs after the acknowledgement, so its supervisor does not wait for it any more."""
    started: list[ActorRef[Any]] = []

    class Parent(Actor[Any]):
        async def init(self) -> Continue:
            return Continue()

        async def handle_continue(self, token: object) -> None:
            started.append(await supervisor.start_child(ChildSpec("sibling", Probe)))

    supervisor = Supervisor([ChildSpec("parent", Parent)])
    async with supervisor:
        await settle(lambda: bool(started))
        assert ["parent", "sibling"] == [child.id for child in supervisor.which_children()]


@pytest.mark.parametrize("form", ["run", "async with"])
@bounded
async def test_killed_root_is_an_error_for_who_waits_for_it(form: str, recorder: EventRecorder) -> None:
    """The work was cut off in the middle: nobody goes on as if it were done."""
    supervisor = Supervisor([ChildSpec("child", Probe)], name="tree", on_event=recorder)

    async def kill_it() -> None:
        root = await recorder.wait_for(Started, where=lambda event: event.child_id == "tree")
        root.ref.exit(Killed())

    async with anyio.create_task_group() as group:
        group.start_soon(kill_it)
        with pytest.raises(SupervisorKilledError, match="'tree' was killed"):
            await (supervisor.run() if form == "run" else hold(supervisor))


async def hold(supervisor: Supervisor) -> None:
    """Run a tree beside a body that waits."""
    async with supervisor:
        await anyio.sleep(LONG)
