"""sqlite-utils as the store uses it, fully typed.

sqlite-utils leaves the types of parameters open. These protocols say what the store calls and what it gives, so that
the rest of the store is checked strictly; `open_tables` is the one place that makes a connection.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any, Protocol, cast

import sqlite_utils

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

MEMORY = ":memory:"
BUSY_TIMEOUT = 1.0
"""Seconds that a statement waits for another process' lock before it fails with `database is locked`."""


class Table(Protocol):
    """One table, for reading."""

    def rows_where(
        self, where: str, where_args: Sequence[Any], *, order_by: str, limit: int | None
    ) -> Iterator[dict[str, Any]]:
        """Return the rows that match."""
        ...


class Tables(Protocol):
    """A database as sqlite-utils wraps it."""

    conn: sqlite3.Connection

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> sqlite3.Cursor:
        """Run one statement; outside a transaction it is committed at once."""
        ...

    def executescript(self, sql: str) -> sqlite3.Cursor:
        """Run several statements, inside the transaction that is open."""
        ...

    def atomic(self) -> AbstractContextManager[object]:
        """Inside a transaction: a savepoint, which an error rolls back to."""
        ...

    def table(self, table_name: str) -> Table:
        """Return a table."""
        ...

    def table_names(self) -> list[str]:
        """Return the names of the tables."""
        ...

    def enable_wal(self) -> None:
        """Switch the file to a write-ahead log."""
        ...

    def commit(self) -> None:
        """Commit the open transaction, if any."""
        ...

    def rollback(self) -> None:
        """Roll the open transaction back, if any."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


def open_tables(uri: str) -> Tables:
    """Connect to a database by its URI, or to a new one in memory (`":memory:"`).

    Which thread uses the connection is its owner's affair; it must be one at a time. Neither plug-ins of sqlite-utils
    nor recursive triggers are loaded: the file is as the migrations make it.
    """
    connection = sqlite3.connect(uri, uri=uri != MEMORY, timeout=BUSY_TIMEOUT, check_same_thread=False)
    return cast("Tables", sqlite_utils.Database(connection, recursive_triggers=False, execute_plugins=False))
