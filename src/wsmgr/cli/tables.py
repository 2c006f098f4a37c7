"""Tables: rows for people, as a rich table on a terminal and as plain aligned text in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import frozen

from wsmgr.cli import cells, output
from wsmgr.cli.errors import say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Row = Mapping[str, Any]
SHOWN: Final = 200
"""How many rows a terminal is shown at most, unless all are asked for."""
FOLDED: Final = 16
"""How narrow a column may become whose cells run over several lines."""
_BETWEEN, _EDGES = 2, 2
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
        folds: Whether its cells may run over several lines on a terminal; those of the others, ids above all, stay whole.
        rank: On a terminal that is too narrow the columns of the highest rank are left out first; 0 never.
    """

    title: str
    field: str
    show: Callable[[Any], str] = cells.text
    right: bool = False
    optional: bool = False
    folds: bool = False
    rank: int = 0

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
    screen = console()
    fitted = fitting(columns, shown, screen.width)
    screen.print(table(fitted, shown))
    left_out = [column.title for column in _used(columns, shown) if column not in fitted]
    if left_out:
        say(f"no room for {', '.join(left_out)}: a wider terminal, a pipe and --json have them")
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


def fitting(columns: Sequence[Column], rows: Sequence[Row], width: int) -> list[Column]:
    """Return the columns of a table for which a terminal has room; those of rank 0 are always among them.

    Args:
        columns: All of them.
        rows: The rows.
        width: The terminal's, in columns of characters.
    """
    from rich.cells import cell_len

    def needed(column: Column) -> int:
        widest = max(cell_len(text) for text in (column.title, *map(column.cell, rows)))
        return min(widest, max(FOLDED, cell_len(column.title))) if column.folds else widest

    used = _used(columns, rows)
    widths = {column: needed(column) + _BETWEEN for column in used}
    for column in sorted((column for column in used if column.rank), key=lambda each: -each.rank):
        if sum(widths.values()) - _BETWEEN + _EDGES <= width:
            break
        del widths[column]
    return list(widths)


def table(columns: Sequence[Column], rows: Sequence[Row], *, title: str | None = None) -> Table:
    """Return rows as a rich table."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    used = _used(columns, rows)
    drawn = Table(
        box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, title=title, title_justify="left"
    )
    for column in used:
        justify: Literal["left", "right"] = "right" if column.right else "left"
        drawn.add_column(column.title, justify=justify, overflow="fold", no_wrap=not column.folds)
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
