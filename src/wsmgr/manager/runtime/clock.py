"""The clocks of the running loop.

Deadlines run on the loop's own monotonic clock, so that a test's virtual time moves them; wall time is for people and
tables. Both can be read from a loop callback, where no task is current.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import sniffio
from attrs import frozen


@frozen
class Clock:
    """The two clocks.

    Attributes:
        monotonic: The loop's clock, in seconds.
        wall: Unix seconds (UTC).
    """

    monotonic: Callable[[], float]
    wall: Callable[[], float] = time.time


def current_clock() -> Clock:
    """Return the clocks of the loop that runs this task."""
    if sniffio.current_async_library() == "trio":
        import trio  # noqa: PLC0415 - a program on asyncio does not pay for it

        return Clock(trio.lowlevel.current_clock().current_time)
    return Clock(asyncio.get_running_loop().time)
