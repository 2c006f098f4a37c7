"""Progress: what the network did to subscriptions.

Each function takes a happening (a socket opened or was lost, a request was acknowledged or refused, the first proof
came) and moves the subscriptions that it touches. They are called the moment the happening is known, in the order of
the bytes, so an acknowledgement and the frame behind it are never seen the other way round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.model import handover, repairing, sides, trials
from wsmgr.manager.model.claim import QUARANTINE, Claim, Phase
from wsmgr.manager.model.connection import Connection, ConnectionState, Second, Stage
from wsmgr.manager.model.continuity import Failed, Interruption, Live, Rejected
from wsmgr.manager.model.errors import RejectedError
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.gaps import close_gap, open_gap, since_last_message
from wsmgr.manager.model.inbound import Inbound, Moment
from wsmgr.manager.model.subscription import Entry, State, move
from wsmgr.manager.model.subscription_key import subscription_id
from wsmgr.manager.model.subscription_type import FirstProof

if TYPE_CHECKING:
    from wsmgr.manager.model.healing import Reach
    from wsmgr.manager.model.registry import Registry

PROOF_DEADLINE = 10.0
REFUSAL_RETRIES = (60.0, 300.0, 900.0, 3600.0)
FAILURE_RETRIES = (300.0, 600.0, 1200.0, 2400.0, 3600.0)
FAILURE_FORGOTTEN = 3.0 * FAILURE_RETRIES[-1]
QUOTA_RETRY = 60.0


def dialling(connection: Connection) -> None:
    """It is a connection's turn: it dials."""
    connection.move(ConnectionState.DIALLING)
    connection.dials += 1
    connection.next_attempt_at = None


def opened(registry: Registry, connection: Connection, *, now: float, wall: float) -> None:
    """A socket is open and ready for subscriptions."""
    connection.socket += 1
    connection.proved = connection.empty
    connection.reconnects += connection.socket > 1
    connection.move(ConnectionState.READY)
    connection.reason = None
    connection.next_attempt_at = None
    connection.opened_at = wall
    connection.opened_monotonic = now
    connection.inbound = Inbound(Moment(wall, now))
    registry.note(
        Fact(
            kind="connected",
            venue=connection.venue,
            connection=connection.id,
            detail={"socket": connection.socket, "dials": connection.dials},
        )
    )


def lost(
    registry: Registry, connection: Connection, *, reason: str, now: float, wall: float, wanted: bool = False
) -> None:
    """A socket is gone: everything that it carried is interrupted since its last inbound byte.

    Args:
        registry: The registry.
        connection: The connection.
        reason: What happened, in words.
        now: The monotonic time.
        wall: Unix seconds.
        wanted: Whether we ended it ourselves because the manager ends.
    """
    was_open = connection.opened_at is not None
    since = Moment(wall, now) if connection.inbound is None else connection.inbound.whole_until()
    interruption = Interruption(
        since=since.wall,
        since_monotonic=since.monotonic,
        reason=reason,
        connection=connection.id,
        dials=connection.dials,
    )
    for entry in tuple(connection.seconds.values()):
        # Where it goes next is the dialler's matter, and so is when.
        trials.lost_second(registry, entry, why=f"{connection.id} was lost: {reason}", now=now)
    handover.lost(registry, connection, interruption, now=now)
    for entry in tuple(connection.members.values()):
        if entry.delivers and trials.lost_primary(registry, entry, interruption, now=now, wall=wall):
            continue
        sides.take_back(registry, entry, why=f"{connection.id} was lost: {reason}", now=now)
        _interrupt(registry, entry, interruption, now)
    users = {
        claim.atom.user
        for claim in connection.claims.values()
        if claim.atom.user is not None and claim.phase is not Phase.GONE
    }
    registry.venues[connection.venue].requests.lost(connection.id, f"the connection was lost: {reason}")
    connection.routes.clear()
    connection.clear_claims()
    for user in users:
        registry.venues[connection.venue].origin.free_slot(user, now)
    connection.handling = None
    connection.paused = False
    connection.move(ConnectionState.DISCONNECTED)
    connection.reason = reason
    connection.opened_at = connection.opened_monotonic = None
    connection.inbound = None
    connection.rtt = None
    if was_open:
        registry.note(
            Fact(
                kind="connection_lost",
                level="info" if wanted else "warning",
                venue=connection.venue,
                connection=connection.id,
                detail={
                    "reason": reason,
                    "subscriptions": len(connection.members),
                    "late": connection.late,
                    "unrouted": connection.unrouted,
                    "unparsed": connection.unparsed,
                },
            )
        )


