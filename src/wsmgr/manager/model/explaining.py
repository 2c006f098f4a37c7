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
    from wsmgr.manager.model.repair import Repair
    from wsmgr.manager.model.subscription import Entry

_TRIED: Mapping[RepairStep, str] = {
    RepairStep.PROBE: "the venue is asked whether it has the subscription",
    RepairStep.RESUBSCRIBE: "it alone was ended, and is asked for again",
    RepairStep.MOVE: "it goes to another connection",
    RepairStep.RECYCLE: "its connection gets a new socket",
    RepairStep.WAIT: "no step has helped, and it is left alone for a while",
}
"""What is being done in each step."""
_FOLLOWS: Mapping[RepairStep, str] = {
    RepairStep.PROBE: "it alone is ended and asked for again, or its connection gets a new socket",
    RepairStep.RESUBSCRIBE: "it is asked for on another connection, or its connection gets a new socket",
    RepairStep.MOVE: "it is left alone for a while, and then repaired from the beginning",
    RepairStep.RECYCLE: "it is left alone for a while, and then repaired from the beginning",
    RepairStep.WAIT: "it is repaired from the beginning: the venue is asked whether it has the subscription",
}
"""What is done after each step, if it does not help."""


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
    what = "the venue is asked whether it still has it, if nothing comes until then"
    if entry.type.cadence is not None:
        what = "it is called stale and repaired, if nothing comes until then"
    found = Explanation(
        summary=summary,
        decided_by="venue",
        evidence={
            "silent_seconds": round(entry.watch.silent(now), 1),
            "threshold_seconds": threshold(entry.type, entry.watch.learned),
        },
        next=None if due_at is None else Next(what=what, at=due_at),
    )
    return found if entry.repair is None else _being_repaired(found, entry.repair)


def _stale(entry: Entry, now: float) -> Explanation:
    repair = entry.repair
    silent = now - repair.since if repair is not None else entry.watch.silent(now)
    found = Explanation(
        summary=f"its socket ({_where(entry.connection)}) is open, and it is silent",
        decided_by="keeper",
        evidence={"silent_seconds": round(silent, 1), "cadence_seconds": entry.type.cadence},
    )
    return found if repair is None else _being_repaired(found, repair)


def _asked(entry: Entry) -> Explanation:
    where, repair = _where(entry.connection), entry.repair
    if entry.state is State.SUBSCRIBING:
        summary = f"its subscribe was written on {where}, and the venue has not answered"
        what = "it is written once more, and after three times the socket is replaced"
    else:
        summary = f"the venue acknowledged it on {where}, and its first frame has not come"
        what = "it is repaired: the venue is asked whether it has it"
    found = Explanation(
        summary=summary,
        decided_by="venue",
        evidence={"attempts": entry.attempts},
        next=Next(what=what, at=entry.deadline),
    )
    if repair is None:
        return found
    repaired = _being_repaired(found, repair)
    # The answer has a deadline of its own, which may come before the next step.
    answer_first = (
        entry.state is State.SUBSCRIBING
        and entry.deadline is not None
        and (repair.deadline is None or entry.deadline < repair.deadline)
    )
    return evolve(repaired, next=found.next) if answer_first else repaired


def _being_repaired(found: Explanation, repair: Repair) -> Explanation:
    """Return an explanation with the repair that goes on: the keeper decides what comes next."""
    if repair.step is RepairStep.PROBE and repair.deadline is None:
        coming = Next(what=_TRIED[repair.step])
    else:
        coming = Next(what=_FOLLOWS[repair.step], at=repair.deadline)
    return evolve(
        found,
        summary=f"{found.summary}; {repair.why}; {_TRIED[repair.step]}",
        decided_by="keeper",
        evidence={**found.evidence, "repair": repair.step.value, "rounds": repair.rounds},
        next=coming,
    )


def _waiting(entry: Entry, venue: Venue, now: float) -> Explanation:
    found = _held_up(entry, venue, now)
    # Until it has been asked for anew, that comes next, whatever its step.
    if entry.repair is None or venue.error is not None:
        return found
    by_dialer = found.decided_by == "dialer" and entry.repair.step is not RepairStep.RECYCLE
    return evolve(
        _being_repaired(found, entry.repair),
        decided_by="dialer" if by_dialer else "keeper",
        next=found.next,
    )


def _held_up(entry: Entry, venue: Venue, now: float) -> Explanation:
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
