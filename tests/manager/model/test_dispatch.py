"""Dispatch: from a batch of frames to the consumers' buffers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.manager.model.catalog import BOOK, FILLS, ORDERS, TICKER, TRADES, atom
from tests.manager.model.world import WALL, Reader, World, classify, data

from wsmgr.manager.model.continuity import Live
from wsmgr.manager.model.delivery import Buffer, Policy
from wsmgr.manager.model.dispatch import SAMPLE_BYTES, SAMPLES, Dispatcher
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.frame import Ack, Data, Frame, Pong, Refusal, RefusalKind, Unroutable
from wsmgr.manager.model.message import Message
from wsmgr.manager.model.subscription import Entry, State

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection

A, B = atom(TICKER, coin="A"), atom(TICKER, coin="B")
TRADES_A = atom(TRADES, coin="A")


def socket_of(entry: Entry) -> Connection:
    """The connection on which it sits."""
    assert entry.connection is not None
    return entry.connection


def live_with(world: World, *readers: Reader) -> Entry:
    """The ticker of A, live, with its readers; nothing is unread."""
    entry = world.make_live(A)
    for reader in readers:
        world.registry.hold(entry, reader.buffer)
        reader.read()
        reader.woken = 0
    return entry


def test_every_reader_of_a_subscription_gets_each_message_in_order() -> None:
    """Two readers, one wire subscription: both see everything, and the same message."""
    world, first, second = World(), Reader(), Reader()
    entry = live_with(world, first, second)
    world.deliver(entry, *[data(A, entry.key, number) for number in range(5)])
    got, also = first.messages(), second.messages()
    assert [2, 3, 4, 5, 6] == [message.seq for message in got]
    assert [data(A, entry.key, number) for number in range(5)] == [message.raw for message in got]
    assert all(one is other for one, other in zip(got, also, strict=True))


def test_a_message_says_where_it_comes_from() -> None:
    """Venue, type, key, id, connection, time and the venue's own time and number, without decoding the frame."""
    world = World()
    entry = live_with(world, reader := Reader())
    world.now = 5.0
    dispatcher = Dispatcher(
        world.registry,
        socket_of(entry),
        classify=lambda _: Data(A.wire_key, snapshot=True, venue_time=77.5, venue_seq=9),
        on_control=lambda _: None,
        monotonic=lambda: world.now,
        wall=lambda: world.wall,
    )
    dispatcher([b"frame"])
    (message,) = reader.messages()
    assert ("v", "ticker", entry.key, entry.id) == (
        message.venue,
        message.type,
        message.key,
        message.subscription_id,
    )
    assert ("ticker", "v-1", WALL + 5.0) == (message.channel, message.connection, message.received_at)
    assert (77.5, 9, True, False) == (
        message.venue_time,
        message.venue_seq,
        message.snapshot,
        message.replayed,
    )
    assert (b"frame", "frame") == (message.raw, message.data)


def test_each_reader_is_woken_once_for_a_batch() -> None:
    """A hundred frames of one wake-up are one wake-up of the reader; whoever got nothing sleeps on."""
    world, busy, quiet = World(), Reader(), Reader()
    entry = live_with(world, busy)
    other = world.make_live(B)
    world.registry.hold(other, quiet.buffer)
    quiet.woken = 0
    world.deliver(entry, *[data(A, entry.key, number) for number in range(100)])
    assert (1, 0) == (busy.woken, quiet.woken)
    world.deliver(entry, data(A, entry.key), data(B, other.key), data(A, entry.key))
    assert (2, 1) == (busy.woken, quiet.woken)


def test_an_inbox_of_several_streams_is_woken_once_for_a_batch() -> None:
    """One buffer, many subscriptions, one wake-up."""
    world, inbox = World(), Reader()
    entry = live_with(world, inbox)
    other = world.make_live(B)
    world.registry.hold(other, inbox.buffer)
    inbox.read()
    inbox.woken = 0
    world.deliver(entry, data(A, entry.key), data(B, other.key))
    assert 1 == inbox.woken
    assert [entry.key, other.key] == [message.key for message in inbox.messages()]


def test_a_frame_reaches_only_the_subscriptions_of_its_own_connection() -> None:
    """Two variants of one book on two sockets never mix, though their frames look alike."""
    world = World()
    wishes = [atom(BOOK, coin="A", depth=depth) for depth in (5, 10, 20)]
    readers = [Reader() for _ in wishes]
    entries = [world.hold(wish, reader)[0] for wish, reader in zip(wishes, readers, strict=True)]
    world.ask()
    assert 3 == len({socket_of(entry).id for entry in entries})
    for entry in entries:
        world.acknowledge(entry)
    for entry in entries:
        world.deliver(entry, data(entry.atom, entry.key))
    assert [[data(entry.atom, entry.key)] for entry in entries] == [
        [message.raw for message in reader.messages()] for reader in readers
    ]


