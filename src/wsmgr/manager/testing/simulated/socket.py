"""The client's end of a simulated connection: a `Socket` as the manager's transports make them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

import anyio
from anyio.lowlevel import checkpoint

from wsmgr.manager.transport.errors import SocketClosedError
from wsmgr.manager.transport.protocol import ABNORMAL, Closed, OnBatch, closing_reason

if TYPE_CHECKING:
    from collections.abc import Sequence

_SMALL, _MEDIUM = 125, 65_535
_CONTROL_BYTES = 6


class Wire(Protocol):
    """What a client's end needs of its connection."""

    def send(self, text: str) -> None:
        """Let a text frame travel to the venue."""
        ...

    def ping(self) -> None:
        """Let a ping travel to the venue."""
        ...

    def close(self, code: int) -> None:
        """Let a close frame travel to the venue."""
        ...

    def hang_up(self) -> None:
        """End the connection on this side."""
        ...

    def reads(self) -> None:
        """The client takes what waits for it again."""
        ...


class SimulatedSocket:
    """One open connection; see `wsmgr.manager.transport.Socket`.

    Sending never waits: what the venue does not take, a stalled network does.

    Args:
        wire: The connection.
        on_batch: Takes the frames.
    """

    def __init__(self, wire: Wire, on_batch: OnBatch) -> None:
        """Make the end of a connection that is open."""
        self.rtt: float | None = None
        self.bytes_received = 0
        self.last_inbound_at = anyio.current_time()
        self._wire = wire
        self._on_batch = on_batch
        self._closed: Closed | None = None
        self._gone = anyio.Event()
        self._paused = False
        self._unread: deque[Sequence[str]] = deque()
        self._pinged_at: deque[float] = deque()

    @property
    def is_open(self) -> bool:
        """Whether frames are still handed over."""
        return self._closed is None

    @property
    def closed(self) -> Closed | None:
        """Why it ended or is ending, None while it is open."""
        return self._closed

    @property
    def unread_bytes(self) -> int:
        """How much waits for a client that has paused."""
        return sum(len(text) for texts in self._unread for text in texts)

    async def send(self, frame: bytes | str) -> None:
        """Send one text frame."""
        self._check_open()
        self._wire.send(frame if isinstance(frame, str) else frame.decode())
        await checkpoint()

    async def ping(self) -> None:
        """Send a protocol ping."""
        self._check_open()
        self._pinged_at.append(anyio.current_time())
        self._wire.ping()
        await checkpoint()

    def pause_reading(self) -> None:
        """Stop reading."""
        self._paused = True

    def resume_reading(self) -> None:
        """Read again; what waited is handed over as it came."""
        if not self._paused:
            return
        self._paused = False
        while self._unread and not self._paused:
            self._read(self._unread.popleft())
        self._wire.reads()

    async def aclose(self, code: int = 1000, reason: str = "", *, timeout: float = 2.0) -> None:
        """Say goodbye, and end the connection after the peer's answer or `timeout` seconds."""
        try:
            if self._closed is None:
                self._conclude(Closed(code=code, reason=closing_reason(reason), by="us"))
                self._wire.close(code)
                with anyio.move_on_after(timeout):
                    await self._gone.wait()
            self._hang_up()
            await self._gone.wait()
        except BaseException:
            self._hang_up()
            raise

    async def wait_closed(self) -> Closed:
        """Return why the connection ended."""
        await self._gone.wait()
        closed = self._closed
        assert closed is not None  # noqa: S101 - set before the event
        return closed

    def leave(self) -> None:
        """Abort what is left of the connection."""
        self._conclude(Closed(code=None, by="us"))
        self._hang_up()

    # What the network does.

    def arrived(self, texts: Sequence[str]) -> None:
        """Take frames that arrived in one read."""
        if self._closed is not None:
            return
        if self._paused:
            self._unread.append(texts)
        else:
            self._read(texts)

    def pong(self) -> None:
        """Take the answer to a ping."""
        if self._pinged_at:
            self.rtt = anyio.current_time() - self._pinged_at.popleft()
        self._count(_CONTROL_BYTES)

    def peer_closed(self, code: int, reason: str) -> None:
        """Take a close frame of the venue: its goodbye, or its answer to ours."""
        self._count(_CONTROL_BYTES)
        if self._closed is None:
            self._wire.close(code)
            self._conclude(Closed(code=code, reason=reason, by="peer"))
        self._hang_up()

    def lost(self, error: Exception | None) -> None:
        """The connection broke."""
        self._conclude(Closed(code=ABNORMAL, by="lost", error=error))
        self._gone.set()

    def _read(self, texts: Sequence[str]) -> None:
        batch = [text.encode() for text in texts]
        self._count(sum(_frame_bytes(len(raw)) for raw in batch))
        try:
            self._on_batch(batch)
        except Exception as error:  # noqa: BLE001 - whatever the sink raised, `wait_closed` hands it over
            self._closed = Closed(code=None, by="us", error=error)
            self._hang_up()

    def _count(self, size: int) -> None:
        self.last_inbound_at = anyio.current_time()
        self.bytes_received += size

    def _check_open(self) -> None:
        if self._closed is not None:
            raise SocketClosedError(self._closed)

    def _conclude(self, closed: Closed) -> None:
        if self._closed is None:
            self._closed = closed
            self._unread.clear()

    def _hang_up(self) -> None:
        if not self._gone.is_set():
            self._gone.set()
            self._wire.hang_up()


def _frame_bytes(payload: int) -> int:
    """Bytes of a frame from a server with its header (RFC 6455, 5.2)."""
    return payload + (2 if payload <= _SMALL else 4 if payload <= _MEDIUM else 10)
