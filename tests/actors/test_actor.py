"""Actors: calls, casts, ends, in OTP's semantics, on both backends."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from tests.actors.children import LONG

from wsmgr.actors import (
    Actor,
    BadReturnError,
    CallCycleError,
    CallExitError,
    CallTimeoutError,
    ChildSpec,
    Continue,
    Crash,
    DynamicSupervisor,
    Ignore,
    Killed,
    NoProc,
    NoReply,
    Normal,
    RejectError,
    Reply,
    Shutdown,
    StartError,
    Stop,
)
from wsmgr.actors.testing import Probe, TrappingProbe, settle

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from wsmgr.actors import ActorRef, ReplyTo

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]


@pytest.fixture
async def tree(no_leaks: None) -> AsyncGenerator[DynamicSupervisor, None]:
    async with DynamicSupervisor(max_restarts=100) as supervisor:
        yield supervisor


async def start(tree: DynamicSupervisor, make: Callable[[], Actor[Any]], **options: Any) -> ActorRef[Any]:
    return await tree.start_child(ChildSpec("probe", make, restart="temporary", **options))


class TestCall:
    async def test_call_returns_what_the_handler_replies(self, tree: DynamicSupervisor) -> None:
        """The plainest promise: an answer comes back."""
        ref = await start(tree, Probe)
        assert await ref.call("hello") == "hello"

    async def test_call_that_takes_too_long_times_out_and_is_still_carried_out_once(
        self, tree: DynamicSupervisor, journal: list[tuple[object, ...]]
    ) -> None:
        """A timeout ends the waiting, never the request; the late reply reaches nobody."""

        async def slow(probe: Probe) -> str:
            await anyio.sleep(3)
            probe.journal.append(("done",))
            return "late"

        ref = await start(tree, lambda: Probe("p", journal))
        with pytest.raises(CallTimeoutError) as caught:
            await ref.call(slow, timeout=1.0)
        assert (caught.value.ref, caught.value.timeout) == (ref, 1.0)
        assert await ref.call("next") == "next"
        assert journal.count(("done",)) == 1

    async def test_crash_in_a_handler_reaches_every_caller_and_nobody_hangs(
        self, tree: DynamicSupervisor
    ) -> None:
        """In-flight and queued callers all get the exit reason, with no timeout needed."""
        error = ValueError("broken")
        taken = anyio.Event()

        async def crash(probe: Probe) -> None:
            taken.set()
            await anyio.sleep(1)
            raise error

        ref = await start(tree, Probe)
        reasons: list[object] = []

        async def ask(request: object) -> None:
            try:
                await ref.call(request, timeout=math.inf)
            except CallExitError as exit_error:
                reasons.append(exit_error.reason)

        async with anyio.create_task_group() as callers:
            callers.start_soon(ask, crash)
            await taken.wait()
            callers.start_soon(ask, "queued")
            callers.start_soon(ask, "queued too")
        assert [Crash(error)] * 3 == reasons

    async def test_call_to_a_process_that_is_gone_answers_noproc(self, tree: DynamicSupervisor) -> None:
        """A dead reference fails at once."""
        ref = await start(tree, Probe)
        await ref.stop()
        with pytest.raises(CallExitError) as caught:
            await ref.call("hello")
        assert NoProc() == caught.value.reason

    async def test_actor_that_calls_itself_is_told_at_once(self, tree: DynamicSupervisor) -> None:
        """`calling_self`: an error in the actor, not a timeout."""
        ref = await start(tree, Probe)

        async def call_itself(probe: Probe) -> object:
            with pytest.raises(CallCycleError) as caught:
                await probe.ref.call("me", timeout=math.inf)
            assert isinstance(caught.value.reason, Crash)
            return "told"

        assert await ref.call(call_itself) == "told"

    async def test_cycle_of_calls_is_told_to_the_one_who_closes_it(self, tree: DynamicSupervisor) -> None:
        """A calls B calls A: B learns it at once, where a timeout would take five seconds."""
        first = await start(tree, Probe)
        second = await start(tree, Probe)

        async def back(probe: Probe) -> str:
            with pytest.raises(CallCycleError):
                await first.call("back", timeout=math.inf)
            return "closed"

        async def forth(probe: Probe) -> object:
            return await second.call(back, timeout=math.inf)

        assert await first.call(forth, timeout=math.inf) == "closed"
        assert await second.call(lambda _: first.call("fine later")) == "fine later"

    async def test_reject_reaches_the_caller_and_the_actor_lives_on(self, tree: DynamicSupervisor) -> None:
        """A refusal is an answer, not a crash; subclasses keep their type."""

        class TooLateError(RejectError):
            pass

        async def refuse(probe: Probe) -> None:
            raise TooLateError("closed at five")

        ref = await start(tree, Probe)
        with pytest.raises(TooLateError, match="five"):
            await ref.call(refuse)
        assert await ref.call("still here") == "still here"

    async def test_deferred_reply_is_given_when_the_actor_chooses(self, tree: DynamicSupervisor) -> None:
        """`NoReply` leaves the caller waiting; `reply_to.reply` wakes it, once."""
        kept: list[ReplyTo] = []

        class Later(Probe):
            async def handle_call(self, request: Any, reply_to: ReplyTo) -> Reply | NoReply | Stop:
                if request == "keep":
                    kept.append(reply_to)
                    return NoReply()
                return Reply(kept[0].reply("now"))

        ref = await start(tree, Later)
        answers: list[object] = []

        async def ask() -> None:
            answers.append(await ref.call("keep", timeout=math.inf))

        async with anyio.create_task_group() as callers:
            callers.start_soon(ask)
            await settle(lambda: bool(kept))
            assert await ref.call("answer") is True
        assert ["now"] == answers
        assert kept[0].reply("again") is False

    async def test_deferred_reply_fails_with_the_actor(self, tree: DynamicSupervisor) -> None:
        """Who owes an answer and ends first has its caller told."""

        async def keep(probe: Probe) -> NoReply:
            probe.send_after(2, "stop")
            return NoReply()

        class Stopping(Probe):
            async def handle_info(self, message: object) -> Stop | None:
                return Stop(Shutdown("enough"))

        ref = await start(tree, Stopping)
        with pytest.raises(CallExitError) as caught:
            await ref.call(keep, timeout=math.inf)
        assert Shutdown("enough") == caught.value.reason

    async def test_cancelled_caller_gets_nothing_and_the_actor_notices_nothing(
        self, tree: DynamicSupervisor
    ) -> None:
        """Cancelling a call is safe at any time."""

        async def slow(probe: Probe) -> None:
            await anyio.sleep(2)

        ref = await start(tree, Probe)
        with anyio.move_on_after(1) as scope:
            await ref.call(slow, timeout=math.inf)
        assert scope.cancelled_caught
        assert await ref.call("fine") == "fine"

    async def test_stop_with_a_reply_answers_after_terminate(
        self, tree: DynamicSupervisor, journal: list[tuple[object, ...]]
    ) -> None:
        """`Stop(reason, reply)`: the caller's answer is the last thing the actor does."""

        async def stop(probe: Probe) -> Stop:
            return Stop(Normal(), reply="bye")

        ref = await start(tree, lambda: Probe("p", journal))
        assert await ref.call(stop) == "bye"
        assert ("p", "terminate", Normal()) == journal[-1]

    async def test_stop_without_a_reply_tells_the_caller_the_reason(self, tree: DynamicSupervisor) -> None:
        """No answer was given, so the caller gets the exit."""

        async def stop(probe: Probe) -> Stop:
            return Stop(Shutdown("done"))

        ref = await start(tree, Probe)
        with pytest.raises(CallExitError) as caught:
            await ref.call(stop)
        assert Shutdown("done") == caught.value.reason

    async def test_wrong_answer_of_a_callback_is_a_crash(self, tree: DynamicSupervisor) -> None:
        """A contract that is broken silently would leave the caller waiting."""

        class Wrong(Probe):
            async def handle_call(self, request: Any, reply_to: ReplyTo) -> Any:
                return None

        ref = await start(tree, Wrong)
        with pytest.raises(CallExitError) as caught:
            await ref.call("x")
        assert isinstance(caught.value.reason, Crash)
        assert isinstance(caught.value.reason.error, BadReturnError)


