"""Looking into an actor between two of its messages."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from tests.actors.children import LONG

from wsmgr.actors import (
    Actor,
    ActorRef,
    CallCycleError,
    CallExitError,
    CallTimeoutError,
    ChildSpec,
    Crash,
    DynamicSupervisor,
    Killed,
    MailboxPolicy,
    NoProc,
    NotAnActorError,
    Reply,
    Shutdown,
    StateMachine,
    StateTimeout,
    Stop,
    TraceEvent,
    get_state,
    get_status,
    replace_state,
    resume,
    statistics,
    suspend,
    trace,
)
from wsmgr.actors.testing import Probe, TrappingProbe, settle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsmgr.actors import ReplyTo

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]


class Account(Actor[int]):
    """Has a public attribute, a private one, and one in a slot."""

    __slots__ = ("limit",)

    def __init__(self) -> None:
        self.balance = 0
        self._token = "hunter2"
        self.limit = 10

    async def handle_cast(self, message: int) -> None:
        self.balance += message

    async def handle_call(self, request: object, reply_to: ReplyTo) -> Reply:
        return Reply(self.balance)


class Redacted(Account):
    def format_status(self) -> Mapping[str, object]:
        return {"balance": "***"}


class Lamp(StateMachine[str]):
    async def init(self) -> None:
        self.next_state("off")
        self.switched = 0

    async def handle_cast(self, message: str) -> None:
        if self.state == "off" and message != "on":
            self.postpone()
        else:
            self.switched += 1
            self.next_state("on", timeout=5.0)

    async def handle_info(self, message: object) -> None:
        assert isinstance(message, StateTimeout)
        self.next_state("off")


async def start(tree: DynamicSupervisor, make: Any) -> ActorRef[Any]:
    return await tree.start_child(ChildSpec("a", make, restart="temporary"))


class TestState:
    async def test_state_is_the_attributes_of_the_actor(self, tree: DynamicSupervisor) -> None:
        """Private ones and those in slots too, and nothing of the runtime."""
        ref = await start(tree, Account)
        ref.cast(3)
        assert await ref.call("balance") == 3
        assert {"balance": 3, "_token": "hunter2", "limit": 10} == await get_state(ref)

    async def test_state_of_a_state_machine_names_its_state(self, tree: DynamicSupervisor) -> None:
        """Beside its attributes."""
        ref = await start(tree, Lamp)
        assert {"state": "off", "switched": 0} == await get_state(ref)

    async def test_state_is_served_before_queued_mail(self, tree: DynamicSupervisor) -> None:
        """Between two messages: the next one, not the last."""
        ref = await start(tree, Account)
        for _ in range(1000):
            ref.cast(1)
        found = await get_state(ref)
        assert found["balance"] < 1000

    async def test_replaced_state_is_what_the_actor_goes_on_with(self, tree: DynamicSupervisor) -> None:
        """What is not returned stays."""
        ref = await start(tree, Account)
        found = await replace_state(ref, lambda state: {"balance": state["balance"] + 40})
        assert {"balance": 40, "_token": "hunter2", "limit": 10} == found
        ref.cast(2)
        assert await ref.call("balance") == 42

    async def test_replaced_state_of_a_machine_lets_postponed_mail_come_again(
        self, tree: DynamicSupervisor
    ) -> None:
        """It is a change of state like any other."""
        ref = await start(tree, Lamp)
        ref.cast("later")
        await settle(lambda: ref.queued == 1)
        await replace_state(ref, lambda _: {"state": "on"})
        await settle(lambda: ref.queued == 0)
        assert {"state": "on", "switched": 1} == await get_state(ref)

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            (lambda _: 1 / 0, ZeroDivisionError),
            (lambda _: None, TypeError),
            (lambda _: {"balance": 5, "blance": 1}, ValueError),
        ],
    )
    async def test_change_that_fails_changes_nothing_and_comes_out_here(
        self, tree: DynamicSupervisor, change: Any, error: type[Exception]
    ) -> None:
        """The actor lives on."""
        ref = await start(tree, Account)
        with pytest.raises(error):
            await replace_state(ref, change)
        assert await ref.call("balance") == 0

    async def test_attribute_that_cannot_be_set_undoes_those_before_it(self, tree: DynamicSupervisor) -> None:
        """All or none."""

        class Sealed(Account):
            def __setattr__(self, name: str, value: object) -> None:
                if name == "limit" and value != 10:
                    raise AttributeError("limit is sealed")
                super().__setattr__(name, value)

        ref = await start(tree, Sealed)
        with pytest.raises(AttributeError, match="sealed"):
            await replace_state(ref, lambda _: {"balance": 7, "limit": 11})
        assert await ref.call("balance") == 0


class TestStatus:
    async def test_status_says_what_there_is_to_say(self, tree: DynamicSupervisor) -> None:
        """Mail, timers, helpers, links, monitors."""

        async def arrange(probe: Probe) -> None:
            probe.send_after(60, "tick")
            probe.send_after(60, "tock").cancel()
            probe.start_soon(anyio.sleep_forever)
            probe.link(other)
            await suspended.wait()

        other = await start(tree, Probe)
        ref = await start(tree, TrappingProbe)
        suspended = anyio.Event()
        ref.cast(arrange)
        await anyio.sleep(1)
        ref.cast("waits")
        with ref.monitor():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(suspend, ref)
                await anyio.sleep(1)
                suspended.set()
            status = await get_status(ref)
        assert ("DynamicSupervisor/a", "TrappingProbe") == (status.path, status.actor)
        assert (True, True) == (status.suspended, status.trap_exit)
        assert (1, 0, 1024) == (status.queued, status.news, status.capacity)
        assert (1, 1, 1) == (status.timers, status.helpers, status.monitored_by)
        assert (other,) == status.links
        assert status.statistics is None

    async def test_status_shows_private_attributes_as_their_class(self, tree: DynamicSupervisor) -> None:
        """Unless the actor says otherwise."""
        status = await get_status(await start(tree, Account))
        assert {"balance": 0, "_token": "<str>", "limit": 10} == status.state
        assert "hunter2" not in repr(status)

    async def test_status_is_redacted_by_the_actors_own_word(self, tree: DynamicSupervisor) -> None:
        """`format_status` has the last word."""
        status = await get_status(await start(tree, Redacted))
        assert {"balance": "***"} == status.state

    async def test_status_counts_what_the_mailbox_did_not_take(self, tree: DynamicSupervisor) -> None:
        """The same figures that a person would ask for after a flood."""

        class Narrow(Account):
            mailbox = MailboxPolicy(capacity=2, overflow="drop_oldest")

        ref = await start(tree, Narrow)
        for number in range(5):
            ref.cast(number)
        status = await get_status(ref)
        assert (2, 3, 3) == (status.queued, status.dropped, status.dead_letters)


class TestSuspend:
    async def test_suspended_actor_serves_nothing_but_looks(self, tree: DynamicSupervisor) -> None:
        """Calls time out, news waits, and everything comes after the resume, in order."""
        ref = await start(tree, Probe)
        other = await start(tree, Probe)
        await ref.call(watcher_of(other))
        await suspend(ref)
        await suspend(ref)
        ref.cast("first")
        await other.stop()
        with pytest.raises(CallTimeoutError):
            await ref.call("second", timeout=2.0)
        journal: Any = (await get_state(ref))["journal"]
        assert [("probe", "init")] == journal
        assert 2 == ref.queued
        await resume(ref)
        assert await ref.call("third") == "third"
        names = [type(entry[1]).__name__ if len(entry) == 2 else entry for entry in journal[1:]]
        assert ["Down", "str", "str", "str"] == names

    async def test_suspended_actor_can_be_stopped(self, tree: DynamicSupervisor) -> None:
        """With its `terminate`, and its queued callers are told."""
        ref = await start(tree, Probe)
        await suspend(ref)
        journal: Any = (await get_state(ref))["journal"]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(expect_exit, ref, Shutdown("enough"))
            await anyio.sleep(1)
            assert await ref.stop(Shutdown("enough")) == Shutdown("enough")
        assert ("probe", "terminate", Shutdown("enough")) == journal[-1]

    @pytest.mark.parametrize("make", [Probe, TrappingProbe])
    async def test_suspended_actor_obeys_its_supervisor(self, tree: DynamicSupervisor, make: Any) -> None:
        """At once: mail that was queued before is not served."""
        ref = await start(tree, make)
        await suspend(ref)
        journal: Any = (await get_state(ref))["journal"]
        ref.cast("queued")
        await tree.terminate_child(ref)
        assert Shutdown() == ref.exit_reason
        assert ("probe", "queued") not in journal
        assert (make is TrappingProbe) is (("probe", "terminate", Shutdown()) in journal)

    async def test_suspended_actor_can_be_killed(self, tree: DynamicSupervisor) -> None:
        """A kill asks nobody."""
        ref = await start(tree, TrappingProbe)
        await suspend(ref)
        ref.exit(Killed())
        assert await ref.monitor().wait() == Killed()

    async def test_timers_of_a_suspended_actor_come_after_the_resume(self, tree: DynamicSupervisor) -> None:
        """They are news like any other."""
        ref = await start(tree, Probe)

        async def arm(probe: Probe) -> None:
            probe.send_after(1.0, "tick")

        await ref.call(arm)
        await suspend(ref)
        await anyio.sleep(10)
        journal: Any = (await get_state(ref))["journal"]
        assert 1 == len(journal)
        await resume(ref)
        await settle(lambda: len(journal) == 2)


class TestTrace:
    async def test_trace_tells_of_each_callback_before_and_after(self, tree: DynamicSupervisor) -> None:
        """With what came, what was answered, and how long it took."""
        ref = await start(tree, Account)
        seen: list[TraceEvent] = []
        await trace(ref, seen.append)
        ref.cast(5)
        assert await ref.call("balance") == 5
        assert [
            ("handle_cast", 5, None, True),
            ("handle_cast", 5, None, False),
            ("handle_call", "balance", None, True),
            ("handle_call", "balance", Reply(5), False),
        ] == [(event.callback, event.message, event.answer, event.seconds is None) for event in seen]
        assert all(event.ref is ref for event in seen)
        await trace(ref, None)
        ref.cast(5)
        assert await ref.call("balance") == 10
        assert 4 == len(seen)

    async def test_trace_tells_of_the_callback_that_crashes(self, tree: DynamicSupervisor) -> None:
        """It is the one that people look for."""
        ref = await start(tree, Probe)
        seen: list[TraceEvent] = []
        await trace(ref, seen.append)

        async def fail(probe: Probe) -> None:
            raise LookupError("lost")

        ref.cast(fail)
        assert isinstance(await ref.monitor().wait(), Crash)
        assert [None, "LookupError('lost')"] == [event.error and repr(event.error) for event in seen]

    async def test_sink_that_fails_is_removed_and_the_actor_lives_on(
        self, tree: DynamicSupervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """As OTP does with a debug function."""
        ref = await start(tree, Account)
        seen: list[object] = []

        def sink(event: TraceEvent) -> None:
            seen.append(event)
            raise RuntimeError("the sink leaks")

        await trace(ref, sink)
        ref.cast(1)
        ref.cast(1)
        assert await ref.call("balance") == 2
        assert 1 == len(seen)
        assert ["the sink of a trace failed and is removed"] == [r.getMessage() for r in caplog.records]

    async def test_trace_without_a_sink_goes_to_the_log_without_contents(
        self, tree: DynamicSupervisor, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A log may be read by many."""
        caplog.set_level(logging.INFO, logger="wsmgr.actors.trace")
        ref = await start(tree, Probe)
        await trace(ref)
        assert await ref.call("hunter2") == "hunter2"
        assert [f"{ref} handle_call(str)", f"{ref} handle_call -> Reply in"] == [
            record.getMessage().split(" in ")[0] + (" in" if " in " in record.getMessage() else "")
            for record in caplog.records
        ]
        assert "hunter2" not in caplog.text


