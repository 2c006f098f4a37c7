"""The stream between trio-websocket and the network: it reads the response head first, counts, and can stop reading.

Alone, trio-websocket tells of a refused upgrade only when the response's body has ended, which without a `Content-Length` may be never.
Here the head is read before the library sees any of it, and only a head that says 101 is passed on.

The library's reader takes what one read brought, queues one message after the other, and comes back for more: at that
moment `before_read` is called, and a batch is complete.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import trio

from wsmgr.manager.transport.head import SWITCHING_PROTOCOLS, HeadError, end_of_head, parse_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.transport.attempt import Attempt
    from wsmgr.manager.transport.errors import DialError

READ_BYTES = 64 * 1024
"""Bytes of one read at most."""

_CLOSE_FRAME = 0x88  # RFC 6455, 5.2: FIN and opcode 8


class _State(Enum):
    """How far the upgrade is."""

    ASKED = "asked"
    """The response head is not complete."""
    OPEN = "open"
    """The library has a head that says 101."""
    REFUSED = "refused"
    """There is no upgrade; the stream reads as ended."""


class Wire(trio.abc.Stream):
    """A byte stream that begins with the head of the upgrade's response.

    Attributes:
        refusal: Why the upgrade failed, once it has.
        error: What the operating system said when the connection broke.
        close_sent: Whether a close frame went out.
        broken_off: Whether a cancelled send has ended the connection.
        last_inbound_at: `trio.current_time()` of the newest byte.
        bytes_received: Bytes after the head.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        attempt: Attempt,
        *,
        before_read: Callable[[], bool],
        before_close: Callable[[], None],
        on_refusal: Callable[[], None],
    ) -> None:
        """Wrap `stream`.

        Args:
            stream: TCP or TLS, connected.
            attempt: The dial, to say how its upgrade failed.
            before_read: Called when all that the last read brought has been taken; False reads as the end.
            before_close: Called before a close frame goes out.
            on_refusal: Called when `refusal` has been set.
        """
        self.refusal: DialError | None = None
        self.error: BaseException | None = None
        self.close_sent = False
        self.broken_off = False
        self.last_inbound_at = trio.current_time()
        self.bytes_received = 0
        self._stream = stream
        self._attempt = attempt
        self._before_read = before_read
        self._before_close = before_close
        self._on_refusal = on_refusal
        self._state = _State.ASKED
        self._paused: trio.Event | None = None

    def pause(self) -> None:
        """Read no more, and hand over nothing."""
        if self._paused is None:
            self._paused = trio.Event()

    def resume(self) -> None:
        """Read again."""
        if self._paused is not None:
            self._paused.set()
            self._paused = None

    async def receive_some(self, max_bytes: int | None = None) -> bytes:  # noqa: ARG002 (a read is READ_BYTES)
        """Return what came in; the first bytes are a complete head that says 101, and what followed it."""
        if self._state is _State.ASKED:
            return await self._receive_head()
        # Before the batch is handed over: a read that was under way when the pause began is held back too.
        while self._paused is not None:
            await self._paused.wait()
        if not self._before_read():
            return b""
        data = await self._receive()
        self.bytes_received += len(data)
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of `data`. Cancelled halfway it ends the connection: the rest of a frame cannot follow later."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if data[0] == _CLOSE_FRAME:
            self._before_close()
            self.close_sent = True
        try:
            await self._stream.send_all(data)
        except trio.Cancelled:
            self.broken_off = True
            await trio.aclose_forcefully(self._stream)
            raise
        except trio.BrokenResourceError as error:
            self._note(error)
            raise

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there is room to send."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()

    async def discard(self) -> None:
        """Read and forget until the peer ends the connection, so that it can read our close frame first."""
        try:
            while await self._stream.receive_some(READ_BYTES):
                pass
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # That the connection has ended is what was waited for.
            return

    async def _receive(self) -> bytes:
        try:
            data = await self._stream.receive_some(READ_BYTES)
        except trio.BrokenResourceError as error:
            self._note(error)
            raise
        self.last_inbound_at = trio.current_time()
        return bytes(data)

    async def _receive_head(self) -> bytes:
        received = bytearray()
        try:
            while (end := end_of_head(received)) is None:
                data = await self._receive()
                if not data:
                    return self._refuse(
                        self._attempt.failed("the peer hung up before it answered the upgrade")
                    )
                received += data
            status = parse_head(bytes(received[:end])).status
        except HeadError as error:
            return self._refuse(self._attempt.failed(str(error)))
        except trio.BrokenResourceError as error:
            return self._refuse(self._attempt.failed_with(self.error or error))
        if status != SWITCHING_PROTOCOLS:
            return self._refuse(self._attempt.answered(bytes(received[:end])))
        self.bytes_received = len(received) - end
        self._state = _State.OPEN
        return bytes(received)

    def _refuse(self, refusal: DialError) -> bytes:
        self._state = _State.REFUSED
        self.refusal = refusal
        self._on_refusal()
        return b""

    def _note(self, error: trio.BrokenResourceError) -> None:
        self.error = self.error or error.__cause__ or error
