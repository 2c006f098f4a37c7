"""The ledger: carries what the registry knows into the store, and back again at a start.

`collect` says what has changed since it was last asked; the store's writer asks every few seconds and at once after a fact.
`restore` reads what an earlier process left: the kept subscriptions with their counters, and where their gaps begin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyio import move_on_after
from attrs import define, evolve, field

from wsmgr.manager.model.continuity import Gap, Interruption
from wsmgr.manager.model.errors import StateDirectoryError, UsageError
from wsmgr.manager.model.fact import Fact, GapClosed, GapOpened, Note
from wsmgr.manager.model.subscription import Entry, State
from wsmgr.manager.runtime.context import Context
from wsmgr.manager.runtime.rows import metrics_row, restore_counters, subscription_row
from wsmgr.manager.runtime.store_client import commit
from wsmgr.manager.store import queries
from wsmgr.manager.store.changes import (
    AddEvent,
    AddGap,
    AddSamples,
    Change,
    CloseSubscription,
    PutMetrics,
    PutSubscription,
)
from wsmgr.manager.store.committer import Commit
from wsmgr.manager.store.errors import StoreError
from wsmgr.manager.store.rows import (
    CLOSED,
    EventRow,
    GapRow,
    MetricsRow,
    SampleRow,
    SubscriptionRow,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wsmgr.manager.store.database import Database

LIVE_REFRESH = 60.0
MAX_PENDING = 10_000
RECORD_PATIENCE = 1.0
RESTARTED = "the manager was not running"


@define(eq=False)
class Ledger:
    """What lies between the registry and the store.

    Args:
        context: What the actors share.
    """

    _context: Context
    _pending: list[Change] = field(factory=list[Change], init=False)
    _given: list[Change] = field(factory=list[Change], init=False)
    _given_before: list[Change] = field(factory=list[Change], init=False)
    _lost: int = field(default=0, init=False)
    _next_gap: int = field(default=1, init=False)
    _next_event: int = field(default=1, init=False)
    _open_gaps: dict[str, GapRow] = field(factory=dict[str, GapRow], init=False)
    _refreshed: float = field(default=0.0, init=False)

    def collect(self) -> Sequence[Change]:
        """Return what has changed since this was last called."""
        wall = self._context.clock.wall()
        now = self._context.clock.monotonic()
        if self._lost:
            lost, self._lost = self._lost, 0
            self._pending.extend(self._of_note(_lost_events(lost), wall))
        changes, self._pending = self._pending, []
        # What was given before the last collection has been written: the writer that asks now has got past it.
        self._given_before, self._given = self._given, list(changes)
        refresh = now - self._refreshed >= LIVE_REFRESH
        if refresh:
            self._refreshed = now
        rows: list[MetricsRow] = []
        samples: list[SampleRow] = []
        for entry in self._context.registry.entries.values():
            if self._context.draining and not entry.kept:
                # What is held ends with the manager, whose last collection this may be.
                changes.append(CloseSubscription(id=entry.id, at=wall))
                entry.stored = True
            if not entry.stored:
                entry.stored = True
                changes.append(PutSubscription(subscription_row(entry, wall)))
            counters = entry.counters
            dropped = entry.dropped != counters.stored_dropped
            if counters.dirty or dropped or (refresh and counters.live_since is not None):
                rows.append(metrics_row(entry, now=now, wall=wall))
                samples.append(
                    SampleRow(
                        subscription_id=entry.id,
                        at=wall - wall % 60.0,
                        messages=counters.messages - counters.stored,
                        bytes=counters.bytes - counters.stored_bytes,
                        dropped=entry.dropped - counters.stored_dropped,
                    )
                )
                counters.mark_stored(entry.dropped)
        if rows:
            changes += [PutMetrics(tuple(rows)), AddSamples(tuple(samples))]
        return changes

    def take(self, note: Note) -> None:
        """Take a fact for the store: at once where the writer takes it, else as soon as it does, in the order of the facts."""
        self._queue(self._of_note(note, self._context.clock.wall()))

    async def record(self, fact: Fact) -> None:
        """Take a fact for the store, and return when it is on the disk: in vain for `RECORD_PATIENCE` at most.

        A store that is not there in time holds nobody up: the fact waits for it like any other, and another one says so. So it
        is with a caller that is cancelled meanwhile.
        """
        number = self._next_event
        changes = self._of_note(fact, self._context.clock.wall())
        late: str | None = "who recorded it did not wait"
        try:
            with move_on_after(RECORD_PATIENCE) as patience:
                await commit(self._context, list(changes))
                late = None
            if patience.cancelled_caught:
                late = f"the store did not answer within {RECORD_PATIENCE:g} s"
        except StoreError as error:
            late = str(error)
        finally:
            if late is not None:
                self._queue(changes)
                self._context.note(_recorded_late(fact, number, late))

    def _queue(self, changes: Sequence[Change]) -> None:
        self._pending.extend(changes)
        while len(self._pending) > MAX_PENDING:
            del self._pending[0]
            self._lost += 1
        self.offer()

    def offer(self) -> None:
        """Give the writer what waits for it, where it can take it."""
        writer = self._context.writer
        if self._pending and writer is not None and writer.cast(Commit(tuple(self._pending))):
            self._given += self._pending
            self._pending = []

    def collect_all(self) -> None:
        """Have the next `collect` return everything again: a writer that crashed may not have written what it was given.

        Writing it twice changes nothing, because gaps and events are numbered here.
        """
        self._pending = [*self._given_before, *self._given, *self._pending]
        self._given_before, self._given = [], []
        for entry in self._context.registry.entries.values():
            entry.stored = False
            entry.counters.changed = True

    def restore(self, database: Database) -> None:
        """Bring back what an earlier process left in the database.

        Kept subscriptions are wanted again, under their ids and with their counters; held ones ended with the process that
        held them. What was live then is interrupted since the last proof that the process was alive.
        """
        registry = self._context.registry
        wall = self._context.clock.wall()
        self._next_gap = (queries.last_gap_id(database) or 0) + 1
        self._next_event = (queries.last_event_id(database) or 0) + 1
        opened = {
            gap.subscription_id: gap for gap in queries.list_gaps(database, open_only=True, limit=1_000_000)
        }
        try:
            metrics = {row.id: counters for row, counters in queries.list_metrics(database)}
        except ValueError as error:
            raise StateDirectoryError(
                f"the database holds counters that cannot be: {error}; put a backup of wsmgr.db in its place, or move it"
                " away: what was subscribed is in desired.json too"
            ) from error
        flushed = queries.flushed_at(database)
        for row in queries.list_subscriptions(database, state=CLOSED):
            registry.ended[row.id] = row.epoch
        for row in queries.list_subscriptions(database):
            if not row.kept:
                registry.ended[row.id] = row.epoch
                self._context.note(_ended_with_its_process(row))
                continue
            entry = self._wanted_again(row)
            if entry is not None:
                self._resume(entry, metrics.get(row.id), opened.get(row.id), flushed or wall)

    def _wanted_again(self, row: SubscriptionRow) -> Entry | None:
        """Want a stored subscription again; one that the catalog or the configuration no longer knows is told of."""
        registry = self._context.registry
        venue = self._context.venues.get(row.venue)
        if venue is None:
            self._not_restored(row, f"there is no venue {row.venue!r} any more")
            return None
        try:
            atom = venue.dialect.atom(row.type, row.params)
        except UsageError as error:
            self._not_restored(row, str(error))
            return None
        entry, _ = registry.want(row.venue, atom, wall=row.subscribed_at, epoch=row.epoch + 1)
        entry.kept = True
        entry.owner = row.owner
        return entry

    def _not_restored(self, row: SubscriptionRow, why: str) -> None:
        self._context.note(
            Fact(
                kind="not_restored",
                level="error",
                venue=row.venue,
                subscription_id=row.id,
                detail={"key": row.key, "why": why},
            )
        )

    def _resume(self, entry: Entry, metrics: MetricsRow | None, gap: GapRow | None, flushed: float) -> None:
        if metrics is not None:
            restore_counters(entry, metrics)
        if gap is not None:
            self._open_gaps[entry.id] = gap
            entry.interruption = Interruption(
                since=gap.started_at, since_monotonic=None, reason=gap.reason, connection=gap.connection
            )
        elif entry.counters.live_seconds > 0 or entry.counters.messages > 0:
            entry.interruption = Interruption(since=flushed, since_monotonic=None, reason=RESTARTED)
            self._context.note(GapOpened(subscription_id=entry.id, interruption=entry.interruption))

    def _of_note(self, note: Note, wall: float) -> Sequence[Change]:
        match note:
            case Fact(level="debug"):
                return []
            case Fact():
                number, self._next_event = self._next_event, self._next_event + 1
                return [AddEvent(_event_row(note, number, wall)), *self._closing(note, wall)]
            case GapOpened(subscription_id=id_, interruption=interruption):
                self._open_gaps[id_] = row = _gap_row(self._next_gap, id_, interruption)
                self._next_gap += 1
                return [AddGap(row)]
            case GapClosed(subscription_id=id_, gap=gap):
                opened = self._open_gaps.pop(id_, None)
                return [] if opened is None else [AddGap(_closed_row(opened, gap))]

    def _closing(self, fact: Fact, wall: float) -> Sequence[Change]:
        """Return the end of a subscription's row, where this fact is the end of a subscription that is not wanted again."""
        if fact.kind != "closed" or fact.subscription_id is None:
            return []
        self._open_gaps.pop(fact.subscription_id, None)
        if fact.subscription_id in self._context.registry.entries:
            return []
        return [CloseSubscription(id=fact.subscription_id, at=wall)]


