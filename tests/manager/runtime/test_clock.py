"""The clocks of the running loop and of the machine."""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING

import pytest

from wsmgr.manager.runtime.clock import AT_ONCE, TRIES, Clock, current_clock

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio


async def test_all_clocks_are_read_together() -> None:
    """Each shows what its own function shows."""
    clock = current_clock()
    before = (clock.monotonic(), time.monotonic(), clock.elapsed(), time.time())
    reading = clock.read()
    after = (clock.monotonic(), time.monotonic(), clock.elapsed(), time.time())
    assert reading is not None
    shown = (reading.loop, reading.steady, reading.elapsed, reading.wall)
    assert all(first <= now <= last for first, now, last in zip(before, shown, after, strict=True))


def test_a_reading_that_took_too_long_is_taken_again() -> None:
    """The thread was held up between two clocks: what they show is not of one moment."""
    steady: Iterator[float] = iter([0.0, 10.0, 20.0, 20.0 + AT_ONCE / 2])
    loop = count(1)
    reading = Clock(lambda: float(next(loop)), lambda: 7.0, lambda: next(steady), lambda: 30.0).read()
    assert reading is not None
    assert (2.0, 20.0, 30.0, 7.0) == (reading.loop, reading.steady, reading.elapsed, reading.wall)


def test_a_machine_that_never_reads_them_at_once_is_not_read() -> None:
    """A suspend that was none would be worse than a reading less."""
    steady = count(0.0, 1.0)
    assert None is Clock(lambda: 0.0, lambda: 0.0, lambda: next(steady), lambda: 0.0).read()
    assert 2.0 * TRIES == next(steady)
