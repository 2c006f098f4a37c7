"""Reach: whether the newest items of a history show that nothing of a gap is missing.

A venue that sends a snapshot with a subscription sends the newest items of a history, without a hole, cut at a number that it
chooses. Before a gap the stream was whole, so everything up to some point of that history had been delivered. The snapshot proves the
gap when it begins at that point or before it:

1. *By key*: one of its items had been delivered before the gap.
2. *By time*: its oldest item is older than the gap, by more than clocks and the way can differ (`MARGIN`).
3. *By length*: it is shorter than the venue would have cut it, so it is the whole history. Where the cut is not known, only an empty
   one is. And only where nothing had been delivered before: a whole history without the items that it had is none.

Anything else falls short: items may lie between what was delivered and where it begins.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from wsmgr.manager.model.continuity import Gap, Proof

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsmgr.manager.model.items import Item

MARGIN: Final = 5.0
"""Seconds by which the venue's times and ours may differ, the way included."""


@frozen(kw_only=True)
class Reach:
    """What the newest items of a history show of a gap.

    Attributes:
        proof: What they prove, or None where they fall short.
        new: How many of them had not been delivered.
        why: Why they fall short, in half a sentence, or None.
    """

    proof: Proof | None
    new: int
    why: str | None = None

    def shown(self, gap: Gap) -> Gap:
        """Return the gap as the snapshot shows it; where that falls short, as it was: a query may still tell."""
        return gap if self.proof is None else evolve(gap, proof=self.proof, healed_by="snapshot")


def reach(
    items: Sequence[Item],
    fresh: Sequence[Item],
    *,
    since: float,
    by_key: bool = True,
    anything: bool = True,
    cap: int | None = None,
) -> Reach:
    """Judge whether the newest items of a history reach back to before a gap.

    Args:
        items: The newest items, without a hole, in any order.
        fresh: Those of them that had not been delivered before.
        since: When the gap began, in unix seconds by the venue's clock.
        by_key: Whether what was delivered was delivered before this gap.
        anything: Whether anything had been delivered before.
        cap: The number of items at which the venue cuts it, or None where that is not known.
    """
    new = sum(item.time is None or item.time >= since - MARGIN for item in fresh)
    oldest = min((item.time for item in items if item.time is not None), default=None)
    proved = (
        (by_key and len(fresh) < len(items))
        or (oldest is not None and oldest <= since - MARGIN)
        or (not anything and (not items or (cap is not None and len(items) < cap)))
    )
    if proved:
        return Reach(proof="filled" if new else "empty", new=new)
    if not items:
        return Reach(proof=None, new=0, why="it is empty, though there had been items before")
    return Reach(proof=None, new=new, why=begins(oldest))


def begins(oldest: float | None) -> str:
    """Say, in half a sentence, that items which begin at a time do not reach back."""
    words = "its items have no time" if oldest is None else f"its oldest item is of {moment(oldest)}"
    return f"{words}, and nothing shows what came directly before it"


def moment(time: float) -> str:
    """Return unix seconds as people read them."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
