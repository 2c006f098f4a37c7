"""What errors say, and what they do not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from wsmgr.actors import (
    Actor,
    CallExitError,
    ChildNotFoundError,
    ChildSpec,
    Continue,
    Crash,
    DynamicSupervisor,
    Killed,
    NoProc,
    NotAnActorError,
    Shutdown,
    StartError,
    Stop,
    Supervisor,
    TaskSupervisor,
    get_status,
)
from wsmgr.actors.testing import Probe, TrappingProbe

if TYPE_CHECKING:
    from wsmgr.actors import ReplyTo

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]

SECRET = "hunter2"


class Careless(Actor[Any]):
    """Answers with what it was told, where it must not answer."""

    async def handle_call(self, request: Any, reply_to: ReplyTo, /) -> Any:
        return request

    async def handle_info(self, message: object, /) -> Any:
        return SECRET


class Unprepared(Actor[Any]):
    """Has no callback for what it begins with."""

    async def init(self) -> Continue:
        return Continue(SECRET)


@pytest.mark.parametrize("how", ["cast", "call", "continue", "answer"])
async def test_log_of_a_crash_shows_no_message_and_no_answer(
    how: str, tree: DynamicSupervisor, caplog: pytest.LogCaptureFixture
) -> None:
    """The errors of the runtime itself name classes: a log is read by many."""
    make = {"continue": Unprepared, "answer": Careless}.get(how, Actor)
    ref = await tree.start_child(ChildSpec("a", make, restart="temporary"))
    monitor = ref.monitor()
    if how == "cast":
        ref.cast({"password": SECRET})
    elif how != "continue":
        with pytest.raises(CallExitError):
            await ref.call(SECRET)
    await monitor.wait()
    assert [logging.ERROR] == [record.levelno for record in caplog.records if record.levelno >= logging.ERROR]
    assert SECRET not in caplog.text


async def test_mail_for_a_supervisor_is_refused_without_its_contents(tree: DynamicSupervisor) -> None:
    """The error says what to use instead."""
    with pytest.raises(NotAnActorError, match="its methods") as caught:
        await tree.ref.call(SECRET)
    assert SECRET not in str(caught.value)


async def test_error_of_a_call_has_the_crash_as_its_cause(tree: DynamicSupervisor) -> None:
    """The line that failed is in the caller's log."""
    error = LookupError("lost")

    async def fail(probe: Probe) -> None:
        raise error

    ref = await tree.start_child(ChildSpec("a", Probe, restart="temporary"))
    with pytest.raises(CallExitError) as caught:
        await ref.call(fail)
    assert Crash(error) == caught.value.reason
    assert error is caught.value.__cause__
    with pytest.raises(CallExitError) as late:
        await ref.call("again")
    assert NoProc() == late.value.reason
    assert late.value.__cause__ is None


async def test_error_of_a_start_has_the_crash_as_its_cause(tree: DynamicSupervisor) -> None:
    """Whichever of them raised."""
    error = OSError("no such file")

    def start() -> Probe:
        raise error

    with pytest.raises(StartError) as caught:
        await tree.start_child(ChildSpec("a", start))
    assert error is caught.value.__cause__


async def test_child_that_is_unknown_is_named_as_it_was_asked_for(tree: DynamicSupervisor) -> None:
    """And the dynamic supervisor says how its children are known."""
    async with Supervisor([ChildSpec("a", Probe)]) as supervisor:
        with pytest.raises(ChildNotFoundError, match="no child 'nobody' here; which_children") as caught:
            await supervisor.terminate_child("nobody")
        assert caught.value.child_id == "nobody"
    with pytest.raises(ChildNotFoundError, match="no child 'a' here; children are known by reference here"):
        await tree.terminate_child("a")  # type: ignore[arg-type]  # the slip that the message is for


async def test_child_by_its_id() -> None:
    """Its process as it is now; without one the error says in which state the child is."""
    async with Supervisor([ChildSpec("a", Probe)]) as supervisor:
        assert supervisor.which_children()[0].ref is supervisor.child("a")
        await supervisor.terminate_child("a")
        with pytest.raises(CallExitError, match="'a' does not run; it is stopped") as caught:
            supervisor.child("a")
        assert NoProc() == caught.value.reason
        with pytest.raises(ChildNotFoundError):
            supervisor.child("b")


@pytest.mark.parametrize("make", [Supervisor, DynamicSupervisor])
async def test_child_that_is_no_specification_is_refused_at_the_door(make: Any) -> None:
    """The commonest slip: the class in place of the specification."""
    async with make() as supervisor:
        with pytest.raises(TypeError, match=r"ChildSpec\(id, start\), not <class"):
            await supervisor.start_child(Probe)
    with pytest.raises(TypeError, match=r"ChildSpec\(id, start\), not <class"):
        Supervisor([Probe])  # type: ignore[list-item]  # the slip that the message is for


async def test_task_cannot_be_looked_into() -> None:
    """It serves nothing while it runs, and says so at once."""
    async with TaskSupervisor() as tasks:
        task = await tasks.start(forever)
        with pytest.raises(NotAnActorError, match="outcome"):
            await get_status(task)


async def test_end_by_force_that_was_asked_for_is_no_error_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """`brutal_kill` is in the specification; a kill by a deadline or from elsewhere is not."""
    caplog.set_level(logging.DEBUG, logger="wsmgr.actors")
    async with Supervisor([ChildSpec("a", Probe, shutdown="brutal_kill")]) as supervisor:
        ref = supervisor.child("a")
    ends = [record for record in caplog.records if record.getMessage().startswith(f"{ref} ended")]
    assert [(logging.DEBUG, f"{ref} ended: killed")] == [(end.levelno, end.getMessage()) for end in ends]


async def forever() -> None:
    """Run until it is cancelled."""
    await anyio.sleep_forever()


@pytest.mark.parametrize("make", [Probe, TrappingProbe])
async def test_kill_in_the_step_in_which_an_actor_stops_is_a_kill(
    make: type[Probe], tree: DynamicSupervisor
) -> None:
    """Whoever was killed has not said good-bye, whatever its callback returned."""

    async def leave(probe: Probe) -> Stop:
        probe.ref.exit(Killed())
        return Stop(Shutdown("on my own"))

    probe = make()
    ref = await tree.start_child(ChildSpec("a", lambda: probe, restart="temporary"))
    ref.cast(leave)
    assert Killed() == await ref.monitor().wait()
    assert not any("terminate" in entry for entry in probe.journal)
