"""Delivery: what a consumer gets, what it loses, and what it is told about that."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.manager.model.catalog import FILLS, ORDERS, TICKER, TRADES
from tests.manager.model.world import Reader, messages

from wsmgr.manager.model.continuity import Closed, Gap, Interrupted, Lagged, Live
from wsmgr.manager.model.delivery import MAX_BYTES, MAX_MESSAGES, Policy, default_policy
from wsmgr.manager.model.errors import SubscriptionClosedError
from wsmgr.manager.model.message import Message

if TYPE_CHECKING:
    from wsmgr.manager.model.subscription_type import SubscriptionType

POLICIES = st.sampled_from(Policy)
STEPS = st.lists(st.sampled_from(["put", "put", "put", "take", "tell"]), max_size=80)
GAP = Gap(started_at=1.0, ended_at=2.0, duration=1.0, reason="reset")


def is_event(item: object) -> bool:
    """Whether it is a continuity event."""
    return not isinstance(item, Message)


def play(reader: Reader, steps: list[str]) -> tuple[list[Message], list[object]]:
    """Put, read and tell by a script; the messages that were put and all that was read."""
    fresh = iter(messages(*[str(number) for number in range(len(steps))]))
    put, got, told = list[Message](), list[object](), 0
    for step in steps:
        match step:
            case "put":
                if not reader.buffer.failed:
                    put.append(message := next(fresh))
                    reader.buffer.put(message)
            case "tell":
                told += 1
                reader.buffer.tell(Live(at=float(told)))
            case _:
                item = reader.buffer.take()
                got += [item] if item is not None else []
    return put, got + reader.read()


@given(policy=POLICIES, limit=st.integers(1, 8), events=st.booleans(), steps=STEPS)
def test_received_dropped_and_conflated_add_up_to_what_was_sent(
    policy: Policy, limit: int, events: bool, steps: list[str]
) -> None:
    """Every message is accounted for: read, dropped and counted, or replaced and counted."""
    reader = Reader(policy, events=events, max_messages=limit)
    put, got = play(reader, steps)
    received = len(got) - sum(map(is_event, got))
    assert len(put) == received + reader.buffer.dropped + reader.buffer.conflated


@given(policy=POLICIES, limit=st.integers(1, 8), steps=STEPS)
def test_messages_come_in_order_and_once(policy: Policy, limit: int, steps: list[str]) -> None:
    """Whatever is dropped, what remains keeps its order."""
    _, got = play(Reader(policy, max_messages=limit), steps)
    numbers = [item.seq for item in got if isinstance(item, Message)]
    assert all(before < after for before, after in pairwise(numbers))


@given(policy=POLICIES, limit=st.integers(1, 8), steps=STEPS)
def test_events_are_never_dropped_and_keep_their_order(policy: Policy, limit: int, steps: list[str]) -> None:
    """A continuity event that was dropped would be a lie."""
    reader = Reader(policy, events=True, max_messages=limit)
    buffer_failed_after = steps.copy()
    _, got = play(reader, buffer_failed_after)
    told = [item.at for item in got if isinstance(item, Live)]
    expected = [float(number + 1) for number in range(steps.count("tell"))]
    assert expected[: len(told)] == told
    if not reader.buffer.failed:
        assert expected == told


@given(policy=POLICIES, limit=st.integers(1, 8), steps=STEPS)
def test_announced_drops_add_up_to_the_counted_ones(policy: Policy, limit: int, steps: list[str]) -> None:
    """A consumer that asked for events is told of every message that it lost."""
    reader = Reader(policy, events=True, max_messages=limit)
    _, got = play(reader, steps)
    if not reader.buffer.failed:
        assert reader.buffer.dropped == sum(item.dropped for item in got if isinstance(item, Lagged))


@given(policy=POLICIES, steps=STEPS)
def test_a_consumer_that_keeps_up_sees_every_frame_under_each_policy(
    policy: Policy, steps: list[str]
) -> None:
    """The policy decides only what happens when the buffer is full."""
    reader = Reader(policy, max_messages=1)
    for message in messages(*steps):
        reader.buffer.put(message)
        assert [message] == reader.messages()
    assert (0, 0, False) == (reader.buffer.dropped, reader.buffer.conflated, reader.buffer.failed)


@given(
    policy=st.sampled_from([Policy.DROP_OLDEST, Policy.DROP_NEWEST, Policy.FAIL]),
    limit=st.integers(1, 5),
    count=st.integers(0, 20),
)
def test_a_buffer_holds_no_more_messages_than_its_bound(policy: Policy, limit: int, count: int) -> None:
    """Every queue has a bound."""
    reader = Reader(policy, max_messages=limit)
    for message in messages(*["x"] * count):
        reader.buffer.put(message)
    assert min(limit, count) == len(reader.buffer)
    assert (count >= limit) == reader.buffer.is_full


def test_the_bounds_are_those_of_the_contract() -> None:
    """1,024 messages or 4 MiB, whichever comes first."""
    assert (1024, 4 * 1024 * 1024) == (MAX_MESSAGES, MAX_BYTES)
    assert (MAX_MESSAGES, MAX_BYTES) == (Reader().buffer.max_messages, Reader().buffer.max_bytes)


def test_bytes_fill_a_buffer_too() -> None:
    """A few giant frames are as bad as a thousand small ones."""
    reader = Reader(Policy.DROP_NEWEST, max_bytes=10)
    for message in messages("x" * 6, "x" * 6, "x"):
        reader.buffer.put(message)
    assert [1, 2] == [message.seq for message in reader.messages()]
    assert 1 == reader.buffer.dropped


def test_reading_makes_room() -> None:
    """What was read counts no more, neither as a message nor in bytes."""
    reader = Reader(Policy.DROP_NEWEST, max_messages=2, max_bytes=4)
    for message in messages("aa", "bb", "cc", "dd", "ee"):
        reader.buffer.put(message)
        assert not reader.buffer.is_full or len(reader.buffer) == 2
        if reader.buffer.is_full:
            reader.buffer.take()
    assert 0 == reader.buffer.dropped


def test_drop_oldest_keeps_the_newest() -> None:
    """The oldest message makes room."""
    reader = Reader(Policy.DROP_OLDEST, max_messages=2)
    for message in messages("a", "b", "c", "d"):
        reader.buffer.put(message)
    assert [b"c", b"d"] == [message.raw for message in reader.messages()]
    assert 2 == reader.buffer.dropped


def test_making_room_drops_messages_and_leaves_the_events_before_them() -> None:
    """A consumer that was told of an interruption keeps that knowledge however slow it is."""
    reader = Reader(Policy.DROP_OLDEST, events=True, max_messages=1)
    reader.buffer.tell(Live(at=1.0))
    for message in messages("a", "b", "c"):
        reader.buffer.put(message)
    assert [Live(at=1.0)] == [item for item in reader.read() if isinstance(item, Live)]


def test_drop_newest_keeps_the_oldest() -> None:
    """The new message is not taken."""
    reader = Reader(Policy.DROP_NEWEST, max_messages=2)
    for message in messages("a", "b", "c", "d"):
        reader.buffer.put(message)
    assert [b"a", b"b"] == [message.raw for message in reader.messages()]
    assert 2 == reader.buffer.dropped


def test_latest_keeps_the_newest_frame_of_each_stream() -> None:
    """Several streams in one buffer: a busy one replaces its own frames and nobody else's."""
    reader = Reader(Policy.LATEST, max_messages=3)
    (quiet,) = messages("quiet", key="quiet")
    reader.buffer.put(quiet)
    for message in messages("a", "b", "c", "d", key="busy"):
        reader.buffer.put(message)
    assert [b"quiet", b"c", b"d"] == [message.raw for message in reader.messages()]
    assert (0, 2) == (reader.buffer.dropped, reader.buffer.conflated)


