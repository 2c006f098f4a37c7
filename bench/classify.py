"""What it costs to classify a frame: microseconds for each type of the captured frames.

Run `.venv/bin/python bench/classify.py [FILE]`; FILE is a capture, by default the one that the tests use. Beside it
stands what the JSON decode inside it costs, and what a full decode of the frame would cost.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec

from wsmgr.manager.venues.hyperliquid.dialect import HyperliquidDialect
from wsmgr.manager.venues.hyperliquid.shapes import Shapes

if TYPE_CHECKING:
    from collections.abc import Callable

CAPTURE = Path(__file__).parent.parent / "tests" / "data" / "hyperliquid-testnet-2025-07.jsonl"
ROUNDS, CALLS = 9, 10_000


def captured(path: Path) -> dict[str, bytes]:
    """Return the first frame of each type."""
    found: dict[str, bytes] = {}
    for line in path.read_bytes().splitlines():
        members = msgspec.json.decode(line, type=dict[str, msgspec.Raw])
        found.setdefault(msgspec.json.decode(members["subscription"])["type"], bytes(members["frame"]))
    return found


def microseconds(work: Callable[[bytes], object], raw: bytes) -> float:
    """Return what one call costs in the best of several rounds."""
    best = float("inf")
    calls = range(CALLS)
    for _ in range(ROUNDS):
        started = perf_counter()
        for _call in calls:
            work(raw)
        best = min(best, perf_counter() - started)
    return best / CALLS * 1e6


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else CAPTURE
    dialect = HyperliquidDialect()
    read = Shapes([each for each in dialect.catalog.values() if each.removed is None]).read
    print(f"{'type':<28} {'bytes':>6} {'classify us':>12} {'its decode':>11} {'full decode':>12}")
    for name, raw in captured(path).items():
        costs = [microseconds(work, raw) for work in (dialect.classify, read, msgspec.json.decode)]
        print(f"{name:<28} {len(raw):>6} {costs[0]:>12.2f} {costs[1]:>11.2f} {costs[2]:>12.2f}")


main()