class TestStatistics:
    async def test_statistics_count_from_when_they_are_switched_on(self, tree: DynamicSupervisor) -> None:
        """And are None before and after."""
        ref = await start(tree, Account)
        ref.cast(1)
        assert await statistics(ref) is None
        assert await statistics(ref, on=True) is None
        for _ in range(3):
            ref.cast(1)
        await ref.call("balance")
        counted = await statistics(ref, on=False)
        assert counted is not None
        assert (1, 3, 0) == (counted.calls, counted.casts, counted.infos)
        assert counted.longest <= counted.busy <= counted.seconds
        assert counted.longest_callback in {"handle_call", "handle_cast"}
        assert await statistics(ref) is None

    async def test_status_carries_the_statistics(self, tree: DynamicSupervisor) -> None:
        """One look for both."""
        ref = await start(tree, Account)
        await statistics(ref, on=True)
        ref.cast(1)
        await ref.call("balance")
        found = (await get_status(ref)).statistics
        assert found is not None
        assert (1, 1) == (found.calls, found.casts)


def watcher_of(other: ActorRef[Any]) -> Any:
    async def watch(probe: Probe) -> None:
        probe.monitor(other)

    return watch


async def expect_exit(ref: ActorRef[Any], reason: object) -> None:
    with pytest.raises(CallExitError) as caught:
        await ref.call("anything", timeout=math.inf)
    assert reason == caught.value.reason


