"""`call` never hangs: every way in which the one who is called can fail, for everyone who may be waiting for it."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, ClassVar

import anyio
import anyio.lowlevel
import pytest
from tests.actors.children import LONG, bounded, quiet

from wsmgr.actors import (
    BadReturnError,
    CallCycleError,
    CallExitError,
    CallTimeoutError,
    ChildSpec,
    Crash,
    DynamicSupervisor,
    ForeignCancellationError,
    Killed,
    MailboxFullError,
    MailboxPolicy,
    NoProc,
    NoReply,
    Normal,
    Registry,
    RejectError,
    Reply,
    Shutdown,
    StateMachine,
    Stop,
    Supervisor,
    introspection,
)
from wsmgr.actors.testing import Probe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from wsmgr.actors import ActorRef, ExitReason, ReplyTo

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]

INF = math.inf


class Called(StateMachine[Any]):
    """Takes the calls of the table: it holds one, defers one, postpones one, and has others queued."""

    def __init__(self) -> None:
        self.deferred: list[ReplyTo] = []
        self.go = anyio.Event()
        self.then: Callable[[Called], Awaitable[Any]] = never

    async def init(self) -> Any:
        self.next_state("busy")

    async def handle_call(self, request: Any, reply_to: ReplyTo) -> Any:
        match request:
            case "defer":
                self.deferred.append(reply_to)
                return NoReply()
            case "postpone":
                self.postpone()
                return NoReply()
            case "hold":
                await self.go.wait()
                return await self.then(self)
            case "new":
                return Reply("a new incarnation answers")
            case _:
                return Reply(request)


class TrappingCalled(Called):
    """The same, and it traps exits."""

    trap_exit = True


class Situation:
    """A `Called` below its own supervisor, with everybody waiting for it."""

    def __init__(self, kind: type[Called], **options: Any) -> None:
        self.actors: list[Called] = []
        self.kind = kind
        self.supervisor = Supervisor(
            [ChildSpec("sibling", Probe), ChildSpec("called", self.make, **options)],
            strategy="one_for_all",
            max_restarts=1,
        )
        self.outcomes: dict[str, object] = {}
        self.began = 0.0

    def make(self) -> Called:
        self.actors.append(self.kind())
        return self.actors[-1]

    @property
    def ref(self) -> ActorRef[Any]:
        ref = self.supervisor.which_children()[1].ref
        assert ref is not None
        return ref

    @property
    def sibling(self) -> ActorRef[Any]:
        ref = self.supervisor.which_children()[0].ref
        assert ref is not None
        return ref

    async def ask(self, name: str, ref: ActorRef[Any], request: object, timeout: float) -> None:
        try:
            self.outcomes[name] = await ref.call(request, timeout=timeout)
        except Exception as error:  # noqa: BLE001 - what is looked at
            self.outcomes[name] = error

    async def ask_as_actor(self, probe: Probe, ref: ActorRef[Any]) -> None:
        await self.ask("actor", ref, "as actor", INF)

    async def wait_all(self, tasks: anyio.abc.TaskGroup, tree: DynamicSupervisor, *, held: bool) -> None:
        """Let all callers of the table wait; with `held` one of them is being handled."""
        ref = self.ref
        for request in ("defer", "postpone"):
            tasks.start_soon(self.ask, request, ref, request, INF)
            await quiet()
        if held:
            tasks.start_soon(self.ask, "hold", ref, "hold", INF)
            await quiet()
            for number in range(2):
                tasks.start_soon(self.ask, f"queued {number}", ref, number, INF)
            tasks.start_soon(self.ask, "with a timeout", ref, "timeout", 1000.0)
            caller = await tree.start_child(ChildSpec("caller", Probe))
            caller.cast(lambda probe: self.ask_as_actor(probe, ref))
            self.through = await tree.start_child(ChildSpec("through", Probe, restart="temporary"))
            tasks.start_soon(
                self.ask, "through an actor", self.through, lambda _: ref.call(0, timeout=INF), INF
            )
            await quiet()
        self.began = anyio.current_time()

    def check(
        self,
        expected: type[ExitReason] | ExitReason,
        *,
        held: bool,
        answered: Collection[str] = (),
    ) -> None:
        """Everybody but those that were answered was told that the called ended, and with what."""
        names = {"defer", "postpone"}
        if held:
            names |= {"hold", "queued 0", "queued 1", "with a timeout", "actor"}
            through = self.outcomes.pop("through an actor")
            # The actor in between did not expect it: it crashes with it, and tells its own caller.
            assert isinstance(through, CallExitError)
            assert isinstance(through.reason, Crash)
            assert isinstance(through.reason.error, CallExitError)
            assert_reason(expected, through.reason.error.reason)
        assert names == set(self.outcomes)
        for name in names - set(answered):
            outcome = self.outcomes[name]
            assert isinstance(outcome, CallExitError)
            assert_reason(expected, outcome.reason)


def assert_reason(expected: type[ExitReason] | ExitReason, reason: object) -> None:
    if isinstance(expected, type):
        assert expected is type(reason)
    else:
        assert expected == reason


async def never(actor: Called) -> None:
    await anyio.sleep(LONG)


async def crash(actor: Called) -> None:
    raise ValueError("crash")


async def answer_badly(actor: Called) -> object:
    return "nonsense"


async def stop_without_reply(actor: Called) -> Stop:
    return Stop(Shutdown("stops"))


async def exit_itself(actor: Called) -> None:
    actor.ref.exit(Shutdown("itself"))
    await anyio.sleep(LONG)


async def fail_in_helper(actor: Called) -> None:
    async def help_badly() -> None:
        raise OSError("helper")

    actor.start_soon(help_badly)
    await anyio.sleep(LONG)


async def crash_in_terminate(actor: Called) -> Stop:
    async def terminate(reason: object) -> None:
        raise OSError("terminate")

    actor.terminate = terminate  # type: ignore[method-assign]
    return Stop()


IN_THE_HANDLER: list[tuple[Any, Any]] = [
    (crash, Crash),
    (answer_badly, Crash),
    (stop_without_reply, Shutdown("stops")),
    (exit_itself, Shutdown("itself")),
    (fail_in_helper, Crash),
    (crash_in_terminate, Crash),
]
"""What the handler of the call that is held does, and with what the actor ends."""


async def kill(situation: Situation) -> None:
    situation.ref.exit(Killed())


async def signal(situation: Situation) -> None:
    situation.ref.exit(Shutdown("told"))


async def terminate(situation: Situation) -> None:
    await situation.supervisor.terminate_child("called")


async def crash_sibling(situation: Situation) -> None:
    situation.sibling.cast(crash)


async def stop_supervisor(situation: Situation) -> None:
    await situation.supervisor.ref.stop()


async def kill_supervisor(situation: Situation) -> None:
    situation.supervisor.ref.exit(Killed())


async def crash_linked(situation: Situation) -> None:
    async def link_and_crash(probe: Probe) -> None:
        situation.ref.link()
        raise OSError("linked")

    situation.sibling.cast(link_and_crash)


FROM_OUTSIDE: list[tuple[Any, Any]] = [
    (kill, Killed()),
    (signal, Shutdown("told")),
    (terminate, Shutdown()),
    (crash_sibling, Shutdown()),
    (stop_supervisor, Shutdown()),
    (kill_supervisor, Killed()),
    (crash_linked, Crash),
]
"""What others do to an actor that does not trap exits, and with what it ends."""


class TestEveryWayToFail:
    @pytest.mark.parametrize(
        ("kind", "then", "expected"),
        [
            (kind, then, expected)
            for then, expected in IN_THE_HANDLER
            for kind in (Called, TrappingCalled)
            # To a trapping actor its own signal is a message.
            if (kind, then) != (TrappingCalled, exit_itself)
        ],
    )
    async def test_failure_of_a_handler_reaches_everybody_who_waits(
        self, then: Any, expected: Any, kind: type[Called], tree: DynamicSupervisor
    ) -> None:
        """The one whose request it is, those behind it, those whose answer is owed, whatever their timeout."""
        situation = Situation(kind, restart="temporary")
        async with anyio.create_task_group() as tasks, situation.supervisor:
            await situation.wait_all(tasks, tree, held=True)
            situation.actors[0].then = then
            situation.actors[0].go.set()
            await quiet()
            situation.check(expected, held=True)

    @pytest.mark.parametrize("held", [True, False])
    @pytest.mark.parametrize(("act", "expected"), FROM_OUTSIDE)
    async def test_end_by_others_reaches_everybody_who_waits(
        self, act: Any, expected: Any, held: bool, tree: DynamicSupervisor
    ) -> None:
        """Whether the actor is busy or idle."""
        situation = Situation(Called)
        spec = ChildSpec("inner", lambda: situation.supervisor, type="supervisor", restart="temporary")
        await tree.start_child(spec)
        async with anyio.create_task_group() as tasks:
            await situation.wait_all(tasks, tree, held=held)
            await act(situation)
            await quiet()
            situation.check(expected, held=held)

    @pytest.mark.parametrize("held", [True, False])
    async def test_end_of_the_whole_tree_reaches_everybody_who_waits(
        self, held: bool, tree: DynamicSupervisor
    ) -> None:
        """The cancellation of the root, from outside."""
        situation = Situation(Called)
        async with anyio.create_task_group() as tasks:
            with anyio.CancelScope() as scope:
                async with situation.supervisor:
                    await situation.wait_all(tasks, tree, held=held)
                    scope.cancel()
                    await anyio.sleep(LONG)
            await quiet()
            situation.check(Shutdown(), held=held)

    async def test_supervisor_that_gives_up_ends_its_children_and_who_waits_is_told(
        self, tree: DynamicSupervisor
    ) -> None:
        """Also callers of the second incarnation."""
        situation = Situation(Called)
        spec = ChildSpec("inner", lambda: situation.supervisor, type="supervisor", restart="temporary")
        await tree.start_child(spec)
        async with anyio.create_task_group() as tasks:
            await situation.wait_all(tasks, tree, held=False)
            situation.sibling.cast(crash)
            await quiet()
            situation.check(Shutdown(), held=False)
            situation.outcomes.clear()
            await situation.wait_all(tasks, tree, held=True)
            situation.sibling.cast(crash)
            await quiet()
            situation.check(Shutdown(), held=True)

    async def test_trapping_actor_answers_what_was_queued_before_its_end_and_tells_the_others(
        self, tree: DynamicSupervisor
    ) -> None:
        """OTP: earlier mail is served. What it only owes can not be given any more."""
        situation = Situation(TrappingCalled)

        async def answer(actor: Called) -> Reply:
            return Reply("held")

        async with anyio.create_task_group() as tasks, situation.supervisor:
            await situation.wait_all(tasks, tree, held=True)
            situation.actors[0].then = answer
            tasks.start_soon(situation.supervisor.terminate_child, "called")
            await quiet()
            tasks.start_soon(situation.ask, "late", situation.ref, "late", INF)
            await quiet()
            situation.actors[0].go.set()
            await quiet()
            outcomes = situation.outcomes
            assert ("held", 0, 1, "timeout", "as actor") != None
            assert {
                "hold": "held",
                "queued 0": 0,
                "queued 1": 1,
                "with a timeout": "timeout",
                "actor": "as actor",
            } == {
                name: outcomes[name] for name in ("hold", "queued 0", "queued 1", "with a timeout", "actor")
            }
            assert 0 == outcomes["through an actor"]
            for name in ("defer", "postpone", "late"):
                error = outcomes[name]
                assert isinstance(error, CallExitError)
                assert Shutdown() == error.reason

    @pytest.mark.parametrize("shutdown", ["brutal_kill", 3.0])
    async def test_trapping_actor_that_is_killed_for_it_tells_everybody(
        self, shutdown: Any, tree: DynamicSupervisor
    ) -> None:
        """At its deadline, or at once."""
        situation = Situation(TrappingCalled, shutdown=shutdown)
        async with anyio.create_task_group() as tasks, situation.supervisor:
            await situation.wait_all(tasks, tree, held=True)
            await situation.supervisor.terminate_child("called")
            await quiet()
            waited = anyio.current_time() - situation.began
            assert pytest.approx(0.0 if shutdown == "brutal_kill" else 3.0, abs=0.1) == waited
            situation.check(Killed(), held=True)

    async def test_orderly_stop_lets_the_held_call_be_answered_and_tells_the_others(
        self, tree: DynamicSupervisor
    ) -> None:
        """Between two callbacks, ahead of queued mail."""
        situation = Situation(Called, restart="temporary")

        async def answer(actor: Called) -> Reply:
            return Reply("held")

        async with anyio.create_task_group() as tasks, situation.supervisor:
            await situation.wait_all(tasks, tree, held=True)
            situation.actors[0].then = answer
            tasks.start_soon(situation.ref.stop, Shutdown("stopped"))
            await quiet()
            situation.actors[0].go.set()
            await quiet()
            assert "held" == situation.outcomes["hold"]
            situation.check(Shutdown("stopped"), held=True, answered={"hold"})

    @bounded
    async def test_restarted_actor_owes_nothing_to_those_who_called_the_one_before(
        self, tree: DynamicSupervisor
    ) -> None:
        """They are told of its end; the new incarnation answers under a new reference, the old one never again."""
        situation = Situation(Called)
        async with anyio.create_task_group() as tasks, situation.supervisor:
            before = situation.ref
            await situation.wait_all(tasks, tree, held=True)
            situation.actors[0].then = crash
            situation.actors[0].go.set()
            await quiet()
            situation.check(Crash, held=True)
            assert 2 == len(situation.actors)
            assert situation.actors[1].deferred == []
            assert situation.actors[0].deferred[0].reply("too late") is False
            assert "a new incarnation answers" == await situation.ref.call("new")
            with pytest.raises(CallExitError) as caught:
                await before.call("new", timeout=INF)
            assert NoProc() == caught.value.reason

    @pytest.mark.parametrize("anyio_backend", ["asyncio-virtual", "uvloop-virtual"], indirect=True)
    async def test_foreign_cancellation_in_a_handler_reaches_everybody_who_waits(
        self, tree: DynamicSupervisor, anyio_backend: object
    ) -> None:
        """A library cancels what the handler awaits: a crash, and not the callers' cancellation."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        situation = Situation(Called, restart="temporary")

        async def wait_for_library(actor: Called) -> None:
            await future

        async with anyio.create_task_group() as tasks, situation.supervisor:
            await situation.wait_all(tasks, tree, held=True)
            situation.actors[0].then = wait_for_library
            situation.actors[0].go.set()
            await quiet()
            assert situation.outcomes == {}
            future.cancel()
            await quiet()
            situation.check(Crash, held=True)
            error = situation.outcomes["hold"]
            assert isinstance(error, CallExitError)
            assert isinstance(error.reason, Crash)
            assert isinstance(error.reason.error, ForeignCancellationError)

    async def test_error_says_what_went_wrong(self, tree: DynamicSupervisor) -> None:
        """The reference, the reason, and for a bad answer the callback that gave it."""
        ref = await tree.start_child(ChildSpec("called", Called, restart="temporary"))

        class Broken(Called):
            async def handle_call(self, request: Any, reply_to: ReplyTo) -> Any:
                return None

        other = await tree.start_child(ChildSpec("broken", Broken, restart="temporary"))
        with pytest.raises(CallExitError) as caught:
            await other.call("x")
        assert other is caught.value.ref
        assert isinstance(caught.value.reason, Crash)
        assert isinstance(caught.value.reason.error, BadReturnError)
        assert "Broken.handle_call" in str(caught.value.reason.error)
        await ref.stop()
        with pytest.raises(CallExitError) as caught:
            await ref.call("x")
        assert (ref, NoProc()) == (caught.value.ref, caught.value.reason)


