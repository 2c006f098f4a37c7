"""Where a subscription sat, and which events of its connections are part of its history."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from attrs import evolve

from wsmgr.manager.store.changes import AddEvent, apply
from wsmgr.manager.store.history import EventsAsked, History
from wsmgr.manager.store.rows import EventRow, GapRow
from wsmgr.manager.store.stays import Stay, known_since, stays

if TYPE_CHECKING:
    from wsmgr.manager.store.database import Database


def gap(at: float, connection: str | None) -> GapRow:
    return GapRow(id=1, subscription_id="a", started_at=at, reason="lost", connection=connection)


def event(at: float, kind: str, connection: str | None, **detail: Any) -> EventRow:
    return EventRow(id=1, at=at, kind=kind, subscription_id="a", connection=connection, detail=detail)


def stay(connection: str, since: float, until: float) -> Stay:
    return Stay(connection=connection, since=since, until=until)


def test_what_never_moved_sat_there_since_it_was_wanted() -> None:
    """Also where nothing ever happened to it, or nothing that says where."""
    for events in ([], [event(50.0, "stale", None)]):
        assert (stay("v-1", 10.0, 99.0),) == stays([], events, since=10.0, until=99.0, now=["v-1"])


def test_what_moved_sat_on_one_and_then_on_the_other() -> None:
    """The move says so, to the moment; what becomes of either at another time is not its matter."""
    moved = [event(50.0, "moved", "v-2", **{"from": "v-1"})]
    expected = (stay("v-1", 10.0, 50.0), stay("v-2", 50.0, 99.0))
    assert expected == stays([gap(40.0, "v-1")], moved, since=10.0, until=99.0, now=["v-2"])


def test_between_a_gap_on_one_and_the_next_sighting_on_another_it_was_on_either() -> None:
    """Nothing says when it went: the end of the socket is told some time after the last byte, with which the gap begins."""
    found = stays([gap(40.0, "v-1"), gap(60.0, "v-2")], [], since=10.0, until=99.0, now=["v-2"])
    assert (stay("v-1", 10.0, 60.0), stay("v-2", 40.0, 99.0)) == found


def test_two_sides_are_two_stays_at_once() -> None:
    """The second one from its proof to its end."""
    events = [
        event(30.0, "second_side_ended", "v-2"),
        event(20.0, "redundant", "v-2", primary="v-1"),
    ]
    found = stays([], events, since=10.0, until=99.0, now=["v-1"])
    assert {stay("v-1", 10.0, 99.0), stay("v-2", 20.0, 30.0)} == set(found)


def test_where_it_was_last_is_where_it_is_until_more_is_known() -> None:
    """Of a daemon that has ended nobody knows more."""
    assert (stay("v-1", 10.0, math.inf),) == stays([gap(40.0, "v-1")], [], since=10.0)
    assert () == stays([gap(40.0, None)], [event(50.0, "closed", None)], since=10.0)


def test_a_daemon_that_did_not_run_ends_every_stay() -> None:
    """Its connections began anew, with the same ids."""
    gaps = [gap(20.0, "v-1"), gap(40.0, None)]
    found = stays(gaps, [], since=10.0, until=99.0, now=["v-2"])
    assert (stay("v-1", 10.0, 40.0), stay("v-2", 40.0, 99.0)) == found


def test_what_is_older_than_the_rows_that_were_read_is_not_guessed() -> None:
    """Where there may be more of them, the oldest one is the beginning."""
    gaps, events = [gap(40.0, "v-1"), gap(30.0, "v-1")], [event(35.0, "stale", "v-1")]
    assert [10.0, 30.0] == [known_since(gaps, events, limit, begun=10.0) for limit in (3, 2)]
    assert 35.0 == known_since([], events, 1, begun=10.0)
    assert (stay("v-1", 30.0, 99.0),) == stays(gaps, events, since=30.0, until=99.0, now=["v-1"])


def test_events_of_a_connection_are_found_in_the_time_of_the_stay_alone(database: Database) -> None:
    """Whether they are on the disk or only in memory; those about another subscription are its own matter."""
    row = EventRow(id=1, at=50.0, kind="connection_lost", connection="v-1")
    rows = [
        row,
        evolve(row, id=2, at=60.0),
        evolve(row, id=3, at=60.5),
        evolve(row, id=4, connection="v-2"),
        evolve(row, id=5, subscription_id="b"),
        evolve(row, id=6, at=9.0, connection="v-2"),
    ]
    asked = EventsAsked(stays=(stay("v-1", 50.0, 60.0), stay("v-2", 0.0, 10.0)))
    nowhere = EventsAsked(stays=())
    history = History()
    with database.transaction():
        apply(database, [AddEvent(each) for each in rows])
    for each in rows:
        history.put_event(each)
    for question, expected in ((asked, [6, 2, 1]), (nowhere, [])):
        assert expected == [each.id for each in question.of(database)]
        assert expected == [each.id for each in history.events(question, None)]
