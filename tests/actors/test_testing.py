"""The tools for tests do what they promise."""

from __future__ import annotations

import asyncio
import math
import os
import re
import socket
import subprocess
import sys
import threading
import time
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
import uvloop
from anyio.lowlevel import checkpoint

from wsmgr.actors import (
    CallTimeoutError,
    ChildSpec,
    Crash,
    Down,
    DynamicSupervisor,
    Exited,
    LeakError,
    NoReply,
    RejectError,
    Started,
)
from wsmgr.actors.testing import (
    EventRecorder,
    Probe,
    VirtualTimeLoop,
    check_leaks,
    run_virtually,
    settle,
    virtual_backend,
    virtual_loop,
)

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "actors-testing.md"
ON_ASYNCIO = pytest.mark.parametrize("anyio_backend", ["asyncio-virtual", "uvloop-virtual"], indirect=True)
LOOP_CLASSES = pytest.mark.parametrize("loop_class", [None, uvloop.Loop], ids=["asyncio", "uvloop"])


class TestVirtualTime:
    """The clock stands still while anything can run, and then jumps to the next deadline."""

    async def test_a_day_takes_no_time(self) -> None:
        """Virtual time jumps from deadline to deadline."""
        before, real = anyio.current_time(), time.perf_counter()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep, 3600)
            await anyio.sleep(24 * 3600)
        assert pytest.approx(24 * 3600) == anyio.current_time() - before
        assert time.perf_counter() - real < 5

    async def test_what_is_ready_runs_before_time_moves(self) -> None:
        """A deadline never overtakes work that can be done now."""
        log: list[str] = []

        async def work() -> None:
            for _ in range(100):
                await checkpoint()
            log.append("work")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            await anyio.sleep(0.000001)
            log.append("deadline")
        assert ["work", "deadline"] == log

    async def test_ball_between_two_sockets_of_one_loop_takes_no_time(self) -> None:
        """What they bring comes before time moves, though nothing is scheduled while the ball flies."""
        left, right = sockets()
        with left, right, anyio.fail_after(0.000001):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(return_balls, left)
                tasks.start_soon(return_balls, right)
                left.send(b"x")

    @ON_ASYNCIO
    @pytest.mark.parametrize("way", ["call_soon", "call_soon_threadsafe"])
    @pytest.mark.parametrize("first", [0, 1])
    @pytest.mark.parametrize("hops", range(6))
    async def test_what_was_written_is_read_before_time_moves(
        self, way: str, first: float, hops: int, anyio_backend: object
    ) -> None:
        """However many callbacks lead to it, and though the last of them schedules nothing."""
        loop, log = asyncio.get_running_loop(), list[tuple[str, float]]()
        left, right = sockets()

        def hop(left_to_go: int) -> None:
            if left_to_go:
                getattr(loop, way)(hop, left_to_go - 1)
            else:
                left.send(b"x")

        def read() -> None:
            right.recv(1)
            log.append(("read", loop.time()))

        with left, right:
            loop.add_reader(right, read)
            loop.call_later(first, hop, hops)
            loop.call_later(first + 0.000001, lambda: log.append(("deadline", loop.time())))
            await asyncio.sleep(10)
            loop.remove_reader(right)
        assert [("read", first), ("deadline", first + 0.000001)] == log

    @ON_ASYNCIO
    @pytest.mark.parametrize("late", [0, 5])
    async def test_timer_that_is_due_already_needs_no_idle_loop(
        self, late: float, anyio_backend: object
    ) -> None:
        """A task that never sleeps cannot hold it up; and time does not go back for it."""
        loop, log = asyncio.get_running_loop(), list[float]()
        await asyncio.sleep(10)
        loop.call_at(10 - late, lambda: log.append(loop.time()))
        for _ in range(10):
            await asyncio.sleep(0)
        assert [10.0] == log

    @ON_ASYNCIO
    @pytest.mark.parametrize("hops", range(4))
    async def test_timer_that_a_socket_sets_waits_for_what_that_socket_brings(
        self, hops: int, anyio_backend: object
    ) -> None:
        """Also where the last timer before it was cancelled by a socket, and the loop has slept since."""
        loop, log, done = asyncio.get_running_loop(), list[tuple[str, float]](), asyncio.Event()
        left, right = sockets()

        def hop(left_to_go: int) -> None:
            if left_to_go:
                loop.call_soon(hop, left_to_go - 1)
            else:
                left.send(b"c")

        def end() -> None:
            log.append(("deadline", loop.time()))
            done.set()

        def obey() -> None:
            if right.recv(1) == b"c":
                pending.cancel()
            else:
                loop.call_later(1, end)
                right.send(b"x")

        def read() -> None:
            left.recv(1)
            log.append(("read", loop.time()))

        with left, right:
            loop.add_reader(right, obey)
            loop.add_reader(left, read)
            loop.call_soon(hop, hops)
            pending = loop.call_later(1000, print)
            outside = threading.Timer(0.01, left.send, (b"x",))
            outside.start()
            await done.wait()
            loop.remove_reader(left)
            loop.remove_reader(right)
        outside.join()
        assert [("read", 0.0), ("deadline", 1.0)] == log

    async def test_time_at_a_deadline_is_not_before_it(self) -> None:
        """Not even by an error of rounding."""
        for number in range(1, 100):
            deadline = anyio.current_time() + number / 7
            await anyio.sleep_until(deadline)
            assert deadline <= anyio.current_time()

    @ON_ASYNCIO
    async def test_time_at_a_deadline_is_the_deadline(self, anyio_backend: object) -> None:
        """A test may compare with `==`."""
        loop, log = asyncio.get_running_loop(), list[float]()
        deadlines = [0.1 * 2.9**number for number in range(20)]
        for deadline in deadlines:
            loop.call_at(deadline, lambda: log.append(loop.time()))
        await asyncio.sleep(1e12)
        assert deadlines == log

    async def test_thread_is_waited_for_while_no_deadline_is_near(self) -> None:
        """Time does not move, though somebody sleeps for ever."""
        before = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            await anyio.to_thread.run_sync(time.sleep, 0.01)
            tasks.cancel_scope.cancel()
        assert before == anyio.current_time()

    @ON_ASYNCIO
    async def test_waiting_for_a_thread_burns_nothing(self, anyio_backend: object) -> None:
        """The loop sleeps, also where a timer was pending and was cancelled."""
        loop, burnt = asyncio.get_running_loop(), time.thread_time()
        loop.call_later(1000, print).cancel()
        await anyio.to_thread.run_sync(time.sleep, 0.1)
        assert 0.0 == loop.time()
        assert time.thread_time() - burnt < 0.05

    @ON_ASYNCIO
    async def test_timers_fire_by_deadline_and_then_in_the_order_in_which_they_were_set(
        self, anyio_backend: object
    ) -> None:
        """So that a test that passes once passes always."""
        loop, log = asyncio.get_running_loop(), list[tuple[float, int]]()

        def fire(number: int) -> None:
            log.append((loop.time(), number))

        for number in range(50):
            loop.call_later(number % 5, fire, number)
        loop.call_at(3.5, fire, 50)
        await asyncio.sleep(10)
        assert [*sorted((number % 5.0, number) for number in range(50) if number % 5 < 4), (3.5, 50)] == log[
            :41
        ]
        assert [(4.0, number) for number in range(4, 50, 5)] == log[41:]

    @ON_ASYNCIO
    async def test_cancelled_timer_never_fires(self, anyio_backend: object) -> None:
        """Not even when another one of the same deadline cancels it."""
        loop, log = asyncio.get_running_loop(), list[str]()
        later: list[asyncio.TimerHandle] = []

        def cancel() -> None:
            later[0].cancel()

        loop.call_later(1, log.append, "cancelled before its time").cancel()
        loop.call_later(2, cancel)
        later.append(loop.call_later(2, log.append, "cancelled at its time"))
        loop.call_later(2, log.append, "fired")
        await asyncio.sleep(3)
        assert ["fired"] == log

    @ON_ASYNCIO
    async def test_timer_at_infinity_never_fires(self, anyio_backend: object) -> None:
        """Time cannot get there."""
        loop, log = asyncio.get_running_loop(), list[str]()
        loop.call_later(math.inf, log.append, "never")
        await asyncio.sleep(1)
        assert [] == log
        assert 1.0 == loop.time()

    @ON_ASYNCIO
    async def test_what_asyncio_itself_times_follows(self, anyio_backend: object) -> None:
        """`wait_for` and `timeout` use the loop's timers."""
        loop = asyncio.get_running_loop()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 100)
        assert 100.0 == loop.time()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(100):
                await asyncio.sleep(1000)
        assert 200.0 == loop.time()

    @ON_ASYNCIO
    async def test_timer_runs_in_the_context_in_which_it_was_set(self, anyio_backend: object) -> None:
        """As on every loop."""
        colour: ContextVar[str] = ContextVar("colour", default="none")
        log: list[str] = []
        colour.set("when set")
        asyncio.get_running_loop().call_later(1, lambda: log.append(colour.get()))
        colour.set("later")
        await asyncio.sleep(2)
        assert ["when set"] == log

    @ON_ASYNCIO
    async def test_error_of_a_timer_is_reported_and_the_next_one_fires(self, anyio_backend: object) -> None:
        """As on every loop."""
        loop, reported, log = asyncio.get_running_loop(), list[Any](), list[str]()
        loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
        loop.call_later(1, lambda: 1 / 0)
        loop.call_later(1, log.append, "next")
        await asyncio.sleep(2)
        assert ["next"] == log
        assert [ZeroDivisionError] == [type(error) for error in reported]

    @LOOP_CLASSES
    def test_closing_the_loop_waits_for_its_threads(
        self, loop_class: type[asyncio.AbstractEventLoop] | None
    ) -> None:
        """Their time is real: a virtual deadline for them would pass at once, and leave them running."""
        ended, started = threading.Event(), list[asyncio.Future[None]]()

        def work() -> None:
            time.sleep(0.05)
            ended.set()

        async def main() -> None:
            started.append(asyncio.get_running_loop().run_in_executor(None, work))

        run_virtually(main, loop_class=loop_class)
        assert ended.is_set()


