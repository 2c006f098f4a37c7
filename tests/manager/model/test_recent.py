"""The newest messages: what a reader that returns with its cursor can reach, and how much is kept for it."""

from __future__ import annotations

import gc
import weakref

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsmgr.manager.model.message import Message, Source
from wsmgr.manager.model.recent import MAX_AGE, MAX_BYTES, Recent, RecentPool


class Decoded(list[bytes]):
    """What a frame decodes to; it can be watched."""


SOURCE = Source(venue="v", type="t", key="k", subscription_id="k", decode=lambda raw: Decoded([raw]))


def message(seq: int, *, epoch: int = 0, at: float = 0.0, size: int = 1) -> Message:
    return Message(SOURCE, "t", seq, epoch, "v-1", at, b"x" * size)


def recent(*messages: Message) -> Recent:
    found = Recent()
    for each in messages:
        found.append(each)
    return found


def cursors(found: list[Message] | None) -> list[tuple[int, int]] | None:
    return None if found is None else [(each.epoch, each.seq) for each in found]


def test_a_reader_gets_what_came_after_its_cursor() -> None:
    """In order, without the message that it had."""
    kept = recent(message(1), message(2), message(3))
    assert [(0, 2), (0, 3)] == cursors(kept.after(0, 1))
    assert [(0, 1), (0, 2), (0, 3)] == cursors(kept.after(0, 0))


def test_a_reader_that_has_the_newest_message_misses_nothing() -> None:
    """Even where that message is not kept any more: nothing came after it."""
    kept = recent(message(1), message(2))
    assert [] == kept.after(0, 2)
    kept.prune(MAX_AGE + 1)
    assert 0 == len(kept)
    assert [] == kept.after(0, 2)
    assert kept.after(0, 1) is None


def test_a_cursor_behind_what_is_kept_is_not_covered() -> None:
    """Where something after it was forgotten, the reader is not told that it has everything."""
    kept = recent(message(1, at=0.0), message(2, at=0.0), message(3, at=9.0))
    kept.prune(MAX_AGE + 5)
    assert [3] == [each.seq for each in kept]
    assert [(0, 3)] == cursors(kept.after(0, 2))
    assert kept.after(0, 1) is None


@pytest.mark.parametrize(("epoch", "seq"), [(0, 2), (2, 1), (1, 3)])
def test_a_cursor_of_another_numbering_or_of_the_future_is_not_covered(epoch: int, seq: int) -> None:
    """Its numbers say nothing about these messages."""
    kept = recent(message(1, epoch=1), message(2, epoch=1))
    assert kept.after(epoch, seq) is None


def test_nothing_covers_a_cursor_before_the_first_message() -> None:
    """Whether anything came before it, an empty memory does not know."""
    assert Recent().after(0, 0) is None


def test_a_numbering_that_starts_again_is_told_apart() -> None:
    """A cursor reaches the messages of its own numbering, where that is the newest."""
    kept = recent(message(7, epoch=0), message(8, epoch=0), message(1, epoch=1), message(2, epoch=1))
    assert [(1, 1), (1, 2)] == cursors(kept.after(1, 0))
    assert [(1, 2)] == cursors(kept.after(1, 1))
    assert kept.after(0, 7) is None


def test_a_message_is_kept_for_so_long() -> None:
    """A message goes when it is older than the limit, and not before."""
    kept = recent(message(1, at=100.0), message(2, at=101.0))
    kept.prune(100.0 + MAX_AGE)
    assert [1, 2] == [each.seq for each in kept]
    kept.prune(100.5 + MAX_AGE)
    assert [2] == [each.seq for each in kept]
    assert 1 == kept.bytes


def test_messages_of_just_so_many_bytes_are_kept() -> None:
    """The limit itself is allowed."""
    assert [1, 2] == [each.seq for each in recent(message(1), message(2, size=MAX_BYTES - 1))]
    assert [2] == [each.seq for each in recent(message(1), message(2, size=MAX_BYTES))]


