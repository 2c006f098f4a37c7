"""History in memory: what waits for the disk, what stays, what is given up, and what is answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.store import history as history_module
from wsmgr.manager.store.changes import AddEvent, AddGap, apply
from wsmgr.manager.store.history import ENDED, EventsAsked, GapsAsked, History, Shelf, ended_gap
from wsmgr.manager.store.rows import EventRow, GapRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from wsmgr.manager.store.database import Database


def gap(number: int, *, closed: bool = False, **values: Any) -> GapRow:
    row = GapRow(id=number, subscription_id="a", started_at=float(number), reason="lost")
    ended = {"ended_at": number + 1.0, "duration_seconds": 1.0} if closed else {}
    return evolve(row, **{**ended, **values})


def event(number: int, **values: Any) -> EventRow:
    return evolve(EventRow(id=number, at=1.0, kind="live", subscription_id="a"), **values)


def numbers(rows: Sequence[GapRow | EventRow]) -> list[int | None]:
    return [row.id for row in rows]


def given_away(history: History) -> list[int | None]:
    """Return the numbers of what is given to the writer now."""
    rows = [change.row for change in history.give() if isinstance(change, AddGap | AddEvent)]
    return sorted(numbers(rows), key=lambda number: number or 0)


def test_what_happened_is_given_until_it_is_written() -> None:
    """A commit that failed is the next one again; what was written is not given twice."""
    history = History()
    history.put_gap(gap(1))
    history.put_event(event(2))
    assert (True, [1, 2], False) == (history.waits, given_away(history), history.waits)
    history.put_event(event(3))
    assert [1, 2, 3] == given_away(history)
    history.written()
    assert [] == given_away(history)


def test_a_gap_that_closes_while_it_is_being_written_is_written_again() -> None:
    """The row on the disk is the open one until then."""
    history = History()
    history.put_gap(gap(1))
    history.give()
    history.put_gap(gap(1, closed=True))
    history.written()
    (change,) = history.give()
    assert AddGap(gap(1, closed=True)) == change


def test_a_new_database_gets_what_is_known_here() -> None:
    """Also what was on the disk that is gone."""
    history = History()
    history.put_gap(gap(1))
    history.put_event(event(2))
    history.give()
    history.written()
    history.remember_event(event(3))
    history.again()
    assert [1, 2, 3] == given_away(history)


def test_only_the_newest_stay_after_they_were_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory does not grow with the history; open gaps stay."""
    monkeypatch.setattr(history_module, "NEWEST", 3)
    history = History()
    for number in range(1, 10):
        history.put_event(event(number))
        history.put_gap(gap(number, closed=number > 1))
        history.give()
        history.written()
    assert [9, 8, 7] == numbers(history.events(EventsAsked(), None))
    assert [9, 8, 7, 1] == numbers(history.gaps(GapsAsked(), None))
    assert (0, 0) == (history.events_lost, history.gaps_lost)


def test_what_is_given_up_is_the_oldest_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events do not push gaps out, and an open gap is never given up."""
    monkeypatch.setattr(history_module, "WAITING", 3)
    history = History()
    for number in range(1, 10):
        history.put_event(event(number))
        history.put_gap(gap(number))
    for number in range(1, 6):
        history.put_gap(gap(number, closed=True))
    assert (6, 2) == (history.events_lost, history.gaps_lost)
    assert [9, 8, 7] == numbers(history.events(EventsAsked(), None))
    assert [9, 8, 7, 6, 5, 4, 3] == numbers(history.gaps(GapsAsked(), None))


def test_much_that_waits_is_given_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop is not held up by what a long outage left."""
    monkeypatch.setattr(history_module, "AT_ONCE", 4)
    history = History()
    for number in range(1, 11):
        history.put_event(event(number))
    parts = []
    while history.waits:
        parts.append(given_away(history))
        history.written()
    assert [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10]] == parts


def test_an_answer_is_what_the_database_and_the_memory_say_together(database: Database) -> None:
    """Newest first, the memory's word last, and pages without a hole."""
    with database.transaction():
        apply(
            database,
            [AddGap(gap(1)), AddGap(gap(2)), AddGap(gap(3)), *map(AddEvent, map(event, range(1, 4)))],
        )
    history = History()
    history.put_gap(gap(2, closed=True))
    history.put_gap(gap(4, subscription_id="b"))
    history.put_event(event(4, kind="lost"))

    def gaps(**asked: Any) -> list[GapRow]:
        question = GapsAsked(**asked)
        return history.gaps(question, question.of(database))

    def events(**asked: Any) -> list[EventRow]:
        question = EventsAsked(**asked)
        return history.events(question, question.of(database))

    assert [4, 3, 2, 1] == numbers(gaps())
    assert gap(2, closed=True) == gaps()[2]
    assert [4, 3, 1] == numbers(gaps(open_only=True))
    assert [3, 2, 1] == numbers(gaps(subscription_id="a"))
    assert ([4, 3], [2, 1]) == (numbers(gaps(limit=2)), numbers(gaps(limit=2, before=3)))
    assert [4, 3, 2, 1] == numbers(events())
    assert [4] == numbers(events(kind="lost"))
    assert [3, 2] == numbers(events(kind="live", before=4, limit=2))
    assert [] == events(subscription_id="b")


def test_the_memory_answers_alone_where_the_database_cannot() -> None:
    """A disk that cannot be read hides nothing that this process has seen lately."""
    history = History()
    history.put_gap(gap(1, closed=True))
    history.put_event(event(2))
    assert ([1], [2]) == (
        numbers(history.gaps(GapsAsked(), None)),
        numbers(history.events(EventsAsked(), None)),
    )


def test_a_gap_whose_subscription_ended_is_closed_with_the_reason() -> None:
    """It is not proved, and not open for ever; a clock that was set back makes no negative length."""
    expected = gap(5, ended_at=7.0, duration_seconds=2.0, open_because=ENDED)
    assert expected == ended_gap(gap(5), 7.0)
    assert (5.0, 0.0) == (ended_gap(gap(5), 3.0).ended_at, ended_gap(gap(5), 3.0).duration_seconds)
    known = ended_gap(gap(5, open_because="the page was refused"), 7.0)
    assert "the page was refused" == known.open_because


@given(st.lists(st.sampled_from(["put", "give", "written", "again", "lose"]), max_size=60))
def test_nothing_is_forgotten_before_it_is_written(steps: list[str]) -> None:
    """Whatever the order of writing, failing and making anew: each value reaches the disk that stands at the end."""
    shelf: Shelf[int, int] = Shelf(None, None)
    disk: set[int] = set()
    given_now: list[int] = []
    for number, step in enumerate(steps):
        match step:
            case "put":
                shelf.put(number, number)
            case "give":
                given_now = shelf.give(3)
            case "written":
                disk.update(given_now)
                shelf.written()
                given_now = []
            case "again":
                shelf.again()
                given_now = []
            case _:
                disk.clear()
                shelf.again()
                given_now = []
    while shelf.waits or given_now:
        disk.update(shelf.give(3))
        shelf.written()
        given_now = []
    assert {number for number, step in enumerate(steps) if step == "put"} == disk
