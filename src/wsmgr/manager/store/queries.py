"""Queries: what can be read, as rows.

They work on any `Database`, also on one opened with `Database.read_only` while a daemon writes. Lists that grow for
ever (gaps, events) come newest first and in pages: `before` is the number of the last row of the page before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsmgr.manager.store.changes import DIAL, FLUSHED, RETRY_AFTER, RETRY_SAID, SILENT
from wsmgr.manager.store.rows import (
    CLOSED,
    EventRow,
    GapRow,
    MetricsRow,
    Resolution,
    SampleRow,
    SubscriptionRow,
    from_record,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wsmgr.manager.store.database import Database
    from wsmgr.manager.store.rows import RowT
    from wsmgr.manager.store.stays import Stay

PAGE = 250
"""How many rows a page holds at most."""


def list_subscriptions(
    database: Database,
    *,
    user: str | None = None,
    venue: str | None = None,
    type_name: str | None = None,
    state: str | None = None,
) -> list[SubscriptionRow]:
    """Return the subscriptions that pass every filter given, in the order in which they were asked for.

    Args:
        database: Where to look.
        user: The `user` among their parameters, in either case.
        venue: Their venue's name.
        type_name: Their type's name.
        state: Their state's name. Without it those that were ended are left out; `closed` returns only them.
    """
    where, values = _where(
        ("lower(json_extract(params, '$.user')) = lower(?)", user),
        ("venue = ?", venue),
        ("type = ?", type_name),
        ("state = ?", state),
        ("state != ?", CLOSED if state is None else None),
    )
    return _rows(database, SubscriptionRow, where, values, order_by="subscribed_at, id")


def get_subscription(database: Database, id_: str) -> SubscriptionRow | None:
    """Return one subscription, also one that was ended, or None where there is none of this id."""
    found = _rows(database, SubscriptionRow, "id = ?", (id_,), order_by="id")
    return found[0] if found else None


def list_desired(database: Database) -> list[SubscriptionRow]:
    """Return what must be made live again after a start: kept subscriptions that nobody ended."""
    return _rows(
        database, SubscriptionRow, "kept = 1 AND state != ?", (CLOSED,), order_by="subscribed_at, id"
    )


def list_metrics(database: Database) -> list[tuple[SubscriptionRow, MetricsRow]]:
    """Return every subscription that was not ended, with its counters (all 0 where none were written yet)."""
    return _with_metrics(database, list_subscriptions(database))


def get_metrics(database: Database, id_: str) -> tuple[SubscriptionRow, MetricsRow] | None:
    """Return one subscription with its counters, also one that was ended, or None where there is none of this id."""
    row = get_subscription(database, id_)
    return None if row is None else _with_metrics(database, [row])[0]


def list_samples(
    database: Database,
    subscription_id: str,
    resolution: Resolution,
    *,
    since: float,
    until: float | None = None,
) -> list[SampleRow]:
    """Return a subscription's samples whose interval begins at `since` or later and before `until`, oldest first."""
    where, values = _where(
        ("subscription_id = ?", subscription_id),
        ("resolution = ?", resolution.value),
        ("at >= ?", since),
        ("at < ?", until),
    )
    return _rows(database, SampleRow, where, values, order_by="at")


def list_gaps(
    database: Database,
    *,
    subscription_id: str | None = None,
    open_only: bool = False,
    before: int | None = None,
    limit: int | None = PAGE,
) -> list[GapRow]:
    """Return gaps, newest first.

    Args:
        database: Where to look.
        subscription_id: Only those of this subscription.
        open_only: Only those that have not ended.
        before: Only those with a smaller number.
        limit: How many at most; None for all.
    """
    where, values = _where(("subscription_id = ?", subscription_id), ("id < ?", before))
    if open_only:
        where += " AND ended_at IS NULL"
    return _rows(database, GapRow, where, values, order_by="id DESC", limit=limit)