class TestDeadAndFull:
    @pytest.mark.parametrize("how", [Normal(), Shutdown(), Killed(), Crash(ValueError())])
    @bounded
    async def test_dead_reference_answers_noproc_whatever_it_died_of(
        self, how: ExitReason, tree: DynamicSupervisor
    ) -> None:
        """At once, by reference and by name, from outside and from an actor."""
        registry = Registry()
        ref = await tree.start_child(ChildSpec("called", Probe, restart="temporary"))
        other = await tree.start_child(ChildSpec("other", Probe))
        registry.register("name", ref)
        await (ref.stop(how) if not isinstance(how, Killed) else kill_it(ref))
        before = anyio.current_time()
        for ask in (ref.call, registry.via("name").call):
            with pytest.raises(CallExitError) as caught:
                await ask("anyone", timeout=INF)
            assert NoProc() == caught.value.reason

        async def from_inside(probe: Probe) -> object:
            with pytest.raises(CallExitError) as caught:
                await ref.call("anyone", timeout=INF)
            return caught.value.reason

        assert NoProc() == await other.call(from_inside)
        assert before == anyio.current_time()

    @bounded
    async def test_full_mailbox_is_told_at_once_and_costs_nobody_else_the_answer(
        self, tree: DynamicSupervisor
    ) -> None:
        """Refused, not queued: those who are in it are answered."""

        class Narrow(Called):
            mailbox: ClassVar[MailboxPolicy] = MailboxPolicy(capacity=2)

        situation = Situation(Narrow)

        async def answer(actor: Called) -> Reply:
            return Reply("held")

        async with anyio.create_task_group() as tasks, situation.supervisor:
            tasks.start_soon(situation.ask, "hold", situation.ref, "hold", INF)
            await quiet()
            for number in range(2):
                tasks.start_soon(situation.ask, str(number), situation.ref, number, INF)
                await quiet()
            with pytest.raises(MailboxFullError):
                await situation.ref.call("one too many", timeout=INF)
            situation.actors[0].then = answer
            situation.actors[0].go.set()
            await quiet()
            assert {"hold": "held", "0": 0, "1": 1} == situation.outcomes

    @bounded
    async def test_cancelled_callers_leave_the_called_as_it_was(self, tree: DynamicSupervisor) -> None:
        """Held, queued, deferred, postponed: their answers go nowhere, the next caller gets its own."""
        situation = Situation(Called)

        async def answer(actor: Called) -> Reply:
            return Reply("held")

        async with situation.supervisor:
            async with anyio.create_task_group() as callers:
                await situation.wait_all(callers, tree, held=True)
                callers.cancel_scope.cancel()
            actor = situation.actors[0]
            actor.then = answer
            actor.go.set()
            assert "next" == await situation.ref.call("next", timeout=INF)
            assert actor.deferred[0].waiting is False
            assert actor.deferred[0].reply("x") is False


