"""Placement: which connection a subscription goes to.

Under the three classes lies one rule: two subscriptions conflict when their wire keys are equal and their subscription
keys differ, and conflicting subscriptions never share a connection. So the conflicts form one clique for each wire key,
and first fit over the connections in the order of their age uses as few of them as the largest clique asks for.

In this order: never a conflict; never over a quota; one socket of the quota kept free for rotation; private streams apart
from market data while a socket is free; then the fewest sockets. No socket is free while something waits for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from wsmgr.manager.model.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wsmgr.manager.model.quota import Quotas
    from wsmgr.manager.model.subscription import Entry

RESERVE = 1


@frozen
class Place:
    """Put it on this connection."""

    connection: Connection


@frozen
class Open:
    """Open another connection for it."""


@frozen(kw_only=True)
class Refuse:
    """A quota stands in the way.

    Attributes:
        quota: Its name.
        limit: Its limit.
        held_by: What holds it.
        advice: What the caller can do.
    """

    quota: str
    limit: int
    held_by: tuple[str, ...]
    advice: str


@frozen(kw_only=True)
class Usage:
    """What an origin holds already, over all of its venues.

    Attributes:
        connections: How many connections it has.
        subscriptions: How many subscriptions are placed, or have ended and are still held by the venue.
        users: The users whose slots are taken.
        short: Whether something waits for a socket, so that none is opened where another one would do.
    """

    connections: int
    subscriptions: int
    users: set[str]
    short: bool = False

    def with_one_more(self, user: str | None, *, opened: bool) -> Usage:
        """Return the usage after a subscription was placed; the set of users is handed on, and grows."""
        if user is not None:
            self.users.add(user)
        return Usage(
            connections=self.connections + opened,
            subscriptions=self.subscriptions + 1,
            users=self.users,
            short=self.short,
        )


Decision = Place | Open | Refuse


def place(
    entry: Entry, connections: Sequence[Connection], quotas: Quotas, usage: Usage, now: float
) -> Decision:
    """Decide where a subscription goes.

    Args:
        entry: A subscription that is not placed.
        connections: The venue's connections, oldest first.
        quotas: The limits of the venue's origin.
        usage: What that origin holds already.
        now: The monotonic time.
    """
    refusal = _over_quota(entry, connections, quotas, usage)
    if refusal is not None:
        return refusal
    may_open = can_open(quotas, usage.connections)
    if entry.dedicated:
        return Open() if may_open else _no_socket(entry, connections, quotas)
    fits = _fitting(entry, connections, now)
    avoided = [connection for connection in fits if connection.id == entry.avoid]
    fits = [connection for connection in fits if connection.id != entry.avoid]
    apart = [connection for connection in fits if not connection.mixes(entry)]
    found = _first(entry, apart)
    if found is not None:
        return Place(found)
    if may_open and not (usage.short and fits):
        return Open()
    mixed = _first(entry, fits or avoided)
    return Place(mixed) if mixed is not None else _no_socket(entry, connections, quotas)


def place_second(
    entry: Entry, connections: Sequence[Connection], quotas: Quotas, usage: Usage, now: float
) -> Decision:
    """Decide where the second side of a subscription goes that is placed already; never where the first one is.

    The arguments are those of `place`.
    """
    if quotas.subscriptions is not None and usage.subscriptions >= quotas.subscriptions:
        return _no_subscription(connections, quotas.subscriptions)
    fits = [
        connection for connection in _fitting(entry, connections, now) if connection is not entry.connection
    ]
    apart = [connection for connection in fits if not connection.mixes(entry)]
    if apart and not entry.dedicated:
        return Place(apart[0])
    mixed = [] if entry.dedicated else fits
    if can_open(quotas, usage.connections) and not (usage.short and mixed):
        return Open()
    return Place(mixed[0]) if mixed else _no_socket(entry, connections, quotas)


def can_open(quotas: Quotas, connections: int) -> bool:
    """Whether another connection may be opened beside so many, with the reserve left over."""
    return quotas.connections is None or connections < usable_connections(quotas.connections)


def usable_connections(limit: int) -> int:
    """Return how many connections of a quota may be opened for subscriptions: the reserve is left over, but of one."""
    return max(1, limit - RESERVE)


def _fitting(entry: Entry, connections: Sequence[Connection], now: float) -> list[Connection]:
    """Return the connections that may take a subscription; one that replaces another is kept for what moves there."""
    replacements = [
        connection.rotation.replacement for connection in connections if connection.rotation is not None
    ]
    return [
        connection
        for connection in connections
        if connection.usable
        and not connection.leaving
        and not connection.dedicated
        and connection not in replacements
        and connection.host == entry.type.host
        and not connection.conflicts(entry, now)
    ]


def _no_subscription(connections: Sequence[Connection], limit: int) -> Refuse:
    return Refuse(
        quota="subscriptions",
        limit=limit,
        held_by=tuple(member.key for connection in connections for member in connection.members.values()),
        advice="end one with `wsmgr unsubscribe`, or use a second machine",
    )


def _over_quota(
    entry: Entry, connections: Sequence[Connection], quotas: Quotas, usage: Usage
) -> Refuse | None:
    # First what no second side could give way for.
    new_user = entry.user is not None and entry.user not in usage.users
    if new_user and quotas.users is not None and len(usage.users) >= quotas.users:
        return Refuse(
            quota="users",
            limit=quotas.users,
            held_by=tuple(sorted(usage.users)),
            advice="end the streams of one user and wait 15 s, or use a second machine",
        )
    if quotas.subscriptions is not None and usage.subscriptions >= quotas.subscriptions:
        return _no_subscription(connections, quotas.subscriptions)
    return None


def _first(entry: Entry, connections: Iterable[Connection]) -> Connection | None:
    """Return the user's own connection where it has one, else the oldest."""
    oldest: Connection | None = None
    for connection in connections:
        if entry.user is not None and entry.user in connection.users:
            return connection
        if oldest is None:
            oldest = connection
    return oldest


def _no_socket(entry: Entry, connections: Sequence[Connection], quotas: Quotas) -> Refuse:
    limit = quotas.connections or 0
    rivals = [
        member.key
        for connection in connections
        if (member := connection.members.get(entry.wire_key)) is not None and member.key != entry.key
    ]
    if not rivals:
        advice = "end a subscription that has a connection of its own, or use a second machine"
    else:
        advice = (
            "each of these must have a socket of its own, because the venue's frames do not tell them apart from"
            f" {entry.key}; end one, or use a second machine"
        )
        if entry.type.substitutes:
            advice = f"instead, subscribe to {entry.type.substitute_words}; {advice}"
    return Refuse(
        quota="connections",
        limit=limit,
        held_by=tuple(rivals or [connection.id for connection in connections]),
        advice=advice,
    )
