"""Reconnecting on request: whatever a connection is doing, it gets a new socket as soon as that can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.model import progress, rotation
from wsmgr.manager.model.connection import ConnectionState
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.runtime.dialer import DialNow, tell

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.runtime.context import Context, VenueContext


def reconnect(context: Context, venue: VenueContext, connection: Connection, *, why: str) -> None:
    """Have one connection get a new socket.

    A ready one is replaced, make before break where the venue allows it. One that waits dials as soon as the quota and a `Retry-After`
    allow. What a parked one carried is tried again at once.
    """
    now = context.clock.monotonic()
    match connection.state:
        case ConnectionState.READY:
            rotation.want(context.registry, connection, why=why, now=now)
        case ConnectionState.PARKED:
            progress.released(context.registry, connection, why=why, now=now)
        case ConnectionState.DIALLING | ConnectionState.AUTHENTICATING | ConnectionState.DRAINING:
            # A new socket is on its way already.
            return
        case _:
            tell(context, venue.origin, DialNow(connection.id))
            detail = {"why": why, "state": connection.state.value}
            context.note(
                Fact(kind="dial_asked_for", venue=venue.model.name, connection=connection.id, detail=detail)
            )
    context.look(venue.model.name)
