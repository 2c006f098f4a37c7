"""The clocks of the running loop, and those of the machine.

Deadlines run on the loop's own monotonic clock, so that a test's virtual time moves them; wall time is for people and
tables. All can be read from a loop callback, where no task is current.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from functools import partial

import sniffio
from attrs import frozen

from wsmgr.manager.model.clocks import Reading

AT_ONCE = 0.05
"""Seconds within which several clocks must have been read for what they show to be of one moment."""

TRIES = 3


# On macOS `CLOCK_MONOTONIC` goes on while the machine is suspended, and `time.monotonic` reads another clock.
_ELAPSED: int | None = getattr(
    time, "CLOCK_MONOTONIC" if sys.platform == "darwin" else "CLOCK_BOOTTIME", None
)
_elapsed = time.monotonic if _ELAPSED is None else partial(time.clock_gettime, _ELAPSED)


@frozen
class Clock:
    """The clocks.

    Attributes:
        monotonic: The loop's clock, in seconds.
        wall: Unix seconds (UTC).
        steady: The operating system's monotonic clock, in seconds; it stands while the machine is suspended.
        elapsed: The same, but that it goes on, where there is such a clock.
    """

    monotonic: Callable[[], float]
    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    elapsed: Callable[[], float] = _elapsed

    def read(self) -> Reading | None:
        """Return what all of them show at one moment, or None where this thread was held up each time it tried."""
        for _ in range(TRIES):
            steady = self.steady()
            reading = Reading(loop=self.monotonic(), steady=steady, elapsed=self.elapsed(), wall=self.wall())
            if self.steady() - steady <= AT_ONCE:
                return reading
        return None


def current_clock() -> Clock:
    """Return the clocks of the loop that runs this task."""
    if sniffio.current_async_library() == "trio":
        import trio  # noqa: PLC0415 - a program on asyncio does not pay for it

        return Clock(trio.lowlevel.current_clock().current_time)
    return Clock(asyncio.get_running_loop().time)
