"""The task supervisor: one-shot work, each a process, and how it ended is never lost."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, assert_type

import anyio
import pytest
from anyio.lowlevel import checkpoint
from tests.actors.children import LONG

from wsmgr.actors import (
    CallCycleError,
    CallExitError,
    CallTimeoutError,
    ChildNotFoundError,
    ChildSpec,
    ChildStatus,
    Crash,
    Down,
    DynamicSupervisor,
    Exited,
    ExitSignal,
    ForeignCancellationError,
    Killed,
    MaxChildrenError,
    NoProc,
    Normal,
    NotAnActorError,
    OutsideActorError,
    Shutdown,
    ShutdownError,
    StartError,
    Supervisor,
)
from wsmgr.actors.task_supervisor import TaskRef, TaskSupervisor
from wsmgr.actors.testing import EventRecorder, Probe, TrappingProbe, settle

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.actors.children import Journal

    from wsmgr.actors import ActorRef

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]


@pytest.fixture
async def tasks(no_leaks: None) -> AsyncGenerator[TaskSupervisor, None]:
    async with TaskSupervisor() as supervisor:
        yield supervisor


async def double(number: int) -> int:
    await checkpoint()
    return 2 * number


async def fail(what: str) -> None:
    await checkpoint()
    raise ValueError(what)


async def start_probe(
    tree: DynamicSupervisor, journal: Journal | None = None, kind: type[Probe] = Probe
) -> ActorRef[Any]:
    return await tree.start_child(ChildSpec("probe", lambda: kind("p", journal), restart="temporary"))


def news(journal: Journal) -> list[object]:
    return [entry[1] for entry in journal if entry[1] not in ("init", "terminate")]


# -- how a task ends ---------------------------------------------------------------------------------------------------


async def test_task_that_returns_ends_normally_with_its_result(tasks: TaskSupervisor) -> None:
    """The outcome has the type of the function."""
    task = await tasks.start(double, 21)
    assert_type(task, TaskRef[int])
    assert 42 == assert_type(await task.outcome(), int)
    assert Normal() == task.exit_reason
    assert 42 == task.result


async def test_task_that_ended_before_start_returned_still_says_how(tasks: TaskSupervisor) -> None:
    """No start races with its result: not for `outcome`, not for a monitor."""

    async def at_once() -> str:
        return "done"

    task = await tasks.start(at_once)
    assert not task.alive
    assert "done" == await task.outcome()
    monitor = task.monitor()
    assert Normal() == await monitor.wait()
    assert "done" == monitor.result


@pytest.mark.parametrize("late", [False, True])
async def test_actor_gets_one_down_with_the_result(
    late: bool, tasks: TaskSupervisor, tree: DynamicSupervisor, journal: Journal
) -> None:
    """Whether it watched in time or not."""
    watcher = await start_probe(tree, journal)
    go_on = anyio.Event()

    async def work() -> str:
        await go_on.wait()
        return "done"

    task = await tasks.start(work)
    if late:
        go_on.set()
        await task.outcome()

    async def watch(probe: Probe) -> None:
        probe.monitor(task)

    await watcher.call(watch)
    go_on.set()
    await task.outcome()
    await settle(lambda: len(news(journal)) == 1)
    (down,) = news(journal)
    assert Down(task, Normal()) == down
    assert isinstance(down, Down)
    assert "done" == down.result


async def test_crash_of_a_task_is_told_with_its_exception_and_harms_nobody(tasks: TaskSupervisor) -> None:
    """It is not started again, and its siblings live on."""
    sibling = await tasks.start(anyio.sleep, 1.0)
    task = await tasks.start(fail, "broken")
    with pytest.raises(CallExitError) as caught:
        await task.outcome()
    assert isinstance(caught.value.reason, Crash)
    assert isinstance(caught.value.__cause__, ValueError)
    assert caught.value.reason.error is caught.value.__cause__
    assert task is caught.value.ref
    assert task.exit_reason == await task.monitor().wait()
    assert task.result is None
    await settle(lambda: [sibling] == [child.ref for child in tasks.which_children()])
    await sibling.outcome()
    assert Normal() == sibling.exit_reason


async def test_task_told_to_end_is_cancelled(tasks: TaskSupervisor) -> None:
    """It may clean up, and `outcome` tells the reason."""
    steps: list[str] = []

    async def work() -> None:
        try:
            await anyio.sleep(LONG)
        finally:
            steps.append("cleaned up")

    task = await tasks.start(work)
    assert Shutdown() == await task.stop()
    assert ["cleaned up"] == steps
    with pytest.raises(CallExitError) as caught:
        await task.outcome()
    assert Shutdown() == caught.value.reason
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("reason", [Shutdown("enough"), Killed(), Crash(ValueError("x"))])
async def test_stop_gives_the_task_its_reason(reason: Any, tasks: TaskSupervisor) -> None:
    """As `exit` does, and waits."""
    assert reason == await (await tasks.start(anyio.sleep_forever)).stop(reason)


async def test_stopped_task_never_ends_normally(tasks: TaskSupervisor) -> None:
    """`Normal()` would say that there is a result."""
    task = await tasks.start(anyio.sleep_forever)
    assert Shutdown() == await task.stop(Normal())


async def test_stop_after_the_end_says_how_it_ended(tasks: TaskSupervisor) -> None:
    """And does nothing."""
    task = await tasks.start(double, 1)
    await task.outcome()
    assert Normal() == await task.stop(Shutdown("too late"))


async def test_stop_that_takes_too_long_leaves_the_task_to_its_cleaning_up(tasks: TaskSupervisor) -> None:
    """The request stands."""

    async def work() -> None:
        try:
            await anyio.sleep(LONG)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(3.0)

    task = await tasks.start(work)
    with pytest.raises(CallTimeoutError, match="did not end within 1 s"):
        await task.stop(timeout=1.0)
    assert Shutdown() == await task.monitor().wait()


async def test_result_counts_though_the_task_was_told_to_end(tasks: TaskSupervisor) -> None:
    """What a function returns in spite of its cancellation is a result."""

    async def work() -> str:
        try:
            await anyio.sleep(LONG)
        except anyio.get_cancelled_exc_class():
            return "half of it"
        raise AssertionError

    task = await tasks.start(work)
    assert Normal() == await task.stop()
    assert "half of it" == await task.outcome()


@pytest.mark.parametrize("anyio_backend", ["asyncio-virtual", "uvloop-virtual"], indirect=True)
async def test_foreign_cancellation_is_a_crash(tasks: TaskSupervisor) -> None:
    """A library that cancels what the task awaits does not make it a shutdown."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        await future

    task = await tasks.start(work)
    future.cancel()
    with pytest.raises(CallExitError) as caught:
        await task.outcome()
    assert isinstance(caught.value.__cause__, ForeignCancellationError)


