"""Folding: a connection whose streams fit on the others gives them away and closes.

Sockets are scarce at a venue, and after subscriptions have ended the rest may stand on more of them than they need. When the
streams of the emptiest connection that can do without have fitted on the others for 60 s, without a conflict and with no limit
used to more than 80 %, they move there, make before break, and the connection closes. One connection at a time.

With the streams of each wire key on different connections, a connection too many always fits: its stream of a wire key has at
least one neighbour without that key. So folding ends at as many connections as the largest set of conflicting streams asks for,
of private streams and of market data each.

Where something has waited for a socket for a while, none is free, and the two need not stay apart: then a connection is given up whose streams,
also those on two sockets, fit on the others whatever those carry, and it ends at as many as the largest set of conflicting sides asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.model import sides
from wsmgr.manager.model.connection import Purpose
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.subscription import State

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.model.registry import Origin, Registry, Venue
    from wsmgr.manager.model.subscription import Entry

FOLD_AFTER = 60.0
FULLNESS = 0.8
TRY_AGAIN = 10.0
SHARE_AFTER = 15.0
"""Seconds for which something has waited for a socket before others are shared for it: longer than a wire key is in quarantine."""
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
    if venue.origin.sockets_short.lasts(now, since=SHARE_AFTER) and _share(registry, venue, now, wake):
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


def want_socket(origin: Origin, now: float, wake: list[float]) -> None:
    """Note that something waits for a socket: others are shared when it has waited for a while."""
    origin.sockets_short.note(now)
    at = origin.sockets_short.lasts_at(since=SHARE_AFTER)
    if at > now:
        wake.append(at)


def can_share(origin: Origin) -> bool:
    """Whether an origin could do with a connection less, if private streams and market data shared sockets."""
    return any(
        _shareable(venue, connection)
        for venue in origin.venues
        for connection in venue.connections
        if not venue.one_socket_only
    )


def _share(registry: Registry, venue: Venue, now: float, wake: list[float]) -> bool:
    """Begin to empty the connection that carries least of those that the others have a place for; returns whether there was one."""
    youngest_first = venue.connections[::-1]
    for connection in sorted(youngest_first, key=lambda each: len(each.members) + len(each.seconds)):
        if not _shareable(venue, connection):
            continue
        targets = _shared_targets(venue, connection, now)
        if targets is None or not _has_headroom(venue, len(targets), now):
            wake.append(now + TRY_AGAIN)
            continue
        why = f"{connection.id} is folded"
        for entry in [each for each in connection.members.values() if each.second_joined]:
            sides.take_over(registry, entry, now=now, why=why)
            entry.second_due = now
        for entry in list(connection.seconds.values()):
            sides.take_back(registry, entry, why=why, now=now, pause=0.0, level="info")
        _begin(registry, connection, targets)
        # What has one side only now gets its second one elsewhere.
        wake.append(now)
        return True
    return False


def _shareable(venue: Venue, source: Connection) -> bool:
    """Whether each side on a connection has another one on which its wire key is free, whatever that carries."""
    if source.dedicated or source.empty or not source.ready:
        return False
    others = _sharers(venue, source)
    wire_keys = {*source.members, *source.seconds}
    return bool(others) and not wire_keys.intersection(
        *((*other.members, *other.seconds) for other in others)
    )


def _shared_targets(venue: Venue, source: Connection, now: float) -> list[tuple[Entry, Connection]] | None:
    """Return where each stream goes that is on this connection alone; None where one side is not settled, or finds no place just now."""
    others = _sharers(venue, source)
    found: list[tuple[Entry, Connection]] = []
    for entry in (*source.members.values(), *source.seconds.values()):
        room = [other for other in others if _is_free(other, entry)]
        settled = entry.state is State.LIVE and (entry.second is None or entry.second_joined)
        if not settled or not room or (entry.second is None and entry.second_due > now):
            return None
        if entry.second is None:
            found.append((entry, room[0]))
    return found


def _sharers(venue: Venue, source: Connection) -> list[Connection]:
    return [
        other
        for other in venue.connections
        if other is not source and other.host == source.host and other.ready and not other.dedicated
    ]


def _is_free(connection: Connection, entry: Entry) -> bool:
    """Whether the wire key of a stream is free on a connection, and was for long enough."""
    return not any(
        entry.wire_key in taken for taken in (connection.members, connection.seconds, connection.claims)
    )


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
        room = [other for other in others[entry.type.private] if _is_free(other, entry)]
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
