"""Connection: the tasks of one accepted WebSocket, between trio-websocket and its session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection
from wsproto.utilities import LocalProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.venues.hyperliquid.simulator.engine import Engine
    from wsmgr.manager.venues.hyperliquid.simulator.front import Gate
    from wsmgr.manager.venues.hyperliquid.simulator.session import Ending, Session

_CLOSE_TIMEOUT = 1.0
_PIECE = 64 * 1024
_NOT_TEXT_CODE = 1003
_GONE = (ConnectionClosed, LocalProtocolError, trio.BrokenResourceError, trio.ClosedResourceError)


class Connection:
    """One WebSocket: reads into its session, writes what the session has, ends when the session says so."""

    def __init__(
        self, *, engine: Engine, gate: Gate, socket: WebSocketConnection, changed: Callable[[], None]
    ) -> None:
        """Wrap a socket whose handshake is done.

        Args:
            engine: The venue.
            gate: The stream under the socket.
            socket: The socket.
            changed: Called after each frame from the client: something may be due earlier than before.
        """
        self._engine = engine
        self._gate = gate
        self._socket = socket
        self._changed = changed
        self._session: Session | None = None
        self._output = trio.Event()
        self._writing = trio.CancelScope()

    async def run(self, path: str, client: str) -> None:
        """Serve the socket until it ends. Cancelled, it ends without a goodbye.

        Args:
            path: The path of the upgrade.
            client: The client's address.
        """
        session = self._session = self._engine.open(path, client, self._notify)
        self._gate.is_silent = session.is_silent
        self._changed()
        why = "the simulator stopped"
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, session, nursery.cancel_scope)
                nursery.start_soon(self._read, session, nursery.cancel_scope)
            reason = self._socket.closed
            why = f"the client closed: {reason.code}" if reason is not None else "the connection broke"
        finally:
            self._engine.closed(session, session.ending.why if session.ending is not None else why)

    def _notify(self) -> None:
        """Something waits to be written, or the socket is to end: then a write that hangs is given up."""
        self._output.set()
        ending = self._session.ending if self._session is not None else None
        if ending is not None:
            patience = _CLOSE_TIMEOUT if ending.how == "close" else 0.0
            self._writing.deadline = min(self._writing.deadline, trio.current_time() + patience)

    async def _read(self, session: Session, scope: trio.CancelScope) -> None:
        while (text := await self._next_message()) is not None:
            if isinstance(text, bytes):
                session.end("close", "the client sent a binary frame", code=_NOT_TEXT_CODE)
                return
            session.received(text, self._engine.now())
            self._changed()
        scope.cancel()

    async def _next_message(self) -> str | bytes | None:
        """The next frame from the client, None when there will be none."""
        try:
            return await self._socket.get_message()
        except _GONE:
            return None

    async def _write(self, session: Session, scope: trio.CancelScope) -> None:
        try:
            with self._writing:
                while session.ending is None:
                    await self._output.wait()
                    self._output = trio.Event()
                    self._gate.is_silent = session.is_silent
                    await self._write_waiting(session)
            if session.ending is not None:
                await self._end(session.ending)
        except _GONE:
            pass  # the client is gone: nothing is left to write to
        scope.cancel()

    async def _write_waiting(self, session: Session) -> None:
        """Write all that waits, in pieces of many frames: each piece that went out is a sign of life of the reader."""
        while texts := session.take(self._engine.now(), max_bytes=_PIECE):
            self._gate.gather()
            for text in texts:
                await self._socket.send_message(text)
            await self._gate.release()

    async def _end(self, ending: Ending) -> None:
        match ending.how:
            case "close":
                with trio.move_on_after(_CLOSE_TIMEOUT):
                    await self._socket.aclose(ending.code)
            case "reset":
                await self._gate.reset()
            case "cut":
                await trio.aclose_forcefully(self._gate)
