"""Invariants: what must be true of every run, whatever happened in it.

Each is a plain function from what was recorded to complaints. They look at the truth (`simulated.truth`), at what consumers
were told, and at the ledger as it stands on the disk; never at what the manager believes of itself, except for its word `live`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from attrs import frozen

from wsmgr.manager.model.handover import UNPROVED
from wsmgr.manager.store.rows import EventRow, GapRow
from wsmgr.manager.testing.chaos.faults import Fault
from wsmgr.manager.testing.chaos.program import Program
from wsmgr.manager.testing.chaos.proving import Proving, proving
from wsmgr.manager.testing.chaos.report import Blind
from wsmgr.manager.testing.chaos.wishes import Complaint
from wsmgr.manager.testing.simulated import EPOCH, Network

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from wsmgr.manager.testing.chaos.wishes import Wish

LINGER = 15.0
SLACK = 1.5
"""Seconds by which what was made may have been on its way."""
SOCKET_FOUND_WITHIN = 13.0
"""Seconds within which a dead socket is found out."""
ON_ITS_WAY = 0.1
"""Seconds that a frame is on its way: what is lost with its connection in that time blinds nobody."""
QUOTAS = {"connections": 10, "dials a minute": 30, "messages a minute": 2000}
UNWRITTEN = 10
"""Dials that may be under way at once."""
THRESHOLDS = {"allMids": 5.0, "l2Book": 15.0, "activeAssetCtx": 5.0}
"""Seconds of silence after which a stream of a known cadence is called stale."""
PROBED_WITHIN = 600.0
"""Seconds of silence after which the venue is asked whether it still has a stream without a cadence."""
REPAIRED_WITHIN = 2.0
HANDED_OVER_WITHIN = 6.0
"""Seconds after which a well socket has proved that it was whole when another one went on: the trial, a silence, a tick, a ping."""


@frozen
class Evidence:
    """What one run left behind.

    Attributes:
        program: The process with its wishes.
        network: The venue and the way to it.
        faults: Every fault.
        gaps: The gaps in the ledger, oldest first.
        events: The events in it.
        until: When it was all over, on the loop's clock.
    """

    program: Program
    network: Network
    faults: Sequence[Fault]
    gaps: Sequence[GapRow]
    events: Sequence[EventRow]
    until: float

    @cached_property
    def stays(self) -> Mapping[str, Sequence[tuple[int, float, float]]]:
        """For each stream the connections that carried it: their numbers, from when, until when (infinite: still)."""
        begun, found = self.network.begun, defaultdict[str, list[tuple[int, float, float]]](list)
        for connection in self.network.history:
            for record in connection.session.record.subscriptions:
                until = math.inf if record.until is None else record.until + begun
                found[record.subscription].append((connection.number, record.since + begun, until))
        return found


def consumers_were_told_the_truth(evidence: Evidence) -> Iterator[Complaint]:
    """Never mixed, nothing doubled, seq without holes, each gap flagged: what consumers noted themselves."""
    for wish in evidence.program.wishes:
        for consumer in wish.consumers:
            for complaint in consumer.complaints:
                yield Complaint(complaint.invariant, complaint.at, f"{wish.kind}: {complaint.text}")
            if consumer.stream.itemized:
                strange = [unit for unit in consumer.seen if not consumer.stream.knows(unit)]
                for unit in strange[:1]:
                    at = consumer.seen[unit]
                    text = f"{wish.kind}: {len(strange)} items that are not of it, the first: {unit!r}"
                    yield Complaint("never mixed", at, text)
            dropped = consumer.handle.dropped
            if dropped and not consumer.slow:
                yield Complaint("kept up", evidence.until, f"{wish.kind}: {dropped} dropped")
            if consumer.lagged != dropped and consumer.reads:
                text = f"{wish.kind}: {dropped} dropped, and {consumer.lagged} told"
                yield Complaint("drops are told", evidence.until, text)


def everything_wanted_is_live(evidence: Evidence) -> Iterator[Complaint]:
    """No wish lost: after the calm everything that is wanted says `live`, and the venue has it."""
    held = _held_by_venue(evidence.network)
    for wish in evidence.program.wanted:
        state = wish.states[-1][1] if wish.states else "unknown"
        if state != "live":
            yield Complaint("no wish lost", evidence.until, f"{wish.kind} is {state} after the calm")
        elif not held[wish.stream.key] and not _just_forgotten(wish, evidence):
            yield Complaint(
                "no wish lost", evidence.until, f"{wish.kind} says live, and the venue has it not"
            )
        elif (
            wish.sides > 1 and len(held[wish.stream.key]) < wish.sides and not _just_forgotten(wish, evidence)
        ):
            yield Complaint("no wish lost", evidence.until, f"{wish.kind} is on one socket, of two")


def nothing_ended_is_subscribed(evidence: Evidence) -> Iterator[Complaint]:
    """None resurrected: what has ended is subscribed nowhere."""
    wanted = {wish.stream.key for wish in evidence.program.wishes if wish.wanted}
    twice = {wish.stream.key for wish in evidence.program.wishes if wish.wanted and wish.sides > 1}
    wanted |= {
        wish.stream.key
        for wish in evidence.program.wishes
        if wish.ended_at is not None and wish.ended_at > evidence.until - 2 * LINGER
    }
    for key, connections in _held_by_venue(evidence.network).items():
        if key not in wanted or len(connections) > 1 + (key in twice):
            yield Complaint("none resurrected", evidence.until, f"{key} is subscribed on {connections}")


def no_quota_was_exceeded(evidence: Evidence) -> Iterator[Complaint]:
    """No quota exceeded, as the venue counted."""
    journal = evidence.network.engine.journal
    counted = {
        "connections": journal.most_open,
        "dials a minute": journal.most_dials_a_minute,
        "messages a minute": journal.most_messages_a_minute,
    }
    # What a process that is killed dialled in its last moments may not be on the disk.
    downs = [down for down, _ in evidence.program.restarts]
    killed = max((sum(down <= each < down + 60.0 for each in downs) for down in downs), default=0)
    for name, most in QUOTAS.items():
        allowed = most + UNWRITTEN * killed if name == "dials a minute" else most
        if counted[name] > allowed:
            yield Complaint("no quota exceeded", evidence.until, f"{counted[name]} {name}, of {allowed}")


def what_was_missed_is_in_the_ledger(evidence: Evidence) -> Iterator[Complaint]:
    """Ledger equals truth, one half: every unit that was withheld lies in a recorded gap."""
    for wish in evidence.program.wishes:
        seen = {unit for consumer in wish.consumers for unit in consumer.seen}
        gaps = [_period(row) for row in _rows_of(wish, evidence)]
        missed: list[tuple[float, int]] = []
        for first, last in _delivering_spans(wish, evidence):
            for made in wish.stream.made:
                if not first <= made.at <= last or seen.issuperset(made.units):
                    continue
                if any(began - SLACK <= made.at <= ended + SLACK for began, ended in gaps):
                    continue
                if not _invisible(wish, made.at, evidence):
                    missed.append((made.at, made.n))
        if missed:
            at, n = missed[0]
            yield Complaint(
                "ledger equals truth",
                at,
                f"{wish.kind}: {len(missed)} ticks are in no gap, the first n={n} at {at:.3f}, the last at {missed[-1][0]:.3f}",
            )


def every_gap_has_a_cause(evidence: Evidence) -> Iterator[Complaint]:
    """Ledger equals truth, the other half: no gap where nothing was withheld and the socket stayed up."""
    by_id: dict[str, list[Wish]] = defaultdict(list)
    for wish in evidence.program.wishes:
        if wish.id is not None:
            by_id[wish.id].append(wish)
    for row in evidence.gaps:
        wishes = by_id[row.subscription_id]
        began, ended = _period(row)
        lost_by = ended + HANDED_OVER_WITHIN * row.reason.startswith(UNPROVED)
        if not wishes or _is_a_seam(wishes[0], row) or _was_asked_for(row, evidence):
            continue
        if _cause(wishes, began, lost_by, evidence):
            continue
        yield Complaint(
            "no gap without a cause",
            began,
            f"{wishes[0].kind}: a gap from {began:.3f} to {ended:.3f}: {row.reason}",
        )


def proofs_hold(evidence: Evidence) -> Iterator[Complaint]:
    """A gap that is proved empty or filled withholds nothing."""
    for wish in evidence.program.wishes:
        seen = {unit for consumer in wish.consumers for unit in consumer.seen}
        for row in _rows_of(wish, evidence):
            began, ended = _period(row)
            known_at = max(ended, _healed_at(row, evidence))
            if row.proof is None or began < wish.begun_at or known_at > (wish.ended_at or math.inf):
                continue
            missing = [
                made
                for made in wish.stream.made
                if began + SLACK < made.at < ended - SLACK
                and not seen.issuperset(made.units)
                # A bar that was not over is left to the stream, which may be mute without anybody's knowing, or have no more of it.
                and not _invisible(wish, made.at, evidence)
                and made.at < ended - _bar(wish)
            ]
            missing = wish.stream.without_replaced(missing, seen)
            if missing:
                text = f"{wish.kind}: a gap from {began:.3f} to {ended:.3f} is proved {row.proof}, and {len(missing)} ticks are missing"
                yield Complaint("proofs hold", missing[0].at, text)


def _bar(wish: Wish) -> float:
    """Return the length of a bar of a stream of candles; 0 for any other stream."""
    interval = str(wish.kind.params.get("interval", ""))
    return int(interval[:-1]) * {"m": 60.0, "h": 3600.0}[interval[-1]] if interval else 0.0


def what_can_be_proved_is(evidence: Evidence) -> Iterator[Complaint]:
    """A gap in which nothing was withheld is proved empty, where the venue has the means for it."""
    found = proofs(evidence)
    if not found.enough:
        wish, row = found.left[0]
        text = f"{wish.kind}: {row.reason}: {row.open_because}; of all gaps: {dict(found.counts)}"
        yield Complaint("what can be proved is", _period(row)[0], text)


def proofs(evidence: Evidence) -> Proving:
    """Return what became of the gaps in which nothing was withheld."""
    rows = [
        (wish, row, *_period(row)) for wish in evidence.program.wishes for row in _rows_of(wish, evidence)
    ]
    return proving(rows, [down for down, _ in evidence.program.restarts], evidence.until)


def nothing_that_delivered_was_called_stale(evidence: Evidence) -> Iterator[Complaint]:
    """No false alarm: a stream is called stale only where something is withheld from it at that moment."""
    for wish in evidence.program.wishes:
        for at, state in wish.states:
            if state != "stale":
                continue
            arrived = wish.stream.arrived
            if not any(
                made.at < at - ON_ITS_WAY and arrived.get(made.n, math.inf) > at for made in wish.stream.made
            ):
                yield Complaint(
                    "no false alarm", at, f"{wish.kind} was called stale and nothing was withheld"
                )


def blindness_is_short(evidence: Evidence) -> Iterator[Complaint]:
    """Nobody is blind for longer than the way of finding out allows."""
    for blind in blindness(evidence):
        match blind.fault:
            case "mute" | "short mute" | "forget":
                threshold = THRESHOLDS.get(blind.type, PROBED_WITHIN)
                most = threshold + REPAIRED_WITHIN
            case _:
                most = SOCKET_FOUND_WITHIN
        if blind.seconds > most:
            text = f"{blind.type} was blind for {blind.seconds:.1f} s, of {most:g}: {blind.fault}"
            yield Complaint("blindness is short", blind.at, text)


def blindness(evidence: Evidence) -> Iterator[Blind]:
    """Return when a subscription said `live`, and what the venue made in that time did not reach the client.

    It begins with the first tick that did not come, and ends with the next that did, when the word was taken back, or with the gap that was told of it.
    """
    for wish in evidence.program.wishes:
        stream = wish.stream
        until = min(evidence.until, wish.ended_at or math.inf)
        lost = [made.at for made in stream.made if made.n not in stream.arrived]
        gaps = [_period(row) for row in _rows_of(wish, evidence)]
        for since, left in wish.live_spans(until):
            now = since
            for at in lost:
                if now <= at < left - ON_ITS_WAY:
                    back = next((each.at for each in stream.arrivals if each.at > at), until)
                    told = min((ended for began, ended in gaps if began <= at <= ended), default=math.inf)
                    now = min(back, left, told)
                    yield Blind(stream.type, _blamed(wish, at, evidence), at, now - at)


CHECKS = (
    consumers_were_told_the_truth,
    everything_wanted_is_live,
    nothing_ended_is_subscribed,
    no_quota_was_exceeded,
    what_was_missed_is_in_the_ledger,
    every_gap_has_a_cause,
    proofs_hold,
    what_can_be_proved_is,
    nothing_that_delivered_was_called_stale,
    blindness_is_short,
)
"""Every invariant."""


def _held_by_venue(network: Network) -> dict[str, list[int]]:
    held: dict[str, list[int]] = defaultdict(list)
    for number, connection in sorted(network.connections.items()):
        for key in connection.session.protocol.subscriptions:
            held[key].append(number)
    return held


def _just_forgotten(wish: Wish, evidence: Evidence) -> bool:
    """Whether the venue has dropped a stream so lately that nobody has asked for it yet."""
    return any(
        fault.kind == "forget"
        and wish.stream.key in fault.streams
        and math.isinf(fault.ended)
        and evidence.until - fault.began < PROBED_WITHIN + REPAIRED_WITHIN
        for fault in evidence.faults
    )


def _rows_of(wish: Wish, evidence: Evidence) -> list[GapRow]:
    return [row for row in evidence.gaps if row.subscription_id == wish.id]


def _healed_at(row: GapRow, evidence: Evidence) -> float:
    """When a gap was looked into after its end: who had left by then was given nothing; the beginning of time where it was not."""
    return max(
        (
            event.at - EPOCH
            for event in evidence.events
            if event.kind == "healed"
            and event.subscription_id == row.subscription_id
            and event.detail.get("started_at") == row.started_at
        ),
        default=-math.inf,
    )


def _period(row: GapRow) -> tuple[float, float]:
    return row.started_at - EPOCH, math.inf if row.ended_at is None else row.ended_at - EPOCH


def _delivering_spans(wish: Wish, evidence: Evidence) -> Iterator[tuple[float, float]]:
    """From the first time that it was live to its end: then it owed its consumers every unit, or a gap."""
    live = wish.live_spans(evidence.until)
    if live:
        # An end comes before a silence is found out; what was made in the last moments may still have been on its way.
        ended = math.inf if wish.ended_at is None else wish.ended_at - SOCKET_FOUND_WITHIN - SLACK
        yield live[0][0], min(evidence.until - SLACK, ended)


def _is_a_seam(wish: Wish, row: GapRow) -> bool:
    """Whether a gap is where a stream without keys went from one socket to another: what lies there nobody can know."""
    return wish.unkeyed and row.reason.startswith("moved")


def _was_asked_for(row: GapRow, evidence: Evidence) -> bool:
    """Whether somebody wanted its socket replaced, and there was no place for another one beside it: break before make."""
    return any(
        event.kind == "rotated"
        and event.connection == row.connection
        and event.detail.get("exact") is False
        and row.started_at - SLACK <= event.at <= (row.ended_at or math.inf)
        for event in evidence.events
    )


def _carriers(stream: str, began: float, ended: float, evidence: Evidence) -> set[int]:
    """The connections that carried a stream at some moment of a time."""
    return {
        number for number, since, until in evidence.stays.get(stream, ()) if since <= ended and until >= began
    }


def _invisible(wish: Wish, at: float, evidence: Evidence) -> bool:
    """Whether a unit was withheld in a way that no client can see."""
    threshold = THRESHOLDS.get(wish.kind.type)
    for fault in evidence.faults:
        if fault.kind not in {"mute", "short mute", "forget"} or wish.stream.key not in fault.streams:
            continue
        if fault.began - SLACK <= at <= fault.ended + SLACK:
            back = next((each.at for each in wish.stream.arrivals if each.at > at), evidence.until)
            silence = min(fault.ended, back, _lost_at(wish, at)) - fault.began
            return threshold is None or silence < threshold + REPAIRED_WITHIN
    return False


def _lost_at(wish: Wish, at: float) -> float:
    """When a stream that said live was lost in another way than by its silence, after a time."""
    for (since, state), (left, then) in pairwise(wish.states):
        if state == "live" and since <= at < left and then != "stale":
            return left
    return math.inf


def _cause(wishes: Iterable[Wish], began: float, ended: float, evidence: Evidence) -> bool:
    """Whether a gap had a reason: something withheld, a connection that broke, a process that was down, a stalled network."""
    first, last = began - SLACK, ended + SLACK
    if any(down <= last and up >= first for down, up in evidence.program.restarts):
        return True
    for wish in wishes:
        stream = wish.stream
        if any(made.n not in stream.arrived for made in stream.made_between(first, last)):
            return True
        carriers = _carriers(stream.key, first, last, evidence)
        for connection in evidence.network.history:
            if connection.number not in carriers:
                continue
            closed = connection.socket.closed
            lost = closed is not None and closed.by != "us"
            if lost and connection.ended_at is not None and first <= connection.ended_at <= last:
                return True
            if any(since <= last and until >= first for since, until in connection.stalls):
                return True
        if any(
            fault.streams and fault.hits(stream.key, ()) and fault.began <= last
            for fault in evidence.faults
            if fault.ended >= first
        ):
            return True
    return False


def _blamed(wish: Wish, at: float, evidence: Evidence) -> str:
    """Return the fault that a blindness is counted under: the closest one that hit the stream, or its connection."""
    carriers = _carriers(wish.stream.key, at - SLACK, at + SLACK, evidence)
    found = [
        fault
        for fault in evidence.faults
        if fault.began - SLACK <= at <= fault.ended + SLACK and fault.hits(wish.stream.key, carriers)
    ]
    if not found:
        return "none"
    return max(found, key=lambda fault: (bool(fault.streams), bool(fault.connections), fault.began)).kind
