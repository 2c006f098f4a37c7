"""Stall events: what is told of a loop that stood still, folded by the place where it did.

A program that blocks the loop again and again does so in one function, though on this line or that. Its first stall is told at once, with the stack; those of the
next minutes as a count, with how long they were together and the longest of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.repeats import Repeats

if TYPE_CHECKING:
    from wsmgr.manager.runtime.stalls import Finding


@frozen
class _Stalls:
    where: str | None
    why: str | None
    count: int
    seconds: float
    longest: float


def _joined(older: _Stalls, newer: _Stalls) -> _Stalls:
    return _Stalls(
        newer.where,
        newer.why,
        older.count + newer.count,
        older.seconds + newer.seconds,
        max(older.longest, newer.longest),
    )


def _kind(found: Finding) -> str | None:
    """Return what a stall has in common with others: its function, or why there is none."""
    return found.why if found.where is None else re.sub(r":\d+ in ", " in ", found.where)


@define
class StallEvents:
    """Tells of stalls.

    Attributes:
        note: Takes an event.
    """

    note: Callable[[Fact], None]
    _repeats: Repeats[_Stalls] = field(init=False, factory=lambda: Repeats(_joined))

    def take(self, seconds: float, found: Finding, now: float) -> None:
        """Take a stall.

        Args:
            seconds: How long the loop stood still.
            found: What the watchdog saw.
            now: The monotonic time.
        """
        stall = _Stalls(found.where, found.why, 1, seconds, seconds)
        if self._repeats.take(_kind(found), stall, now):
            detail: dict[str, object] = {"seconds": round(seconds, 3), "where": found.where}
            self._tell(
                detail | ({"stack": list(found.stack)} if found.where is not None else {"why": found.why})
            )

    def beat(self, now: float) -> None:
        """Tell what has come together for a minute."""
        for stalls in self._repeats.due(now):
            detail: dict[str, object] = {
                "count": stalls.count,
                "seconds": round(stalls.seconds, 3),
                "longest": round(stalls.longest, 3),
                "where": stalls.where,
            }
            self._tell(detail if stalls.where is not None else detail | {"why": stalls.why})

    def _tell(self, detail: dict[str, object]) -> None:
        self.note(Fact(kind="loop_blocked", level="warning", actor="beat", detail=detail))
