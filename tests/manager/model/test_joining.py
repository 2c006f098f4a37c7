"""Joining: who comes late gets the state first, without hole or overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.manager.model.catalog import FILLS, ORDERS, TICKER, atom
from tests.manager.model.world import World, data, join, messages

from wsmgr.manager.model.errors import WsmgrError
from wsmgr.manager.model.joining import COMPACT_BYTES, Log, log_for, replay
from wsmgr.manager.model.subscription_type import Atom, FirstProof, Join, Kind, SubscriptionType

if TYPE_CHECKING:
    from collections.abc import Sequence


class Composer:
    """Composes by joining with `+`, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, frames: Sequence[bytes]) -> bytes:
        self.calls += 1
        return join(frames)


@given(st.lists(st.booleans(), max_size=200))
def test_a_logs_state_is_the_newest_snapshot_and_all_that_came_since(snapshots: list[bool]) -> None:
    """However often the log was compacted on the way, nothing is lost and nothing old comes back."""
    log, expected = Log(Composer()), list[bytes]()
    for number, snapshot in enumerate(snapshots):
        raw = str(number).encode()
        expected = [raw] if snapshot else [*expected, raw]
        log.record(raw, snapshot=snapshot)
    state = log.state()
    assert (join(expected) if expected else None) == (state[0] if state is not None else None)
    assert state is None or (len(expected) > 1) == state[1]


def test_a_snapshot_alone_is_given_as_it_came() -> None:
    """What the venue sent is not composed, and not a byte of it is touched."""
    composer = Composer()
    log = Log(composer)
    log.record(b"snapshot", snapshot=True)
    assert (b"snapshot", False) == log.state()
    assert 0 == composer.calls


def test_asking_for_the_state_again_composes_nothing_again() -> None:
    """Ten late consumers in a row cost one composition."""
    composer = Composer()
    log = Log(composer)
    for number in range(5):
        log.record(str(number).encode(), snapshot=number == 0)
    assert [(b"0+1+2+3+4", True)] * 10 == [log.state() for _ in range(10)]
    assert 1 == composer.calls


@given(state=st.integers(1, 4 * COMPACT_BYTES), size=st.integers(1, 1000), frames=st.integers(0, 1000))
def test_compacting_costs_each_frame_a_constant_share(state: int, size: int, frames: int) -> None:
    """A state of two thousand fills is not put together again for every fill."""
    composer = Composer()
    log = Log(composer)
    log.record(b"x" * state, snapshot=True)
    for _ in range(frames):
        log.record(b"y" * size, snapshot=False)
    assert composer.calls <= frames * size / max(state, COMPACT_BYTES)


def test_a_log_is_compacted_when_as_much_came_as_its_state_holds() -> None:
    """It stays small however long the stream runs."""
    log = Log(keep_newest)
    log.record(b"0" * 100_000, snapshot=True)
    for _ in range(5000):
        log.record(b"1" * 1000, snapshot=False)
        assert sum(map(len, log._frames)) <= 201_000


def keep_newest(frames: Sequence[bytes]) -> bytes:
    """Composes what fits into 100,000 bytes, as `log_limit` does with items."""
    return b"".join(frames)[-100_000:]


def test_a_log_whose_frames_cannot_be_put_together_is_given_up_and_told() -> None:
    """The venue changed their shape: every reader still gets each frame, and nobody gets an invented state."""

    def refuse(_: Sequence[bytes]) -> bytes:
        raise WsmgrError("not a list")

    told: list[WsmgrError] = []
    log = Log(refuse, on_give_up=told.append)
    log.record(b"a", snapshot=True)
    log.record(b"b", snapshot=False)
    assert log.state() is None
    assert ["not a list"] == [str(error) for error in told]
    log.record(b"c", snapshot=True)
    assert (b"c", False) == log.state()


def test_a_cleared_log_begins_anew() -> None:
    """Nothing of a former life is given to anybody."""
    log = Log(Composer())
    log.record(b"a", snapshot=True)
    log.record(b"b", snapshot=False)
    log.clear()
    assert log.state() is None
    log.record(b"c", snapshot=True)
    assert (b"c", False) == log.state()


@pytest.mark.parametrize("how", list(Join))
def test_nothing_is_replayed_of_a_stream_that_has_not_begun(how: Join) -> None:
    """No state is better than an invented one."""
    assert replay(how, None, Log(Composer())) is None


def test_the_newest_frame_is_the_state_where_the_type_says_so() -> None:
    """It carries its own number and does not advance it."""
    (last,) = messages("state")
    last.seq, last.epoch, last.venue_time = 41, 3, 99.5
    message = replay(Join.LAST, last, None)
    assert message is not None
    assert message is not last
    assert (41, 3, b"state", 99.5, last.received_at) == (
        message.seq,
        message.epoch,
        message.raw,
        message.venue_time,
        message.received_at,
    )
    assert (True, True, False, None) == (message.snapshot, message.replayed, message.composed, message.gap)
    assert (False, False) == (last.snapshot, last.replayed)


def test_a_stream_of_pure_events_replays_nothing() -> None:
    """An event is not a state."""
    (last,) = messages("event")
    assert replay(Join.NONE, last, None) is None


