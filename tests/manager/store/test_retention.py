"""Retention: minutes become hours, and what is too old goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.store.changes import (
    AddEvent,
    AddGap,
    AddSamples,
    CloseSubscription,
    PutMetrics,
    PutSubscription,
    apply,
)
from wsmgr.manager.store.database import Database
from wsmgr.manager.store.queries import list_events, list_gaps, list_samples, list_subscriptions
from wsmgr.manager.store.retention import DAY, HOUR, YEAR, Purged, maintain
from wsmgr.manager.store.rows import EventRow, GapRow, MetricsRow, Resolution, SampleRow

if TYPE_CHECKING:
    from .conftest import MakeSubscription

NOW = 1_763_618_400.0
"""A full hour."""


def add_minutes(database: Database, id_: str, minutes: dict[float, int]) -> None:
    samples = [
        SampleRow(subscription_id=id_, at=at, messages=count, bytes=count * 10, dropped=1)
        for at, count in minutes.items()
    ]
    with database.transaction():
        apply(database, [AddSamples(samples)])


def hours(database: Database, id_: str) -> list[tuple[float, int, int, int]]:
    found = list_samples(database, id_, Resolution.HOUR, since=0.0)
    return [(sample.at, sample.messages, sample.bytes, sample.dropped) for sample in found]


def test_an_hour_that_is_over_is_the_sum_of_its_minutes(database: Database) -> None:
    """The running hour is not written: its minutes are not all there."""
    add_minutes(database, "a", {NOW - 3600: 1, NOW - 60: 2, NOW: 4})
    add_minutes(database, "b", {NOW - 7200: 8})

    maintain(database, NOW + 600)

    assert [(NOW - 3600, 3, 30, 2)] == hours(database, "a")
    assert [(NOW - 7200, 8, 80, 1)] == hours(database, "b")


def test_an_hour_waits_until_its_last_minute_has_come(database: Database) -> None:
    """The counters of the last minute are written seconds after it is over."""
    add_minutes(database, "a", {NOW - 3600: 1})

    maintain(database, NOW + 60)
    early = hours(database, "a")
    maintain(database, NOW + 120)

    assert ([], [(NOW - 3600, 1, 10, 1)]) == (early, hours(database, "a"))


def test_rolling_up_again_changes_nothing_and_catches_up(database: Database) -> None:
    """A daemon that was down for days rolls up what it missed, once."""
    add_minutes(database, "a", {NOW - 3 * HOUR: 1, NOW - 2 * HOUR: 2})
    maintain(database, NOW - HOUR + 200)
    add_minutes(database, "a", {NOW - HOUR: 4})

    for _ in range(2):
        maintain(database, NOW + 200)

    assert [1, 2, 4] == [messages for _, messages, _, _ in hours(database, "a")]


@given(counts=st.dictionaries(st.integers(0, 60 * 24 * 2), st.integers(0, 1000), max_size=30))
def test_no_message_is_lost_or_counted_twice_by_rolling_up(counts: dict[int, int]) -> None:
    """The hours hold exactly what the minutes hold, whenever maintenance ran."""
    database = Database.open(":memory:")
    start = NOW - 2 * DAY
    for at, count in sorted((start + 60.0 * minute, count) for minute, count in counts.items()):
        add_minutes(database, "a", {at: count})
        maintain(database, at + 60)

    maintain(database, NOW + HOUR + 120)

    expected: dict[float, int] = {}
    for minute, count in counts.items():
        hour = start + minute // 60 * HOUR
        expected[hour] = expected.get(hour, 0) + count
    assert expected == {at: messages for at, messages, _, _ in hours(database, "a")}
    database.close()


def test_each_table_forgets_at_its_own_age(database: Database, subscription: MakeSubscription) -> None:
    """Events 30 days, minutes 7 days, hours a year, gaps a year after their end, ended subscriptions 30 days."""
    old, young = subscription("old"), subscription("young")
    samples = [
        SampleRow(subscription_id="old", at=NOW - 7 * DAY - 60),
        SampleRow(subscription_id="old", at=NOW - 7 * DAY),
        SampleRow(subscription_id="old", at=NOW - YEAR - HOUR, resolution=Resolution.HOUR),
        SampleRow(subscription_id="old", at=NOW - YEAR, resolution=Resolution.HOUR),
    ]
    gap = GapRow(subscription_id="old", started_at=NOW - 2 * YEAR, reason="lost")
    with database.transaction():
        apply(database, [PutSubscription(old), PutSubscription(young), PutSubscription(subscription("open"))])
        apply(database, [PutMetrics([MetricsRow(subscription_id=id_) for id_ in ("old", "young", "open")])])
        apply(database, [CloseSubscription(id="old", at=NOW - 30 * DAY - 1)])
        apply(database, [CloseSubscription(id="young", at=NOW - 30 * DAY)])
        apply(database, [AddSamples(samples)])
        apply(database, [AddEvent(EventRow(at=NOW - 30 * DAY - days, kind="x")) for days in (1, 0)])
        apply(
            database,
            [
                AddGap(gap),
                AddGap(GapRow(subscription_id="a", started_at=0.0, ended_at=NOW - YEAR - 1, reason="lost")),
                AddGap(GapRow(subscription_id="a", started_at=0.0, ended_at=NOW - YEAR, reason="lost")),
            ],
        )

    purged = maintain(database, NOW)

    assert Purged(subscriptions=1, samples=2, gaps=1, events=1) == purged
    assert ["young"] == [row.id for row in list_subscriptions(database, state="closed")]
    assert ["open"] == [row.id for row in list_subscriptions(database)]
    assert [("open",), ("young",)] == database.tables.execute(
        "SELECT subscription_id FROM metrics ORDER BY 1"
    ).fetchall()
    assert ([2], [3, 1]) == (
        [one.id for one in list_events(database)],
        [one.id for one in list_gaps(database)],
    )
    assert [NOW - 7 * DAY] == [one.at for one in list_samples(database, "old", Resolution.MINUTE, since=0.0)]
