"""Faults: what can be wrong with the disk under a database, told from an error.

A fault is nobody's bug: the writer goes on in memory and tries until the disk is well again. What is no fault (a wrong
statement, a value of the wrong type) is a bug, and crashes the writer.
"""

from __future__ import annotations

import errno
import sqlite3
from enum import Enum
from typing import TYPE_CHECKING, Final

from attrs import frozen

from wsmgr.manager.model.errors import StateDirectoryError
from wsmgr.manager.store.errors import (
    CorruptDatabaseError,
    DatabaseVersionError,
    MissingDatabaseError,
    MovedDatabaseError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


class FaultKind(Enum):
    """What is wrong with the disk."""

    LOCKED = "locked"
    """Another program holds the database's lock."""
    FULL = "full"
    """There is no space left, or the user's share of it is used up."""
    READ_ONLY = "read-only"
    """It may be read and not written."""
    DAMAGED = "damaged"
    """What the file holds is not a whole database of this version."""
    GONE = "gone"
    """The file, or its directory, was removed or replaced."""
    FAILING = "failing"
    """The system says that reading or writing failed."""


ADVICE: Final[Mapping[FaultKind, str]] = {
    FaultKind.LOCKED: "end the program that holds wsmgr.db; `fuser wsmgr.db` names it",
    FaultKind.FULL: "make space on the disk of the state directory",
    FaultKind.READ_ONLY: "make the state directory writable again: look at its mount, its mode and its owner",
    FaultKind.DAMAGED: "the file is moved aside and made anew; look at the disk that damaged it",
    FaultKind.GONE: "the file is made anew; find out who removes files of a running manager",
    FaultKind.FAILING: "look at the disk of the state directory, and at the system's log",
}
"""What to do about each."""
PASSES: Final = frozenset({FaultKind.LOCKED, FaultKind.FULL})
"""After these the connection to the database is as good as before."""

_SQLITE: Final[Mapping[int, FaultKind]] = {
    sqlite3.SQLITE_BUSY: FaultKind.LOCKED,
    sqlite3.SQLITE_LOCKED: FaultKind.LOCKED,
    sqlite3.SQLITE_FULL: FaultKind.FULL,
    sqlite3.SQLITE_READONLY: FaultKind.READ_ONLY,
    sqlite3.SQLITE_PERM: FaultKind.READ_ONLY,
    sqlite3.SQLITE_CORRUPT: FaultKind.DAMAGED,
    sqlite3.SQLITE_NOTADB: FaultKind.DAMAGED,
    # A table or a column that is not there: our statements are tested, so the file is not as the migrations made it.
    sqlite3.SQLITE_ERROR: FaultKind.DAMAGED,
    sqlite3.SQLITE_SCHEMA: FaultKind.DAMAGED,
    sqlite3.SQLITE_IOERR: FaultKind.FAILING,
    sqlite3.SQLITE_CANTOPEN: FaultKind.FAILING,
    sqlite3.SQLITE_PROTOCOL: FaultKind.FAILING,
    sqlite3.SQLITE_NOMEM: FaultKind.FAILING,
}
_SYSTEM: Final[Mapping[int, FaultKind]] = {
    errno.ENOSPC: FaultKind.FULL,
    errno.EDQUOT: FaultKind.FULL,
    errno.EROFS: FaultKind.READ_ONLY,
    errno.EACCES: FaultKind.READ_ONLY,
    errno.EPERM: FaultKind.READ_ONLY,
    errno.ENOENT: FaultKind.GONE,
    errno.ENOTDIR: FaultKind.GONE,
    errno.ESTALE: FaultKind.GONE,
}


@frozen
class Fault:
    """Something is wrong with the disk.

    Attributes:
        kind: What.
        why: The error, in words.
    """

    kind: FaultKind
    why: str

    @property
    def advice(self) -> str:
        """What to do about it."""
        return ADVICE[self.kind]

    def __str__(self) -> str:
        return f"the database cannot be written ({self.kind.value}: {self.why}); {self.advice}"


def fault_of(error: BaseException) -> Fault | None:
    """Return what an error says about the disk, or None where it is a bug."""
    kind = _kind_of(error)
    return None if kind is None else Fault(kind, words_of(error))


def words_of(error: BaseException) -> str:
    """Return what an error says about the disk, in words for somebody whose manager is running."""
    return f"{error.path}: {error.finding}" if isinstance(error, CorruptDatabaseError) else str(error)


def is_damage(error: BaseException) -> bool:
    """Whether an error says that what the file holds is damaged, whatever was asked of it."""
    damage = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", -1) & 0xFF in damage


def _kind_of(error: BaseException) -> FaultKind | None:
    match error:
        case CorruptDatabaseError() | DatabaseVersionError():
            return FaultKind.DAMAGED
        case MovedDatabaseError() | MissingDatabaseError():
            return FaultKind.GONE
        case StateDirectoryError():
            return FaultKind.FAILING if error.__cause__ is None else _kind_of(error.__cause__)
        case sqlite3.Error():
            # The lowest byte is the kind of error; the rest says more about it.
            return _SQLITE.get(getattr(error, "sqlite_errorcode", -1) & 0xFF)
        case OSError():
            return _SYSTEM.get(error.errno or 0, FaultKind.FAILING)
        case _:
            return None
