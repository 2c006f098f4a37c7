"""The public names of the package."""

from __future__ import annotations

import subprocess
import sys

import wsmgr


def test_every_public_name_is_there() -> None:
    """What `__all__` promises can be imported."""
    assert [] == [name for name in wsmgr.__all__ if getattr(wsmgr, name, None) is None]


def test_importing_the_package_imports_nothing_heavy() -> None:
    """A command line that only prints help does not pay for an event loop."""
    code = "import sys, wsmgr; print([name for name in ('anyio', 'trio', 'msgspec', 'picows') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]\n" == done.stdout
