"""Peer: which user is at the other end of a connection to the Unix socket, as the kernel says.

hypercorn gives an application neither the connection nor its descriptor. What it does give is `send`: a method of the request's
stream, whose own `send` is a method of the protocol, and so on down to the connection. That way is gone once for each
request. Where it does not end at a connection the user is unknown, and nobody unknown may act: a hypercorn that is built in
another way refuses actions, it lets none through.
"""

from __future__ import annotations

import os
import socket as sockets
import struct
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

ROOT: Final = 0
_MEMBER: Final = "wsmgr.peer"
_LAYERS: Final = 8
_UCRED: Final = struct.Struct("iII")
"""Linux, `struct ucred`: process, user, group (unix(7))."""
_XUCRED: Final = struct.Struct("II")
"""macOS, `struct xucred` (sys/ucred.h): its version, the user; groups follow."""
_XUCRED_BYTES: Final = 76
_SOL_LOCAL, _LOCAL_PEERCRED = 0, 1


class PeerAware:
    """An application whose requests know their peer: see `peer_of`.

    Args:
        app: The application.
        connection: hypercorn's class of a connection, for the loop in use.
    """

    def __init__(self, app: ASGIApp, connection: type[Any]) -> None:
        """Wrap an application; it must be the outermost one, which gets hypercorn's own `send`."""
        self._app = app
        self._connection = connection

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the peer, before anything can have closed the connection, and go on."""
        if scope["type"] == "http":
            scope[_MEMBER] = self._peer(send)
        await self._app(scope, receive, send)

    def _peer(self, send: object) -> int | None:
        owner: Any = getattr(send, "__self__", None)
        for _ in range(_LAYERS):
            if isinstance(owner, self._connection):
                return _user_of(owner)
            owner = getattr(getattr(owner, "send", None), "__self__", None)
        return None


def peer_of(request: Request) -> int | None:
    """Return the user id of who asks, or None where it is not known."""
    uid: int | None = request.scope.get(_MEMBER)
    return uid


def may_act(uid: int | None, own: int) -> bool:
    """Return whether a user may have actions signed: the daemon's own user and root may.

    Args:
        uid: The user, or None where it is not known.
        own: The user that the daemon runs as.
    """
    return uid is not None and uid in {ROOT, own}


def user_at(connection: sockets.socket) -> int | None:
    """Return the user who connected to a Unix socket; None for any other socket."""
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


def _user_of(connection: Any) -> int | None:  # noqa: ANN401 - hypercorn's connection, of either loop
    # asyncio's has a writer, trio's a stream; either way it is no plain socket, but it has a descriptor.
    writer = getattr(connection, "writer", None)
    found = connection.stream.socket if writer is None else writer.get_extra_info("socket")
    with sockets.socket(fileno=os.dup(found.fileno())) as plain:
        return user_at(plain)
