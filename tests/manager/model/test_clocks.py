"""Clocks against one another: a suspend, a step, and what is neither."""

from __future__ import annotations

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.model.clocks import STEP, SUSPEND, Clocks, Jump, Reading

START = Reading(loop=10.0, steady=5_000.0, elapsed=7_000.0, wall=1_700_000_000.0)
QUIET = Jump()
SECONDS = st.floats(0.01, 5.0)


def later(
    reading: Reading, seconds: float, *, asleep: float = 0.0, stepped: float = 0.0, loop: float | None = None
) -> Reading:
    """Return what the clocks show after some seconds awake."""
    return Reading(
        loop=reading.loop + (seconds if loop is None else loop),
        steady=reading.steady + seconds,
        elapsed=reading.elapsed + seconds + asleep,
        wall=reading.wall + seconds + asleep + stepped,
    )


@given(st.lists(st.tuples(SECONDS, st.floats(-0.08, 0.08)), max_size=30))
def test_a_slewed_clock_is_no_step(turns: list[tuple[float, float]]) -> None:
    """Not even at the fastest rate that anyone slews by, for however long."""
    clocks, reading = Clocks(), START
    assert QUIET == clocks.look(reading)
    for seconds, rate in turns:
        reading = later(reading, seconds, stepped=rate * seconds)
        assert QUIET == clocks.look(reading)


@given(seconds=SECONDS, size=st.floats(STEP + 0.01, 1e6), back=st.booleans())
def test_a_step_is_told_once(seconds: float, size: float, *, back: bool) -> None:
    """With its sign."""
    clocks = Clocks()
    clocks.look(START)
    stepped = -size if back else size
    reading = later(START, seconds, stepped=stepped)
    jump = clocks.look(reading)
    assert pytest.approx(stepped, abs=1e-3) == jump.stepped
    assert 0.0 == jump.suspended
    assert QUIET == clocks.look(later(reading, seconds))


@given(SECONDS, st.floats(SUSPEND + 0.01, 1e6))
def test_a_suspend_is_told_once_and_is_no_step(seconds: float, asleep: float) -> None:
    """The wall clock goes on while the machine sleeps: nobody set it."""
    clocks = Clocks()
    clocks.look(START)
    reading = later(START, seconds, asleep=asleep)
    jump = clocks.look(reading)
    assert pytest.approx(asleep, abs=1e-3) == jump.suspended
    assert 0.0 == jump.stepped
    assert QUIET == clocks.look(later(reading, seconds))


def test_a_clock_that_was_wrong_after_a_suspend_is_both() -> None:
    """Each with its own seconds."""
    clocks = Clocks()
    clocks.look(START)
    assert Jump(suspended=60.0, stepped=-3.0) == clocks.look(later(START, 1.0, asleep=60.0, stepped=-3.0))


@given(st.floats(0.0, 3600.0), SECONDS)
def test_virtual_time_is_no_step(virtual: float, seconds: float) -> None:
    """The loop's clock of a test jumps; the wall clock may be the machine's, or follow the loop's."""
    clocks = Clocks()
    clocks.look(START)
    assert QUIET == clocks.look(later(START, seconds, loop=virtual))
    followed = later(START, seconds, loop=virtual)
    clocks = Clocks()
    clocks.look(START)
    assert QUIET == clocks.look(evolve(followed, wall=START.wall + virtual))


def test_a_wall_clock_that_is_set_in_virtual_time_is_a_step() -> None:
    """A test can show what happens then."""
    clocks = Clocks()
    clocks.look(START)
    moved = evolve(later(START, 0.001, loop=0.5), wall=START.wall + 0.5 + 3600.0)
    assert 3600.0 == pytest.approx(clocks.look(moved).stepped)
