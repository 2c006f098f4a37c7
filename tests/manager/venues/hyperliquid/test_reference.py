"""The reference of Hyperliquid's names is what the catalogs say."""

from __future__ import annotations

from pathlib import Path

from wsmgr.manager.venues.hyperliquid.exchange import CALLS
from wsmgr.manager.venues.hyperliquid.info import QUERIES
from wsmgr.manager.venues.hyperliquid.reference import page
from wsmgr.manager.venues.hyperliquid.subscriptions import METHODS

FILE = Path(__file__).parents[4] / "docs" / "reference" / "hyperliquid.md"


def test_the_reference_is_current() -> None:
    """`python -m wsmgr.manager.venues.hyperliquid.reference > docs/reference/hyperliquid.md` was run after the last change."""
    assert page() == FILE.read_text(encoding="utf-8")


def test_the_reference_leaves_nothing_out() -> None:
    """29 types, 38 queries beside `get_universe`, 31 actions: each has one row."""
    rows = [line.split("`")[1] for line in page().splitlines() if line.startswith("| `")]
    assert sorted([*METHODS, *QUERIES, *CALLS]) == sorted(rows)
    assert 29 + 38 + 31 == len(rows)
