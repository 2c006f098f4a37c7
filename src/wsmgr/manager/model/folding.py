"""Folding: a connection whose streams fit on the others gives them away and closes.

Sockets are scarce at a venue, and after subscriptions have ended the rest may stand on more of them than they need. When the
streams of the emptiest connection that can do without have fitted on the others for 60 s, without a conflict and with no limit
used to more than 80 %, they move there, make before break, and the connection closes. One connection at a time.

With the streams of each wire key on different connections, a connection too many always fits: its stream of a wire key has at
least one neighbour without that key. So folding ends at as many connections as the largest set of conflicting streams asks for,
of private streams and of market data each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.model import sides
from wsmgr.manager.model.connection import Purpose
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.subscription import State

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.model.registry import Registry, Venue
    from wsmgr.manager.model.subscription import Entry

FOLD_AFTER = 60.0
FULLNESS = 0.8
TRY_AGAIN = 10.0
_WRITES_PER_MOVE = 2


def fold(registry: Registry, venue: Venue, now: float, wake: list[float]) -> None:
    """Begin to empty one connection for which the others have had room for long enough.

    Args:
        registry: The registry.
        venue: The venue.
        now: The monotonic time.
        wake: Takes when to look again.
    """
    if venue.one_socket_only or any(
        connection.leaving or connection.rotation is not None for connection in venue.connections
    ):
        return
    for connection in venue.connections:
        if not _fits(venue, connection):
            connection.fits_since = None
        elif connection.fits_since is None:
            connection.fits_since = now
    youngest_first = venue.connections[::-1]
    for connection in sorted(youngest_first, key=lambda each: len(each.members)):
        if connection.fits_since is None:
            continue
        if connection.fits_since + FOLD_AFTER > now:
            wake.append(connection.fits_since + FOLD_AFTER)
            continue
        targets = _targets(venue, connection)
        if targets is not None and _has_headroom(venue, len(targets), now):
            _begin(registry, connection, targets)
            return
        wake.append(now + TRY_AGAIN)


def hurry(venue: Venue, now: float) -> list[str]:
    """Let every connection that the others have room for give its streams away when the keeper next looks.

    Returns:
        The ids of those connections; one at a time empties itself.
    """
    fitting = [connection for connection in venue.connections if _fits(venue, connection)]
    for connection in fitting:
        connection.fits_since = now - FOLD_AFTER
    return [connection.id for connection in fitting]


def _begin(registry: Registry, connection: Connection, targets: list[tuple[Entry, Connection]]) -> None:
    connection.leaving = True
    connection.fits_since = None
    for entry, to in targets:
        sides.begin(registry, entry, to, Purpose.MOVE, why=f"{connection.id} is folded")
    registry.note(
        Fact(
            kind="folding",
            venue=connection.venue,
            connection=connection.id,
            detail={"subscriptions": len(targets), "to": sorted({to.id for _, to in targets})},
        )
    )


def _fits(venue: Venue, source: Connection) -> bool:
    """Whether each stream of a connection has another one on which its wire key is free."""
    if source.dedicated or source.empty or source.seconds or not source.ready:
        return False
    kinds: dict[bool, set[str]] = {}
    for wire_key, entry in source.members.items():
        if entry.sides_wanted > 1:
            # What is wanted on two sockets is where it should be.
            return False
        kinds.setdefault(entry.type.private, set()).add(wire_key)
    for private, wire_keys in kinds.items():
        others = _others(venue, source, private=private)
        if not others or wire_keys.intersection(*((*other.members, *other.seconds) for other in others)):
            return False
    return True


def _targets(venue: Venue, source: Connection) -> list[tuple[Entry, Connection]] | None:
    """Return where each stream of a connection goes: to its user's connection first, then to the oldest.

    None where one of them does not deliver just now, or where its wire key is still in quarantine.
    """
    others = {private: _others(venue, source, private=private) for private in (True, False)}
    found: list[tuple[Entry, Connection]] = []
    for entry in source.members.values():
        room = [
            other
            for other in others[entry.type.private]
            if entry.wire_key not in other.members
            and entry.wire_key not in other.seconds
            and entry.wire_key not in other.claims
        ]
        if entry.state is not State.LIVE or entry.second is not None or not room:
            return None
        own = [other for other in room if entry.user is not None and entry.user in other.users]
        found.append((entry, (own or room)[0]))
    return found


def _others(venue: Venue, source: Connection, *, private: bool) -> list[Connection]:
    """Return the connections that may take a side's streams of another one: those that carry this side already.

    Where the source keeps the sides apart, they stay apart.
    """
    mixed = source.private and source.public
    return [
        other
        for other in venue.connections
        if other is not source
        and other.host == source.host
        and other.ready
        and not other.dedicated
        and (other.private if private else other.public)
        and (mixed or not (other.private and other.public))
    ]


def _has_headroom(venue: Venue, moves: int, now: float) -> bool:
    """Whether the moves leave every limit that they use below its fullness: both sides are held for a moment."""
    origin = venue.origin
    subscriptions, messages = origin.quotas.subscriptions, origin.messages.limit
    return (
        subscriptions is None or origin.usage(now).subscriptions + moves <= FULLNESS * subscriptions
    ) and (messages is None or origin.messages.used(now) + _WRITES_PER_MOVE * moves <= FULLNESS * messages)
