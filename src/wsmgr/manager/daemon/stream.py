"""A stream: what comes on a subscription, as an HTTP response that goes on until somebody ends it.

::

    application/x-ndjson           one line of JSON for each message (and event, where asked for)
    application/vnd.wsmgr.frames   one record for each message: its frame, byte for byte (`records`)

What one wake-up brought is one write. The consumer's hold on the subscription is given back when it disconnects, whether it
was reading or not, and when the daemon ends. An end by an error (the consumer was too slow and its policy is `fail`) breaks the
response off where no events were asked for: nobody mistakes it for a complete one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import anyio
from anyio.lowlevel import checkpoint
from attrs import frozen
from starlette.responses import Response

from wsmgr.manager.daemon.records import FRAMES, frame_record, told_record
from wsmgr.manager.model.delivery import Item
from wsmgr.manager.model.errors import WsmgrError
from wsmgr.manager.model.message import Message
from wsmgr.manager.runtime.lines import (
    STOPPING,
    PayloadBytes,
    ending_lines,
    ends_stream,
    event_line,
    message_line,
)

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from wsmgr.manager.daemon.closing import Closing
    from wsmgr.manager.runtime.handle import Subscription

LINES: Final = "application/x-ndjson"
CHUNK_ITEMS: Final = 100
CHUNK_BYTES: Final = 128 * 1024


@frozen(kw_only=True)
class StreamOptions:
    """How a consumer wants a stream.

    Attributes:
        raw: Whether it wants frames rather than lines.
        events: Whether it wants continuity events too.
    """

    raw: bool = False
    events: bool = False


class MessageStream(Response):
    """The response; it owns the consumer's handle and releases it when it ends.

    Args:
        handle: The consumer.
        payload_bytes: The dialect's, for lines.
        options: How the consumer wants it.
        closing: Says when the API is ending.
        head: A line to begin with, or nothing.
    """

    def __init__(
        self,
        handle: Subscription,
        payload_bytes: PayloadBytes,
        *,
        options: StreamOptions,
        closing: Closing,
        head: bytes = b"",
    ) -> None:
        """Bind the stream; nothing is read yet. It has no content-length: the base's `__init__` would set one."""
        self.status_code = 200
        self.background = None
        self.media_type = FRAMES if options.raw else LINES
        self.init_headers({"cache-control": "no-store"})
        self._handle = handle
        self._payload_bytes = payload_bytes
        self._options = options
        self._closing = closing
        self._head = head

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Stream until the client disconnects, the consumer ends, or the API does."""
        ending = _Ending()
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            async with anyio.create_task_group() as group:
                group.start_soon(_watch, receive, ending, group.cancel_scope)
                with self._closing.ended_by_closing():
                    await self._pump(send, ending)
                group.cancel_scope.cancel()
        finally:
            self._handle.release()
        if not ending.gone:
            # Nobody watches any more: the server reports a disconnect of its own while it takes the last part.
            await self._farewell(send, ending)

    async def _farewell(self, send: Send, ending: _Ending) -> None:
        if self._options.events and not ending.told:
            words = ending_lines(self._handle.id, ending.error, by=self._ended_by())
            await _write(send, self._told_lines(words))
        if ending.error is None or self._options.events:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _pump(self, send: Send, ending: _Ending) -> None:
        try:
            if self._head:
                await _write(send, self._told(self._head))
            while True:
                items = await self._handle.batch()
                ending.told = ends_stream(items)
                for chunk in self._chunks(items):
                    await _write(send, chunk)
        except StopAsyncIteration:
            return
        except WsmgrError as error:
            ending.error = error

    def _chunks(self, items: Sequence[Item]) -> Iterator[bytes]:
        """Yield what is written at once: a batch, or a part of one that is large."""
        parts: list[bytes] = []
        size = 0
        for item in items:
            part = self._record(item) if self._options.raw else self._line(item)
            parts.append(part)
            size += len(part)
            if len(parts) == CHUNK_ITEMS or size >= CHUNK_BYTES:
                yield b"".join(parts)
                parts, size = [], 0
        if parts:
            yield b"".join(parts)

    def _line(self, item: Item) -> bytes:
        if isinstance(item, Message):
            return message_line(item, self._payload_bytes)
        return event_line(self._handle.id, item)

    def _record(self, item: Item) -> bytes:
        if isinstance(item, Message):
            return frame_record(item.raw)
        return self._told(event_line(self._handle.id, item))

    def _told_lines(self, lines: bytes) -> bytes:
        return b"".join(map(self._told, lines.splitlines(keepends=True)))

    def _told(self, line: bytes) -> bytes:
        return told_record(line) if self._options.raw else line

    def _ended_by(self) -> str:
        return STOPPING if self._closing.begun else "unsubscribe"


class _Ending:
    """How far a stream has come, and why it ends.

    Attributes:
        told: Whether the consumer has been told why it ends.
        error: What ended the consumer, or None.
        gone: Whether the client has disconnected.
    """

    def __init__(self) -> None:
        self.told = False
        self.error: WsmgrError | None = None
        self.gone = False


async def _write(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})
    # A server whose buffer has room does not wait in `send`; others get their turn here.
    await checkpoint()


async def _watch(receive: Receive, ending: _Ending, scope: anyio.CancelScope) -> None:
    await gone(receive)
    ending.gone = True
    scope.cancel()


async def gone(receive: Receive) -> None:
    """Return when the client of a request has disconnected; what is left of the request's body is passed over."""
    while (await receive())["type"] != "http.disconnect":
        pass
