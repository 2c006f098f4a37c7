"""Refusals: what was refused at the door, told as events, folded."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field, frozen

from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.repeats import Repeats


@frozen
class _Refused:
    kind: str
    count: int
    last_from: str


def _joined(older: _Refused, newer: _Refused) -> _Refused:
    return _Refused(newer.kind, older.count + newer.count, newer.last_from)


@define
class Refusals:
    """Counts what is refused.

    Attributes:
        note: Takes an event.
        now: The monotonic clock.
    """

    note: Callable[[Fact], None]
    now: Callable[[], float]
    _repeats: Repeats[_Refused] = field(init=False, factory=lambda: Repeats(_joined))

    def count(self, kind: str, address: str) -> None:
        """Count a refusal.

        Args:
            kind: What was missing: a kind of problem.
            address: Where it came from.
        """
        refused = _Refused(kind, 1, address)
        if self._repeats.take(kind, refused, self.now()):
            self._tell(refused)

    def beat(self) -> None:
        """Tell what has come together for a minute."""
        for refused in self._repeats.due(self.now()):
            self._tell(refused)

    def _tell(self, refused: _Refused) -> None:
        detail = {"refused": refused.kind, "count": refused.count, "last_from": refused.last_from}
        self.note(Fact(kind="api_refused", level="warning", actor="http", detail=detail))
