"""Repairing: what is done about a stream that fell silent, step by step (`repair`).

A stream with a cadence is `stale` as soon as its silence is longer than it may be: a gap is opened, which begins with its last message, and
its repair begins with a probe. One that may be silent is only probed; nothing else is done as long as the venue says that it has it. While
a socket is not read nothing is judged, and what was under way gets the time that it lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.model import sides
from wsmgr.manager.model.claim import ACK_DEADLINE, Phase
from wsmgr.manager.model.continuity import Stale
from wsmgr.manager.model.effects import Recycle
from wsmgr.manager.model.fact import Fact, Level
from wsmgr.manager.model.gaps import open_gap, since_last_message, since_last_proof
from wsmgr.manager.model.repair import MOVE_PATIENCE, PROBE_PATIENCE, STEP_PATIENCE, Repair, RepairStep
from wsmgr.manager.model.subscription import State, move

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsmgr.manager.model.claim import Claim
    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.model.registry import Registry, Venue
    from wsmgr.manager.model.subscription import Entry


def listen(registry: Registry, entry: Entry, now: float) -> bool:
    """Look at the silence of a stream once a second; returns whether the keeper has something to do about it.

    Call it after the watch took its beat, and only while deadlines may be judged.
    """
    if entry.connection is not None and entry.connection.paused:
        _excuse(entry, now)
    due_at = entry.watch.due_at(entry.type)
    if due_at is None or due_at > now or entry.repair is not None or entry.state is not State.LIVE:
        return False
    silent = entry.watch.silent(now)
    if entry.type.cadence is None:
        begin(registry, entry, why=f"it has been silent for {silent:.0f} s, which it may be", now=now)
        return True
    why = f"no message for {silent:.1f} s, where one comes every {entry.type.cadence:g} s"
    if not entry.second_joined:
        # A side that is to go on where this one is has nothing to go on from.
        sides.take_back(registry, entry, why=why, now=now)
    begin(registry, entry, why=why, now=now)
    interruption = since_last_message(entry, why)
    open_gap(registry, entry, interruption, now)
    move(entry, State.STALE)
    entry.tell(Stale(since=interruption.since))
    _note(
        registry,
        entry,
        "stale",
        {"silent_seconds": round(silent, 1), "cadence": entry.type.cadence},
        "warning",
    )
    return True


def begin(registry: Registry, entry: Entry, *, why: str, now: float) -> None:
    """Begin a repair, unless one is under way."""
    if entry.repair is None:
        heard_at = entry.watch.heard_at
        entry.repair = Repair(why=why, since=now if heard_at is None else heard_at)
    elif entry.repair.deadline is None:
        entry.repair.deadline = now
    registry.venues[entry.venue].attention[entry.id] = entry


def to_be_probed(entry: Entry) -> Claim | None:
    """Return the claim about which the venue is to be asked, or None."""
    repair = entry.repair
    if repair is None or repair.step is not RepairStep.PROBE or repair.deadline is not None:
        return None
    return _held(entry)


def probed(entry: Entry, claim: Claim, now: float) -> None:
    """Note that the question whether the venue has a subscription is being written."""
    assert entry.repair is not None  # noqa: S101 - `to_be_probed` has chosen it
    claim.probe_due = now + ACK_DEADLINE
    entry.repair.deadline = now + ACK_DEADLINE
    entry.watch.probed_at = now


def confirmed(registry: Registry, entry: Entry, *, now: float) -> None:
    """The venue said that it has the subscription: that is enough for one that may be silent; another one must deliver soon."""
    repair = entry.repair
    entry.watch.probed_at = now
    if repair is None or repair.step is not RepairStep.PROBE:
        return
    # Of a stream that may be silent this is no news.
    level: Level = "debug" if entry.state is State.LIVE else "info"
    _note(registry, entry, "probed", {"answer": "the venue has it", "why": repair.why}, level)
    if entry.state is State.LIVE:
        entry.watch.proved(now)
        entry.repair = None
    else:
        repair.deadline = now + PROBE_PATIENCE


def was_forgotten(registry: Registry, entry: Entry, *, now: float, wall: float) -> None:
    """The venue took a subscription anew that it should have had: it had been lost, and begins again here."""
    detail = {"silent_seconds": round(entry.watch.silent(now), 1)}
    _note(registry, entry, "forgotten", detail, "warning")
    if entry.second_joined:
        # The other one may be whole, or be forgotten too: it is asked about at once.
        why = "the venue had forgotten the other side"
        sides.take_over(registry, entry, now=now, why=why)
        begin(registry, entry, why=why, now=now)
        return
    sides.take_back(registry, entry, why="the venue had forgotten it", now=now)
    open_gap(registry, entry, since_last_proof(entry, "the venue had forgotten it", now=now, wall=wall), now)
    move(entry, State.LOST)
    move(entry, State.SUBSCRIBING)
    entry.first = entry.fresh = True
    entry.repair = None
    registry.venues[entry.venue].attention[entry.id] = entry


def succeeded(registry: Registry, entry: Entry, *, now: float) -> None:
    """The stream delivers again."""
    repair, entry.repair = entry.repair, None
    if repair is not None:
        _note(
            registry,
            entry,
            "repaired",
            {"by": repair.step.value, "after_seconds": round(now - repair.since, 1)},
        )


def step(registry: Registry, venue: Venue, now: float, wake: list[float]) -> list[Recycle]:
    """Take the next step of every repair whose present one did not help in time; returns the connections to recycle.

    Args:
        registry: The registry.
        venue: The venue.
        now: The monotonic time.
        wake: Takes when to look again.
    """
    recycled: list[Recycle] = []
    if venue.origin.silent_until > now:
        # The venue answers nothing just now, because it was asked too much.
        wake.append(venue.origin.silent_until)
        _ask_later(venue)
        return recycled
    for entry in list(venue.attention.values()):
        repair = entry.repair
        if repair is None:
            continue
        if entry.state in {State.REJECTED, State.FAILED} or _has_spoken(entry, repair):
            entry.repair = None
            if not entry.waits:
                del venue.attention[entry.id]
            continue
        if repair.deadline is None and _held(entry) is not None:
            # The venue is about to be asked.
            continue
        if repair.deadline is None or repair.deadline <= now:
            if entry.state in {State.PENDING, State.LOST}:
                # Nothing can be said of a stream that the venue was not asked for.
                repair.deadline = now + STEP_PATIENCE
            else:
                recycled += _next(registry, entry, repair, now)
        if repair.deadline is not None:
            wake.append(repair.deadline)
    return recycled


def _ask_later(venue: Venue) -> None:
    """Have every question that is not answered asked once more."""
    for entry in venue.attention.values():
        claim = _held(entry)
        if entry.repair is not None and entry.repair.step is RepairStep.PROBE and claim is not None:
            entry.repair.deadline = claim.probe_due = None


def _next(registry: Registry, entry: Entry, repair: Repair, now: float) -> list[Recycle]:
    connection = entry.connection
    alone = connection is not None and _alone(connection, entry)
    match repair.step:
        case RepairStep.PROBE if connection is not None and alone and len(connection.members) > 1:
            return [_recycle(registry, entry, connection, now)]
        case RepairStep.PROBE:
            _resubscribe(registry, entry, repair, now)
        case RepairStep.RESUBSCRIBE if connection is not None and alone:
            return [_recycle(registry, entry, connection, now)]
        case RepairStep.RESUBSCRIBE:
            _elsewhere(registry, entry, repair, now)
        case RepairStep.MOVE | RepairStep.RECYCLE:
            repair.rounds += 1
            repair.step = RepairStep.WAIT
            repair.deadline = now + repair.pause
            _note(registry, entry, "not_repaired", {"why": repair.why, "again_in": repair.pause}, "error")
        case RepairStep.WAIT:
            repair.step = RepairStep.PROBE
            repair.deadline = None if _held(entry) is not None else now
    return []


def _resubscribe(registry: Registry, entry: Entry, repair: Repair, now: float) -> None:
    connection = entry.connection
    repair.step = RepairStep.RESUBSCRIBE
    repair.deadline = now + STEP_PATIENCE
    _lose(registry, entry, repair, now)
    if connection is not None:
        connection.add(entry)
    _note(registry, entry, "resubscribed", {"why": repair.why}, "warning")


def _elsewhere(registry: Registry, entry: Entry, repair: Repair, now: float) -> None:
    connection = entry.connection
    repair.step = RepairStep.MOVE
    repair.deadline = now + MOVE_PATIENCE
    _lose(registry, entry, repair, now)
    entry.avoid = None if connection is None else connection.id
    _note(registry, entry, "moved", {"from": entry.avoid, "why": repair.why}, "warning")


def _recycle(registry: Registry, entry: Entry, connection: Connection, now: float) -> Recycle:
    """Give a connection a new socket, for all that are being repaired on it."""
    assert entry.repair is not None  # noqa: S101 - its step is being taken
    why = f"{entry.key}: {entry.repair.why}"
    for member in connection.members.values():
        if member.repair is not None:
            member.repair.step = RepairStep.RECYCLE
            member.repair.deadline = now + MOVE_PATIENCE
    _note(registry, entry, "recycled", {"why": why}, "warning")
    return Recycle(connection, connection.socket, why)


def _lose(registry: Registry, entry: Entry, repair: Repair, now: float) -> None:
    """Take a stream off its connection, so that it is ended there and asked for anew."""
    if entry.delivers:
        open_gap(registry, entry, since_last_message(entry, repair.why), now)
    registry.unplace(entry, now)
    if entry.state is not State.LOST:
        move(entry, State.LOST, error=entry.error)
    entry.deadline = None
    entry.attempts = 0


def _alone(connection: Connection, entry: Entry) -> bool:
    """Whether nothing that is known to deliver is lost with the connection's socket."""
    return not any(
        other.delivers and (other.repair is None or other.state is State.LIVE)
        for other in connection.members.values()
        if other is not entry
    )


