"""A reader that returns with its cursor misses nothing that is held, and is told exactly what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.manager.model.catalog import TRADES, atom
from tests.manager.model.world import WALL, Reader, World, data

from wsmgr.manager.model.continuity import Gap, Interrupted
from wsmgr.manager.model.errors import UsageError
from wsmgr.manager.model.fact import GapOpened
from wsmgr.manager.model.returning import NOT_HELD, OTHER_NUMBERING, Cursor

if TYPE_CHECKING:
    from wsmgr.manager.model.subscription import Entry

QUIET = atom(TRADES, coin="A")


def stream(count: int, *, forgotten: int = 0) -> tuple[World, Entry]:
    """A stream of so many messages, of which the first ones are not held any more."""
    world = World()
    world.registry.replays = True
    entry = world.make_live(QUIET)
    assert entry.recent is not None
    world.deliver(entry, *(data(QUIET, entry.key, number) for number in range(1, count + 1)))
    for _ in range(forgotten):
        entry.recent.drop_oldest()
    return world, entry


def come_back(world: World, entry: Entry, cursor: Cursor, *, events: bool = False) -> Reader:
    """A reader that returns with a cursor."""
    reader = Reader(events=events)
    world.registry.hold(entry, reader.buffer, after=cursor, wall=world.wall)
    return reader


@given(count=st.integers(1, 30), away=st.data())
def test_what_is_held_after_the_cursor_comes_exactly_once(count: int, away: st.DataObject) -> None:
    """For every cursor and every length of memory: what came since, or a gap of exactly what is missing and then the rest."""
    forgotten = away.draw(st.integers(0, count))
    had = away.draw(st.integers(0, count))
    world, entry = stream(count, forgotten=forgotten)
    reader = come_back(world, entry, Cursor(entry.epoch, had))
    world.deliver(entry, data(QUIET, entry.key, count + 1))
    messages = reader.messages()
    first = max(had, forgotten) + 1
    assert list(range(first, count + 2)) == [message.seq for message in messages]
    missing = first - had - 1
    gaps = [message.gap for message in messages]
    assert [None] * (len(gaps) - 1) == gaps[1:]
    assert (missing or None) == (gaps[0] and gaps[0].missing)


def test_the_gap_comes_before_the_messages_for_who_asked_for_events() -> None:
    """The order is the order of the stream."""
    world, entry = stream(5, forgotten=3)
    first, *rest = come_back(world, entry, Cursor(entry.epoch, 1), events=True).read()
    assert isinstance(first, Gap)
    assert 2 == first.missing
    assert 2 == len(rest)


@pytest.mark.parametrize("cursor", [Cursor(7, 1), Cursor(0, 99)])
def test_a_cursor_of_another_numbering_is_a_gap_of_unknown_size(cursor: Cursor) -> None:
    """The daemon was restarted meanwhile, or the cursor was never one of this stream."""
    world, entry = stream(5)
    (gap,) = come_back(world, entry, cursor, events=True).read()
    assert isinstance(gap, Gap)
    assert gap.missing is None


@pytest.mark.parametrize(("at", "since"), [(None, 0.0), (WALL - 13.5, -13.5), (WALL + 99.0, 3.0)])
def test_a_stream_that_begins_again_for_a_reader_has_a_gap_until_it_delivers(
    at: float | None, since: float
) -> None:
    """Since the reader had its last message, where it says when; a clock that is ahead of ours makes it no gap of the future."""
    world = World()
    entry, _ = world.registry.want("v", QUIET, wall=world.wall, epoch=3)
    world.now = 3.0
    reader = come_back(world, entry, Cursor(2, 7, at), events=True)
    (interrupted,) = reader.read()
    assert isinstance(interrupted, Interrupted)
    world.ask()
    world.now = 4.0
    world.acknowledge(entry)
    world.deliver(entry, data(QUIET, entry.key, 1))
    gaps = [item for item in reader.read() if isinstance(item, Gap)]
    assert [(WALL + since, WALL + 4.0, OTHER_NUMBERING)] == [
        (gap.started_at, gap.ended_at, gap.reason) for gap in gaps
    ]
    assert [WALL + since] == [note.interruption.since for note in world.notes if isinstance(note, GapOpened)]


def test_a_reader_that_says_when_it_had_its_last_message_is_told_no_more_than_it_missed() -> None:
    """Not since the stream began."""
    world, entry = stream(5, forgotten=5)
    world.now = 50.0
    (gap,) = (
        item
        for item in come_back(world, entry, Cursor(entry.epoch, 2, WALL + 30.0), events=True).read()
        if isinstance(item, Gap)
    )
    assert (WALL + 30.0, WALL + 50.0, NOT_HELD) == (gap.started_at, gap.ended_at, gap.reason)


def test_a_cursor_is_read_and_refused() -> None:
    """What is no cursor is said to be none, with an example."""
    assert Cursor(3, 17) == Cursor.parse("3:17")
    for wrong in ("", "3", "3:", "a:b", "-1:2", "1:2:3", "1 :2"):
        with pytest.raises(UsageError, match="0:1712"):
            Cursor.parse(wrong)
