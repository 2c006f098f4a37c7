"""Refusals: what was refused at the door, told as events, folded.

Whoever knocks a thousand times a second must not fill a log: of each kind the first refusal is told at once, and what follows
once a minute, as a count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import define, field

from wsmgr.manager.model.fact import Fact

INTERVAL: Final = 60.0
"""Seconds between two events of one kind."""


@define
class _Tally:
    told_at: float
    count: int = 0
    last_from: str = ""


@define
class Refusals:
    """Counts what is refused.

    Attributes:
        note: Takes an event.
        now: The monotonic clock.
    """

    note: Callable[[Fact], None]
    now: Callable[[], float]
    _tallies: dict[str, _Tally] = field(init=False, factory=dict[str, _Tally])

    def count(self, kind: str, address: str) -> None:
        """Count a refusal.

        Args:
            kind: What was missing: a kind of problem.
            address: Where it came from.
        """
        tally = self._tallies.get(kind)
        if tally is None:
            self._tallies[kind] = _Tally(self.now())
            self._tell(kind, 1, address)
        else:
            tally.count += 1
            tally.last_from = address

    def beat(self) -> None:
        """Tell what has come together for a minute; where nothing has, the next refusal is told at once again."""
        now = self.now()
        for kind, tally in tuple(self._tallies.items()):
            if now - tally.told_at < INTERVAL:
                continue
            if tally.count:
                self._tell(kind, tally.count, tally.last_from)
                tally.told_at, tally.count = now, 0
            else:
                del self._tallies[kind]

    def _tell(self, kind: str, count: int, address: str) -> None:
        detail = {"refused": kind, "count": count, "last_from": address}
        self.note(Fact(kind="api_refused", level="warning", actor="http", detail=detail))
