"""What the store raises.

::

    WsmgrError
    ├── StoreError                    a commit was not written: nothing of it is in the database
    └── StateDirectoryError
        ├── MissingDatabaseError      there is no database file
        ├── MovedDatabaseError        the database file was removed, emptied or replaced while it was open
        ├── CorruptDatabaseError      the file is not a database, or fails its integrity check
        └── DatabaseVersionError      the file was made by another version of wsmgr
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.actors.errors import RejectError
from wsmgr.manager.model.errors import StateDirectoryError, WsmgrError

if TYPE_CHECKING:
    from pathlib import Path


class StoreError(WsmgrError, RejectError):
    """A commit was not written; nothing of it is in the database, and nothing of it will be written later.

    The writer raises it to its callers and lives on. A question that could not be answered raises it too.
    """


class MissingDatabaseError(StateDirectoryError):
    """There is no database file where one was to be read.

    Args:
        path: Where it was looked for.
    """

    def __init__(self, path: Path) -> None:
        """Say where the database was looked for."""
        super().__init__(f"there is no database at {path}: no daemon has run with this state directory")
        self.path = path


class MovedDatabaseError(StateDirectoryError):
    """The database file that is open is no longer the one that stands under its name.

    Args:
        path: The file, or one of those that SQLite keeps beside it.
    """

    def __init__(self, path: Path) -> None:
        """Name the file."""
        super().__init__(f"{path} was removed, emptied or replaced while a manager had it open")
        self.path = path


class CorruptDatabaseError(StateDirectoryError):
    """The database file is damaged.

    Args:
        path: The file.
        finding: What is wrong with it, in SQLite's words.
    """

    def __init__(self, path: Path, finding: str) -> None:
        """Name the file and what is wrong with it."""
        super().__init__(
            f"the database {path} is damaged ({finding}); the daemon moves it aside when it starts"
            " and takes the subscriptions from desired.json"
        )
        self.path = path
        self.finding = finding


class DatabaseVersionError(StateDirectoryError):
    """The database file was made by another version of wsmgr; it was not changed.

    Args:
        path: The file.
        found: The number of its last migration.
        known: The number of the last migration that this version knows.
    """

    def __init__(self, path: Path, *, found: int, known: int) -> None:
        """Name both versions and what to do."""
        advice = (
            "use the wsmgr that wrote it, or a newer one"
            if found > known
            else "`wsmgr db migrate`, or a start of the daemon, migrates it after a copy"
        )
        super().__init__(f"the database {path} has version {found}, this wsmgr has {known}; {advice}")
        self.path = path
        self.found = found
        self.known = known
