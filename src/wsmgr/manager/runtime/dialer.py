"""The dialer of one origin: lets its connections dial in turn.

The decisions are in `model.dialling`, whose state outlives this actor; the dialer only carries grants to the links and wakes
when the next one falls due. What happens to a connection is noted by `tell`, at once and in the model, not in a mailbox: a
`Retry-After` that comes while the dialer is down holds all the same.

While it is down nobody of its origin dials, and nothing else changes: whoever tells it something goes on. A dialer that was
restarted looks for itself who waits and who dials.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from attrs import frozen

from wsmgr.actors import Actor, Backoff, Continue, Crash, ExitReason, MailboxPolicy, Timer
from wsmgr.manager.model.asking import priority
from wsmgr.manager.model.connection import IDLE, Connection, ConnectionState
from wsmgr.manager.model.dialling import LONG_PROBE, Dialling
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.flapping import HEALTHY_AFTER

if TYPE_CHECKING:
    from wsmgr.actors import ActorRef
    from wsmgr.manager.runtime.context import Context, OriginContext, VenueContext

RESTARTS = Backoff(maximum=LONG_PROBE, reset=HEALTHY_AFTER)
"""When a dialer that crashed is started again: at once, and then as seldom as it would dial itself."""


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
class DialNow:
    """Said to the dialer: a connection that waits is to dial now, as far as the quota and a `Retry-After` allow.

    Attributes:
        connection: Its id: somebody asked for it, or its credentials are other ones.
    """

    connection: str


DialNews = DialWanted | DialAccepted | DialRefused | SocketEnded | DialWithdrawn | DialNow


@frozen
class Look:
    """Said to the dialer: something has changed, look who may dial."""


@frozen
class _Due:
    """The next dial falls due."""


def tell(context: Context, origin: OriginContext, news: DialNews) -> None:
    """Note what happened to a connection, and wake the dialer, where there is one."""
    _note(origin.dialling, news, context.clock.monotonic())
    if origin.dialer is not None:
        origin.dialer.cast(Look())


def _note(dialling: Dialling, news: DialNews, now: float) -> None:
    """Note in the state of an origin's dials what happened to a connection."""
    match news:
        case DialWanted(connection, urgency):
            dialling.request(connection, urgency, now)
        case DialAccepted(connection):
            dialling.accepted(connection, now)
        case DialRefused(connection, reason, retry_after, credential):
            dialling.refused(connection, reason, now, retry_after=retry_after, credential=credential)
        case SocketEnded(connection, uptime, proved):
            dialling.closed(connection, now, uptime=uptime, proved=proved)
        case DialWithdrawn(connection):
            dialling.withdraw(connection)
        case DialNow(connection):
            dialling.retry_now(connection)


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
        self._said: dict[str, str] = {}

    async def init(self) -> Continue:
        """Take the origin's place."""
        self._origin.dialer = self.ref
        return Continue()

    async def handle_continue(self, token: object) -> None:
        """Adopt what an earlier dialer left: a dial whose end it did not hear of is under way no more, and who waits has asked."""
        dialling = self._origin.dialling
        now = self._context.clock.monotonic()
        found = [(venue, connection) for venue in self._venues() for connection in venue.model.connections]
        dialling.resume(
            dialling=[each.id for _, each in found if each.state is ConnectionState.DIALLING],
            ready=[each.id for _, each in found if each.opened_monotonic is not None],
        )
        for venue, connection in found:
            if _waiting_link(venue, connection) is not None:
                dialling.request(connection.id, urgency(connection), now)
        self._grant()

    async def handle_cast(self, message: Look) -> None:
        """Grant what may be granted."""
        self._grant()

    async def handle_info(self, message: object) -> None:
        """Grant what has fallen due."""
        if message is self._timer:
            self._timer = None
            self._grant()

    async def terminate(self, reason: ExitReason) -> None:
        """Tell of a crash: until the next dialer runs, nobody of this origin dials."""
        if isinstance(reason, Crash):
            self._context.note(dialer_failed(self._origin, f"{type(reason.error).__name__}: {reason.error}"))

    def _grant(self) -> None:
        now = self._context.clock.monotonic()
        granted, at = self._origin.dialling.grants(now)
        for name in granted:
            found = self._find(name)
            link = _waiting_link(*found) if found is not None else None
            if link is None or not link.cast(DialGranted()):
                # Nobody is there, or it has a socket by now: a grant that is not used would keep a scout from dialling.
                self._origin.dialling.release(name)
                continue
            if found is not None:
                self._context.note(_dialling(*found))
                if found[1].reason == self._said.get(name):
                    found[1].reason = None
        self._show(now)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at < math.inf:
            self._timer = self.send_after(max(0.0, at - now), _Due())

    def _show(self, now: float) -> None:
        """Write into each waiting connection's record what it waits for, and until when."""
        dialling = self._origin.dialling
        said, self._said = self._said, {}
        for venue in self._venues():
            for connection in venue.model.connections:
                if connection.state not in IDLE:
                    continue
                wait = dialling.wait(connection.id, now)
                if wait is None:
                    continue
                connection.next_attempt_at = (
                    None if wait.at is None else self._context.clock.wall() + (wait.at - now)
                )
                connection.move(self._waiting_state(connection))
                if connection.reason in {None, said.get(connection.id)}:
                    # Nothing has happened to it itself: this is why it is not ready.
                    connection.reason = self._said[connection.id] = wait.why

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


def urgency(connection: Connection) -> int:
    """Return the rank of a connection's dial, 0 first: that of the most urgent subscription on it."""
    return min((priority(entry) for entry in connection.members.values()), default=2)


def dialer_failed(origin: OriginContext, error: str) -> Fact:
    """Return the fact that an origin's dialer crashed or could not be started."""
    return Fact(
        kind="dialer_failed", level="error", actor=f"dialer:{origin.origin.name}", detail={"error": error}
    )


def _dialling(venue: VenueContext, connection: Connection) -> Fact:
    """Return the fact that a connection dials: from here on its dial counts, also for the process after this one."""
    return Fact(kind="dialling", level="debug", venue=venue.model.name, connection=connection.id)


def _waiting_link(venue: VenueContext, connection: Connection) -> ActorRef[Any] | None:
    """Return the link of a connection that waits for its turn, or None where none waits."""
    link = venue.links.get(connection.id)
    return link if link is not None and link.alive and connection.state in IDLE else None
