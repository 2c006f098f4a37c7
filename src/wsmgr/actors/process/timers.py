"""An actor's timers: a heap and one deadline, no task per timer.

The actor's loop asks for the next deadline when it has nothing to do, and for what is due once a batch of messages.
A cancelled timer stays in the heap until it is due or until more than half of the heap is cancelled: then the heap
is built anew, so arming and cancelling at a high rate does not let it grow.
"""

from __future__ import annotations

import heapq
import math
from itertools import count
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Callable

_COMPACT_FROM = 64


class Timer:
    """A timer of an actor, and the message with which `handle_info` hears of it: `case Timer(message="tick")`.

    Attributes:
        message: What the actor wanted to be reminded of.
        due_at: When it fires (next), on the loop's monotonic clock.
        interval: Seconds between firings, or None for a timer that fires once.
        armed: Whether it will fire (again), unless it is cancelled.
    """

    __match_args__ = ("message",)
    __slots__ = ("_on_cancel", "_payload", "armed", "cancelled", "due_at", "interval", "message")

    def __init__(
        self,
        message: object,
        due_at: float,
        interval: float | None,
        on_cancel: Callable[[], None],
        payload: object = None,
    ) -> None:
        self.message = message
        self.due_at = due_at
        self.interval = interval
        self.armed = True
        self.cancelled = False
        self._payload = payload
        self._on_cancel = on_cancel

    def cancel(self) -> None:
        """Make sure that it never reaches `handle_info` (again), even if it is already queued. Idempotent."""
        if not self.cancelled:
            self.cancelled = True
            if self.armed:
                self._on_cancel()

    @property
    def delivered(self) -> object:
        """What `handle_info` is given: this timer, or the message of the runtime that it stands for."""
        return self if self._payload is None else self._payload

    def __repr__(self) -> str:
        every = "" if self.interval is None else f", every {self.interval:g} s"
        return f"Timer({self.message!r}{every}{', cancelled' if self.cancelled else ''})"


@define
class TimerQueue:
    """The timers of one actor, in the order in which they are due; ties in the order in which they were made.

    Attributes:
        heap: Entries `(due at, order, timer)`, the next one first; always the same list.
    """

    heap: list[tuple[float, int, Timer]] = field(factory=list[tuple[float, int, Timer]], init=False)
    _order: count[int] = field(factory=count, init=False)
    _cancelled: int = field(default=0, init=False)

    def __bool__(self) -> bool:
        return bool(self.heap)

    def __len__(self) -> int:
        return len(self.heap) - self._cancelled

    @property
    def next_due(self) -> float:
        """When the loop must wake at the latest; `inf` without timers."""
        return self.heap[0][0] if self.heap else math.inf

    def add(
        self, message: object, due_at: float, *, interval: float | None = None, payload: object = None
    ) -> Timer:
        """Add a timer that is due at `due_at`, then every `interval` seconds."""
        timer = Timer(message, due_at, interval, self._count_cancelled, payload)
        heapq.heappush(self.heap, (due_at, next(self._order), timer))
        return timer

    def take_due(self, now: float) -> list[Timer]:
        """Remove and return what is due; an interval is armed again, and ticks that were missed are skipped."""
        due: list[Timer] = []
        while self.heap and self.heap[0][0] <= now:
            timer = heapq.heappop(self.heap)[2]
            if timer.cancelled:
                self._cancelled -= 1
                continue
            due.append(timer)
            timer.armed = timer.interval is not None
            if timer.interval is not None:
                timer.due_at = next_tick(timer.due_at, timer.interval, now)
                heapq.heappush(self.heap, (timer.due_at, next(self._order), timer))
        return due

    def _count_cancelled(self) -> None:
        self._cancelled += 1
        if self._cancelled > _COMPACT_FROM and self._cancelled * 2 > len(self.heap):
            self.heap[:] = [entry for entry in self.heap if not entry[2].cancelled]
            heapq.heapify(self.heap)
            self._cancelled = 0


def next_tick(due_at: float, interval: float, now: float) -> float:
    """Return the first time after `now` on the grid of `interval` that starts at `due_at`."""
    tick = due_at + interval
    return tick if tick > now else now + interval - (now - due_at) % interval
