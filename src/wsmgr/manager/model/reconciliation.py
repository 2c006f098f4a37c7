"""Reconciliation: from what is wanted and what is so, to what is to be done next.

One plain function looks at a venue and returns effects; the keeper performs them. It is level-triggered: whatever
happened, and whoever crashed in between, the same look finds the same work, so nothing depends on a message that might
be lost. Every change of state is made here before the effect is performed, and an effect that fails comes back as a lost
socket, which the next look repairs.

In this order: what nobody holds ends, what was parked is tried again, what is overdue is asked for again (`overdue`), what is silent
is repaired (`repairing`), what is not placed is placed (`placement`), connections are replaced (`rotation`), second sides are given to
what is wanted twice (`redundancy`), connections that are not needed empty themselves (`folding`), what may be written is written
(`asking`), and empty connections close. Nothing is overdue or silent while the loop has just stood still (`pulse`).
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from attrs import frozen

from wsmgr.manager.model import handover, repairing, requests
from wsmgr.manager.model.asking import ask, ordered
from wsmgr.manager.model.connection import Connection
from wsmgr.manager.model.effects import CloseConnection, Effect, OpenConnection
from wsmgr.manager.model.errors import QuotaError
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.folding import fold
from wsmgr.manager.model.overdue import expire
from wsmgr.manager.model.placement import Open, Place, Refuse, can_open, place
from wsmgr.manager.model.redundancy import pair
from wsmgr.manager.model.room import Room
from wsmgr.manager.model.rotation import rotate
from wsmgr.manager.model.subscription import State, move

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wsmgr.manager.model.registry import Registry, Venue
    from wsmgr.manager.model.subscription import Entry

LINGER = 15.0
FORGIVEN_AFTER = 3600.0
"""Seconds after which a venue that has failed the check of an overlap is given two sockets again."""
EMPTY_LINGER = 10.0
PARKED_LINGER = 300.0
REQUEST_LINGER = 300.0


@frozen
class Plan:
    """What is to be done now, and when to look again.

    Attributes:
        effects: What is to be done, in order.
        wake_at: When something falls due (monotonic); infinite where nothing does.
    """

    effects: tuple[Effect, ...]
    wake_at: float


def reconcile(registry: Registry, venue: Venue, *, now: float, wall: float, urls: dict[str, str]) -> Plan:
    """Look at a venue and decide what is to be done.

    Args:
        registry: The registry.
        venue: The venue.
        now: The monotonic time.
        wall: Unix seconds.
        urls: The address of each of the venue's hosts.
    """
    venue.stirred = False
    _forgive_overlap(registry, venue, now)
    effects: list[Effect] = []
    wake = [math.inf]
    _end_unheld(registry, venue, now, wake)
    _retry(venue, now, wake)
    if registry.pulse.may_judge(now):
        effects += expire(registry, venue, now, wall, wake)
        effects += repairing.step(registry, venue, now, wake)
    else:
        wake.append(registry.pulse.judge_at(now))
    effects += _place_all(registry, venue, now, urls, wake)
    effects += _open_for_requests(venue, now, urls)
    effects += rotate(registry, venue, now, wake, partial(_new_like, venue, urls))
    effects += pair(registry, venue, now, wake, partial(_new_for, venue, urls))
    fold(registry, venue, now, wake)
    effects += ask(venue, now, wake)
    effects += _close_empty(registry, venue, now, wake)
    return Plan(tuple(effects), min(wake))


def _forgive_overlap(registry: Registry, venue: Venue, now: float) -> None:
    """Try two sockets again after a while: what a trial has shown may have been chance."""
    if (
        venue.one_socket_only
        and venue.overlap_failed_at is not None
        and now - venue.overlap_failed_at > FORGIVEN_AFTER
    ):
        venue.one_socket_only, venue.overlap_failed_at = False, None
        registry.note(
            Fact(kind="overlap_tried_again", venue=venue.name, detail={"after_seconds": FORGIVEN_AFTER})
        )


def _end_unheld(registry: Registry, venue: Venue, now: float, wake: list[float]) -> None:
    for entry in [found for found in venue.attention.values() if found.unheld_since is not None]:
        assert entry.unheld_since is not None  # noqa: S101 - the line above chose it
        if entry.kept or entry.buffers:
            entry.unheld_since = None
        elif entry.unheld_since + LINGER <= now:
            registry.end(entry, by="nobody holds it", now=now)
        else:
            wake.append(entry.unheld_since + LINGER)
    for entry in [found for found in venue.attention.values() if not found.waits]:
        del venue.attention[entry.id]


def _retry(venue: Venue, now: float, wake: list[float]) -> None:
    for entry in venue.attention.values():
        if entry.state in {State.REJECTED, State.FAILED} and entry.deadline is not None:
            if entry.deadline <= now:
                entry.deadline = None
                move(entry, State.PENDING, error=entry.error)
            else:
                wake.append(entry.deadline)


def _place_all(
    registry: Registry, venue: Venue, now: float, urls: dict[str, str], wake: list[float]
) -> Iterator[Effect]:
    waiting = [
        entry
        for entry in venue.attention.values()
        if entry.connection is None and entry.state in {State.PENDING, State.LOST}
    ]
    if not waiting:
        return
    usage = venue.origin.usage(now)
    room = Room(registry, venue.origin, now, wake)
    for entry in ordered(waiting):
        if entry.deadline is not None and entry.deadline > now:
            wake.append(entry.deadline)
            continue
        entry.deadline = None
        match place(entry, venue.connections, venue.origin.quotas, usage, now):
            case Place(connection):
                connection.add(entry)
                usage = usage.with_one_more(entry.user, opened=False)
            case Open():
                connection = _new_for(venue, urls, entry)
                connection.add(entry)
                venue.origin.sockets_short.ease(now)
                usage = usage.with_one_more(entry.user, opened=True)
                yield OpenConnection(connection)
            case Refuse() as refusal:
                if not room.promise(refusal.quota, entry):
                    _note_refusal(registry, entry, refusal)
                freed = venue.origin.slots.free_at()
                if freed is not None:
                    wake.append(freed)


def _open_for_requests(venue: Venue, now: float, urls: dict[str, str]) -> Iterator[Effect]:
    """Yield the opening of a connection where a request waits and there is none that takes it."""
    if not venue.requests.waiting or requests.first_connection(venue) is not None:
        return
    if can_open(venue.origin.quotas, venue.origin.open_connections):
        connection = _new_connection(venue, venue.request_host, urls)
        connection.empty_since = now
        yield OpenConnection(connection)


def _new_for(venue: Venue, urls: dict[str, str], entry: Entry) -> Connection:
    """Add a connection for a subscription."""
    return _new_connection(venue, entry.type.host, urls, dedicated=entry.dedicated)


def _new_like(venue: Venue, urls: dict[str, str], connection: Connection) -> Connection:
    """Add a connection that is to replace another one."""
    return _new_connection(venue, connection.host, urls, dedicated=connection.dedicated)


def _new_connection(venue: Venue, host: str, urls: dict[str, str], *, dedicated: bool = False) -> Connection:
    venue.opened += 1
    connection = Connection(
        id=f"{venue.name}-{venue.opened}",
        venue=venue.name,
        host=host,
        url=urls[host],
        dedicated=dedicated,
    )
    venue.connections.append(connection)
    return connection


def refusal_words(refusal: Refuse) -> str:
    """Return the words in which a quota's refusal is shown."""
    holders = f", held by {', '.join(refusal.held_by[:5])}" if refusal.held_by else ""
    return f"waits for the quota {refusal.quota!r} ({refusal.limit}){holders}; {refusal.advice}"


