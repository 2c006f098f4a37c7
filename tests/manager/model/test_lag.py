"""Lag: relative to the venue's clock, sampled once a second, in bounded memory."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.model.lag import (
    COUNTED,
    LEAST,
    MINUTE,
    MINUTES,
    SECONDS,
    Lags,
    VenueClock,
    sample_lag,
    skip_lag,
)
from wsmgr.manager.model.message import Message, Source
from wsmgr.manager.model.metrics import Counters

SOURCE = Source(venue="v", type="t", key="v/t", subscription_id="s", decode=bytes)
EIGHTH = 1.125


def message(seq: int, lag: float | None, *, wall: float = 1_700_000_000.0, **flags: bool) -> Message:
    """Return a message that came `lag` seconds after its venue time."""
    return Message(
        SOURCE,
        "t",
        seq,
        0,
        "c",
        wall,
        b"{}",
        venue_time=None if lag is None else wall - lag,
        **flags,  # type: ignore[arg-type]  # flags only
    )


@given(st.lists(st.tuples(st.floats(0.0, 300.0), st.floats(-100.0, 100.0)), min_size=1, max_size=60))
def test_the_offset_is_the_least_difference_of_the_last_minutes(steps: list[tuple[float, float]]) -> None:
    """Against the same, done by looking at all of them."""
    clock, now, seen = VenueClock(), 1000.0, list[tuple[int, float]]()
    for passed, difference in steps:
        now += passed
        minute = int(now // MINUTE)
        seen.append((minute, difference))
        minutes = {at for at, _ in seen if at > minute - MINUTES}
        least = {at: sorted(value for when, value in seen if when == at)[:COUNTED] for at in minutes}
        whole = [values[-1] for values in least.values() if len(values) == COUNTED]
        expected = min(whole or [least[minute][-1]])
        assert expected == clock.observe(difference, now)
        assert expected == clock.offset


def test_one_or_two_odd_times_of_a_venue_move_nothing() -> None:
    """A frame of the year 2100, or of no number, says nothing of the venue's clock."""
    clock = VenueClock()
    for second in range(10):
        clock.observe(0.2 + second / 100, float(second))
    before = clock.offset
    for odd in (-2.4e9, -2.4e9, float("inf"), float("nan")):
        clock.observe(odd, 10.0)
    assert before is not None
    assert clock.offset is not None
    assert abs(clock.offset - before) < 0.05


def test_a_clock_that_was_reset_knows_nothing() -> None:
    """What was before a step of our clock does not count."""
    clock = VenueClock()
    assert None is clock.offset
    clock.observe(-3600.0, 0.0)
    clock.reset()
    assert None is clock.offset
    assert 0.2 == clock.observe(0.2, 0.0)


@given(
    st.lists(st.one_of(st.none(), st.floats(0.0, 1000.0)), max_size=50),
    st.lists(st.floats(0.01, 1.0), min_size=1, max_size=3),
)
def test_a_quantile_is_the_exact_one_or_an_eighth_more(lags: list[float | None], shares: list[float]) -> None:
    """It is never less: so many of the samples were at most so late."""
    kept = Lags()
    for lag in lags:
        kept.add(lag)
    samples = sorted(lag for lag in lags if lag is not None)
    found = kept.at_most(*shares)
    if not samples:
        assert None is found
        return
    assert found is not None
    for share, value in zip(shares, found, strict=True):
        exact = max(LEAST, samples[ceil(share * len(samples)) - 1])
        assert exact <= value * 1.000001
        assert value <= exact * EIGHTH


def test_only_the_last_quarter_of_an_hour_counts() -> None:
    """What is older is forgotten, to the second, also where nothing has come since."""
    kept = Lags()
    for _ in range(SECONDS):
        kept.add(100.0)
    for _ in range(SECONDS - 1):
        kept.add(0.5)
    assert pytest.approx([100.0], rel=0.13) == kept.at_most(1.0)
    kept.add(0.5)
    assert pytest.approx([0.5], rel=0.13) == kept.at_most(1.0)
    for _ in range(SECONDS):
        kept.add(None)
    assert None is kept.at_most(1.0)


def test_a_lag_of_years_is_the_last_class() -> None:
    """A venue's clock may show anything; the counts stay in their bounds."""
    kept = Lags()
    kept.add(1e9)
    kept.add(-1.0)
    found = kept.at_most(0.5, 1.0)
    assert found is not None
    assert LEAST == found[0]
    assert 1000.0 < found[1] < 10_000.0


def test_lag_is_relative_to_the_fastest_message() -> None:
    """The venue's clock is 5 s ahead of ours; the fastest message has lag 0, and another 40 ms more."""
    counters, clock = Counters(), VenueClock()
    assert (None, None) == counters.lag_ms
    for second in range(100):
        lag = 0.040 if second % 4 else 0.0
        sample_lag(counters, message(second + 1, lag - 5.0), clock, float(second))
    assert -5.0 == pytest.approx(clock.offset)
    median, worst = counters.lag_ms
    assert pytest.approx(40.0, rel=0.13) == median == worst


@pytest.mark.parametrize("flag", ["snapshot", "replayed", "healed"])
def test_what_did_not_come_just_now_is_no_sample(flag: str) -> None:
    """A snapshot, what came from memory and what a query healed is older than its way."""
    counters, clock = Counters(), VenueClock()
    sample_lag(counters, message(1, 0.1), clock, 0.0)
    sample_lag(counters, message(2, 60.0, **{flag: True}), clock, 1.0)
    sample_lag(counters, message(3, -60.0, **{flag: True}), clock, 2.0)
    assert 0.1 == pytest.approx(clock.offset)
    assert (1.0, 1.0) == counters.lag_ms


def test_a_message_is_sampled_once() -> None:
    """A stream that has gone silent does not become a stream of the same lag again and again."""
    counters, clock = Counters(), VenueClock()
    sample_lag(counters, message(1, 0.0), clock, 0.0)
    slow = message(2, 9.0)
    for second in range(1, 10):
        sample_lag(counters, slow, clock, float(second))
    for second in range(10, 13):
        sample_lag(counters, message(second, 0.0), clock, float(second))
    median, _ = counters.lag_ms
    assert 1.0 == median


def test_a_stream_without_venue_times_has_no_lag_and_costs_no_memory() -> None:
    """Nor does one from which nothing has come."""
    counters, clock = Counters(), VenueClock()
    sample_lag(counters, None, clock, 0.0)
    sample_lag(counters, message(1, None), clock, 1.0)
    skip_lag(counters, message(1, None))
    skip_lag(counters, None)
    assert None is counters.lags
    assert None is clock.offset


def test_a_message_from_before_a_step_is_skipped() -> None:
    """When it came was told by a clock that has been set since."""
    counters, clock = Counters(), VenueClock()
    before = message(1, 3600.0)
    skip_lag(counters, before)
    sample_lag(counters, before, clock, 0.0)
    assert [None, None] == list(counters.lag_ms)
    sample_lag(counters, message(2, 0.5), clock, 1.0)
    assert (1.0, 1.0) == counters.lag_ms