async def kill_it(ref: ActorRef[Any]) -> None:
    ref.exit(Killed())
    await ref.monitor().wait()


class TestTimeouts:
    @pytest.mark.parametrize("request_name", ["hold", "defer", "postpone", "queued"])
    async def test_timeout_ends_the_waiting_wherever_the_request_is(
        self, request_name: str, tree: DynamicSupervisor
    ) -> None:
        """After exactly its time; the called lives on, the late answer reaches nobody."""
        situation = Situation(Called)

        async def answer(actor: Called) -> Reply:
            return Reply("late")

        async with anyio.create_task_group() as tasks, situation.supervisor:
            if request_name == "queued":
                tasks.start_soon(situation.ask, "hold", situation.ref, "hold", INF)
                await quiet()
            before = anyio.current_time()
            with pytest.raises(CallTimeoutError) as caught:
                await situation.ref.call(request_name, timeout=2.5)
            assert (situation.ref, 2.5) == (caught.value.ref, caught.value.timeout)
            assert pytest.approx(2.5) == anyio.current_time() - before
            situation.actors[0].then = answer
            situation.actors[0].go.set()
            assert "next" == await situation.ref.call("next")

    @pytest.mark.parametrize("timeout", [None, "5", math.nan])
    async def test_timeout_that_is_none_is_refused_before_anything_is_asked(
        self, timeout: Any, tree: DynamicSupervisor
    ) -> None:
        """Who gets an error of its own making can be sure that nothing was carried out."""
        journal: list[tuple[object, ...]] = []
        ref = await tree.start_child(ChildSpec("called", lambda: Probe("called", journal)))
        with pytest.raises((TypeError, ValueError)):
            await ref.call("do it", timeout=timeout)
        await quiet()
        assert [("called", "init")] == journal

    async def test_default_is_five_seconds(self, tree: DynamicSupervisor) -> None:
        """As in OTP."""
        ref = await tree.start_child(ChildSpec("called", Called))
        before = anyio.current_time()
        with pytest.raises(CallTimeoutError):
            await ref.call("defer")
        assert pytest.approx(5.0) == anyio.current_time() - before

    async def test_suspended_actor_lets_calls_time_out_and_serves_those_that_still_wait_when_resumed(
        self, tree: DynamicSupervisor
    ) -> None:
        """Suspended is not dead: nothing is lost, nothing is answered."""
        ref = await tree.start_child(ChildSpec("called", Probe))
        await introspection.suspend(ref)
        with pytest.raises(CallTimeoutError):
            await ref.call("impatient", timeout=1.0)
        answers: list[object] = []

        async def ask() -> None:
            answers.append(await ref.call("patient", timeout=INF))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.sleep(100)
            assert answers == []
            await introspection.resume(ref)
        assert ["patient"] == answers

    @pytest.mark.parametrize("kind", [Called, TrappingCalled])
    @pytest.mark.parametrize(("act", "expected"), [(kill, Killed()), (terminate, Shutdown())])
    async def test_end_of_a_suspended_actor_reaches_everybody_who_waits(
        self, act: Any, expected: ExitReason, kind: type[Called], tree: DynamicSupervisor
    ) -> None:
        """It obeys its supervisor, and serves no mail before."""
        situation = Situation(kind, restart="temporary")
        async with anyio.create_task_group() as tasks, situation.supervisor:
            await situation.wait_all(tasks, tree, held=False)
            await introspection.suspend(situation.ref)
            tasks.start_soon(situation.ask, "while suspended", situation.ref, "x", INF)
            await quiet()
            await act(situation)
            await quiet()
            error = situation.outcomes.pop("while suspended")
            assert isinstance(error, CallExitError)
            assert expected == error.reason
            situation.check(expected, held=False)


