"""Rotation: a connection's streams go to a new one, make before break, and it closes.

On schedule, on the venue's notice, on `wsmgr reconnect`: a new connection is opened in the place that placement keeps free, each stream gets
a second side there, as many at a time as the quota of subscriptions has room for, and when all have gone over the old one says goodbye. One
rotation at a time for an origin, because one place is kept.

Where the venue does not take two sockets (by its dialect, or because a trial has failed), or there is no place for a second one, the socket
is closed and opened again: break before make, with a gap in the ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from wsmgr.manager.model import progress, sides
from wsmgr.manager.model.connection import Connection, Purpose, Rotation
from wsmgr.manager.model.effects import Effect, OpenConnection, Recycle
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.subscription import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsmgr.manager.model.registry import Registry, Venue
    from wsmgr.manager.model.subscription import Entry

LOOK_AGAIN = 1.0
"""Seconds between two looks at a rotation that is under way."""
PATIENCE = 120.0
"""Seconds after which a rotation that has begun and does not come to its end breaks before it makes."""

NewConnection = Callable[[Connection], Connection]


def want(registry: Registry, connection: Connection, *, why: str, now: float) -> None:
    """Have a connection replaced; wanting it twice is wanting it once."""
    if connection.rotation is None:
        connection.rotation = Rotation(why=why, asked_at=now)
        registry.note(
            Fact(kind="rotating", venue=connection.venue, connection=connection.id, detail={"why": why})
        )


def rotate(
    registry: Registry, venue: Venue, now: float, wake: list[float], new_connection: NewConnection
) -> Iterator[Effect]:
    """Yield what the rotations that are wanted need now.

    Args:
        registry: The registry.
        venue: The venue.
        now: The monotonic time.
        wake: Takes when to look again.
        new_connection: Adds a connection to the venue that is like another one.
    """
    _by_schedule(registry, venue, now, wake)
    busy = _is_busy(venue)
    waiting: list[Connection] = []
    for connection in list(venue.connections):
        rotation = connection.rotation
        if rotation is None:
            continue
        if not connection.ready:
            # It gets a new socket in any case.
            _end(connection, now)
        elif venue.one_socket_only and connection.members:
            yield _break(registry, connection, rotation, now)
        elif rotation.replacement is None and connection.paused:
            # Its consumer has stopped it: another socket would go on beside it.
            wake.append(now + 1.0)
        elif rotation.replacement is None:
            waiting.append(connection)
        elif rotation.asked_at + PATIENCE <= now or rotation.replacement not in venue.connections:
            yield _break(registry, connection, rotation, now)
        else:
            yield from _go_on(registry, venue, connection, rotation, rotation.replacement, now, wake)
    for connection in waiting:
        if busy or _will_have_room(venue, now):
            wake.append(now + LOOK_AGAIN)
            break
        yield _start(registry, venue, connection, now, new_connection)
        busy = _is_busy(venue)


def _start(
    registry: Registry, venue: Venue, connection: Connection, now: float, new_connection: NewConnection
) -> Effect:
    """Open the replacement, where there is a place for it and for what moves there."""
    rotation, limit = connection.rotation, venue.origin.quotas.connections
    assert rotation is not None  # noqa: S101 - the caller has checked it
    if (limit is not None and venue.origin.open_connections >= limit) or not _has_room(venue, now):
        return _break(registry, connection, rotation, now)
    # From here on it has the time that it is given; before, it waited for others.
    rotation.asked_at = now
    rotation.replacement = new_connection(connection)
    return OpenConnection(rotation.replacement)


def _go_on(
    registry: Registry,
    venue: Venue,
    connection: Connection,
    rotation: Rotation,
    replacement: Connection,
    now: float,
    wake: list[float],
) -> Iterator[Effect]:
    """Move what can be moved now; end the rotation when all has gone over."""
    wake.append(now + LOOK_AGAIN)
    # It closes when the rotation is over: its end would leave the replacement to nobody.
    connection.empty_since = None
    if not replacement.ready:
        return
    connection.leaving = True
    _move_over(registry, venue, connection, rotation, replacement, now)
    if connection.members:
        if not (_has_room(venue, now) or _will_have_room(venue, now) or replacement.seconds):
            yield _break(registry, connection, rotation, now)
        return
    for entry in list(connection.seconds.values()):
        sides.take_back(registry, entry, why=rotation.why, now=now, level="info")
        entry.second_due = now
    detail = {"to": replacement.id, "why": rotation.why, "seconds": round(now - rotation.asked_at, 3)}
    registry.note(Fact(kind="rotated", venue=venue.name, connection=connection.id, detail=detail))
    _end(connection, now)
    connection.leaving = True


def _move_over(
    registry: Registry,
    venue: Venue,
    connection: Connection,
    rotation: Rotation,
    replacement: Connection,
    now: float,
) -> None:
    for entry in list(connection.members.values()):
        if entry.second_joined:
            # The other of its two sides goes on; it gets another second one.
            sides.take_over(registry, entry, now=now, why=rotation.why)
        elif entry.second is not None or replacement.conflicts(entry, now):
            # On its way there, or on trial elsewhere; or a stream that ended a moment ago may still send its like there.
            continue
        elif entry.state is not State.LIVE:
            if connection.claim_of(entry.key) is not None and not _has_room(venue, now):
                # It holds a place at the venue until its end there is acknowledged.
                continue
            _ask_there(registry, entry, replacement, rotation.why, now)
        elif entry.second_due <= now and _has_room(venue, now):
            sides.begin(registry, entry, replacement, Purpose.MOVE, why=rotation.why)


def _ask_there(registry: Registry, entry: Entry, replacement: Connection, why: str, now: float) -> None:
    """Let what does not deliver be asked for on the new connection."""
    if entry.state not in {State.PENDING, State.LOST}:
        progress.ask_again(registry, entry, reason=why, now=now)
    registry.unplace(entry, now)
    replacement.add(entry)


def _has_room(venue: Venue, now: float) -> bool:
    """Whether another second side is within the quota of subscriptions."""
    limit = venue.origin.quotas.subscriptions
    return limit is None or venue.origin.usage(now).subscriptions < limit


def _will_have_room(venue: Venue, now: float) -> bool:
    """Whether there is no room but that of what the venue has not acknowledged to have ended."""
    return not _has_room(venue, now) and venue.origin.coming("subscriptions") > 0


def _is_busy(venue: Venue) -> bool:
    """Whether the place that is kept free is taken: by another rotation, or by a connection that says goodbye, or will."""
    return any(
        each.closing
        or any(
            (connection.rotation is not None and connection.rotation.replacement is not None)
            or (connection.leaving and connection.empty)
            for connection in each.connections
        )
        for each in venue.origin.venues
    )


def _break(registry: Registry, connection: Connection, rotation: Rotation, now: float) -> Recycle:
    detail = {"to": connection.id, "why": rotation.why, "exact": False}
    registry.note(
        Fact(kind="rotated", level="warning", venue=connection.venue, connection=connection.id, detail=detail)
    )
    _end(connection, now)
    return Recycle(connection, connection.socket, rotation.why)


def _end(connection: Connection, now: float) -> None:
    rotation, connection.rotation = connection.rotation, None
    connection.leaving = False
    for each in (connection, None if rotation is None else rotation.replacement):
        if each is not None and each.empty:
            each.empty_since = now


def _by_schedule(registry: Registry, venue: Venue, now: float, wake: list[float]) -> None:
    if venue.rotate_after is None:
        return
    for connection in venue.connections:
        if connection.opened_monotonic is None or not connection.ready or connection.rotation is not None:
            continue
        due_at = connection.opened_monotonic + venue.rotate_after
        if due_at <= now:
            want(registry, connection, why=f"its socket is {venue.rotate_after:g} s old", now=now)
        else:
            wake.append(due_at)
