"""Group commit: many callers' changes in one transaction, and the copy of the desired state after it.

The blocking half of the writer; it runs on one worker thread at a time and knows no loop. One `BEGIN IMMEDIATE` holds a
whole batch, so a thousand subscribes wait for the disk once. Each caller's changes lie in a savepoint of their own:
what the schema refuses is rolled back alone, and its caller is told.

`desired.json` follows the database, never leads: it is written after the transaction, and only when what it would hold
has changed. A crash between the two leaves an older copy beside a database that is whole, which wins.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from attrs import define, field, frozen

from wsmgr.manager.store.changes import (
    FLUSHED,
    Change,
    CloseSubscription,
    DeleteSubscription,
    PutSubscription,
    apply,
    mark,
)
from wsmgr.manager.store.database import Database
from wsmgr.manager.store.desired import DesiredSubscription, write_desired
from wsmgr.manager.store.errors import StoreError
from wsmgr.manager.store.queries import list_desired

if TYPE_CHECKING:
    from collections.abc import Sequence

_REFUSED = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    msgspec.MsgspecError,
    OverflowError,
    TypeError,
    ValueError,
)
"""What a value that does not fit raises, inside a transaction that is open."""
_PASSING_SQLITE = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL})
_PASSING_SYSTEM = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EAGAIN, errno.EINTR, errno.EMFILE, errno.ENFILE}
)


@frozen
class Commit:
    """Changes that are written together, in one transaction, or not at all.

    Attributes:
        changes: What to write, in order.
    """

    changes: tuple[Change, ...] = field(converter=tuple[Change, ...])


@frozen
class Read:
    """A question to the database, asked on the writer's thread; it sees all that was acknowledged.

    Attributes:
        query: Called with the database; what it returns is the answer. It must not write, and should be short.
    """

    query: Callable[[Database], Any]


Written = tuple[int | None, ...]
"""For each change of a commit the number that its row got (gaps and events), else None."""


@define
class Committer:
    """Writes batches of commits into a database and keeps the copy of the desired state beside it.

    Attributes:
        database: Open for writing; used by one thread at a time.
        copy: Where the copy is kept, or None for a state in memory.
        copy_due: Whether the database holds desired state that the copy does not.
    """

    database: Database
    copy: Path | None = None
    copy_due: bool = field(default=False, init=False)
    _desired: dict[str, DesiredSubscription] = field(factory=dict[str, DesiredSubscription], init=False)

    def connect(self) -> None:
        """Open the file anew and learn the desired state that it holds; the copy is due until it was written.

        Raises:
            StateDirectoryError: The file cannot be opened.
            sqlite3.Error: It cannot be read.
        """
        self.database.reconnect()
        self._desired = {row.id: DesiredSubscription.of(row) for row in list_desired(self.database)}
        self.copy_due = True

    def commit(self, commits: Sequence[Commit], now: float) -> list[Written | StoreError]:
        """Write a batch in one transaction.

        Args:
            commits: In order; each is written whole or not at all.
            now: The wall time: until now this process was alive.

        Returns:
            For each commit what was written, or why it was refused. All that was written is on the disk.

        Raises:
            sqlite3.Error: The database failed; nothing of the batch was written.
        """
        with self.database.transaction():
            results = [self._attempt(commit) for commit in commits]
            mark(self.database, FLUSHED, now)
        for commit, result in zip(commits, results, strict=True):
            if not isinstance(result, StoreError):
                self._follow(commit)
        return results

    def write_copy(self) -> None:
        """Write the copy of the desired state, if it is due, and wait until it is on the disk.

        Raises:
            OSError: It could not be written; the old one stands, and it is still due.
        """
        if self.copy_due and self.copy is not None:
            write_desired(self.copy, self._desired.values())
        self.copy_due = False

    def read(self, read: Read) -> object:
        """Answer a question.

        Raises:
            StoreError: It could not be answered.
        """
        try:
            return read.query(self.database)
        except Exception as error:
            raise StoreError(f"the database could not be read: {error}") from error

    def _attempt(self, commit: Commit) -> Written | StoreError:
        try:
            with self.database.tables.atomic():
                return apply(self.database, commit.changes)
        except _REFUSED as error:
            refusal = StoreError(
                f"the database refused a change: {error}; nothing of this commit was written"
            )
            refusal.__cause__ = error
            return refusal

    def _follow(self, commit: Commit) -> None:
        """Make the picture of the desired state follow a commit that is on the disk."""
        for change in commit.changes:
            match change:
                case PutSubscription(row) if row.desired:
                    wanted = DesiredSubscription.of(row)
                    self.copy_due |= self._desired.get(row.id) != wanted
                    self._desired[row.id] = wanted
                case PutSubscription(row):
                    self.copy_due |= self._desired.pop(row.id, None) is not None
                case CloseSubscription(id=id_) | DeleteSubscription(id=id_):
                    self.copy_due |= self._desired.pop(id_, None) is not None
                case _:
                    pass


def passes(error: BaseException) -> bool:
    """Whether an error is of the kind that goes away by itself: a lock, a full disk, too many open files."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING_SQLITE
    return isinstance(error, OSError) and error.errno in _PASSING_SYSTEM