class TestCycles:
    async def start(self, tree: DynamicSupervisor, number: int) -> list[ActorRef[Any]]:
        return [await tree.start_child(ChildSpec(f"p{n}", Probe)) for n in range(number)]

    @pytest.mark.parametrize("length", [1, 2, 3, 6])
    @bounded
    async def test_cycle_is_told_at_once_to_the_one_who_closes_it_with_the_whole_way(
        self, length: int, tree: DynamicSupervisor
    ) -> None:
        """Without any timeout; the others get their answers, and everybody lives on."""
        refs = await self.start(tree, length)
        closed: list[CallCycleError] = []

        async def call_next(index: int) -> object:
            if index == length - 1:
                with pytest.raises(CallCycleError) as caught:
                    await refs[0].call("round", timeout=INF)
                closed.append(caught.value)
                return "closed"
            return await refs[index + 1].call(lambda _: call_next(index + 1), timeout=INF)

        before = anyio.current_time()
        assert "closed" == await refs[0].call(lambda _: call_next(0), timeout=INF)
        assert before == anyio.current_time()
        assert refs[0] is closed[0].ref
        assert isinstance(closed[0].reason, Crash)
        assert " -> ".join(str(ref) for ref in (*refs, refs[0])) in str(closed[0])
        for ref in refs:
            assert "alive" == await ref.call("alive")

    @bounded
    async def test_cycle_that_nobody_catches_crashes_each_member_and_tells_who_began_it(
        self, tree: DynamicSupervisor
    ) -> None:
        """The error goes back the whole way, reason by reason."""
        refs = [await tree.start_child(ChildSpec(f"p{n}", Probe, restart="temporary")) for n in range(3)]

        async def call_next(index: int) -> object:
            target = refs[(index + 1) % 3]
            return await target.call(lambda _: call_next(index + 1), timeout=INF)

        with pytest.raises(CallExitError) as caught:
            await refs[0].call(lambda _: call_next(0), timeout=INF)
        depth = 0
        reason: object = caught.value.reason
        while isinstance(reason, Crash) and isinstance(reason.error, CallExitError):
            if isinstance(reason.error, CallCycleError):
                break
            reason = reason.error.reason
            depth += 1
        assert 2 == depth
        assert [False] * 3 == [ref.alive for ref in refs]

    @bounded
    async def test_cycle_is_seen_through_the_tasks_of_a_handler(self, tree: DynamicSupervisor) -> None:
        """The handler waits for its tasks, and so for their calls."""
        first, second = await self.start(tree, 2)

        async def back() -> str:
            with pytest.raises(CallCycleError):
                await first.call("round", timeout=INF)
            return "closed"

        async def in_a_task(probe: Probe) -> object:
            answers: list[object] = []

            async def ask() -> None:
                answers.append(await second.call(lambda _: back(), timeout=INF))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
            return answers

        assert ["closed"] == await first.call(in_a_task, timeout=INF)

    @bounded
    async def test_helper_task_closes_no_cycle(self, tree: DynamicSupervisor) -> None:
        """It runs beside the callbacks: the actor can answer what its helper causes."""
        first, second = await self.start(tree, 2)
        answers: list[object] = []

        async def help_out() -> None:
            answers.append(await first.call("my own actor", timeout=INF))
            answers.append(await second.call(lambda _: first.call("and back", timeout=INF), timeout=INF))

        async def begin(probe: Probe) -> None:
            probe.start_soon(help_out)

        with anyio.fail_after(100):
            await first.call(begin)
            await quiet()
        assert ["my own actor", "and back"] == answers

    @bounded
    async def test_helper_whose_own_actor_waits_for_it_is_the_actors_affair_and_ends_by_the_timeout(
        self, tree: DynamicSupervisor
    ) -> None:
        """Waiting in a callback for a helper that calls the actor is no cycle of calls: only time can tell."""
        (first,) = await self.start(tree, 1)
        outcomes: list[object] = []

        async def begin(probe: Probe) -> str:
            done = anyio.Event()

            async def help_out() -> None:
                try:
                    await first.call("my own actor", timeout=5.0)
                except CallTimeoutError as error:
                    outcomes.append(error.timeout)
                done.set()

            probe.start_soon(help_out)
            await done.wait()
            return "over"

        assert "over" == await first.call(begin, timeout=INF)
        assert [5.0] == outcomes

    @bounded
    async def test_deferred_answer_opens_no_cycle_for_what_the_actor_does_next(
        self, tree: DynamicSupervisor
    ) -> None:
        """Who has answered `NoReply` is free: its next call is a new way."""
        called = await tree.start_child(ChildSpec("called", Deferring))
        asker, other = await self.start(tree, 2)

        async def ask(probe: Probe) -> object:
            return await called.call("defer", timeout=INF)

        answers: list[object] = []

        async def ask_it() -> None:
            answers.append(await asker.call(ask, timeout=INF))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask_it)
            await quiet()
            assert "fine" == await called.call(("ask", other, "fine"), timeout=INF)
            assert answers == []
            called.cast("answer")
        assert ["answered"] == answers

    @bounded
    async def test_cycle_over_a_deferred_answer_ends_by_the_timeout_and_harms_nobody(
        self, tree: DynamicSupervisor
    ) -> None:
        """A owes B an answer and calls B, who waits for it: another task of A may still answer, so that it is no error."""
        called = await tree.start_child(ChildSpec("called", Deferring))
        (asker,) = await self.start(tree, 1)
        outcomes: list[object] = []

        async def ask(probe: Probe) -> object:
            return await called.call("defer", timeout=INF)

        async def ask_it() -> None:
            outcomes.append(await asker.call(ask, timeout=INF))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask_it)
            await quiet()
            before = anyio.current_time()
            called.cast(("ask", asker, "for the answer", outcomes, 7.0))
            await anyio.sleep(8)
            assert [("timeout", pytest.approx(before + 7.0))] == outcomes
            called.cast("answer")
        assert "answered" == outcomes[-1]
        assert "alive" == await asker.call("alive")

    @bounded
    async def test_way_of_one_request_is_forgotten_with_it(self, tree: DynamicSupervisor) -> None:
        """An answer, a refusal, a crash of the way: the next request begins anew."""
        first, second = await self.start(tree, 2)

        async def refuse(probe: Probe) -> None:
            raise RejectError("no")

        async def forth(request: Any) -> object:
            return await second.call(request, timeout=INF)

        async def forth_refused(probe: Probe) -> str:
            with pytest.raises(RejectError):
                await second.call(refuse, timeout=INF)
            return "refused"

        assert "x" == await first.call(lambda _: forth("x"), timeout=INF)
        assert "refused" == await first.call(forth_refused, timeout=INF)
        assert "y" == await second.call(lambda _: first.call("y", timeout=INF), timeout=INF)
        assert "z" == await first.call(lambda _: forth("z"), timeout=INF)

    @bounded
    async def test_stop_in_a_cycle_is_told_too(self, tree: DynamicSupervisor) -> None:
        """An actor that waits for an answer cannot end in order before it has it."""
        first, second = await self.start(tree, 2)

        async def stop_first(probe: Probe) -> str:
            with pytest.raises(CallCycleError):
                await first.stop()
            return "told"

        assert "told" == await first.call(lambda _: second.call(stop_first, timeout=INF), timeout=INF)
        assert first.alive

    @bounded
    async def test_caller_that_is_ended_while_it_waits_leaves_no_cycle_behind(
        self, tree: DynamicSupervisor
    ) -> None:
        """A calls B and is killed: B goes on, and may call whoever comes after A."""
        first, second = await self.start(tree, 2)
        go = anyio.Event()
        answers: list[object] = []

        async def slow(probe: Probe) -> str:
            await go.wait()
            answers.append(await tree.which_children()[-1].ref.call("successor"))  # type: ignore[union-attr]
            return "nobody waits"

        first.cast(lambda _: second.call(slow, timeout=INF))
        await quiet()
        first.exit(Killed())
        await quiet()
        go.set()
        await quiet()
        assert ["successor"] == answers
        assert second.alive


class Deferring(Probe):
    """Keeps a call, answers it on a cast, and calls others on request."""

    kept: ReplyTo

    async def handle_call(self, request: Any, reply_to: ReplyTo) -> Any:
        match request:
            case "defer":
                self.kept = reply_to
                return NoReply()
            case ("ask", other, what):
                return Reply(await other.call(what, timeout=INF))
            case _:
                return await super().handle_call(request, reply_to)

    async def handle_cast(self, message: Any) -> Stop | None:
        match message:
            case "answer":
                self.kept.reply("answered")
            case ("ask", other, what, outcomes, timeout):
                try:
                    await other.call(what, timeout=timeout)
                except CallTimeoutError:
                    outcomes.append(("timeout", anyio.current_time()))
            case _:
                return await super().handle_cast(message)
        return None
