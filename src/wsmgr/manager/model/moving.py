"""Moving: a healthy subscription goes from one connection to another, make before break.

It delivers from the old connection until the new one has proved that it delivers: by its first frame, or by the
acknowledgement where the type may be silent. Then the new one's frames count, and the old one is told to end. Whatever goes
wrong on the way, on either side, takes the move back; the subscription stays where it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.model.connection import ACK_DEADLINE, Claim, Move, Phase
from wsmgr.manager.model.continuity import Interruption
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.gaps import admit_gap
from wsmgr.manager.model.subscription_type import Kind

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.model.registry import Registry
    from wsmgr.manager.model.subscription import Entry


def begin(registry: Registry, entry: Entry, to: Connection, *, why: str) -> None:
    """Let a subscription that delivers go to another connection; it is asked for there when the keeper next looks."""
    entry.move = Move(to=to, why=why)
    to.arrivals[entry.wire_key] = entry
    registry.venues[entry.venue].attention[entry.id] = entry


def asked(entry: Entry, move: Move, now: float) -> None:
    """Note that the subscribe of a move is being written."""
    move.deadline = now + ACK_DEADLINE
    move.to.put_claim(Claim(atom=entry.atom, key=entry.key))


def proved(registry: Registry, entry: Entry, *, now: float, wall: float) -> None:
    """The proof came on the new connection: it delivers from now on, and the old one is to be ended."""
    move, old = entry.move, entry.connection
    assert move is not None  # noqa: S101 - the caller found it among the arrivals
    assert old is not None  # noqa: S101 - only a placed subscription moves
    entry.move = None
    del move.to.arrivals[entry.wire_key]
    claim = move.to.claim_of(entry.key)
    if claim is not None and claim.phase is Phase.ASKED:
        move.to.set_phase(claim, Phase.HELD)
    since = old.last_inbound_at if old.last_inbound_at is not None else wall
    since_monotonic = old.last_inbound_monotonic
    registry.unplace(entry, now)
    move.to.add(entry)
    move.to.routes[entry.wire_key] = entry
    if entry.log is not None:
        entry.first = entry.fresh = True
    registry.note(
        Fact(
            kind="moved",
            venue=entry.venue,
            connection=move.to.id,
            subscription_id=entry.id,
            detail={"from": old.id, "why": move.why},
        )
    )
    if entry.type.kind is Kind.EVENT and entry.log is None:
        interruption = Interruption(
            since=since,
            since_monotonic=since_monotonic,
            reason=f"moved from {old.id} to {move.to.id}: {move.why}",
            connection=old.id,
        )
        admit_gap(registry, entry, interruption, now=now, wall=wall)


def take_back(registry: Registry, entry: Entry, *, why: str) -> None:
    """End a move that is under way; the subscription stays where it is. Harmless where none is."""
    move, entry.move = entry.move, None
    if move is None:
        return
    del move.to.arrivals[entry.wire_key]
    claim = move.to.claim_of(entry.key)
    if claim is not None and claim.phase in {Phase.ASKED, Phase.HELD}:
        move.to.set_phase(claim, Phase.ENDING)
    if entry.connection is not None:
        entry.connection.leaving = False
        entry.connection.fits_since = None
    registry.note(
        Fact(
            kind="move_taken_back",
            level="warning",
            venue=entry.venue,
            connection=move.to.id,
            subscription_id=entry.id,
            detail={"why": why},
        )
    )
