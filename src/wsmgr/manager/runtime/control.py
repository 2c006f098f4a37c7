"""Control: what somebody has done to connections by hand. Whatever a connection is doing, it does this as soon as that can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.model import progress, rotation
from wsmgr.manager.model.connection import ConnectionState
from wsmgr.manager.model.errors import NotFoundError
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.folding import hurry
from wsmgr.manager.runtime.dialer import DialNow, tell

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.runtime.context import Context, VenueContext


def reconnect(
    context: Context, connection_id: str | None = None, *, why: str = "somebody asked for it"
) -> list[str]:
    """Have a connection, or all, get a new socket; returns the ids of those that will.

    One that carries subscriptions is replaced make before break, where the venue allows it. One that waits dials as soon as the quota
    and a `Retry-After` allow; a parked one is tried again at once.

    Raises:
        NotFoundError: There is none with this id.
    """
    found = [
        (venue, connection)
        for venue in context.venues.values()
        for connection in venue.model.connections
        if connection_id in {None, connection.id}
    ]
    if connection_id is not None and not found:
        raise NotFoundError(connection_id, what="connection")
    for venue, connection in found:
        _reconnect(context, venue, connection, why=why)
    return [connection.id for _, connection in found]


def rebalance(context: Context) -> list[str]:
    """Give up at once every connection whose streams fit on the others, without waiting; returns the ids of those that begin to empty."""
    begun: list[str] = []
    for venue in context.venues.values():
        begun += hurry(venue.model, context.clock.monotonic())
        context.look(venue.model.name)
    return begun


def _reconnect(context: Context, venue: VenueContext, connection: Connection, *, why: str) -> None:
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