class TestBackends:
    """What the fixture of anyio's plugin, and `anyio.run`, are given."""

    @pytest.mark.parametrize(
        ("backend", "options"), [("asyncio", {}), ("asyncio", {"loop_class": uvloop.Loop}), ("trio", {})]
    )
    def test_without_a_plugin(self, backend: str, options: dict[str, Any]) -> None:
        """`run_virtually` is anyio.run with a clock that jumps."""

        async def main() -> float:
            before = anyio.current_time()
            await anyio.sleep(1000)
            return anyio.current_time() - before

        assert pytest.approx(1000) == run_virtually(main, backend=backend, **options)

    def test_the_loop_is_the_one_that_was_asked_for(self) -> None:
        """Not a copy that behaves in another way."""

        async def main() -> asyncio.AbstractEventLoop:
            return asyncio.get_running_loop()

        assert isinstance(run_virtually(main, loop_class=uvloop.Loop), uvloop.Loop)
        assert type(run_virtually(main)) is VirtualTimeLoop

    def test_eager_tasks_run_at_once_or_are_refused(self) -> None:
        """Up to their first wait, inside of `create_task`. An older Python has none, and that is said at once."""
        log: list[str] = []

        async def child() -> None:
            log.append("child")

        async def main() -> None:
            task = asyncio.create_task(child())
            log.append("parent")
            await task

        if sys.version_info < (3, 12):
            with pytest.raises(ValueError, match=re.escape("3.12")):
                virtual_backend("asyncio", eager=True)
        else:
            run_virtually(main, eager=True)
            assert ["child", "parent"] == log

    def test_unknown_backend_is_refused(self) -> None:
        """Virtual time exists for two."""
        with pytest.raises(ValueError, match="curio"):
            virtual_backend("curio")

    @pytest.mark.parametrize("options", [{"loop_class": uvloop.Loop}, {"eager": True}])
    def test_options_of_asyncio_are_refused_for_trio(self, options: dict[str, Any]) -> None:
        """They would do nothing."""
        with pytest.raises(ValueError, match="asyncio"):
            virtual_backend("trio", **options)

    @pytest.mark.parametrize("wrong", [uvloop.new_event_loop, int, "uvloop"])
    def test_what_is_no_class_of_loops_is_refused(self, wrong: Any) -> None:
        """The usual mistake is a function that makes a loop."""
        with pytest.raises(TypeError, match=re.escape("uvloop.Loop")):
            virtual_loop(wrong)


