"""Counters: what is counted, and what is computed from it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.model.metrics import HISTORY, RATE_WINDOW, Counters


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=30))
def test_live_seconds_are_the_time_between_coming_and_going(steps: list[tuple[int, bool]]) -> None:
    """Coming twice or going twice counts nothing twice, and the present stretch counts too."""
    counters, now, live, expected = Counters(), 0.0, False, 0.0
    for seconds, up in steps:
        expected += seconds if live else 0
        now += seconds
        assert expected == counters.live(now)
        (counters.begin_live if up else counters.end_live)(now)
        live = up


@given(st.lists(st.integers(0, 50), max_size=60))
def test_the_rate_is_the_mean_of_the_last_ten_whole_seconds(per_second: list[int]) -> None:
    """As many as there were, where there were fewer than ten."""
    counters = Counters()
    for count in per_second:
        counters.messages += count
        counters.sample()
    recent = per_second[-RATE_WINDOW:]
    assert pytest.approx(sum(recent) / len(recent) if recent else 0.0) == counters.rate
    assert per_second == counters.history


def test_the_history_is_bounded_and_keeps_the_newest() -> None:
    """Fifteen minutes of seconds, however long the stream has run."""
    counters = Counters()
    for second in range(2 * HISTORY + 7):
        counters.messages += second
        counters.sample()
        assert len(counters._per_second) <= HISTORY + RATE_WINDOW
    assert list(range(HISTORY + 7, 2 * HISTORY + 7)) == counters.history


def test_restored_counts_are_no_messages_of_this_second() -> None:
    """A restart does not show a burst of a million messages."""
    counters = Counters(messages=1_000_000)
    counters.resume_sampling()
    counters.messages += 3
    counters.sample()
    assert [3] == counters.history
    assert 3.0 == counters.rate


def test_messages_per_minute_are_over_the_time_for_which_it_was_live() -> None:
    """An hour of outage does not make a stream look slow."""
    counters = Counters()
    assert 0.0 == counters.messages_per_minute(0.0)
    counters.begin_live(0.0)
    counters.messages = 60
    counters.end_live(30.0)
    assert 120.0 == counters.messages_per_minute(3600.0)


def test_a_clock_that_went_backwards_takes_no_live_time_away() -> None:
    """Live time never shrinks."""
    counters = Counters(live_seconds=5.0)
    counters.begin_live(10.0)
    assert 5.0 == counters.live(9.0)
    counters.end_live(9.0)
    assert 5.0 == counters.live_seconds


def test_counters_are_stored_only_when_something_was_counted() -> None:
    """A thousand silent streams cost the database nothing."""
    counters, dirty = Counters(), list[bool]()

    def changed() -> bool:
        found = counters.dirty
        counters.mark_stored(0)
        return found

    dirty += [changed(), changed()]
    counters.messages += 1
    dirty.append(changed())
    counters.end_live(1.0)
    dirty.append(changed())
    counters.begin_live(1.0)
    dirty.append(changed())
    counters.begin_live(2.0)
    dirty.append(changed())
    counters.end_live(3.0)
    dirty.append(changed())
    assert [True, False, True, False, True, False, True] == dirty
