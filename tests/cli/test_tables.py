"""Tables on a terminal and in a pipe."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from wsmgr.cli import cells, tables
from wsmgr.cli.listing import SUBSCRIPTIONS
from wsmgr.cli.tables import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = (
    Column("ID", "id"),
    Column("STATE", "state"),
    Column("MESSAGES", "count", cells.number, right=True),
    Column("ERROR", "error", optional=True),
)
ROWS: list[dict[str, Any]] = [
    {"id": "a", "state": "live", "count": 1234, "error": None},
    {"id": "bcd", "state": "rejected", "count": 7, "error": None},
]


def test_plain_text_is_aligned_and_has_no_trailing_space() -> None:
    """`awk` and people can read it."""
    assert tables.plain(COLUMNS, ROWS) == (
        "ID   STATE     MESSAGES\na    live         1,234\nbcd  rejected         7\n"
    )


def test_an_optional_column_is_shown_as_soon_as_one_row_has_something_in_it() -> None:
    """Errors take no room while there are none, and are never left out."""
    rows = [ROWS[0], {**ROWS[1], "error": "Invalid subscription"}]
    assert tables.plain(COLUMNS, rows) == (
        "ID   STATE     MESSAGES  ERROR\n"
        "a    live         1,234  -\n"
        "bcd  rejected         7  Invalid subscription\n"
    )


def test_a_table_of_no_rows_is_its_titles() -> None:
    """An empty list is told from no answer."""
    assert "ID  STATE  MESSAGES\n" == tables.plain(COLUMNS, [])


def drawn(rows: list[dict[str, Any]], width: int, columns: Sequence[Column] = COLUMNS) -> str:
    from rich.console import Console

    screen = io.StringIO()
    Console(file=screen, width=width, force_terminal=True, color_system=None).print(
        tables.table(columns, rows)
    )
    return "\n".join(line.rstrip() for line in screen.getvalue().splitlines())


def test_table_on_a_terminal() -> None:
    """What it looks like, at a width of 40."""
    assert drawn(ROWS, 40).split("\n") == [
        "",
        " ID   STATE     MESSAGES",
        " ───────────────────────",
        " a    live         1,234",
        " bcd  rejected         7",
        "",
    ]


LISTED: dict[str, Any] = {
    "id": "3ybxjrjj7a",
    "key": "hyperliquid/l2Book?coin=BTC&nSigFigs=5",
    "class": "dedicated",
    "connection": "hyperliquid-1",
    "state": "subscribing",
    "quiet": False,
    "kept": True,
    "consumers": 2,
    "message_count": 1_234_567,
    "messages_per_minute": 610.2,
    "last_message_at": "2026-11-20T07:00:00Z",
    "gaps": 12,
    "dropped": 0,
    "reconnects": 3,
}


@pytest.mark.parametrize("width", [*range(60, 180, 3), 220])
def test_a_narrow_terminal_gets_fewer_columns_and_whole_ids(width: int) -> None:
    """An id can be copied for the next command from a terminal of any width; the widest has everything."""
    columns = tables.fitting(SUBSCRIPTIONS, [LISTED], width)
    assert {"ID", "KEY", "STATE", "MESSAGES", "GAPS"} <= {column.title for column in columns}
    lines = drawn([LISTED], width, columns).splitlines()
    assert max(map(len, lines)) <= width
    whole = [column.cell(LISTED) for column in columns if not column.folds]
    assert all(any(cell in line for line in lines) for cell in whole)
    assert (width >= 160) == (len(columns) == len(SUBSCRIPTIONS) - 1)


def test_what_a_narrow_terminal_has_no_room_for_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody takes what is missing for what there is not."""
    monkeypatch.setattr("wsmgr.cli.output.on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    tables.show(SUBSCRIPTIONS, [LISTED])
    captured = capsys.readouterr()
    assert "no room for CLASS, QUIET" in captured.err
    assert "--json" in captured.err
    assert "QUIET" not in captured.out


def test_markup_in_a_cell_is_text() -> None:
    """What a venue says is not taken for rich's markup."""
    assert "[bold]x[/bold]" in drawn([{**ROWS[0], "error": "[bold]x[/bold]"}], 80)


@pytest.mark.parametrize(("everything", "shown"), [(False, 200), (True, 250)])
def test_a_terminal_is_shown_200_rows_and_told_of_the_rest(
    everything: bool, shown: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A thousand subscriptions do not scroll the screen away, unless they are asked for."""
    monkeypatch.setattr("wsmgr.cli.output.on_terminal", lambda: True)
    tables.show(COLUMNS, [{**ROWS[0], "id": f"row{number}"} for number in range(250)], everything=everything)
    captured = capsys.readouterr()
    assert shown == captured.out.count("row")
    assert ("" if everything else "200 of 250 rows; --all shows all of them\n") == captured.err
