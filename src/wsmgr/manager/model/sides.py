"""Sides: a subscription on two connections at once, for a move or for redundancy.

A subscription delivers from its primary side. A second side is asked for on another connection; what happens when it delivers depends on how
the type's frames can be merged (DESIGN section 8):

* `none`: one side at a time. A move switches at the second side's first proof; whether that left a hole cannot be known.
* `items`, `time`: the second side is on trial first (`trials`). The primary goes on delivering until it is known that the second one goes on
  where the primary is. A move ends the primary then; for redundancy both deliver from then on, and whichever brings something first counts.

Only a subscription that is live gets a second side. Whatever goes wrong on the way takes that side back; the subscription stays where it
was. When the primary is lost, a second side that has joined takes its place, and nothing was interrupted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.model import handover
from wsmgr.manager.model.claim import ACK_DEADLINE, Claim
from wsmgr.manager.model.connection import Purpose, Second, Stage
from wsmgr.manager.model.fact import Fact, Level
from wsmgr.manager.model.gaps import MERGED_FOR
from wsmgr.manager.model.repair import Repair
from wsmgr.manager.model.subscription import State

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.model.registry import Registry
    from wsmgr.manager.model.subscription import Entry

RETRY = 10.0
"""Seconds until a second side that was taken back is tried again."""


def begin(registry: Registry, entry: Entry, to: Connection, purpose: Purpose, *, why: str) -> None:
    """Give a subscription that delivers a second side; it is asked for there when the keeper next looks."""
    entry.second = Second(connection=to, purpose=purpose, why=why)
    to.seconds[entry.wire_key] = entry
    to.empty_since = None
    registry.venues[entry.venue].attention[entry.id] = entry


def asked(entry: Entry, second: Second, now: float) -> None:
    """Note that the subscribe of a second side is being written."""
    second.stage = Stage.ASKED
    second.deadline = now + ACK_DEADLINE
    second.connection.put_claim(Claim(atom=entry.atom, key=entry.key))


def take_over(registry: Registry, entry: Entry, *, now: float, why: str) -> None:
    """Let the second side be the only one; the old primary, where it still stands, is to be ended."""
    second, old = entry.second, entry.connection
    assert second is not None  # noqa: S101 - the caller has checked it
    entry.second = None
    del second.connection.seconds[entry.wire_key]
    registry.unplace(entry, now)
    second.connection.add(entry)
    second.connection.routes[entry.wire_key] = entry
    if entry.repair is not None:
        # What was tried, was tried where it is no more.
        repair = Repair(why=entry.repair.why, since=entry.repair.since)
        entry.repair = repair if entry.state is State.STALE else None
    entry.merge_until = now + MERGED_FOR
    stir(registry, entry)
    registry.note(fact(entry, "moved", second.connection, {"from": name_of(old), "why": why}))


def watch_second(registry: Registry, entry: Entry, *, now: float) -> bool:
    """Look, once a second, whether a joined side still brings what the other one does; returns whether it did not, and is made anew."""
    second = entry.second
    if second is None or not second.joined or not second.is_mute(now):
        return False
    why = f"{second.connection.id} brought none of the last {second.behind} frames"
    take_back(registry, entry, why=why, now=now, pause=0.0)
    return True


def take_back(
    registry: Registry, entry: Entry, *, why: str, now: float, pause: float = RETRY, level: Level = "warning"
) -> None:
    """End the second side, if there is one; the subscription stays where it is, and one that is wanted is tried again after a pause.

    Args:
        registry: The registry.
        entry: The subscription.
        why: Why, in half a sentence.
        now: The monotonic time.
        pause: Seconds until another one is tried.
        level: How much that is worth telling: `info` where nothing is wrong.
    """
    second, entry.second = entry.second, None
    if second is None:
        return
    entry.second_due = now + pause
    entry.merge_until = now + MERGED_FOR
    connection = second.connection
    del connection.seconds[entry.wire_key]
    if connection.routes.get(entry.wire_key) is entry:
        del connection.routes[entry.wire_key]
    if connection.empty:
        connection.empty_since = now
    connection.end_claim(entry.key)
    source = entry.connection
    if source is not None:
        if not second.joined:
            handover.settle(source, entry.wire_key)
        if second.purpose is Purpose.MOVE:
            source.leaving = source.rotation is not None
            source.fits_since = None
    stir(registry, entry)
    registry.note(
        fact(entry, "second_side_ended", connection, {"purpose": second.purpose.value, "why": why}, level)
    )


def stir(registry: Registry, entry: Entry) -> None:
    """Have the keeper look at it."""
    venue = registry.venues[entry.venue]
    venue.attention[entry.id] = entry
    venue.stirred = True


def name_of(connection: Connection | None) -> str | None:
    """Return the id of a connection that may be none."""
    return None if connection is None else connection.id


def fact(
    entry: Entry, kind: str, connection: Connection, detail: dict[str, object], level: Level = "info"
) -> Fact:
    """Return a fact of a subscription's side on a connection."""
    return Fact(
        kind=kind,
        level=level,
        venue=entry.venue,
        connection=connection.id,
        subscription_id=entry.id,
        detail=detail,
    )
