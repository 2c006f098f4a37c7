"""The top of a tree: what comes from outside is turned into an ordered end."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import pytest
import trio
from tests.actors.children import LONG, Journal, ends, slow, starts

from wsmgr.actors import (
    ChildSpec,
    ChildStatus,
    Crash,
    Exited,
    ForeignCancellationError,
    Started,
    StartError,
    Stop,
    Supervisor,
    SupervisorGaveUpError,
)
from wsmgr.actors.testing import EventRecorder, Probe, TrappingProbe, settle

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]


def goodbye(name: str, journal: Journal) -> ChildSpec:
    """Return a child that awaits in `terminate`: a cancellation that got through would show."""
    return slow(name, journal, 0.5)


@pytest.mark.parametrize("form", ["run", "async with"])
async def test_cancellation_from_outside_is_an_ordered_shutdown(form: str, journal: Journal) -> None:
    """Children end one by one in reverse order, then the cancellation goes on."""
    supervisor = Supervisor([goodbye(name, journal) for name in "abc"])
    with anyio.move_on_after(1) as scope:
        if form == "run":
            await supervisor.run()
        else:
            async with supervisor:
                await anyio.sleep(LONG)
        pytest.fail("the cancellation was lost")
    assert scope.cancelled_caught
    assert ["c", "b", "a"] == ends(journal)


async def test_cancellation_during_the_start_ends_what_was_started(journal: Journal) -> None:
    """Also before the body."""

    class Hanging(Probe):
        async def init(self) -> Any:
            await anyio.sleep(LONG)

    with anyio.move_on_after(1) as scope:
        async with Supervisor([goodbye("a", journal), ChildSpec("hangs", Hanging)]):
            pytest.fail("the body must not run")
    assert scope.cancelled_caught
    assert ["a"] == ends(journal)


async def test_cancelled_scope_around_a_root_that_was_never_entered_leaves_nothing(journal: Journal) -> None:
    """A root that starts inside of a cancelled scope ends at once."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        await Supervisor([goodbye("a", journal)]).run()
    assert scope.cancelled_caught
    assert len(ends(journal)) == len(starts(journal))


async def test_exception_of_the_body_comes_out_as_it_was(journal: Journal) -> None:
    """No group around it, and the children are gone."""
    error = ValueError("the body's own")
    with pytest.raises(ValueError, match="own") as caught:
        async with Supervisor([goodbye("a", journal)]):
            raise error
    assert caught.value is error
    assert ["a"] == ends(journal)


async def test_exception_of_the_body_wins_over_a_cancellation_at_the_same_time(journal: Journal) -> None:
    """The error explains more."""
    with anyio.CancelScope() as scope, pytest.raises(ValueError, match="own"):  # noqa: PT012 - the block is the body of the tree
        async with Supervisor([goodbye("a", journal)]):
            scope.cancel()
            raise ValueError("own")
    assert ["a"] == ends(journal)


async def test_supervisor_that_gives_up_cancels_the_body_and_raises_without_a_group(journal: Journal) -> None:
    """A process manager sees one plain error."""

    async def crash(probe: Probe) -> None:
        raise OSError("gone")

    with pytest.raises(SupervisorGaveUpError) as caught:  # noqa: PT012 - the block is the body of the tree
        async with Supervisor([goodbye("a", journal)], max_restarts=0) as supervisor:
            ref = supervisor.which_children()[0].ref
            assert ref is not None
            ref.cast(crash)
            await anyio.sleep(LONG)
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
async def test_exit_of_the_program_raised_in_a_child_stops_the_tree_and_leaves_by_the_root(
    kind: type[BaseException], journal: Journal, recorder: EventRecorder
) -> None:
    """Never from the child's own task, where it would tear down the loop around the others."""

    async def leave(probe: Probe) -> None:
        raise kind(3)

    inner = ChildSpec("inner", lambda: Supervisor([goodbye("b", journal)]), type="supervisor")
    caught: BaseException | None = None
    try:
        async with Supervisor([goodbye("a", journal), inner], on_event=recorder) as supervisor:
            ref = supervisor.tree().children[1].children[0].ref
            assert ref is not None
            ref.cast(leave)
            await anyio.sleep(LONG)
    except kind as error:
        caught = error
    assert caught is not None
    assert caught.args == (3,)
    assert ["b", "a"] == ends(journal)


