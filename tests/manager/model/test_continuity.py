"""Continuity: a gap begins at the last proof, ends at the first proof after it, and is told in order with the data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.manager.model.catalog import ORDERS, TICKER, TRADES, atom
from tests.manager.model.world import WALL, Reader, World, data, heard

from wsmgr.manager.model import progress
from wsmgr.manager.model.continuity import Gap, Interrupted, Interruption, Live, Resumed
from wsmgr.manager.model.fact import GapClosed, GapOpened
from wsmgr.manager.model.gaps import admit_gap
from wsmgr.manager.model.message import Message
from wsmgr.manager.model.subscription import Entry, State

SECONDS = st.floats(0.0, 1e5)


@given(away=SECONDS, step=st.floats(-1e6, 1e6))
def test_a_gaps_length_is_monotonic_whatever_the_wall_clock_did(away: float, step: float) -> None:
    """Setting the machine's clock makes no gap longer or shorter."""
    interruption = Interruption(since=WALL, since_monotonic=50.0, reason="reset", connection="v-1")
    gap = interruption.close(at=WALL + away + step, monotonic=50.0 + away, attempts=2)
    assert pytest.approx(away) == gap.duration
    assert pytest.approx(WALL + away) == gap.ended_at
    assert (WALL, "reset", "v-1", 2) == (gap.started_at, gap.reason, gap.connection, gap.attempts)


@given(away=SECONDS)
def test_a_gap_over_a_restart_is_measured_by_the_wall_clock(away: float) -> None:
    """The monotonic clock of another process means nothing."""
    gap = Interruption(since=WALL, since_monotonic=None, reason="restart").close(
        at=WALL + away, monotonic=1.0, attempts=0
    )
    assert pytest.approx(away, abs=1e-6) == gap.duration


def test_no_gap_is_shorter_than_nothing() -> None:
    """A clock set back over a restart gives a gap of no length, not a negative one."""
    gap = Interruption(since=WALL, since_monotonic=None, reason="restart").close(
        at=WALL - 5, monotonic=1.0, attempts=0
    )
    assert (0.0, WALL) == (gap.duration, gap.ended_at)


def cut_and_resume(world: World, entry: Entry, *, silent: float, away: float) -> None:
    """Lose the socket `silent` seconds after its last byte, and be acknowledged again `away` seconds later."""
    connection = entry.connection
    assert connection is not None
    # Its pings were answered until then.
    for seconds in range(-4, 1):
        heard(connection, world.wall + seconds, world.now + seconds)
    world.now += silent
    world.cut(connection, "no byte for 13 s")
    world.now += away
    world.ask()
    world.acknowledge(entry)


@given(silent=st.floats(0.0, 60.0), away=st.floats(0.0, 600.0))
def test_a_gap_begins_at_the_last_byte_and_ends_at_the_first_proof(silent: float, away: float) -> None:
    """Not at the moment of detection: what came in between may have been missed."""
    world = World(now=100.0)
    entry = world.make_live(atom(TRADES, coin="A"))
    cut_and_resume(world, entry, silent=silent, away=away)
    assert entry.gap is not None
    assert pytest.approx(WALL + 100.0) == entry.gap.started_at
    assert pytest.approx(silent + away) == entry.gap.duration == entry.counters.gap_seconds
    assert (1, "no byte for 13 s", "v-1") == (entry.gap.attempts, entry.gap.reason, entry.gap.connection)


def test_a_socket_without_a_byte_is_a_gap_since_it_opened() -> None:
    """Without an inbound byte the opening is the last proof."""
    world = World(now=10.0)
    entry = world.make_live(atom(TRADES, coin="A"))
    assert entry.connection is not None
    world.now = 17.0
    world.cut(entry.connection)
    assert entry.interruption is not None
    assert (WALL + 10.0, 10.0) == (entry.interruption.since, entry.interruption.since_monotonic)