@pytest.mark.parametrize("how", list(Join))
def test_only_what_is_made_of_several_frames_keeps_a_log(how: Join) -> None:
    """A log costs memory: a stream whose newest frame says all, or whose frames are no state, keeps none."""
    log = log_for(how, Composer(), lambda _: None)
    assert (how in {Join.LOG, Join.FOLD}) == (log is not None) == how.keeps_log
    assert log is None or (how is Join.FOLD) == log.needs_snapshot


def test_a_folded_state_begins_with_the_whole() -> None:
    """A change says nothing without what it changes: before the whole has come there is nothing to replay."""
    log = log_for(Join.FOLD, Composer(), lambda _: None)
    (last,) = messages("change")
    assert log is not None
    log.record(b"change", snapshot=False)
    assert replay(Join.FOLD, last, log) is None
    log.record(b"whole", snapshot=True)
    log.record(b"change", snapshot=False)
    message = replay(Join.FOLD, last, log)
    assert message is not None
    assert (b"whole+change", True, True, True) == (
        message.raw,
        message.snapshot,
        message.replayed,
        message.composed,
    )


def test_a_change_that_cannot_be_read_costs_the_state_until_the_next_whole() -> None:
    """The stream goes on; who comes late gets nothing rather than a state with a change missing."""

    def refuse(_: Sequence[bytes]) -> bytes:
        raise WsmgrError("not base64")

    told: list[WsmgrError] = []
    log = log_for(Join.FOLD, refuse, told.append)
    assert log is not None
    log.record(b"whole", snapshot=True)
    log.record(b"damaged", snapshot=False)
    assert log.state() is None
    log.record(b"change", snapshot=False)
    assert log.state() is None
    assert 1 == len(told)
    log.record(b"whole", snapshot=True)
    assert (b"whole", False) == log.state()


def test_a_late_reader_of_a_log_gets_one_snapshot_and_then_the_live_frames() -> None:
    """The venue sent the snapshot once; the second reader sees neither a hole nor an overlap."""
    world, wish = World(), atom(FILLS, user="u1")
    entry = world.make_live(wish)
    world.deliver(entry, data(wish, entry.key, 1), data(wish, entry.key, 2))
    _, reader = world.hold(wish)
    world.deliver(entry, data(wish, entry.key, 3))
    state, live = reader.messages()
    assert join([data(wish, entry.key, number) for number in range(3)]) == state.raw
    assert (3, True, True, True) == (state.seq, state.snapshot, state.replayed, state.composed)
    assert (4, False, data(wish, entry.key, 3)) == (live.seq, live.replayed, live.raw)
    assert 4 == entry.seq


def test_a_late_reader_is_woken_for_the_state() -> None:
    """It does not wait for the next frame of a stream that may be silent for an hour."""
    world, wish = World(), atom(TICKER, coin="A")
    world.make_live(wish)
    _, reader = world.hold(wish)
    assert 1 == reader.woken
    assert [True] == [message.replayed for message in reader.messages()]


def test_the_first_reader_gets_nothing_twice() -> None:
    """Who was there from the start sees the venue's snapshot as it came, and no replay of it."""
    world, wish = World(), atom(FILLS, user="u1")
    entry, reader = world.hold(wish)
    world.ask()
    world.acknowledge(entry)
    world.deliver(entry, data(wish, entry.key))
    (message,) = reader.messages()
    assert (1, True, False, False) == (message.seq, message.snapshot, message.replayed, message.composed)


def test_nothing_old_is_replayed_while_the_stream_is_interrupted() -> None:
    """A state of before the loss is not given as if it were the present one."""
    world, wish = World(), atom(TICKER, coin="A")
    entry = world.make_live(wish)
    assert entry.connection is not None
    world.cut(entry.connection)
    _, reader = world.hold(wish)
    assert [] == reader.read()


def test_the_snapshot_after_a_reconnect_replaces_the_log() -> None:
    """A new socket knows nothing of the old: its first frame is the state, whether the venue says so or not."""
    world, wish = World(), atom(FILLS, user="u1")
    entry = world.make_live(wish)
    assert entry.connection is not None
    world.deliver(entry, data(wish, entry.key, 1))
    world.cut(entry.connection)
    world.ask()
    world.acknowledge(entry)
    world.deliver(entry, data(wish, entry.key, 7))
    _, reader = world.hold(wish)
    (state,) = reader.messages()
    assert (data(wish, entry.key, 7), False) == (state.raw, state.composed)


def test_pure_events_begin_with_the_next_event() -> None:
    """There is nothing to replay of a stream of orders."""
    world, wish = World(), atom(ORDERS, user="u1")
    entry = world.make_live(wish)
    world.deliver(entry, data(wish, entry.key, 1))
    _, reader = world.hold(wish)
    assert [] == reader.read()


def test_a_state_of_the_old_socket_is_not_given_as_the_present_one() -> None:
    """What came before a gap is either withheld or says so."""
    world = World()
    quiet = SubscriptionType(name="candle", channel=("candle",), first_proof=FirstProof.ACK, kind=Kind.STATE)
    wish = Atom(type=quiet, params={}, wire_key="candle")
    entry = world.make_live(wish)
    world.deliver(entry, data(wish, entry.key))
    assert entry.connection is not None
    world.cut(entry.connection)
    world.ask()
    world.acknowledge(entry)
    _, reader = world.hold(wish)
    assert all(message.gap is not None for message in reader.messages())
