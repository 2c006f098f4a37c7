"""What people and programs are shown of a connection: the field names are the contract of `wsmgr connections --json`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from wsmgr.manager.runtime.subscription_views import shown_class
from wsmgr.manager.runtime.timestamps import at

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection


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
