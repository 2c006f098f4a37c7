"""Gaps of one subscription: opened at the moment of knowledge, closed by the next proof, told and written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.model.continuity import Interrupted, Interruption, Resumed
from wsmgr.manager.model.fact import GapClosed, GapOpened

if TYPE_CHECKING:
    from wsmgr.manager.model.registry import Registry
    from wsmgr.manager.model.subscription import Entry


def open_gap(registry: Registry, entry: Entry, interruption: Interruption, now: float) -> None:
    """Open a gap, unless one is open already; the consumers are told in any case."""
    entry.counters.end_live(now)
    if entry.interruption is None:
        entry.interruption = interruption
        registry.note(GapOpened(subscription_id=entry.id, interruption=interruption))
    entry.tell(Interrupted(since=interruption.since, cause=interruption.reason))


def close_gap(registry: Registry, entry: Entry, *, now: float, wall: float) -> None:
    """Close the open gap of a subscription that delivers again; its next message carries it."""
    assert entry.interruption is not None  # noqa: S101 - the callers have checked it
    entry.counters.reconnects += 1
    _record(
        registry, entry, entry.interruption, attempts=_attempts(entry, entry.interruption), now=now, wall=wall
    )
    entry.interruption = None


def admit_gap(
    registry: Registry, entry: Entry, interruption: Interruption, *, now: float, wall: float
) -> None:
    """Write down a gap that begins and ends at one moment of knowledge: the stream changed sides without a proof."""
    registry.note(GapOpened(subscription_id=entry.id, interruption=interruption))
    _record(registry, entry, interruption, attempts=0, now=now, wall=wall)


def since_last_message(entry: Entry, reason: str) -> Interruption:
    """Return an interruption that is known from the subscription alone: its socket may be well."""
    since = entry.counters.last_at if entry.counters.last_at is not None else entry.subscribed_at
    return Interruption(
        since=since,
        since_monotonic=None,
        reason=reason,
        connection=entry.connection.id if entry.connection is not None else None,
        dials=entry.connection.dials if entry.connection is not None else 0,
    )


def _record(
    registry: Registry, entry: Entry, interruption: Interruption, *, attempts: int, now: float, wall: float
) -> None:
    gap = interruption.close(at=wall, monotonic=now, attempts=attempts)
    entry.gap = gap if entry.gap is None else entry.gap.joined(gap)
    entry.counters.gaps += 1
    entry.counters.gap_seconds += gap.duration
    entry.counters.changed = True
    entry.tell(gap)
    entry.tell(Resumed(epoch=entry.epoch, exact=False, gap=gap))
    registry.note(GapClosed(subscription_id=entry.id, gap=gap))


def _attempts(entry: Entry, interruption: Interruption) -> int:
    """Return how many dials it took to come back; on another connection, all that it made."""
    connection = entry.connection
    if connection is None:
        return 0
    return connection.dials - (interruption.dials if connection.id == interruption.connection else 0)