def _held(entry: Entry) -> Claim | None:
    """Return what the venue has of it, as far as we know: that can be asked about."""
    connection = entry.connection
    claim = None if connection is None or not connection.ready else connection.claim_of(entry.key)
    return claim if claim is not None and claim.phase is Phase.HELD else None


def _has_spoken(entry: Entry, repair: Repair) -> bool:
    """Whether a stream that was only asked about has delivered since: no answer is waited for any more."""
    heard_at = entry.watch.heard_at
    return entry.state is State.LIVE and heard_at is not None and heard_at > repair.since


def _excuse(entry: Entry, now: float) -> None:
    """Leave a second out of account in which the socket was not read."""
    entry.watch.excuse(now)
    at_least = now + PROBE_PATIENCE
    if entry.repair is not None and entry.repair.deadline is not None:
        entry.repair.deadline = max(entry.repair.deadline, at_least)
    if entry.second is not None and entry.second.deadline is not None:
        entry.second.deadline = max(entry.second.deadline, at_least)
    if entry.state in {State.SUBSCRIBING, State.ACKNOWLEDGED} and entry.deadline is not None:
        entry.deadline = max(entry.deadline, at_least)


def _note(
    registry: Registry, entry: Entry, kind: str, detail: Mapping[str, object], level: Level = "info"
) -> None:
    connection = None if entry.connection is None else entry.connection.id
    registry.note(
        Fact(
            kind=kind,
            level=level,
            venue=entry.venue,
            connection=connection,
            subscription_id=entry.id,
            detail=detail,
        )
    )
