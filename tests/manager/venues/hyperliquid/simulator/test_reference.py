"""The simulator's reference page says what the simulator does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
from typer.main import get_command

from wsmgr.cli.main import make_app
from wsmgr.cli.settings import PANEL
from wsmgr.manager.venues.hyperliquid.simulator import Limits, SimulatorOptions, parse_limits
from wsmgr.manager.venues.hyperliquid.simulator.engine import Engine
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


def test_every_limit_is_documented_and_no_other() -> None:
    """The page's table and the class know the same names; the column of documented ones holds."""
    table = section("Limits")
    rows = [
        [cell.strip().strip("`") for cell in line.split("|")[1:4]] for line in table if line.startswith("| `")
    ]
    assert [field.name for field in attrs.fields(Limits)] == [name for name, _, _ in sorted(rows, key=_place)]
    assert Limits.real() == parse_limits(f"{name}={real}" for name, _, real in rows)


def _place(row: list[str]) -> int:
    return [field.name for field in attrs.fields(Limits)].index(row[0])


def test_every_option_is_documented_and_no_other() -> None:
    """The usage on the page names what the command takes."""
    usage = PAGE.read_text().split("```")[1]
    command: Any = get_command(make_app())
    own = [p for p in command.commands["sim"].params if getattr(p, "rich_help_panel", None) != PANEL]
    options = {option for parameter in own for option in parameter.opts if option.startswith("--")}
    assert options - {"--help"} == set(re.findall(r"--[\w-]+", usage))


def test_every_question_is_documented_and_no_other() -> None:
    """The table of questions is what is answered."""
    table = [line for line in section("What it answers") if re.match(r"\| [a-z]", line)]
    documented = {name for line in table for name in re.findall(r"`(\w+)`", line)}
    engine = Engine(SimulatorOptions(), now=lambda: 0.0, started_at=0.0)
    assert engine.info.types == documented


def section(title: str) -> list[str]:
    """The lines under a heading."""
    return PAGE.read_text().split(f"## {title}\n")[1].split("\n## ")[0].splitlines()


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
