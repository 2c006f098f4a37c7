"""Private file: reading a file that nobody but its owner may have written.

What is believed to decide who is let in must not be somebody else's: a link is not followed, a file that others own or may read
or write is refused, and so is one that is larger than it can rightly be.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from wsmgr.manager.model.errors import StateDirectoryError

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def read_private(path: Path, *, max_bytes: int) -> bytes | None:
    """Return the content of a file of this user's, or None where there is none.

    Raises:
        StateDirectoryError: It is a link or no file, is owned by or open to others, is too large, or cannot be read.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateDirectoryError(f"{path} cannot be read: {error.strerror}") from error
    try:
        complaint = _complaint(os.fstat(descriptor), max_bytes)
        if complaint is not None:
            raise StateDirectoryError(f"{path} is not used: {complaint}")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            # One byte more than is allowed: it may have grown since it was looked at.
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise StateDirectoryError(f"{path} cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)
    if len(content) > max_bytes:
        raise StateDirectoryError(f"{path} is not used: it is larger than {max_bytes} bytes")
    return content


def _complaint(found: os.stat_result, max_bytes: int) -> str | None:
    if not stat.S_ISREG(found.st_mode):
        return "it is no regular file"
    if found.st_uid != os.geteuid():
        return f"it belongs to the user {found.st_uid}, not to {os.geteuid()}"
    if found.st_mode & _OTHERS:
        return (
            f"it has the mode {stat.S_IMODE(found.st_mode):04o}; `chmod 600` it, and make new what it holds"
        )
    if found.st_size > max_bytes:
        return f"it is larger than {max_bytes} bytes"
    return None
