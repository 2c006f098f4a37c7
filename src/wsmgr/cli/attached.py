"""Attached: a stream of the running daemon, read over its Unix socket; it goes on when the daemon was restarted meanwhile."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from wsmgr.cli import output
from wsmgr.cli.errors import say
from wsmgr.cli.interrupts import Interrupts
from wsmgr.cli.printing import ANSWERED, Printer
from wsmgr.cli.returning import Returning
from wsmgr.cli.wish import Wish
from wsmgr.manager.daemon.errors import DaemonError, DaemonUnreachableError
from wsmgr.manager.daemon.unix_client import path_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.daemon.records import Record
    from wsmgr.manager.daemon.stream_client import StreamClient
    from wsmgr.manager.daemon.unix_client import DaemonClient

Part = TypeVar("Part")


def subscribe(client: StreamClient, wish: Wish, printer: Printer, *, duration: float | None) -> int:
    """Subscribe through the daemon and print what comes; returns the exit code.

    Args:
        client: The daemon.
        wish: What is subscribed to.
        printer: How it is printed.
        duration: Seconds after which it ends, or None.

    Raises:
        DaemonError: The daemon refused; its words are in the error.
        DaemonUnreachableError: The daemon went away, and was not back in time.
    """
    document = {**wish.document(), "events": True}
    if duration is not None and (wish.timeout is None or duration < wish.timeout):
        document["timeout"] = duration
    # A reader that returns is attached at once: what the subscription waits for is told by the stream.
    later = {**document, "wait": "none"}
    deadline = _deadline(duration)
    if printer.form == "raw":
        frames = Returning(
            lambda: client.subscribe_records(document, deadline=deadline),
            lambda after: client.subscribe_records({**later, "after": after}, deadline=deadline),
            ended=lambda: printer.over,
            deadline=deadline,
            dated=True,
        )
        return _print(client, frames, lambda batch: _frames(batch, printer), printer)
    lines = Returning(
        lambda: client.subscribe_lines(document, deadline=deadline),
        lambda after: client.subscribe_lines({**later, "after": after}, deadline=deadline),
        ended=lambda: printer.over,
        deadline=deadline,
        dated=True,
    )
    return _print(client, lines, printer.lines, printer)


def tail(
    client: StreamClient, id_: str, printer: Printer, *, after: str | None = None, duration: float | None
) -> int:
    """Print what comes on a subscription that the daemon holds already; returns the exit code.

    Args:
        client: The daemon.
        id_: The subscription's id.
        printer: How it is printed.
        after: The cursor of the last message that the reader had, or None.
        duration: Seconds after which it ends, or None.

    Raises:
        DaemonError: There is none with this id.
        DaemonUnreachableError: The daemon went away, and was not back in time.
    """
    printer.id = id_
    printer.label = str(client.get(path_of(id_))["key"])
    deadline = _deadline(duration)
    if printer.form == "raw":
        frames = Returning(
            lambda: client.records_after(id_, after, deadline=deadline),
            lambda place: client.records_after(id_, place or after, deadline=deadline),
            ended=lambda: printer.over,
            deadline=deadline,
            dated=True,
        )
        return _print(client, frames, lambda batch: _frames(batch, printer), printer)
    lines = Returning(
        lambda: client.lines_after(id_, after, deadline=deadline),
        lambda place: client.lines_after(id_, place or after, deadline=deadline),
        ended=lambda: printer.over,
        deadline=deadline,
        dated=True,
    )
    return _print(client, lines, printer.lines, printer)


def _print(
    client: DaemonClient,
    stream: Returning[Part],
    render: Callable[[list[Part]], bytes],
    printer: Printer,
) -> int:
    over = False
    why = None
    interrupts = Interrupts()
    with interrupts.handled(), closing(stream.batches()) as batches:
        try:
            for batch in interrupts.between(batches):
                data = render(batch)
                _tell(printer)
                if data:
                    output.write(data)
                if printer.finished:
                    break
        except TimeoutError:
            over = True
            if not printer.printed:
                # While this consumer still holds it.
                why = _waits_for(client, printer.id)
    code = printer.verdict(over=over, waits_for=why)
    _tell(printer)
    return code


def _waits_for(client: DaemonClient, id_: str) -> str | None:
    """Return what a subscription waits for, in the daemon's words; None where it waits for nothing but messages."""
    try:
        row = client.get(path_of(id_))
        if row["state"] in ANSWERED:
            return None
        if row["error"]:
            return str(row["error"])
        connections = {each["id"]: each for each in client.items("/v1/connections")}
    except (DaemonError, DaemonUnreachableError):
        # It was ended at this moment, or the daemon was: the time is over all the same.
        return None
    reason = connections.get(row["connection"], {}).get("reason")
    return f"it is {row['state']}" + (f": {reason}" if reason else "")


def _frames(batch: list[Record], printer: Printer) -> bytes:
    for record in batch:
        if record.told:
            printer.event(record.data)
    return printer.frames(record.data for record in batch if not record.told)


def _deadline(duration: float | None) -> float | None:
    return None if duration is None else time.monotonic() + duration


def _tell(printer: Printer) -> None:
    for words in printer.take_said():
        say(words)
