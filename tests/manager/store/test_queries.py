"""Queries: filters, order, pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wsmgr.manager.store.changes import (
    AddEvent,
    AddGap,
    AddSamples,
    CloseSubscription,
    PutMetrics,
    PutSubscription,
    apply,
)
from wsmgr.manager.store.queries import (
    flushed_at,
    get_metrics,
    get_subscription,
    list_desired,
    list_events,
    list_gaps,
    list_metrics,
    list_samples,
    list_subscriptions,
)
from wsmgr.manager.store.rows import EventRow, GapRow, MetricsRow, Resolution, SampleRow

if TYPE_CHECKING:
    from wsmgr.manager.store.database import Database

    from .conftest import MakeSubscription

USER = "0x" + "ab" * 20


@pytest.fixture
def filled(database: Database, subscription: MakeSubscription) -> Database:
    """Four subscriptions, the last of them ended."""
    rows = [
        subscription("later", subscribed_at=2000.0, state="live"),
        subscription("fills", type="userFills", params={"user": USER}, state="live"),
        subscription("held", kept=False, venue="desk-a"),
        subscription("ended"),
    ]
    with database.transaction():
        apply(database, [*map(PutSubscription, rows), CloseSubscription(id="ended", at=3000.0)])
    return database


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ["fills", "held", "later"]),
        ({"user": USER}, ["fills"]),
        ({"user": USER.upper().replace("X", "x")}, ["fills"]),
        ({"venue": "desk-a"}, ["held"]),
        ({"type_name": "userFills"}, ["fills"]),
        ({"state": "live"}, ["fills", "later"]),
        ({"state": "closed"}, ["ended"]),
        ({"state": "live", "type_name": "trades"}, ["later"]),
        ({"venue": "x' OR 1 --"}, []),
    ],
)
def test_filters_choose_and_the_order_is_that_of_asking(
    filled: Database, filters: dict[str, str], expected: list[str]
) -> None:
    """Ended ones are shown only to those who ask for them; a filter is a value, never SQL."""
    assert expected == [row.id for row in list_subscriptions(filled, **filters)]


def test_what_must_live_again_is_kept_and_not_ended(filled: Database) -> None:
    """A held subscription dies with its consumers, an ended one stays ended."""
    assert ["fills", "later"] == [row.id for row in list_desired(filled)]


def test_one_subscription_is_found_also_when_it_was_ended(filled: Database) -> None:
    """`wsmgr get ID` of an ended one says what it was."""
    found = get_subscription(filled, "ended")

    assert found is not None
    assert ("closed", None) == (found.state, get_subscription(filled, "nobody"))


def test_metrics_come_with_their_subscription_and_are_zero_where_none_were_written(filled: Database) -> None:
    """A subscription without a message is not left out of the table."""
    written = MetricsRow(subscription_id="later", message_count=5)
    with filled.transaction():
        apply(filled, [PutMetrics([written])])

    assert [("fills", 0), ("held", 0), ("later", 5)] == [
        (row.id, metrics.message_count) for row, metrics in list_metrics(filled)
    ]
    assert (get_subscription(filled, "later"), written) == get_metrics(filled, "later")
    assert None is get_metrics(filled, "nobody")


def test_gaps_and_events_come_newest_first_in_pages(database: Database) -> None:
    """Pages neither overlap nor leave out a row."""
    gaps = [
        GapRow(subscription_id="ab"[number % 2], started_at=float(number), reason="lost")
        for number in range(6)
    ]
    events = [EventRow(at=float(number), kind="xy"[number % 2], subscription_id="a") for number in range(6)]
    with database.transaction():
        apply(database, [*map(AddGap, gaps), *map(AddEvent, events)])

    first = [gap.id for gap in list_gaps(database, limit=4)]
    rest = [gap.id for gap in list_gaps(database, limit=4, before=3)]
    assert ([6, 5, 4, 3], [2, 1]) == (first, rest)
    assert [5, 3, 1] == [gap.id for gap in list_gaps(database, subscription_id="a")]
    assert [6, 5, 4] == [event.id for event in list_events(database, limit=3)]
    assert [4, 2] == [event.id for event in list_events(database, kind="y", before=6)]
    assert [] == list_events(database, subscription_id="b")


def test_open_gaps_are_found(database: Database) -> None:
    """What a killed daemon left open is what the next one closes."""
    with database.transaction():
        apply(
            database,
            [
                AddGap(GapRow(id=1, subscription_id="a", started_at=1.0, ended_at=2.0, reason="lost")),
                AddGap(GapRow(id=2, subscription_id="a", started_at=2.0, reason="lost")),
            ],
        )

    assert [2] == [gap.id for gap in list_gaps(database, open_only=True)]


def test_samples_of_a_period_come_oldest_first(database: Database) -> None:
    """From `since` on, before `until`, of one resolution."""
    samples = [SampleRow(subscription_id="a", at=60.0 * minute, messages=minute) for minute in range(5)]
    hour = SampleRow(subscription_id="a", at=0.0, resolution=Resolution.HOUR, messages=99)
    with database.transaction():
        apply(database, [AddSamples([*reversed(samples), hour])])

    assert samples[1:4] == list_samples(database, "a", Resolution.MINUTE, since=60.0, until=240.0)
    assert [hour] == list_samples(database, "a", Resolution.HOUR, since=0.0)


def test_a_database_that_nobody_flushed_has_no_time(database: Database) -> None:
    """There is no proof that anything was ever alive."""
    assert None is flushed_at(database)
