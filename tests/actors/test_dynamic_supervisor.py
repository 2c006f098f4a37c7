"""The dynamic supervisor: children by reference, restarted alone, ended together."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from wsmgr.actors import (
    Backoff,
    ChildNotFoundError,
    ChildSpec,
    ChildStatus,
    Crash,
    DynamicSupervisor,
    Exited,
    Ignore,
    MaxChildrenError,
    Shutdown,
    ShutdownError,
    Started,
    SupervisorGaveUpError,
)
from wsmgr.actors.testing import EventRecorder, Probe, TrappingProbe, settle

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]


async def crash(probe: Probe) -> None:
    raise ValueError("crash")


async def test_children_with_equal_ids_are_told_apart_by_reference() -> None:
    """Ids only name them for people."""
    async with DynamicSupervisor() as supervisor:
        first = await supervisor.start_child(ChildSpec("same", Probe))
        second = await supervisor.start_child(ChildSpec("same", Probe))
        await supervisor.terminate_child(first)
        assert Shutdown() == first.exit_reason
        assert [second] == [child.ref for child in supervisor.which_children()]
        with pytest.raises(ChildNotFoundError):
            await supervisor.terminate_child(first)


async def test_children_end_at_the_same_time_each_within_its_own_budget(recorder: EventRecorder) -> None:
    """A hundred slow goodbyes take as long as the slowest; who is too slow is killed at its own deadline."""

    class Slow(TrappingProbe):
        def __init__(self, seconds: float) -> None:
            super().__init__()
            self.seconds = seconds

        async def terminate(self, reason: object) -> None:
            await anyio.sleep(self.seconds)

    async with DynamicSupervisor(on_event=recorder) as supervisor:
        for number in range(100):
            await supervisor.start_child(ChildSpec(number, lambda: Slow(3.0), shutdown=5.0))
        await supervisor.start_child(ChildSpec("late", lambda: Slow(100.0), shutdown=4.0))
        before = anyio.current_time()
    assert pytest.approx(4.0) == anyio.current_time() - before
    assert ["late"] == [event.child_id for event in recorder.of(ShutdownError)]


async def test_crash_restarts_only_that_child_under_a_new_reference(recorder: EventRecorder) -> None:
    """Nobody else notices."""
    async with DynamicSupervisor(on_event=recorder) as supervisor:
        first = await supervisor.start_child(ChildSpec("a", Probe))
        second = await supervisor.start_child(ChildSpec("b", Probe))
        first.cast(crash)
        again = await recorder.wait_for(Started, where=lambda event: event.restarts == 1)
        assert again.child_id == "a"
        assert again.ref is not first
        assert await second.call("fine") == "fine"
        await settle(lambda: supervisor.count_children().active == 2)


@pytest.mark.parametrize(("restart", "left"), [("permanent", 1), ("transient", 0), ("temporary", 0)])
async def test_child_that_is_not_restarted_is_forgotten(
    restart: Any, left: int, recorder: EventRecorder
) -> None:
    """No graveyard of specs."""
    async with DynamicSupervisor(on_event=recorder) as supervisor:
        ref = await supervisor.start_child(ChildSpec("a", Probe, restart=restart))
        await ref.stop()
        await settle(
            lambda: len(supervisor.which_children()) == left and supervisor.count_children().active == left
        )


async def test_restarting_children_count_against_max_children() -> None:
    """The place is kept for the one that comes back."""
    backoff = Backoff(initial=10, jitter=0, immediate_first=False)
    async with DynamicSupervisor(max_children=1) as supervisor:
        ref = await supervisor.start_child(ChildSpec("a", Probe, backoff=backoff))
        with pytest.raises(MaxChildrenError):
            await supervisor.start_child(ChildSpec("b", Probe))
        ref.cast(crash)
        await settle(lambda: supervisor.which_children()[0].status is ChildStatus.RESTARTING)
        with pytest.raises(MaxChildrenError):
            await supervisor.start_child(ChildSpec("b", Probe))
        await supervisor.terminate_child(ref)
        await supervisor.start_child(ChildSpec("b", Probe))


async def test_restarting_child_is_known_by_its_last_reference_until_it_is_terminated() -> None:
    """`terminate_child` cancels the attempt; a second one does not find it."""
    backoff = Backoff(initial=10, jitter=0, immediate_first=False)
    async with DynamicSupervisor() as supervisor:
        ref = await supervisor.start_child(ChildSpec("a", Probe, backoff=backoff))
        ref.cast(crash)
        await settle(lambda: supervisor.which_children()[0].status is ChildStatus.RESTARTING)
        await supervisor.terminate_child(ref)
        with pytest.raises(ChildNotFoundError):
            await supervisor.terminate_child(ref)
        await anyio.sleep(20)
        assert supervisor.which_children() == []


async def test_child_that_ignores_its_restart_is_removed(recorder: EventRecorder) -> None:
    """Nothing to run any more, hence nothing to keep."""
    runs = [0]

    class Once(Probe):
        async def init(self) -> Any:
            runs[0] += 1
            return Ignore() if runs[0] > 1 else None

    async with DynamicSupervisor(on_event=recorder) as supervisor:
        ref = await supervisor.start_child(ChildSpec("a", Once))
        ref.cast(crash)
        await settle(lambda: runs[0] == 2 and supervisor.which_children() == [])


async def test_restart_that_keeps_failing_uses_up_the_budget() -> None:
    """One budget for all children; each attempt is one unit."""
    runs = [0]

    class Once(Probe):
        async def init(self) -> Any:
            runs[0] += 1
            if runs[0] > 1:
                raise OSError("gone")

    with pytest.raises(SupervisorGaveUpError) as caught:  # noqa: PT012 - the block is the body of the tree
        async with DynamicSupervisor(max_restarts=3) as supervisor:
            ref = await supervisor.start_child(ChildSpec("a", Once))
            ref.cast(crash)
            with anyio.fail_after(1000):
                await anyio.sleep_forever()
    assert runs == [4]
    assert isinstance(caught.value.reason, Crash)
    assert isinstance(caught.value.reason.error, OSError)


async def test_kill_of_a_dynamic_supervisor_takes_its_children(recorder: EventRecorder) -> None:
    """Also those that were never asked."""
    inner = DynamicSupervisor()
    async with DynamicSupervisor(on_event=recorder) as outer:
        ref = await outer.start_child(
            ChildSpec("inner", lambda: inner, type="supervisor", restart="temporary", shutdown="brutal_kill")
        )
        child = await inner.start_child(ChildSpec("child", TrappingProbe))
        await outer.terminate_child(ref)
        assert not child.alive
    assert ["child", "inner"] == [
        event.child_id for event in recorder.of(Exited) if event.child_id in ("child", "inner")
    ]


async def test_many_children_start_and_end_in_linear_time() -> None:
    """A thousand siblings cost a thousand times one, not a million."""
    async with DynamicSupervisor() as supervisor:
        for number in range(1000):
            await supervisor.start_child(ChildSpec(number, TrappingProbe))
        assert supervisor.count_children().active == 1000
    assert supervisor.count_children().active == 0