class TestCast:
    async def test_casts_and_calls_of_one_sender_keep_their_order(
        self, tree: DynamicSupervisor, journal: list[tuple[object, ...]]
    ) -> None:
        """FIFO per sender, over more than one batch."""
        ref = await start(tree, lambda: Probe("p", journal))
        for number in range(200):
            assert ref.cast(number) is True
        await ref.call("last")
        assert [*range(200), "last"] == [entry[1] for entry in journal[1:]]

    async def test_actor_with_much_mail_lets_others_run(
        self, tree: DynamicSupervisor, journal: list[tuple[object, ...]]
    ) -> None:
        """Batches are bounded: a flood to one actor does not stop the loop for the rest."""
        ref = await start(tree, lambda: Probe("p", journal))
        for number in range(1000):
            ref.cast(number)
        for _ in range(3):
            await checkpoint()
        assert 1 <= len(journal[1:]) <= 64 * 4

    async def test_cast_to_a_dead_process_says_false_and_is_counted(self, tree: DynamicSupervisor) -> None:
        """It never raises, and it never lies."""
        ref = await start(tree, Probe)
        await ref.stop()
        assert ref.cast("x") is False
        assert ref.dead_letters == 1

    async def test_unread_mail_of_an_actor_that_ends_is_counted(self, tree: DynamicSupervisor) -> None:
        """A mailbox is lost with its actor, never silently."""

        async def crash(probe: Probe) -> None:
            raise ValueError

        ref = await start(tree, Probe)
        ref.cast(crash)
        ref.cast("never")
        ref.cast("read")
        await ref.monitor().wait()
        assert ref.dead_letters == 2

    async def test_news_that_an_actor_does_not_handle_is_logged_and_not_fatal(
        self, tree: DynamicSupervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """By its class: what it carries may be nobody's business."""

        class Deaf(Actor[Any]):
            async def handle_call(self, request: Any, reply_to: Any) -> Reply:
                self.monitor(request)
                return Reply()

        ref = await tree.start_child(ChildSpec("deaf", Deaf))
        other = await tree.start_child(ChildSpec("p", Probe, restart="temporary"))
        await ref.call(other)
        await other.stop(Shutdown("hunter2"))
        await ref.call(other)
        assert [f"{ref} has no handle_info, and was told Down"] == [
            record.getMessage() for record in caplog.records if "handle_info" in record.getMessage()
        ][:1]
        assert "hunter2" not in caplog.text


class TestInit:
    async def test_continue_runs_before_any_message(
        self, tree: DynamicSupervisor, journal: list[tuple[object, ...]]
    ) -> None:
        """The way to keep `init` short without serving half-ready."""

        class Continuing(Probe):
            async def init(self) -> Any:
                return Continue("token")

            async def handle_continue(self, token: Any) -> None:
                await anyio.sleep(1)
                self.journal.append((self.name, token))

        ref = await start(tree, lambda: Continuing("p", journal))
        assert journal == []
        await ref.call("first")
        assert [("p", "token"), ("p", "first")] == journal

    async def test_ignore_starts_nothing_and_is_no_error(self, tree: DynamicSupervisor) -> None:
        """`Ignore`: the reference has ended normally, nothing is kept."""

        class Ignoring(Probe):
            async def init(self) -> Any:
                return Ignore()

        ref = await start(tree, Ignoring)
        assert Normal() == ref.exit_reason
        assert tree.which_children() == []

    async def test_exception_in_init_is_a_start_error_without_terminate(
        self, tree: DynamicSupervisor, journal: list[tuple[object, ...]]
    ) -> None:
        """Nothing was started, so nothing is terminated; the cause is kept."""
        error = ValueError("no")

        class Failing(TrappingProbe):
            async def init(self) -> Any:
                raise error

        with pytest.raises(StartError) as caught:
            await start(tree, lambda: Failing("p", journal))
        assert Crash(error) == caught.value.reason
        assert caught.value.__cause__ is error
        assert journal == []

    async def test_stop_in_init_is_a_start_error_with_that_reason(self, tree: DynamicSupervisor) -> None:
        """The way to decline with a reason that is no crash."""

        class Declining(Probe):
            async def init(self) -> Any:
                return Stop(Shutdown("not today"))

        with pytest.raises(StartError) as caught:
            await start(tree, Declining)
        assert Shutdown("not today") == caught.value.reason


class TestEnds:
    async def test_exit_signal_ends_an_actor_at_its_next_await_without_terminate(
        self, tree: DynamicSupervisor, journal: list[tuple[object, ...]]
    ) -> None:
        """Not trapping: OTP's process dies at once."""

        async def sleep(probe: Probe) -> None:
            await anyio.sleep(LONG)

        ref = await start(tree, lambda: Probe("p", journal))
        ref.cast(sleep)
        await settle(lambda: ref.queued == 0)
        ref.exit(Shutdown("now"))
        assert Shutdown("now") == await ref.monitor().wait()
        assert [("p", "init")] == journal

    async def test_normal_exit_signal_of_others_is_ignored(self, tree: DynamicSupervisor) -> None:
        """`exit(pid, normal)` harms nobody."""
        ref = await start(tree, Probe)
        ref.exit(Normal())
        assert await ref.call("alive") == "alive"

    async def test_trapping_actor_gets_the_signal_as_a_message(
        self, tree: DynamicSupervisor, journal: list[tuple[object, ...]]
    ) -> None:
        """Trapping: it is told who and why, and decides."""
        from wsmgr.actors import ExitSignal

        ref = await start(tree, lambda: TrappingProbe("p", journal))
        other = await start(tree, Probe)

        async def send_exit(probe: Probe) -> None:
            ref.exit(Shutdown("please"))

        await other.call(send_exit)
        ref.exit(Normal())
        await ref.call("alive")
        signals = [entry[1] for entry in journal if isinstance(entry[1], ExitSignal)]
        assert [ExitSignal(other, Shutdown("please")), ExitSignal(None, Normal())] == signals

    async def test_kill_cannot_be_trapped_and_runs_no_terminate(
        self, tree: DynamicSupervisor, journal: list[tuple[object, ...]]
    ) -> None:
        """`Killed` is final."""
        ref = await start(tree, lambda: TrappingProbe("p", journal))
        ref.exit(Killed())
        assert Killed() == await ref.monitor().wait()
        assert [("p", "init")] == journal

    async def test_kill_cuts_terminate_short(self, tree: DynamicSupervisor) -> None:
        """An actor that hangs in `terminate` can still be ended, as killed."""

        class Hanging(TrappingProbe):
            async def terminate(self, reason: object) -> None:
                await anyio.sleep(LONG)

        ref = await start(tree, Hanging)
        monitor = ref.monitor()
        with pytest.raises(CallTimeoutError):
            await ref.stop(timeout=1)
        ref.exit(Killed())
        assert Killed() == await monitor.wait()

    async def test_stop_runs_terminate_ahead_of_queued_mail(
        self, tree: DynamicSupervisor, journal: list[tuple[object, ...]]
    ) -> None:
        """`stop` ends an actor between two callbacks, trapping or not, and returns its reason."""
        ref = await start(tree, lambda: Probe("p", journal))
        ref.cast("unread")
        assert Shutdown("x") == await ref.stop(Shutdown("x"))
        assert [("p", "init"), ("p", "terminate", Shutdown("x"))] == journal
        assert Shutdown("x") == await ref.stop()

    async def test_crash_runs_terminate_and_its_own_failure_replaces_the_reason(
        self, tree: DynamicSupervisor
    ) -> None:
        """The last error is the reason; the first stays visible behind it."""
        first, second = ValueError("first"), OSError("second")

        class Failing(Probe):
            async def terminate(self, reason: object) -> None:
                assert reason == Crash(first)
                raise second

        async def crash(probe: Probe) -> None:
            raise first

        ref = await start(tree, Failing)
        ref.cast(crash)
        assert Crash(second) == await ref.monitor().wait()
        assert second.__context__ is first

    async def test_actor_that_exits_itself_ends_even_with_normal(self, tree: DynamicSupervisor) -> None:
        """`exit(self(), normal)` is not ignored."""

        async def leave(probe: Probe) -> None:
            probe.ref.exit(Normal())
            await anyio.sleep(LONG)

        ref = await start(tree, Probe)
        ref.cast(leave)
        assert Normal() == await ref.monitor().wait()

    async def test_signal_meets_a_non_trapping_actor_in_terminate(self, tree: DynamicSupervisor) -> None:
        """As in OTP: not trapping, it dies at once, also while it cleans up after a crash."""

        class Slow(Probe):
            async def terminate(self, reason: object) -> None:
                await anyio.sleep(LONG)

        async def crash(probe: Probe) -> None:
            raise ValueError

        ref = await start(tree, Slow)
        ref.cast(crash)
        await settle(lambda: ref.queued == 0)
        await anyio.sleep(1)
        ref.exit(Shutdown("hurry"))
        assert Shutdown("hurry") == await ref.monitor().wait()