# -- waiting -----------------------------------------------------------------------------------------------------------


async def test_outcome_in_time_or_the_task_runs_on(tasks: TaskSupervisor) -> None:
    """A timeout is the waiter's affair."""

    async def work() -> str:
        await anyio.sleep(2.0)
        return "done"

    task = await tasks.start(work)
    with pytest.raises(CallTimeoutError, match="did not end within 1 s"):
        await task.outcome(timeout=1.0)
    assert task.alive
    assert "done" == await task.outcome(timeout=1.5)


async def test_cancelled_waiter_leaves_the_task_alone(tasks: TaskSupervisor) -> None:
    """Others still get the result."""
    go_on = anyio.Event()

    async def work() -> str:
        await go_on.wait()
        return "done"

    task = await tasks.start(work)
    results: list[str] = []

    async def wait() -> None:
        results.append(await task.outcome())

    async with anyio.create_task_group() as others:
        others.start_soon(wait)
        others.start_soon(wait)
        with anyio.move_on_after(1.0) as scope:
            await task.outcome()
        assert scope.cancelled_caught
        go_on.set()
    assert ["done", "done"] == results


@pytest.mark.parametrize("how", ["outcome", "stop"])
async def test_task_that_waits_for_itself_is_told_at_once(how: str, tasks: TaskSupervisor) -> None:
    """Also in a task group inside of it, which the task cannot outrun."""
    go_on = anyio.Event()
    refs: list[TaskRef[str]] = []

    async def wait() -> None:
        with pytest.raises(CallCycleError, match=rf"{how}\(\)"):
            await getattr(refs[0], how)()

    async def work() -> str:
        await go_on.wait()
        await wait()
        async with anyio.create_task_group() as inside:
            inside.start_soon(wait)
        return "told"

    refs.append(await tasks.start(work))
    go_on.set()
    assert "told" == await refs[0].outcome(timeout=5.0)