def list_events(
    database: Database,
    *,
    subscription_id: str | None = None,
    stays: Sequence[Stay] | None = None,
    kind: str | None = None,
    before: int | None = None,
    limit: int | None = PAGE,
) -> list[EventRow]:
    """Return events, newest first.

    Args:
        database: Where to look.
        subscription_id: Only those about this subscription.
        stays: Only those of these connections, in these times, about no subscription in particular; None for all.
        kind: Only those of this kind.
        before: Only those with a smaller number.
        limit: How many at most; None for all.
    """
    where, values = _where(("subscription_id = ?", subscription_id), ("kind = ?", kind), ("id < ?", before))
    if stays is not None:
        one = "(connection = ? AND at BETWEEN ? AND ?)"
        where += f" AND subscription_id IS NULL AND ({' OR '.join([one] * len(stays)) or '0'})"
        values += tuple(value for stay in stays for value in (stay.connection, stay.since, stay.until))
    return _rows(database, EventRow, where, values, order_by="id DESC", limit=limit)


def last_gap_id(database: Database) -> int:
    """Return the highest number that a gap ever had here; a caller that numbers gaps itself goes on after it."""
    return _last_id(database, GapRow.TABLE)


def last_event_id(database: Database) -> int:
    """Return the highest number that an event ever had here; a caller that numbers events itself goes on after it."""
    return _last_id(database, EventRow.TABLE)


def flushed_at(database: Database) -> float | None:
    """Return when the process that wrote the database was last known to be alive (unix seconds), or None.

    What is read is complete until then. Every stream was heard until then, except those of `silent_since`.
    """
    row = database.tables.execute("SELECT at FROM marks WHERE name = ?", (FLUSHED,)).fetchone()
    return None if row is None else float(row[0])


def silent_since(database: Database) -> dict[str, float]:
    """Return the streams that had not been heard until `flushed_at`: when each was heard last, by subscription."""
    rows = database.tables.execute("SELECT name, at FROM marks WHERE name GLOB ?", (f"{SILENT}*",))
    return {name.removeprefix(SILENT): float(at) for name, at in rows}


def dial_marks(database: Database) -> dict[str, float]:
    """Return what is known of dials: the marks that begin with `DIAL`, `RETRY_AFTER` and `RETRY_SAID`, in unix seconds by name."""
    rows = database.tables.execute(
        "SELECT name, at FROM marks WHERE name GLOB ? OR name GLOB ? OR name GLOB ?",
        (f"{DIAL}*", f"{RETRY_AFTER}*", f"{RETRY_SAID}*"),
    )
    return {name: float(at) for name, at in rows}


def _with_metrics(
    database: Database, subscriptions: list[SubscriptionRow]
) -> list[tuple[SubscriptionRow, MetricsRow]]:
    one = len(subscriptions) == 1
    where, values = ("subscription_id = ?", (subscriptions[0].id,)) if one else ("1", ())
    found = {
        row.subscription_id: row
        for row in _rows(database, MetricsRow, where, values, order_by="subscription_id")
    }
    return [(row, found.get(row.id) or MetricsRow(subscription_id=row.id)) for row in subscriptions]


def _last_id(database: Database, table: str) -> int:
    row = database.tables.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return 0 if row is None else int(row[0])


def _where(*filters: tuple[str, Any]) -> tuple[str, tuple[Any, ...]]:
    """Join the filters that have a value; `1` is always true."""
    given = [(clause, value) for clause, value in filters if value is not None]
    return " AND ".join(["1", *(clause for clause, _ in given)]), tuple(value for _, value in given)


def _rows(
    database: Database,
    row: type[RowT],
    where: str,
    values: tuple[Any, ...],
    *,
    order_by: str,
    limit: int | None = None,
) -> list[RowT]:
    found: list[Mapping[str, Any]] = list(
        database.tables.table(row.TABLE).rows_where(where, values, order_by=order_by, limit=limit)
    )
    return [from_record(row, values) for values in found]
