"""The ledger: carries what the registry knows into the store.

It is the writer's source. Facts and gaps are numbered and written down in memory first (`History`), and are there until the
disk has them; the counters of a subscription are marked when they changed. While the disk is not well all of it goes on
here, within bounds, and what is given up is counted and told. `restoring` is the way back, at a start.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from anyio import move_on_after
from attrs import define, evolve, field

from wsmgr.manager.model.continuity import Gap
from wsmgr.manager.model.fact import Fact, GapClosed, GapHealed, GapOpened, Note
from wsmgr.manager.runtime.context import Context
from wsmgr.manager.runtime.dial_marks import DialMarks
from wsmgr.manager.runtime.hearing import Hearing
from wsmgr.manager.runtime.restoring import restore
from wsmgr.manager.runtime.rows import metrics_row, subscription_row
from wsmgr.manager.runtime.store_client import commit
from wsmgr.manager.store.changes import (
    AddEvent,
    AddSamples,
    Change,
    CloseSubscription,
    PutMetrics,
    PutSubscription,
)
from wsmgr.manager.store.desired import DesiredSubscription
from wsmgr.manager.store.errors import StoreError
from wsmgr.manager.store.faults import Fault
from wsmgr.manager.store.history import AT_ONCE, History, Shelf, ended_gap
from wsmgr.manager.store.rows import CLOSED, EventRow, GapRow, MetricsRow, SampleRow
from wsmgr.manager.store.source import FLUSH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wsmgr.manager.model.continuity import Interruption
    from wsmgr.manager.model.subscription import Entry
    from wsmgr.manager.store.database import Database

LIVE_REFRESH = 60.0
RECORD_PATIENCE = 1.0
CLOSED_GAPS = 10_000
"""How many closed gaps are remembered, so that what is found out about one later finds its row."""
ENDS = 10_000
"""How many ends of subscriptions may wait for the disk; one that is given up is made good at the next start."""

GapKey = tuple[str, float]
"""What tells a gap from the others of this process: its subscription, and when it began."""


@define(eq=False)
class Ledger:
    """What lies between the registry and the store.

    Args:
        context: What the actors share.

    Attributes:
        history: The gaps and events of this process.
        fault: Why nothing can be written, or None where it can.
        hearing: Until when each stream was heard, as the store has it.
        dials: What the store has of the dials.
    """

    _context: Context
    history: History = field(factory=History, init=False)
    fault: Fault | None = field(default=None, init=False)
    hearing: Hearing = field(factory=Hearing, init=False)
    dials: DialMarks = field(factory=DialMarks, init=False)
    next_gap: int = field(default=1, init=False)
    next_event: int = field(default=1, init=False)
    _ends: Shelf[str, CloseSubscription] = field(
        factory=lambda: Shelf[str, CloseSubscription](ENDS, 0), init=False
    )
    _open: dict[str, dict[float, GapRow]] = field(factory=dict[str, dict[float, GapRow]], init=False)
    _closed: dict[GapKey, GapRow] = field(factory=dict[GapKey, GapRow], init=False)
    _begun: dict[str, None] = field(factory=dict[str, None], init=False)
    _rowed: set[str] = field(factory=set[str], init=False)
    _lost_told: int = field(default=0, init=False)
    _nudged: bool = field(default=False, init=False)
    _refreshed: float = field(default=0.0, init=False)

    @property
    def waits(self) -> bool:
        """Whether there are facts to be written."""
        return (
            self.history.waits
            or self._ends.waits
            or bool(self._begun)
            or self.dials.wait(self._context.origins.values())
        )

    def facts(self) -> Sequence[Change]:
        """Return the gaps, events and ends that are to be written next."""
        self._nudged = False
        wanted = self._context.registry.entries
        # A subscription that is wanted again has a row of its new life.
        ends = [end for end in self._ends.give(ENDS) if end.id not in wanted]
        dials = self.dials.changes(self._context.origins.values(), self._context.clock)
        changes = [*dials, *ends, *self._rows_of_begun(), *self.history.give()]
        # There is room for it now.
        lost = self.history.events_lost + self.history.gaps_lost
        if lost > self._lost_told and self.fault is None:
            self._take(_events_lost(lost - self._lost_told))
            self._lost_told = lost
        return changes

    def counters(self) -> Sequence[Change]:
        """Return the subscriptions and counters that changed since this was last called, and until when all was heard.

        That is true together with every gap that is known: while a gap waits, what the store has of it stays.
        """
        all_told = not self.waits
        wall = self._context.clock.wall()
        now = self._context.clock.monotonic()
        refresh = now - self._refreshed >= LIVE_REFRESH
        if refresh:
            self._refreshed = now
        changes: list[Change] = []
        rows: list[MetricsRow] = []
        samples: list[SampleRow] = []
        for entry in self._context.registry.entries.values():
            if self._context.draining and not entry.kept:
                # What is held ends with the manager, whose last collection this may be.
                changes.append(
                    PutSubscription(evolve(subscription_row(entry, wall), state=CLOSED, error=None))
                )
                entry.stored = True
                self._end_gaps(entry.id, wall)
            if not entry.stored:
                entry.stored = True
                changes.append(PutSubscription(subscription_row(entry, wall)))
            counters = entry.counters
            dropped = entry.dropped != counters.stored_dropped
            if counters.dirty or dropped or (refresh and counters.live_since is not None):
                rows.append(metrics_row(entry, now=now, wall=wall))
                samples.append(_sample_row(entry, wall))
                counters.mark_stored(entry.dropped)
        if rows:
            changes += [PutMetrics(tuple(rows)), AddSamples(tuple(samples))]
        if all_told:
            changes += self.hearing.marks(self._context.registry.entries.values(), wall)
        return changes

    def written(self) -> None:
        """All that was returned is on the disk."""
        self.history.written()
        self._ends.written()

    def collect_all(self) -> None:
        """Return everything again: a writer that crashed may not have written it, or the database is a new one.

        Writing it twice changes nothing, because gaps and events are numbered here.
        """
        self._nudged = False
        self.history.again()
        self._ends.again()
        self.dials.again()
        self.hearing.again(self._context.registry.entries)
        for entry in self._context.registry.entries.values():
            entry.stored = False
            entry.counters.changed = True

    def desired(self) -> Iterable[DesiredSubscription]:
        """Return the kept subscriptions, where nothing on the disk says any more which they are."""
        wall = self._context.clock.wall()
        entries = list(self._context.registry.entries.values())
        return [DesiredSubscription.of(subscription_row(entry, wall)) for entry in entries if entry.kept]

    def take(self, note: Note) -> None:
        """Take what happened: for the store, as soon as that can be written."""
        self._take(note)
        self.offer()

    async def record(self, fact: Fact) -> None:
        """Take a fact for the store, and return when it is on the disk: in vain for `RECORD_PATIENCE` at most.

        A store that is not there in time, or is known not to be, holds nobody up: the fact waits for it like any other, and
        another one says so. So it is with a caller that is cancelled meanwhile.
        """
        if self.fault is not None:
            self._context.note(_recorded_late(fact, self._take_fact(fact), str(self.fault)))
            return
        row = self._event_row(fact)
        late: str | None = "who recorded it did not wait"
        try:
            with move_on_after(RECORD_PATIENCE) as patience:
                await commit(self._context, [AddEvent(row)])
                self.history.remember_event(row)
                late = None
            if patience.cancelled_caught:
                late = f"the store did not answer within {RECORD_PATIENCE:g} s"
        except StoreError as error:
            late = str(error)
        finally:
            if late is not None:
                self.history.put_event(row)
                self._context.note(_recorded_late(fact, row.id, late))

    def offer(self) -> None:
        """Tell the writer that something waits for it, unless it knows."""
        writer = self._context.writer
        if not self._nudged and self.waits and writer is not None:
            self._nudged = writer.cast(FLUSH)

    def restore(self, database: Database) -> None:
        """Bring back what an earlier process left in the database.

        Raises:
            StateDirectoryError: The database holds what cannot be, or cannot be written.
        """
        restore(self._context, self, database)

    def adopt_gap(self, row: GapRow) -> None:
        """Take a gap that an earlier process left open: it is closed with its subscription's next proof."""
        self._open.setdefault(row.subscription_id, {})[row.started_at] = row

    def put_gap(self, row: GapRow) -> None:
        """Write a gap down as it is now."""
        self.history.put_gap(row)

    def _take(self, note: Note) -> None:
        match note:
            case Fact():
                self._take_fact(note)
            case GapOpened(subscription_id=id_, interruption=interruption):
                self._open_gap(id_, interruption)
            case GapClosed(subscription_id=id_, gap=gap, items=items):
                self._close_gap(id_, gap, items)
            case GapHealed(subscription_id=id_, gap=gap, items=items):
                self._heal_gap(id_, gap, items)

    def _take_fact(self, fact: Fact) -> int | None:
        """Write a fact down and return its number; what is only for the log has none."""
        if fact.kind == "live" and fact.subscription_id is not None:
            self._begin(fact.subscription_id)
        if fact.level == "debug":
            return None
        row = self._event_row(fact)
        self.history.put_event(row)
        if fact.kind == "closed" and fact.subscription_id is not None:
            self._rowed.discard(fact.subscription_id)
            self._end_gaps(fact.subscription_id, row.at)
            self._ends.put(fact.subscription_id, CloseSubscription(id=fact.subscription_id, at=row.at))
        return row.id

    def _begin(self, subscription_id: str) -> None:
        """Have the row of a subscription written soon after its first proof: the next process must know its numbering."""
        if subscription_id not in self._rowed:
            self._rowed.add(subscription_id)
            self._begun[subscription_id] = None

    def _rows_of_begun(self) -> list[Change]:
        wall = self._context.clock.wall()
        rows: list[Change] = []
        for id_ in list(islice(self._begun, AT_ONCE)):
            del self._begun[id_]
            entry = self._context.registry.entries.get(id_)
            if entry is not None and not entry.stored:
                entry.stored = True
                rows.append(PutSubscription(subscription_row(entry, wall)))
        return rows

    def _open_gap(self, subscription_id: str, interruption: Interruption) -> None:
        gaps = self._open.setdefault(subscription_id, {})
        if interruption.since not in gaps:
            gaps[interruption.since] = row = self._gap_row(subscription_id, interruption)
            self.history.put_gap(row)

    def _close_gap(self, subscription_id: str, gap: Gap, items: int) -> None:
        opened = self._open.get(subscription_id, {}).pop(gap.started_at, None)
        if opened is None:
            opened = self._gap_row(subscription_id, gap)
        self._keep_closed(_closed_row(opened, gap, items))

    def _heal_gap(self, subscription_id: str, gap: Gap, items: int) -> None:
        closed = self._closed.get((subscription_id, gap.started_at))
        if closed is None:
            closed = self._gap_row(subscription_id, gap)
        self._keep_closed(_closed_row(closed, gap, items))

    def _end_gaps(self, subscription_id: str, wall: float) -> None:
        """Close the open gaps of a subscription that ends: nothing proves any more what was missed in them."""
        for row in self._open.pop(subscription_id, {}).values():
            self._keep_closed(ended_gap(row, wall))

    def _keep_closed(self, row: GapRow) -> None:
        self.history.put_gap(row)
        key = row.subscription_id, row.started_at
        self._closed.pop(key, None)
        self._closed[key] = row
        if len(self._closed) > CLOSED_GAPS:
            del self._closed[next(iter(self._closed))]

    def _gap_row(self, subscription_id: str, known: Interruption | Gap) -> GapRow:
        number, self.next_gap = self.next_gap, self.next_gap + 1
        return GapRow(
            id=number,
            subscription_id=subscription_id,
            connection=known.connection,
            started_at=known.started_at if isinstance(known, Gap) else known.since,
            reason=known.reason,
        )

    def _event_row(self, fact: Fact) -> EventRow:
        number, self.next_event = self.next_event, self.next_event + 1
        detail: Mapping[str, object] = {"venue": fact.venue, **fact.detail} if fact.venue else fact.detail
        row = EventRow(
            id=number,
            at=self._context.clock.wall(),
            level=fact.level,
            kind=fact.kind,
            actor=fact.actor,
            connection=fact.connection,
            subscription_id=fact.subscription_id,
            detail=dict(detail),
        )
        self._context.newsroom.publish(row)
        return row


def _closed_row(opened: GapRow, gap: Gap, items: int) -> GapRow:
    return evolve(
        opened,
        ended_at=gap.ended_at,
        duration_seconds=gap.duration,
        missing=gap.missing,
        attempts=gap.attempts,
        healed_by=gap.healed_by,
        proof=gap.proof,
        open_because=gap.open_because,
        venue_seq_from=gap.venue_seq_from,
        venue_seq_to=gap.venue_seq_to,
        healed_items=items,
    )


def _sample_row(entry: Entry, wall: float) -> SampleRow:
    counters = entry.counters
    return SampleRow(
        subscription_id=entry.id,
        at=wall - wall % 60.0,
        messages=counters.messages - counters.stored,
        bytes=counters.bytes - counters.stored_bytes,
        dropped=entry.dropped - counters.stored_dropped,
    )


def _events_lost(count: int) -> Fact:
    return Fact(kind="events_lost", level="error", actor="ledger", detail={"count": count})


def _recorded_late(fact: Fact, number: int | None, why: str) -> Fact:
    detail = {"number": number, "recorded": fact.kind, "why": why}
    return Fact(kind="recorded_late", level="warning", venue=fact.venue, actor="ledger", detail=detail)
