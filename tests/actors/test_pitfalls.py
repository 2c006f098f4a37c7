"""The traps of doing OTP on anyio, one test each, under the name of the trap.

Some have a better place. A cancellation that races with mail is in test_mailbox, an exit of the program that a child raises in
test_root, a reply that comes too late in test_actor, and restarts that fall into step in test_decisions.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import ExitStack
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
import trio
from tests.actors.children import LONG, Journal, crash, ends, quiet, trapping

from wsmgr.actors import (
    CallCycleError,
    CallExitError,
    ChildSpec,
    ChildStatus,
    Crash,
    DynamicSupervisor,
    Exited,
    ForeignCancellationError,
    GaveUp,
    Killed,
    Shutdown,
    ShutdownError,
    StartError,
    Stop,
    Supervisor,
    SupervisorGaveUpError,
)
from wsmgr.actors.testing import EventRecorder, Probe, TrappingProbe, check_leaks, settle

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.actors import ActorRef

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]

BOTH_ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio-virtual", "uvloop-virtual"], indirect=True)


class Work:
    """Counts the functions that are called while it is open: how much is done, whatever the speed of the machine."""

    def __init__(self) -> None:
        self.calls = 0

    def __enter__(self) -> Self:
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _note(self, frame: object, event: str, argument: object) -> None:
        self.calls += event in {"call", "c_call"}


async def start(tree: DynamicSupervisor, journal: Journal, kind: type[Probe] = Probe) -> ActorRef[Any]:
    return await tree.start_child(ChildSpec("p", lambda: kind("p", journal), restart="temporary"))


@BOTH_ASYNCIO
@pytest.mark.parametrize("where", ["init", "cast", "terminate"])
async def test_foreign_cancellation_is_the_crash_of_that_one_actor(
    where: str, journal: Journal, anyio_backend: object
) -> None:
    """A library cancels the future that an actor awaits; siblings and supervisor live on."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    class Waiting(Probe):
        async def init(self) -> Any:
            if where == "init":
                await future

        async def terminate(self, reason: Any) -> None:
            self.journal.append(("terminate", type(reason)))
            if where == "terminate":
                await future

    async def wait(probe: Probe) -> Stop | None:
        if where == "terminate":
            return Stop()
        await future
        return None

    async with DynamicSupervisor() as tree:
        sibling = await start(tree, journal)
        asyncio.get_running_loop().call_later(0.01, future.cancel)
        if where == "init":
            with pytest.raises(StartError) as caught:
                await start(tree, journal, Waiting)
            reason = caught.value.reason
        else:
            ref = await start(tree, journal, Waiting)
            ref.cast(wait)
            reason = await ref.monitor().wait()
        assert isinstance(reason, Crash)
        assert isinstance(reason.error, ForeignCancellationError)
        assert (where == "cast") == (("terminate", Crash) in journal)
        assert await sibling.call("alive") == "alive"


async def test_outer_cancellation_does_not_destroy_the_order(journal: Journal) -> None:
    """Nested supervisors too: depth first, in reverse, each child with its good-bye."""

    def level(name: str, *specs: ChildSpec) -> ChildSpec:
        return ChildSpec(name, lambda: Supervisor(specs), type="supervisor")

    def leaf(name: str) -> ChildSpec:
        return ChildSpec(name, lambda: TrappingProbe(name, journal))

    with anyio.move_on_after(1):
        async with Supervisor(
            [leaf("a"), level("x", leaf("b"), level("y", leaf("c"), leaf("d"))), leaf("e")]
        ):
            await anyio.sleep(LONG)
    assert ["e", "d", "c", "b", "a"] == ends(journal)


async def test_ending_many_children_at_once_is_linear() -> None:
    """A cancelled group that looks at all of its tasks whenever one ends would be quadratic."""

    async def end(number: int) -> int:
        work = Work()
        with ExitStack() as stack, anyio.CancelScope() as scope:
            async with DynamicSupervisor() as tree:
                for _ in range(number):
                    await tree.start_child(ChildSpec("p", TrappingProbe))
                stack.enter_context(work)
                scope.cancel()
        return work.calls

    small, large = await end(20), await end(160)
    assert 0 < large < 12 * small


async def test_cancellation_while_a_child_starts_does_not_deadlock(journal: Journal) -> None:
    """`TaskGroup.start` around a shield would."""

    class Slow(Probe):
        async def init(self) -> Any:
            await anyio.sleep(10)

    with anyio.fail_after(5), anyio.move_on_after(1) as scope:
        async with Supervisor([ChildSpec("slow", Slow)]):
            pytest.fail("the body must not run")
    assert scope.cancelled_caught


