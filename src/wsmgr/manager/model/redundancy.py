"""Redundancy: what is wanted on two sockets gets a second side on another connection, and another one whenever that was lost.

It costs a second subscription of the venue's quota, and a second socket where there is none. Where a quota stands in the way the
subscription goes on with one side, and says so. So it does where the venue was found to serve one socket only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.model import folding, sides
from wsmgr.manager.model.connection import Purpose
from wsmgr.manager.model.effects import Effect, OpenConnection
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.placement import Open, Place, Refuse, place_second
from wsmgr.manager.model.subscription import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.model.placement import Usage
    from wsmgr.manager.model.registry import Origin, Registry, Venue
    from wsmgr.manager.model.subscription import Entry

TRY_AGAIN = 30.0
SOCKET_AGAIN = 5.0
"""Seconds until a second side that waits for a socket is tried again: others may have been shared for it."""
SOON = 1.0
"""Seconds until one is tried again that waits for a place that is being given back."""
WHY = "it is wanted on two sockets"


def pair(
    registry: Registry,
    venue: Venue,
    now: float,
    wake: list[float],
    new_connection: Callable[[Entry], Connection],
) -> Iterator[Effect]:
    """Yield what gives every subscription that is wanted twice its second side.

    Args:
        registry: The registry.
        venue: The venue.
        now: The monotonic time.
        wake: Takes when to look again.
        new_connection: Adds a connection to the venue for a subscription.
    """
    usage: Usage | None = None
    for entry in list(venue.attention.values()):
        if entry.sides_wanted == 1:
            if entry.second_joined:
                sides.take_back(
                    registry, entry, why="nobody wants it on two sockets any more", now=now, level="info"
                )
            continue
        if entry.second is not None or entry.state is not State.LIVE:
            continue
        if venue.one_socket_only:
            _note_refusal(registry, entry, "has one side only: the venue serves one socket at a time", {})
            continue
        if entry.second_due > now:
            wake.append(entry.second_due)
            continue
        usage = venue.origin.usage(now) if usage is None else usage
        match place_second(entry, venue.connections, venue.origin.quotas, usage, now):
            case Place(connection):
                entry.error = None
                usage = usage.with_one_more(entry.user, opened=False)
                sides.begin(registry, entry, connection, Purpose.REDUNDANCY, why=WHY)
            case Open():
                connection = new_connection(entry)
                venue.origin.sockets_short.ease(now)
                entry.error = None
                usage = usage.with_one_more(entry.user, opened=True)
                sides.begin(registry, entry, connection, Purpose.REDUNDANCY, why=WHY)
                yield OpenConnection(connection)
            case Refuse() as refusal:
                _wait(registry, venue.origin, entry, refusal, now, wake)


def has_room_to_make(origin: Origin, quota: str, waiting: Entry) -> bool:
    """Whether a subscription that finds no place will get one without anybody's ending another one."""
    return (
        origin.coming(quota) > 0
        or bool(_expendable(origin, quota, waiting))
        or (quota == "connections" and folding.can_share(origin))
    )


def make_room(registry: Registry, origin: Origin, quota: str, waiting: Entry, now: float) -> bool:
    """Take second sides back, because a subscription that has no place needs theirs; returns whether there were any.

    Args:
        registry: The registry.
        origin: The origin whose quota stands in the way.
        quota: Its name.
        waiting: The subscription.
        now: The monotonic time.
    """
    found = _expendable(origin, quota, waiting)
    for entry in found:
        why = "a subscription without a place needs its own"
        sides.take_back(registry, entry, why=why, now=now, pause=TRY_AGAIN, level="info")
    return bool(found)


def _expendable(origin: Origin, quota: str, waiting: Entry) -> list[Entry]:
    """Return the second sides whose end frees one place of a quota; none where there are none, or they free no place."""
    for venue in origin.venues:
        for connection in venue.connections:
            redundant = [entry for entry in connection.seconds.values() if _is_redundant(entry)]
            if quota == "connections" and _is_in_its_way(connection, waiting):
                return [connection.seconds[waiting.wire_key]]
            if quota == "subscriptions" and redundant:
                return redundant[:1]
            if quota == "connections" and redundant and not connection.members:
                return redundant if len(redundant) == len(connection.seconds) else []
    return []


def _is_redundant(entry: Entry) -> bool:
    return entry.second is not None and entry.second.purpose is Purpose.REDUNDANCY


def _is_in_its_way(connection: Connection, waiting: Entry) -> bool:
    """Whether only a second side with the same wire key keeps a subscription off a connection."""
    second = connection.seconds.get(waiting.wire_key)
    return (
        second is not None
        and _is_redundant(second)
        and waiting.wire_key not in connection.members
        and connection.venue == waiting.venue
        and connection.host == waiting.type.host
        and connection.usable
        and not connection.leaving
        and not (connection.dedicated or waiting.dedicated)
    )


def _wait(
    registry: Registry, origin: Origin, entry: Entry, refusal: Refuse, now: float, wake: list[float]
) -> None:
    """Have a second side wait for a quota, and say so where no place is coming."""
    if origin.coming(refusal.quota):
        entry.second_due = now + SOON
        wake.append(entry.second_due)
        return
    entry.second_due = now + TRY_AGAIN
    if refusal.quota == "connections":
        folding.want_socket(origin, now, wake)
        entry.second_due = now + SOCKET_AGAIN
    wake.append(entry.second_due)
    words = f"has one side only: waits for the quota {refusal.quota!r} ({refusal.limit})"
    _note_refusal(registry, entry, words, {"quota": refusal.quota, "limit": refusal.limit})


def _note_refusal(registry: Registry, entry: Entry, words: str, detail: Mapping[str, object]) -> None:
    """Say once why there is one side only."""
    if entry.error == words:
        return
    entry.error = words
    entry.stored = False
    registry.note(
        Fact(
            kind="redundancy_waits",
            level="warning",
            venue=entry.venue,
            subscription_id=entry.id,
            detail={"why": words, **detail},
        )
    )
    for watcher in tuple(entry.watchers):
        watcher(entry)
