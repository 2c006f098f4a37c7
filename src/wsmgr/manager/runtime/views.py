"""Views: what people and programs are shown of subscriptions, connections and the tree.

The field names are relied on from outside (`wsmgr list --json` and its siblings): they are the contract. Times are UTC
datetimes, RFC 3339 in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from wsmgr.manager.model.subscription_type import ConnectionClass, SubscriptionType
from wsmgr.manager.runtime.rows import metrics_row

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.model.explaining import Explanation
    from wsmgr.manager.model.subscription import Entry
    from wsmgr.manager.store.rows import EventRow, GapRow, MetricsRow, SubscriptionRow


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


class ConnectionView(msgspec.Struct, kw_only=True):
    """One connection, as `wsmgr connections` shows it."""

    id: str
    venue: str
    classes: list[str]
    state: str
    socket: int
    url: str
    subscriptions: int
    users: list[str]
    opened_at: datetime | None
    uptime_seconds: float | None
    rtt_ms: float | None
    reconnects: int
    next_attempt_at: datetime | None
    reason: str | None


class TreeView(msgspec.Struct, kw_only=True):
    """One node of the supervision tree."""

    id: str
    type: str
    status: str
    restarts: int
    children: list[TreeView]


class TypeView(msgspec.Struct, kw_only=True, rename={"connection_class": "class"}):
    """One subscription type, as `wsmgr types` shows it. `class` in JSON is `connection_class` here."""

    dialect: str
    type: str
    connection_class: str
    params: list[str]
    required: list[str]
    user: str | None
    kind: str
    first_proof: str
    cadence: float | None
    join: str
    merge: str
    promise: str
    healing: str | None
    numbered: bool


class GapView(msgspec.Struct, kw_only=True):
    """One gap of the ledger.

    `proof` is `empty` where it is proved that nothing was missed, `filled` where what was missed has been delivered since, else null;
    `open_because` then says why.
    """

    id: int | None
    subscription_id: str
    connection: str | None
    started_at: datetime
    ended_at: datetime | None
    duration_seconds: float | None
    reason: str
    missing: int | None
    attempts: int
    healed_by: str | None
    proof: str | None
    open_because: str | None
    venue_seq_from: int | None
    venue_seq_to: int | None
    healed_items: int


class EventView(msgspec.Struct, kw_only=True):
    """One event."""

    id: int | None
    at: datetime
    level: str
    kind: str
    actor: str | None
    connection: str | None
    subscription_id: str | None
    detail: Mapping[str, Any]


class NextView(msgspec.Struct, kw_only=True):
    """What comes next, and when; `at` is null where it waits for something that has no time."""

    what: str
    at: datetime | None


class WhyView(msgspec.Struct, kw_only=True):
    """Why a subscription is as it is: `wsmgr why`."""

    id: str
    key: str
    state: str
    connection: str | None
    summary: str
    decided_by: str
    evidence: Mapping[str, Any]
    next: NextView | None
    history: list[EventView]


def at(seconds: float | None) -> datetime | None:
    """Return unix seconds as a UTC datetime; None stays None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


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


def why_view(
    entry: Entry, found: Explanation, history: list[EventView], *, now: float, wall: float
) -> WhyView:
    """Return why a subscription is as it is.

    Args:
        entry: The subscription.
        found: The explanation.
        history: Its newest events and those of its connection, newest first.
        now: The monotonic time.
        wall: Unix seconds.
    """
    dials_at = None if entry.connection is None else entry.connection.next_attempt_at
    coming: NextView | None = None
    if found.next is not None:
        due = dials_at if found.next.at is None else wall + (found.next.at - now)
        coming = NextView(what=found.next.what, at=at(due))
    return WhyView(
        id=entry.id,
        key=entry.key,
        state=entry.state.value,
        connection=None if entry.connection is None else entry.connection.id,
        summary=found.summary,
        decided_by=found.decided_by,
        evidence=found.evidence,
        next=coming,
        history=history,
    )


def connection_view(connection: Connection, *, now: float) -> ConnectionView:
    """Return the view of a connection; `now` is monotonic."""
    opened = connection.opened_monotonic
    return ConnectionView(
        id=connection.id,
        venue=connection.venue,
        classes=sorted(
            {shown_class(entry) for entry in (*connection.members.values(), *connection.seconds.values())}
        ),
        state=connection.state.value,
        socket=connection.socket,
        url=connection.url,
        subscriptions=len(connection.members) + len(connection.seconds),
        users=sorted(connection.users),
        opened_at=at(connection.opened_at),
        uptime_seconds=None if opened is None else max(0.0, now - opened),
        rtt_ms=None if connection.rtt is None else connection.rtt * 1000.0,
        reconnects=connection.reconnects,
        next_attempt_at=at(connection.next_attempt_at),
        reason=connection.reason,
    )


def type_view(dialect: str, subscription_type: SubscriptionType) -> TypeView:
    """Return the view of a subscription type."""
    return TypeView(
        dialect=dialect,
        type=subscription_type.name,
        connection_class=subscription_type.connection_class.value,
        params=[parameter.name for parameter in subscription_type.parameters],
        required=list(subscription_type.required),
        user=subscription_type.user,
        kind=subscription_type.kind.value,
        first_proof=subscription_type.first_proof.value,
        cadence=subscription_type.cadence,
        join=subscription_type.join.value,
        merge=subscription_type.merge.value,
        promise=subscription_type.promise,
        healing=subscription_type.healing,
        numbered=subscription_type.numbered,
    )


def gap_view(row: GapRow) -> GapView:
    """Return the view of a gap."""
    return GapView(
        id=row.id,
        subscription_id=row.subscription_id,
        connection=row.connection,
        started_at=datetime.fromtimestamp(row.started_at, UTC),
        ended_at=at(row.ended_at),
        duration_seconds=row.duration_seconds,
        reason=row.reason,
        missing=row.missing,
        attempts=row.attempts,
        healed_by=row.healed_by,
        proof=row.proof,
        open_because=row.open_because,
        venue_seq_from=row.venue_seq_from,
        venue_seq_to=row.venue_seq_to,
        healed_items=row.healed_items,
    )


def event_view(row: EventRow) -> EventView:
    """Return the view of an event."""
    return EventView(
        id=row.id,
        at=datetime.fromtimestamp(row.at, UTC),
        level=row.level,
        kind=row.kind,
        actor=row.actor,
        connection=row.connection,
        subscription_id=row.subscription_id,
        detail=row.detail,
    )


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
