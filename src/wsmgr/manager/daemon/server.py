"""The API's server: hypercorn on a Unix socket, as an actor under the manager's `edge`.

hypercorn is never cancelled: on asyncio that makes it raise. When the actor ends, the requests that wait are told
(`Closing`), hypercorn gets its `shutdown_trigger` and finishes what runs inside a shield. A reader that neither reads nor goes
away cannot keep it: after `HANG_UP_AFTER` its socket is shut down, after `DEADLINE` the shield falls.
"""

from __future__ import annotations

import logging
import os
import socket as sockets
import stat
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import anyio
import sniffio
from anyio import to_thread
from hypercorn.config import Config
from hypercorn.logging import Logger

from wsmgr.actors import Actor
from wsmgr.manager.daemon.api import make_app
from wsmgr.manager.daemon.closing import Closing
from wsmgr.manager.daemon.peer import PeerAware
from wsmgr.manager.model.errors import WsmgrError
from wsmgr.manager.runtime.engine import Engine

BACKLOG: Final = 128
HANG_UP_AFTER: Final = 1.5
GRACE: Final = 2.5
DEADLINE: Final = 6.0
SHUTDOWN: Final = DEADLINE + 2.0
"""What a child specification of this actor should allow."""

_DESCRIPTORS: Final = Path("/dev/fd")


class ApiServerError(WsmgrError):
    """The API cannot be served: its socket cannot be made, or its server ended by itself."""


class ApiServer(Actor[Any]):
    """Serves the API of a manager on a Unix socket.

    The manager must hold its state directory: a socket file that is found belongs to nobody and is removed.

    Args:
        engine: The running manager.
        path: The socket.
    """

    def __init__(self, engine: Engine, path: Path) -> None:
        """Bind the server; nothing listens yet."""
        self._engine = engine
        self._path = path

    async def init(self) -> None:
        """Listen; connections that come now wait until they are served."""
        listener = listen(self._path)
        self.start_soon(self._serve, listener)

    async def _serve(self, listener: sockets.socket) -> None:
        closing = Closing()
        served = anyio.Event()
        try:
            # Making it takes tens of milliseconds: in a thread the loop goes on meanwhile.
            app = await to_thread.run_sync(make_app, self._engine, closing)
            async with anyio.create_task_group() as group:
                with anyio.CancelScope(shield=True) as shield:
                    group.start_soon(self._close_in_time, closing, served, shield)
                    await _run(app, listener, closing)
                served.set()
                group.cancel_scope.cancel()
        finally:
            listener.close()
            self._path.unlink(missing_ok=True)
        if not closing.begun:
            raise ApiServerError("the API's server ended by itself")

    async def _close_in_time(self, closing: Closing, served: anyio.Event, shield: anyio.CancelScope) -> None:
        """Wait to be cancelled, and close then: gently, less gently, by force."""
        try:
            await anyio.sleep_forever()
        finally:
            closing.begin()
            self._path.unlink(missing_ok=True)
            shield.deadline = anyio.current_time() + DEADLINE
            with anyio.move_on_after(HANG_UP_AFTER, shield=True):
                await served.wait()
            if not served.is_set():
                hang_up(self._path)


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
    except OSError as error:
        listener.close()
        raise ApiServerError(f"the API cannot listen on {path}: {error}") from error
    return listener


def hang_up(path: Path) -> None:
    """Shut down every connection that this process has accepted on a socket's path.

    The server gives no access to them; they are found among the open descriptors by the address that they were accepted at.
    """
    for descriptor in tuple(_DESCRIPTORS.iterdir()):
        try:
            connection = sockets.socket(fileno=os.dup(int(descriptor.name)))
        except OSError:
            # No socket, or closed since it was listed.
            continue
        with connection:
            if connection.family == sockets.AF_UNIX and _accepted_at(connection, path):
                connection.shutdown(sockets.SHUT_RDWR)


def _accepted_at(connection: sockets.socket, path: Path) -> bool:
    try:
        connection.getpeername()
        return bool(connection.getsockname() == str(path))
    except OSError:
        # It listens, or its peer is gone.
        return False


class _ServerLog(Logger):
    """hypercorn's words go to our logger; that it runs, and on what, is not news."""

    async def info(self, message: str, *args: object, **kwargs: Any) -> None:  # noqa: ANN401 - as its base
        await self.debug(message, *args, **kwargs)


async def _run(app: Any, listener: sockets.socket, closing: Closing) -> None:  # noqa: ANN401 - any ASGI application
    config = Config()
    # hypercorn closes the descriptor that it is given.
    config.bind = [f"fd://{os.dup(listener.fileno())}"]
    config.backlog = BACKLOG
    config.graceful_timeout = GRACE
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = logging.getLogger("wsmgr.manager.daemon")
    config.logger_class = _ServerLog
    # hypercorn has a package for each loop, of the loop's name.
    package = f"hypercorn.{sniffio.current_async_library()}"
    server, connections = import_module(package), import_module(f"{package}.tcp_server")
    await server.serve(PeerAware(app, connections.TCPServer), config, shutdown_trigger=closing.wait)
