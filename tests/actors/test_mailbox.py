"""Mailboxes: a bound, and for each policy what happens at it."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.actors import (
    CallExitError,
    ChildSpec,
    Crash,
    DeadLetter,
    DynamicSupervisor,
    MailboxFullError,
    MailboxPolicy,
    Supervisor,
    conflate,
)
from wsmgr.actors.process.mailbox import Keyed, Mailbox
from wsmgr.actors.testing import EventRecorder, Probe, settle

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.actors.children import Journal

    from wsmgr.actors import ActorRef


def first_letter(message: object) -> str | None:
    return message[0] if isinstance(message, str) else None


class Rejecting(Probe):
    mailbox: ClassVar[MailboxPolicy] = MailboxPolicy(capacity=3)


class DroppingOldest(Probe):
    mailbox: ClassVar[MailboxPolicy] = MailboxPolicy(capacity=3, overflow="drop_oldest")


class DroppingNewest(Probe):
    mailbox: ClassVar[MailboxPolicy] = MailboxPolicy(capacity=3, overflow="drop_newest")


class Conflating(Probe):
    mailbox: ClassVar[MailboxPolicy] = MailboxPolicy(capacity=3, overflow=conflate(first_letter))


@pytest.fixture
async def tree(no_leaks: None, recorder: EventRecorder) -> AsyncGenerator[DynamicSupervisor, None]:
    async with DynamicSupervisor(on_event=recorder) as supervisor:
        yield supervisor


async def start_busy(tree: DynamicSupervisor, kind: type[Probe], journal: Journal) -> ActorRef[Any]:
    """Start an actor that reads nothing for a second."""

    async def pause(probe: Probe) -> None:
        await anyio.sleep(1)

    ref = await tree.start_child(ChildSpec("p", lambda: kind("p", journal), restart="temporary"))
    ref.cast(pause)
    await settle(lambda: ref.queued == 0)
    return ref


async def read(ref: ActorRef[Any], journal: Journal) -> list[object]:
    await anyio.sleep(2)
    return [entry[1] for entry in journal if entry[1] != "init"]


@pytest.mark.anyio
class TestPolicies:
    async def test_reject_says_false_and_reports_it(
        self, tree: DynamicSupervisor, journal: Journal, recorder: EventRecorder
    ) -> None:
        """The sender knows, the counter knows, the log knows; a call raises."""
        ref = await start_busy(tree, Rejecting, journal)
        assert [True, True, True, False] == [ref.cast(number) for number in range(4)]
        with pytest.raises(MailboxFullError):
            await ref.call("too")
        assert [0, 1, 2] == await read(ref, journal)
        assert ref.dead_letters == 2
        assert [("overflow", 1), ("overflow", 2)] == [
            (event.why, event.count) for event in recorder.of(DeadLetter)
        ]

    async def test_drop_oldest_makes_room_and_answers_a_call_that_had_to_go(
        self, tree: DynamicSupervisor, journal: Journal
    ) -> None:
        """The newest matter; nobody waits for a request that was thrown away."""
        ref = await start_busy(tree, DroppingOldest, journal)
        failed: list[Exception] = []

        async def ask() -> None:
            try:
                await ref.call("oldest", timeout=math.inf)
            except MailboxFullError as error:
                failed.append(error)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await settle(lambda: ref.queued == 1)
            assert [True] * 4 == [ref.cast(number) for number in range(4)]
        assert len(failed) == 1
        assert [1, 2, 3] == await read(ref, journal)
        assert ref.dead_letters == 2

    async def test_drop_newest_is_counted_and_not_reported(
        self, tree: DynamicSupervisor, journal: Journal, recorder: EventRecorder
    ) -> None:
        """The actor chose to lose them."""
        ref = await start_busy(tree, DroppingNewest, journal)
        assert [True, True, True, False] == [ref.cast(number) for number in range(4)]
        assert [0, 1, 2] == await read(ref, journal)
        assert ref.dead_letters == 1
        assert recorder.of(DeadLetter) == []

    async def test_conflate_keeps_the_newest_of_each_key_in_its_place(
        self, tree: DynamicSupervisor, journal: Journal
    ) -> None:
        """A slow reader of prices sees the newest price of each coin."""
        ref = await start_busy(tree, Conflating, journal)
        for message in ("a1", "b1", "a2", 7, "a3", "b2"):
            assert ref.cast(message) is True
        assert ref.cast("c1") is False
        assert ["a3", "b2", 7] == await read(ref, journal)
        ref.cast("a4")
        assert ["a3", "b2", 7, "a4"] == await read(ref, journal)

    async def test_key_that_raises_is_the_crash_of_the_actor_not_of_the_sender(
        self, tree: DynamicSupervisor, journal: Journal
    ) -> None:
        """`cast` never raises."""

        def broken(message: object) -> str:
            raise KeyError(message)

        class Broken(Probe):
            mailbox = MailboxPolicy(overflow=conflate(broken))

        ref = await tree.start_child(ChildSpec("p", Broken, restart="temporary"))
        assert ref.cast("x") is False
        reason = await ref.monitor().wait()
        assert isinstance(reason, Crash)
        assert isinstance(reason.error, KeyError)


@pytest.mark.anyio
class TestSend:
    async def test_send_waits_for_space(self, tree: DynamicSupervisor, journal: Journal) -> None:
        """Nothing is lost and nothing is refused."""
        ref = await start_busy(tree, Rejecting, journal)
        before = anyio.current_time()
        for number in range(10):
            await ref.send(number)
        assert pytest.approx(1.0, abs=0.1) == anyio.current_time() - before
        assert list(range(10)) == await read(ref, journal)

    async def test_cancelled_send_hands_over_nothing_and_wakes_the_next(
        self, tree: DynamicSupervisor, journal: Journal
    ) -> None:
        """A waiter that goes does not take the others' turn with it."""
        ref = await start_busy(tree, Rejecting, journal)
        for number in range(3):
            ref.cast(number)

        async def give_up() -> None:
            with anyio.move_on_after(0.5):
                await ref.send("cancelled")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(give_up)
            await anyio.sleep(0.1)
            tasks.start_soon(ref.send, "sent")
        assert [0, 1, 2, "sent"] == await read(ref, journal)

    @pytest.mark.parametrize("anyio_backend", [("asyncio", {})])
    async def test_sender_that_is_cancelled_natively_when_it_is_woken_passes_its_turn_on(
        self, anyio_backend: object
    ) -> None:
        """A native cancellation may hit a task whose turn has come: the place must not be lost with it."""
        mailbox = Mailbox(MailboxPolicy(capacity=1), lambda _: None)
        mailbox.cast("mail")
        first = asyncio.ensure_future(mailbox.wait_for_space())
        second = asyncio.ensure_future(mailbox.wait_for_space())
        await anyio.sleep(0.01)
        mailbox.take()
        first.cancel()
        await asyncio.wait([first])
        with anyio.fail_after(5):
            await second

    async def test_send_to_an_actor_that_ends_fails(self, tree: DynamicSupervisor, journal: Journal) -> None:
        """It would wait for ever."""
        ref = await start_busy(tree, Rejecting, journal)
        for number in range(3):
            ref.cast(number)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tree.terminate_child, ref)
            with pytest.raises(CallExitError):
                await ref.send("late")
        with pytest.raises(CallExitError):
            await ref.send("later")


