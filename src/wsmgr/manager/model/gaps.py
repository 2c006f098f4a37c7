"""Gaps of one subscription: opened at the moment of knowledge, closed by the next proof, told and written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from wsmgr.manager.model.continuity import Gap, Healed, Interrupted, Interruption, Resumed
from wsmgr.manager.model.fact import GapClosed, GapHealed, GapOpened
from wsmgr.manager.model.healing_queue import healing_fact
from wsmgr.manager.model.subscription_type import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsmgr.manager.model.healing import Reach
    from wsmgr.manager.model.registry import Registry
    from wsmgr.manager.model.subscription import Entry

MERGED_FOR = 15.0
"""Seconds for which what was delivered is remembered after a stream came back, or had one side again: for what was on its way."""

APART = 0.001
"""Seconds by which one gap begins before another one that would begin at the same moment."""


def open_gap(registry: Registry, entry: Entry, interruption: Interruption, now: float) -> None:
    """Open a gap, unless one is open already; the consumers are told in any case.

    From here on it is remembered what was delivered, so that nothing is delivered twice when the stream comes back.
    """
    entry.counters.end_live(now)
    entry.watch.end()
    unproved = min(entry.unproved.values(), default=interruption.since)
    if unproved < interruption.since:
        interruption = evolve(interruption, since=unproved, since_monotonic=None)
    registry.venues[entry.venue].remember(entry)
    if entry.interruption is None:
        interruption = _apart(entry, interruption)
        entry.interruption = interruption
        registry.note(GapOpened(subscription_id=entry.id, interruption=interruption))
    entry.tell(Interrupted(since=interruption.since, cause=interruption.reason))


def close_gap(
    registry: Registry, entry: Entry, *, now: float, wall: float, reach: Reach | None = None
) -> None:
    """Close the open gap of a subscription that delivers again; its next message carries it, unless it is proved whole.

    Args:
        registry: The registry.
        entry: The subscription; it has an open gap.
        now: The monotonic time.
        wall: Unix seconds.
        reach: What the first frame shows of the gap, where it shows something.
    """
    assert entry.interruption is not None  # noqa: S101 - the callers have checked it
    entry.counters.reconnects += 1
    interruption, entry.interruption = entry.interruption, None
    gap = interruption.close(at=wall, monotonic=now, attempts=_attempts(entry, interruption))
    entry.venue_seq = None
    if reach is not None:
        gap = reach.shown(gap)
    _record(registry, entry, gap, now=now, items=0 if reach is None else reach.new)


def admit_gap(
    registry: Registry, entry: Entry, interruption: Interruption, *, now: float, wall: float
) -> None:
    """Write down a gap that begins and ends at one moment of knowledge: the stream changed sides without a proof."""
    interruption = _apart(entry, interruption)
    registry.note(GapOpened(subscription_id=entry.id, interruption=interruption))
    _record(registry, entry, interruption.close(at=wall, monotonic=now, attempts=0), now=now)


def missed(registry: Registry, entry: Entry, *, first: int, last: int, now: float, wall: float) -> None:
    """Write down that the venue's numbers from `first` to `last` did not come though the socket was well."""
    since = wall if entry.counters.last_at is None else min(entry.counters.last_at, wall)
    interruption = Interruption(
        since=since,
        since_monotonic=None,
        reason="the venue's numbers jumped",
        connection=entry.connection.id if entry.connection is not None else None,
    )
    interruption = _apart(entry, interruption)
    registry.note(GapOpened(subscription_id=entry.id, interruption=interruption))
    gap = interruption.close(at=wall, monotonic=now, attempts=0)
    gap = evolve(gap, missing=last - first + 1, venue_seq_from=first, venue_seq_to=last)
    _record(registry, entry, gap, now=now)


def since_last_message(entry: Entry, reason: str) -> Interruption:
    """Return an interruption that is known from the subscription alone: its socket may be well."""
    since = entry.counters.last_at if entry.counters.last_at is not None else entry.subscribed_at
    return Interruption(
        since=since,
        since_monotonic=None,
        reason=reason,
        connection=entry.connection.id if entry.connection is not None else None,
        dials=entry.connection.dials if entry.connection is not None else 0,
    )


def since_last_proof(entry: Entry, reason: str, *, now: float, wall: float) -> Interruption:
    """Return an interruption that begins when the stream was last proved whole: by a message, or by the venue's word."""
    last = since_last_message(entry, reason)
    proved_at = entry.watch.proved_at
    if proved_at is None or wall - (now - proved_at) <= last.since:
        return last
    return evolve(last, since=wall - (now - proved_at), since_monotonic=proved_at)


def healed(registry: Registry, entry: Entry, found: Sequence[Healed], *, actor: str) -> None:
    """Say what is known now of gaps that were looked into: to the consumers, the ledger and the log."""
    for each in found:
        entry.tell(each)
        registry.note(GapHealed(subscription_id=entry.id, gap=each.gap, items=each.items))
        registry.note(healing_fact(entry, each, actor=actor))


def _record(registry: Registry, entry: Entry, gap: Gap, *, now: float, items: int = 0) -> None:
    """Write a gap down that has ended; what is not known to be whole is looked into, where there is a way.

    `items` is how many a snapshot has brought that were missed, whether or not it proves that these are all.
    """
    venue = registry.venues[entry.venue]
    heals = entry.type.healing is not None
    if not gap.whole and not heals:
        gap = evolve(gap, open_because=_no_history(entry))
    if not gap.whole:
        entry.gap = gap if entry.gap is None else entry.gap.joined(gap)
    entry.counters.gaps += 1
    entry.counters.gap_seconds += gap.duration
    entry.counters.changed = True
    entry.tell(gap)
    entry.tell(Resumed(epoch=entry.epoch, exact=gap.whole, gap=gap))
    registry.note(GapClosed(subscription_id=entry.id, gap=gap, items=items))
    if entry.second is None:
        entry.merge_until = now + MERGED_FOR
    if heals and not gap.whole:
        venue.remember(entry)
        gave_way = venue.healing.want(
            entry, gap, now, items=items, offset=venue.origin.clock_ahead or 0.0, known_from=entry.known_from
        )
        healed(registry, entry, gave_way, actor="keeper")


def _apart(entry: Entry, interruption: Interruption) -> Interruption:
    """Let no two gaps of a subscription begin at one moment, because that tells them apart in the ledger: the later one begins a little before."""
    while interruption.since in entry.gap_starts:
        monotonic = interruption.since_monotonic
        interruption = evolve(
            interruption,
            since=interruption.since - APART,
            since_monotonic=None if monotonic is None else monotonic - APART,
        )
    entry.gap_starts.append(interruption.since)
    return interruption


def _no_history(entry: Entry) -> str:
    if entry.type.kind is Kind.STATE:
        return "its messages are states: those in between are kept nowhere, the present one is whole"
    return f"the venue keeps no history of {entry.type.name} that can be asked for"


def _attempts(entry: Entry, interruption: Interruption) -> int:
    """Return how many dials it took to come back; on another connection, all that it made."""
    connection = entry.connection
    if connection is None:
        return 0
    return connection.dials - (interruption.dials if connection.id == interruption.connection else 0)
