"""Dial marks: what the store knows of the dials of each origin.

A venue counts the dials of a host, and means the host by `Retry-After`, whichever process dials. So a process that is started again and again begins
with the dials that the ones before it made in the last minute, and waits where they were told to. Only what a killed process dialled in its last
moments, before that was on the disk, is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from wsmgr.manager.store.changes import DIAL, RETRY_AFTER, RETRY_SAID, Change, Mark

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wsmgr.manager.runtime.clock import Clock
    from wsmgr.manager.runtime.context import OriginContext

NOTHING = float("-inf")
"""When the newest dial was that the store has, where it has none."""


@define
class _Known:
    """What the store has of one origin, or will have.

    Attributes:
        dialled_at: The newest dial (monotonic).
        place: Where the next one goes: as many are kept as the quota allows in a minute.
        retry_after: When the venue takes dials again (monotonic).
    """

    dialled_at: float = NOTHING
    place: int = 0
    retry_after: float = 0.0


@define(eq=False)
class DialMarks:
    """The marks of every origin."""

    _known: dict[str, _Known] = field(factory=dict[str, _Known], init=False)

    def wait(self, origins: Iterable[OriginContext]) -> bool:
        """Whether there are dials that the store does not know."""
        return any(self._is_behind(each) for each in origins)

    def changes(self, origins: Iterable[OriginContext], clock: Clock) -> list[Change]:
        """Return the marks that make the store know every dial."""
        ahead = clock.wall() - clock.monotonic()
        changes: list[Change] = []
        for each in filter(self._is_behind, origins):
            name, known = each.origin.name, self._of(each)
            dials = each.origin.dials.since(known.dialled_at)
            if known.dialled_at == NOTHING:
                # Each goes where it was, so that none counts twice.
                known.place = (known.place - len(dials)) % (each.origin.dials.limit or 1)
            for at in dials:
                changes.append(Mark(f"{DIAL}{name}:{known.place}", at + ahead))
                known.place = (known.place + 1) % (each.origin.dials.limit or 1)
                known.dialled_at = at
            if each.dialling.retry_after > known.retry_after:
                known.retry_after = each.dialling.retry_after
                changes.append(Mark(f"{RETRY_AFTER}{name}", known.retry_after + ahead))
                changes.append(Mark(f"{RETRY_SAID}{name}", clock.wall()))
        return changes

    def again(self) -> None:
        """Take nothing for granted of what the store has."""
        for known in self._known.values():
            known.dialled_at, known.retry_after = NOTHING, 0.0

    def adopt(self, origins: Iterable[OriginContext], marks: Mapping[str, float], clock: Clock) -> None:
        """Begin with what earlier processes left: `marks` are the store's, in unix seconds by name."""
        now, wall = clock.monotonic(), clock.wall()
        for each in origins:
            known, name = self._of(each), each.origin.name
            # A clock that was set back since then has them in its future: then they were made just now.
            dials = {
                place: now - max(0.0, wall - marks[mark])
                for place, mark in enumerate(_places(each))
                if mark in marks
            }
            each.origin.dials.recall(sorted(dials.values()))
            if dials:
                newest = max(dials, key=lambda place: dials[place])
                known.dialled_at, known.place = dials[newest], (newest + 1) % len(_places(each))
            until = marks.get(f"{RETRY_AFTER}{name}", 0.0)
            # A clock that was set back makes it no longer than it was said to be.
            rest = min(until - wall, until - marks.get(f"{RETRY_SAID}{name}", until))
            if rest > 0.0:
                each.dialling.wait_until(now + rest, now)
                known.retry_after = each.dialling.retry_after

    def _of(self, origin: OriginContext) -> _Known:
        return self._known.setdefault(origin.origin.name, _Known())

    def _is_behind(self, origin: OriginContext) -> bool:
        known = self._of(origin)
        return origin.dialling.retry_after > known.retry_after or bool(
            origin.origin.dials.since(known.dialled_at)
        )


def _places(origin: OriginContext) -> list[str]:
    """Return the names of the marks of an origin's dials."""
    return [f"{DIAL}{origin.origin.name}:{place}" for place in range(origin.origin.dials.limit or 0)]
