"""Front: the first bytes of a TCP connection decide whether it speaks HTTP or WebSocket.

h11 reads the head of a request. A plain request is answered, and the next one awaited. An upgrade is handed on, with a
:class:`Gate` that first gives back the bytes that h11 has seen.
"""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

import attrs
import h11
import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.venues.hyperliquid.simulator.http_api import Answer

READ_SIZE = 65_536
MAX_BODY = 4 * 1024 * 1024
_KEEP_ALIVE = 75.0
_DRAIN = 1.0
_RESET = struct.pack("ii", 1, 0)


@attrs.frozen(kw_only=True)
class Upgrade:
    """A request for a WebSocket.

    Attributes:
        path: The path asked for, without its query.
        seen: Every byte of the request that was read.
    """

    path: str
    seen: bytes


class Gate(trio.abc.Stream):
    """The stream under a WebSocket: gives back what was read before, can go silent, and gathers writes.

    Attributes:
        is_silent: Set to let everything that is written vanish.
    """

    def __init__(self, stream: trio.SocketStream, seen: bytes) -> None:
        self.is_silent = False
        self._stream = stream
        self._seen = seen
        self._is_gathering = False
        self._gathered = bytearray()
        self._lock = trio.Lock()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Write, or keep for :meth:`release`. Cancelled, part of it may be on the way."""
        if self._is_gathering:
            self._gathered += data
        elif not self.is_silent:
            async with self._lock:
                await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there is room to write."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Read: first what was seen before, then from the socket."""
        if self._seen:
            await trio.lowlevel.checkpoint()
            seen, self._seen = self._seen, b""
            return seen
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        """Close the socket."""
        await self._stream.aclose()

    def gather(self) -> None:
        """Keep what is written until :meth:`release`: many small frames become one write."""
        self._is_gathering = True

    async def release(self) -> None:
        """Write what was gathered."""
        self._is_gathering = False
        gathered, self._gathered = self._gathered, bytearray()
        if gathered:
            await self.send_all(gathered)

    async def reset(self) -> None:
        """Cut the connection: the other side sees a reset, and unsent bytes are thrown away."""
        with suppress(OSError, trio.ClosedResourceError):  # already gone, which is what was wanted
            self._stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        await trio.aclose_forcefully(self._stream)


class Front:
    """The HTTP side of one TCP connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.SERVER)
        self._seen = b""
        self._is_head = False

    async def serve(self, answer: Callable[[str, str, bytes], Answer]) -> Upgrade | None:
        """Answer plain requests until the client goes (None) or asks for an upgrade.

        Args:
            answer: Answers a method, a path and a body.
        """
        try:
            while True:
                with trio.move_on_after(_KEEP_ALIVE):
                    event = await self._next_event()
                    if not isinstance(event, h11.Request):
                        return None
                    self._is_head = event.method == b"HEAD"
                    path = event.target.decode("latin-1").partition("?")[0]
                    if _is_upgrade(event):
                        return Upgrade(path=path, seen=self._seen)
                    body = await self._body()
                    await self.send(answer(event.method.decode(), path, body))
                    if self._http.our_state is not h11.DONE:
                        return None
                    self._http.start_next_cycle()
                    self._seen = self._http.trailing_data[0]
                    continue
                return None
        except h11.RemoteProtocolError as error:
            await self._send_error(error.error_status_hint)
            return None

    async def send(self, answer: Answer) -> None:
        """Send an answer."""
        headers = [
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.body))),
            *answer.headers,
        ]
        head = self._http.send(h11.Response(status_code=answer.status, headers=headers))
        body = self._http.send(h11.Data(data=b"" if self._is_head else answer.body))
        end = self._http.send(h11.EndOfMessage())
        await self._stream.send_all(b"".join(part for part in (head, body, end) if part))

    async def _next_event(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Event) or event is h11.PAUSED:
                return event
            data = await self._stream.receive_some(READ_SIZE)
            self._seen += data
            self._http.receive_data(bytes(data))

    async def _body(self) -> bytes:
        if self._http.they_are_waiting_for_100_continue:
            go_on = self._http.send(h11.InformationalResponse(status_code=100, headers=[]))
            await self._stream.send_all(go_on or b"")
        parts: list[bytes] = []
        size = 0
        while isinstance(event := await self._next_event(), h11.Data):
            size += len(event.data)
            if size > MAX_BODY:
                raise h11.RemoteProtocolError("the body is too large", error_status_hint=413)
            parts.append(bytes(event.data))
        return b"".join(parts)

    async def _send_error(self, status: int) -> None:
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        headers = [("Content-Length", "0"), ("Connection", "close")]
        head = self._http.send(h11.Response(status_code=status, headers=headers))
        await self._stream.send_all(head or b"")
        with trio.move_on_after(
            _DRAIN
        ):  # closing over unread bytes would reset the connection under the answer
            await self._stream.send_eof()
            while await self._stream.receive_some(READ_SIZE):
                pass


def _is_upgrade(request: h11.Request) -> bool:
    return any(name == b"upgrade" and value.lower() == b"websocket" for name, value in request.headers)
