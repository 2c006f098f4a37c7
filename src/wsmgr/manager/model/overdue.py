"""Overdue: answers and proofs that did not come in time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from wsmgr.manager.model import progress, repairing, sides, trials
from wsmgr.manager.model.claim import ACK_DEADLINE, Phase
from wsmgr.manager.model.effects import Recycle
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.subscription import State

if TYPE_CHECKING:
    from wsmgr.manager.model.claim import Claim
    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.model.registry import Registry, Venue
    from wsmgr.manager.model.subscription import Entry

MAX_ATTEMPTS = 3


def expire(registry: Registry, venue: Venue, now: float, wall: float, wake: list[float]) -> list[Recycle]:
    """Return what is to be done about answers and proofs that did not come in time: at most one recycling a connection."""
    recycled: dict[str, Recycle] = {}
    for entry in list(venue.attention.values()):
        effect = _expire_answer(registry, entry, now, wake)
        if effect is not None:
            recycled.setdefault(effect.connection.id, effect)
        _expire_second(registry, entry, now, wall, wake)
        _expire_orphans(registry, entry, now, wall, wake)
        _expire_memory(venue, entry, now, wake)
    for connection in venue.connections:
        for claim in list(connection.unsettled.values()):
            effect = _expire_claim(connection, claim, now, wake)
            if effect is not None:
                recycled.setdefault(connection.id, effect)
    return list(recycled.values())


def _expire_answer(registry: Registry, entry: Entry, now: float, wake: list[float]) -> Recycle | None:
    connection = entry.connection
    if connection is None or entry.deadline is None:
        return None
    if entry.state not in {State.SUBSCRIBING, State.ACKNOWLEDGED}:
        return None
    if entry.deadline > now:
        wake.append(entry.deadline)
        return None
    if entry.state is State.ACKNOWLEDGED:
        _note_overdue(registry, entry, connection, "first frame")
        entry.deadline = None
        repairing.begin(registry, entry, why="it was acknowledged, and no frame came", now=now)
        return None
    _note_overdue(registry, entry, connection, "acknowledgement")
    if entry.attempts < MAX_ATTEMPTS:
        progress.ask_again(registry, entry, reason="no acknowledgement", now=now)
        return None
    entry.deadline = now + ACK_DEADLINE
    wake.append(entry.deadline)
    why = f"no acknowledgement of {entry.key} after {entry.attempts} requests"
    return Recycle(connection, connection.socket, why)


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


def _expire_second(registry: Registry, entry: Entry, now: float, wall: float, wake: list[float]) -> None:
    second = entry.second
    if second is None or second.deadline is None:
        return
    if second.deadline > now:
        wake.append(second.deadline)
    elif second.trial is not None:
        trials.settle(registry, entry, now=now, wall=wall)
    else:
        sides.take_back(registry, entry, why=f"no proof on {second.connection.id} in time", now=now)


def _expire_orphans(registry: Registry, entry: Entry, now: float, wall: float, wake: list[float]) -> None:
    if entry.orphans is None:
        return
    if entry.orphans.due_at > now:
        wake.append(entry.orphans.due_at)
    else:
        trials.settle_orphans(registry, entry, entry.orphans, now=now, wall=wall)


def _expire_memory(venue: Venue, entry: Entry, now: float, wake: list[float]) -> None:
    """Forget what was delivered, where nothing of it can come again."""
    needed = entry.second is not None or entry.healing is not None or entry.interruption is not None
    if entry.merger is None or needed:
        return
    if entry.merge_until > now:
        if entry.merge_until < math.inf:
            wake.append(entry.merge_until)
        return
    entry.merger = None
    if not entry.waits:
        del venue.attention[entry.id]


def _expire_claim(connection: Connection, claim: Claim, now: float, wake: list[float]) -> Recycle | None:
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