def acknowledged(
    registry: Registry, connection: Connection, key: str, *, already: bool, now: float, wall: float
) -> bool:
    """The venue took a subscribe, or said that it had it already; returns whether anybody waited for that."""
    claim = connection.claim_of(key)
    if claim is None:
        return False
    if claim.superseded:
        # Answers come in order: this one is of a subscribe before the end that is in flight.
        claim.superseded -= 1
        return True
    _hold(connection, claim)
    claim.acknowledged = True
    probed, claim.probe_due = claim.probe_due is not None, None
    entry = registry.entries.get(subscription_id(key))
    if entry is not None and entry.second is not None and entry.second.connection is connection:
        _second_acknowledged(registry, entry, entry.second, now=now, wall=wall)
        return True
    if entry is None or entry.connection is not connection:
        return True
    if probed and entry.delivers:
        if already:
            repairing.confirmed(registry, entry, now=now)
            return True
        repairing.was_forgotten(registry, entry, now=now, wall=wall)
    if entry.state is not State.SUBSCRIBING:
        return True
    # Answers come in order: what was ended before this subscribe has been answered, or its answer is lost.
    claim.unanswered = 0
    connection.routes[entry.wire_key] = entry
    entry.refusals = 0
    if already:
        entry.fresh = False
    if entry.type.first_proof is FirstProof.ACK:
        prove(registry, entry, now=now, wall=wall, quiet=True)
    else:
        move(entry, State.ACKNOWLEDGED)
        entry.deadline = now + PROOF_DEADLINE
    return True


def _second_acknowledged(
    registry: Registry, entry: Entry, second: Second, *, now: float, wall: float
) -> None:
    if second.stage is not Stage.ASKED:
        return
    if entry.type.first_proof is FirstProof.ACK:
        trials.proved(registry, entry, now=now, wall=wall)
    else:
        second.deadline = now + PROOF_DEADLINE


def end_acknowledged(
    registry: Registry, connection: Connection, key: str, *, now: float, already: bool = False
) -> bool:
    """The venue took an unsubscribe, or said that it had no such stream: the wire key is free for others when its late frames have passed."""
    claim = connection.claim_of(key)
    if claim is None or not claim.unanswered:
        return False
    claim.unanswered -= 1
    # What was asked for before that end has been answered, or its answer is lost.
    claim.superseded = min(claim.superseded, claim.unanswered)
    if claim.phase is Phase.ENDING and not claim.unanswered and claim.deadline is not None:
        connection.set_phase(claim, Phase.GONE)
        if already and claim.attempts == 1:
            handover.was_not_there(registry, connection, claim.atom.wire_key, now=now)
        else:
            handover.settle(connection, claim.atom.wire_key)
        claim.introduces = False
        claim.deadline = None
        claim.free_at = now + QUARANTINE
        registry.venues[connection.venue].origin.free_slot(claim.atom.user, now)
    return True


def prove(
    registry: Registry,
    entry: Entry,
    *,
    now: float,
    wall: float,
    quiet: bool = False,
    reach: Reach | None = None,
) -> None:
    """The proof came that a subscription delivers: it is live, and an open gap ends here.

    Args:
        registry: The registry.
        entry: The subscription.
        now: The monotonic time.
        wall: Unix seconds.
        quiet: Whether the proof is an acknowledgement alone.
        reach: What the frame that is the proof shows of the gap, where it shows something.
    """
    move(entry, State.LIVE)
    connection = entry.connection
    claim = None if connection is None else connection.claim_of(entry.key)
    if connection is not None:
        connection.proved = True
        if claim is not None:
            _hold(connection, claim)
    entry.quiet = quiet
    entry.was_live = True
    entry.deadline = None
    entry.attempts = 0
    entry.avoid = None
    entry.counters.begin_live(now)
    entry.watch.begin(now, entry.counters.messages)
    repairing.succeeded(registry, entry, now=now)
    entry.tell(Live(at=wall, quiet=quiet))
    registry.note(Fact(kind="live", level="debug", venue=entry.venue, subscription_id=entry.id))
    if entry.interruption is not None:
        close_gap(registry, entry, now=now, wall=wall, reach=reach)
    if not entry.waits:
        registry.venues[entry.venue].attention.pop(entry.id, None)


def refused(registry: Registry, entry: Entry, words: str, *, final: bool, now: float) -> None:
    """The venue refused a subscribe.

    Args:
        registry: The registry.
        entry: The subscription; it was in flight.
        words: What the venue said.
        final: Whether the request itself is at fault; otherwise one of the venue's quotas is.
        now: The monotonic time.
    """
    connection = entry.connection
    claim = None if connection is None else connection.claim_of(entry.key)
    if claim is not None and claim.unanswered:
        # Answers come in order: this one is of the subscribe before the end that is in flight.
        claim.superseded = max(0, claim.superseded - 1)
        return
    if entry.delivers:
        # A frame, late or somebody else's, had passed for its proof before the venue said no; or it had the subscription once.
        open_gap(registry, entry, since_last_message(entry, words), now)
        move(entry, State.LOST)
        registry.venues[entry.venue].attention[entry.id] = entry
    elif entry.state is State.ACKNOWLEDGED:
        move(entry, State.LOST)
    if connection is not None:
        connection.drop_claim(entry.wire_key)
    entry.attempts = 0
    registry.unplace(entry, now)
    if final:
        move(entry, State.REJECTED, error=words)
        delay = REFUSAL_RETRIES[min(entry.refusals, len(REFUSAL_RETRIES) - 1)]
        entry.deadline = now + delay if entry.was_live else None
        entry.refusals += 1
    else:
        entry.obstacle = RejectedError(entry.key, words)
        entry.deadline = now + QUOTA_RETRY
        move(entry, State.PENDING, error=words)
    entry.tell(Rejected(error=words))
    registry.note(
        Fact(
            kind="rejected",
            level="warning",
            venue=entry.venue,
            subscription_id=entry.id,
            detail={"words": words, "final": final and not entry.was_live},
        )
    )


