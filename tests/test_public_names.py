"""The public names of the package."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys

import wsmgr


def test_every_public_name_is_there() -> None:
    """What `__all__` promises can be imported."""
    assert [] == [name for name in wsmgr.__all__ if getattr(wsmgr, name, None) is None]


def test_editors_and_programs_see_the_same_names() -> None:
    """What a type checker imports, what `dir` shows and what is found at run time are one list, from the same modules."""
    checked = next(node for node in ast.parse(inspect.getsource(wsmgr)).body if isinstance(node, ast.If))
    imported = {
        name.name: node.module
        for node in checked.body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert wsmgr._HOME_OF == imported
    assert sorted(imported) == sorted(dir(wsmgr)) == sorted(set(wsmgr.__all__))


def test_the_names_of_the_hyperliquid_client_are_public() -> None:
    """What its examples import."""
    names = (
        "Hyperliquid Account LIMIT_GTC LIMIT_IOC LIMIT_ALO TriggerOrder Cloid Answered Refused Unknown Feed"
    )
    assert set() == set(names.split()) - set(wsmgr.__all__)


def test_importing_the_package_imports_nothing_heavy() -> None:
    """A command line that only prints help does not pay for an event loop."""
    code = "import sys, wsmgr; print([name for name in ('anyio', 'trio', 'msgspec', 'picows') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]\n" == done.stdout


def test_the_client_needs_no_extra() -> None:
    """Streams and questions work without what signs."""
    code = "import sys; from wsmgr import Hyperliquid; Hyperliquid(); print('coincurve' in sys.modules, 'Crypto' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "False False\n" == done.stdout