@pytest.mark.anyio
async def test_dead_letters_are_reported_at_powers_of_two(recorder: EventRecorder) -> None:
    """A sender that never looks does not flood the log."""
    async with Supervisor([ChildSpec("p", Probe)], on_event=recorder) as supervisor:
        ref = supervisor.which_children()[0].ref
        assert ref is not None
        await supervisor.terminate_child("p")
        for _ in range(100):
            ref.cast("x")
        assert [1, 2, 4, 8, 16, 32, 64] == [event.count for event in recorder.of(DeadLetter)]


@given(
    st.sampled_from(["reject", "drop_oldest", "drop_newest"]),
    st.integers(1, 5),
    st.lists(st.one_of(st.integers(0, 9), st.just("take"), st.just("exit")), max_size=60),
)
def test_mailbox_agrees_with_a_naive_list(overflow: Any, capacity: int, steps: list[object]) -> None:
    """Order, bound, drops and the place of a shutdown: against the obvious model."""
    lost: list[object] = []
    mailbox = Mailbox(MailboxPolicy(capacity=capacity, overflow=overflow), lost.append)
    model: list[object] = []
    lost_by_model: list[object] = []
    exiting = False
    for step in steps:
        if step == "take":
            if model and model[0] == "exit":
                assert ("exit", "reason") == mailbox.take()
                continue
            assert (("cast", model.pop(0)) if model else None) == mailbox.take()
        elif step == "exit":
            mailbox.exit_after_queued("reason")  # type: ignore[arg-type]  # any mark will do
            if not exiting:
                model.append("exit")
                exiting = True
        else:
            accepted = mailbox.cast(step)
            mail = [entry for entry in model if entry != "exit"]
            assert accepted is (len(mail) < capacity or overflow == "drop_oldest")
            if len(mail) < capacity:
                model.append(step)
            elif overflow == "drop_oldest":
                lost_by_model.append(mail[0])
                model.remove(mail[0])
                model.append(step)
            else:
                lost_by_model.append(step)
    assert lost_by_model == lost


@given(st.integers(1, 4), st.lists(st.sampled_from(["a1", "a2", "b1", "b2", "c1"]), max_size=40))
def test_conflating_mailbox_holds_the_newest_of_each_key(capacity: int, messages: list[str]) -> None:
    """At most one per key, in the order in which the keys came."""
    mailbox = Mailbox(MailboxPolicy(capacity=capacity, overflow=conflate(first_letter)), lambda _: None)
    model: dict[str, str] = {}
    for message in messages:
        mailbox.cast(message)
        if message[0] in model or len(model) < capacity:
            model[message[0]] = message
    queued = [item.message for item in mailbox.user if isinstance(item, Keyed)]
    assert list(model.values()) == queued
    assert all(count == 1 for count in Counter(str(message)[0] for message in queued).values())


@pytest.mark.parametrize(
    ("options", "error"),
    [({"capacity": 0}, ValueError), ({"capacity": 1.5}, TypeError), ({"overflow": "explode"}, ValueError)],
)
def test_wrong_policy_is_refused_when_it_is_made(options: dict[str, Any], error: type[Exception]) -> None:
    """With a message that says what would be right."""
    with pytest.raises(error, match="must"):
        MailboxPolicy(**options)