@pytest.mark.parametrize("anyio_backend", [("trio", {})])
async def test_body_with_a_raw_nursery_ends_quietly_with_the_supervisor(
    journal: Journal, anyio_backend: object
) -> None:
    """Trio wraps the body's cancellation into a group: it is still only our cancellation."""

    async def leave(probe: Probe) -> Stop:
        return Stop()

    spec = ChildSpec("a", Probe, restart="temporary", significant=True)
    async with (
        Supervisor([spec], auto_shutdown="any_significant") as supervisor,
        trio.open_nursery(strict_exception_groups=True) as nursery,
    ):
        nursery.start_soon(trio.sleep_forever)
        ref = supervisor.which_children()[0].ref
        assert ref is not None
        ref.cast(leave)
        await trio.sleep(100)


async def test_stop_of_the_root_by_its_reference_ends_run(journal: Journal) -> None:
    """The tree can be stopped from inside."""
    supervisor = Supervisor([goodbye("a", journal)])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supervisor.run)
        await settle(lambda: supervisor.tree().status is ChildStatus.RUNNING)
        await supervisor.ref.stop()
    assert ["a"] == ends(journal)


async def test_failed_start_of_a_root_raises_one_plain_error(journal: Journal) -> None:
    """Also through `run`."""

    class Failing(Probe):
        async def init(self) -> Any:
            raise OSError("no")

    with pytest.raises(StartError) as caught:
        await Supervisor([goodbye("a", journal), ChildSpec("b", Failing)]).run()
    assert isinstance(caught.value.__cause__, OSError)
    assert ["a"] == ends(journal)


@pytest.mark.parametrize("anyio_backend", [("asyncio", {}), ("asyncio", {"use_uvloop": True})])
async def test_native_cancellation_of_a_nested_supervisors_task_is_its_crash(
    journal: Journal, recorder: EventRecorder, anyio_backend: object
) -> None:
    """Its children end in order, and the supervisor above starts it anew."""
    inner = ChildSpec(
        "inner",
        lambda: Supervisor([ChildSpec(n, lambda n=n: TrappingProbe(n, journal)) for n in "ab"]),  # type: ignore[misc]
        type="supervisor",
    )
    async with Supervisor([inner], on_event=recorder, name="top") as supervisor:
        task = next(task for task in asyncio.all_tasks() if task.get_name().startswith("top/inner#"))
        task.cancel()
        ended = await recorder.wait_for(Exited, where=lambda event: event.child_id == "inner")
        assert isinstance(ended.reason, Crash)
        assert isinstance(ended.reason.error, ForeignCancellationError)
        assert ["b", "a"] == ends(journal)
        await settle(lambda: supervisor.count_children().active == 1)


@pytest.mark.parametrize("anyio_backend", [("asyncio", {}), ("asyncio", {"use_uvloop": True})])
@pytest.mark.parametrize("form", ["run", "async with"])
async def test_native_cancellation_is_an_ordered_shutdown_too(
    form: str, journal: Journal, anyio_backend: object
) -> None:
    """Ctrl-C under `asyncio.run` cancels the host's task and knows no shields."""
    started = asyncio.Event()

    class Quick(TrappingProbe):
        async def terminate(self, reason: Any) -> None:
            await anyio.sleep(0.001)
            await super().terminate(reason)

    def tell(event: object) -> None:
        if isinstance(event, Started) and event.child_id == "top" and form == "run":
            started.set()

    async def host() -> None:
        specs = [ChildSpec(name, lambda name=name: Quick(name, journal)) for name in "abc"]  # type: ignore[misc]
        supervisor = Supervisor(specs, name="top", on_event=tell)
        if form == "run":
            await supervisor.run()
        else:
            async with supervisor:
                started.set()
                await anyio.sleep(LONG)

    task = asyncio.ensure_future(host())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ["c", "b", "a"] == ends(journal)
