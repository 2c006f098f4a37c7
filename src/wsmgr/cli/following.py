"""Following: the daemon's events as they happen, a line each."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import msgspec

from wsmgr.cli import cells, output
from wsmgr.cli.errors import say
from wsmgr.cli.interrupts import Interrupts
from wsmgr.cli.returning import Returning

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from wsmgr.cli.sources import EventFilters
    from wsmgr.cli.tables import Column
    from wsmgr.manager.daemon.stream_client import StreamClient

_OURS: Final = b'{"event":'
"""How a line begins that is no event of the ledger."""


def follow(
    client: StreamClient,
    filters: EventFilters,
    columns: Sequence[Column],
    *,
    after: int | None,
    json: bool,
) -> None:
    """Print events until Ctrl-C; where the daemon is restarted meanwhile, those that it noted until then too.

    Args:
        client: The daemon.
        filters: Which events.
        columns: What people are shown of one.
        after: The number of the event behind which it begins, or None for what happens from now on.
        json: Whether a line is JSON.

    Raises:
        DaemonUnreachableError: The daemon went away, and was not back in time.
    """
    begins = None if after is None else str(after)
    stream = Returning(
        lambda: client.follow_events(filters.query(), begins),
        lambda cursor: client.follow_events(filters.query(), cursor or begins),
    )
    interrupts = Interrupts()
    with interrupts.handled(), closing(stream.batches()) as batches:
        for batch in interrupts.between(batches):
            lines = [line for line in batch if not line.startswith(_OURS)]
            for words in _told(line for line in batch if line.startswith(_OURS)):
                say(words)
            if lines:
                shown = lines if json else [_for_people(line, columns) for line in lines]
                output.write(b"\n".join([*shown, b""]))


def _for_people(line: bytes, columns: Sequence[Column]) -> bytes:
    """Return an event as a line; columns that would be empty take no room, there is no title to stand under."""
    row: dict[str, Any] = msgspec.json.decode(line)
    given = [cell for column in columns if (cell := column.cell(row)) != cells.NOTHING]
    return "  ".join(given).encode()


def _told(lines: Iterable[bytes]) -> Iterator[str]:
    for line in lines:
        event: dict[str, Any] = msgspec.json.decode(line)
        if event["event"] == "lagged":
            yield f"{event['dropped']} events were passed over: this reader was too slow, or away for too long"
