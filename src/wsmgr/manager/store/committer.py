"""Group commit: many callers' changes in one transaction, and the copy of the desired state after it.

The blocking half of the writer; it runs on one worker thread at a time and knows no loop. One `BEGIN IMMEDIATE` holds a
whole batch, so a thousand subscribes wait for the disk once. Each caller's changes lie in a savepoint of their own:
what the schema refuses is rolled back alone, and its caller is told.

`desired.json` follows the database, never leads: it is written after the transaction, and only when what it would hold
has changed, or when somebody else changed the file. A crash between the two leaves an older copy beside a database that is
whole, which wins.

What must be made live again is known here as well: exactly what was acknowledged. A database that is damaged or gone is
made anew from it (`mend`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from attrs import define, field, frozen

from wsmgr.manager.model.errors import StateDirectoryError
from wsmgr.manager.store.changes import (
    FLUSHED,
    Change,
    CloseSubscription,
    DeleteSubscription,
    PutSubscription,
    apply,
    mark_first,
)
from wsmgr.manager.store.database import Database, examine
from wsmgr.manager.store.desired import DesiredSubscription, read_desired, write_desired
from wsmgr.manager.store.errors import (
    CorruptDatabaseError,
    DatabaseVersionError,
    MovedDatabaseError,
    StoreError,
)
from wsmgr.manager.store.faults import FaultKind, words_of
from wsmgr.manager.store.queries import list_desired
from wsmgr.manager.store.rebuilding import Rebuilt, rebuild
from wsmgr.manager.store.state_directory import StateDirectory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wsmgr.manager.store.faults import Fault

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
        complete: Called on the loop with what the query returned, or with None where the database could not be read;
            what it returns is the answer then. Without it, a question that cannot be answered is refused.
    """

    query: Callable[[Database], Any]
    complete: Callable[[Any], Any] | None = None


Written = tuple[int | None, ...]
"""For each change of a commit the number that its row got (gaps and events), else None."""


@define
class Committer:
    """Writes batches of commits into a database and keeps the copy of the desired state beside it.

    Attributes:
        database: Open for writing; used by one thread at a time.
        directory: The state directory that it is in, or None for a state in memory.
        remembered: Returns what must be made live again where neither the database nor the copy can say it.
        copy_due: Whether the database holds desired state that the copy does not.
    """

    database: Database
    directory: StateDirectory | None = None
    remembered: Callable[[], Iterable[DesiredSubscription]] = tuple
    copy_due: bool = field(default=False, init=False)
    _desired: dict[str, DesiredSubscription] | None = field(default=None, init=False)
    _copy: tuple[int, int, int] | None = field(default=None, init=False)

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
            now: The wall time: until now this process was alive. A database that has no mark of it gets one; later ones come
                with what the source gives, because they are true only of one moment with the rest of it.

        Returns:
            For each commit what was written, or why it was refused. All that was written is on the disk.

        Raises:
            sqlite3.Error: The database failed; nothing of the batch was written.
            MovedDatabaseError: Nor where the file was removed or replaced.
        """
        with self.database.transaction():
            results = [self._attempt(commit) for commit in commits]
            mark_first(self.database, FLUSHED, now)
            self.database.check_in_place()
        for commit, result in zip(commits, results, strict=True):
            if not isinstance(result, StoreError):
                self._follow(commit)
        return results

    def write_copy(self, now: float) -> None:
        """Write the copy of the desired state, if it is due, and wait until it is on the disk; and the marker beside it.

        Args:
            now: The wall time.

        Raises:
            OSError: It could not be written; the old one stands, and it is still due.
        """
        if self.copy_due and self.directory is not None:
            write_desired(self.directory.desired, self._wanted().values())
            self._copy = _identity(self.directory.desired)
            self.directory.write_marker(now)
        self.copy_due = False

    def read(self, read: Read) -> object:
        """Answer a question.

        Raises:
            Exception: Whatever the query raises.
        """
        return read.query(self.database)

    def look(self) -> None:
        """See that what others would read is there and whole: the database, its copy, the marker.

        A copy that is not as it was written is due again.

        Raises:
            MovedDatabaseError: The database was removed or replaced.
            CorruptDatabaseError: It is damaged.
            StateDirectoryError: It cannot be read.
        """
        self.database.check_in_place()
        self.database.check_readable()
        if self.directory is not None:
            as_written = _identity(self.directory.desired) == self._copy and self.directory.marker.exists()
            self.copy_due |= not as_written

    def mend(self, fault: Fault, now: float) -> Rebuilt | None:
        """Make the database usable again after a fault that does not pass by itself.

        Args:
            fault: What was wrong.
            now: The wall time.

        Returns:
            How it was made anew, where that had to be; None where it was opened anew.

        Raises:
            sqlite3.Error: It could not be mended; nothing was changed.
            StateDirectoryError: It could not be opened.
            OSError: Nor its directory be written.
        """
        path = self.database.path
        if path is None:
            return None
        wanted = self._wanted()
        try:
            self.database.check_in_place()
            if fault.kind in {FaultKind.DAMAGED, FaultKind.GONE}:
                _require_whole(path)
            self.database.reconnect()
        except MovedDatabaseError as error:
            word, why = "replaced", words_of(error)
        except (CorruptDatabaseError, DatabaseVersionError) as error:
            word, why = "damaged", words_of(error)
        else:
            return None
        rebuilt = rebuild(path, wanted.values(), why=why, word=word, now=now, old=self.database.tables)
        self.database.reconnect()
        self.copy_due = True
        return rebuilt

    def _wanted(self) -> dict[str, DesiredSubscription]:
        """Return what must be made live again: what was acknowledged, learnt where it can still be read."""
        if self._desired is None:
            self._desired = {one.id: one for one in self._learnt()}
            self.copy_due = True
        return self._desired

    def _learnt(self) -> Iterable[DesiredSubscription]:
        try:
            return [DesiredSubscription.of(row) for row in list_desired(self.database)]
        except sqlite3.Error:
            copy = None if self.directory is None else self.directory.desired
        try:
            found = None if copy is None else read_desired(copy)
        except StateDirectoryError:
            found = None
        return self.remembered() if found is None else found

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
        desired = self._wanted()
        for change in commit.changes:
            match change:
                case PutSubscription(row) if row.desired:
                    wanted = DesiredSubscription.of(row)
                    self.copy_due |= desired.get(row.id) != wanted
                    desired[row.id] = wanted
                case PutSubscription(row):
                    self.copy_due |= desired.pop(row.id, None) is not None
                case CloseSubscription(id=id_) | DeleteSubscription(id=id_):
                    self.copy_due |= desired.pop(id_, None) is not None
                case _:
                    pass


def _require_whole(path: Path) -> None:
    if examine(path) == 0:
        raise MovedDatabaseError(path)


def _identity(path: Path) -> tuple[int, int, int] | None:
    """Return what tells a file from one that somebody else wrote there, or None where there is none."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
