"""The whole manager under random faults: whatever happens, every promise holds.

A seed that fails is run again by itself with `python bench/chaos.py --seed N --log`.
"""

from __future__ import annotations

import pytest

from wsmgr.manager.testing.chaos import run_seed

SEEDS = range(1, 21)
MINUTES = 10.0


@pytest.mark.parametrize("seed", SEEDS)
def test_every_promise_holds_over_ten_minutes_of_faults(seed: int) -> None:
    """Never mixed, no wish lost, none resurrected, ledger equals truth, no quota exceeded; nobody blind for long, no false alarm."""
    report = run_seed(seed, minutes=MINUTES)
    assert () == report.complaints, report.line
    assert report.counts["messages"] > 2000, "hardly anything was delivered: nothing was tested"
    assert report.counts["visible faults"] >= 40, "twenty seeds are to show nearly a thousand"


@pytest.mark.parametrize("seed", [101, 102])
def test_the_same_holds_on_trio(seed: int) -> None:
    """The other loop orders tasks in its own way."""
    report = run_seed(seed, minutes=MINUTES / 2, backend="trio")
    assert () == report.complaints, report.line


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_seed_always_does_the_same(backend: str) -> None:
    """What a seed has found it finds again."""
    first, second = (run_seed(7, minutes=3.0, backend=backend) for _ in range(2))
    assert first.log == second.log
    assert first.line == second.line


def test_another_seed_does_something_else() -> None:
    """Seeds are not in vain."""
    assert run_seed(1, minutes=1.0).log != run_seed(2, minutes=1.0).log
