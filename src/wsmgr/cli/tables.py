"""Tables: rows for people, as a rich table on a terminal and as plain aligned text in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from wsmgr.cli import cells, output
from wsmgr.cli.errors import say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Row = Mapping[str, Any]
SHOWN: Final = 200
"""How many rows a terminal is shown at most, unless all are asked for."""
COLOURS: Final = {
    "live": "green",
    "ready": "green",
    "running": "green",
    "acknowledged": "cyan",
    "stopped": "dim",
    "closed": "dim",
    "pending": "yellow",
    "subscribing": "yellow",
    "dialling": "yellow",
    "waiting": "yellow",
    "stale": "yellow",
    "draining": "yellow",
    "lost": "red",
    "flapping": "red",
    "disconnected": "red",
    "unauthorized": "red",
    "rejected": "bold red",
    "failed": "bold red",
    "parked": "bold red",
    "warning": "yellow",
    "error": "bold red",
}
"""How states and levels are coloured; everything else is left as it is."""


@frozen
class Column:
    """A column.

    Attributes:
        title: What stands above it.
        field: The field of the row that it shows.
        show: How the value is written.
        right: Whether it is aligned to the right: numbers.
        optional: Whether it is left out where every row has a dash there.
    """

    title: str
    field: str
    show: Callable[[Any], str] = cells.text
    right: bool = False
    optional: bool = False

    def cell(self, row: Row) -> str:
        """Return what stands in this column for a row."""
        return self.show(row.get(self.field))


def show(columns: Sequence[Column], rows: Sequence[Row], *, everything: bool = False) -> None:
    """Write rows to stdout: all of them in a pipe, at most 200 on a terminal, which is told how many there are.

    Args:
        columns: What is shown of a row.
        rows: The rows.
        everything: Whether a terminal too gets all of them.
    """
    if not output.on_terminal():
        output.write(plain(columns, rows).encode())
        return
    shown = rows if everything else rows[:SHOWN]
    console().print(table(columns, shown))
    if len(shown) < len(rows):
        say(f"{len(shown)} of {len(rows)} rows; --all shows all of them")


def plain(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """Return rows as aligned text under a line of titles, each line ended by a line feed."""
    used = _used(columns, rows)
    lines = [[column.title for column in used], *([column.cell(row) for column in used] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(used))]
    return "".join(
        "  ".join(
            cell.rjust(width) if column.right else cell.ljust(width)
            for column, cell, width in zip(used, line, widths, strict=True)
        ).rstrip()
        + "\n"
        for line in lines
    )


def table(columns: Sequence[Column], rows: Sequence[Row], *, title: str | None = None) -> Table:
    """Return rows as a rich table."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    used = _used(columns, rows)
    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for column in used:
        drawn.add_column(column.title, justify="right" if column.right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(cell := column.cell(row), style=COLOURS.get(cell, "")) for column in used))
    return drawn


def console(*, width: int | None = None) -> Console:
    """Return a console that draws on stdout; `width` in columns, None for the terminal's."""
    from rich.console import Console

    return Console(file=sys.stdout, width=width, highlight=False)


def _used(columns: Sequence[Column], rows: Sequence[Row]) -> list[Column]:
    return [
        column
        for column in columns
        if not column.optional or any(column.cell(row) != cells.NOTHING for row in rows)
    ]
