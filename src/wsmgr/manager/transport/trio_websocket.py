"""The transport for trio: trio-websocket, over a stream that we open ourselves.

trio-websocket reads in a task of its own and queues messages. Its queue is emptied here without waiting, each time its reader
comes back for more bytes (`Wire`): so what one read brought is one batch, and no second task is woken for each message.
That takes one private attribute of the library, `_recv_channel`; its public `get_message` costs a task switch per
message more (measured: 10 to 20 % of the throughput) and cannot tell where a read ended, so there would be no batches.

What trio-websocket 0.12 does differently from what we promise is settled here: a text that is not UTF-8 ends its reading
without a word to the peer (we send the close frame), its size limit counts characters (bytes are counted here), and it waits for
the peer's end of a connection that is closed already (we end it).
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import trio
import trio_websocket
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection

from wsmgr.manager.transport.attempt import DIALLING_ERRORS, Attempt, client_context
from wsmgr.manager.transport.errors import FrameError, SocketClosedError, TransportError
from wsmgr.manager.transport.pings import Pings
from wsmgr.manager.transport.protocol import ABNORMAL, Closed, Dial, OnBatch, closing_reason
from wsmgr.manager.transport.racing import Address, open_tcp
from wsmgr.manager.transport.tunnel import open_tunnel, proxy_library
from wsmgr.manager.transport.wire import READ_BYTES, Wire

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator

LEAVE_TIMEOUT = 1.0
"""Seconds that the peer has to take our close frame after it broke the protocol."""

_QUEUE_SIZE = READ_BYTES
"""More messages than one read can hold (the shortest frame has two bytes): the reader never waits for room."""


@asynccontextmanager
async def connect(dial: Dial, on_batch: OnBatch) -> AsyncGenerator[TrioSocket, None]:
    """Dial with trio-websocket. See `wsmgr.manager.transport.protocol` for what every transport promises."""
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        try:
            yield await _dial(dial, on_batch, nursery)
        except BaseException as error:  # noqa: BLE001 (nothing is swallowed)
            # Raised again below, outside of the nursery, which would wrap it in a group.
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


class TrioSocket:
    """A `Socket` on trio."""

    def __init__(
        self, stream: trio.abc.Stream, attempt: Attempt, on_batch: OnBatch, nursery: trio.Nursery
    ) -> None:
        """Make the socket of a connected stream; `connect` does it."""
        self.rtt: float | None = None
        self._attempt = attempt
        self._dial = attempt.dial
        self._stream = stream
        self._on_batch = on_batch
        self._nursery = nursery
        self._upgrading = trio.CancelScope()
        self._wire = Wire(
            stream,
            attempt,
            before_read=self._before_read,
            before_close=self._deliver,
            on_refusal=self._upgrading.cancel,
        )
        self._connection: trio_websocket.WebSocketConnection | None = None
        self._settled = trio.Event()
        self._gone = trio.Event()
        self._goodbye: trio.CancelScope | None = None
        self._pings = Pings()
        self._closed: Closed | None = None

    @property
    def last_inbound_at(self) -> float:
        """When the last byte came in."""
        return self._wire.last_inbound_at

    @property
    def bytes_received(self) -> int:
        """Bytes that came in after the upgrade."""
        return self._wire.bytes_received

    async def send(self, frame: bytes | str) -> None:
        """Send one text frame."""
        connection = self._open_connection()
        try:
            await connection.send_message(frame if isinstance(frame, str) else frame.decode())
        except trio_websocket.ConnectionClosed as error:
            raise SocketClosedError(self._closed or self._ended_by(connection)) from error

    async def ping(self) -> None:
        """Send a protocol ping, from a task that waits for its answer."""
        self._nursery.start_soon(self._measure, self._open_connection())

    def pause_reading(self) -> None:
        """Stop reading from the socket."""
        self._wire.pause()

    def resume_reading(self) -> None:
        """Read from the socket again."""
        self._wire.resume()

    async def aclose(self, code: int = 1000, reason: str = "", *, timeout: float = 2.0) -> None:
        """Send a close frame, wait for the peer's, then end the connection."""
        if self._closed is None and self._connection is not None:
            self._deliver()
        if self._closed is None and self._connection is not None:
            self._closed = Closed(code=code, reason=closing_reason(reason), by="us")
            self.resume_reading()
            with trio.move_on_after(timeout) as self._goodbye:
                await self._connection.aclose(code, self._closed.reason)
        await self._gone.wait()

    async def wait_closed(self) -> Closed:
        """Return why the socket ended."""
        await self._gone.wait()
        return cast(Closed, self._closed)  # set before `_gone`

    def _open_connection(self) -> trio_websocket.WebSocketConnection:
        if self._closed is not None:
            raise SocketClosedError(self._closed)
        return cast(
            trio_websocket.WebSocketConnection, self._connection
        )  # there before anybody has the socket

    def _ended_by(self, connection: trio_websocket.WebSocketConnection) -> Closed:
        # A send failed before the reader has come to a verdict.
        reason = connection.closed
        if reason is None or reason.code == ABNORMAL:
            return Closed(code=ABNORMAL, by="lost", error=self._wire.error)
        return _closed_by_peer(reason)

    async def _measure(self, connection: trio_websocket.WebSocketConnection) -> None:
        payload = self._pings.begin(time.perf_counter())
        try:
            await connection.ping(payload)
        except trio_websocket.ConnectionClosed:
            # The socket's verdict says it.
            return
        rtt = self._pings.answered(payload, time.perf_counter())
        self.rtt = self.rtt if rtt is None else rtt

    async def upgraded(self) -> None:
        """Return when the connection is open (called by `connect`).

        Raises:
            DialError: It did not come to that.
        """
        await self._settled.wait()
        if self._connection is None:
            # Without a refusal the head said 101, and the library's reader failed over what else it said.
            raise self._wire.refusal or self._attempt.failed(
                "the response is no valid answer to this upgrade"
            )

    async def run(self) -> None:
        """Be the connection: upgrade, read until the end, come to the verdict (a task of `connect`)."""
        try:
            await self._read()
            self._conclude()
            if self._closed is not None and isinstance(self._closed.error, FrameError):
                await self._part(self._closed)
        finally:
            if self._closed is None:
                self._closed = Closed(code=None, by="us")
            if self._goodbye is not None:
                self._goodbye.cancel()
            with trio.CancelScope(shield=True):
                await trio.aclose_forcefully(self._stream)
            self._settled.set()
            self._gone.set()

    async def _read(self) -> None:
        try:
            async with trio.open_nursery() as nursery:
                with self._upgrading:
                    self._connection = await trio_websocket.wrap_client_stream(
                        nursery,
                        cast(Any, self._wire),
                        self._dial.authority,
                        self._dial.resource,
                        extra_headers=[(name.encode(), value.encode()) for name, value in self._dial.headers],
                        message_queue_size=_QUEUE_SIZE,
                        max_message_size=self._dial.max_frame_bytes,
                        receive_buffer_size=READ_BYTES,
                    )
                    self._deliver()
                self._settled.set()
        except* Exception as group:  # noqa: BLE001 (of a library: what it is stands in the verdict)
            # The library's reader failed in itself, as when a ping comes in while it is closing.
            self._closed = self._closed or Closed(code=ABNORMAL, by="lost", error=_library_failure(group))

    def _before_read(self) -> bool:
        self._deliver()
        if self._closed is not None:
            return self._goodbye is not None
        reason = None if self._connection is None else self._connection.closed
        if reason is None:
            return True
        if self._wire.close_sent:
            self._closed = _closed_by_peer(reason)
        else:
            self._violated(int(reason.code), reason.reason or "not a WebSocket frame")
        return False

    def _conclude(self) -> None:
        self._deliver()
        if self._closed is None and self._wire.broken_off:
            self._closed = Closed(code=None, reason="a send was cancelled halfway through a frame", by="us")
        elif self._closed is None:
            self._closed = Closed(code=ABNORMAL, by="lost", error=self._wire.error)

    def _violated(self, code: int, why: str) -> None:
        self._closed = Closed(code=code, reason=closing_reason(why), by="us", error=FrameError(code, why))

    async def _part(self, closed: Closed) -> None:
        with trio.move_on_after(LEAVE_TIMEOUT):
            if not self._wire.close_sent:
                frame = Connection(ConnectionType.CLIENT).send(
                    CloseConnection(closed.code or ABNORMAL, closed.reason)
                )
                try:
                    await self._wire.send_all(frame)
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    # The peer is gone already; there is nobody to tell.
                    return
            await self._wire.discard()

    def _deliver(self) -> None:
        if self._connection is None or self._closed is not None:
            return
        batch, violation = self._drain(self._connection)
        if batch:
            try:
                self._on_batch(batch)
            except Exception as error:  # noqa: BLE001 (whatever it is, `wait_closed` hands it over)
                # The sink's contract: its exception is a bug of ours that the owner of the socket decides about.
                self._closed = Closed(code=None, by="us", error=error)
                return
        if violation is not None:
            self._violated(violation.code, violation.why)

    def _drain(self, connection: trio_websocket.WebSocketConnection) -> tuple[list[bytes], FrameError | None]:
        # Private: see the module's docstring.
        receive = connection._recv_channel.receive_nowait  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        limit = self._dial.max_frame_bytes
        batch: list[bytes] = []
        while True:
            try:
                message = receive()
            except (trio.WouldBlock, trio.EndOfChannel):
                return batch, None
            except trio.ClosedResourceError:
                # The library closes this end by itself for one cause only (else `_closed` is set before).
                return batch, FrameError(1009, f"a message of more than {limit} bytes")
            if not isinstance(message, str):
                return batch, FrameError(1003, "a binary message where only text is understood")
            payload = message.encode()
            if len(payload) > limit:
                return batch, FrameError(1009, f"a message of more than {limit} bytes")
            batch.append(payload)


