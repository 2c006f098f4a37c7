"""The page of event kinds: what the source tells stands there, and what stands there is told."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reference" / "events.md"
TOLD = re.compile(
    r'(?:Fact\(\s*kind=|_note\((?:\w+, |self\._registry, )*|_fact\((?:\w+, )*|kind = |kind=)"([a-z]+(?:_[a-z]+)*)"'
)
NO_EVENTS = {"action", "info", "number", "user", "interval", "flag", "dex", "coin"}
"""Kinds of other things: of requests, of values."""


def test_every_kind_of_event_stands_on_the_page_and_none_that_is_never_told() -> None:
    """A new kind has its line, and a line goes with its kind."""
    source = "\n".join(path.read_text() for path in (ROOT / "src" / "wsmgr" / "manager").rglob("*.py"))
    told = set(TOLD.findall(source)) - NO_EVENTS
    listed = {
        kind
        for line in PAGE.read_text().splitlines()
        if line.startswith("| `")
        for kind in re.findall(r"`([a-z_]+)`", line.split("|")[1])
    }
    assert set() == told - listed, "told, and not on the page"
    assert set() == {kind for kind in listed - NO_EVENTS if f'"{kind}"' not in source}, (
        "listed, and never told"
    )
