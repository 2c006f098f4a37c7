"""Changes: what can be written, as frozen values, and how each is applied.

A change says what shall be in the database; `apply` makes it so inside a transaction that the caller holds. Applying a
row again replaces it, except that samples add up (two processes may each have seen a part of one minute) and that rows
without a number are new each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from attrs import field, frozen

from wsmgr.manager.store.rows import (
    CLOSED,
    EventRow,
    GapRow,
    MetricsRow,
    Row,
    SampleRow,
    SubscriptionRow,
    columns,
    record,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wsmgr.manager.store.database import Database


@frozen
class PutSubscription:
    """Write a subscription's row, whole."""

    row: SubscriptionRow


@frozen(kw_only=True)
class CloseSubscription:
    """End a subscription: it is no longer wanted; its row and its history stay for a while.

    Attributes:
        id: The subscription; one that is not in the database is left alone.
        at: When it was ended.
    """

    id: str
    at: float


@frozen(kw_only=True)
class DeleteSubscription:
    """Remove a subscription's row, its counters and its samples; its gaps and events stay for their own time.

    Attributes:
        id: The subscription; one that is not in the database is left alone.
    """

    id: str


@frozen
class PutMetrics:
    """Write counters: the values given replace those in the database."""

    rows: tuple[MetricsRow, ...] = field(converter=tuple[MetricsRow, ...])


@frozen
class AddSamples:
    """Add samples to those of the same subscription and interval."""

    rows: tuple[SampleRow, ...] = field(converter=tuple[SampleRow, ...])


@frozen
class AddGap:
    """Write a gap into the ledger: a new one where it has no number, else the one of that number."""

    row: GapRow


@frozen
class AddEvent:
    """Write an event: a new one where it has no number, else the one of that number."""

    row: EventRow


@frozen
class Mark:
    """Write when something happened last.

    Attributes:
        name: What happened.
        at: When (unix seconds); it replaces the time that is there.
    """

    name: str
    at: float


@frozen
class Unmark:
    """Remove a mark; one that is not there is left alone."""

    name: str


Change = (
    PutSubscription
    | CloseSubscription
    | DeleteSubscription
    | PutMetrics
    | AddSamples
    | AddGap
    | AddEvent
    | Mark
    | Unmark
)

FLUSHED = "flushed"
"""The mark of the last flush: until then the process was alive, and every stream without a `SILENT` mark was heard."""
SILENT = "silent:"
"""What the mark of a stream begins with that was not heard until the last flush; its subscription's id follows."""

DIAL = "dial:"
"""What the mark of a dial begins with; its origin and a place among the last ones follow."""
RETRY_SAID = "retry_said:"
"""What the mark begins with of when it said so."""
RETRY_AFTER = "retry_after:"
"""What the mark begins with of when a venue takes dials again, as it said itself; its origin follows."""


def apply(database: Database, changes: Iterable[Change]) -> tuple[int | None, ...]:
    """Apply changes in order, inside a transaction that the caller holds.

    Returns:
        For each change the number that its row got (gaps and events), else None.

    Raises:
        sqlite3.Error: A change does not fit the schema, or the database failed; roll the transaction back.
    """
    return tuple(_apply(database, change) for change in changes)


def mark_first(database: Database, name: str, at: float) -> None:
    """Write when something happened first, inside a transaction that the caller holds; a time that is there stays."""
    database.tables.execute(
        "INSERT INTO marks (name, at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", (name, at)
    )


def _apply(database: Database, change: Change) -> int | None:
    execute = database.tables.execute
    match change:
        case PutSubscription(row):
            execute(_PUT_SUBSCRIPTION, record(row))
        case CloseSubscription(id=id_, at=at):
            execute(
                "UPDATE subscriptions SET state = ?, error = NULL, updated_at = ? WHERE id = ?",
                (CLOSED, at, id_),
            )
        case DeleteSubscription(id=id_):
            execute("DELETE FROM subscriptions WHERE id = ?", (id_,))
            execute("DELETE FROM metrics WHERE subscription_id = ?", (id_,))
            execute("DELETE FROM samples WHERE subscription_id = ?", (id_,))
        case PutMetrics(rows):
            _many(database, _PUT_METRICS, rows)
        case AddSamples(rows):
            _many(database, _ADD_SAMPLES, rows)
        case AddGap(row) | AddEvent(row):
            cursor = execute(_PUT_GAP if isinstance(row, GapRow) else _PUT_EVENT, record(row))
            return cursor.lastrowid if row.id is None else row.id
        case Mark(name, at):
            execute(_MARK, (name, at))
        case Unmark(name):
            execute("DELETE FROM marks WHERE name = ?", (name,))
        case _:
            assert_never(change)
    return None


def _many(database: Database, sql: str, rows: Sequence[Row]) -> None:
    # Lazily: between two rows SQLite lets go of the interpreter, so the loop's thread is not held up by a long list.
    database.tables.conn.executemany(sql, map(record, rows))


def _insert(row: type[Row], key: tuple[str, ...], *, adds: tuple[str, ...] = ()) -> str:
    """Return the statement that writes a row over the one of the same key; the columns in `adds` are added to it."""
    names = columns(row)
    marks = ", ".join("?" * len(names))
    rest = ", ".join(
        f"{name} = {f'{name} + ' if name in adds else ''}excluded.{name}" for name in names if name not in key
    )
    return (
        f"INSERT INTO {row.TABLE} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - names of our own classes
        f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {rest}"
    )


_PUT_SUBSCRIPTION = _insert(SubscriptionRow, ("id",))
_PUT_METRICS = _insert(MetricsRow, ("subscription_id",))
_ADD_SAMPLES = _insert(
    SampleRow, ("subscription_id", "resolution", "at"), adds=("messages", "bytes", "dropped")
)
_PUT_GAP = _insert(GapRow, ("id",))
_PUT_EVENT = _insert(EventRow, ("id",))
_MARK = "INSERT INTO marks (name, at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at"
