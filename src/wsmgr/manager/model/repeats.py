"""Repeats: of what happens again and again the first is told at once, and what follows once a minute, as one.

Whoever knocks a thousand times a second, and a program that stalls every three, must not fill a log and a disk.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

from attrs import define, field

INTERVAL: Final = 60.0
"""Seconds between two tellings of one kind."""

T = TypeVar("T")


@define
class _Tally(Generic[T]):
    told_at: float
    held: T | None = None


@define
class Repeats(Generic[T]):
    """Folds what happens, each kind for itself.

    Attributes:
        joined: Returns one for two of a kind, the older one first.
    """

    joined: Callable[[T, T], T]
    _tallies: dict[Hashable, _Tally[T]] = field(init=False, factory=dict[Hashable, _Tally[T]])

    def take(self, kind: Hashable, one: T, now: float) -> bool:
        """Take one of a kind; returns whether it is to be told now. Else it is held, together with what is held already."""
        tally = self._tallies.get(kind)
        if tally is None:
            self._tallies[kind] = _Tally(now)
            return True
        tally.held = one if tally.held is None else self.joined(tally.held, one)
        return False

    def due(self, now: float) -> list[T]:
        """Return what has come together for a minute; where nothing has, the next of its kind is told at once again."""
        found: list[T] = []
        for kind, tally in list(self._tallies.items()):
            if now < tally.told_at + INTERVAL:
                continue
            if tally.held is None:
                del self._tallies[kind]
            else:
                found.append(tally.held)
                tally.told_at, tally.held = now, None
        return found