async def test_group_is_kept_and_its_causes_are_shown(journal: Journal) -> None:
    """An actor's own task group wraps what went wrong."""
    error = ValueError("inner")

    async def fail() -> None:
        raise error

    async def nested(probe: Probe) -> None:
        async with anyio.create_task_group() as outer:
            outer.start_soon(anyio.sleep_forever)
            async with anyio.create_task_group() as inner:
                inner.start_soon(fail)

    async with DynamicSupervisor() as tree:
        ref = await start(tree, journal)
        ref.cast(nested)
        reason = await ref.monitor().wait()
    assert isinstance(reason, Crash)
    assert isinstance(reason.error, ExceptionGroup)
    assert (error,) == reason.root_causes()


async def test_timeout_in_a_handler_is_an_ordinary_crash(journal: Journal) -> None:
    """`fail_after` is the handler's own business."""

    async def too_slow(probe: Probe) -> None:
        with anyio.fail_after(1):
            await anyio.sleep(5)

    async with DynamicSupervisor() as tree:
        ref = await start(tree, journal)
        ref.cast(too_slow)
        reason = await ref.monitor().wait()
    assert isinstance(reason, Crash)
    assert isinstance(reason.error, TimeoutError)


async def test_handler_that_swallows_its_cancellation_is_ended_all_the_same(journal: Journal) -> None:
    """A bare `except` delays the end to the next await."""

    async def swallow(probe: Probe) -> None:
        for _ in range(5):
            try:
                await anyio.sleep(LONG)
            except BaseException:  # noqa: BLE001 - what is tested
                probe.journal.append(("swallowed",))

    async with DynamicSupervisor() as tree:
        ref = await start(tree, journal)
        ref.cast(swallow)
        await settle(lambda: ref.queued == 0)
        ref.exit(Shutdown("end"))
        assert Shutdown("end") == await ref.monitor().wait()
    assert journal.count(("swallowed",)) == 5


async def test_shielded_wait_after_a_kill_does_not_make_the_loop_spin(journal: Journal) -> None:
    """A kill that is not obeyed is not repeated at every turn of the loop."""
    release = anyio.Event()

    async def stubborn(probe: Probe) -> None:
        with anyio.CancelScope(shield=True):
            await release.wait()

    async def work_of_turns() -> int:
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
        with Work() as work:
            for _ in range(50):
                await anyio.lowlevel.checkpoint()
        return work.calls

    async with DynamicSupervisor() as tree:
        ref = await start(tree, journal)
        ref.cast(stubborn)
        await quiet()
        before = await work_of_turns()
        ref.exit(Killed())
        try:
            after = await work_of_turns()
            assert ref.alive
        finally:
            release.set()
        assert Killed() == await ref.monitor().wait()
    assert after < 1.2 * before


async def test_error_that_a_cancellation_hides_is_reported(journal: Journal, recorder: EventRecorder) -> None:
    """A `finally` that awaits replaces the real error by the cancellation."""
    error = ValueError("the real one")

    async def masked(probe: Probe) -> None:
        try:
            raise error
        finally:
            await anyio.sleep(LONG)

    async with DynamicSupervisor(on_event=recorder) as tree:
        ref = await start(tree, journal)
        ref.cast(masked)
        await settle(lambda: ref.queued == 0)
        ref.exit(Shutdown("end"))
        await ref.monitor().wait()
    exited = next(event for event in recorder.of(Exited) if event.ref is ref)
    assert (Shutdown("end"), error) == (exited.reason, exited.masked)


async def test_mail_in_a_closed_mailbox_leaves_no_caller_hanging(journal: Journal) -> None:
    """Closing fails every waiting call with the exit reason, whatever its timeout."""
    reasons: list[object] = []

    async def pause(probe: Probe) -> None:
        await anyio.sleep(LONG)

    async with DynamicSupervisor() as tree:
        ref = await start(tree, journal)
        ref.cast(pause)

        async def ask() -> None:
            try:
                await ref.call("x", timeout=float("inf"))
            except CallExitError as error:
                reasons.append(error.reason)

        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(ask)
            await settle(lambda: ref.queued == 10)
            ref.exit(Killed())
    assert [Killed()] * 10 == reasons


def work_for(seconds: float) -> None:
    """Let time pass in which the loop has no turn, as pure Python does that takes long."""
    try:
        loop: Any = asyncio.get_running_loop()
    except RuntimeError:
        clock: Any = trio.lowlevel.current_clock()
        clock.jump(seconds)
    else:
        loop._now += seconds


