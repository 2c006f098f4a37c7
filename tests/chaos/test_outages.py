"""Random outages of what can be asked for later: nothing is lost, nothing comes twice, and the gaps are known to be whole.

`python bench/outages.py` does this for more than a thousand gaps; `python bench/outages.py 6 SEED` repeats a seed that fails.
"""

from __future__ import annotations

from random import Random

from tests.chaos.outages import TYPES, run_outages

OUTAGES = 6
"""One of each kind; two of them hit every stream."""


def test_every_item_that_an_outage_withheld_is_delivered_once_and_its_gaps_are_proved_or_filled() -> None:
    """Each time other outages: connections reset, closed and stalled, the venue away."""
    seed = Random().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - to repeat it
    tallies = run_outages(OUTAGES, seed)
    assert set(TYPES) == set(tallies)
    assert {} == {kind: tally.missed_bars for kind, tally in tallies.items() if tally.missed_bars}
    assert sum(tally.gaps for tally in tallies.values()) >= 15, "hardly anything was lost: nothing was tested"
    assert sum(tally.withheld for tally in tallies.values()) >= 10
