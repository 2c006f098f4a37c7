"""Reconciliation: from what is wanted and what is so, to what is to be done next.

One plain function looks at a venue and returns effects; the keeper performs them. It is level-triggered: whatever
happened, and whoever crashed in between, the same look finds the same work, so nothing depends on a message that might
be lost. Every change of state is made here before the effect is performed, and an effect that fails comes back as a lost
socket, which the next look repairs.

Invariants:

1. A subscribe is written only on a ready connection, inside the message quota, and at most one that adds a user to the
   origin is in flight: the venue's refusal of a user names nobody, so it must be clear whom it means.
2. A wire key has at most one subscription on a connection, and none while another one's late frames may still come.
3. Private streams are asked for first, then books, then the rest.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from attrs import frozen

from wsmgr.manager.model import progress
from wsmgr.manager.model.connection import Claim, Connection, Phase
from wsmgr.manager.model.errors import QuotaError
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.placement import Open, Place, Refuse, place
from wsmgr.manager.model.subscription import Entry, State, move
from wsmgr.manager.model.subscription_type import Atom, ConnectionClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wsmgr.manager.model.registry import Registry, Venue

LINGER = 15.0
ACK_DEADLINE = 10.0
MAX_ATTEMPTS = 3
EMPTY_LINGER = 10.0
PARKED_LINGER = 300.0


@frozen
class OpenConnection:
    """Start the connection: it has just been added to the venue."""

    connection: Connection


@frozen
class Subscribe:
    """Write the subscribe of an atom."""

    connection: Connection
    atom: Atom


@frozen
class Unsubscribe:
    """Write the unsubscribe of an atom."""

    connection: Connection
    atom: Atom


@frozen
class Recycle:
    """Close one socket of the connection, by its number, and open another."""

    connection: Connection
    socket: int
    why: str


@frozen
class CloseConnection:
    """End the connection: it has just been taken from the venue."""

    connection: Connection


Effect = OpenConnection | Subscribe | Unsubscribe | Recycle | CloseConnection


@frozen
class Plan:
    """What is to be done now, and when to look again.

    Attributes:
        effects: What is to be done, in order.
        wake_at: When something falls due (monotonic); infinite where nothing does.
    """

    effects: tuple[Effect, ...]
    wake_at: float


def reconcile(registry: Registry, venue: Venue, *, now: float, urls: dict[str, str]) -> Plan:
    """Look at a venue and decide what is to be done.

    Args:
        registry: The registry.
        venue: The venue.
        now: The monotonic time.
        urls: The address of each of the venue's hosts.
    """
    effects: list[Effect] = []
    wake = [math.inf]
    _end_unheld(registry, venue, now, wake)
    _retry(venue, now, wake)
    effects += _expire(registry, venue, now, wake)
    effects += _place_all(registry, venue, now, urls, wake)
    effects += _write_all(venue, now, wake)
    effects += _close_empty(registry, venue, now, wake)
    return Plan(tuple(effects), min(wake))


def priority(entry: Entry) -> int:
    """Return the rank in which subscriptions are asked for: private streams, books, the rest."""
    if entry.type.private:
        return 0
    return 1 if entry.type.connection_class is ConnectionClass.DEDICATED else 2


def _ordered(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=priority)


def _end_unheld(registry: Registry, venue: Venue, now: float, wake: list[float]) -> None:
    for entry in [found for found in venue.attention.values() if found.unheld_since is not None]:
        assert entry.unheld_since is not None  # noqa: S101 - the line above chose it
        if entry.kept or entry.buffers:
            entry.unheld_since = None
        elif entry.unheld_since + LINGER <= now:
            registry.end(entry, by="nobody holds it", now=now)
        else:
            wake.append(entry.unheld_since + LINGER)
    for entry in [found for found in venue.attention.values() if found.settled]:
        if entry.unheld_since is None and entry.deadline is None:
            del venue.attention[entry.id]


def _retry(venue: Venue, now: float, wake: list[float]) -> None:
    for entry in venue.attention.values():
        if entry.state in {State.REJECTED, State.FAILED} and entry.deadline is not None:
            if entry.deadline <= now:
                entry.deadline = None
                move(entry, State.PENDING, error=entry.error)
            else:
                wake.append(entry.deadline)


def _expire(registry: Registry, venue: Venue, now: float, wake: list[float]) -> list[Effect]:
    """Return what is to be done about answers and proofs that did not come in time: at most one recycling a connection."""
    recycled: dict[str, Effect] = {}
    for entry in list(venue.attention.values()):
        connection = entry.connection
        if connection is None or entry.deadline is None:
            continue
        if entry.state not in {State.SUBSCRIBING, State.ACKNOWLEDGED}:
            continue
        if entry.deadline > now:
            wake.append(entry.deadline)
            continue
        what = "acknowledgement" if entry.state is State.SUBSCRIBING else "first frame"
        _note_overdue(registry, entry, connection, what)
        if entry.state is State.SUBSCRIBING and entry.attempts >= MAX_ATTEMPTS:
            entry.deadline = now + ACK_DEADLINE
            wake.append(entry.deadline)
            why = f"no {what} of {entry.key} after {entry.attempts} requests"
            recycled.setdefault(connection.id, Recycle(connection, connection.socket, why))
        else:
            progress.ask_again(registry, entry, reason=f"no {what}", now=now)
    for connection in venue.connections:
        for claim in list(connection.unsettled.values()):
            effect = _expire_claim(connection, claim, now, wake)
            if effect is not None:
                recycled.setdefault(connection.id, effect)
    return list(recycled.values())


def _note_overdue(registry: Registry, entry: Entry, connection: Connection, what: str) -> None:
    registry.note(
        Fact(
            kind="overdue",
            level="warning",
            venue=entry.venue,
            connection=connection.id,
            subscription_id=entry.id,
            detail={"what": what, "attempts": entry.attempts},
        )
    )


def _expire_claim(connection: Connection, claim: Claim, now: float, wake: list[float]) -> Effect | None:
    if claim.phase is Phase.GONE:
        if claim.free_at <= now:
            connection.drop_claim(claim.atom.wire_key)
        else:
            wake.append(claim.free_at)
    elif claim.phase is Phase.ENDING and claim.deadline is not None:
        if claim.deadline > now:
            wake.append(claim.deadline)
        elif claim.attempts < MAX_ATTEMPTS:
            claim.deadline = None
        else:
            claim.deadline = now + ACK_DEADLINE
            wake.append(claim.deadline)
            return Recycle(connection, connection.socket, f"no acknowledgement of the end of {claim.key}")
    return None


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
    for entry in _ordered(waiting):
        if entry.deadline is not None and entry.deadline > now:
            wake.append(entry.deadline)
            continue
        entry.deadline = None
        match place(entry, venue.connections, venue.origin.quotas, usage, now):
            case Place(connection):
                connection.add(entry)
                usage = usage.with_one_more(entry.user, opened=False)
            case Open():
                connection = _new_connection(venue, entry, urls)
                connection.add(entry)
                usage = usage.with_one_more(entry.user, opened=True)
                yield OpenConnection(connection)
            case Refuse() as refusal:
                _note_refusal(registry, entry, refusal)
                freed = venue.origin.slots.free_at()
                if freed is not None:
                    wake.append(freed)


def _new_connection(venue: Venue, entry: Entry, urls: dict[str, str]) -> Connection:
    venue.opened += 1
    connection = Connection(
        id=f"{venue.name}-{venue.opened}",
        venue=venue.name,
        host=entry.type.host,
        url=urls[entry.type.host],
        dedicated=entry.dedicated,
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


def _write_all(venue: Venue, now: float, wake: list[float]) -> Iterator[Effect]:
    """Yield the requests that may be written now: ends first, then subscriptions by their rank."""
    origin = venue.origin
    if origin.silent_until > now:
        wake.append(origin.silent_until)
        return
    for connection in venue.connections:
        for claim in connection.unsettled.values() if connection.ready else ():
            if not claim.to_be_written:
                continue
            if origin.messages.free(now, keep=origin.messages.reserve) <= 0:
                wake.append(origin.messages.free_at(now, keep=origin.messages.reserve))
                return
            origin.messages.record(now)
            _begin_end(claim, now)
            wake.append(now + ACK_DEADLINE)
            yield Unsubscribe(connection, claim.atom)
    known = _known_users(venue)
    introducing = origin.introducing()
    for entry in _ordered(_askable(venue)):
        if origin.messages.free(now, keep=origin.messages.reserve) <= 0:
            wake.append(origin.messages.free_at(now, keep=origin.messages.reserve))
            return
        introduces = entry.user is not None and entry.user not in known
        if introduces and introducing:
            continue
        introducing = introducing or introduces
        origin.messages.record(now)
        _begin_subscribing(entry, now, introduces=introduces)
        wake.append(now + ACK_DEADLINE)
        assert entry.connection is not None  # noqa: S101 - `_askable` yields placed ones only
        yield Subscribe(entry.connection, entry.atom)


def _askable(venue: Venue) -> Iterator[Entry]:
    for entry in venue.attention.values():
        connection = entry.connection
        if connection is not None and connection.ready and entry.state in {State.PENDING, State.LOST}:
            yield entry


def _known_users(venue: Venue) -> set[str]:
    """Return the users whom the origin's venue tracks already, by a subscription that was acknowledged."""
    return {
        user
        for other in venue.origin.venues
        for connection in other.connections
        for user in connection.held_users
    }