@pytest.fixture
async def probe(tree: DynamicSupervisor) -> Probe:
    """A probe that runs."""
    probe = Probe()
    await tree.start_child(ChildSpec("probe", lambda: probe, restart="temporary"))
    return probe


class TestProbe:
    """A test receives what its probe was sent."""

    async def test_outside_of_a_supervisor_it_is_only_an_object(self) -> None:
        """It starts when it is started."""
        assert [] == Probe("x").journal

    async def test_messages_are_received_in_order_one_by_one(self, probe: Probe) -> None:
        """Casts, calls and what the runtime tells, whether they came before or come later."""
        probe.ref.cast("cast")
        assert "call" == await probe.ref.call("call")
        probe.send_after(5, "timer")
        assert ("cast", "call") == probe.unread
        assert ["cast", "call"] == [await probe.receive(), await probe.receive()]
        assert "timer" == (await probe.receive()).message
        assert not probe.unread

    async def test_function_runs_in_the_actor_and_is_no_message(self, probe: Probe) -> None:
        """That is how a test makes it do something."""

        async def double(actor: Probe) -> int:
            actor.journal.append(("ran", actor is probe))
            return 2

        assert 2 == await probe.ref.call(double)
        assert not probe.unread
        assert ("ran", True) == probe.journal[-1]

    async def test_class_is_a_message_like_any_other(self, probe: Probe) -> None:
        """It could be called, too, but it does no work in the actor."""
        probe.ref.cast(int)
        assert str is await probe.ref.call(str)
        assert (int, str) == probe.unread

    async def test_expected_message_is_a_value_or_of_a_class(self, probe: Probe) -> None:
        """And is returned, for a closer look."""
        probe.ref.cast("text")
        probe.ref.cast(3)
        assert "text" == await probe.expect("text")
        assert 3 == await probe.expect(int)

    @pytest.mark.parametrize(
        ("wanted", "text"), [("b", "expected 'b' and got 'a'"), (int, "expected int and")]
    )
    async def test_another_message_than_the_expected_one_fails(
        self, wanted: object, text: str, probe: Probe
    ) -> None:
        """Both are named, and the message is received."""
        probe.ref.cast("a")
        probe.ref.cast("b")
        with pytest.raises(AssertionError, match=text):
            await probe.expect(wanted)
        assert "b" == await probe.expect("b")

    @pytest.mark.parametrize("verb", ["receive", "expect", "wait_for"])
    async def test_waiting_for_a_message_that_never_comes_times_out(self, verb: str, probe: Probe) -> None:
        """After exactly that time."""
        before = anyio.current_time()
        arguments = () if verb == "receive" else ("word",)
        with pytest.raises(TimeoutError, match="within 3 s"):
            await getattr(probe, verb)(*arguments, timeout=3)
        assert pytest.approx(3) == anyio.current_time() - before

    async def test_waiting_for_one_message_passes_over_others(self, probe: Probe) -> None:
        """And says what they were when it does not come."""
        for number in range(5):
            probe.ref.cast(number)
        probe.ref.cast("text")
        assert 3 == await probe.wait_for(int, where=lambda number: number > 2)
        assert "text" == await probe.wait_for("text")
        probe.ref.cast("other")
        with pytest.raises(TimeoutError, match=re.escape("['other']")):
            await probe.wait_for("text", timeout=1)

    async def test_expecting_nothing_takes_its_time(self, probe: Probe) -> None:
        """What comes later is no concern of it."""
        before = anyio.current_time()
        probe.send_after(2.5, "late")
        await probe.expect_nothing(2)
        assert pytest.approx(2) == anyio.current_time() - before
        with pytest.raises(AssertionError, match="late"):
            await probe.expect_nothing(1)
        assert pytest.approx(2.5) == anyio.current_time() - before
        with pytest.raises(AssertionError, match="late"):
            await probe.expect_nothing(0)
        assert "late" == (await probe.receive()).message

    async def test_wait_that_is_cancelled_takes_no_message(self, probe: Probe) -> None:
        """It is there for the next."""
        with anyio.move_on_after(1):
            await probe.receive()
        probe.ref.cast("kept")
        assert "kept" == await probe.receive(timeout=1)

    async def test_calls_get_the_answers_of_the_test(self, probe: Probe) -> None:
        """A probe stands in for a server: it answers, refuses or is silent."""

        def answer(request: str) -> object:
            if request == "bad":
                raise RejectError("no")
            return NoReply() if request == "slow" else request.upper()

        probe.answer = answer
        assert "GOOD" == await probe.ref.call("good")
        with pytest.raises(RejectError):
            await probe.ref.call("bad")
        with pytest.raises(CallTimeoutError):
            await probe.ref.call("slow", timeout=1)
        assert ("good", "bad", "slow") == probe.unread

    async def test_end_of_another_process_is_a_message(self, tree: DynamicSupervisor, probe: Probe) -> None:
        """A probe monitors like every actor, on a word of the test."""
        error = ValueError("crash")

        async def crash(_: Probe) -> None:
            raise error

        other = await tree.start_child(ChildSpec("other", Probe, restart="temporary"))
        probe.monitor(other)
        other.cast(crash)
        assert Crash(error) == (await probe.expect(Down)).reason