def test_the_first_frame_is_the_proof_even_before_the_acknowledgement() -> None:
    """A venue that sends data first is believed."""
    world, reader = World(), Reader(events=True)
    entry, _ = world.hold(A, reader)
    world.ask()
    states = [entry.state]
    world.deliver(entry, data(A, entry.key))
    states.append(entry.state)
    world.acknowledge(entry)
    states.append(entry.state)
    assert [State.SUBSCRIBING, State.LIVE, State.LIVE] == states
    live, message = reader.read()
    assert Live(at=WALL) == live
    assert isinstance(message, Message)
    assert 1 == message.seq


def test_a_quiet_stream_is_quiet_until_its_first_message() -> None:
    """`quiet` says that nothing has come yet, not that it is broken."""
    world, wish = World(), atom(ORDERS, user="u1")
    entry = world.make_live(wish)
    assert (State.LIVE, True) == (entry.state, entry.quiet)
    world.deliver(entry, data(wish, entry.key))
    assert (State.LIVE, False) == (entry.state, entry.quiet)


def test_the_first_frame_of_a_log_is_a_snapshot_whether_the_venue_says_so_or_not() -> None:
    """And only the first."""
    world, wish = World(), atom(FILLS, user="u1")
    entry, reader = world.hold(wish)
    world.ask()
    world.acknowledge(entry)
    world.deliver(entry, data(wish, entry.key, 1), data(wish, entry.key, 2))
    assert [True, False] == [message.snapshot for message in reader.messages()]


def test_every_message_is_counted() -> None:
    """Messages, bytes, first and last."""
    world = World(now=3.0)
    entry = world.make_live(A)
    world.now = 8.0
    world.deliver(entry, data(A, entry.key, 1), data(A, entry.key, 2))
    counters = entry.counters
    assert (3, 3 * len(data(A, entry.key))) == (counters.messages, counters.bytes)
    assert (WALL + 3.0, WALL + 8.0) == (counters.first_at, counters.last_at)
    assert counters.dirty


def test_the_gap_is_on_the_first_message_after_a_reconnect_and_on_no_other() -> None:
    """`if message.gap: resync()` runs once."""
    world = World()
    entry = live_with(world, reader := Reader())
    world.cut(socket_of(entry))
    world.now = 4.0
    world.ask()
    world.acknowledge(entry)
    world.deliver(entry, data(A, entry.key, 1), data(A, entry.key, 2))
    first, second = reader.messages()
    assert first.gap is not None
    assert (4.0, "reset", None) == (first.gap.duration, first.gap.reason, second.gap)
    assert (2, 3) == (first.seq, second.seq)


def test_late_frames_of_an_ended_stream_are_counted_and_given_to_no_one() -> None:
    """After an unsubscribe the venue may go on for a while; nobody else may ever see those events."""
    world, wish = World(), atom(ORDERS, user="u1")
    entry = world.make_live(wish)
    connection = socket_of(entry)
    world.registry.end(entry, by="test", now=world.now)
    other, reader = world.hold(atom(ORDERS, user="u2"))
    world.ask()
    world.acknowledge(other)
    world.dispatcher(connection)([data(wish, entry.key)])
    assert (1, 0) == (connection.late, connection.unrouted)
    assert [] == reader.read()
    assert 0 == entry.counters.messages


def test_the_same_stream_may_come_back_at_once_and_have_its_frames() -> None:
    """Late frames of the same key are its own."""
    world = World()
    entry = world.make_live(A)
    connection = socket_of(entry)
    world.registry.end(entry, by="test", now=world.now)
    again, reader = world.hold(A)
    assert again is not entry
    world.ask()
    assert connection is again.connection
    world.deliver(again, data(A, again.key, 7))
    assert [] == reader.read()
    world.acknowledge(again)
    world.deliver(again, data(A, again.key, 8))
    assert [(1, 1)] == [(message.seq, message.epoch) for message in reader.messages()]


def test_frames_that_nobody_wants_are_counted_sampled_and_harmless() -> None:
    """Drift of the protocol shows in the events, in a few samples; the stream goes on."""
    world = World()
    entry = live_with(world, reader := Reader())
    connection = socket_of(entry)
    frames = [b"data|ticker:Z|truth|1", b"\xff garbage" * 100, *[b"?"] * SAMPLES, data(A, entry.key)]
    world.notes.clear()
    dispatcher = Dispatcher(
        world.registry,
        connection,
        classify=lambda raw: Unroutable("unparsed") if raw.startswith(b"\xff") else classify(raw),
        on_control=lambda _: None,
        monotonic=lambda: 0.0,
        wall=lambda: WALL,
    )
    dispatcher(frames)
    assert (1, 1 + SAMPLES) == (connection.unrouted, connection.unparsed)
    assert 1 == len(reader.messages())
    samples = [note for note in world.notes if isinstance(note, Fact) and note.kind == "frame_not_used"]
    assert ["unrouted", "unparsed"] == [note.detail["why"] for note in samples][:2]
    assert SAMPLES == len(samples)
    assert 900 == samples[1].detail["bytes"]
    assert SAMPLE_BYTES >= len(samples[1].detail["frame"])


