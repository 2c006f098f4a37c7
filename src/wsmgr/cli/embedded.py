"""Embedded: a stream of a manager that runs in this process, in memory, for as long as the command streams."""

from __future__ import annotations

import math

import anyio
from anyio import to_thread

from wsmgr.cli import loop, output
from wsmgr.cli.errors import say
from wsmgr.cli.printing import ANSWERED, Printer
from wsmgr.cli.settings import Settings
from wsmgr.cli.wish import Wish
from wsmgr.manager.config import DEFAULT_VENUE, load_config
from wsmgr.manager.manager import Manager
from wsmgr.manager.model.delivery import Item, default_policy
from wsmgr.manager.model.errors import SubscribeTimeoutError
from wsmgr.manager.model.message import Message
from wsmgr.manager.runtime.handle import Subscription, waits_for
from wsmgr.manager.runtime.lines import event_line, item_line
from wsmgr.manager.runtime.policy import policy_named
from wsmgr.manager.runtime.subscribing import check_redundancy
from wsmgr.manager.venues.dialect import Dialect
from wsmgr.manager.venues.dialects import dialect_named


def check(settings: Settings, wish: Wish) -> None:
    """Refuse what can be known to be wrong before anything runs: the address, the configuration, the wish.

    Args:
        settings: Address and configuration.
        wish: What is to be subscribed to.

    Raises:
        UsageError: One of them is wrong; nothing has been started or said.
    """
    (venue,) = load_config(settings.config, venues=_venues(wish), url=settings.url).venues
    dialect = dialect_named(venue.dialect, venue.types)
    dialect.quotas.override(venue.quotas)
    atom = dialect.atom(wish.type, wish.params)
    check_redundancy(atom.type, wish.redundancy, policy_named(wish.policy) or default_policy(atom.type))


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
    time = math.inf if duration is None else duration
    patience = math.inf if wish.timeout is None else wish.timeout
    async with Manager(_venues(wish), url=settings.url, config=settings.config) as manager:
        dialect = manager.engine.venue(wish.venue).dialect
        deadline = anyio.current_time() + time
        try:
            handle = await manager.subscribe(
                wish.type,
                venue=wish.venue,
                params=wish.params,
                policy=wish.policy,
                connection=wish.connection,
                redundancy=wish.redundancy,
                events=True,
                timeout=min(time, patience),
            )
        except SubscribeTimeoutError as error:
            if patience < time:
                raise
            code = printer.verdict(over=True, waits_for=error.why)
        else:
            code = await _until(deadline, manager, handle, dialect, printer)
    _tell(printer)
    return code


async def _until(
    deadline: float, manager: Manager, handle: Subscription, dialect: Dialect, printer: Printer
) -> int:
    async with handle:
        printer.label = handle.key
        with anyio.CancelScope(deadline=deadline) as time:
            await _print(handle, dialect, printer)
        why = None
        if time.cancelled_caught and handle.state not in ANSWERED:
            why = waits_for(manager.engine.context.registry.entry(handle.id))
    return printer.verdict(over=time.cancelled_caught, waits_for=why)


def _venues(wish: Wish) -> tuple[str, ...]:
    return (wish.venue or DEFAULT_VENUE,)


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