async def hang(probe: Probe) -> None:
    await anyio.sleep(LONG)


LOOKS: list[Any] = [
    get_state,
    get_status,
    suspend,
    resume,
    trace,
    statistics,
    lambda ref, **options: replace_state(ref, dict, **options),
]


@pytest.mark.parametrize("look", LOOKS)
class TestErrors:
    async def test_hanging_callback_makes_it_time_out(self, tree: DynamicSupervisor, look: Any) -> None:
        """It is served between two messages; `tree()` answers all the same."""
        ref = await start(tree, Probe)
        ref.cast(hang)
        await anyio.sleep(1)
        with pytest.raises(CallTimeoutError):
            await look(ref, timeout=1.0)
        assert ref is tree.tree().children[0].ref

    async def test_actor_that_is_gone_answers_noproc(self, tree: DynamicSupervisor, look: Any) -> None:
        """As to a call."""
        ref = await start(tree, Probe)
        await ref.stop()
        with pytest.raises(CallExitError) as caught:
            await look(ref)
        assert NoProc() == caught.value.reason

    async def test_actor_that_ends_first_says_why(self, tree: DynamicSupervisor, look: Any) -> None:
        """Nobody is left waiting for a process that is gone."""
        ref = await start(tree, Probe)
        ref.cast(hang)
        await anyio.sleep(1)
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                with pytest.raises(CallExitError) as caught:
                    await look(ref, timeout=math.inf)
                assert Killed() == caught.value.reason

            tasks.start_soon(ask)
            await anyio.sleep(1)
            ref.exit(Killed())

    async def test_actor_that_looks_at_itself_is_told_at_once(
        self, tree: DynamicSupervisor, look: Any
    ) -> None:
        """It would wait for itself."""
        ref = await start(tree, Probe)

        async def look_at_yourself(probe: Probe) -> object:
            with pytest.raises(CallCycleError):
                await look(probe.ref)
            return Stop()

        with pytest.raises(CallExitError):
            await ref.call(look_at_yourself)

    async def test_supervisor_is_not_an_actor(self, tree: DynamicSupervisor, look: Any) -> None:
        """The message says what to use instead."""
        with pytest.raises(NotAnActorError, match="tree"):
            await look(tree.ref)
