"""Rows: a subscription and its counters as the store keeps them, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.store.rows import MetricsRow, SubscriptionRow

if TYPE_CHECKING:
    from wsmgr.manager.model.subscription import Entry


def subscription_row(entry: Entry, wall: float) -> SubscriptionRow:
    """Return the row of a subscription."""
    return SubscriptionRow(
        id=entry.id,
        venue=entry.venue,
        type=entry.type.name,
        key=entry.key,
        params=entry.atom.params,
        connection_class=entry.type.connection_class.value,
        kept=entry.kept,
        owner=entry.owner,
        state=entry.state.value,
        error=entry.error,
        epoch=entry.epoch,
        redundancy=entry.redundancy,
        dedicated=entry.dedicated,
        subscribed_at=entry.subscribed_at,
        updated_at=wall,
    )


def metrics_row(entry: Entry, *, now: float, wall: float) -> MetricsRow:
    """Return the counters of a subscription; what its present consumers have dropped is among them."""
    counters = entry.counters
    uptime = max(0.0, wall - entry.subscribed_at)
    live = counters.live(now)
    lag_p50_ms, lag_p99_ms = counters.lag_ms
    return MetricsRow(
        subscription_id=entry.id,
        message_count=counters.messages,
        byte_count=counters.bytes,
        first_message_at=counters.first_at,
        last_message_at=counters.last_at,
        messages_per_minute=counters.messages_per_minute(now),
        uptime_seconds=uptime,
        live_seconds=live,
        availability=min(1.0, live / uptime) if uptime > 0 else 0.0,
        reconnects=counters.reconnects,
        gap_count=counters.gaps,
        gap_seconds=counters.gap_seconds,
        dropped=entry.dropped,
        duplicates=counters.duplicates,
        lag_p50_ms=lag_p50_ms,
        lag_p99_ms=lag_p99_ms,
    )


def restore_counters(entry: Entry, row: MetricsRow) -> None:
    """Let the counters of a subscription go on from a stored row."""
    counters = entry.counters
    counters.messages = row.message_count
    counters.bytes = row.byte_count
    counters.first_at = row.first_message_at
    counters.last_at = row.last_message_at
    counters.live_seconds = row.live_seconds
    counters.reconnects = row.reconnects
    counters.gaps = row.gap_count
    counters.gap_seconds = row.gap_seconds
    counters.dropped = row.dropped
    counters.duplicates = row.duplicates
    counters.resume_sampling()
    counters.mark_stored(row.dropped)