def _event_row(fact: Fact, number: int, wall: float) -> EventRow:
    detail: Mapping[str, object] = {"venue": fact.venue, **fact.detail} if fact.venue else fact.detail
    return EventRow(
        id=number,
        at=wall,
        level=fact.level,
        kind=fact.kind,
        actor=fact.actor,
        connection=fact.connection,
        subscription_id=fact.subscription_id,
        detail=dict(detail),
    )


def _gap_row(number: int, subscription_id: str, interruption: Interruption) -> GapRow:
    return GapRow(
        id=number,
        subscription_id=subscription_id,
        connection=interruption.connection,
        started_at=interruption.since,
        reason=interruption.reason,
    )


def _closed_row(opened: GapRow, gap: Gap) -> GapRow:
    return evolve(
        opened,
        ended_at=gap.ended_at,
        duration_seconds=gap.duration,
        missing=gap.missing,
        attempts=gap.attempts,
        healed_by=gap.healed_by,
    )


def _lost_events(count: int) -> Fact:
    return Fact(kind="events_lost", level="error", actor="ledger", detail={"count": count})


def _recorded_late(fact: Fact, number: int, why: str) -> Fact:
    detail = {"number": number, "recorded": fact.kind, "why": why}
    return Fact(kind="recorded_late", level="warning", venue=fact.venue, actor="ledger", detail=detail)


def _ended_with_its_process(row: SubscriptionRow) -> Fact:
    return Fact(
        kind="closed",
        venue=row.venue,
        subscription_id=row.id,
        detail={"by": "the end of the process that held it", "state": State.CLOSED.value},
    )
