"""Actors as other threads reach them. Threads do not go with virtual time, so these tests run on the real loops."""

from __future__ import annotations

import asyncio
import math
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import pytest
from anyio.lowlevel import EventLoopToken
from tests.actors.children import crash

from wsmgr.actors import (
    ActorRef,
    CallCycleError,
    CallExitError,
    CallTimeoutError,
    ChildSpec,
    Crash,
    DeadLetter,
    DynamicSupervisor,
    LoopThreadError,
    LoopTimeoutError,
    MailboxFullError,
    MailboxPolicy,
    NoProc,
    NoReply,
    NotAnActorError,
    RejectError,
    ReplyTo,
    Shutdown,
    Supervisor,
    ThreadRef,
    conflate,
)
from wsmgr.actors.from_thread import _Cast
from wsmgr.actors.task_supervisor import TaskSupervisor
from wsmgr.actors.testing import Probe, settle

if TYPE_CHECKING:
    from collections.abc import Callable

LOOPS = {
    "asyncio": ("asyncio", {"use_uvloop": False}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}
if sys.platform == "win32":
    del LOOPS["uvloop"]

ASYNCIO = [name for name in LOOPS if name != "trio"]

leak_free = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return LOOPS[request.param]


class Clock:
    """What threads take for the time."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("wsmgr.actors.from_thread.monotonic", clock)
    return clock


async def start(
    tree: DynamicSupervisor, journal: list[tuple[object, ...]] | None = None, kind: type[Probe] = Probe
) -> ActorRef[Any]:
    return await tree.start_child(ChildSpec("p", lambda: kind("p", journal), restart="temporary"))


def begin(fn: Callable[[], Any]) -> Future[Any]:
    """Run `fn` in a thread that no loop knows, and that does not hold up the end of the tests."""
    outcome: Future[Any] = Future()

    def run() -> None:
        try:
            outcome.set_result(fn())
        except Exception as error:  # noqa: BLE001 - it goes to whoever waits
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return outcome


async def result_of(outcome: Future[Any]) -> Any:
    return await anyio.to_thread.run_sync(outcome.result, 20.0)


async def in_thread(fn: Callable[[], Any]) -> Any:
    return await result_of(begin(fn))


async def in_pool(fn: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return await result_of(pool.submit(fn))


async def in_worker(fn: Callable[[], Any]) -> Any:
    return await anyio.to_thread.run_sync(fn)


def hold_up_the_loop_until(event: threading.Event) -> None:
    assert event.wait(10), "the thread did not give up"


class TestReaching:
    """What a thread sends arrives, and it gets the answer."""

    pytestmark = leak_free

    @pytest.mark.parametrize("run", [in_thread, in_pool, in_worker])
    async def test_cast_and_call_reach_the_actor_from_any_kind_of_thread(
        self, run: Callable[[Callable[[], Any]], Any], tree: DynamicSupervisor
    ) -> None:
        """Plain threads, pools, and workers of anyio."""
        journal: list[tuple[object, ...]] = []
        ref = ThreadRef(await start(tree, journal))
        assert True is await run(lambda: ref.cast("cast"))
        assert "call" == await run(lambda: ref.call("call"))
        assert [("p", "init"), ("p", "cast"), ("p", "call")] == journal

    async def test_messages_of_each_thread_arrive_in_its_order(self, tree: DynamicSupervisor) -> None:
        """Eight threads at once: none is lost, none overtakes one of the same thread."""

        class Roomy(Probe):
            mailbox = MailboxPolicy(capacity=8 * 200)

        journal: list[tuple[object, ...]] = []
        ref = await start(tree, journal, Roomy)
        ready = threading.Barrier(8)

        def send(thread: int) -> int:
            ready.wait(10)
            return sum(ThreadRef(ref).cast((thread, number)) for number in range(200))

        with ThreadPoolExecutor(8) as pool:
            sending = [pool.submit(send, thread) for thread in range(8)]
            assert 8 * [200] == [await result_of(each) for each in sending]
        await ref.call("all came")
        arrived = [entry[1] for entry in journal if isinstance(entry[1], tuple)]
        for thread in range(8):
            assert [(thread, number) for number in range(200)] == [
                entry for entry in arrived if entry[0] == thread
            ]

    async def test_thread_may_call_many_actors_at_once_from_many_threads(
        self, tree: DynamicSupervisor
    ) -> None:
        """Each gets its own answer."""
        refs = [await start(tree) for _ in range(5)]

        def ask(thread: int) -> list[Any]:
            return [ThreadRef(ref).call((thread, number)) for number, ref in enumerate(refs * 10)]

        with ThreadPoolExecutor(8) as pool:
            asking = [pool.submit(ask, thread) for thread in range(8)]
            answers = [await result_of(each) for each in asking]
        assert [[(thread, number) for number in range(50)] for thread in range(8)] == answers

    async def test_what_a_cast_leads_to_runs_where_anyio_knows_the_loop(self) -> None:
        """A listener for events may ask for the time, say."""
        times: list[float] = []

        def listen(event: object) -> None:
            if isinstance(event, DeadLetter):
                times.append(anyio.current_time())

        async with DynamicSupervisor(on_event=listen) as tree:
            ref = await start(tree)
            await ref.stop()
            before = anyio.current_time()
            assert False is await in_thread(lambda: ThreadRef(ref).cast("too late"))
        assert len(times) == 1
        assert before <= times[0] <= anyio.current_time()


class TestErrors:
    """A thread is told what a task would be told."""

    pytestmark = leak_free

    async def test_cast_to_an_actor_that_has_ended_is_not_accepted_and_counted(
        self, tree: DynamicSupervisor
    ) -> None:
        """As in the loop."""
        ref = await start(tree)
        await ref.stop()
        assert False is await in_thread(lambda: ThreadRef(ref).cast("x"))
        assert 1 == ref.dead_letters

    async def test_cast_and_call_over_the_bound_are_not_accepted(self, tree: DynamicSupervisor) -> None:
        """The policy is the actor's, whoever sends."""

        class Small(Probe):
            mailbox = MailboxPolicy(capacity=1)

        ref = await start(tree, None, Small)
        go_on = anyio.Event()

        async def wait(_: Probe) -> None:
            await go_on.wait()

        ref.cast(wait)
        await settle(lambda: ref.queued == 0)
        assert True is await in_thread(lambda: ThreadRef(ref).cast("in the box"))
        assert False is await in_thread(lambda: ThreadRef(ref).cast("over the bound"))
        with pytest.raises(MailboxFullError):
            await in_thread(lambda: ThreadRef(ref).call("over the bound"))
        go_on.set()
        assert 2 == ref.dead_letters

    async def test_refusal_reaches_the_thread_and_the_actor_lives_on(self, tree: DynamicSupervisor) -> None:
        """`RejectError` is the actor's own no."""

        async def refuse(_: Probe) -> None:
            raise RejectError("no")

        ref = ThreadRef(await start(tree))
        with pytest.raises(RejectError, match="no"):
            await in_thread(lambda: ref.call(refuse))
        assert "yes" == await in_thread(lambda: ref.call("yes"))

    async def test_end_of_the_actor_reaches_the_thread_that_waits(self, tree: DynamicSupervisor) -> None:
        """With its reason; afterwards there is no process."""
        ref = await start(tree)
        with pytest.raises(CallExitError) as caught:
            await in_thread(lambda: ThreadRef(ref).call(crash, timeout=math.inf))
        assert isinstance(caught.value.reason, Crash)
        assert isinstance(caught.value.reason.error, ValueError)
        with pytest.raises(CallExitError) as caught:
            await in_thread(lambda: ThreadRef(ref).call("anyone?"))
        assert NoProc() == caught.value.reason

    async def test_stop_of_the_supervisor_reaches_the_thread_that_waits(self) -> None:
        """It is not left behind, and does not hold up the end."""
        began = anyio.Event()

        async def never(_: Probe) -> None:
            began.set()
            await anyio.sleep_forever()

        async with anyio.create_task_group() as tasks:
            async with DynamicSupervisor() as tree:
                ref = await start(tree)
                told: list[object] = []

                async def ask() -> None:
                    with pytest.raises(CallExitError) as caught:
                        await in_thread(lambda: ThreadRef(ref).call(never, timeout=math.inf))
                    told.append(caught.value.reason)

                tasks.start_soon(ask)
                await began.wait()
            with anyio.fail_after(10):
                await settle(lambda: told == [Shutdown()])

    async def test_supervisors_and_tasks_take_no_calls(self) -> None:
        """Neither the root nor one below it, nor a task."""
        tasks = TaskSupervisor()
        async with Supervisor([ChildSpec("tasks", lambda: tasks, type="supervisor")]) as root:
            task = await tasks.start(anyio.sleep_forever)
            refs: list[ActorRef[Any]] = [root.ref, tasks.ref, task]
            for ref in refs:
                with pytest.raises(NotAnActorError):
                    await in_thread(partial(ThreadRef(ref).call, "x"))
                assert False is await in_thread(partial(ThreadRef(ref).cast, "x"))

    @pytest.mark.parametrize("timeout", [-1.0, math.nan])
    async def test_timeout_that_is_no_duration_is_refused(
        self, timeout: float, tree: DynamicSupervisor
    ) -> None:
        """Nothing is sent."""
        journal: list[tuple[object, ...]] = []
        ref = ThreadRef(await start(tree, journal))
        with pytest.raises(ValueError, match="timeout"):
            await in_thread(lambda: ref.cast("x", timeout=timeout))
        with pytest.raises(ValueError, match="timeout"):
            await in_thread(lambda: ref.call("x", timeout=timeout))
        assert [("p", "init")] == journal


class TestDeadlines:
    """The thread is blocked for as long as it said, whatever the loop does."""

    pytestmark = leak_free

    async def test_call_without_an_answer_ends_at_its_timeout_and_is_abandoned(
        self, clock: Clock, tree: DynamicSupervisor
    ) -> None:
        """The request had been begun, which the error says; a late answer reaches nobody."""
        slots: list[ReplyTo] = []

        class Silent(Probe):
            async def handle_call(self, request: object, reply_to: ReplyTo) -> NoReply:
                slots.append(reply_to)
                clock.now += 5.0
                return NoReply()

        ref = await start(tree, None, Silent)
        with pytest.raises(CallTimeoutError, match="within 5 s; the request may still") as caught:
            await in_thread(lambda: ThreadRef(ref).call("x"))
        assert not isinstance(caught.value, LoopTimeoutError)
        await settle(lambda: not slots[0].waiting)
        assert False is slots[0].reply("late")

    async def test_call_that_the_loop_did_not_take_in_time_is_never_carried_out(
        self, tree: DynamicSupervisor
    ) -> None:
        """The thread gives up at its deadline while the loop is held up, and may safely ask again."""
        journal: list[tuple[object, ...]] = []
        ref = await start(tree, journal)
        gave_up = threading.Event()

        def ask() -> float:
            began = time.monotonic()
            with pytest.raises(LoopTimeoutError, match="will not be carried out"):
                ThreadRef(ref).call("x", timeout=0.05)
            seconds = time.monotonic() - began
            gave_up.set()
            return seconds

        asking = begin(ask)
        hold_up_the_loop_until(gave_up)
        seconds = await result_of(asking)
        assert 0.05 <= seconds < 2.0
        await ref.call("after it")
        assert [("p", "init"), ("p", "after it")] == journal

    async def test_cast_that_the_loop_did_not_take_in_time_is_not_delivered_and_counted(
        self, tree: DynamicSupervisor
    ) -> None:
        """False means false, also later."""
        journal: list[tuple[object, ...]] = []
        ref = await start(tree, journal)
        gave_up = threading.Event()

        def send() -> bool:
            accepted = ThreadRef(ref).cast("x", timeout=0.05)
            gave_up.set()
            return accepted

        sending = begin(send)
        hold_up_the_loop_until(gave_up)
        assert False is await result_of(sending)
        await settle(lambda: ref.dead_letters == 1)
        await ref.call("after it")
        assert [("p", "init"), ("p", "after it")] == journal

    async def test_cast_that_was_begun_in_time_waits_for_its_true_answer(
        self, clock: Clock, monkeypatch: pytest.MonkeyPatch, tree: DynamicSupervisor
    ) -> None:
        """The deadline passes while the message is being accepted: it is accepted, so the answer is True."""
        overdue = threading.Event()
        wait_until = _Cast.wait_until

        def at_the_deadline(self: _Cast, timeout: float) -> float:
            overdue.set()
            return wait_until(self, timeout)

        def slow_key(message: object) -> None:
            clock.now += 5.0
            hold_up_the_loop_until(overdue)

        class Slow(Probe):
            mailbox = MailboxPolicy(overflow=conflate(slow_key))

        monkeypatch.setattr(_Cast, "wait_until", at_the_deadline)
        journal: list[tuple[object, ...]] = []
        ref = await start(tree, journal, Slow)
        assert True is await in_thread(lambda: ThreadRef(ref).cast("x"))
        await ref.call("after it")
        assert [("p", "init"), ("p", "x"), ("p", "after it")] == journal


class TestDeadlocks:
    """Who would wait for itself is told at once."""

    pytestmark = leak_free

    async def test_loops_own_thread_is_refused(self, tree: DynamicSupervisor) -> None:
        """In a task, and in a callback of the loop. Nothing is sent."""
        journal: list[tuple[object, ...]] = []
        ref = ThreadRef(await start(tree, journal))
        with pytest.raises(LoopThreadError, match="the loop of this thread"):
            ref.cast("x", timeout=0.0)
        with pytest.raises(LoopThreadError):
            ref.call("x", timeout=0.0)
        assert [("p", "init")] == journal

    @pytest.mark.parametrize("anyio_backend", ASYNCIO, indirect=True)
    async def test_callback_of_the_loop_is_refused(self, tree: DynamicSupervisor) -> None:
        """No task runs there, and it is the loop's thread all the same."""
        ref = ThreadRef(await start(tree))
        refused: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def callback() -> None:
            try:
                ref.cast("x", timeout=0.0)
            except LoopThreadError:
                refused.set_result(True)
            else:
                refused.set_result(False)

        asyncio.get_running_loop().call_soon(callback)
        assert True is await refused

    async def test_thread_of_another_loop_is_not_refused(self, tree: DynamicSupervisor) -> None:
        """It blocks its own loop, which is its own business."""
        ref = ThreadRef(await start(tree))

        async def other() -> Any:
            return ref.call("from another loop")

        assert "from another loop" == await in_thread(lambda: anyio.run(other))

    async def test_actor_that_waits_for_a_thread_that_calls_it_is_found_out_at_once(
        self, tree: DynamicSupervisor
    ) -> None:
        """Directly, and through another actor; the thread of `to_thread` has the context of the handler."""
        ref = await start(tree)
        other = await start(tree)

        async def ask_self(_: Probe) -> str:
            with pytest.raises(CallCycleError):
                await in_worker(lambda: ThreadRef(ref).call("x", timeout=math.inf))
            return "found out"

        async def ask_first(_: Probe) -> str:
            with pytest.raises(CallCycleError):
                await ref.call("x", timeout=math.inf)
            return "found out"

        async def ask_other(_: Probe) -> Any:
            return await in_worker(lambda: ThreadRef(other).call(ask_first, timeout=math.inf))

        with anyio.fail_after(10):
            assert "found out" == await ref.call(ask_self, timeout=math.inf)
            assert "found out" == await ref.call(ask_other, timeout=math.inf)


class TestCancellation:
    """A cancellation of one side does not reach the other."""

    pytestmark = leak_free

    async def test_cancelled_worker_goes_on_and_gets_its_answer(self, tree: DynamicSupervisor) -> None:
        """The task that waited for the thread is gone; the thread's call is its own."""
        ref = await start(tree)
        asked, go_on = anyio.Event(), anyio.Event()
        answers: Future[Any] = Future()

        async def wait(_: Probe) -> str:
            asked.set()
            await go_on.wait()
            return "answer"

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(
                lambda: anyio.to_thread.run_sync(
                    lambda: answers.set_result(ThreadRef(ref).call(wait, timeout=math.inf)),
                    abandon_on_cancel=True,
                )
            )
            await asked.wait()
            tasks.cancel_scope.cancel()
        go_on.set()
        assert "answer" == await in_worker(lambda: answers.result(10))

    @pytest.mark.parametrize("anyio_backend", ASYNCIO, indirect=True)
    async def test_foreign_cancellation_of_the_waiting_task_harms_nobody_else(
        self, tree: DynamicSupervisor
    ) -> None:
        """The thread is told, and siblings do not go with it."""
        ref = await start(tree)
        asked, go_on = anyio.Event(), anyio.Event()

        async def wait(_: Probe) -> None:
            asked.set()
            await go_on.wait()

        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                with pytest.raises(CallExitError, match="was cancelled"):
                    await in_thread(lambda: ThreadRef(ref).call(wait, timeout=math.inf))

            tasks.start_soon(ask)
            await asked.wait()
            waiting = [each for each in asyncio.all_tasks() if "from a thread" in each.get_name()]
            assert 1 == len(waiting)
            waiting[0].cancel()
        go_on.set()
        assert "alive" == await ref.call("alive")

    async def test_exit_of_the_program_that_hits_the_waiting_task_ends_the_tree(self) -> None:
        """As it does in an actor: the root raises it, and the thread is told."""

        class Exiting(ActorRef[Any]):
            async def call(self, request: object, *, timeout: float = 5.0) -> Any:
                raise SystemExit(3)

        asking: list[Future[Any]] = []
        with pytest.raises(SystemExit, match="3"):  # noqa: PT012 - the block is the body of the tree
            async with DynamicSupervisor() as tree:
                ref = Exiting("exiting", tree.ref, lambda _: None)
                ref.process = (await start(tree)).process
                asking.append(begin(lambda: ThreadRef(ref).call("x", timeout=math.inf)))
                await anyio.sleep_forever()
        with pytest.raises(CallExitError):
            await result_of(asking[0])


class TestAfterTheLoop:
    """A loop that is over answers nobody."""

    @pytest.mark.parametrize("loop", LOOPS)
    def test_cast_is_counted_and_call_finds_no_process(
        self, loop: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At once, and from many threads without losing count."""
        monkeypatch.setattr("wsmgr.actors.from_thread.LOOK_EVERY", 1000.0)
        name, options = LOOPS[loop]

        async def main() -> ActorRef[Any]:
            async with DynamicSupervisor() as tree:
                return await start(tree)

        ref = anyio.run(main, backend=name, backend_options=options)
        casting = [begin(lambda: [ThreadRef(ref).cast(number) for number in range(100)]) for _ in range(4)]
        assert 4 * [100 * [False]] == [each.result(10) for each in casting]
        assert 400 == ref.dead_letters
        with pytest.raises(CallExitError) as caught:
            begin(lambda: ThreadRef(ref).call("x", timeout=math.inf)).result(10)
        assert NoProc() == caught.value.reason

    @pytest.mark.parametrize("what", ["cast", "call"])
    def test_loop_that_closes_with_the_request_in_its_queue_lets_the_thread_go(
        self, what: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A loop of asyncio drops callbacks without a word; the thread finds out."""
        posted = threading.Event()
        loop = asyncio.SelectorEventLoop()
        post = loop.call_soon_threadsafe

        def announce(*args: Any, **more: Any) -> asyncio.Handle:
            handle = post(*args, **more)
            posted.set()
            return handle

        async def main() -> ActorRef[Any]:
            async with DynamicSupervisor() as tree:
                return await start(tree)

        monkeypatch.setattr(loop, "call_soon_threadsafe", announce)
        ref = anyio.run(main)
        ref.home.loop = EventLoopToken(ref.home.loop.backend_class, loop)
        waiting = begin(partial(getattr(ThreadRef(ref), what), "x", timeout=math.inf))
        assert posted.wait(10)
        loop.close()
        if what == "cast":
            assert False is waiting.result(10)
            assert 1 == ref.dead_letters
        else:
            with pytest.raises(CallExitError):
                waiting.result(10)

    @pytest.mark.parametrize("loop", LOOPS)
    def test_end_of_the_program_does_not_wait_for_a_thread_that_calls(self, loop: str) -> None:
        """Threads that call all the time get an answer or an error, also while the loop closes."""
        name, options = LOOPS[loop]
        refs: list[ThreadRef[Any]] = []
        ready, done = threading.Barrier(5), threading.Event()

        def call_on() -> None:
            ready.wait(10)
            while not done.is_set():
                with suppress(CallExitError):
                    assert "x" == refs[0].call("x", timeout=10)

        async def main() -> None:
            async with DynamicSupervisor() as tree:
                refs.append(ThreadRef(await start(tree)))
                await in_worker(lambda: ready.wait(10))
                assert "others work" == await (await start(tree)).call("others work")

        calling = [begin(call_on) for _ in range(4)]
        anyio.run(main, backend=name, backend_options=options)
        done.set()
        assert 4 * [None] == [each.result(10) for each in calling]


INTERRUPTED = """
import math, os, signal, sys, threading
import anyio
from wsmgr.actors import ChildSpec, NoReply, Reply, Supervisor
from wsmgr.actors.from_thread import ThreadRef
from wsmgr.actors.testing import Probe

began, up, end = threading.Event(), threading.Event(), threading.Event()
slots, refs = [], []

class Silent(Probe):
    async def handle_call(self, request, reply_to):
        if request == "waits":
            return Reply(slots[0].waiting)
        slots.append(reply_to)
        began.set()
        return NoReply()

async def main():
    async with Supervisor([ChildSpec("silent", Silent)]) as tree:
        refs.append(tree.which_children()[0].ref)
        up.set()
        await anyio.to_thread.run_sync(end.wait)

def interrupt():
    began.wait()
    os.kill(os.getpid(), signal.SIGINT)

loop = threading.Thread(target=anyio.run, args=(main,), kwargs={"backend": sys.argv[1]})
loop.start()
up.wait()
threading.Thread(target=interrupt).start()
ref = ThreadRef(refs[0])
try:
    ref.call("never answered", timeout=math.inf)
except KeyboardInterrupt:
    print("interrupted")
    print(ref.call("waits"))
end.set()
loop.join()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to one process")
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_interrupt_in_the_thread_that_waits_abandons_its_call(backend: str) -> None:
    """Ctrl-C in a main thread that waits without a deadline: it is free at once, and the actor owes nothing."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, backend],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ("interrupted\nFalse\n", "") == (done.stdout, done.stderr)