async def test_actor_that_a_task_calls_cannot_wait_for_that_task(
    tasks: TaskSupervisor, tree: DynamicSupervisor
) -> None:
    """The chain of calls is followed."""
    actor = await start_probe(tree)
    go_on = anyio.Event()
    refs: list[TaskRef[Any]] = []

    async def wait(_: Probe) -> str:
        with pytest.raises(CallCycleError):
            await refs[0].outcome()
        return "told"

    async def work() -> Any:
        await go_on.wait()
        return await actor.call(wait)

    refs.append(await tasks.start(work))
    go_on.set()
    assert "told" == await refs[0].outcome()


async def test_task_may_call_the_actor_that_started_it(
    tasks: TaskSupervisor, tree: DynamicSupervisor
) -> None:
    """The actor does not wait for it, so there is no cycle."""
    actor = await start_probe(tree)

    async def work() -> Any:
        return await actor.call("hello")

    async def begin(_: Probe) -> TaskRef[Any]:
        return await tasks.start(work)

    task = await actor.call(begin)
    assert "hello" == await task.outcome()


# -- mail --------------------------------------------------------------------------------------------------------------


async def test_task_takes_no_mail_and_runs_on(tasks: TaskSupervisor) -> None:
    """A cast is counted; a call or send is refused at once instead of hanging."""
    go_on = anyio.Event()
    task = await tasks.start(go_on.wait)
    assert False is task.cast("x")
    assert 1 == task.dead_letters
    with pytest.raises(NotAnActorError, match=r"outcome\(\)"):
        await task.call("x")
    with pytest.raises(NotAnActorError, match=r"outcome\(\)"):
        await task.send("x")
    go_on.set()
    await task.outcome()


async def test_mail_to_a_task_that_has_ended_meets_no_process(tasks: TaskSupervisor) -> None:
    """As with every other process."""
    task = await tasks.start(double, 1)
    await task.outcome()
    assert False is task.cast("x")
    assert 1 == task.dead_letters
    with pytest.raises(CallExitError) as caught:
        await task.call("x")
    assert NoProc() == caught.value.reason
    with pytest.raises(CallExitError) as caught:
        await task.send("x")
    assert Normal() == caught.value.reason


# -- links -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [False, True])
async def test_crash_of_a_linked_task_ends_the_actor_that_started_it(
    late: bool, tasks: TaskSupervisor, tree: DynamicSupervisor
) -> None:
    """With the same reason, even if it crashed before the link."""
    actor = await start_probe(tree)
    refs: list[TaskRef[None]] = []

    async def begin(_: Probe) -> None:
        refs.append(await tasks.start(fail, "broken"))
        if late:
            await refs[0].monitor().wait()
        refs[0].link()

    actor.cast(begin)
    reason = await actor.monitor().wait()
    assert refs[0].exit_reason == reason
    assert isinstance(reason, Crash)


