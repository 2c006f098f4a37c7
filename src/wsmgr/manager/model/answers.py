"""Answers: whom a venue's acknowledgement or refusal means.

An acknowledgement names its subscription. A refusal may name nobody: then it means the only request in flight that it can
mean, and where there are several it is noted and nobody is blamed; their own deadlines find out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsmgr.manager.model import progress
from wsmgr.manager.model.claim import Phase
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.frame import Ack, Answer, Refusal, RefusalKind
from wsmgr.manager.model.quota import WINDOW
from wsmgr.manager.model.subscription import State
from wsmgr.manager.model.subscription_key import format_key, subscription_id

if TYPE_CHECKING:
    from wsmgr.manager.model.claim import Claim
    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.model.frame import Frame
    from wsmgr.manager.model.registry import Registry


SAMPLES = 5


def take_answer(registry: Registry, connection: Connection, frame: Frame, *, now: float, wall: float) -> bool:
    """Take what the venue answered on a connection.

    Args:
        registry: The registry.
        connection: The connection on which it came.
        frame: The frame; one that is no answer is passed over.
        now: The monotonic time.
        wall: Unix seconds.

    Returns:
        Whether the keeper has to look.
    """
    match frame:
        case Ack():
            return _acknowledged(registry, connection, frame, now, wall)
        case Refusal():
            _refused(registry, connection, frame, now)
            return True
        case Answer():
            connection.proved = True
            requests = registry.venues[connection.venue].requests
            if not requests.answered(frame, connection):
                _note(registry, connection, "unexpected_answer", {"number": frame.number})
            # An empty connection stayed for what was in flight on it.
            return connection.empty
        case _:
            return False


def _acknowledged(registry: Registry, connection: Connection, ack: Ack, now: float, wall: float) -> bool:
    key = format_key(connection.venue, ack.type, ack.params)
    if ack.method == "subscribe":
        known = progress.acknowledged(registry, connection, key, already=ack.already, now=now, wall=wall)
    else:
        known = progress.end_acknowledged(registry, connection, key, now=now, already=ack.already)
    if not known:
        detail = {"method": ack.method, "key": key, "already": ack.already}
        _note(registry, connection, "unexpected_ack", detail)
    return known


def _refused(registry: Registry, connection: Connection, refusal: Refusal, now: float) -> None:
    if refusal.kind is RefusalKind.MESSAGES:
        registry.venues[connection.venue].origin.silent_until = now + WINDOW
    claim = _meant(connection, refusal)
    if claim is None:
        _note(registry, connection, "refusal", {"words": refusal.words, "kind": refusal.kind.value})
        return
    entry = registry.entries.get(subscription_id(claim.key))
    probed, claim.probe_due = claim.probe_due is not None, None
    named = refusal.type is not None and (probed or not claim.acknowledged)
    mine = entry is not None and entry.connection is connection and entry.state is not State.PENDING
    if entry is not None and mine and (entry.state is State.SUBSCRIBING or named):
        final = refusal.kind in {RefusalKind.INVALID, RefusalKind.UNKNOWN}
        progress.refused(registry, entry, refusal.words, final=final, now=now)
    else:
        progress.refused_claim(registry, connection, claim, refusal.words, now=now)


def _meant(connection: Connection, refusal: Refusal) -> Claim | None:
    """Return what a refusal means: what it names, else the only request that it can mean."""
    if refusal.type is not None and refusal.params is not None:
        return connection.claim_of(format_key(connection.venue, refusal.type, refusal.params))
    match refusal.kind:
        case RefusalKind.USERS:
            meant = [claim for claim in connection.unsettled.values() if claim.introduces]
        case RefusalKind.SUBSCRIPTIONS:
            meant = [claim for claim in connection.unsettled.values() if claim.phase is Phase.ASKED]
        case _:
            return None
    return meant[0] if len(meant) == 1 else None


def _note(registry: Registry, connection: Connection, kind: str, detail: dict[str, Any]) -> None:
    """Note an answer that means nobody: the first few of a connection, then ever fewer, with their number."""
    connection.unexplained += 1
    count = connection.unexplained
    if count > SAMPLES and count & (count - 1):
        return
    detail = {**detail, "count": count}
    registry.note(
        Fact(kind=kind, level="warning", venue=connection.venue, connection=connection.id, detail=detail)
    )
