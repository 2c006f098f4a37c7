"""The pulse: after the loop stood still nothing is judged before it has turned for a while."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.model.pulse import CHAIN, GRACE, INTERVAL, STALL, Pulse

ON_TIME = st.floats(0.001, INTERVAL + STALL - 0.001)
STALLED = st.floats(INTERVAL + STALL + 0.01, 3600.0)
GAPS = st.lists(st.one_of(ON_TIME, STALLED), max_size=40)
JUDGES = st.lists(st.booleans(), min_size=40, max_size=40)


def kept(now: float = 0.0) -> Pulse:
    """Return a pulse that somebody keeps."""
    pulse = Pulse()
    pulse.begin(now)
    return pulse


@given(st.lists(ON_TIME, max_size=50))
def test_a_loop_that_turns_is_always_judged(gaps: list[float]) -> None:
    """Small lateness costs no deadline anything."""
    pulse, now = kept(), 0.0
    for gap in gaps:
        now += gap
        assert pulse.may_judge(now)
        assert now == pulse.judge_at(now)
    assert 0.0 == pulse.take_stall()


@given(stall=STALLED, judge_first=st.booleans())
def test_whoever_runs_first_after_a_stall_sees_it(stall: float, *, judge_first: bool) -> None:
    """A loop that runs its timers before it reads may run a judge before anybody has said that it turns again."""
    pulse = kept()
    if not judge_first:
        assert pytest.approx(stall - INTERVAL) == pulse.beat(stall)
    assert not pulse.may_judge(stall)
    assert stall + GRACE == pulse.judge_at(stall)
    assert pytest.approx(stall - INTERVAL) == pulse.take_stall()


@given(GAPS, JUDGES)
def test_each_stall_is_reported_once(gaps: list[float], judges: list[bool]) -> None:
    """Whoever saw it, and however often it was asked about meanwhile."""
    pulse, now, expected, reported = kept(), 0.0, 0.0, 0.0
    for gap, judge in zip(gaps, judges, strict=False):
        now += gap
        expected += gap - INTERVAL if gap > INTERVAL + STALL else 0.0
        if judge:
            pulse.may_judge(now)
            pulse.judge_at(now)
        pulse.beat(now)
        if not judge:
            reported += pulse.take_stall()
    assert pytest.approx(expected) == reported + pulse.take_stall()
    assert 0.0 == pulse.take_stall()


@given(STALLED, st.lists(ON_TIME, min_size=1, max_size=2000))
def test_after_a_stall_nothing_is_judged_before_two_turns_and_the_grace(
    stall: float, gaps: list[float]
) -> None:
    """Of a gap no more counts than one interval, so one long turn is not taken for many."""
    pulse, now, turned = kept(), stall, 0.0
    assert not pulse.may_judge(now)
    for number, gap in enumerate(gaps, 1):
        now += gap
        turned += min(gap, INTERVAL)
        if pulse.may_judge(now):
            assert number >= 2
            assert turned >= GRACE - 0.01
            break
    else:
        assert turned < GRACE + 0.01


@given(STALLED, st.floats(0.01, INTERVAL))
def test_who_waits_until_it_may_judge_looks_a_few_times_at_most(stall: float, interval: float) -> None:
    """Somebody beats, and a judge who sleeps until `judge_at` comes to it soon: he never turns round and round."""
    pulse, now, looks = kept(), stall, 0
    beat_at = stall + interval
    while (at := pulse.judge_at(now)) > now:
        looks += 1
        while beat_at < at:
            pulse.beat(beat_at)
            beat_at += interval
        now = at
    assert looks <= 3
    assert pytest.approx(GRACE, abs=0.01) == now - stall


@given(st.floats(INTERVAL + STALL + 0.01, 4.0), st.floats(0.05, 0.3))
def test_a_loop_that_is_blocked_again_and_again_is_judged_all_the_same(block: float, turning: float) -> None:
    """Else a dead socket would never be found."""
    pulse, now, judged = kept(), 0.0, list[float]()
    while now < 10 * CHAIN:
        now += block
        assert not pulse.may_judge(now)
        now += turning
        if pulse.may_judge(now):
            judged.append(now)
    gaps = [after - before for before, after in zip([0.0, *judged], judged, strict=False)]
    assert judged
    assert min(gaps) >= CHAIN
    assert max(gaps) <= CHAIN + 3 * (block + turning)


def test_a_suspended_machine_is_doubted_like_a_loop_that_stood_still() -> None:
    """The monotonic clock does not show it, and the sockets were not read."""
    pulse = kept()
    pulse.beat(0.4)
    pulse.doubt(0.4)
    assert not pulse.may_judge(0.4)
    assert 0.0 == pulse.take_stall()
    pulse.beat(0.9)
    assert 1.4 == pulse.judge_at(0.9)
    assert pulse.may_judge(1.4)


def test_while_nobody_keeps_the_pulse_everything_may_be_judged() -> None:
    """Who judges without a beat, judges as he always did; what lies between two keepers is no stall."""
    pulse = Pulse()
    assert pulse.may_judge(0.0)
    assert pulse.may_judge(1000.0)
    pulse.begin(2000.0)
    assert not pulse.may_judge(2010.0)
    pulse.end()
    assert pulse.may_judge(2010.0)
    assert pulse.may_judge(3000.0)
    pulse.begin(4000.0)
    assert pulse.may_judge(4001.0)
    assert 9.5 == pulse.take_stall()


def test_a_time_that_was_read_a_while_ago_changes_nothing() -> None:
    """A judge may have waited between reading the clock and asking."""
    pulse = kept()
    pulse.beat(5.0)
    assert pulse.take_stall() > 0
    pulse.beat(2.0)
    pulse.beat(5.1)
    assert 0.0 == pulse.take_stall()


def test_a_slow_keeper_says_how_slow_he_is() -> None:
    """The interval is the keeper's."""
    pulse = Pulse()
    pulse.begin(0.0, interval=60.0)
    assert pulse.may_judge(60.9)
    assert 0.0 == pulse.take_stall()