def _begin_subscribing(entry: Entry, now: float, *, introduces: bool) -> None:
    connection = entry.connection
    assert connection is not None  # noqa: S101 - the caller chose a placed one
    move(entry, State.SUBSCRIBING)
    entry.first = entry.fresh = True
    entry.obstacle = None
    entry.attempts += 1
    entry.deadline = now + ACK_DEADLINE
    earlier = connection.claim_of(entry.key)
    unanswered = earlier.unanswered if earlier is not None else 0
    late = earlier is not None and earlier.phase in {Phase.ENDING, Phase.GONE}
    connection.put_claim(Claim(atom=entry.atom, key=entry.key, introduces=introduces, unanswered=unanswered))
    if not late:
        # After an unsubscribe of the same key, its late frames must not pass for the proof of the new one.
        connection.routes[entry.wire_key] = entry


def _begin_end(claim: Claim, now: float) -> None:
    claim.attempts += 1
    # Ends are counted, not writes: one answer is enough for an end that was written twice.
    claim.unanswered += claim.attempts == 1
    claim.deadline = now + ACK_DEADLINE


def _close_empty(registry: Registry, venue: Venue, now: float, wake: list[float]) -> Iterator[Effect]:
    for connection in list(venue.connections):
        if connection.members or connection.empty_since is None:
            continue
        linger = EMPTY_LINGER if connection.usable else PARKED_LINGER
        if connection.empty_since + linger > now:
            wake.append(connection.empty_since + linger)
            continue
        venue.connections.remove(connection)
        registry.note(
            Fact(
                kind="connection_closed", venue=venue.name, connection=connection.id, detail={"why": "empty"}
            )
        )
        yield CloseConnection(connection)
