"""An event stream: what is written into the ledger, as it happens, as lines of JSON.

A line is an event, with its number as `id`, in the order of the numbers. Two lines are not: `{"event": "cursor", "id": N}` comes
first and names the event after which the stream begins, `{"event": "lagged", "dropped": N}` says how many events were passed over:
a reader was too slow, or came back too late. A reader that returns names the last number that it had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from wsmgr.manager.daemon.paging import PAGE
from wsmgr.manager.daemon.stream import LINES, StreamResponse, write
from wsmgr.manager.runtime.history_views import EventView, event_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from starlette.types import Send

    from wsmgr.manager.daemon.closing import Closing
    from wsmgr.manager.daemon.filters import EventFilter
    from wsmgr.manager.runtime.engine import Engine
    from wsmgr.manager.runtime.newsroom import Follower

BACKLOG: Final = 1_000
"""How many events a reader that returns is given at most."""
CHUNK_LINES: Final = 100

_encode = msgspec.json.Encoder().encode


class EventStream(StreamResponse):
    """The response; it owns its follower.

    Args:
        engine: The running manager.
        follower: Who gets the events from now on.
        closing: Says when the API is ending.
        backlog: What a reader that returns had not seen, oldest first.
        after: The number of the event after which the stream begins, or None where there was none.
        missed: How many events after that one are not to be had.
    """

    def __init__(
        self,
        engine: Engine,
        follower: Follower,
        *,
        closing: Closing,
        backlog: list[EventView],
        after: int | None,
        missed: int,
    ) -> None:
        """Bind the stream."""
        super().__init__(LINES)
        self._newsroom = engine.context.newsroom
        self._follower = follower
        self._closing = closing
        self._backlog = backlog
        self._after = after
        self._missed = missed

    async def pump(self, send: Send) -> None:
        """Write what happens, until the end of the API."""
        await write(send, _line({"event": "cursor", "id": self._after}))
        for chunk in self._chunks(self._missed, self._backlog):
            await write(send, chunk)
        last = False
        while not last:
            last = self._closing.begun
            dropped, rows = self._follower.take()
            for chunk in self._chunks(dropped, map(event_view, rows)):
                await write(send, chunk)
            with self._closing.ended_by_closing():
                await self._follower.wait()

    def release(self) -> None:
        """Follow no more."""
        self._newsroom.leave(self._follower)

    def _chunks(self, dropped: int, events: Iterable[EventView]) -> Iterator[bytes]:
        """Yield what is written at once; an event that was given already is passed over."""
        lines = [_line({"event": "lagged", "dropped": dropped})] if dropped else []
        for event in events:
            if event.id is not None and event.id > (self._after or 0):
                self._after = event.id
                lines.append(_line(event))
            if len(lines) == CHUNK_LINES:
                yield b"".join(lines)
                lines = []
        if lines:
            yield b"".join(lines)


async def follow(engine: Engine, wanted: EventFilter, *, after: int | None, closing: Closing) -> EventStream:
    """Return the stream of the events that happen from now on, or of those after a number.

    Without a number the store is not asked anything: it need not be there.

    Args:
        engine: The running manager.
        wanted: Which events.
        after: The last one that a reader had which returns, or None.
        closing: Says when the API is ending.

    Raises:
        StoreError: What a reader that returns has not seen cannot be read.
    """
    newsroom = engine.context.newsroom
    # First, so that nothing happens between the backlog and the news.
    follower, newest = newsroom.follow(wanted), newsroom.newest
    try:
        backlog = [] if after is None else await _since(engine, after)
    except BaseException:
        newsroom.leave(follower)
        raise
    oldest = backlog[0].id if backlog else None
    return EventStream(
        engine,
        follower,
        closing=closing,
        backlog=list(filter(wanted, backlog)),
        # A number that no event has had yet is of a database that is gone: the reader goes on with what there is.
        after=newest if after is None or oldest is None else after,
        missed=0 if after is None or oldest is None else oldest - after - 1,
    )


async def _since(engine: Engine, after: int) -> list[EventView]:
    """Return the newest events after a number, oldest first."""
    found: list[EventView] = []
    before: int | None = None
    while len(found) < BACKLOG:
        page = await engine.events(before=before, limit=PAGE)
        fresh = [event for event in page if event.id is not None and event.id > after]
        found += fresh
        if len(fresh) < len(page) or len(page) < PAGE:
            break
        before = page[-1].id
    return found[::-1]


def _line(document: object) -> bytes:
    return _encode(document) + b"\n"
