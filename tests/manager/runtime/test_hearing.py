"""Hearing: the marks that say until when each stream was heard."""

from __future__ import annotations

import pytest
from tests.manager.model.catalog import TICKER, atom
from tests.manager.model.world import URLS, World

from wsmgr.manager.model.connection import Connection, Purpose, Second, Stage
from wsmgr.manager.model.inbound import Inbound, Moment
from wsmgr.manager.model.subscription import Entry, State
from wsmgr.manager.runtime.hearing import SILENCE, Hearing
from wsmgr.manager.store.changes import FLUSHED, SILENT, Mark, Unmark

NOW = 1_700_000_000.0


def socket(heard_at: float | None) -> Connection:
    """Return a connection whose last byte came at a time."""
    inbound = None if heard_at is None else Inbound(Moment(heard_at, heard_at))
    return Connection("v-1", "v", "api", URLS["api"], inbound=inbound)


def stream(coin: str, *, heard_at: float | None, state: State = State.LIVE) -> Entry:
    """Return a stream on a socket of its own."""
    entry = World().keep(atom(TICKER, coin=coin))
    entry.connection = socket(heard_at)
    entry.state = state
    return entry


def hear(entry: Entry, at: float) -> None:
    assert entry.connection is not None
    assert entry.connection.inbound is not None
    entry.connection.inbound.heard(Moment(at, entry.connection.inbound.last.monotonic + 0.1))


def test_a_silent_stream_has_a_mark_of_its_own_at_its_last_byte() -> None:
    """The others are covered by the one of all: it is no later than what any of them heard."""
    silent, stale = stream("A", heard_at=NOW - 17.0), stream("B", heard_at=NOW - 1.5, state=State.STALE)
    heard = stream("C", heard_at=NOW - 0.75)
    assert [
        Mark(FLUSHED, NOW - 0.75),
        Mark(SILENT + silent.id, NOW - 17.0),
        Mark(SILENT + stale.id, NOW - 1.5),
    ] == Hearing().marks([silent, stale, heard], NOW)


@pytest.mark.parametrize("state", [State.SUBSCRIBING, State.ACKNOWLEDGED, State.LOST, State.REJECTED])
def test_a_stream_that_does_not_deliver_has_no_mark(state: State) -> None:
    """It has never been live, or its gap is in the ledger."""
    assert [Mark(FLUSHED, NOW)] == Hearing().marks([stream("A", heard_at=NOW - 17.0, state=state)], NOW)


def test_a_socket_that_was_never_heard_marks_nothing() -> None:
    """Nothing is known of it that the mark of all does not say."""
    assert [Mark(FLUSHED, NOW)] == Hearing().marks([stream("A", heard_at=None)], NOW)


def test_the_mark_goes_when_the_stream_is_heard_again_or_is_no_more() -> None:
    """Once."""
    hearing = Hearing()
    back, ended = stream("A", heard_at=NOW - 5.0), stream("B", heard_at=NOW - 5.0)
    hearing.marks([back, ended], NOW)
    hear(back, NOW + 5.0)
    expected = [Mark(FLUSHED, NOW + 5.0), Unmark(SILENT + back.id), Unmark(SILENT + ended.id)]
    assert expected == hearing.marks([back], NOW + 5.0)
    assert [Mark(FLUSHED, NOW + 5.5)] == hearing.marks([stream("A", heard_at=NOW + 5.5)], NOW + 5.5)