def test_what_latest_replaces_is_not_announced() -> None:
    """A newer state is no loss."""
    reader = Reader(Policy.LATEST, events=True, max_messages=1)
    for message in messages("a", "b", "c"):
        reader.buffer.put(message)
    assert [b"c"] == [item.raw if isinstance(item, Message) else item for item in reader.read()]


def test_a_gap_goes_on_to_the_frame_that_replaces_its_own() -> None:
    """`if message.gap: resync()` is all a consumer needs, even if the frame that carried the gap was replaced."""
    reader, other = Reader(Policy.LATEST, max_messages=1), Reader(Policy.LATEST)
    first, second, third = messages("a", "b", "c")
    first.gap = GAP
    for message in (first, second, third):
        reader.buffer.put(message)
        other.buffer.put(message)
    (got,) = reader.messages()
    assert (3, b"c", GAP) == (got.seq, got.raw, got.gap)
    assert [GAP, None, None] == [message.gap for message in other.messages()]


@pytest.mark.parametrize("policy", [Policy.DROP_OLDEST, Policy.DROP_NEWEST])
def test_the_message_behind_a_loss_carries_a_gap(policy: Policy) -> None:
    """`if message.gap: resync()` is all a consumer needs, also where it was too slow itself."""
    reader, other = Reader(policy, max_messages=1), Reader(policy)
    put = messages("a", "b", "c", "d")
    put[1].gap = GAP
    for message in put[:3]:
        reader.buffer.put(message)
        other.buffer.put(message)
    got = reader.messages()
    reader.buffer.put(put[3])
    got += reader.messages()
    (carrier,) = [message for message in got if message.gap is not None]
    assert carrier.gap is not None
    assert (3 if policy is Policy.DROP_OLDEST else 4) == carrier.seq
    assert {"reset", "too slow"} == {word for word in ("reset", "too slow") if word in carrier.gap.reason}
    assert [None, GAP, None] == [message.gap for message in other.messages()]