async def test_busy_handler_delays_its_kill_to_its_next_await(
    journal: Journal, recorder: EventRecorder
) -> None:
    """A deadline cannot interrupt pure Python; nothing else breaks."""

    class Busy(TrappingProbe):
        async def terminate(self, reason: Any) -> None:
            work_for(10.0)
            self.journal.append((self.name, "worked"))
            await anyio.sleep(LONG)

    specs = [trapping("sibling", journal), ChildSpec("busy", lambda: Busy("busy", journal), shutdown=5.0)]
    async with Supervisor(specs, on_event=recorder):
        before = anyio.current_time()
    assert pytest.approx(10.0) == anyio.current_time() - before
    assert [("busy", "worked"), ("sibling", "terminate", Shutdown())] == journal[2:]
    assert [("busy", Killed())] == [(event.child_id, event.reason) for event in recorder.of(ShutdownError)]


@pytest.mark.parametrize("anyio_backend", [("asyncio", {}), ("trio", {})])
async def test_thread_is_waited_for_and_the_actor_then_ends(journal: Journal, anyio_backend: object) -> None:
    """A kill is cooperative: what runs in a thread runs to its end."""
    begun, release = threading.Event(), threading.Event()
    done: list[bool] = []

    def block() -> None:
        begun.set()
        done.append(release.wait(10))

    async def in_thread(probe: Probe) -> None:
        await anyio.to_thread.run_sync(block)

    async with DynamicSupervisor() as tree:
        ref = await start(tree, journal)
        ref.cast(in_thread)
        await settle(begun.is_set)
        ref.exit(Killed())
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
        assert (True, []) == (ref.alive, done)
        release.set()
        assert Killed() == await ref.monitor().wait()
    assert [True] == done


async def test_shield_has_its_own_deadline(recorder: EventRecorder) -> None:
    """An outer deadline does not reach into the tree, but each child's budget bounds its end."""

    class Hanging(TrappingProbe):
        async def terminate(self, reason: Any) -> None:
            await anyio.sleep(LONG)

    before = anyio.current_time()
    with anyio.move_on_after(1):
        async with Supervisor([ChildSpec(n, Hanging, shutdown=2.0) for n in "ab"], on_event=recorder):
            await anyio.sleep(LONG)
    assert pytest.approx(1 + 2 + 2) == anyio.current_time() - before


async def test_end_before_the_first_step_leaves_nothing_half_done(journal: Journal) -> None:
    """Its task's synchronous prefix runs in any case: no side effect of the user's may be in it."""
    supervisor = Supervisor([ChildSpec("a", lambda: Probe("a", journal))])
    with anyio.CancelScope() as scope:
        scope.cancel()
        await supervisor.run()
    assert supervisor.tree().status is ChildStatus.STOPPED
    assert journal in ([], [("a", "init")])


async def test_cancelled_run_raises_the_cancellation_on_both_backends() -> None:
    """The exit of a task group whose children are all gone raises on trio only; `run` always."""
    reached = False
    with anyio.move_on_after(1) as scope:
        await Supervisor().run()
        reached = True
    assert (False, True) == (reached, scope.cancelled_caught)


async def test_order_of_messages_is_the_order_of_sending_not_of_scheduling(journal: Journal) -> None:
    """Trio shuffles ready tasks; the deque does not."""
    async with DynamicSupervisor() as tree:
        ref = await start(tree, journal)

        async def send(sender: int) -> None:
            for number in range(20):
                ref.cast((sender, number))
                await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as tasks:
            for sender in range(5):
                tasks.start_soon(send, sender)
        await ref.call("end")
    messages: list[Any] = [entry[1] for entry in journal[1:-1]]
    for sender in range(5):
        assert list(range(20)) == [number for who, number in messages if who == sender]


async def test_two_actors_that_flood_each_other_do_not_deadlock(journal: Journal) -> None:
    """`cast` never waits."""

    async def flood(other: ActorRef[Any]) -> int:
        return sum(other.cast(number) for number in range(5000))

    async with DynamicSupervisor() as tree:
        first, second = await start(tree, []), await start(tree, [])
        first.cast(lambda _: flood(second))
        second.cast(lambda _: flood(first))
        await settle(lambda: first.queued == second.queued == 0)
        with anyio.fail_after(5):
            await first.call("done")
            await second.call("done")


