"""Restoring: what an earlier process left in the store is wanted again.

Kept subscriptions come back under their ids, with their counters and as they were asked for; held ones ended with the
process that held them. What was live then is interrupted since the last proof that it was heard.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from attrs import frozen

from wsmgr.manager.model.continuity import Interruption
from wsmgr.manager.model.errors import StateDirectoryError, UsageError
from wsmgr.manager.model.fact import Fact, GapOpened
from wsmgr.manager.model.subscription import State
from wsmgr.manager.runtime.rows import restore_counters, subscription_row
from wsmgr.manager.store import queries
from wsmgr.manager.store.changes import PutSubscription, apply
from wsmgr.manager.store.history import ended_gap
from wsmgr.manager.store.rows import CLOSED, GapRow, MetricsRow

if TYPE_CHECKING:
    from wsmgr.manager.model.subscription import Entry
    from wsmgr.manager.runtime.context import Context
    from wsmgr.manager.runtime.ledger import Ledger
    from wsmgr.manager.store.database import Database
    from wsmgr.manager.store.rows import SubscriptionRow

RESTARTED = "the manager was not running"


@frozen(kw_only=True)
class _Left:
    """What an earlier process left.

    Attributes:
        heard_all_until: Until when it had heard every stream but the silent ones, in unix seconds; now where it does not say.
        alive_until: The last sign of its life: it may have heard that, or written something down later.
        silent_since: Until when it heard the streams that it had not heard until then, by subscription.
        metrics: Its counters, by subscription.
        open_gaps: The gaps that it did not close, oldest first, by subscription.
    """

    heard_all_until: float
    alive_until: float
    silent_since: dict[str, float]
    metrics: dict[str, MetricsRow]
    open_gaps: dict[str, list[GapRow]]

    def heard_until(self, id_: str) -> float:
        """Return until when a subscription that was live was heard."""
        return min(self.heard_all_until, self.silent_since.get(id_, self.heard_all_until))


def restore(context: Context, ledger: Ledger, database: Database) -> None:
    """Bring back what an earlier process left in the database.

    The new numbering of each subscription is on the disk when this returns: no two processes ever use the same.

    Raises:
        StateDirectoryError: The database holds what cannot be, or cannot be written.
    """
    wall = context.clock.wall()
    ledger.next_gap = queries.last_gap_id(database) + 1
    ledger.next_event = queries.last_event_id(database) + 1
    heard_all_until = queries.flushed_at(database) or wall
    left = _Left(
        heard_all_until=heard_all_until,
        alive_until=max([heard_all_until, *(row.at for row in queries.list_events(database, limit=1))]),
        silent_since=queries.silent_since(database),
        metrics=_metrics(database),
        open_gaps=_open_gaps(database),
    )
    ledger.hearing.adopt(left.silent_since)
    ledger.dials.adopt(context.origins.values(), queries.dial_marks(database), context.clock)
    ended: dict[str, float] = {}
    for row in queries.list_subscriptions(database, state=CLOSED):
        context.registry.ended[row.id] = row.epoch
        ended[row.id] = row.updated_at
    restored: list[Entry] = []
    for row in queries.list_subscriptions(database):
        if row.kept:
            entry = _wanted_again(context, row)
            if entry is not None:
                restored.append(entry)
            _interrupt(context, ledger, row, entry, left)
        else:
            context.registry.ended[row.id] = row.epoch
            ended[row.id] = left.alive_until
            context.note(_ended_with_its_process(row))
    for id_, gaps in left.open_gaps.items():
        _end(ledger, gaps, ended.get(id_, left.alive_until))
    _write_epochs(database, restored, wall)


def _metrics(database: Database) -> dict[str, MetricsRow]:
    try:
        return {row.id: counters for row, counters in queries.list_metrics(database)}
    except ValueError as error:
        raise StateDirectoryError(
            f"the database holds counters that cannot be: {error}; put a backup of wsmgr.db in its place, or move it"
            " away: what was subscribed is in desired.json too"
        ) from error


def _open_gaps(database: Database) -> dict[str, list[GapRow]]:
    found: dict[str, list[GapRow]] = {}
    for gap in reversed(queries.list_gaps(database, open_only=True, limit=None)):
        found.setdefault(gap.subscription_id, []).append(gap)
    return found


def _wanted_again(context: Context, row: SubscriptionRow) -> Entry | None:
    """Want a stored subscription again; one that the catalog or the configuration no longer knows is told of."""
    venue = context.venues.get(row.venue)
    if venue is None:
        _not_restored(context, row, f"there is no venue {row.venue!r} any more")
        return None
    try:
        atom = venue.dialect.atom(row.type, row.params)
    except UsageError as error:
        _not_restored(context, row, str(error))
        return None
    entry, _ = context.registry.want(row.venue, atom, wall=row.subscribed_at, epoch=row.epoch + 1)
    entry.kept = True
    entry.owner = row.owner
    entry.dedicated = row.dedicated
    entry.redundancy = row.redundancy
    return entry


def _interrupt(
    context: Context, ledger: Ledger, row: SubscriptionRow, entry: Entry | None, left: _Left
) -> None:
    """Take up the open gap of a kept subscription, or open the one over the time in which nobody ran.

    Also of one that cannot be wanted just now: it misses what it was kept for, from then on.
    """
    id_ = row.id
    metrics = left.metrics[id_]
    if entry is not None:
        restore_counters(entry, metrics)
    gaps = left.open_gaps.pop(id_, [])
    if gaps:
        # Only one can be open; an older one that a crash left open ended when the next began.
        _end(ledger, gaps[:-1], gaps[-1].started_at)
        ledger.adopt_gap(gaps[-1])
        interruption = Interruption(
            since=gaps[-1].started_at,
            since_monotonic=None,
            reason=gaps[-1].reason,
            connection=gaps[-1].connection,
        )
    else:
        interruption = Interruption(
            since=max(left.heard_until(id_), row.subscribed_at), since_monotonic=None, reason=RESTARTED
        )
        context.note(GapOpened(subscription_id=id_, interruption=interruption))
    if entry is not None:
        entry.interruption = interruption
        entry.gap_starts.append(interruption.since)
        context.registry.venues[entry.venue].remember(entry)


def _end(ledger: Ledger, gaps: list[GapRow], at: float) -> None:
    for gap in gaps:
        ledger.put_gap(ended_gap(gap, at))


def _write_epochs(database: Database, entries: list[Entry], wall: float) -> None:
    """Write the numbering that begins now: a cursor of it must not be one of the next process, which may be killed soon."""
    try:
        with database.transaction():
            apply(
                database,
                [PutSubscription(subscription_row(entry, wall)) for entry in entries],
            )
    except sqlite3.Error as error:
        raise StateDirectoryError(
            f"the database cannot be written: {error}; check that the disk has space, and that no other program holds"
            " wsmgr.db"
        ) from error


def _not_restored(context: Context, row: SubscriptionRow, why: str) -> None:
    context.note(
        Fact(
            kind="not_restored",
            level="error",
            venue=row.venue,
            subscription_id=row.id,
            detail={"key": row.key, "why": why},
        )
    )


def _ended_with_its_process(row: SubscriptionRow) -> Fact:
    return Fact(
        kind="closed",
        venue=row.venue,
        subscription_id=row.id,
        detail={"by": "the end of the process that held it", "state": State.CLOSED.value},
    )
