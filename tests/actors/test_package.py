"""The package: light to import, and every name that it exports is there."""

from __future__ import annotations

import subprocess
import sys

import wsmgr.actors


def test_every_exported_name_exists() -> None:
    """`__all__` is sorted and true."""
    assert sorted(wsmgr.actors.__all__) == wsmgr.actors.__all__
    assert all(hasattr(wsmgr.actors, name) for name in wsmgr.actors.__all__)


def test_import_brings_neither_backend_nor_test_tools() -> None:
    """A command line that supervises nothing yet must start fast."""
    code = "import sys, wsmgr.actors; print([m for m in ('trio', 'uvloop', 'structlog', 'wsmgr.actors.testing') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