async def test_link_made_by_a_task_is_its_own(tasks: TaskSupervisor, tree: DynamicSupervisor) -> None:
    """Not that of the actor that started it."""
    actor, other = await start_probe(tree), await start_probe(tree)
    linked = anyio.Event()

    async def work() -> None:
        other.link()
        linked.set()
        await anyio.sleep(LONG)

    async def begin(_: Probe) -> TaskRef[None]:
        return await tasks.start(work)

    task = await actor.call(begin)
    await linked.wait()
    other.exit(Shutdown("enough"))
    assert Shutdown("enough") == await task.monitor().wait()
    assert "alive" == await actor.call("alive")


@pytest.mark.parametrize("late", [False, True])
async def test_linked_task_that_returns_alarms_nobody(
    late: bool, tasks: TaskSupervisor, tree: DynamicSupervisor
) -> None:
    """A quick success must not look like a process that was lost."""
    actor = await start_probe(tree)

    async def begin(_: Probe) -> TaskRef[int]:
        task = await tasks.start(double, 21)
        if late:
            await task.outcome()
        task.link()
        return task

    task = await actor.call(begin)
    assert 42 == await task.outcome()
    assert "alive" == await actor.call("alive")


async def test_trapping_actor_is_told_of_a_linked_task_that_had_ended(
    tasks: TaskSupervisor, tree: DynamicSupervisor, journal: Journal
) -> None:
    """Of the end that it had."""
    actor = await start_probe(tree, journal, TrappingProbe)
    task = await tasks.start(double, 21)
    await task.outcome()

    async def link(_: Probe) -> None:
        task.link()

    await actor.call(link)
    await actor.call("later")
    assert [ExitSignal(task, Normal()), "later"] == news(journal)


async def test_end_of_the_actor_cancels_its_linked_task(
    tasks: TaskSupervisor, tree: DynamicSupervisor
) -> None:
    """A link goes both ways; unlinked again it does not."""
    actor = await start_probe(tree)
    linked, unlinked = await tasks.start(anyio.sleep_forever), await tasks.start(anyio.sleep_forever)

    async def link(_: Probe) -> None:
        linked.link()
        unlinked.link()
        unlinked.unlink()

    await actor.call(link)
    actor.exit(Shutdown("enough"))
    assert Shutdown("enough") == await linked.monitor().wait()
    assert unlinked.alive


async def test_link_outside_of_an_actor_is_refused(tasks: TaskSupervisor) -> None:
    """Before and after the end."""
    task = await tasks.start(anyio.sleep_forever)
    with pytest.raises(OutsideActorError):
        task.link()
    await task.stop()
    with pytest.raises(OutsideActorError):
        task.link()


# -- the supervisor ----------------------------------------------------------------------------------------------------


async def test_tasks_end_with_their_supervisor_at_the_same_time_each_within_its_budget(
    recorder: EventRecorder,
) -> None:
    """A hundred slow clean-ups take as long as one; who is too slow is killed at its own deadline."""

    async def work(seconds: float) -> None:
        try:
            await anyio.sleep(LONG)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(seconds)

    async with TaskSupervisor(on_event=recorder) as tasks:
        slow = [await tasks.start(work, 3.0) for _ in range(100)]
        late = await tasks.start(work, 4.0, shutdown=3.5, name="late")
        before = anyio.current_time()
    assert pytest.approx(4.0) == anyio.current_time() - before
    assert {Shutdown()} == {task.exit_reason for task in slow}
    assert Killed() == late.exit_reason
    assert ["late"] == [event.child_id for event in recorder.of(ShutdownError)]


async def test_terminate_child_ends_one_task_within_its_budget(tasks: TaskSupervisor) -> None:
    """And not its siblings; a second time it is unknown."""

    async def stubborn() -> None:
        while True:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(10.0)
            await checkpoint()

    task, sibling = (
        await tasks.start(stubborn, shutdown="brutal_kill"),
        await tasks.start(anyio.sleep_forever),
    )
    await tasks.terminate_child(task)
    assert Killed() == task.exit_reason
    assert sibling.alive
    with pytest.raises(ChildNotFoundError):
        await tasks.terminate_child(task)


