"""Faults: what an error says about the disk, and what is a bug."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wsmgr.manager.model.errors import StateDirectoryError
from wsmgr.manager.store.database import Database
from wsmgr.manager.store.errors import CorruptDatabaseError, DatabaseVersionError, MovedDatabaseError
from wsmgr.manager.store.faults import ADVICE, FaultKind, fault_of, is_damage

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = Path("/state/wsmgr.db")


def failing(database: sqlite3.Connection, *statements: str) -> sqlite3.Error:
    """Return the error of the last statement: SQLite's own, with its code."""
    for statement in statements[:-1]:
        database.execute(statement)
    with pytest.raises(sqlite3.Error) as caught:
        database.execute(statements[-1])
    return caught.value


def test_errors_of_sqlite_are_told_apart(tmp_path: Path) -> None:
    """Each by what SQLite itself raises, in a file."""
    path = tmp_path / "any.db"
    (tmp_path / "text.db").write_bytes(b"no database at all, just words " * 100)
    with (
        closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as one,
        closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other,
        closing(sqlite3.connect(tmp_path / "text.db")) as text,
    ):
        one.execute("CREATE TABLE a (b)")
        other.execute("BEGIN EXCLUSIVE")
        locked = failing(one, "INSERT INTO a VALUES (1)")
        other.execute("COMMIT")
        full = failing(one, "PRAGMA max_page_count = 1", "INSERT INTO a VALUES (zeroblob(100000))")
        read_only = failing(one, "PRAGMA query_only = 1", "INSERT INTO a VALUES (1)")
        damaged = failing(text, "SELECT * FROM sqlite_master")
        missing = failing(one, "SELECT * FROM missing")
    found = [fault_of(error) for error in (locked, full, read_only, damaged, missing)]
    kinds = [fault.kind if fault else None for fault in found]
    assert [
        FaultKind.LOCKED,
        FaultKind.FULL,
        FaultKind.READ_ONLY,
        FaultKind.DAMAGED,
        FaultKind.DAMAGED,
    ] == kinds
    assert [False, False, False, True, False] == [
        is_damage(error) for error in (locked, full, read_only, damaged, missing)
    ]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, FaultKind.FULL),
        (errno.EDQUOT, FaultKind.FULL),
        (errno.EROFS, FaultKind.READ_ONLY),
        (errno.EACCES, FaultKind.READ_ONLY),
        (errno.ENOENT, FaultKind.GONE),
        (errno.EIO, FaultKind.FAILING),
        (errno.EMFILE, FaultKind.FAILING),
    ],
)
def test_errors_of_the_system_are_told_apart(number: int, kind: FaultKind) -> None:
    """Also where they were explained to people on the way."""
    error = OSError(number, "the system's words")
    explained = StateDirectoryError("the store's words")
    explained.__cause__ = error
    found = [fault_of(error), fault_of(explained)]
    assert [kind, kind] == [fault.kind if fault else None for fault in found]


def test_errors_of_the_store_are_told_apart() -> None:
    """A file that is not the one that was opened, or is damaged."""
    moved, corrupt = MovedDatabaseError(FILE), CorruptDatabaseError(FILE, "a page is wrong")
    version = DatabaseVersionError(FILE, found=9, known=2)
    found = [fault_of(error) for error in (moved, corrupt, version, StateDirectoryError("anything else"))]
    kinds = [fault.kind if fault else None for fault in found]
    assert [FaultKind.GONE, FaultKind.DAMAGED, FaultKind.DAMAGED, FaultKind.FAILING] == kinds


def test_what_is_told_is_meant_for_whoever_runs_the_manager() -> None:
    """Where the file is, what is wrong, and what to do; not what a start would do."""
    fault = fault_of(CorruptDatabaseError(FILE, "a page is wrong"))
    assert fault is not None
    assert (
        "the database cannot be written (damaged: /state/wsmgr.db: a page is wrong);"
        " the file is moved aside and made anew; look at the disk that damaged it"
    ) == str(fault)
    assert set(FaultKind) == set(ADVICE)


@pytest.mark.parametrize(
    "bug",
    [
        lambda database: database.execute("SELECT ?", (1, 2)),
        lambda database: database.execute("SELECT ?", (object(),)),
        lambda _: (_ for _ in ()).throw(ValueError("not ours")),
    ],
)
def test_a_bug_is_no_fault(bug: Callable[[sqlite3.Connection], object]) -> None:
    """It crashes the writer: trying it again would be in vain."""
    with closing(Database.open(":memory:")) as database, pytest.raises(Exception, match=r".") as caught:
        bug(database.tables.conn)
    assert None is fault_of(caught.value)
