"""The dialer of one origin: lets its connections dial in turn.

The decisions are in `model.dialling`, whose state outlives this actor; the dialer only carries grants to the links and wakes
when the next one falls due.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from attrs import frozen

from wsmgr.actors import Actor, Continue, MailboxPolicy, Timer
from wsmgr.manager.model.connection import Connection, ConnectionState

if TYPE_CHECKING:
    from wsmgr.manager.runtime.context import Context, OriginContext, VenueContext

_IDLE = {
    ConnectionState.DISCONNECTED,
    ConnectionState.WAITING,
    ConnectionState.FLAPPING,
    ConnectionState.UNAUTHORIZED,
}


@frozen
class DialWanted:
    """Said to the dialer: a connection wants to dial.

    Attributes:
        connection: Its id.
        urgency: Its rank, 0 first.
    """

    connection: str
    urgency: int


@frozen
class DialGranted:
    """Said to a link: dial now."""


@frozen
class DialAccepted:
    """Said to the dialer: a dial was accepted."""

    connection: str


@frozen
class DialRefused:
    """Said to the dialer: a dial was refused.

    Attributes:
        connection: Whose dial it was.
        reason: What was said.
        retry_after: Seconds for which the venue wants no dial, or None.
        credential: Whether the credentials were refused.
    """

    connection: str
    reason: str
    retry_after: float | None = None
    credential: bool = False


@frozen
class SocketEnded:
    """Said to the dialer: an accepted socket ended.

    Attributes:
        connection: Whose socket it was.
        uptime: Seconds for which it was open.
        proved: Whether any of its subscriptions was live.
    """

    connection: str
    uptime: float
    proved: bool


@frozen
class DialWithdrawn:
    """Said to the dialer: a connection has ended for good."""

    connection: str


@frozen
class _Due:
    """The next dial falls due."""


class Dialer(Actor[Any]):
    """Lets the connections of one origin dial in turn.

    Args:
        context: What the actors share.
        origin: The origin.
    """

    mailbox = MailboxPolicy(capacity=65_536, overflow="reject")

    def __init__(self, context: Context, origin: OriginContext) -> None:
        """Bind what the dialer works with."""
        self._context = context
        self._origin = origin
        self._timer: Timer | None = None

    async def init(self) -> Continue:
        """Take the origin's place."""
        self._origin.dialer = self.ref
        return Continue()

    async def handle_continue(self, token: object) -> None:
        """Grant what an earlier dialer had not; a dial whose end it did not hear of is under way no more."""
        self._origin.dialling.resume(
            connection.id
            for venue in self._venues()
            for connection in venue.model.connections
            if connection.state is ConnectionState.DIALLING
        )
        self._grant()

    async def handle_cast(
        self, message: DialWanted | DialAccepted | DialRefused | SocketEnded | DialWithdrawn
    ) -> None:
        """Note what happened, and grant what may be granted."""
        dialling = self._origin.dialling
        now = self._context.clock.monotonic()
        match message:
            case DialWanted(connection, urgency):
                dialling.request(connection, urgency, now)
            case DialAccepted(connection):
                dialling.accepted(connection)
            case DialRefused(connection, reason, retry_after, credential):
                dialling.refused(connection, reason, now, retry_after=retry_after, credential=credential)
            case SocketEnded(connection, uptime, proved):
                dialling.closed(connection, uptime=uptime, proved=proved)
            case DialWithdrawn(connection):
                dialling.withdraw(connection)
        self._grant()

    async def handle_info(self, message: object) -> None:
        """Grant what has fallen due."""
        if message is self._timer:
            self._timer = None
            self._grant()

    def _grant(self) -> None:
        now = self._context.clock.monotonic()
        granted, at = self._origin.dialling.grants(now)
        for name in granted:
            found = self._find(name)
            link = found[0].links.get(name) if found is not None else None
            if link is None or not link.cast(DialGranted()):
                self._origin.dialling.withdraw(name)
        self._show(now)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at < math.inf:
            self._timer = self.send_after(max(0.0, at - now), _Due())

    def _show(self, now: float) -> None:
        """Write into each waiting connection's record what it waits for, and until when."""
        dialling = self._origin.dialling
        for venue in self._venues():
            for connection in venue.model.connections:
                if connection.state not in _IDLE:
                    continue
                at = dialling.attempt_at(connection.id, now)
                if at is None:
                    continue
                waits = at > now
                connection.next_attempt_at = self._context.clock.wall() + (at - now) if waits else None
                connection.state = self._waiting_state(connection) if waits else ConnectionState.DISCONNECTED

    def _waiting_state(self, connection: Connection) -> ConnectionState:
        if self._origin.dialling.unauthorized(connection.id):
            return ConnectionState.UNAUTHORIZED
        if self._origin.dialling.flapping(connection.id):
            return ConnectionState.FLAPPING
        return ConnectionState.WAITING

    def _find(self, name: str) -> tuple[VenueContext, Connection] | None:
        for venue in self._venues():
            for connection in venue.model.connections:
                if connection.id == name:
                    return venue, connection
        return None

    def _venues(self) -> list[VenueContext]:
        return [venue for venue in self._context.venues.values() if venue.origin is self._origin]
