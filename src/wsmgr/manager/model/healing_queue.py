"""The queue of gaps that are to be asked for: which is next, and when a query may go out.

Queries cost the venue's weight, and what they heal is past. So there is one at a time for a venue, one in `PACE` seconds for an
origin, and only while requests and resubscriptions leave room. A venue that cannot be reached costs no try: its gaps wait.

Plain objects: they outlive the actor that asks, so its crash loses no gap.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.healing import Healing
from wsmgr.manager.model.requests import first_connection
from wsmgr.manager.model.subscription import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsmgr.manager.model.continuity import Gap, Healed
    from wsmgr.manager.model.items import Item
    from wsmgr.manager.model.registry import Venue

PACE: Final = 2.0
"""Seconds between two queries for one origin: with a weight of 20 each, half of the 1,200 a minute that Hyperliquid allows."""


@define(eq=False)
class HealingQueue:
    """The subscriptions of one venue that have gaps to be looked into.

    Attributes:
        entries: They, by id.
        stirred: Whether there is a new gap that whoever asks was not told of.
    """

    entries: dict[str, Entry] = field(factory=dict[str, Entry])
    stirred: bool = False

    def want(
        self,
        entry: Entry,
        gap: Gap,
        now: float,
        *,
        items: int = 0,
        offset: float = 0.0,
        known_from: float = -math.inf,
    ) -> list[Healed]:
        """Let a gap that has just ended be looked into; returns those that had to give way to it. See `Healing.add`."""
        if entry.healing is None:
            entry.healing = Healing()
        left = entry.healing.add(gap, now, items=items, offset=offset, known_from=known_from)
        self.entries[entry.id] = entry
        self.stirred = True
        return left

    def snapshot_came(self, entry: Entry, items: Sequence[Item], fresh: Sequence[Item]) -> list[Healed]:
        """Take the snapshot that came after the newest gap of a subscription; returns those that it proves. See `Healing.snapshot_came`."""
        healed = [] if entry.healing is None else entry.healing.snapshot_came(items, fresh)
        self.settle(entry)
        return healed

    def settle(self, entry: Entry) -> None:
        """Let a subscription go when none of its gaps is left to be looked into."""
        if entry.healing is None or not entry.healing.wanted:
            entry.healing = None
            self.entries.pop(entry.id, None)

    def due(self, now: float) -> tuple[Entry | None, float]:
        """Return which subscription is to be asked for now, or None and when there may be one (monotonic).

        Private streams go first: somebody trades on them.
        """
        waiting = [(each, each.healing.due_at) for each in self.entries.values() if each.healing is not None]
        ready = [(not each.type.private, due_at, each.id) for each, due_at in waiting if due_at <= now]
        if ready:
            return self.entries[min(ready)[2]], now
        return None, min((due_at for _, due_at in waiting), default=math.inf)


@define(eq=False)
class Pace:
    """When the next healing query of an origin may go out.

    Attributes:
        next_at: Not before this (monotonic).
    """

    next_at: float = -math.inf


def may_ask(venue: Venue, now: float) -> bool:
    """Return whether a healing query may go out: the connection for it is ready, and nobody else waits for room."""
    origin, connection = venue.origin, first_connection(venue)
    if connection is None or not connection.ready or origin.silent_until > now:
        return False
    requests = [each.requests for each in origin.venues]
    limit = origin.quotas.requests_in_flight
    if limit is not None and sum(len(each.in_flight) for each in requests) > limit // 2:
        return False
    waits = any(each.waiting for each in requests)
    return not waits and origin.messages.free(now, keep=origin.messages.reserve) > 0


def healing_fact(entry: Entry, healed: Healed, *, actor: str) -> Fact:
    """Return what the ledger says about a gap that was looked into, with the evidence."""
    gap = healed.gap
    detail: dict[str, Any] = {"started_at": gap.started_at, "ended_at": gap.ended_at, "items": healed.items}
    detail |= {"why": gap.open_because} if gap.proof is None else {"proof": gap.proof, "by": gap.healed_by}
    return Fact(
        kind="healed" if gap.whole else "not_healed",
        level="info" if gap.whole else "warning",
        venue=entry.venue,
        actor=actor,
        subscription_id=entry.id,
        detail=detail,
    )
