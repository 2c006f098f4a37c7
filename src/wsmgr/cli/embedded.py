"""Embedded: a stream of a manager that runs in this process, in memory, for as long as the command streams."""

from __future__ import annotations

import math

import anyio
from anyio import to_thread

from wsmgr.cli import loop, output
from wsmgr.cli.errors import say
from wsmgr.cli.printing import Printer
from wsmgr.cli.settings import Settings
from wsmgr.cli.wish import Wish
from wsmgr.manager.config import DEFAULT_VENUE
from wsmgr.manager.manager import Manager
from wsmgr.manager.model.delivery import Item
from wsmgr.manager.model.message import Message
from wsmgr.manager.runtime.handle import Subscription
from wsmgr.manager.runtime.lines import event_line, item_line
from wsmgr.manager.venues.dialect import Dialect


def stream(settings: Settings, wish: Wish, printer: Printer, *, duration: float | None) -> int:
    """Subscribe and print what comes; returns the exit code.

    Args:
        settings: Backend, address and configuration.
        wish: What is subscribed to.
        printer: How it is printed.
        duration: Seconds after which it ends, or None.

    Raises:
        WsmgrError: What `Manager.subscribe` raises, and what ends an iterator.
    """
    return loop.run(settings.backend, lambda: _stream(settings, wish, printer, duration))


async def _stream(settings: Settings, wish: Wish, printer: Printer, duration: float | None) -> int:
    venues = (wish.venue or DEFAULT_VENUE,)
    async with Manager(venues, url=settings.url, config=settings.config) as manager:
        dialect = manager.engine.venue(wish.venue).dialect
        with anyio.move_on_after(math.inf if duration is None else duration) as time:
            handle = await manager.subscribe(
                wish.type,
                venue=wish.venue,
                params=wish.params,
                policy=wish.policy,
                connection=wish.connection,
                events=True,
                timeout=math.inf if wish.timeout is None else wish.timeout,
            )
            async with handle:
                printer.label = handle.key
                await _print(handle, dialect, printer)
        code = printer.verdict(over=time.cancelled_caught)
    _tell(printer)
    return code


async def _print(handle: Subscription, dialect: Dialect, printer: Printer) -> None:
    while not printer.finished:
        try:
            items = await handle.batch()
        except StopAsyncIteration:
            return
        data = _rendered(handle.id, items, dialect, printer)
        _tell(printer)
        if data:
            # In a thread: a reader of the pipe that stops reading must not stop the loop, and with it the sockets.
            await to_thread.run_sync(output.write, data, abandon_on_cancel=True)


def _rendered(id_: str, items: list[Item], dialect: Dialect, printer: Printer) -> bytes:
    if printer.form != "raw":
        return printer.lines(item_line(id_, item, dialect.payload_bytes).rstrip(b"\n") for item in items)
    for item in items:
        if not isinstance(item, Message):
            printer.event(event_line(id_, item))
    return printer.frames(item.raw for item in items if isinstance(item, Message))


def _tell(printer: Printer) -> None:
    for words in printer.take_said():
        say(words)
