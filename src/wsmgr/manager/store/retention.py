"""Retention: how long history is kept, and how minutes become hours.

Run once an hour by the writer, inside transactions. Each table is walked along an index, so the cost follows what is
removed, not what is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from wsmgr.manager.store.rows import CLOSED, Resolution

if TYPE_CHECKING:
    from wsmgr.manager.store.database import Database

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR
YEAR: Final = 365 * DAY
EVENTS_KEPT: Final = 30 * DAY
"""Seconds for which an event is kept."""
MINUTES_KEPT: Final = 7 * DAY
"""Seconds for which a sample of a minute is kept."""
HOURS_KEPT: Final = YEAR
"""Seconds for which a sample of an hour is kept."""
GAPS_KEPT: Final = YEAR
"""Seconds for which a gap is kept after its end; an open one is kept."""
CLOSED_KEPT: Final = 30 * DAY
"""Seconds for which a subscription and its counters are kept after it was ended."""
SETTLED: Final = 120.0
"""Seconds after which no sample of an hour that is over is still on its way."""

_SAMPLED = """
WITH RECURSIVE sampled (id) AS (
    SELECT min(subscription_id) FROM samples
    UNION ALL
    SELECT (SELECT min(subscription_id) FROM samples WHERE subscription_id > sampled.id) FROM sampled
    WHERE sampled.id IS NOT NULL
)
SELECT id FROM sampled WHERE id IS NOT NULL
"""
_ROLL_UP = """
INSERT INTO samples (subscription_id, at, resolution, messages, bytes, dropped)
SELECT subscription_id, CAST(at / 3600 AS INTEGER) * 3600.0 AS hour, :hour, sum(messages), sum(bytes), sum(dropped)
FROM samples WHERE subscription_id = :id AND resolution = :minute AND at >= :since AND at < :until GROUP BY hour
ON CONFLICT (subscription_id, resolution, at)
DO UPDATE SET messages = excluded.messages, bytes = excluded.bytes, dropped = excluded.dropped
"""


@frozen(kw_only=True)
class Purged:
    """How many rows a purge removed, by table."""

    subscriptions: int
    samples: int
    gaps: int
    events: int


def sampled_ids(database: Database) -> list[str]:
    """Return the ids of the subscriptions that have samples, ended or not."""
    return [row[0] for row in database.tables.execute(_SAMPLED)]


def roll_up(database: Database, subscription_id: str, now: float) -> None:
    """Write a subscription's samples of an hour for each hour that is over, inside a transaction that the caller holds.

    Hours already written are left alone, except the last one, which is written again.

    Args:
        database: Where.
        subscription_id: Whose samples.
        now: The wall time.
    """
    until = (now - SETTLED) // HOUR * HOUR
    newest = database.tables.execute(
        "SELECT max(at) FROM samples WHERE subscription_id = ? AND resolution = ?",
        (subscription_id, Resolution.HOUR.value),
    ).fetchone()[0]
    database.tables.execute(
        _ROLL_UP,
        {
            "id": subscription_id,
            "hour": Resolution.HOUR.value,
            "minute": Resolution.MINUTE.value,
            "since": 0.0 if newest is None else min(newest + HOUR, until - HOUR),
            "until": until,
        },
    )


def purge_samples(database: Database, subscription_id: str, now: float) -> int:
    """Remove a subscription's samples that are too old, inside a transaction that the caller holds.

    Returns:
        How many were removed.
    """
    return sum(
        database.tables.execute(
            "DELETE FROM samples WHERE subscription_id = ? AND resolution = ? AND at < ?",
            (subscription_id, resolution.value, now - kept),
        ).rowcount
        for resolution, kept in ((Resolution.MINUTE, MINUTES_KEPT), (Resolution.HOUR, HOURS_KEPT))
    )


def purge(database: Database, now: float) -> Purged:
    """Remove everything that is too old, inside a transaction that the caller holds.

    Returns:
        How many rows were removed, by table.
    """
    execute = database.tables.execute
    samples = sum(purge_samples(database, id_, now) for id_ in sampled_ids(database))
    events = execute("DELETE FROM events WHERE at < ?", (now - EVENTS_KEPT,)).rowcount
    gaps = execute("DELETE FROM gaps WHERE ended_at < ?", (now - GAPS_KEPT,)).rowcount
    subscriptions = execute(
        "DELETE FROM subscriptions WHERE state = ? AND updated_at < ?", (CLOSED, now - CLOSED_KEPT)
    ).rowcount
    if subscriptions:
        execute("DELETE FROM metrics WHERE subscription_id NOT IN (SELECT id FROM subscriptions)")
    return Purged(subscriptions=subscriptions, samples=samples, gaps=gaps, events=events)


def maintain(database: Database, now: float) -> Purged:
    """Roll up every subscription's samples, then remove what is too old, in one transaction of its own.

    Args:
        database: Where.
        now: The wall time.

    Raises:
        sqlite3.Error: The database failed; nothing was changed.
    """
    with database.transaction():
        for id_ in sampled_ids(database):
            roll_up(database, id_, now)
        return purge(database, now)