def test_a_mark_is_written_again_only_where_it_is_much_later_or_earlier() -> None:
    """A thousand quiet streams cost nothing; one that was written too late would hide a part of the gap."""
    hearing = Hearing()
    quiet = stream("A", heard_at=NOW - 5.0)
    assert Mark(SILENT + quiet.id, NOW - 5.0) in hearing.marks([quiet], NOW)
    for heard_at in (NOW - 5.0, NOW - 4.5, NOW - 5.0 + SILENCE):
        hear(quiet, heard_at)
        assert [Mark(FLUSHED, NOW)] == hearing.marks([quiet], NOW)
    hear(quiet, NOW - 3.5)
    assert [Mark(FLUSHED, NOW), Mark(SILENT + quiet.id, NOW - 3.5)] == hearing.marks([quiet], NOW)
    # The wall clock was set back.
    hear(quiet, NOW - 3.75)
    assert [Mark(FLUSHED, NOW), Mark(SILENT + quiet.id, NOW - 3.75)] == hearing.marks([quiet], NOW)


@pytest.mark.parametrize(
    ("stage", "at"),
    [(Stage.JOINED, NOW), (Stage.ON_TRIAL, NOW - 17.0)],
    ids=["joined", "on trial"],
)
def test_what_is_heard_on_one_of_two_sides_is_heard(stage: Stage, at: float) -> None:
    """Where both deliver; a side on trial delivers nothing yet."""
    entry = stream("A", heard_at=NOW - 17.0)
    entry.second = Second(socket(NOW), Purpose.REDUNDANCY, "two were asked for", stage=stage)
    silent = [Mark(SILENT + entry.id, at)] if at < NOW else []
    assert [Mark(FLUSHED, NOW), *silent] == Hearing().marks([entry], NOW)


def test_two_sides_that_are_silent_were_heard_until_the_later_one() -> None:
    """Whatever came until then was given out, from one of them."""
    entry = stream("A", heard_at=NOW - 17.0)
    entry.second = Second(socket(NOW - 3.0), Purpose.REDUNDANCY, "two were asked for", stage=Stage.JOINED)
    assert [Mark(FLUSHED, NOW), Mark(SILENT + entry.id, NOW - 3.0)] == Hearing().marks([entry], NOW)


def test_what_may_not_have_been_written_is_written_again() -> None:
    """Marks, and that there are none: also of a stream whose mark was taken away by what was lost."""
    hearing = Hearing()
    silent, back = stream("A", heard_at=NOW - 5.0), stream("B", heard_at=NOW - 5.0)
    hearing.marks([silent, back], NOW)
    hear(back, NOW)
    expected = [Mark(FLUSHED, NOW), Unmark(SILENT + back.id)]
    assert expected == hearing.marks([silent, back], NOW)
    hearing.again([silent.id, back.id])
    assert [*expected, Mark(SILENT + silent.id, NOW - 5.0)] == hearing.marks([silent, back], NOW)


def test_the_marks_of_an_earlier_process_are_replaced_by_those_of_this_one() -> None:
    """A stream that is silent again has its own time; of the others nothing stays."""
    hearing = Hearing()
    silent = stream("A", heard_at=NOW - 5.0)
    hearing.adopt({silent.id: NOW - 100.0, "ended": NOW - 100.0})
    expected = [Mark(FLUSHED, NOW), Unmark(f"{SILENT}ended"), Mark(SILENT + silent.id, NOW - 5.0)]
    assert expected == hearing.marks([silent], NOW)


@pytest.mark.parametrize(
    ("stage", "at"), [(None, NOW - 9.0), (Stage.JOINED, NOW - 9.0), (Stage.ON_TRIAL, NOW)]
)
def test_a_stream_that_went_on_from_a_side_that_is_not_proved_was_heard_until_then(
    stage: Stage | None, at: float
) -> None:
    """If the process is killed now, nobody will ever learn what that side withheld; while it is on trial it still delivers itself."""
    entry = stream("A", heard_at=NOW)
    assert entry.connection is not None
    entry.unproved[entry.connection.id if stage is not None else "v-9"] = NOW - 9.0
    if stage is not None:
        entry.second = Second(socket(NOW), Purpose.REDUNDANCY, "two were asked for", stage=stage)
    silent = [Mark(SILENT + entry.id, at)] if at < NOW else []
    assert [Mark(FLUSHED, NOW), *silent] == Hearing().marks([entry], NOW)
