"""Explaining: why a subscription is as it is, who decided that, on what evidence, and what comes next and when.

It is read off the same objects on which the decisions are made, at the moment of the question; what happened before stands in the events.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from wsmgr.manager.model.repair import RepairStep
from wsmgr.manager.model.subscription import State
from wsmgr.manager.model.watching import threshold

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.model.registry import Venue
    from wsmgr.manager.model.subscription import Entry

_STEPS: Mapping[RepairStep, str] = {
    RepairStep.PROBE: "it alone is ended and asked for again",
    RepairStep.RESUBSCRIBE: "it is asked for on another connection, or its connection gets a new socket",
    RepairStep.MOVE: "it is tried again from the beginning, after a pause",
    RepairStep.RECYCLE: "it is tried again from the beginning, after a pause",
    RepairStep.WAIT: "the venue is asked again whether it has the subscription",
}


@frozen(kw_only=True)
class Next:
    """What comes next.

    Attributes:
        what: What will be done.
        at: When (monotonic), or None where it waits for something that has no time.
    """

    what: str
    at: float | None = None


@frozen(kw_only=True)
class Explanation:
    """Why a subscription is as it is.

    Attributes:
        summary: What is so, in a sentence.
        decided_by: Who decided it: `venue`, `dialer`, `link`, `keeper`, `caretaker`, `caller`.
        evidence: What that rests on.
        next: What comes next, or None where nothing will be done.
    """

    summary: str
    decided_by: str
    evidence: Mapping[str, Any] = field(factory=dict[str, Any])
    next: Next | None = None


def explain(entry: Entry, venue: Venue, now: float) -> Explanation:
    """Explain a subscription.

    Args:
        entry: The subscription.
        venue: Its venue.
        now: The monotonic time.
    """
    found = _explain(entry, venue, now)
    return evolve(found, evidence={**found.evidence, **_common(entry, now)})


def _explain(entry: Entry, venue: Venue, now: float) -> Explanation:
    match entry.state:
        case State.LIVE:
            return _live(entry, now)
        case State.STALE:
            return _stale(entry, now)
        case State.SUBSCRIBING | State.ACKNOWLEDGED:
            return _asked(entry)
        case State.PENDING | State.LOST:
            return _waiting(entry, venue, now)
        case State.REJECTED:
            return _rejected(entry)
        case State.FAILED:
            what = "it is tried again, on a connection of its own where it alone was the cause"
            again = Next(what=what, at=entry.deadline)
            return Explanation(summary=f"it is parked: {entry.error}", decided_by="link", next=again)
        case State.CLOSED:
            return Explanation(summary="it was ended", decided_by="caller")


def _live(entry: Entry, now: float) -> Explanation:
    where = _where(entry.connection)
    due_at = entry.watch.due_at(entry.type)
    if entry.quiet:
        summary = f"the venue acknowledged it on {where}, and nothing has come since, which may be right"
    else:
        summary = f"it delivers on {where}"
    if entry.repair is not None:
        summary += "; the venue is being asked whether it still has it"
    what = "the venue is asked whether it still has it, if nothing comes until then"
    if entry.type.cadence is not None:
        what = "it is called stale and repaired, if nothing comes until then"
    return Explanation(
        summary=summary,
        decided_by="venue",
        evidence={
            "silent_seconds": round(entry.watch.silent(now), 1),
            "threshold_seconds": threshold(entry.type, entry.watch.learned),
        },
        next=None if due_at is None else Next(what=what, at=due_at),
    )


def _stale(entry: Entry, now: float) -> Explanation:
    repair = entry.repair
    silent = now - repair.since if repair is not None else entry.watch.silent(now)
    evidence = {"silent_seconds": round(silent, 1), "cadence_seconds": entry.type.cadence}
    summary = f"its socket ({_where(entry.connection)}) is open, and it is silent"
    if repair is None:
        return Explanation(summary=summary, decided_by="keeper", evidence=evidence)
    return Explanation(
        summary=f"{summary}: {repair.why}; being tried: {repair.step.value}",
        decided_by="keeper",
        evidence={**evidence, "rounds": repair.rounds},
        next=Next(what=_STEPS[repair.step], at=repair.deadline),
    )


def _asked(entry: Entry) -> Explanation:
    where, repair = _where(entry.connection), entry.repair
    evidence: dict[str, Any] = {"attempts": entry.attempts}
    if entry.state is State.SUBSCRIBING:
        summary = f"its subscribe was written on {where}, and the venue has not answered"
        what = "it is written once more, and after three times the socket is replaced"
    else:
        summary = f"the venue acknowledged it on {where}, and its first frame has not come"
        what = "it is repaired: the venue is asked whether it has it"
    if repair is None:
        coming = Next(what=what, at=entry.deadline)
        return Explanation(summary=summary, decided_by="venue", evidence=evidence, next=coming)
    return Explanation(
        summary=f"{summary}; {repair.why}; being tried: {repair.step.value}",
        decided_by="keeper",
        evidence={**evidence, "rounds": repair.rounds},
        next=Next(what=_STEPS[repair.step], at=repair.deadline),
    )


def _waiting(entry: Entry, venue: Venue, now: float) -> Explanation:
    connection, origin = entry.connection, venue.origin
    if venue.error is not None:
        again = Next(what="the caretaker starts the venue again", at=None)
        return Explanation(summary=f"its venue is parked: {venue.error}", decided_by="caretaker", next=again)
    if connection is None:
        summary = entry.error or "it waits for a connection"
        what = "it is placed as soon as there is room" if entry.deadline is None else "it is asked for again"
        return Explanation(summary=summary, decided_by="keeper", next=Next(what=what, at=entry.deadline))
    if not connection.ready:
        return _without_socket(connection)
    if origin.silent_until > now:
        summary = "the venue refused further messages for a while"
        return Explanation(
            summary=summary, decided_by="venue", next=Next(what="it is asked for", at=origin.silent_until)
        )
    at = origin.messages.free_at(now, keep=origin.messages.reserve)
    summary = "it is to be asked for, inside the quota of messages"
    return Explanation(summary=summary, decided_by="keeper", next=Next(what="it is asked for", at=at))


def _without_socket(connection: Connection) -> Explanation:
    why = "" if connection.reason is None else f": {connection.reason}"
    return Explanation(
        summary=f"its connection {connection.id} has no socket ({connection.state.value}){why}",
        decided_by="dialer",
        evidence={"connection_state": connection.state.value, "dials": connection.dials},
        next=Next(what="the connection dials"),
    )


def _rejected(entry: Entry) -> Explanation:
    again = (
        None
        if entry.deadline is None
        else Next(what="it is asked for again, because it was live before", at=entry.deadline)
    )
    return Explanation(
        summary=f"the venue refused it: {entry.error}",
        decided_by="venue",
        evidence={"refusals": entry.refusals},
        next=again,
    )


def _common(entry: Entry, now: float) -> dict[str, Any]:
    """Return what is worth knowing in whatever state."""
    found: dict[str, Any] = {"gaps": entry.counters.gaps, "reconnects": entry.counters.reconnects}
    if entry.interruption is not None:
        found["interrupted"] = entry.interruption.reason
    if entry.sides_wanted > 1 or entry.second is not None:
        second = entry.second
        found["second_side"] = (
            "none" if second is None else f"{second.connection.id}, {second.stage.value}: {second.why}"
        )
    if entry.healing is not None:
        found["gaps_being_looked_into"] = len(entry.healing.wanted)
    if entry.watch.probed_at is not None:
        found["probed_seconds_ago"] = round(now - entry.watch.probed_at, 1)
    if entry.watch.learned is not None:
        found["usual_interval_p99_seconds"] = entry.watch.learned
    return found


def _where(connection: Connection | None) -> str:
    return "no connection" if connection is None else f"{connection.id} (socket {connection.socket})"
