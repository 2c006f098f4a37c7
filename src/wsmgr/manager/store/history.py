"""History in memory: the gaps and events of this process, and which of them are not on the disk yet.

Plain state, no loop. What happens is written down here first, and the writer takes from here what is to be written. It is
all that is known while the disk is not well, so it answers questions too, beside the database or in its place.

Bounds, for each table: `WAITING` rows wait for the disk, and above that the oldest goes and is counted; `NEWEST` rows
stay after they were written. Open gaps stay for as long as they are open: there are few for each subscription.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import attrs
from attrs import define, field, frozen

from wsmgr.manager.store.changes import AddEvent, AddGap, Change
from wsmgr.manager.store.queries import PAGE, list_events, list_gaps
from wsmgr.manager.store.rows import EventRow, GapRow
from wsmgr.manager.store.stays import Stay

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsmgr.manager.store.database import Database

WAITING: Final = 10_000
"""How many rows of one table may wait for the disk."""
NEWEST: Final = 1_000
"""How many rows of one table stay in memory after they were written."""
AT_ONCE: Final = 500
"""How many rows are given to the disk at once; the loop is not held up by a long list."""
ENDED: Final = "the subscription ended before it was live again"
"""Why a gap stays open whose subscription has ended."""

K = TypeVar("K")
V = TypeVar("V")


@frozen(kw_only=True)
class GapsAsked:
    """A question for gaps, newest first.

    Attributes:
        subscription_id: Only those of this subscription.
        open_only: Only those that have not ended.
        before: Only those with a smaller number.
        limit: How many at most.
    """

    subscription_id: str | None = None
    open_only: bool = False
    before: int | None = None
    limit: int = PAGE

    def of(self, database: Database) -> list[GapRow]:
        """Return what a database says."""
        return list_gaps(database, **attrs.asdict(self))

    def fits(self, row: GapRow) -> bool:
        """Whether a row is one of those that are asked for."""
        return (
            self.subscription_id in {None, row.subscription_id}
            and not (self.open_only and row.ended_at is not None)
            and (self.before is None or number_of(row) < self.before)
        )


@frozen(kw_only=True)
class EventsAsked:
    """A question for events, newest first.

    Attributes:
        subscription_id: Only those about this subscription.
        stays: Only those of these connections, in these times, about no subscription in particular; None for all.
        kind: Only those of this kind.
        before: Only those with a smaller number.
        limit: How many at most.
    """

    subscription_id: str | None = None
    stays: tuple[Stay, ...] | None = None
    kind: str | None = None
    before: int | None = None
    limit: int = PAGE

    def of(self, database: Database) -> list[EventRow]:
        """Return what a database says."""
        return list_events(database, **attrs.asdict(self, recurse=False))

    def fits(self, row: EventRow) -> bool:
        """Whether a row is one of those that are asked for."""
        return (
            self.subscription_id in {None, row.subscription_id}
            and (self.stays is None or any(stay.holds(row) for stay in self.stays))
            and self.kind in {None, row.kind}
            and (self.before is None or number_of(row) < self.before)
        )


@define(eq=False)
class Shelf(Generic[K, V]):
    """Values by key, each in one of three places: waiting for the disk, given to the writer, written.

    Attributes:
        waiting_limit: How many may wait, or None for no bound.
        written_limit: How many stay after they were written, or None for no bound.
        lost: How many were given up, ever.
    """

    waiting_limit: int | None
    written_limit: int | None
    lost: int = field(default=0, init=False)
    _waiting: dict[K, V] = field(factory=dict[K, V], init=False)
    _given: dict[K, V] = field(factory=dict[K, V], init=False)
    _written: dict[K, V] = field(factory=dict[K, V], init=False)

    @property
    def waits(self) -> bool:
        """Whether anything waits for the disk."""
        return bool(self._waiting)

    def everything(self) -> dict[K, V]:
        """Return all that is here."""
        return {**self._written, **self._given, **self._waiting}

    def put(self, key: K, value: V) -> None:
        """Let a value wait for the disk, in the place of an older one of the same key."""
        self.forget(key)
        self._waiting[key] = value
        self._bound_waiting()

    def remember(self, key: K, value: V) -> None:
        """Keep a value that is on the disk already."""
        self._written[key] = value
        self._bound_written()

    def forget(self, key: K) -> None:
        """Remove a value, wherever it is."""
        for place in (self._waiting, self._given, self._written):
            place.pop(key, None)

    def give(self, count: int) -> list[V]:
        """Return the oldest values that wait, at most `count`; they are given until `written` or `again`."""
        for key in list(islice(self._waiting, count)):
            self._given[key] = self._waiting.pop(key)
        return list(self._given.values())

    def written(self) -> None:
        """All that was given is on the disk."""
        self._written.update(self._given)
        self._given.clear()
        self._bound_written()

    def again(self) -> None:
        """Let everything wait that is still here: what was given or written may not be on the disk after all."""
        self._waiting = {**self._written, **self._given, **self._waiting}
        self._written, self._given = {}, {}
        self._bound_waiting()

    def _bound_written(self) -> None:
        while self.written_limit is not None and len(self._written) > self.written_limit:
            del self._written[next(iter(self._written))]

    def _bound_waiting(self) -> None:
        while self.waiting_limit is not None and len(self._waiting) > self.waiting_limit:
            del self._waiting[next(iter(self._waiting))]
            self.lost += 1


@define(eq=False)
class History:
    """The gaps and events of this process."""

    _open: Shelf[int, GapRow] = field(factory=lambda: Shelf[int, GapRow](None, None), init=False)
    _gaps: Shelf[int, GapRow] = field(factory=lambda: Shelf[int, GapRow](WAITING, NEWEST), init=False)
    _events: Shelf[int, EventRow] = field(factory=lambda: Shelf[int, EventRow](WAITING, NEWEST), init=False)

    @property
    def waits(self) -> bool:
        """Whether anything waits for the disk."""
        return self._open.waits or self._gaps.waits or self._events.waits

    @property
    def gaps_lost(self) -> int:
        """How many gaps were given up before they were on the disk, ever."""
        return self._gaps.lost

    @property
    def events_lost(self) -> int:
        """How many events were given up before they were on the disk, ever."""
        return self._events.lost

    def put_gap(self, row: GapRow) -> None:
        """Write down a gap, in the place of what was known of it."""
        number = number_of(row)
        if row.ended_at is None:
            self._open.put(number, row)
        else:
            self._open.forget(number)
            self._gaps.put(number, row)

    def put_event(self, row: EventRow) -> None:
        """Write down an event."""
        self._events.put(number_of(row), row)

    def remember_event(self, row: EventRow) -> None:
        """Keep an event that is on the disk already."""
        self._events.remember(number_of(row), row)

    def give(self) -> list[Change]:
        """Return what is to be written next; it is given until `written` or `again`."""
        changes: list[Change] = [
            AddGap(row) for shelf in (self._open, self._gaps) for row in shelf.give(AT_ONCE)
        ]
        changes += [AddEvent(row) for row in self._events.give(AT_ONCE)]
        return changes

    def written(self) -> None:
        """All that was given is on the disk."""
        for shelf in (self._open, self._gaps, self._events):
            shelf.written()

    def again(self) -> None:
        """Let everything wait that is still here."""
        for shelf in (self._open, self._gaps, self._events):
            shelf.again()

    def gaps(self, asked: GapsAsked, found: Sequence[GapRow] | None) -> list[GapRow]:
        """Return the gaps that are asked for: what a database says (None: it says nothing), and what is known here."""
        return _newest((self._open, self._gaps), found or (), asked.fits, asked.limit)

    def events(self, asked: EventsAsked, found: Sequence[EventRow] | None) -> list[EventRow]:
        """Return the events that are asked for, in the same way."""
        return _newest((self._events,), found or (), asked.fits, asked.limit)


def ended_gap(row: GapRow, at: float) -> GapRow:
    """Return a gap whose subscription ended at a time (unix seconds), before anything proved it whole."""
    duration = max(0.0, at - row.started_at)
    return attrs.evolve(
        row,
        ended_at=row.started_at + duration,
        duration_seconds=duration,
        open_because=row.open_because or ENDED,
    )


RowT = TypeVar("RowT", GapRow, EventRow)


def number_of(row: GapRow | EventRow) -> int:
    """Return the number of a row that has one."""
    assert row.id is not None  # noqa: S101 - whoever writes history down numbers it
    return row.id


def _newest(
    shelves: Sequence[Shelf[int, RowT]], found: Sequence[RowT], fits: Callable[[RowT], bool], limit: int
) -> list[RowT]:
    """Return the newest rows that fit; what a shelf holds wins over what was found.

    Numbers are sorted, not rows, and the walk ends as soon as there are enough: a question does not hold the loop up.
    """
    rows = {number_of(row): row for row in found}
    for shelf in shelves:
        rows.update(shelf.everything())
    newest_first = (rows[number] for number in sorted(rows, reverse=True))
    return list(islice(filter(fits, newest_first), limit))
