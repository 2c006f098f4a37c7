"""Connections: those that one listener has accepted, and how hypercorn serves each of them.

Connections are accepted here, not by hypercorn: only so is there a bound on them, is it known who is at the other end before a
byte is read, and can those be ended that nobody should wait for. hypercorn's own part, for either loop, is to speak HTTP on
one accepted connection.

hypercorn is not cancelled: on asyncio that makes it raise. A connection ends because its client goes, because it was idle when the
API ended, or because its socket was shut down here.
"""

from __future__ import annotations

import errno
import logging
import socket as sockets
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import anyio
import sniffio
from attrs import define, field
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.logging import Logger

from wsmgr.manager.daemon.limits import HEAD_TIMEOUT, MAX_HEAD_BYTES, RETRY_AFTER, WRITE_TIMEOUT, Bounds, busy

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from wsmgr.manager.daemon.closing import Closing

BEAT: Final = 1.0
"""Seconds between two looks at the connections."""
MAX_LINGERING: Final = 16
"""How many that were turned away are waited for at once."""
LINGER: Final = 1.0
"""Seconds that one that was turned away may take to read why."""
FAILURE_INTERVAL: Final = 60.0
_READ_BYTES: Final = 64 * 1024
_AT_ONCE: Final = 64
"""How many are accepted between two chances for others to run."""
_NO_MORE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_NO_MORE_DELAY: Final = 0.2
_log = logging.getLogger("wsmgr.manager.daemon")


@define(eq=False)
class Connection:
    """One accepted connection.

    Attributes:
        socket: Its socket.
        writing_since: Since when its client leaves a part of a document untaken, on the loop's clock, or None.
        token: The token that its last request showed, or None.
    """

    socket: sockets.socket
    writing_since: float | None = None
    token: Any = None

    def hang_up(self) -> None:
        """Shut it down; whoever reads from it or writes to it sees its end."""
        try:
            self.socket.shutdown(sockets.SHUT_RDWR)
        except OSError:
            # Its client has gone.
            return


MakeApp = Callable[[Connection], "ASGIApp"]
"""Returns what serves a connection."""


@define
class _Seldom:
    """Counts what is to be logged at most once a minute."""

    _counted: int = 0
    _told_at: float = -FAILURE_INTERVAL

    def count(self) -> int:
        """Count it; returns how many there were since it was logged last where it is to be logged now, else 0."""
        self._counted += 1
        now = anyio.current_time()
        if now < self._told_at + FAILURE_INTERVAL:
            return 0
        found, self._counted, self._told_at = self._counted, 0, now
        return found


