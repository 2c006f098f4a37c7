"""Watching: the same rows again every second, until Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from wsmgr.cli import output, tables
from wsmgr.cli.sources import Row

INTERVAL: Final = 1.0
_SURROUNDINGS: Final = 5


def watch(columns: Sequence[tables.Column], rows: Callable[[], list[Row]], *, json: bool) -> None:
    """Show rows again and again: redrawn on a terminal, as blocks with an empty line between in a pipe.

    Args:
        columns: What is shown of a row.
        rows: Reads the rows.
        json: One JSON document a line instead.
    """
    if not json and output.on_terminal():
        _redraw(columns, rows)
    while True:
        if json:
            output.write_json(rows())
        else:
            output.write(tables.plain(columns, rows()).encode() + b"\n")
        time.sleep(INTERVAL)


def _redraw(columns: Sequence[tables.Column], rows: Callable[[], list[Row]]) -> None:
    from rich.live import Live

    console = tables.console()
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            found = rows()
            shown = found[: max(1, console.height - _SURROUNDINGS)]
            title = f"{len(shown)} of {len(found)}" if len(shown) < len(found) else f"{len(found)} rows"
            fitted = tables.fitting(columns, shown, console.width)
            live.update(tables.table(fitted, shown, title=title), refresh=True)
            time.sleep(INTERVAL)
