"""The package: light to import, and every name that it exports is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import wsmgr.actors

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "actors.md"


def test_every_exported_name_exists() -> None:
    """`__all__` is sorted and true."""
    assert sorted(wsmgr.actors.__all__) == wsmgr.actors.__all__
    assert all(hasattr(wsmgr.actors, name) for name in wsmgr.actors.__all__)


def test_import_brings_neither_backend_nor_test_tools() -> None:
    """A command line that supervises nothing yet must start fast."""
    code = "import sys, wsmgr.actors; print([m for m in ('trio', 'uvloop', 'structlog', 'wsmgr.actors.testing') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


def test_first_example_of_the_reference_runs() -> None:
    """What the documentation shows first is what works."""
    example = re.search(r"```python\n(.*?)```", REFERENCE.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    shown = subprocess.run([sys.executable, "-c", example[1]], capture_output=True, text=True, check=True)
    assert shown.stdout == "5\n"


def test_reference_names_every_event_and_overflow_policy() -> None:
    """Whoever adds one documents it."""
    text = REFERENCE.read_text(encoding="utf-8")
    events = ("Started", "Exited", "Restarting", "GaveUp", "ShutdownError", "Zombie", "DeadLetter")
    assert [
        name for name in (*events, "drop_oldest", "drop_newest", "conflate") if f"`{name}" not in text
    ] == []
