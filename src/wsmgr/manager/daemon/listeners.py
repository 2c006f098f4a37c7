"""Listeners: where the API is served, and what stands before it there.

=============== ================================ =======================================================
listener        who reaches it                   who is let in
=============== ================================ =======================================================
`UnixListener`  who may open the file            everybody who reaches it; actions: its owner, and root
`HttpListener`  every program of the machine,    who shows a token, for what its scope allows (`guard`)
                or of the network
=============== ================================ =======================================================
"""

from __future__ import annotations

import os
import resource
import socket as sockets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from wsmgr.manager.daemon.caller import introduce, user
from wsmgr.manager.daemon.connections import Connection, Connections
from wsmgr.manager.daemon.guard import Entrance, Guard
from wsmgr.manager.daemon.limits import Limited, bounds
from wsmgr.manager.daemon.listening import announce, withdraw
from wsmgr.manager.daemon.peer import user_at
from wsmgr.manager.daemon.refusals import Refusals
from wsmgr.manager.daemon.tokens import TokenFile, Tokens
from wsmgr.manager.model.errors import WsmgrError
from wsmgr.manager.model.fact import Fact

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from wsmgr.manager.daemon.settings import HttpSettings
    from wsmgr.manager.runtime.engine import Engine

BACKLOG: Final = 128
UNIX_CONNECTIONS: Final = 384
HTTP_CONNECTIONS: Final = 128


class ApiServerError(WsmgrError):
    """The API cannot be served: its socket cannot be made, or its server ended by itself."""


class Listener(Protocol):
    """A place where the API is served."""

    def open(self) -> sockets.socket:
        """Return a socket that listens there and does not block.

        Raises:
            ApiServerError: It cannot be made.
        """
        ...

    def connections(self) -> Connections:
        """Return what keeps the connections that come in there."""
        ...

    def application(self, app: ASGIApp, connection: Connection) -> ASGIApp:
        """Return what serves one connection."""
        ...

    def close(self) -> None:
        """Leave nothing behind that looks as if somebody listened. A second call does nothing."""
        ...


class UnixListener:
    """Listens on a Unix socket.

    The manager must hold its state directory: a socket file that is found belongs to nobody and is removed.

    Args:
        path: The socket.
    """

    def __init__(self, path: Path) -> None:
        """Remember the place; nothing listens yet."""
        self._path = path

    def open(self) -> sockets.socket:
        """Return a socket that listens at the path."""
        return listen(self._path)

    def connections(self) -> Connections:
        """Return what keeps the connections."""
        return Connections(bounds(UNIX_CONNECTIONS, _descriptors()))

    def application(self, app: ASGIApp, connection: Connection) -> ASGIApp:
        """Return the application, to which the kernel's word says who asks."""
        caller = user(user_at(connection.socket))

        async def introduced(scope: Scope, receive: Receive, send: Send) -> None:
            introduce(scope, caller)
            await app(scope, receive, send)

        return introduced

    def close(self) -> None:
        """Remove the socket's file."""
        self._path.unlink(missing_ok=True)


class HttpListener:
    """Listens over TCP, for who has a token.

    Args:
        engine: The running manager; its health says where it listens.
        settings: Where, and for whom.
    """

    def __init__(self, engine: Engine, settings: HttpSettings) -> None:
        """Remember the place; nothing listens yet."""
        self._engine = engine
        self._settings = settings
        self._port = settings.address.port
        self._refusals = Refusals(engine.context.note, engine.context.clock.monotonic)
        self._tokens = Tokens(TokenFile(settings.directory), self._complain)
        self._entrance = Entrance(tokens=self._tokens, names=settings.names, refusals=self._refusals)
        self._connections: Connections | None = None

    def open(self) -> sockets.socket:
        """Return a socket that listens there; one that was free to choose its port keeps it when it is opened again."""
        address = self._settings.address
        listener = listen_tcp(address.literal, self._port)
        self._port = listener.getsockname()[1]
        url = f"http://{type(address)(address.host, self._port)}"
        announce(self._engine, url)
        self._tokens.refresh()
        fact = Fact(
            kind="api_listening",
            level="info" if self._tokens else "warning",
            actor="http",
            detail={"url": url, "tokens": len(self._tokens)},
        )
        self._engine.context.note(fact)
        return listener

    def connections(self) -> Connections:
        """Return what keeps the connections; on its beat tokens that were revoked lose theirs."""
        self._connections = Connections(bounds(HTTP_CONNECTIONS, _descriptors()), self._beat)
        return self._connections

    def application(self, app: ASGIApp, connection: Connection) -> ASGIApp:
        """Return the application behind its guard."""
        return Guard(app, connection, self._entrance)

    def close(self) -> None:
        """Say no more that somebody listens."""
        withdraw(self._engine)

    def _beat(self) -> None:
        self._refusals.beat()
        self._tokens.refresh()
        if self._connections is not None:
            for connection in tuple(self._connections.open):
                if connection.token is not None and not self._tokens.holds(connection.token):
                    connection.hang_up()

    def _complain(self, error: WsmgrError) -> None:
        fact = Fact(kind="tokens_unusable", level="error", actor="http", detail={"error": str(error)})
        self._engine.context.note(fact)


def limited(app: ASGIApp, connection: Connection, connections: Connections) -> ASGIApp:
    """Return an application within the limits of one connection."""
    return Limited(app, connection, connections)


def listen(path: Path) -> sockets.socket:
    """Return a socket that listens on a path, for its owner alone (mode 0600).

    Raises:
        ApiServerError: It cannot be made there.
    """
    listener = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
    try:
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
        umask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(umask)
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ApiServerError(f"the API cannot listen on {path}: {error}") from error
    return listener


def listen_tcp(host: str, port: int) -> sockets.socket:
    """Return a socket that listens at a numeric address.

    Raises:
        ApiServerError: It cannot be made there: the port is taken, or the address is none of this machine.
    """
    family = sockets.AF_INET6 if ":" in host else sockets.AF_INET
    listener = sockets.socket(family, sockets.SOCK_STREAM)
    try:
        listener.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
        if family == sockets.AF_INET6:
            listener.setsockopt(sockets.IPPROTO_IPV6, sockets.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ApiServerError(f"the API cannot listen on {host} port {port}: {error}") from error
    return listener


def _descriptors() -> int:
    """Return how many files this process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sockets.SOMAXCONN * BACKLOG if soft == resource.RLIM_INFINITY else soft
