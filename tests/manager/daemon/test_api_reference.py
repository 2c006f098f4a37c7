"""The API's reference page: it names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.manager.daemon.test_problem import KINDS

from wsmgr.manager.daemon.api import make_app
from wsmgr.manager.manager import Manager

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "api.md").read_text()


@pytest.mark.anyio
async def test_the_page_names_every_path_and_no_other() -> None:
    """A path that is added, or taken away, is so in the documentation too."""
    async with Manager(url="ws://127.0.0.1:9/ws") as manager:
        described = make_app(manager.engine).openapi()["paths"]
    served = {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}
    assert served == set(re.findall(r"^\| `((?:GET|POST|DELETE) /[^`]*)`", PAGE, re.MULTILINE))


@pytest.mark.parametrize(("status", "kind"), KINDS)
def test_the_page_names_every_problem(status: int, kind: str) -> None:
    """Programs branch on these."""
    assert f"| {status} | `urn:wsmgr:problem:{kind}` |" in PAGE
