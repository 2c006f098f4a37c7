"""The documentation: its programs run, and its links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wsmgr.manager.config import load_config
from wsmgr.manager.venues.dialects import dialect_named

if TYPE_CHECKING:
    from tests.conftest import StartSimulator

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PROGRAM = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]+)[^)]*\)")
PROGRAMS = [
    pytest.param(found[1], id=f"{page.relative_to(ROOT)}-{number}")
    for page in (ROOT / "README.md", ROOT / "docs" / "tutorial" / "first-steps.md")
    for number, found in enumerate(PROGRAM.finditer(page.read_text()), 1)
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_of_the_documentation_runs(program: str, start_simulator: StartSimulator) -> None:
    """Each prints what the venue sends, and goes on until it is stopped."""
    simulator = start_simulator(rate=50)
    environment = {**os.environ, "WSMGR_HYPERLIQUID_URL": simulator.address.url, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        lines = [running.stdout.readline() for _ in range(5)]
        running.terminate()
        assert all(lines), running.stderr.read()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    """A link to a file of the project names one that is there."""
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert [] == missing


CONFIGURATIONS = [
    pytest.param(found[1], id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, found in enumerate(
        re.finditer(r"^```toml\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL), 1
    )
]


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_a_configuration_of_the_documentation_can_be_used(text: str) -> None:
    """Every type and setting in it is known, and fits."""
    config = load_config(tomllib.loads(text), venues=(), environ={})
    for venue in config.venues:
        dialect_named(venue.dialect, venue.types)
