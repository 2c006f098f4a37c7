"""Rotation at full speed: 10,000 items a second go from socket to socket, and each arrives once and in order.

`python bench/rotation.py` does this for a minute; `python bench/rotation.py 3 SEED` repeats a seed that fails.
"""

from __future__ import annotations

from random import Random

from tests.chaos.rotating import run_rotation

SECONDS = 3


def test_rotating_each_second_at_full_speed_loses_and_doubles_nothing() -> None:
    """Trades at 10,000 a second, in other arrays on each socket; bbo and l2Book at 500 a second."""
    seed = Random().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - to repeat it
    outcome = run_rotation(SECONDS, seed)
    assert {} == {kind: stream for kind, stream in outcome.streams.items() if not stream.clean}
    assert 0 == outcome.broken
    assert len(outcome.rotations) == SECONDS
    assert outcome.sockets == SECONDS + 1
    made = {kind: stream.made for kind, stream in outcome.streams.items()}
    assert made["trades"] > 10_000 * SECONDS
    assert made["bbo"] > 500 * SECONDS
    assert made["l2Book"] > 500 * SECONDS
