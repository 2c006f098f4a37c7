"""Replacing a file whole: a reader sees the old content or the new one, whatever dies in between."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from wsmgr.manager.store.aside import sync_directory

if TYPE_CHECKING:
    from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file whole, readable by its owner alone, and return when the new content is on the disk.

    Raises:
        OSError: It could not be written; the old one stands.
    """
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            # One that a killed process, or somebody else, left may have another mode.
            os.fchmod(descriptor, 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        # What is there of it takes space on a disk that may have none.
        new.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)
