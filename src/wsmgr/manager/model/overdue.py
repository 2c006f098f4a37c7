"""Overdue: answers and proofs that did not come in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.model import moving, progress
from wsmgr.manager.model.connection import ACK_DEADLINE, Phase
from wsmgr.manager.model.effects import Recycle
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.subscription import State

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Claim, Connection
    from wsmgr.manager.model.effects import Effect
    from wsmgr.manager.model.registry import Registry, Venue
    from wsmgr.manager.model.subscription import Entry

MAX_ATTEMPTS = 3


def expire(registry: Registry, venue: Venue, now: float, wake: list[float]) -> list[Effect]:
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
    for entry in [found for found in venue.attention.values() if found.move is not None]:
        _expire_move(registry, entry, now, wake)
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


def _expire_move(registry: Registry, entry: Entry, now: float, wake: list[float]) -> None:
    if entry.move is None or entry.move.deadline is None:
        return
    if entry.move.deadline > now:
        wake.append(entry.move.deadline)
    else:
        moving.take_back(registry, entry, why=f"no proof on {entry.move.to.id} in time")


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