def _note_refusal(registry: Registry, entry: Entry, refusal: Refuse) -> None:
    words = refusal_words(refusal)
    if entry.error == words:
        return
    entry.error = words
    entry.obstacle = QuotaError(refusal.quota, refusal.limit, refusal.held_by, advice=refusal.advice)
    entry.stored = False
    registry.note(
        Fact(
            kind="waits_for_quota",
            level="warning",
            venue=entry.venue,
            subscription_id=entry.id,
            detail={"quota": refusal.quota, "limit": refusal.limit},
        )
    )
    for watcher in tuple(entry.watchers):
        watcher(entry)


def _close_empty(registry: Registry, venue: Venue, now: float, wake: list[float]) -> Iterator[Effect]:
    venue.requests.forget(now)
    for connection in list(venue.connections):
        if not connection.empty or connection.empty_since is None:
            continue
        until = _empty_until(venue, connection, now)
        if until > now:
            wake.append(until)
            continue
        venue.connections.remove(connection)
        venue.closing.append(connection)
        registry.note(
            Fact(
                kind="connection_closed", venue=venue.name, connection=connection.id, detail={"why": "empty"}
            )
        )
        yield CloseConnection(connection)


def _empty_until(venue: Venue, connection: Connection, now: float) -> float:
    """Return until when an empty connection stays: for the next subscription or request, for a handover, or for its parking."""
    assert connection.empty_since is not None  # noqa: S101 - the caller has checked it
    if not connection.usable:
        return connection.empty_since + PARKED_LINGER
    used = venue.requests.used_until(connection)
    if connection.handovers:
        used = max(used, connection.empty_since + handover.PATIENCE)
    serves = requests.first_connection(venue) is connection
    # What waits for a socket of another kind does not wait for this one to linger.
    short = venue.origin.sockets_short.lasts(now)
    if connection.leaving or (short and not serves):
        return max(connection.empty_since, used)
    if serves and not short:
        used = max(used, venue.requests.used_at + REQUEST_LINGER)
    return max(connection.empty_since + EMPTY_LINGER, used)
