"""What people and programs are shown of what happened: gaps and events. The field names are the contract of `--json`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from wsmgr.manager.runtime.timestamps import at

if TYPE_CHECKING:
    from wsmgr.manager.store.rows import EventRow, GapRow


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
