"""The database file: opened safely, written in immediate transactions, read beside a writer.

Before a file is opened for writing it is examined read-only: a file of a newer wsmgr, of another program, or a damaged
one is refused with not one byte of it changed. An older one is copied, then migrated. Files are in WAL mode with
`synchronous=FULL`: a commit that returned is on the disk, and readers never wait for the writer.

A `Database` belongs to one thread at a time. sqlite-utils' own `atomic()` begins deferred and can lose the race for the
write lock halfway, so the outermost transaction is always `transaction()`; `atomic()` inside it is a savepoint.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from attrs import define, field

from wsmgr.manager.model.errors import StateDirectoryError
from wsmgr.manager.store import schema
from wsmgr.manager.store.aside import stamped
from wsmgr.manager.store.errors import (
    CorruptDatabaseError,
    DatabaseVersionError,
    MissingDatabaseError,
    MovedDatabaseError,
)
from wsmgr.manager.store.sql import MEMORY, Tables, open_tables

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

Identity = tuple[int, int]
"""What a file is, whatever its name: its device and its inode."""
JOURNAL_SIZE_LIMIT = 64 * 1024 * 1024
"""Bytes to which the write-ahead log is cut back after a checkpoint."""
_READ_WANTED = "SELECT total(length(params)) FROM subscriptions NOT INDEXED"
"""Reads every page that holds what must be made live again."""
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


@define
class Database:
    """A database that this process may use; made by `Database.open` and `Database.read_only`.

    Attributes:
        path: The file, or None in memory.
        tables: The database as sqlite-utils knows it.
        migrated: The numbers of the migrations that opening it applied.
        copied_to: Where the file was copied to before that, or None.
    """

    path: Path | None
    tables: Tables
    migrated: tuple[int, ...] = field(default=(), kw_only=True)
    copied_to: Path | None = field(default=None, kw_only=True)
    _files: dict[Path, Identity] = field(factory=dict[Path, Identity], init=False)

    @classmethod
    def open(cls, path: str | Path, *, now: float | None = None) -> Database:
        """Open a database for writing; a missing file (or `":memory:"`) is made.

        Args:
            path: The file, or `":memory:"`.
            now: The wall time for the name of the copy that is made before a migration.

        Raises:
            CorruptDatabaseError: The file is damaged. Not a byte of it was changed.
            DatabaseVersionError: A newer wsmgr wrote it. Not a byte of it was changed.
            StateDirectoryError: It is another program's, or cannot be opened.
        """
        if path == MEMORY:
            tables = _connect(MEMORY)
            return cls(None, tables, migrated=schema.migrate(tables))
        path = Path(path)
        version = examine(path)
        with _explained(path):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            tables = _connect(path.absolute().as_uri() + "?mode=rw")
            with _closed_on_error(tables):
                copied_to = None
                if 0 < version < schema.VERSION:
                    copied_to = stamped(path, f"before-{schema.VERSION}", time() if now is None else now)
                    copy_database(tables, copied_to)
                return cls(path, tables, migrated=schema.migrate(tables), copied_to=copied_to)

    @classmethod
    def read_only(cls, path: str | Path) -> Database:
        """Open a database for reading, whether a daemon is writing it, has ended or was killed.

        Each query sees what was committed before it began.

        Raises:
            MissingDatabaseError: There is no such file, or nothing in it yet.
            CorruptDatabaseError: The file is damaged.
            DatabaseVersionError: Another version of wsmgr wrote it.
            StateDirectoryError: It is another program's, or cannot be opened.
        """
        path = Path(path)
        with _explained(path):
            tables = _look(path, "mode=ro")
            with _closed_on_error(tables):
                _require_current(path, tables)
            return cls(path, tables)

    @classmethod
    def inspect(cls, path: str | Path) -> Database:
        """Open a database of any version for reading, without a file more beside it than there was.

        Raises:
            MissingDatabaseError: There is no such file, or nothing in it.
            CorruptDatabaseError: The file is damaged.
            StateDirectoryError: It is another program's, or cannot be opened.
        """
        path = Path(path)
        with _explained(path):
            if not path.exists() or path.stat().st_size == 0:
                raise MissingDatabaseError(path)
            tables = _look(path, _way_to_look(path))
            with _closed_on_error(tables):
                _version(path, tables)
            return cls(path, tables)

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Hold the write lock: all that is written inside is on the disk afterwards, or none of it after an error.

        Raises:
            sqlite3.OperationalError: Another process holds the lock, or the disk is full.
        """
        self.tables.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.tables.execute("COMMIT")
        except BaseException:
            self.tables.rollback()
            raise

    def reconnect(self) -> None:
        """Open the file anew, after an error that the connection may not have survived.

        A database in memory is its connection, so it is left as it is.

        Raises:
            MovedDatabaseError: The file is no longer there; the old connection is still open.
            StateDirectoryError: It cannot be opened; so it is then.
        """
        if self.path is None:
            return
        if not self.path.exists():
            raise MovedDatabaseError(self.path)
        with _explained(self.path):
            tables = _connect(self.path.absolute().as_uri() + "?mode=rw")
            self.tables.close()
            self.tables = tables
            self._files = dict(_identities(self.path))

    def check_in_place(self) -> None:
        """See that the files that are open still stand under their names: a removed one goes on being written in vain.

        Raises:
            MovedDatabaseError: One was removed or replaced; or none is open, and the file is not there.
        """
        if self.path is None:
            return
        found = dict(_identities(self.path))
        if self.path not in {*self._files, *found}:
            raise MovedDatabaseError(self.path)
        for path, identity in self._files.items():
            if found.get(path) != identity:
                raise MovedDatabaseError(path)
        self._files = found

    def check_readable(self) -> None:
        """See that another process can read the file: this one may know by heart what was overwritten on the disk.

        Raises:
            MovedDatabaseError: The file is empty.
            CorruptDatabaseError: It is damaged.
            StateDirectoryError: It cannot be read.
        """
        if self.path is None:
            return
        # SQLite removes the log of an empty file that it opens, and with it what may be the rest of the database.
        if self.path.stat().st_size == 0:
            raise MovedDatabaseError(self.path)
        reader = Database.read_only(self.path)
        try:
            with _explained(self.path):
                reader.tables.execute(_READ_WANTED).fetchone()
        finally:
            reader.close()

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self.tables.close()


