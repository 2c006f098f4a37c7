"""The newsroom: tells whoever follows the events of each one as it happens.

The ledger publishes an event when it gives it its number, before the disk has it: a store that is not well holds up no news.
Each follower has a bounded buffer of its own. One that is too slow loses the oldest, and is told how many; nobody waits for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import anyio
from attrs import define, field

from wsmgr.manager.store.rows import EventRow

MAX_EVENTS: Final = 1_000
"""How many events a follower's buffer holds."""

Wanted = Callable[[EventRow], bool]


class Follower:
    """One who follows the events.

    Args:
        wanted: Whether it wants an event.
    """

    def __init__(self, wanted: Wanted) -> None:
        """Hold nothing yet."""
        self._wanted = wanted
        self._rows: deque[EventRow] = deque()
        self._dropped = 0
        self._arrived = anyio.Event()

    def put(self, row: EventRow) -> None:
        """Take an event, where it is wanted; the oldest makes room. Never blocks."""
        if not self._wanted(row):
            return
        if len(self._rows) == MAX_EVENTS:
            self._rows.popleft()
            self._dropped += 1
        self._rows.append(row)
        self._arrived.set()

    def take(self) -> tuple[int, list[EventRow]]:
        """Return how many events were lost, and those that came behind them, oldest first."""
        dropped, self._dropped = self._dropped, 0
        rows = list(self._rows)
        self._rows.clear()
        return dropped, rows

    async def wait(self) -> None:
        """Return when there is something to take. Cancelling it loses nothing."""
        if not self._rows:
            self._arrived = anyio.Event()
            await self._arrived.wait()


@define(eq=False)
class Newsroom:
    """Fans events out to those who follow them.

    Attributes:
        newest: The number of the newest event of this process, or None before the first.
    """

    newest: int | None = field(default=None, init=False)
    _followers: set[Follower] = field(factory=set[Follower], init=False)

    def publish(self, row: EventRow) -> None:
        """Give an event, which has its number, to whoever wants it. Never blocks; belongs to the loop."""
        self.newest = row.id
        for follower in self._followers:
            follower.put(row)

    def follow(self, wanted: Wanted) -> Follower:
        """Return a follower, who gets what is published from now on; `leave` ends that.

        Args:
            wanted: Whether it wants an event.
        """
        follower = Follower(wanted)
        self._followers.add(follower)
        return follower

    def leave(self, follower: Follower) -> None:
        """Give a follower no more events."""
        self._followers.discard(follower)
