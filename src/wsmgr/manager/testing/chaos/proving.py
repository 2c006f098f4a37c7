"""Proving: of the gaps in which nothing was withheld, how many the manager has found out to be empty.

The converse of "proofs hold": who proves nothing tells no lie, and is of no use.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from attrs import field, frozen

from wsmgr.manager.store.rows import GapRow
from wsmgr.manager.testing.chaos.wishes import Wish

if TYPE_CHECKING:
    from collections.abc import Sequence

PROVABLE = frozenset(
    {
        "candle",
        "orderUpdates",
        "userFills",
        "userFundings",
        "userHistoricalOrders",
        "userNonFundingLedgerUpdates",
        "userTwapHistory",
        "userTwapSliceFills",
    }
)
"""The types with a snapshot or a query that can prove a gap empty."""
SHARE = 0.9
"""The least share of the gaps that could be proved, and were."""
NEAR = 6.0
"""Seconds around a gap in which nothing must have been made: an item may bear a time of some seconds before it was sent."""
LOOKED_INTO = 180.0
"""Seconds after a gap in which it may still be asked about: three tries and the pauses between them."""
LIMITS = ("does not reach back", "knows the newest", "was cut off", "does not tell of", "has no query")
"""What is said of a gap that the venue's own documented limits leave open."""


@frozen
class Proving:
    """What became of the gaps in which nothing was withheld.

    Attributes:
        counts: How many were `proved`, `limited` by the venue, `cut off` by the end of the wish, the process or the run, or `left`.
        left: Those that could have been proved, and were not.
    """

    counts: Counter[str]
    left: tuple[tuple[Wish, GapRow], ...] = field(repr=False)

    @property
    def enough(self) -> bool:
        """Whether enough was proved of what could be."""
        proved, left = self.counts["proved"], self.counts["left"]
        return proved >= SHARE * (proved + left)


def proving(
    rows: Sequence[tuple[Wish, GapRow, float, float]], downs: Sequence[float], until: float
) -> Proving:
    """Return what became of the gaps in which nothing was withheld.

    Args:
        rows: Each wish with a gap of its, and the gap's beginning and end on the loop's clock.
        downs: When the process went down.
        until: When it was all over.
    """
    counts: Counter[str] = Counter()
    left: list[tuple[Wish, GapRow]] = []
    for wish, row, began, ended in rows:
        if wish.kind.type not in PROVABLE or began < wish.begun_at or math.isinf(ended):
            continue
        if wish.stream.made_between(began - NEAR, ended + NEAR):
            continue
        ends = [*downs, until, math.inf if wish.ended_at is None else wish.ended_at]
        if row.proof is not None:
            counts["proved"] += 1
        elif row.open_because is not None and any(limit in row.open_because for limit in LIMITS):
            counts["limited"] += 1
        elif any(ended <= end <= ended + LOOKED_INTO for end in ends):
            counts["cut off"] += 1
        else:
            counts["left"] += 1
            left.append((wish, row))
    return Proving(counts, tuple(left))
