"""Rebuilding: a new database in the place of one that cannot be used.

It is made whole under another name first, with everything in it that must be made live again, and then renamed: a crash at
any point leaves `desired.json` to be read again, never a database that is whole and empty. What stood in its place is
moved aside, and nothing is deleted.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from attrs import frozen

from wsmgr.manager.model.errors import StateDirectoryError
from wsmgr.manager.store import schema
from wsmgr.manager.store.aside import SIDE_FILES, move_aside, sync_directory
from wsmgr.manager.store.changes import Change, CloseSubscription, PutSubscription, apply
from wsmgr.manager.store.database import Database, copy_database, examine
from wsmgr.manager.store.faults import FaultKind, fault_of
from wsmgr.manager.store.queries import list_desired

if TYPE_CHECKING:
    from collections.abc import Collection

    from wsmgr.manager.store.desired import DesiredSubscription
    from wsmgr.manager.store.sql import Tables


@frozen(kw_only=True)
class Rebuilt:
    """How a database was made anew.

    Attributes:
        why: Why the old one could not be used, in words.
        history_kept: Whether counters and history could be copied from the old one.
        moved_aside: Where the old one is now, or None where none stood there.
    """

    why: str
    history_kept: bool
    moved_aside: Path | None


def rebuild(
    path: Path,
    wanted: Collection[DesiredSubscription],
    *,
    why: str,
    word: str,
    now: float,
    old: Tables | None = None,
) -> Rebuilt:
    """Put a new database in the place of one that cannot be used.

    Args:
        path: The database. Its directory is made where it is gone, the directory above it is not.
        wanted: What must be made live again: the new database holds these and no other kept subscription.
        why: Why the old one cannot be used, in words.
        word: The same in one word, for the name under which the old one stays.
        now: The wall time.
        old: A connection to the old one that is still open, also where its file has no name any more, or None. It is
            copied where it is whole.

    Raises:
        sqlite3.Error: The new one could not be written; the old one stands where it stood.
        StateDirectoryError: It could not be opened.
        OSError: It could not be made or renamed.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    new = path.with_name(path.name + ".new")
    kept = old is not None and _copied(old, new)
    if not kept:
        _remove(new)
    database = Database.open(new)
    try:
        with database.transaction():
            apply(database, _differences(database, wanted, now))
    finally:
        database.close()
    moved = move_aside(path, word, now)
    new.rename(path)
    sync_directory(path.parent)
    return Rebuilt(why=why, history_kept=kept, moved_aside=moved)


def _differences(database: Database, wanted: Collection[DesiredSubscription], now: float) -> list[Change]:
    """Return what makes the kept subscriptions of a database be those that are wanted."""
    found = {row.id for row in list_desired(database)}
    missing = [PutSubscription(one.row(now)) for one in wanted if one.id not in found]
    return [*(CloseSubscription(id=id_, at=now) for id_ in found - {one.id for one in wanted}), *missing]


def _copied(old: Tables, new: Path) -> bool:
    """Copy a database; returns False where it cannot be read to its end, or the copy is not whole."""
    _remove(new)
    try:
        copy_database(old, new)
        return examine(new) == schema.VERSION
    except sqlite3.ProgrammingError:
        # The connection is closed: nothing can be copied from it.
        return False
    except (sqlite3.Error, StateDirectoryError) as error:
        fault = fault_of(error)
        if fault is not None and fault.kind is FaultKind.DAMAGED:
            return False
        raise


def _remove(new: Path) -> None:
    for end in ("", *SIDE_FILES):
        new.with_name(new.name + end).unlink(missing_ok=True)