class TestEventRecorder:
    """What supervisors report can be waited for and looked at."""

    async def test_event_is_found_whether_it_came_or_comes(self, recorder: EventRecorder) -> None:
        """By class, by what it says, and by its number."""

        async def crash(_: Probe) -> None:
            raise ValueError("crash")

        async with DynamicSupervisor(on_event=recorder) as supervisor:
            for name in "ab":
                ref = await supervisor.start_child(ChildSpec(name, Probe))
                ref.cast(crash)
            again = await recorder.wait_for(Started, where=lambda event: event.restarts == 1)
            assert "a" == again.child_id
            second = await recorder.wait_for(Exited, count=2)
            assert "b" == second.child_id
        assert recorder.of(Exited)[1] is second

    async def test_event_that_never_comes_times_out(self, recorder: EventRecorder) -> None:
        """A test never hangs on one, and is told what there was."""
        async with DynamicSupervisor(on_event=recorder) as supervisor:
            await supervisor.start_child(ChildSpec("a", Probe))
            before = anyio.current_time()
            with pytest.raises(TimeoutError, match=r"3 Started .* within 3 s; there was Started, Started$"):
                await recorder.wait_for(Started, count=3, timeout=3)
            assert pytest.approx(3) == anyio.current_time() - before


class TestLeaks:
    """What a test starts has ended with it."""

    async def test_task_left_running_is_a_leak(self) -> None:
        """With its name and where it stands."""
        async with anyio.create_task_group() as tasks:
            with pytest.raises(LeakError, match=r"(?s)sleeper: .*sleep"):
                async with check_leaks():
                    tasks.start_soon(anyio.sleep_forever, name="sleeper")
            tasks.cancel_scope.cancel()

    async def test_task_that_is_just_ending_is_none(self) -> None:
        """It may take a few turns of the loop for that, but no time."""
        ending = anyio.Event()

        async def end() -> None:
            await ending.wait()
            for _ in range(3):
                await checkpoint()

        async with anyio.create_task_group() as tasks:
            async with check_leaks():
                tasks.start_soon(end)
                ending.set()
            tasks.cancel_scope.cancel()

    async def test_task_that_ran_before_is_none(self) -> None:
        """Only what the body started counts."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            await checkpoint()
            async with check_leaks():
                await checkpoint()
            tasks.cancel_scope.cancel()

    async def test_error_of_the_body_is_what_is_raised(self) -> None:
        """A leak that follows from it would only hide it."""
        async with anyio.create_task_group() as tasks:
            with pytest.raises(KeyError):  # noqa: PT012 - the block is the body of the check
                async with check_leaks():
                    tasks.start_soon(anyio.sleep_forever)
                    raise KeyError
            tasks.cancel_scope.cancel()


class TestSettle:
    """For what has no event to wait for."""

    async def test_condition_that_holds_takes_no_time(self) -> None:
        """And no turn of the loop."""
        before = anyio.current_time()
        await settle(lambda: True)
        assert before == anyio.current_time()

    async def test_others_run_until_it_holds(self) -> None:
        """Also when they need time for it."""
        done: list[bool] = []

        async def work() -> None:
            await anyio.sleep(5)
            done.append(True)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            await settle(lambda: bool(done))

    async def test_condition_that_never_holds_times_out(self) -> None:
        """A test never hangs on it."""
        before = anyio.current_time()
        with pytest.raises(TimeoutError, match="within 3 s"):
            await settle(lambda: False, timeout=3)
        assert pytest.approx(3) == anyio.current_time() - before


class TestPage:
    """The reference shows what works."""

    def test_first_example_runs(self) -> None:
        """Without pytest."""
        shown = subprocess.run(
            [sys.executable, "-c", examples()[0]], capture_output=True, text=True, check=True
        )
        assert "alive after a minute of virtual time\n" == shown.stdout

    def test_example_for_pytest_passes_on_every_loop(self, tmp_path: Path) -> None:
        """As a user would run it: a file, and anyio's plugin."""
        (tmp_path / "test_example.py").write_text(examples()[1], encoding="utf-8")
        run = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "anyio.pytest_plugin",
                "-p",
                "no:cacheprovider",
                tmp_path,
            ],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        )
        assert re.search(r"^3 passed", run.stdout, re.MULTILINE), run.stdout + run.stderr

    def test_every_public_name_is_described(self) -> None:
        """Whoever adds one documents it."""
        import wsmgr.actors.testing as kit

        text = PAGE.read_text(encoding="utf-8")
        assert [] == [name for name in kit.__all__ if not re.search(rf"`[^`]*\b{name}\b", text)]


def examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def sockets() -> tuple[socket.socket, socket.socket]:
    left, right = socket.socketpair()
    left.setblocking(False)
    right.setblocking(False)
    return left, right


async def return_balls(mine: socket.socket) -> None:
    for _ in range(20):
        await anyio.wait_readable(mine)
        mine.send(mine.recv(1))
