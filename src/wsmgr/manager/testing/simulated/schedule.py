"""Schedule: what happens in a simulated world, at its time, in one task.

Everything that is on its way (a frame, the answer to a dial, the next tick of a venue) is a plain function with a time. They run
in the order of their times, and those of one time in the order in which they were planned. On virtual time
(`wsmgr.actors.testing.run_virtually`) a world therefore runs the same way each time.
"""

from __future__ import annotations

import heapq
import math
from itertools import count
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable


class Schedule:
    """Runs plain functions when they are due; :meth:`run` is the task that does it."""

    def __init__(self) -> None:
        """Make an empty schedule."""
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._sleep: anyio.CancelScope | None = None

    def call_at(self, when: float, run: Callable[[], None]) -> None:
        """Run a function at a time of the loop's clock; one that has passed is now."""
        heapq.heappush(self._heap, (when, next(self._order), run))
        if self._sleep is not None and when < self._sleep.deadline:
            self._sleep.deadline = when

    def call_after(self, delay: float, run: Callable[[], None]) -> None:
        """Run a function in `delay` seconds."""
        self.call_at(anyio.current_time() + delay, run)

    async def run(self) -> None:
        """Run what is due, for ever; what a function raises ends it. Cancelled, it leaves what is planned."""
        while True:
            now = anyio.current_time()
            while self._heap and self._heap[0][0] <= now:
                heapq.heappop(self._heap)[2]()
            due = self._heap[0][0] if self._heap else math.inf
            with anyio.CancelScope(deadline=due) as self._sleep:
                await anyio.sleep_forever()
            self._sleep = None


class Lane:
    """One direction of a connection: what goes in comes out later and in order.

    Args:
        schedule: Runs what arrives.
        latency: Returns the seconds that it takes now.

    Attributes:
        stalled: Whether nothing comes through at present; it comes later, as TCP sends again what was lost.
    """

    def __init__(self, schedule: Schedule, latency: Callable[[], float]) -> None:
        """Make an open lane."""
        self.stalled = False
        self._schedule = schedule
        self._latency = latency
        self._newest = -math.inf
        self._held: list[Callable[[], None]] = []
        self._cut = False

    def carry(self, arrive: Callable[[], None]) -> None:
        """Let something travel; `arrive` is called at the other end, unless the lane is cut before."""
        self._newest = max(self._newest, anyio.current_time() + self._latency())
        self._schedule.call_at(self._newest, lambda: self._arrived(arrive))

    def stall(self) -> None:
        """Let nothing through from now on."""
        self.stalled = True

    def resume(self) -> None:
        """Let through what was held, at once and in order, and all that follows."""
        self.stalled = False
        held, self._held = self._held, []
        for arrive in held:
            self._arrived(arrive)

    def cut(self) -> None:
        """Lose what is on its way, and all that follows."""
        self._cut = True
        self._held.clear()

    def _arrived(self, arrive: Callable[[], None]) -> None:
        if self._cut:
            return
        if self.stalled:
            self._held.append(arrive)
        else:
            arrive()