@settings(max_examples=100, deadline=None)
@given(sizes=st.lists(st.integers(1, MAX_BYTES // 3) | st.just(MAX_BYTES + 1), max_size=20))
def test_the_newest_messages_that_fit_are_kept(sizes: list[int]) -> None:
    """Never more bytes than the limit, and never fewer messages than fit."""
    kept = Recent()
    for seq, size in enumerate(sizes, start=1):
        kept.append(message(seq, size=size))
    fit = 0
    while fit < len(sizes) and sum(sizes[len(sizes) - fit - 1 :]) <= MAX_BYTES:
        fit += 1
    assert list(range(len(sizes) - fit + 1, len(sizes) + 1)) == [each.seq for each in kept]
    assert sum(sizes[len(sizes) - fit :]) == kept.bytes
    if sizes:
        assert [] == kept.after(0, len(sizes))
        assert fit == len(kept.after(0, len(sizes) - fit) or [])
        assert fit == len(sizes) or kept.after(0, len(sizes) - fit - 1) is None


def test_what_a_consumer_decodes_is_not_kept_with_the_frame() -> None:
    """A decoded payload is many times as large as its frame: it lives as long as the consumer's message."""
    given_out = message(1)
    kept = recent(given_out)
    decoded = weakref.ref(given_out.data)
    del given_out
    gc.collect()
    assert decoded() is None
    assert 1 == len(kept)


def test_the_frame_is_kept_as_it_is_and_not_copied() -> None:
    """The consumers' buffers and this memory share the venue's bytes."""
    given_out = message(1, size=100)
    assert [True] == [each.raw is given_out.raw for each in recent(given_out)]


def test_together_they_keep_no_more_than_their_limit() -> None:
    """The oldest go first, whose they ever are."""
    one = recent(message(1, at=1.0, size=10), message(2, at=4.0, size=10), message(3, at=5.0, size=10))
    other = recent(message(1, at=2.0, size=10), message(2, at=3.0, size=10))
    pool = RecentPool(max_bytes=25)
    pool.prune([one, Recent(), other], 6.0)
    assert [2, 3] == [each.seq for each in one]
    assert [] == list(other)
    assert 20 == pool.bytes
    assert [] == other.after(0, 2)
    assert other.after(0, 1) is None


def test_together_they_keep_all_that_is_within_their_limit() -> None:
    """Nothing goes that need not."""
    one, other = recent(message(1, size=10)), recent(message(1, size=15))
    pool = RecentPool(max_bytes=25)
    pool.prune([one, other], MAX_AGE)
    assert [1, 1, 25] == [len(one), len(other), pool.bytes]
    pool.prune([other], MAX_AGE)
    assert 15 == pool.bytes


def test_looking_after_all_of_them_forgets_what_is_too_old() -> None:
    """Silent subscriptions give their memory back."""
    kept = [recent(message(1, at=float(number))) for number in range(5)]
    pool = RecentPool()
    pool.prune(kept, MAX_AGE + 3)
    assert [0, 0, 0, 1, 1] == [len(each) for each in kept]
    assert 2 == pool.bytes


@settings(max_examples=100, deadline=None)
@given(
    streams=st.lists(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 30)), max_size=8), max_size=6),
    limit=st.integers(0, 300),
)
def test_the_oldest_of_all_go_until_the_limit_holds(streams: list[list[tuple[int, int]]], limit: int) -> None:
    """What is kept is the newest of all that fits, and each stream keeps its newest part."""
    members: list[Recent] = []
    times: list[list[int]] = []
    for stream in streams:
        ordered = sorted(stream)
        times.append([at for at, _ in ordered])
        members.append(
            recent(
                *(message(seq, at=float(at), size=size) for seq, (at, size) in enumerate(ordered, start=1))
            )
        )
    pool = RecentPool(max_bytes=limit)
    pool.prune(members, 50.0)
    assert sum(each.bytes for each in members) == pool.bytes <= limit
    dropped = [
        at for member, each in zip(members, times, strict=True) for at in each[: len(each) - len(member)]
    ]
    left = [each.received_at for member in members for each in member]
    assert not dropped or not left or max(dropped) <= min(left)
    if dropped:
        smallest_dropped = max(dropped)
        sizes = [size for stream in streams for at, size in stream if at == smallest_dropped]
        assert pool.bytes + max(sizes) > limit
