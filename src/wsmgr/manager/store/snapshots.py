"""Snapshots: a copy of the database in one file, taken beside a daemon that goes on writing.

It is consistent: as the database was at one moment. It is one file with nothing beside it, so that it can be moved, and put
in the place of `wsmgr.db` while no daemon runs.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from wsmgr.manager.model.errors import StateDirectoryError
from wsmgr.manager.store.aside import SIDE_FILES, sync_directory
from wsmgr.manager.store.database import Database, copy_database, examine

if TYPE_CHECKING:
    from pathlib import Path


def take_snapshot(path: Path, target: Path, *, overwrite: bool = False) -> int:
    """Copy a database into a file of its owner alone, and wait until it is on the disk.

    Args:
        path: The database; a daemon may be writing it.
        target: The file to be made.
        overwrite: Whether a file that stands there may be replaced.

    Returns:
        How large it is, in bytes.

    Raises:
        MissingDatabaseError: There is no database, or nothing in it.
        CorruptDatabaseError: It is damaged; the target is as it was.
        StateDirectoryError: The target stands there already, is the database itself, or cannot be written.
    """
    if target.exists() and (target.samefile(path) or not overwrite):
        what = "the database itself" if target.samefile(path) else "there already"
        raise StateDirectoryError(f"{target} is {what}; name another file, or say --force to replace one")
    new = target.with_name(f"{target.name}.{os.getpid()}.new")
    database = Database.inspect(path)
    try:
        copy_database(database.tables, new)
        with closing(sqlite3.connect(new)) as copy:
            # The database itself has a log beside it; a snapshot is one file.
            copy.execute("PRAGMA journal_mode = DELETE")
        examine(new)
        _put(new, target, overwrite=overwrite)
    except (sqlite3.Error, OSError) as error:
        raise StateDirectoryError(f"the snapshot {target} cannot be written: {error}") from error
    finally:
        database.close()
        for end in ("", *SIDE_FILES):
            new.with_name(new.name + end).unlink(missing_ok=True)
    sync_directory(target.parent)
    return target.stat().st_size


def _put(new: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        new.replace(target)
    else:
        # Unlike renaming, this fails where somebody has made the file meanwhile.
        target.hardlink_to(new)