@define(eq=False)
class Connections:
    """The connections of a listener.

    Attributes:
        bounds: How many there may be at once.
        open: Those that there are.
        streams: How many of them carry a stream.
        on_beat: Called once in a while, as long as connections are accepted.
    """

    bounds: Bounds
    on_beat: Callable[[], None] = lambda: None
    open: set[Connection] = field(init=False, factory=set[Connection])
    streams: int = field(init=False, default=0)
    _lingering: int = field(init=False, default=0)
    _failures: _Seldom = field(init=False, factory=_Seldom)
    _refusals: _Seldom = field(init=False, factory=_Seldom)

    async def serve(self, listener: sockets.socket, make_app: MakeApp, closing: Closing) -> None:
        """Accept connections and serve them, until the API is ending and the last of them is gone.

        It is not to be cancelled, but in need: see the module.

        Args:
            listener: A socket that listens and does not block; it is closed when the API is ending.
            make_app: Returns what serves a connection.
            closing: Says when the API is ending.
        """
        http = _Http()
        async with anyio.create_task_group() as group:
            group.start_soon(self._beat)
            async with anyio.create_task_group() as serving:
                try:
                    with closing.ended_by_closing():
                        await self._accept(
                            listener,
                            lambda accepted: serving.start_soon(self._serve, http, make_app, accepted),
                            lambda accepted: serving.start_soon(self._turn_away, accepted),
                        )
                finally:
                    listener.close()
                await http.end()
            group.cancel_scope.cancel()

    def hang_up(self) -> None:
        """Shut down every connection."""
        for connection in tuple(self.open):
            connection.hang_up()

    async def _accept(
        self,
        listener: sockets.socket,
        serve: Callable[[Connection], object],
        turn_away: Callable[[sockets.socket], object],
    ) -> None:
        while True:
            await anyio.wait_readable(listener)
            for _ in range(_AT_ONCE):
                try:
                    accepted, _address = listener.accept()
                except (BlockingIOError, ConnectionAbortedError):
                    break
                except OSError as error:
                    if error.errno not in _NO_MORE:
                        raise
                    self._not_accepted(error)
                    await anyio.sleep(_NO_MORE_DELAY)
                    break
                if len(self.open) < self.bounds.connections:
                    accepted.setblocking(False)
                    connection = Connection(accepted)
                    self.open.add(connection)
                    serve(connection)
                else:
                    turn_away(accepted)

    async def _serve(self, http: _Http, make_app: MakeApp, connection: Connection) -> None:
        try:
            await http.speak(make_app(connection), connection.socket)
        except OSError:
            # Its client has gone.
            return
        except Exception as error:  # noqa: BLE001 - one connection's failure is no other's
            self._failed(error)
        finally:
            connection.socket.close()
            self.open.discard(connection)

    def _failed(self, error: Exception) -> None:
        """Log a failure: the application's own are answered, so it is hypercorn's, and clients may cause it."""
        count = self._failures.count()
        if count:
            _log.warning("%d connections to the API ended with an error", count, exc_info=error)

    def _not_accepted(self, error: OSError) -> None:
        """Log that the system lets nobody in: that may last, and is tried again several times a second."""
        count = self._refusals.count()
        if count:
            _log.warning(
                "attempts to accept a connection to the API that failed: %d (%s)", count, error.strerror
            )

    async def _turn_away(self, accepted: sockets.socket) -> None:
        """Answer 503, and close when the client has seen it: closed with its request unread, it could lose the answer.

        What does not fit into the socket's buffer at once is not waited for, and where many linger no more do.
        """
        with accepted:
            try:
                accepted.setblocking(False)
                accepted.send(_too_many(self.bounds.connections))
                accepted.shutdown(sockets.SHUT_WR)
                if self._lingering < MAX_LINGERING:
                    await self._linger(accepted)
            except OSError:
                # It has gone already.
                return

    async def _linger(self, accepted: sockets.socket) -> None:
        self._lingering += 1
        try:
            with anyio.move_on_after(LINGER):
                for _ in range(_AT_ONCE):
                    await anyio.wait_readable(accepted)
                    if not accepted.recv(_READ_BYTES):
                        return
        finally:
            self._lingering -= 1

    async def _beat(self) -> None:
        while True:
            await anyio.sleep(BEAT)
            self.on_beat()
            overdue = anyio.current_time() - WRITE_TIMEOUT
            for connection in tuple(self.open):
                if connection.writing_since is not None and connection.writing_since < overdue:
                    connection.hang_up()


class _Http:
    """hypercorn, which has a package for each loop, of the loop's name."""

    def __init__(self) -> None:
        self._library = sniffio.current_async_library()
        package = f"hypercorn.{self._library}"
        self._server: Any = import_module(f"{package}.tcp_server").TCPServer
        self._context: Any = import_module(f"{package}.worker_context").WorkerContext(None)
        self._config = _config()

    async def speak(self, app: ASGIApp, accepted: sockets.socket) -> None:
        """Serve a connection to its end."""
        if self._library == "trio":
            await self._on_trio(_wrapped(app), accepted)
        else:
            await self._on_asyncio(_wrapped(app), accepted)

    async def end(self) -> None:
        """End the connections that are idle, and each other one after its request."""
        await self._context.terminated.set()

    async def _on_asyncio(self, app: object, accepted: sockets.socket) -> None:
        asyncio: Any = import_module("asyncio")
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted)
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        await self._server(app, loop, self._config, self._context, {}, reader, writer)

    async def _on_trio(self, app: object, accepted: sockets.socket) -> None:
        trio: Any = import_module("trio")
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(accepted))
        await self._server(app, self._config, self._context, {}, stream)


class _ServerLog(Logger):
    """hypercorn's words go to our logger; what is only news to it is nobody's."""

    async def info(self, message: str, *args: object, **kwargs: Any) -> None:  # noqa: ANN401 - as its base
        await self.debug(message, *args, **kwargs)


def _wrapped(app: Any) -> ASGIWrapper:  # noqa: ANN401 - Starlette and hypercorn describe the same type in their own ways
    return ASGIWrapper(app)


def _config() -> Config:
    config = Config()
    config.h11_max_incomplete_size = MAX_HEAD_BYTES
    config.keep_alive_timeout = HEAD_TIMEOUT
    config.include_server_header = False
    config.accesslog = None
    config.errorlog = _log
    config.logger_class = _ServerLog
    return config


def _too_many(most: int) -> bytes:
    """Return the whole answer to one connection too many."""
    response = busy("connections", most)
    body = bytes(response.body)
    head = (
        f"HTTP/1.1 503 Service Unavailable\r\ncontent-type: {response.media_type}\r\ncontent-length: {len(body)}\r\n"
        f"retry-after: {RETRY_AFTER}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
