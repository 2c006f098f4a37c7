"""The simulator's reference page says what the simulator does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.faults import known_faults
from wsmgr.manager.venues.hyperliquid.simulator.http_api import routes
from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import TYPES

if TYPE_CHECKING:
    import pytest

PAGE = Path(__file__).parents[5] / "docs" / "reference" / "simulator.md"


def test_every_fault_is_documented_and_no_other() -> None:
    """The page's table and the parser know the same names."""
    table = PAGE.read_text().split("## Faults")[1].split("## What it says")[0]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    documented = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert set(known_faults()) == documented


def test_every_path_is_documented() -> None:
    """Of HTTP; those of WebSocket are in the first table."""
    text = PAGE.read_text()
    assert [] == [path for path in routes() if f"{path}`" not in text]


def test_number_of_types_is_the_documented_one() -> None:
    """27 on the api host and 2 on the explorer's."""
    assert "27 on the api host and 2 on the explorer's" in PAGE.read_text()
    assert (27, 2) == (
        len([rule for rule in TYPES.values() if not rule.explorer]),
        len([rule for rule in TYPES.values() if rule.explorer]),
    )


def test_the_pages_program_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The example of a simulator inside a program, as it stands on the page."""
    [program] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    exec(program, {})  # the page is ours
    url, dials = capsys.readouterr().out.splitlines()
    assert url.startswith("ws://127.0.0.1:")
    assert "0" == dials