async def test_call_chain_is_seen_through_the_handlers_own_tasks(journal: Journal) -> None:
    """A handler that waits for its tasks waits for their calls."""
    async with DynamicSupervisor() as tree:
        ref = await start(tree, journal)

        async def ask_in_task(probe: Probe) -> str:
            async def ask() -> None:
                with pytest.raises(CallCycleError):
                    await probe.ref.call("me", timeout=float("inf"))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
            return "told"

        assert await ref.call(ask_in_task) == "told"


async def test_shutdown_takes_the_sum_of_the_budgets_at_most(recorder: EventRecorder) -> None:
    """Sequential children: the sum; a nested supervisor gets the time that its children need."""

    class Hanging(TrappingProbe):
        async def terminate(self, reason: Any) -> None:
            await anyio.sleep(LONG)

    inner = ChildSpec(
        "inner", lambda: Supervisor([ChildSpec(n, Hanging, shutdown=10.0) for n in "ab"]), type="supervisor"
    )
    before = anyio.current_time()
    async with Supervisor([inner, ChildSpec("c", Hanging, shutdown=1.0)], on_event=recorder):
        pass
    assert pytest.approx(21.0) == anyio.current_time() - before
    assert ["c", "b", "a"] == [event.child_id for event in recorder.of(ShutdownError)]


colour: ContextVar[str] = ContextVar("colour", default="none")


async def test_restart_sees_the_same_context_as_the_first_start(journal: Journal) -> None:
    """Children are started by the supervisor, whoever asks for them."""

    class Looking(Probe):
        async def init(self) -> Any:
            self.journal.append(("colour", colour.get()))

    colour.set("of the root")
    async with Supervisor() as supervisor:
        colour.set("of the caller")
        ref = await supervisor.start_child(ChildSpec("a", lambda: Looking("a", journal)))
        ref.cast(crash)
        await settle(lambda: sum(entry[0] == "colour" for entry in journal) == 2)
    assert [("colour", "of the root")] * 2 == [entry for entry in journal if entry[0] == "colour"]


@pytest.mark.parametrize("anyio_backend", [("asyncio", {})])
async def test_eager_tasks_are_no_different(journal: Journal, anyio_backend: object) -> None:
    """A task that runs inside of `start_soon` finds everything in place."""
    factory: Callable[..., Any] | None = getattr(asyncio, "eager_task_factory", None)
    if factory is None:
        pytest.skip("eager tasks came with Python 3.12")
    asyncio.get_running_loop().set_task_factory(factory)
    try:
        specs = [ChildSpec(n, lambda n=n: TrappingProbe(n, journal)) for n in "ab"]  # type: ignore[misc]
        async with Supervisor(specs) as supervisor:
            ref = supervisor.which_children()[0].ref
            assert ref is not None
            assert await ref.call("x") == "x"
    finally:
        asyncio.get_running_loop().set_task_factory(None)
    assert ["b", "a"] == ends(journal)


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True}), ("asyncio", {}), ("trio", {})])
async def test_real_loops_run_the_same_life(
    journal: Journal, recorder: EventRecorder, anyio_backend: object
) -> None:
    """Not only virtual time: start, call, crash, restart, timer, ordered end."""

    async def arm(probe: Probe) -> None:
        probe.send_after(0.01, "tick")

    async with check_leaks():
        specs = [ChildSpec(n, lambda n=n: TrappingProbe(n, journal)) for n in "abc"]  # type: ignore[misc]
        async with Supervisor(specs, strategy="rest_for_one", on_event=recorder) as supervisor:
            first = supervisor.which_children()[1].ref
            assert first is not None
            first.cast(crash)
            await settle(
                lambda: (
                    supervisor.which_children()[2].restarts == 1 and supervisor.count_children().active == 3
                )
            )
            again = supervisor.which_children()[1].ref
            assert again is not None
            await settle(lambda: again.process is not None and again.process.acknowledged)
            await again.call(arm)
            await settle(lambda: any("Timer('tick')" in repr(entry) for entry in journal))
            journal.clear()
    assert ["c", "b", "a"] == ends(journal)


async def test_supervisor_whose_host_is_told_to_give_up_by_many_at_once_gives_up_once(
    recorder: EventRecorder,
) -> None:
    """Ten children crash in one tick: one budget, one end, one report."""
    with pytest.raises(SupervisorGaveUpError):  # noqa: PT012 - the block is the body of the tree
        async with DynamicSupervisor(on_event=recorder) as tree:
            refs = [await tree.start_child(ChildSpec(n, Probe)) for n in range(10)]
            for ref in refs:
                ref.cast(crash)
            await anyio.sleep(LONG)
    assert len(recorder.of(GaveUp)) == 1
