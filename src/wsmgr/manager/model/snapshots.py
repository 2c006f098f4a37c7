"""Snapshots: what the first frame after an interruption shows of it, beside the stream's state."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from wsmgr.manager.model.healing import Reach, reach
from wsmgr.manager.model.items import Item
from wsmgr.manager.model.subscription_type import Merge

if TYPE_CHECKING:
    from wsmgr.manager.model.merging import Merger
    from wsmgr.manager.model.subscription import Entry


@frozen
class Shown:
    """A snapshot that came after an interruption, compared with what had been delivered.

    Attributes:
        items: All of its items.
        fresh: Those of them that had not been delivered.
        reach: What it shows of the gap that is open, or None where none is.
    """

    items: Sequence[Item]
    fresh: Sequence[Item]
    reach: Reach | None


def snapshot_shows(entry: Entry, merger: Merger, raw: bytes, *, clock_ahead: float | None) -> Shown | None:
    """Compare a snapshot with what had been delivered before it; None where that tells nothing, or it cannot be read.

    Args:
        entry: The subscription.
        merger: What was delivered.
        raw: The snapshot.
        clock_ahead: By how many seconds the venue's clock is ahead of ours; None where that is not known, and its times prove nothing.
    """
    if entry.type.merge is not Merge.ITEMS or (entry.interruption is None and entry.healing is None):
        return None
    items = merger.items(raw)
    if items is None:
        return None
    fresh = [item for item in items if not merger.delivered(item.key)]
    interruption = entry.interruption
    if interruption is None:
        return Shown(items, fresh, None)
    # Of an earlier process it is not known which items it had delivered.
    anything = bool(len(merger)) or (entry.seq == 0 and entry.counters.messages > 0)
    since = -math.inf if clock_ahead is None else interruption.since + clock_ahead
    return Shown(items, fresh, reach(items, fresh, since=since, anything=anything))