async def _dial(dial: Dial, on_batch: OnBatch, nursery: trio.Nursery) -> TrioSocket:
    attempt = Attempt(dial)
    with trio.move_on_after(dial.timeout):
        stream = await _open(attempt)
        attempt.phase = "upgrade"
        connection = TrioSocket(stream, attempt, on_batch, nursery)
        nursery.start_soon(connection.run)
        await connection.upgraded()
        return connection
    raise attempt.timed_out()


async def _open(attempt: Attempt) -> trio.abc.Stream:
    dial = attempt.dial
    try:
        opened = await (_open_tcp(attempt) if dial.proxy is None else _open_tunnel(attempt, dial.proxy))
        return await _secured(opened, attempt) if dial.secure else opened
    except DIALLING_ERRORS as error:
        raise attempt.failed_with(error) from error
    except trio.BrokenResourceError as error:
        raise attempt.failed_with(error.__cause__ or error) from error


async def _open_tcp(attempt: Attempt) -> trio.SocketStream:
    async def connect_socket(sock: socket.socket, address: Address) -> None:
        # trio's socket is made of a duplicate, so that this one stays the caller's to close.
        with trio.socket.from_stdlib_socket(sock.dup()) as trio_socket:
            await trio_socket.connect(address)

    sock = await open_tcp(attempt, connect_socket)
    return trio.SocketStream(trio.socket.from_stdlib_socket(sock))


async def _open_tunnel(attempt: Attempt, proxy: str) -> trio.SocketStream:
    with proxy_library():
        from python_socks.async_.trio import Proxy  # noqa: PLC0415
    sock = await open_tunnel(attempt, Proxy.from_url(proxy))
    return trio.SocketStream(sock)


async def _secured(opened: trio.SocketStream, attempt: Attempt) -> trio.abc.Stream:
    attempt.phase = "tls"
    stream = trio.SSLStream(
        opened,
        attempt.dial.ssl_context or client_context(),
        server_hostname=attempt.dial.host,
        https_compatible=True,
    )
    try:
        await stream.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(opened)
        raise
    return stream


def _closed_by_peer(reason: trio_websocket.CloseReason) -> Closed:
    # The library's code is an enumeration's member where the RFC names it.
    return Closed(code=int(reason.code), reason=reason.reason or "", by="peer")


def _library_failure(group: BaseExceptionGroup[Exception]) -> TransportError:
    leaf: BaseException = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    failure = TransportError(f"trio-websocket failed: {leaf!r}")
    failure.__cause__ = leaf
    return failure
