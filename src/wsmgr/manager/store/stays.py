"""Stays: on which connections a subscription sat, and when, as its own ledger tells.

What becomes of a connection is told once, and not for each of the subscriptions on it. Whoever asks about one of them needs both, so the
times at which it was seen on a connection are joined here. Its gaps and its events see it: most of them where it was, `moved` on two
connections one after the other, `redundant` on two at once. Between two sightings it was where the older one leaves it, or where the
younger one finds it. A gap sees it on none too: while nobody ran, or before it was placed. Ids of connections begin anew with each process, so a stay without its time would mean nothing.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from wsmgr.manager.store.rows import EventRow, GapRow


@frozen(kw_only=True)
class Stay:
    """A time on a connection, both ends included, in unix seconds.

    Attributes:
        connection: The connection's id.
        since: When it began.
        until: When it ended.
    """

    connection: str
    since: float
    until: float

    def holds(self, row: EventRow) -> bool:
        """Whether an event is of this connection, in this time, and of no subscription in particular."""
        return (
            row.subscription_id is None
            and self.connection == row.connection
            and self.since <= row.at <= self.until
        )


@frozen
class _Sighting:
    at: float
    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()


def stays(
    gaps: Sequence[GapRow],
    events: Sequence[EventRow],
    *,
    since: float,
    until: float = math.inf,
    now: Collection[str] = (),
) -> tuple[Stay, ...]:
    """Return where a subscription sat.

    Args:
        gaps: Its gaps, in any order.
        events: The events about it, in any order.
        since: Nothing before this is asked for (unix seconds).
        until: The present (unix seconds); infinite where it is not known what came after the last of them.
        now: On which connections it is at present.
    """
    told = [sighting for sighting in map(_of_event, events) if sighting.before or sighting.after]
    seen = [sighting for sighting in (*told, *map(_of_gap, gaps)) if since <= sighting.at <= until]
    ordered = sorted([_Sighting(since), *seen, _Sighting(until, frozenset(now))], key=lambda one: one.at)
    found: list[Stay] = []
    lasting: dict[str, Stay] = {}
    for older, younger in pairwise(ordered):
        present = older.after | younger.before
        found += [stay for name, stay in lasting.items() if name not in present]
        lasting = {
            name: Stay(
                connection=name,
                since=lasting[name].since if name in lasting else older.at,
                until=younger.at,
            )
            for name in sorted(present)
        }
    return (*found, *lasting.values())


def known_since(gaps: Sequence[GapRow], events: Sequence[EventRow], limit: int, *, begun: float) -> float:
    """Return since when all sightings of a subscription are among these rows, the newest first.

    Args:
        gaps: Its newest gaps.
        events: The newest events about it.
        limit: How many of either were asked for: there may be older ones where there are so many.
        begun: When it was first wanted (unix seconds).
    """
    oldest = [gaps[-1].started_at] if len(gaps) == limit else []
    oldest += [events[-1].at] if len(events) == limit else []
    return max((begun, *oldest))


def _of_gap(gap: GapRow) -> _Sighting:
    where = _names(gap.connection)
    return _Sighting(gap.started_at, where, where)


def _of_event(event: EventRow) -> _Sighting:
    where = _names(event.connection)
    match event.kind:
        case "moved":
            return _Sighting(event.at, _names(event.detail.get("from")), where)
        case "redundant":
            primary = _names(event.detail.get("primary"))
            return _Sighting(event.at, primary, primary | where)
        case "second_side_ended":
            return _Sighting(event.at, where)
        case _:
            return _Sighting(event.at, where, where)


def _names(name: object) -> frozenset[str]:
    return frozenset({name} if isinstance(name, str) else ())