def copy_database(tables: Tables, target: Path) -> None:
    """Copy a database, with what is still in its write-ahead log, and wait until the copy is on the disk.

    Args:
        tables: The database; others may be writing it.
        target: A file that is not there yet; it will be its owner's alone.

    Raises:
        FileExistsError: The file is there.
        sqlite3.Error: The database cannot be read, or the copy cannot be written.
        OSError: The file cannot be made.
    """
    os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    copy = sqlite3.connect(target)
    try:
        tables.conn.backup(copy)
    finally:
        copy.close()


def examine(path: Path) -> int:
    """Return the version of a file without changing it, after checking the whole of it.

    Nobody may be writing it: the caller holds the state directory's lock, where there is one.

    Returns:
        The number of its last migration; 0 where there is no file, or nothing in it.

    Raises:
        CorruptDatabaseError: It is not a database, or its integrity check fails.
        DatabaseVersionError: A newer wsmgr wrote it.
        StateDirectoryError: It is another program's, or cannot be read.
    """
    with _explained(path):
        if not path.exists() or path.stat().st_size == 0:
            return 0
        tables = _look(path, _way_to_look(path))
        try:
            version = _version(path, tables)
            if version > schema.VERSION:
                raise DatabaseVersionError(path, found=version, known=schema.VERSION)
            finding = tables.execute("PRAGMA quick_check(1)").fetchone()[0]
            if finding != "ok":
                raise CorruptDatabaseError(path, finding)
            missing = schema.TABLES - set(tables.table_names()) if version == schema.VERSION else ()
            if missing:
                raise CorruptDatabaseError(path, f"it has no table {', '.join(sorted(missing))}")
        finally:
            tables.close()
    return version


def _require_current(path: Path, tables: Tables) -> None:
    version = _version(path, tables)
    if version == 0:
        raise MissingDatabaseError(path)
    if version != schema.VERSION:
        raise DatabaseVersionError(path, found=version, known=schema.VERSION)


def _version(path: Path, tables: Tables) -> int:
    application = tables.execute("PRAGMA application_id").fetchone()[0]
    version = schema.version_of(tables)
    if application == schema.APPLICATION_ID:
        return version
    if application == 0 and version == 0 and not tables.table_names():
        return 0
    raise StateDirectoryError(
        f"{path} is another program's database (application id {application}, version {version});"
        " choose another state directory with --state-dir"
    )


def _connect(uri: str) -> Tables:
    tables = open_tables(uri)
    with _closed_on_error(tables):
        tables.enable_wal()
        tables.execute("PRAGMA synchronous = FULL")
        tables.execute(f"PRAGMA journal_size_limit = {JOURNAL_SIZE_LIMIT}")
    return tables


def _way_to_look(path: Path) -> str:
    """Return how to see all of a file and change nothing."""
    if path.with_name(path.name + "-journal").exists():
        # A crash while the file was made: SQLite has to take back the half of a transaction first.
        return "mode=rw"
    # Without a log nothing is hidden from a look at the file alone, which adds no file beside it.
    return "mode=ro" if path.with_name(path.name + "-wal").exists() else "immutable=1"


def _look(path: Path, how: str) -> Tables:
    if not path.exists():
        raise MissingDatabaseError(path)
    return open_tables(f"{path.absolute().as_uri()}?{how}")


@contextmanager
def _closed_on_error(tables: Tables) -> Generator[None]:
    try:
        yield
    except BaseException:
        tables.close()
        raise


def _identities(path: Path) -> Iterator[tuple[Path, Identity]]:
    for end in ("", "-wal", "-shm"):
        file = path.with_name(path.name + end)
        with suppress(FileNotFoundError, NotADirectoryError):
            found = file.stat()
            yield file, (found.st_dev, found.st_ino)


@contextmanager
def _explained(path: Path) -> Generator[None]:
    """Turn errors of SQLite and of the system into ours: which file, what was found, what to do."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGED:
            raise CorruptDatabaseError(path, str(error)) from error
        raise StateDirectoryError(
            f"the database {path} cannot be opened: {error}; check that the disk is well and has space, that you may"
            " read and write the directory, and that no other program holds the file"
        ) from error