@given(
    st.lists(
        st.sampled_from(
            ["data", "ack|subscribe|v/trades?coin=A", "already|v/trades?coin=A", "users", "pong"]
        ),
        max_size=12,
    )
)
def test_control_frames_are_handled_in_their_place_among_the_data(script: list[str]) -> None:
    """An acknowledgement and the frame behind it are never seen the other way round."""
    world = World()
    entry = world.make_live(A)
    before = entry.seq
    seen: list[tuple[Frame, int]] = []
    dispatcher = Dispatcher(
        world.registry,
        socket_of(entry),
        classify=classify,
        on_control=lambda frame: seen.append((frame, entry.seq - before)),
        monotonic=lambda: 0.0,
        wall=lambda: WALL,
    )
    dispatcher([data(A, entry.key) if step == "data" else step.encode() for step in script])
    expected = [
        (classify(step.encode()), script[:place].count("data"))
        for place, step in enumerate(script)
        if step != "data"
    ]
    assert expected == seen
    assert script.count("data") == entry.seq - before


def test_each_kind_of_control_frame_is_handed_over_as_the_dialect_read_it() -> None:
    """Acknowledgements, refusals and pongs are the keeper's."""
    world = World()
    entry = world.make_live(A)
    seen: list[Frame] = []
    Dispatcher(
        world.registry,
        socket_of(entry),
        classify=classify,
        on_control=seen.append,
        monotonic=lambda: 0.0,
        wall=lambda: WALL,
    )([b"ack|unsubscribe|v/ticker?coin=B", b"users", b"pong"])
    assert [
        Ack("unsubscribe", "ticker", {"coin": "B"}),
        Refusal(RefusalKind.USERS, "too many users"),
        Pong(),
    ] == seen


class BrokenError(Exception):
    """What our own code raises in the tests."""


class BrokenBuffer(Buffer):
    """A bug in the delivery to one reader."""

    def put(self, message: Message) -> None:
        if not message.replayed:
            raise BrokenError


@pytest.mark.parametrize("place", [0, 1, 5])
def test_when_our_own_code_raises_the_connection_names_the_suspect(place: int) -> None:
    """Of a batch with many streams, the one whose frame was being handled is parked, and no other."""
    world = World()
    entry, other = world.make_live(A), world.make_live(B)
    connection = socket_of(entry)
    frames = [data(A, entry.key)] * 8
    frames[place] = data(B, other.key)
    world.registry.hold(other, BrokenBuffer(Policy.LATEST, lambda: None))
    with pytest.raises(BrokenError):
        world.deliver(entry, *frames)
    assert other is connection.handling


def test_nobody_is_suspected_after_a_batch_that_went_well() -> None:
    """A crash between two batches has no suspect."""
    world = World()
    entry = world.make_live(TRADES_A)
    world.deliver(entry, data(TRADES_A, entry.key), b"pong")
    assert socket_of(entry).handling is None


def test_what_is_no_data_is_blamed_on_nobody() -> None:
    """A crash in the handling of an acknowledgement does not park the stream whose frame came before it."""
    world = World()
    entry = world.make_live(A)

    def explode(_: Frame) -> None:
        raise BrokenError

    dispatcher = Dispatcher(
        world.registry,
        socket_of(entry),
        classify=classify,
        on_control=explode,
        monotonic=lambda: 0.0,
        wall=lambda: WALL,
    )
    with pytest.raises(BrokenError):
        dispatcher([data(A, entry.key), b"pong"])
    assert socket_of(entry).handling is None


def test_a_frame_on_which_the_dialect_raises_costs_that_frame_alone() -> None:
    """It never should; if it does, the frames beside it are delivered, and what it said is on record."""
    world = World()
    entry, reader = world.hold(A)
    world.ask()
    world.acknowledge(entry)

    def stumble(raw: bytes) -> Frame:
        if raw == b"odd":
            raise ValueError("no digits")
        return classify(raw)

    dispatch = Dispatcher(
        world.registry,
        socket_of(entry),
        classify=stumble,
        on_control=lambda _: None,
        monotonic=lambda: world.now,
        wall=lambda: world.wall,
    )
    dispatch([data(A, entry.key, 1), b"odd", data(A, entry.key, 2)])
    assert [1, 2] == [message.seq for message in reader.messages()]
    assert (1, None) == (socket_of(entry).unparsed, socket_of(entry).handling)
    (fact,) = [note for note in world.notes if isinstance(note, Fact) and note.kind == "frame_not_used"]
    assert ("ValueError: no digits", "odd") == (fact.detail["why"], fact.detail["frame"])
