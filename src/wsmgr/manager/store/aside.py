"""Names for files that are kept beside the current one, and moving a file there.

Nothing that a start-up finds unusable is deleted: it is renamed with what happened and the time in its name.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database, by the end of the name."""


def stamped(path: Path, why: str, now: float) -> Path:
    """Return a free name beside a file: `wsmgr.db.corrupt-20261120T061000Z`, with a number where that is taken."""
    time = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    wanted = path.with_name(f"{path.name}.{why}-{time}")
    free, number = wanted, 1
    while free.exists():
        number += 1
        free = wanted.with_name(f"{wanted.name}-{number}")
    return free


def move_aside(path: Path, why: str, now: float) -> Path | None:
    """Rename a file, with SQLite's files beside it, so that its name is free and the old one can still be opened.

    Returns:
        The new name, or None where neither the file nor one beside it was there.
    """
    target = stamped(path, why, now)
    moved = False
    for end in ("", *SIDE_FILES):
        source = path.with_name(path.name + end)
        if source.exists():
            source.rename(target.with_name(target.name + end))
            moved = True
    if moved:
        sync_directory(path.parent)
    return target if moved else None


def sync_directory(directory: Path) -> None:
    """Wait until the names in a directory are on the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
