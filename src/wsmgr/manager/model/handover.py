"""Handover: a second side went on from a primary one while both were quiet.

The second side brings all that the venue sends from its acknowledgement on. What came before it the primary one has brought, if its socket was
well until then. Nothing has proved that when a trial ends in silence: the socket may have been half open. So the primary side is listened to until
it is proved, by the acknowledgement of its end or by any byte that the socket brings later (it is pinged for one). Where its socket ends before, the
time between its last byte and the second side's beginning is a gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from wsmgr.manager.model.connection import Handover
from wsmgr.manager.model.gaps import admit_gap, since_last_proof
from wsmgr.manager.model.inbound import Moment
from wsmgr.manager.model.judging import LATENESS
from wsmgr.manager.model.publishing import publish
from wsmgr.manager.model.subscription import State

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.model.continuity import Interruption
    from wsmgr.manager.model.frame import Data
    from wsmgr.manager.model.registry import Registry
    from wsmgr.manager.model.subscription import Entry

PATIENCE = 15.0
"""Seconds for which an empty connection stays for the proof: longer than it takes to find a half-open socket."""

UNPROVED = "not proved whole when another socket went on"
"""How the reason of such a gap begins."""


def begin(entry: Entry, old: Connection, *, now: float, wall: float) -> None:
    """Have it proved that the side which a subscription had alone was whole until now, when its second one begins."""
    lateness = max(LATENESS, 2.0 * (old.rtt or 0.0))
    entry.unproved[old.id] = wall if old.inbound is None else old.inbound.whole_until().wall
    old.handovers[entry.wire_key] = Handover(
        entry=entry,
        known=since_last_proof(entry, f"{old.id} was left", now=now, wall=wall),
        began=Moment(wall, now),
        proved_by=now + lateness,
    )


def heard(connection: Connection, at: float) -> bool:
    """Note that a byte came on a connection's socket, at `at` (monotonic); returns whether that has proved anything."""
    proved = [
        wire_key
        for wire_key, each in connection.handovers.items()
        # While a trial goes on, whatever comes is evidence in it.
        if each.proved_by <= at and not _is_on_trial(each.entry, connection)
    ]
    for wire_key in proved:
        settle(connection, wire_key)
    return bool(proved)


def settle(connection: Connection, wire_key: str) -> None:
    """Take it that the side which a subscription has left on a connection, or has there, was whole; there may be nothing to be proved."""
    found = connection.handovers.pop(wire_key, None)
    if found is not None:
        found.entry.unproved.pop(connection.id, None)


def take(handover: Handover, connection: Connection, frame: Data, raw: bytes, wall: float) -> bool:
    """Deliver what is new in a frame that the old side brings late; returns whether it could be judged."""
    entry = handover.entry
    if entry.state is State.CLOSED or entry.merger is None:
        return False
    verdict = entry.merger.take(raw, frame.venue_time)
    if verdict.fresh:
        publish(entry, raw, connection=connection.id, wall=wall, venue_time=frame.venue_time, verdict=verdict)
    else:
        entry.counters.duplicates += verdict.duplicates
    return True


def lost(registry: Registry, connection: Connection, interruption: Interruption, *, now: float) -> None:
    """Admit what a socket may have withheld before other sides began, now that it is gone.

    Args:
        registry: The registry.
        connection: The connection that was lost.
        interruption: How; it begins with the last byte.
        now: The monotonic time.
    """
    if interruption.since_monotonic is not None:
        heard(connection, interruption.since_monotonic)
    for wire_key, each in list(connection.handovers.items()):
        settle(connection, wire_key)
        if each.entry.state is State.CLOSED:
            continue
        if each.entry.connection is connection and not each.entry.second_joined:
            # It is interrupted as a whole since then, or its trial is judged as a whole.
            continue
        # What came last may have been late: it was sent before the other side began.
        lateness = each.proved_by - each.began.monotonic
        _admit(
            registry, each, min(interruption.since, each.began.wall - lateness), interruption.reason, now=now
        )


def was_not_there(registry: Registry, connection: Connection, wire_key: str, *, now: float) -> None:
    """The venue was asked to end a stream there, and says that it had none: it had lost it at some time after its last proof."""
    found = connection.handovers.get(wire_key)
    settle(connection, wire_key)
    if found is not None and found.entry.state is not State.CLOSED:
        _admit(registry, found, found.known.since, f"{connection.id} had it no more", now=now)


def _admit(registry: Registry, handover: Handover, since: float, why: str, *, now: float) -> None:
    entry = handover.entry
    hole = evolve(handover.known, since=since, since_monotonic=None, reason=f"{UNPROVED}: {why}")
    admit_gap(registry, entry, hole, now=now, wall=max(since, handover.began.wall))
    registry.venues[entry.venue].attention[entry.id] = entry


def _is_on_trial(entry: Entry, primary: Connection) -> bool:
    return entry.connection is primary and entry.second is not None and entry.second.trial is not None