async def test_max_children_counts_the_tasks_that_run() -> None:
    """An end makes room."""
    async with TaskSupervisor(max_children=2) as tasks:
        first = await tasks.start(anyio.sleep_forever)
        await tasks.start(anyio.sleep_forever)
        with pytest.raises(MaxChildrenError):
            await tasks.start(double, 1)
        await first.stop()
        assert 2 == await (await tasks.start(double, 1)).outcome()


@pytest.mark.parametrize("number", [0, 1.5])
async def test_max_children_that_is_no_number_of_tasks_is_refused(number: Any) -> None:
    """When it is built."""
    with pytest.raises((ValueError, TypeError), match="max_children"):
        TaskSupervisor(max_children=number)


async def test_finished_task_leaves_nothing_but_its_reference(tasks: TaskSupervisor) -> None:
    """Neither in the supervisor, nor what it was started with."""

    class Cargo:
        pass

    variable: ContextVar[Cargo | None] = ContextVar("variable", default=None)
    gone: list[weakref.ref[Cargo]] = []

    async def work(_: Cargo) -> str:
        await checkpoint()
        return "done"

    async def start() -> TaskRef[str]:
        argument, seen = Cargo(), Cargo()
        gone.extend((weakref.ref(argument), weakref.ref(seen)))
        variable.set(seen)
        task = await tasks.start(work, argument)
        variable.set(None)
        return task

    task = await start()
    await settle(lambda: tasks.which_children() == [])
    gc.collect()
    assert "done" == task.result
    assert [None, None] == [cargo() for cargo in gone]


async def test_thousand_tasks_run_side_by_side(tasks: TaskSupervisor) -> None:
    """Each with its own result; none is left."""
    started = [await tasks.start(double, number) for number in range(1000)]
    assert [2 * number for number in range(1000)] == [await task.outcome() for task in started]
    await settle(lambda: tasks.count_children().specs == 0)


async def test_task_supervisor_runs_below_another(recorder: EventRecorder) -> None:
    """Its tasks are told to end with it, and those who wait hear of it."""
    tasks = TaskSupervisor()
    spec = ChildSpec("tasks", lambda: tasks, type="supervisor")
    reasons: list[object] = []

    async def wait(task: TaskRef[None]) -> None:
        with pytest.raises(CallExitError) as caught:
            await task.outcome()
        reasons.append(caught.value.reason)

    async with anyio.create_task_group() as others, Supervisor([spec], on_event=recorder) as root:
        task = await tasks.start(anyio.sleep_forever, name="forever")
        assert f"{root.ref.path}/tasks/forever" == task.path
        others.start_soon(wait, task)
        await checkpoint()
    assert [Shutdown()] == reasons
    assert ["forever", "tasks"] == [event.child_id for event in recorder.of(Exited)][:2]


async def test_start_on_a_supervisor_that_does_not_run_is_refused() -> None:
    """Before, and after."""
    tasks = TaskSupervisor()
    with pytest.raises(CallExitError) as caught:
        await tasks.start(double, 1)
    assert NoProc() == caught.value.reason
    async with tasks:
        assert 2 == await (await tasks.start(double, 1)).outcome()
    with pytest.raises(CallExitError) as caught:
        await tasks.start(double, 1)
    assert NoProc() == caught.value.reason


@pytest.mark.parametrize("anyio_backend", ["asyncio-virtual", "uvloop-virtual"], indirect=True)
async def test_task_killed_before_its_first_step_could_not_be_started(tasks: TaskSupervisor) -> None:
    """Somebody found it in `which_children`; on these loops that comes between its making and its first step."""
    runs: list[int] = []

    async def work() -> None:
        runs.append(1)

    async def kill() -> None:
        await checkpoint()
        (child,) = tasks.which_children()
        assert ChildStatus.STARTING is child.status
        assert child.ref is not None
        child.ref.exit(Killed())

    async with anyio.create_task_group() as others:
        others.start_soon(kill)
        with pytest.raises(StartError, match="killed"):
            await tasks.start(work)
    assert [] == tasks.which_children()
    assert [] == runs


