"""Recovery: what a manager starts from.

The database decides where it is whole. Where it is missing or damaged it is moved aside and the kept subscriptions come
from `desired.json`. Where both fail and anything shows that there was state, the start is refused: a manager never
starts empty over a directory that was not. The decision is `decide`, a plain function; `recover` finds out what there
is and performs it.
"""

from __future__ import annotations

import sqlite3
from enum import Enum
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from attrs import frozen

from wsmgr.manager.model.errors import StateDirectoryError
from wsmgr.manager.store.aside import move_aside
from wsmgr.manager.store.database import Database, examine
from wsmgr.manager.store.desired import DesiredSubscription, read_desired, write_desired
from wsmgr.manager.store.errors import CorruptDatabaseError
from wsmgr.manager.store.queries import list_desired
from wsmgr.manager.store.rebuilding import rebuild
from wsmgr.manager.store.sql import MEMORY

if TYPE_CHECKING:
    from wsmgr.manager.store.state_directory import StateDirectory


class Found(Enum):
    """In what condition a file is."""

    GOOD = "good"
    """It can be used."""
    MISSING = "missing"
    """It is not there, or empty."""
    DAMAGED = "damaged"
    """It is there and cannot be used."""


class Source(Enum):
    """Where the state came from."""

    DATABASE = "database"
    """The database, with all its history."""
    COPY = "copy"
    """`desired.json`: every kept subscription, no counters and no history."""
    NEW = "new"
    """There was none: this is the first start."""


@frozen(kw_only=True)
class Recovery:
    """What a start found and did.

    Attributes:
        database: Open for writing; the caller closes it.
        source: Where the state came from.
        restored: How many subscriptions came from the copy.
        moved_aside: Where the unusable database was put, or None.
        migrated: The numbers of the migrations that were applied to an older database.
        why: Why the database could not be used, or None.
    """

    database: Database
    source: Source
    restored: int = 0
    moved_aside: Path | None = None
    migrated: tuple[int, ...] = ()
    why: str | None = None


def decide(*, database: Found, copy: Found, marker: bool) -> Source | None:
    """Return what to start from, or None to refuse.

    Args:
        database: The condition of the database.
        copy: The condition of `desired.json`.
        marker: Whether `state.json` stands.
    """
    match database, copy:
        case Found.GOOD, _:
            return Source.DATABASE
        case _, Found.GOOD:
            return Source.COPY
        case Found.MISSING, Found.MISSING if not marker:
            return Source.NEW
        case _:
            return None


def recover(directory: StateDirectory, *, now: float | None = None) -> Recovery:
    """Open the state of a directory, whatever happened to it; the directory must be prepared and locked.

    Args:
        directory: The state directory.
        now: The wall time, for names and rows.

    Raises:
        StateDirectoryError: Neither the database nor the copy can be used, or a newer wsmgr wrote one of them. Nothing
            was changed.
    """
    now = time() if now is None else now
    condition, why = _examine(directory)
    wanted, copy, copy_why = _read_copy(directory, needed=condition is not Found.GOOD)
    source = decide(database=condition, copy=copy, marker=directory.marker.exists())
    if source is None:
        raise StateDirectoryError(
            f"the state in {directory.path} cannot be used: {why}; {copy_why}. Put a backup of wsmgr.db or desired.json"
            " there, or give up what was subscribed with `wsmgr db init --fresh`"
        )
    moved = None
    try:
        if source is not Source.DATABASE:
            moved = rebuild(directory.database, wanted, why=why, word=condition.value, now=now).moved_aside
        database = _open(directory, now)
    except (sqlite3.Error, OSError) as error:
        raise StateDirectoryError(
            f"the state in {directory.path} cannot be written: {error}; check that the disk is well and has space"
        ) from error
    return Recovery(
        database=database,
        source=source,
        restored=len(wanted),
        moved_aside=moved,
        migrated=database.migrated if source is Source.DATABASE else (),
        why=why if source is Source.COPY else None,
    )


def in_memory() -> Recovery:
    """Return an empty state that no file holds."""
    return Recovery(database=Database.open(MEMORY), source=Source.NEW)


def start_fresh(directory: StateDirectory, *, now: float | None = None) -> list[Path]:
    """Move a directory's state aside, so that the next start begins empty; the directory must be locked.

    Returns:
        Where the database, the copy and the marker are now; empty where there was nothing.
    """
    now = time() if now is None else now
    moved = (
        move_aside(path, "before-fresh", now)
        for path in (directory.database, directory.desired, directory.marker)
    )
    return [path for path in moved if path is not None]


def _open(directory: StateDirectory, now: float) -> Database:
    database = Database.open(directory.database, now=now)
    try:
        write_desired(directory.desired, map(DesiredSubscription.of, list_desired(database)))
        directory.write_marker(now)
    except BaseException:
        database.close()
        raise
    return database


def _examine(directory: StateDirectory) -> tuple[Found, str]:
    try:
        version = examine(directory.database)
    except CorruptDatabaseError as error:
        return Found.DAMAGED, f"the database is damaged ({error.finding})"
    return (Found.GOOD, "") if version else (Found.MISSING, "the database is missing")


def _read_copy(
    directory: StateDirectory, *, needed: bool
) -> tuple[tuple[DesiredSubscription, ...], Found, str]:
    """Read the copy where it decides; where the database does, the copy is about to be written anew."""
    if not needed:
        return (), Found.MISSING, ""
    try:
        wanted = read_desired(directory.desired)
    except StateDirectoryError as error:
        return (), Found.DAMAGED, str(error)
    return ((), Found.MISSING, "desired.json is missing") if wanted is None else (wanted, Found.GOOD, "")
