"""Asking: which requests may be written now.

1. A subscribe is written only on a ready connection, inside the message quota, and at most one that adds a user to the
   origin is in flight: the venue's refusal of a user names nobody, so it must be clear whom it means.
2. Ends go first, then second sides, then probes, then private streams, books, and the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.model import repairing, sides
from wsmgr.manager.model.claim import ACK_DEADLINE, Claim, Phase
from wsmgr.manager.model.connection import Stage
from wsmgr.manager.model.effects import Subscribe, Unsubscribe
from wsmgr.manager.model.gaps import MERGED_FOR
from wsmgr.manager.model.subscription import State, move
from wsmgr.manager.model.subscription_type import ConnectionClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wsmgr.manager.model.effects import Effect
    from wsmgr.manager.model.registry import Venue
    from wsmgr.manager.model.subscription import Entry


ASKED_AT_ONCE = 100
PROBED_AT_ONCE = 20


def priority(entry: Entry) -> int:
    """Return the rank in which subscriptions are asked for: private streams, books, the rest."""
    if entry.type.private:
        return 0
    return 1 if entry.type.connection_class is ConnectionClass.DEDICATED else 2


def ordered(entries: Iterable[Entry]) -> list[Entry]:
    """Return subscriptions in the order in which they are placed and asked for: each user's together."""
    found = list(entries)
    arrival: dict[str | None, int] = {}
    for entry in found:
        arrival.setdefault(entry.user, len(arrival))
    return sorted(
        found, key=lambda entry: (priority(entry), arrival[entry.user] if entry.type.private else 0)
    )


def ask(venue: Venue, now: float, wake: list[float]) -> Iterator[Effect]:
    """Yield the requests that may be written now: ends first, then subscriptions by their rank."""
    origin = venue.origin
    if origin.silent_until > now:
        wake.append(origin.silent_until)
        return
    yield from _ask_for_ends(venue, now, wake)
    yield from _ask_for_seconds(venue, now, wake)
    yield from _probe(venue, now, wake)
    known = _known_users(venue)
    introducing = origin.introducing()
    for count, entry in enumerate(ordered(_askable(venue))):
        if count == ASKED_AT_ONCE:
            # The rest in the next look, at once: between the two, frames are read.
            wake.append(now)
            return
        if not _may_write(venue, now, wake):
            return
        introduces = entry.user is not None and entry.user not in known
        if introduces and introducing:
            continue
        introducing = introducing or introduces
        origin.messages.record(now)
        if _is_asked_there(entry):
            # The venue may answer both requests, each with a snapshot.
            venue.remember(entry)
            entry.merge_until = now + ACK_DEADLINE + MERGED_FOR
        _begin_subscribing(entry, now, introduces=introduces)
        wake.append(now + ACK_DEADLINE)
        assert entry.connection is not None  # noqa: S101 - `_askable` yields placed ones only
        yield Subscribe(entry.connection, entry.atom)


def _may_write(venue: Venue, now: float, wake: list[float]) -> bool:
    """Whether the message quota has room for a request now."""
    messages = venue.origin.messages
    if messages.free(now, keep=messages.reserve) > 0:
        return True
    wake.append(messages.free_at(now, keep=messages.reserve))
    return False


def _ask_for_ends(venue: Venue, now: float, wake: list[float]) -> Iterator[Effect]:
    for connection in venue.connections:
        for claim in connection.unsettled.values() if connection.ready else ():
            if not claim.to_be_written:
                continue
            if not _may_write(venue, now, wake):
                return
            venue.origin.messages.record(now)
            _begin_end(claim, now)
            wake.append(now + ACK_DEADLINE)
            yield Unsubscribe(connection, claim.atom)


def _ask_for_seconds(venue: Venue, now: float, wake: list[float]) -> Iterator[Effect]:
    for entry in venue.attention.values():
        second = entry.second
        if second is None or second.stage is not Stage.WAITING or not second.connection.ready:
            continue
        if entry.wire_key in second.connection.claims:
            # It was there a moment ago: a late frame must not pass for its proof. What becomes of the claim is looked at when that is due.
            continue
        if not _may_write(venue, now, wake):
            return
        venue.origin.messages.record(now)
        # From here on, because the snapshot that comes with it is of a moment after this one.
        venue.remember(entry)
        sides.asked(entry, second, now)
        wake.append(now + ACK_DEADLINE)
        yield Subscribe(second.connection, entry.atom)


def _probe(venue: Venue, now: float, wake: list[float]) -> Iterator[Effect]:
    """Yield once more the subscribe of what is silent: the venue's answer says whether it still has it."""
    count = 0
    for entry in venue.attention.values():
        claim = repairing.to_be_probed(entry)
        if claim is None:
            continue
        if count == PROBED_AT_ONCE:
            # Nobody waits for them: a thousand quiet streams are not asked about in one breath.
            wake.append(now + 1.0)
            return
        count += 1
        if not _may_write(venue, now, wake):
            return
        venue.origin.messages.record(now)
        repairing.probed(entry, claim, now)
        wake.append(now + ACK_DEADLINE)
        assert entry.connection is not None  # noqa: S101 - a claim stands on a connection
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


def _is_asked_there(entry: Entry) -> bool:
    """Whether a subscribe was written on its present socket before, and not ended since."""
    claim = None if entry.connection is None else entry.connection.claim_of(entry.key)
    return claim is not None and claim.phase in {Phase.ASKED, Phase.HELD}


def _begin_subscribing(entry: Entry, now: float, *, introduces: bool) -> None:
    connection = entry.connection
    assert connection is not None  # noqa: S101 - the caller chose a placed one
    move(entry, State.SUBSCRIBING)
    entry.obstacle = None
    entry.attempts += 1
    entry.deadline = now + ACK_DEADLINE
    earlier = connection.claim_of(entry.key)
    late = earlier is not None and earlier.phase in {Phase.ENDING, Phase.GONE}
    claim = Claim(atom=entry.atom, key=entry.key, introduces=introduces)
    if earlier is not None:
        claim.unanswered = earlier.unanswered
        superseded = earlier.superseded + (late and not earlier.acknowledged)
        claim.superseded = min(superseded, claim.unanswered)
    if earlier is None or late:
        # Asked again on the socket that has it, the venue sends no new snapshot: what comes next is no first frame.
        entry.first = entry.fresh = True
    connection.put_claim(claim)
    if not late:
        # After an unsubscribe of the same key, its late frames must not pass for the proof of the new one.
        connection.routes[entry.wire_key] = entry


def _begin_end(claim: Claim, now: float) -> None:
    claim.attempts += 1
    # Ends are counted, not writes: one answer is enough for an end that was written twice.
    claim.unanswered += claim.attempts == 1
    claim.deadline = now + ACK_DEADLINE
