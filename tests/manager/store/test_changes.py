"""Changes: what is written is what is read."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import attrs
import pytest

from wsmgr.manager.store.changes import (
    FLUSHED,
    SILENT,
    AddEvent,
    AddGap,
    AddSamples,
    Change,
    CloseSubscription,
    DeleteSubscription,
    Mark,
    PutMetrics,
    PutSubscription,
    Unmark,
    apply,
    mark_first,
)
from wsmgr.manager.store.queries import (
    flushed_at,
    get_metrics,
    get_subscription,
    last_event_id,
    last_gap_id,
    list_events,
    list_gaps,
    list_samples,
    silent_since,
)
from wsmgr.manager.store.rows import EventRow, GapRow, MetricsRow, Resolution, SampleRow

if TYPE_CHECKING:
    from wsmgr.manager.store.database import Database

    from .conftest import MakeSubscription


def write(database: Database, *changes: Change) -> tuple[int | None, ...]:
    with database.transaction():
        return apply(database, changes)


def test_a_subscription_comes_back_as_it_was(database: Database, subscription: MakeSubscription) -> None:
    """Every column, with the types of the parameters."""
    row = subscription(
        params={"coin": "BTC", "nSigFigs": 5, "fast": True, "note": "grün"},
        kept=False,
        owner="uid:1000",
        state="live",
        error="none yet",
        epoch=7,
        subscribed_at=1763618400.125,
    )

    write(database, PutSubscription(row))

    assert row == get_subscription(database, "a")


def test_writing_a_subscription_again_replaces_it(database: Database, subscription: MakeSubscription) -> None:
    """One id, one row."""
    row = subscription()
    write(database, PutSubscription(row))

    write(database, PutSubscription(attrs.evolve(row, state="live", epoch=2)))

    assert attrs.evolve(row, state="live", epoch=2) == get_subscription(database, "a")


def test_two_ids_cannot_have_one_key(database: Database, subscription: MakeSubscription) -> None:
    """Equal keys are one subscription; a second row for one would count and restore it twice."""
    write(database, PutSubscription(subscription("a", key="same")))

    with pytest.raises(sqlite3.IntegrityError):
        write(database, PutSubscription(subscription("b", key="same")))


def test_closing_keeps_the_row_and_its_counters(database: Database, subscription: MakeSubscription) -> None:
    """An ended subscription has a history, and an error that was is not shown any more."""
    row = subscription(error="lost")
    write(database, PutSubscription(row), PutMetrics([MetricsRow(subscription_id="a", message_count=3)]))

    write(database, CloseSubscription(id="a", at=2000.0))

    closed = attrs.evolve(row, state="closed", error=None, updated_at=2000.0)
    assert (closed, MetricsRow(subscription_id="a", message_count=3)) == get_metrics(database, "a")


def test_deleting_removes_row_counters_and_samples_and_leaves_gaps(
    database: Database, subscription: MakeSubscription
) -> None:
    """The ledger of gaps has its own time to live."""
    sample = SampleRow(subscription_id="a", at=60.0, messages=1)
    gap = GapRow(subscription_id="a", started_at=1.0, reason="lost")
    write(database, PutSubscription(subscription()), PutMetrics([MetricsRow(subscription_id="a")]))
    write(database, AddSamples([sample]), AddGap(gap))

    write(database, DeleteSubscription(id="a"))

    assert (None, [], 1) == (
        get_metrics(database, "a"),
        list_samples(database, "a", Resolution.MINUTE, since=0.0),
        len(list_gaps(database)),
    )


def test_metrics_come_back_as_they_were(database: Database, subscription: MakeSubscription) -> None:
    """Every column; the newest values replace those before."""
    row = MetricsRow(
        subscription_id="a",
        message_count=10**12,
        byte_count=2**60,
        first_message_at=1.5,
        last_message_at=2.5,
        messages_per_minute=3.5,
        uptime_seconds=4.5,
        live_seconds=4.25,
        availability=0.99,
        reconnects=6,
        gap_count=7,
        gap_seconds=8.5,
        dropped=9,
        duplicates=10,
        lag_p50_ms=11.5,
        lag_p99_ms=12.5,
    )
    write(database, PutSubscription(subscription()), PutMetrics([MetricsRow(subscription_id="a")]))

    write(database, PutMetrics([row]))

    found = get_metrics(database, "a")
    assert found is not None
    assert row == found[1]


def test_samples_of_one_interval_add_up(database: Database) -> None:
    """Two processes may each have seen a part of one minute."""
    write(database, AddSamples([SampleRow(subscription_id="a", at=60.0, messages=3, bytes=300)]))

    write(database, AddSamples([SampleRow(subscription_id="a", at=60.0, messages=4, bytes=400, dropped=1)]))

    assert [SampleRow(subscription_id="a", at=60.0, messages=7, bytes=700, dropped=1)] == list_samples(
        database, "a", Resolution.MINUTE, since=0.0
    )


def test_a_gap_gets_a_number_and_is_closed_by_it(database: Database) -> None:
    """The ledger holds the gap while it is open, and how it ended and what proved it whole afterwards."""
    gap = GapRow(subscription_id="a", connection="c1", started_at=10.0, reason="connection lost")
    (number,) = write(database, AddGap(gap))
    assert number is not None
    closed = attrs.evolve(
        gap,
        id=number,
        ended_at=12.0,
        duration_seconds=2.5,
        missing=3,
        attempts=2,
        healed_by="query",
        proof="filled",
        open_because="one page was refused",
        venue_seq_from=7,
        venue_seq_to=9,
        healed_items=3,
    )

    write(database, AddGap(closed))

    assert [closed] == list_gaps(database)


def test_a_number_that_the_caller_gave_is_kept(database: Database) -> None:
    """Who casts gets no answer, and so numbers by itself; writing the same number again replaces the row."""
    gap = GapRow(id=41, subscription_id="a", started_at=10.0, reason="lost")

    assert (41,) == write(database, AddGap(gap))
    write(database, AddGap(attrs.evolve(gap, ended_at=11.0, duration_seconds=1.0)))

    assert [attrs.evolve(gap, ended_at=11.0, duration_seconds=1.0)] == list_gaps(database)
    assert 41 == last_gap_id(database)


def test_numbers_are_never_given_again(database: Database) -> None:
    """A reader that follows by number does not miss an event after a purge."""
    write(database, AddEvent(EventRow(at=1.0, kind="one")), AddEvent(EventRow(at=2.0, kind="two")))
    database.tables.execute("DELETE FROM events")

    assert (3,) == write(database, AddEvent(EventRow(at=3.0, kind="three")))
    assert 3 == last_event_id(database)


def test_an_event_comes_back_as_it_was(database: Database) -> None:
    """Every column, and any JSON as its detail."""
    event = EventRow(
        at=1.5,
        level="warning",
        kind="reconnected",
        actor="venue:hyperliquid/link",
        connection="c1",
        subscription_id="a",
        detail={"attempts": 3, "phases": ["dns", "tls"], "after": None},
    )

    (number,) = write(database, AddEvent(event))

    assert [attrs.evolve(event, id=number)] == list_events(database)


@pytest.mark.parametrize(
    ("row", "values"),
    [
        (EventRow, {"at": 1.0, "kind": "x", "level": "loud"}),
        (EventRow, {"at": 1.0, "kind": ""}),
        (MetricsRow, {"subscription_id": "a", "message_count": -1}),
        (GapRow, {"subscription_id": "", "started_at": 1.0, "reason": "x"}),
    ],
)
def test_a_value_that_cannot_be_is_refused_when_the_row_is_made(
    row: type[EventRow | MetricsRow | GapRow], values: dict[str, object]
) -> None:
    """The mistake shows where it is made, not in the writer."""
    with pytest.raises(ValueError, match=r"level|kind|message_count|subscription_id"):
        row(**values)  # type: ignore[arg-type]  # wrong on purpose


def test_a_mark_is_replaced_and_removed(database: Database) -> None:
    """Each by its name; those of streams are told apart from the one of all."""
    write(database, Mark(FLUSHED, 5.0), Mark(f"{SILENT}a", 1.0), Mark(f"{SILENT}b", 2.0))
    write(database, Mark(FLUSHED, 4.0), Mark(f"{SILENT}a", 3.0), Unmark(f"{SILENT}b"), Unmark(f"{SILENT}c"))

    assert (4.0, {"a": 3.0}) == (flushed_at(database), silent_since(database))


def test_the_first_mark_replaces_nothing(database: Database) -> None:
    """It is for a database that has none."""
    for at in (5.0, 6.0):
        with database.transaction():
            mark_first(database, FLUSHED, at)

    assert 5.0 == flushed_at(database)
