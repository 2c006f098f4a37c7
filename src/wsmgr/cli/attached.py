"""Attached: a stream of the running daemon, read over its Unix socket."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wsmgr.cli import output
from wsmgr.cli.errors import say
from wsmgr.cli.interrupts import Interrupts
from wsmgr.cli.printing import ANSWERED, Printer
from wsmgr.cli.wish import Wish
from wsmgr.manager.daemon.client_stream import LineStream, RecordStream
from wsmgr.manager.daemon.errors import DaemonError, DaemonUnreachableError
from wsmgr.manager.daemon.records import Record
from wsmgr.manager.daemon.unix_client import path_of

if TYPE_CHECKING:
    from wsmgr.manager.daemon.unix_client import DaemonClient


def subscribe(client: DaemonClient, wish: Wish, printer: Printer, *, duration: float | None) -> int:
    """Subscribe through the daemon and print what comes; returns the exit code.

    Args:
        client: The daemon.
        wish: What is subscribed to.
        printer: How it is printed.
        duration: Seconds after which it ends, or None.

    Raises:
        DaemonError: The daemon refused; its words are in the error.
        DaemonUnreachableError: The daemon went away.
    """
    document = {**wish.document(), "events": True}
    if duration is not None and (wish.timeout is None or duration < wish.timeout):
        document["timeout"] = duration
    deadline = _deadline(duration)
    if printer.form == "raw":
        return _print(client, client.subscribe_records(document, deadline=deadline), printer)
    return _print(client, client.subscribe_lines(document, deadline=deadline), printer)


def tail(client: DaemonClient, id_: str, printer: Printer, *, duration: float | None) -> int:
    """Print what comes on a subscription that the daemon holds already; returns the exit code.

    Args:
        client: The daemon.
        id_: The subscription's id.
        printer: How it is printed.
        duration: Seconds after which it ends, or None.

    Raises:
        DaemonError: There is none with this id.
        DaemonUnreachableError: The daemon went away.
    """
    printer.id = id_
    printer.label = str(client.get(path_of(id_))["key"])
    deadline = _deadline(duration)
    if printer.form == "raw":
        return _print(client, client.stream_records(id_, events=True, deadline=deadline), printer)
    return _print(client, client.stream_lines(id_, events=True, deadline=deadline), printer)


def _print(client: DaemonClient, stream: LineStream | RecordStream, printer: Printer) -> int:
    over = False
    why = None
    interrupts = Interrupts()
    with interrupts.handled(), stream:
        try:
            for batch in _batches(stream, interrupts):
                data = _rendered(batch, printer)
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


def _batches(
    stream: LineStream | RecordStream, interrupts: Interrupts
) -> Iterator[list[bytes]] | Iterator[list[Record]]:
    """Yield the stream's batches; spelled out for each kind, so that a batch has one type."""
    match stream:
        case LineStream():
            return interrupts.between(stream)
        case RecordStream():
            return interrupts.between(stream)


def _rendered(batch: list[bytes] | list[Record], printer: Printer) -> bytes:
    if printer.form != "raw":
        return printer.lines(line for line in batch if isinstance(line, bytes))
    records = [record for record in batch if isinstance(record, Record)]
    for record in records:
        if record.told:
            printer.event(record.data)
    return printer.frames(record.data for record in records if not record.told)


def _deadline(duration: float | None) -> float | None:
    return None if duration is None else time.monotonic() + duration


def _tell(printer: Printer) -> None:
    for words in printer.take_said():
        say(words)
