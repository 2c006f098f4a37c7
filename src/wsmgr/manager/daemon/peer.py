"""Peer: which user is at the other end of a Unix socket, as the kernel says."""

from __future__ import annotations

import socket as sockets
import struct
import sys
from typing import Final

ROOT: Final = 0
_UCRED: Final = struct.Struct("iII")
"""Linux, `struct ucred`: process, user, group (unix(7))."""
_XUCRED: Final = struct.Struct("II")
"""macOS, `struct xucred` (sys/ucred.h): its version, the user; groups follow."""
_XUCRED_BYTES: Final = 76
_SOL_LOCAL, _LOCAL_PEERCRED = 0, 1


def may_act(uid: int | None, own: int) -> bool:
    """Return whether a user may have actions signed: the daemon's own user and root may.

    Args:
        uid: The user, or None where it is not known.
        own: The user that the daemon runs as.
    """
    return uid is not None and uid in {ROOT, own}


def user_at(connection: sockets.socket) -> int | None:
    """Return the user at the other end of a Unix socket; None for any other socket."""
    if connection.family != sockets.AF_UNIX:
        return None
    if sys.platform == "darwin":
        return user_in(connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES))
    uid: int = _UCRED.unpack(connection.getsockopt(sockets.SOL_SOCKET, sockets.SO_PEERCRED, _UCRED.size))[1]
    return uid


def user_in(xucred: bytes) -> int | None:
    """Return the user in macOS's credentials; None for a version of them that is not known."""
    version, uid = _XUCRED.unpack_from(xucred)
    return uid if version == 0 else None