def test_a_consumer_is_told_of_the_interruption_at_once_and_of_the_gap_in_order_with_the_data() -> None:
    """Interrupted at the moment of knowledge; then Live, the gap and Resumed before the first message after it."""
    world, wish = World(), atom(TICKER, coin="A")
    entry, reader = world.hold(wish, Reader(events=True))
    world.ask()
    world.acknowledge(entry)
    world.deliver(entry, data(wish, entry.key))
    assert [Live, Message] == [type(item) for item in reader.read()]
    cut_and_resume(world, entry, silent=0.0, away=3.0)
    assert [Interrupted(since=WALL, cause="no byte for 13 s")] == reader.read()
    world.deliver(entry, data(wish, entry.key))
    live, gap, resumed, message = reader.read()
    assert isinstance(gap, Gap)
    assert isinstance(message, Message)
    assert (Live(at=world.wall), Resumed(epoch=0, exact=False, gap=gap)) == (live, resumed)
    assert gap is message.gap


def test_the_ledger_gets_each_gap_once_open_and_once_closed() -> None:
    """A second drop before the first proof lengthens the open gap; it is no second one."""
    world = World()
    entry = world.make_live(atom(TICKER, coin="A"))
    cut_and_resume(world, entry, silent=0.0, away=5.0)
    cut_and_resume(world, entry, silent=0.0, away=5.0)
    world.deliver(entry, data(entry.atom, entry.key))
    opened = [note.interruption for note in world.notes if isinstance(note, GapOpened)]
    (closed,) = [note.gap for note in world.notes if isinstance(note, GapClosed)]
    assert 1 == len(opened)
    assert (opened[0].since, 10.0) == (closed.started_at, closed.duration)
    assert (1, 10.0, 1) == (entry.counters.gaps, entry.counters.gap_seconds, entry.counters.reconnects)


def test_two_gaps_without_a_message_between_are_one_on_the_next_message() -> None:
    """A quiet stream that was lost twice says so on the one message that comes."""
    world = World()
    entry = world.make_live(atom(ORDERS, user="u1"))
    for _ in range(2):
        cut_and_resume(world, entry, silent=1.0, away=4.0)
        world.now += 100.0
    world.deliver(entry, data(entry.atom, entry.key))
    assert entry.last is not None
    gap = entry.last.gap
    assert gap is not None
    assert (WALL, WALL + 110.0, 10.0, 2) == (gap.started_at, gap.ended_at, gap.duration, gap.attempts)
    assert 2 == entry.counters.gaps
    world.deliver(entry, data(entry.atom, entry.key))
    assert entry.last.gap is None


def test_what_was_never_live_has_no_gap() -> None:
    """Nothing can be missing from a stream that had not begun."""
    world = World()
    entry = world.keep(atom(TICKER, coin="A"))
    world.ask()
    assert entry.connection is not None
    world.cut(entry.connection)
    world.ask()
    world.acknowledge(entry)
    world.deliver(entry, data(entry.atom, entry.key))
    assert State.LIVE is entry.state
    assert (None, 0) == (entry.last and entry.last.gap, entry.counters.gaps)


def test_a_live_stream_that_fails_has_a_gap_since_its_last_message() -> None:
    """Parked is interrupted."""
    world = World()
    entry = world.make_live(atom(TICKER, coin="A"))
    world.now = 20.0
    progress.fail(world.registry, entry, "boom", alone=False, now=world.now)
    assert entry.interruption is not None
    assert (WALL, "boom") == (entry.interruption.since, entry.interruption.reason)
    assert 20.0 == entry.counters.live(500.0)


def test_a_socket_that_opened_when_the_clock_began_is_a_gap_since_then() -> None:
    """0.0 is a time."""
    world = World()
    entry = world.keep(atom(TRADES, coin="A"))
    world.ask()
    world.acknowledge(entry)
    assert entry.connection is not None
    world.now = 7.0
    world.cut(entry.connection)
    assert entry.interruption is not None
    assert 0.0 == entry.interruption.since_monotonic


def test_no_two_gaps_of_a_subscription_begin_at_one_moment() -> None:
    """What is found out of one later must not be taken for the other's."""
    world = World()
    entry = world.make_live(atom(ORDERS, user="u1"))
    for _ in range(3):
        interruption = Interruption(since=WALL, since_monotonic=0.0, reason="test")
        admit_gap(world.registry, entry, interruption, now=world.now + 2.0, wall=world.wall + 2.0)
    gaps = [note.gap for note in world.notes if isinstance(note, GapClosed)]
    assert 3 == len({gap.started_at for gap in gaps})
    assert all(WALL - 0.01 < gap.started_at <= WALL for gap in gaps)
    assert [2.0] * 3 == pytest.approx([gap.ended_at - WALL for gap in gaps])