async def test_start_that_meets_the_stop_of_its_supervisor_tells_or_ends(tree: DynamicSupervisor) -> None:
    """Either the task was not started, and nothing ran, or it was, and is ended; on trio chance decides."""

    async def meet() -> None:
        runs: list[int] = []
        reasons: list[object] = []
        tasks = TaskSupervisor()
        await tree.start_child(ChildSpec("tasks", lambda: tasks, type="supervisor", restart="temporary"))

        async def work() -> None:
            runs.append(1)
            await anyio.sleep(LONG)

        async def stop() -> None:
            await checkpoint()
            await tasks.ref.stop()

        async def start() -> None:
            try:
                task = await tasks.start(work)
            except CallExitError as error:
                reasons.append(error.reason)
            else:
                reasons.append(await task.monitor().wait())

        async with anyio.create_task_group() as both:
            both.start_soon(stop)
            both.start_soon(start)
        assert (reasons, runs) in [([NoProc()], []), ([Shutdown()], [1])]
        assert [] == tasks.which_children()

    for _ in range(20):
        await meet()


async def test_start_cancelled_while_it_waits_starts_nothing(tasks: TaskSupervisor) -> None:
    """The supervisor was busy ending another task."""
    runs: list[int] = []

    async def work() -> None:
        runs.append(1)

    async def slow_to_end() -> None:
        try:
            await anyio.sleep(LONG)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(3.0)

    slow = await tasks.start(slow_to_end)
    async with anyio.create_task_group() as others:
        others.start_soon(tasks.terminate_child, slow)
        await settle(lambda: tasks.which_children()[0].status is ChildStatus.STOPPING)
        with anyio.move_on_after(1.0) as scope:
            await tasks.start(work)
        assert scope.cancelled_caught
    assert 2 == await (await tasks.start(double, 1)).outcome()
    assert [] == runs


async def test_task_sees_the_context_variables_of_its_caller_and_changes_its_own(
    tasks: TaskSupervisor,
) -> None:
    """As with any other task of a loop."""
    variable: ContextVar[str] = ContextVar("variable", default="of nobody")

    async def work() -> str:
        seen = variable.get()
        variable.set("of the task")
        return seen

    variable.set("of the caller")
    assert "of the caller" == await (await tasks.start(work)).outcome()
    assert "of the caller" == variable.get()
    variable.set("of the caller, later")
    assert "of the caller, later" == await (await tasks.start(work)).outcome()


@pytest.mark.parametrize(
    ("fn", "name", "shown"),
    [
        (double, None, "double"),
        (partial(partial(double), 1), None, "double"),
        (double, "by hand", "by hand"),
    ],
)
async def test_task_is_called_like_its_function(
    fn: Any, name: str | None, shown: str, recorder: EventRecorder
) -> None:
    """For people; two may have the same name."""
    async with TaskSupervisor(on_event=recorder) as tasks:
        arguments = () if isinstance(fn, partial) else (1,)
        for _ in range(2):
            assert 2 == await (await tasks.start(fn, *arguments, name=name)).outcome()
    assert [shown, shown] == [event.child_id for event in recorder.of(Exited)][:2]


async def test_coroutine_instead_of_a_function_is_refused(tasks: TaskSupervisor) -> None:
    """The usual mistake; nothing is started."""
    coroutine = double(1)
    with pytest.raises(TypeError, match="fn must be an async function"):
        await tasks.start(coroutine)  # type: ignore[arg-type]
    coroutine.close()


@pytest.mark.parametrize("shutdown", [-1.0, "soon"])
async def test_shutdown_that_is_none_is_refused(shutdown: Any, tasks: TaskSupervisor) -> None:
    """Before anything is started."""
    with pytest.raises(ValueError, match="shutdown"):
        await tasks.start(double, 1, shutdown=shutdown)
    assert [] == tasks.which_children()