def refused_claim(
    registry: Registry, connection: Connection, claim: Claim, words: str, *, now: float
) -> None:
    """The venue refused the subscribe of a second side, or one that nobody wants any more: there is nothing to end."""
    entry = connection.seconds.get(claim.atom.wire_key)
    if entry is not None and entry.key == claim.key:
        connection.drop_claim(claim.atom.wire_key)
        sides.take_back(registry, entry, why=words, now=now)
        return
    claim.introduces = False
    if claim.to_be_written and not claim.unanswered:
        connection.drop_claim(claim.atom.wire_key)


def parked(registry: Registry, connection: Connection, text: str, *, now: float, wall: float) -> None:
    """A connection used up its restarts: it is parked alone.

    The subscription whose frames were being handled at every crash is the suspect: it fails, and is tried again later on a
    connection of its own. The rest move on. Where the crashes do not agree on one, all fail and are tried again together.
    """
    lost(registry, connection, reason=text, now=now, wall=wall)
    connection.move(ConnectionState.PARKED)
    connection.reason = text
    connection.empty_since = None
    suspects = {each for each in connection.suspects if each is not None}
    members = list(connection.members.values())
    for entry in members:
        if not suspects or entry.id in suspects:
            fail(registry, entry, text, alone=bool(suspects), now=now)
            connection.failed.append(entry.id)
        else:
            registry.unplace(entry, now)
    connection.empty_since = now
    registry.note(
        Fact(
            kind="parked",
            level="error",
            venue=connection.venue,
            connection=connection.id,
            detail={"error": text, "suspects": sorted(suspects), "subscriptions": len(members)},
        )
    )


def released(registry: Registry, connection: Connection, *, why: str, now: float) -> None:
    """Somebody wants a parked connection tried again: what failed on it is asked for at once, on another one."""
    for entry_id in connection.failed:
        entry = registry.entries.get(entry_id)
        if entry is not None and entry.state is State.FAILED:
            entry.deadline = now
    connection.failed.clear()
    connection.empty_since = float("-inf")
    registry.note(
        Fact(kind="released", venue=connection.venue, connection=connection.id, detail={"why": why})
    )


def fail(registry: Registry, entry: Entry, text: str, *, alone: bool, now: float) -> None:
    """Park one subscription after a failure; it is tried again later and later, `alone`: on a connection of its own."""
    if entry.delivers:
        open_gap(registry, entry, since_last_message(entry, text), now)
    registry.unplace(entry, now)
    if entry.failed_at is not None and now - entry.failed_at > FAILURE_FORGOTTEN:
        entry.failures = 0
    move(entry, State.FAILED, error=text)
    entry.deadline = now + FAILURE_RETRIES[min(entry.failures, len(FAILURE_RETRIES) - 1)]
    entry.failures += 1
    entry.failed_at = now
    entry.dedicated = entry.dedicated or alone
    registry.venues[entry.venue].attention[entry.id] = entry
    entry.tell(Failed(error=text))
    registry.note(
        Fact(
            kind="failed",
            level="error",
            venue=entry.venue,
            subscription_id=entry.id,
            detail={"error": text},
        )
    )


def ask_again(registry: Registry, entry: Entry, *, reason: str, now: float) -> None:
    """Put a subscription back among those that have to be asked for, on the connection where it sits."""
    sides.take_back(registry, entry, why=reason, now=now)
    if entry.delivers:
        open_gap(registry, entry, since_last_message(entry, reason), now)
    connection = entry.connection
    if connection is not None:
        if connection.routes.get(entry.wire_key) is entry:
            del connection.routes[entry.wire_key]
        claim = connection.claim_of(entry.key)
        if claim is not None:
            claim.introduces = False
    move(entry, State.LOST, error=entry.error)
    entry.deadline = None
    registry.venues[entry.venue].attention[entry.id] = entry


def _interrupt(registry: Registry, entry: Entry, interruption: Interruption, now: float) -> None:
    if entry.delivers:
        open_gap(registry, entry, interruption, now)
    if entry.state in {State.SUBSCRIBING, State.ACKNOWLEDGED, State.LIVE, State.STALE}:
        move(entry, State.LOST)
        entry.deadline = None
        entry.attempts = 0
        if entry.repair is not None and entry.repair.step.ends_with_its_socket:
            entry.repair = None
        registry.venues[entry.venue].attention[entry.id] = entry


def _hold(connection: Connection, claim: Claim) -> None:
    """Note that the venue has what the claim asked for."""
    claim.introduces = False
    if claim.phase is Phase.ASKED:
        connection.set_phase(claim, Phase.HELD)
