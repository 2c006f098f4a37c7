"""The dynamic supervisor: children by reference, restarted alone, ended together."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from tests.actors.children import LONG, crash

from wsmgr.actors import (
    ChildNotFoundError,
    ChildSpec,
    Crash,
    DynamicSupervisor,
    Exited,
    Ignore,
    Shutdown,
    Started,
    SupervisorGaveUpError,
)
from wsmgr.actors.testing import EventRecorder, Probe, TrappingProbe, settle

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]


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
            await anyio.sleep(LONG)
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
