"""Frames that were broken on the way: none raises, every one is counted, and nothing grows without a bound."""

from __future__ import annotations

import runpy
from pathlib import Path
from random import Random

BENCH = Path(__file__).parent.parent / "bench" / "mutations.py"
FRAMES = 20_000


def test_mutated_frames_are_counted_every_one_and_nothing_raises() -> None:
    """The bench with a million of them is the same program."""
    seed = Random().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - to repeat it
    found = runpy.run_path(str(BENCH))["run"](FRAMES, seed)
    unread = found.pop("of which a consumer could not read")
    assert FRAMES == sum(found.values())
    assert found["delivered"] > unread > 0
    assert found["not parsed, or of an unknown channel"] > 0
    assert found["unrouted"] > 0
