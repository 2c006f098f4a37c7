"""One connection over picows: frames become batches, and the end becomes one verdict.

picows parses the frames (in C) and calls a listener for each. Between the loop's transport and picows stands a thin protocol of our
own (`_Tap`), for what picows does not tell: that half a frame came in, where a wake-up ends, and which error the
operating system gave when the connection broke.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any, cast

import anyio
import picows
from picows import WSMsgType

from wsmgr.manager.transport.errors import FrameError, SocketClosedError
from wsmgr.manager.transport.pings import Pings
from wsmgr.manager.transport.protocol import ABNORMAL, NO_STATUS, Closed, OnBatch, closing_reason

if TYPE_CHECKING:
    from picows import WSFrame, WSTransport

LEAVE_TIMEOUT = 1.0
"""Seconds that an ended connection may take to be gone; then it is aborted, or left to the loop."""

MAX_BATCH = 256
"""Frames of one batch at most: of a backlog of thousands, the first would be out of the processor's cache (measured: half as fast)."""

_TEXT = WSMsgType.TEXT


class PicowsSocket(picows.WSListener):
    """A `Socket` on asyncio: picows' listener and the socket in one object, because each frame passes here."""

    def __init__(self, on_batch: OnBatch, max_frame_bytes: int) -> None:
        """Make the listener of one connection; `connect` does it."""
        self.rtt: float | None = None
        self.bytes_received = 0
        self._loop = asyncio.get_running_loop()
        self.last_inbound_at = self._loop.time()
        self._on_batch = on_batch
        self._max_frame_bytes = max_frame_bytes
        self._batch: list[bytes] = []
        self._fragments: list[bytes] | None = None
        self._fragments_size = 0
        self._frames_seen = False
        self._plain = False
        self._closed: Closed | None = None
        self._gone = anyio.Event()
        self._writable: anyio.Event | None = None
        self._pings = Pings()
        self._abort_timer: asyncio.TimerHandle | None = None
        self._transport: WSTransport
        self._socket: socket.socket

    async def send(self, frame: bytes | str) -> None:
        """Send one text frame, after waiting for room where the peer does not read."""
        while self._writable is not None and self._closed is None:
            await self._writable.wait()
        self._check_open()
        self._transport.send(_TEXT, frame)

    async def ping(self) -> None:
        """Send a protocol ping."""
        self._check_open()
        self._transport.send_ping(self._pings.begin(time.perf_counter()))

    def pause_reading(self) -> None:
        """Stop reading from the socket."""
        if not self._transport.underlying_transport.is_closing():
            self._transport.underlying_transport.pause_reading()

    def resume_reading(self) -> None:
        """Read from the socket again."""
        if not self._transport.underlying_transport.is_closing():
            self._transport.underlying_transport.resume_reading()

    async def aclose(self, code: int = 1000, reason: str = "", *, timeout: float = 2.0) -> None:
        """Send a close frame, wait for the peer's, then end the connection."""
        try:
            if self._closed is None:
                self._close(Closed(code=code, reason=closing_reason(reason), by="us"), timeout)
                self.resume_reading()
            await self._gone.wait()
        except BaseException:
            self._abort()
            raise

    async def wait_closed(self) -> Closed:
        """Return why the socket ended."""
        await self._gone.wait()
        return cast(Closed, self._closed)  # set before `_gone`

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Put the tap between the loop and picows (called by picows, once)."""
        self._transport = transport
        loop_transport = transport.underlying_transport
        self._socket = loop_transport.get_extra_info("socket")
        loop_transport.set_protocol(_Tap(cast(asyncio.BufferedProtocol, loop_transport.get_protocol()), self))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:  # noqa: ARG002 (picows' signature)
        """Take one frame (called by picows)."""
        if (
            self._plain
            and frame.msg_type == _TEXT
            and frame.fin
            and not (frame.rsv1 or frame.rsv2 or frame.rsv3)
        ):
            payload = frame.get_payload_as_bytes()
            if payload.isascii() or _is_utf8(payload):
                self._batch.append(payload)
                if len(self._batch) >= MAX_BATCH:
                    self._deliver()
            else:
                self._violated(1007, "a text message that is not UTF-8")
        else:
            self._take_other(frame)

    def pause_writing(self) -> None:
        """Hold `send` back (called by the loop)."""
        self._writable = anyio.Event()

    def resume_writing(self) -> None:
        """Let `send` go on (called by the loop)."""
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    def _check_open(self) -> None:
        if self._closed is not None:
            raise SocketClosedError(self._closed)

    def _take_other(self, frame: WSFrame) -> None:
        # Everything but a whole text frame in the usual state, and the first frame.
        if not self._frames_seen:
            self._count_first(frame)
        if self._closed is not None:
            self._take_while_closing(frame)
        elif frame.rsv1 or frame.rsv2 or frame.rsv3:
            self._violated(1002, "a frame with reserved bits set, though no extension was agreed")
        else:
            self._take(frame, frame.get_payload_as_bytes())
        self._plain = self._closed is None and self._fragments is None

    def _count_first(self, frame: WSFrame) -> None:
        # What came along with the upgrade passed before the tap was there. The first frame shows how much it was.
        self._frames_seen = True
        size = frame.payload_size
        header = 2 if size <= 125 else 4 if size <= 65535 else 10  # noqa: PLR2004 (RFC 6455, 5.2)
        self.bytes_received = header + size + frame.tail_size

    def _take(self, frame: WSFrame, payload: bytes) -> None:
        match frame.msg_type:
            case WSMsgType.PING:
                self._transport.send_pong(payload)
            case WSMsgType.PONG:
                rtt = self._pings.answered(payload, time.perf_counter())
                self.rtt = self.rtt if rtt is None else rtt
            case WSMsgType.CLOSE:
                self._peer_closes(payload)
            case WSMsgType.BINARY:
                self._violated(1003, "a binary message where only text is understood")
            case WSMsgType.TEXT | WSMsgType.CONTINUATION:
                self._take_fragment(frame, payload)

    def _take_fragment(self, frame: WSFrame, payload: bytes) -> None:
        begins = frame.msg_type is _TEXT
        if begins is (self._fragments is not None):
            self._violated(1002, "a message began inside another" if begins else "a continuation of nothing")
            return
        fragments = [] if self._fragments is None else self._fragments
        fragments.append(payload)
        self._fragments_size += len(payload)
        if self._fragments_size > self._max_frame_bytes:
            self._violated(1009, f"a message of more than {self._max_frame_bytes} bytes")
            return
        self._fragments = fragments
        if frame.fin:
            self._fragments, self._fragments_size = None, 0
            message = b"".join(fragments)
            if message.isascii() or _is_utf8(message):
                self._batch.append(message)
            else:
                self._violated(1007, "a text message that is not UTF-8")

    def _take_while_closing(self, frame: WSFrame) -> None:
        if frame.msg_type is WSMsgType.CLOSE:
            self._end()

    def _peer_closes(self, payload: bytes) -> None:
        code = int.from_bytes(payload[:2], "big") if payload else NO_STATUS
        if payload and not _may_be_sent(code):
            self._violated(1002, f"a close frame with the code {code}")
            return
        self._conclude(Closed(code=code, reason=payload[2:].decode(), by="peer"))
        # picows cannot send a close frame without a code.
        self._transport.send_close(cast(Any, code if payload else 1000))
        self._end()

    def _violated(self, code: int, why: str) -> None:
        self._close(Closed(code=code, reason=why, by="us", error=FrameError(code, why)), LEAVE_TIMEOUT)

    def _conclude(self, closed: Closed) -> None:
        self._closed = closed
        self._plain = False

    def _close(self, closed: Closed, timeout: float) -> None:
        self._conclude(closed)
        self._transport.send_close(cast(Any, closed.code), closed.reason)
        self._abort_timer = self._loop.call_later(timeout, self._abort)

    def _end(self) -> None:
        self._transport.disconnect()
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        self._abort_timer = self._loop.call_later(LEAVE_TIMEOUT, self._abort)

    def _abort(self) -> None:
        try:
            self._transport.disconnect(graceful=False)
        except AttributeError:
            # Up to Python 3.11.3 asyncio's TLS transport forgets its protocol when it is closed twice, and can then not abort.
            with contextlib.suppress(OSError):  # the connection is gone already
                self._socket.shutdown(socket.SHUT_RDWR)

    def _deliver(self) -> None:
        batch = self._batch
        if batch:
            self._batch = []
            try:
                self._on_batch(batch)
            except Exception as error:  # noqa: BLE001 (whatever it is, `wait_closed` hands it over)
                # The sink's contract: its exception is a bug of ours that the owner of the socket decides about.
                self._conclude(Closed(code=None, by="us", error=error))
                self._batch = []
                self._abort()

    def woken(self) -> None:
        """Hand over what a wake-up brought (called by the tap; after the upgrade, before the tap was there, by `connect`)."""
        self._deliver()
        if self._closed is None and self._transport.is_close_frame_sent:
            self._parser_refused()

    def _parser_refused(self) -> None:
        # picows met a frame that it could not parse: it has sent a close frame, and gives no callback for it.
        sent = self._transport.close_handshake.sent
        code, why = (1002, "") if sent is None else (int(cast(Any, sent.code)), sent.reason)
        error = FrameError(code, why or "not a WebSocket frame")
        self._conclude(Closed(code=code, reason=why, by="us", error=error))
        self._end()

    def lost(self, error: Exception | None) -> None:
        """Note that the connection is gone (called by the tap): maybe before what came along with the upgrade was looked at."""
        self.woken()
        if self._closed is None:
            self._conclude(Closed(code=ABNORMAL, by="lost", error=error))
        if self._abort_timer is not None:
            self._abort_timer.cancel()
        self.resume_writing()
        self._gone.set()

    async def leave(self) -> None:
        """Abort what is left of the connection (called by `connect`)."""
        if self._closed is None:
            self._conclude(Closed(code=None, by="us"))
        self._batch = []
        self._abort()
        # What picows raises here is in `Closed` already. It is fetched so that asyncio does not log it.
        with (
            anyio.CancelScope(shield=True),
            anyio.move_on_after(LEAVE_TIMEOUT),
            contextlib.suppress(Exception),
        ):
            await self._transport.wait_disconnected()


class _Tap(asyncio.BufferedProtocol):
    """Stands between the loop and picows: counts what comes in, and sees where a wake-up and the connection end."""

    def __init__(self, inner: asyncio.BufferedProtocol, connection: PicowsSocket) -> None:
        self._connection = connection
        self._inner = inner
        self._parse = inner.buffer_updated
        self._begun = False
        self._now = asyncio.get_running_loop().time
        # Called for every read, so without a frame of Python between.
        self.get_buffer = inner.get_buffer  # type: ignore[method-assign]
        self.pause_writing = inner.pause_writing  # type: ignore[method-assign]
        self.resume_writing = inner.resume_writing  # type: ignore[method-assign]
        self.eof_received = inner.eof_received  # type: ignore[method-assign]

    def buffer_updated(self, nbytes: int) -> None:
        connection = self._connection
        if not self._begun:
            # What came along with the upgrade passed before the tap was there: it ends here, if not in `connect`.
            self._begun = True
            connection.woken()
        connection.last_inbound_at = self._now()
        connection.bytes_received += nbytes
        self._parse(nbytes)
        connection.woken()

    def connection_lost(self, exc: Exception | None) -> None:
        self._inner.connection_lost(exc)
        self._connection.lost(exc)


def _may_be_sent(code: int) -> bool:
    return (1000 <= code <= 1014 and code not in {1004, NO_STATUS, ABNORMAL}) or 3000 <= code <= 4999  # noqa: PLR2004


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True