def test_the_byte_bound_holds_however_large_the_new_messages_are() -> None:
    """Small frames make room for large ones by as many as it takes."""
    reader = Reader(Policy.DROP_OLDEST, max_messages=100, max_bytes=1000)
    for message in messages(*["x" * 10] * 100, *["x" * 900] * 100):
        reader.buffer.put(message)
        assert reader.buffer._bytes <= 1000 + 900
    assert 2 >= len(reader.messages())


def test_fail_ends_the_consumer_at_the_first_loss_and_leaves_what_came_before() -> None:
    """Nobody acts on a stream with a hole in it, and nothing before the hole is lost."""
    reader = Reader(Policy.FAIL, max_messages=2)
    for message in messages("a", "b", "c", "d"):
        reader.buffer.put(message)
    assert reader.buffer.failed
    assert 1 <= reader.buffer.dropped
    assert [b"a", b"b"] == [message.raw for message in reader.messages()]


def test_block_loses_nothing_that_was_read_already() -> None:
    """Reading pauses when it is full; what had come out of the kernel by then still arrives."""
    reader = Reader(Policy.BLOCK, max_messages=1)
    for message in messages("a", "b", "c"):
        reader.buffer.put(message)
    assert reader.buffer.is_full
    assert [b"a", b"b", b"c"] == [message.raw for message in reader.messages()]
    assert 0 == reader.buffer.dropped


def test_a_loss_is_announced_once_even_if_nothing_comes_after_it() -> None:
    """A consumer that empties its buffer knows at the end how many it missed."""
    reader = Reader(Policy.DROP_NEWEST, events=True, max_messages=1)
    for message in messages("a", "b", "c"):
        reader.buffer.put(message)
    first, second = reader.read()
    assert isinstance(first, Message)
    assert Lagged(dropped=2) == second
    assert [] == reader.read()


def test_a_loss_is_announced_before_the_message_that_follows_it() -> None:
    """In order with the data."""
    reader = Reader(Policy.DROP_NEWEST, events=True, max_messages=1)
    first, second, third = messages("a", "b", "c")
    reader.buffer.put(first)
    reader.buffer.put(second)
    assert first is reader.buffer.take()
    reader.buffer.put(third)
    lagged, message = reader.read()
    assert Lagged(dropped=1) == lagged
    assert isinstance(message, Message)
    assert (third.seq, third.raw) == (message.seq, message.raw)


def test_who_did_not_ask_for_events_gets_none() -> None:
    """A plain loop over messages meets messages only."""
    reader = Reader(Policy.DROP_OLDEST, max_messages=1)
    reader.buffer.tell(Interrupted(since=1.0, cause="reset"))
    for message in messages("a", "b"):
        reader.buffer.put(message)
    assert [b"b"] == [item.raw if isinstance(item, Message) else item for item in reader.read()]


def test_what_is_buffered_can_be_read_after_the_end() -> None:
    """An end is read in its place, after the data; nothing is taken after it."""
    reader = Reader(events=True)
    first, second = messages("a", "b")
    reader.buffer.put(first)
    reader.buffer.tell(Closed(by="x"))
    reader.buffer.close(reason := SubscriptionClosedError("ended"))
    reader.buffer.close(SubscriptionClosedError("again"))
    reader.buffer.put(second)
    reader.buffer.tell(Live(at=1.0))
    assert reason is reader.buffer.closed
    assert [first, Closed(by="x")] == reader.read()


def test_a_buffer_does_not_wake_its_consumer_by_itself() -> None:
    """The dispatcher wakes each consumer once for a batch, not once for a message."""
    reader = Reader(events=True)
    for message in messages("a", "b"):
        reader.buffer.put(message)
    reader.buffer.tell(Live(at=1.0))
    assert 0 == reader.woken


@pytest.mark.parametrize(
    ("subscription_type", "policy"),
    [(TICKER, Policy.LATEST), (TRADES, Policy.DROP_OLDEST), (FILLS, Policy.FAIL), (ORDERS, Policy.FAIL)],
)
def test_the_default_policy_follows_from_the_kind(
    subscription_type: SubscriptionType, policy: Policy
) -> None:
    """States conflate, public events drop, private events fail: nobody trades on a hole."""
    assert policy is default_policy(subscription_type)
