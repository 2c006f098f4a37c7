"""A message stream: what comes on a subscription, as an HTTP response that goes on until somebody ends it.

::

    application/x-ndjson           one line of JSON for each message (and event, where asked for)
    application/vnd.wsmgr.frames   one record for each message: its frame, byte for byte (`records`)

What one wake-up brought is one write. The consumer's hold on the subscription is given back when it disconnects, whether it
was reading or not, and when the daemon ends. An end by an error (the consumer was too slow and its policy is `fail`) breaks the
response off where no events were asked for: nobody mistakes it for a complete one.

**Places.** A reader that returns names the last message that it had: its cursor, `epoch:seq`. Lines carry both numbers. Frames
do not, so a raw stream with events has a line `cursor` before each frame that is not the one after the frame before it, the
first among them: whoever counts frames from there knows its place to the frame, wherever the connection is cut. A stream that begins
with nothing to show begins with that line too, in either form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from attrs import frozen

from wsmgr.manager.daemon.records import FRAMES, frame_record, told_record
from wsmgr.manager.daemon.stream import LINES, StreamResponse, end, write
from wsmgr.manager.model.errors import WsmgrError
from wsmgr.manager.model.message import Message
from wsmgr.manager.model.returning import Cursor
from wsmgr.manager.runtime.lines import (
    STOPPING,
    PayloadBytes,
    ending_lines,
    ends_stream,
    event_line,
    message_line,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starlette.types import Send

    from wsmgr.manager.daemon.closing import Closing
    from wsmgr.manager.model.delivery import Item
    from wsmgr.manager.runtime.handle import Subscription

CHUNK_ITEMS: Final = 100
CHUNK_BYTES: Final = 128 * 1024

_encode = msgspec.json.Encoder().encode


@frozen(kw_only=True)
class StreamOptions:
    """How a consumer wants a stream.

    Attributes:
        raw: Whether it wants frames rather than lines.
        events: Whether it wants continuity events too.
    """

    raw: bool = False
    events: bool = False


class MessageStream(StreamResponse):
    """The response; it owns the consumer's handle and releases it when it ends.

    Args:
        handle: The consumer.
        payload_bytes: The dialect's, for lines.
        options: How the consumer wants it.
        closing: Says when the API is ending.
        place: The newest message of the subscription.
        head: A line to begin with, or nothing.
    """

    def __init__(
        self,
        handle: Subscription,
        payload_bytes: PayloadBytes,
        *,
        options: StreamOptions,
        closing: Closing,
        place: Cursor,
        head: bytes = b"",
    ) -> None:
        """Bind the stream; nothing is read yet."""
        super().__init__(FRAMES if options.raw else LINES)
        self._handle = handle
        self._payload_bytes = payload_bytes
        self._options = options
        self._closing = closing
        self._head = head
        self._begins_at = place
        self._place: Cursor | None = None
        self._told = False
        self._error: WsmgrError | None = None

    async def pump(self, send: Send) -> None:
        """Write what comes, until the consumer ends; at the end of the API what there is, and no more."""
        try:
            for chunk in self._opening():
                await write(send, chunk)
            last = False
            while not last:
                last = self._closing.begun
                # At the end of the API nothing, where there is nothing; else what there is, and no more.
                items: list[Item] = []
                with self._closing.ended_by_closing():
                    items = await self._handle.batch()
                for chunk in self._chunks(items):
                    await write(send, chunk)
                last = last or not items
        except StopAsyncIteration:
            return
        except WsmgrError as error:
            self._error = error

    def release(self) -> None:
        """Give the hold back."""
        self._handle.release()

    async def farewell(self, send: Send) -> None:
        """Say why the stream ends, where events were asked for; after an error that was not told, break it off."""
        if self._options.events and not self._told:
            by = STOPPING if self._closing.begun else "unsubscribe"
            await write(send, self._own(ending_lines(self._handle.id, self._error, by=by)))
        if self._error is None or self._options.events:
            await end(send)

    def _opening(self) -> Iterator[bytes]:
        """Yield what is written first: the head, what waits already, and the place where no message tells it."""
        if self._head:
            yield self._own(self._head)
        items: list[Item] = []
        while (item := self._handle.buffer.take()) is not None:
            items.append(item)
        yield from self._chunks(items)
        if self._options.events and not any(isinstance(item, Message) for item in items):
            yield self._cursor(self._begins_at)

    def _chunks(self, items: Sequence[Item]) -> Iterator[bytes]:
        """Yield what is written at once: a batch, or a part of one that is large."""
        self._told = self._told or ends_stream(items)
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
        if not isinstance(item, Message):
            return told_record(event_line(self._handle.id, item))
        record = frame_record(item.raw)
        if not self._options.events:
            return record
        before = Cursor(item.epoch, item.seq - 1)
        if before != self._place:
            record = self._cursor(before) + record
        self._place = Cursor(item.epoch, item.seq)
        return record

    def _cursor(self, place: Cursor) -> bytes:
        """Return the line of a place: the message that comes next is the one after it."""
        line = {"id": self._handle.id, "event": "cursor", "seq": place.seq, "epoch": place.epoch}
        return self._own(_encode(line) + b"\n")

    def _own(self, lines: bytes) -> bytes:
        """Return lines of our own in the form of the stream."""
        if not self._options.raw:
            return lines
        return b"".join(map(told_record, lines.splitlines(keepends=True)))
