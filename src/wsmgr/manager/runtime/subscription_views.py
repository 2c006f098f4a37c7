"""What people and programs are shown of a subscription and of its counters, whether it runs or lies in a database.

The field names are relied on from outside (`wsmgr list --json` and `wsmgr metrics --json`): they are the contract.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from wsmgr.manager.model.subscription_type import ConnectionClass
from wsmgr.manager.runtime.rows import metrics_row
from wsmgr.manager.runtime.timestamps import at

if TYPE_CHECKING:
    from wsmgr.manager.model.subscription import Entry
    from wsmgr.manager.store.rows import MetricsRow, SubscriptionRow


class SubscriptionView(msgspec.Struct, kw_only=True, rename={"connection_class": "class"}):
    """One subscription, as `wsmgr list` shows it. `class` in JSON is `connection_class` here.

    `redundancy` is on how many connections it is wanted, and `second_connection` is where its second side is: for that, or because it
    goes there from its present one.
    """

    id: str
    venue: str
    type: str
    key: str
    params: Mapping[str, Any]
    connection_class: str
    connection: str | None = None
    state: str
    quiet: bool = False
    error: str | None = None
    kept: bool
    consumers: int = 0
    subscribed_at: datetime
    last_message_at: datetime | None = None
    message_count: int = 0
    messages_per_minute: float = 0.0
    rate: float = 0.0
    gaps: int = 0
    dropped: int = 0
    reconnects: int = 0
    redundancy: int = 1
    second_connection: str | None = None


class StoppedSubscriptionView(SubscriptionView, kw_only=True):
    """One subscription out of the database of a daemon that does not run; `as_of` is when it was last written."""

    as_of: datetime | None


class MetricsView(msgspec.Struct, kw_only=True):
    """The counters of one subscription, as `wsmgr metrics` shows them.

    `lag_p50_ms` and `lag_p99_ms` are of the last 15 minutes, sampled once a second, relative to the venue's clock; None where
    the venue names no time.
    """

    id: str
    venue: str
    type: str
    key: str
    state: str
    message_count: int
    byte_count: int
    first_message_at: datetime | None
    last_message_at: datetime | None
    subscribed_at: datetime
    messages_per_minute: float
    rate: float
    uptime_seconds: float
    live_seconds: float
    availability: float
    reconnects: int
    gap_count: int
    gap_seconds: float
    dropped: int
    duplicates: int
    firsts: Mapping[str, int] = {}
    lag_p50_ms: float | None
    lag_p99_ms: float | None


def subscription_view(entry: Entry, *, now: float) -> SubscriptionView:
    """Return the view of a subscription that runs; `now` is monotonic."""
    counters = entry.counters
    return SubscriptionView(
        id=entry.id,
        venue=entry.venue,
        type=entry.type.name,
        key=entry.key,
        params=entry.atom.params,
        connection_class=shown_class(entry),
        connection=entry.connection.id if entry.connection is not None else None,
        state=entry.state.value,
        quiet=entry.quiet,
        error=entry.error,
        kept=entry.kept,
        consumers=len(entry.buffers),
        subscribed_at=datetime.fromtimestamp(entry.subscribed_at, UTC),
        last_message_at=at(counters.last_at),
        message_count=counters.messages,
        messages_per_minute=counters.messages_per_minute(now),
        rate=counters.rate,
        gaps=counters.gaps,
        dropped=entry.dropped,
        reconnects=counters.reconnects,
        redundancy=entry.sides_wanted,
        second_connection=None if entry.second is None else entry.second.connection.id,
    )


def stopped_view(row: SubscriptionRow, metrics: MetricsRow | None, as_of: float | None) -> SubscriptionView:
    """Return the view of a subscription out of the database."""
    return StoppedSubscriptionView(
        id=row.id,
        venue=row.venue,
        type=row.type,
        key=row.key,
        params=row.params,
        connection_class=row.connection_class,
        state="stopped",
        error=row.error,
        kept=row.kept,
        subscribed_at=datetime.fromtimestamp(row.subscribed_at, UTC),
        last_message_at=at(metrics.last_message_at) if metrics is not None else None,
        message_count=metrics.message_count if metrics is not None else 0,
        messages_per_minute=metrics.messages_per_minute if metrics is not None else 0.0,
        gaps=metrics.gap_count if metrics is not None else 0,
        dropped=metrics.dropped if metrics is not None else 0,
        reconnects=metrics.reconnects if metrics is not None else 0,
        redundancy=row.redundancy,
        as_of=at(as_of),
    )


def metrics_view(entry: Entry, *, now: float, wall: float) -> MetricsView:
    """Return the counters of a subscription that runs."""
    found = _metrics(
        metrics_row(entry, now=now, wall=wall),
        entry.venue,
        entry.type.name,
        entry.key,
        entry.state.value,
        entry.subscribed_at,
        entry.counters.rate,
    )
    found.firsts = dict(entry.counters.firsts)
    return found


def stopped_metrics_view(row: SubscriptionRow, metrics: MetricsRow) -> MetricsView:
    """Return the counters of a subscription out of the database."""
    return _metrics(metrics, row.venue, row.type, row.key, "stopped", row.subscribed_at, 0.0)


def shown_class(entry: Entry) -> str:
    """Return the connection class that a subscription is shown with."""
    if entry.dedicated:
        return ConnectionClass.DEDICATED.value
    return entry.type.connection_class.value


def _metrics(
    row: MetricsRow, venue: str, type_name: str, key: str, state: str, subscribed_at: float, rate: float
) -> MetricsView:
    return MetricsView(
        id=row.subscription_id,
        venue=venue,
        type=type_name,
        key=key,
        state=state,
        message_count=row.message_count,
        byte_count=row.byte_count,
        first_message_at=at(row.first_message_at),
        last_message_at=at(row.last_message_at),
        subscribed_at=datetime.fromtimestamp(subscribed_at, UTC),
        messages_per_minute=row.messages_per_minute,
        rate=rate,
        uptime_seconds=row.uptime_seconds,
        live_seconds=row.live_seconds,
        availability=row.availability,
        reconnects=row.reconnects,
        gap_count=row.gap_count,
        gap_seconds=row.gap_seconds,
        dropped=row.dropped,
        duplicates=row.duplicates,
        lag_p50_ms=row.lag_p50_ms,
        lag_p99_ms=row.lag_p99_ms,
    )
