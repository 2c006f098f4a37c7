"""The pure decisions: verdicts, intensity, backoff, specs, reasons; against tables and naive models."""

from __future__ import annotations

import asyncio
import math
import random
from itertools import product, takewhile
from types import SimpleNamespace
from typing import Any

import pytest
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.actors.model import delay_of

from wsmgr.actors import Backoff, ChildSpec, Crash, ExitReason, Killed, NoProc, Normal, Shutdown, Stop
from wsmgr.actors.process.timers import next_tick
from wsmgr.actors.reasons import describe, fatal_error, is_cancellation, is_expected, masked_error
from wsmgr.actors.supervision.child import Child
from wsmgr.actors.supervision.intensity import RestartWindow
from wsmgr.actors.supervision.restart import Verdict, ended_as_told, group_of, judge, shuts_down
from wsmgr.actors.testing import Probe

same_in_each_run = settings(derandomize=True, database=None, deadline=None, max_examples=100)

REASONS: list[ExitReason] = [
    Normal(),
    Shutdown(),
    Shutdown("x"),
    Killed(),
    NoProc(),
    Crash(ValueError("x")),
]
RESTARTED, KEPT, FORGOTTEN = Verdict.RESTART, Verdict.KEEP, Verdict.FORGET
VERDICTS = {
    "permanent": [RESTARTED, RESTARTED, RESTARTED, RESTARTED, RESTARTED, RESTARTED],
    "transient": [KEPT, KEPT, KEPT, RESTARTED, RESTARTED, RESTARTED],
    "temporary": [FORGOTTEN, FORGOTTEN, FORGOTTEN, FORGOTTEN, FORGOTTEN, FORGOTTEN],
}
"""What becomes of a child, by its restart type and in the order of `REASONS`."""


@pytest.mark.parametrize("restart", VERDICTS)
@pytest.mark.parametrize("nth", range(len(REASONS)), ids=[str(reason) for reason in REASONS])
def test_verdict_is_the_table_of_otp(restart: Any, nth: int) -> None:
    """Permanent: always; transient: when it was no good end; temporary: never, and forgotten."""
    assert VERDICTS[restart][nth] is judge(restart, REASONS[nth])


@same_in_each_run
@given(
    st.lists(st.tuples(st.sampled_from(list(VERDICTS)), st.sampled_from(REASONS)), max_size=20),
    st.integers(0, 4),
)
def test_ends_that_lead_to_a_restart_use_up_the_budget_and_no_others(
    ends: list[tuple[Any, ExitReason]], limit: int
) -> None:
    """A permanent child's end counts whatever the reason, a transient one's when it is abnormal, no other."""
    counted = 0
    for restart, reason in ends:
        abnormal = isinstance(reason, (Killed, NoProc, Crash))
        counted += restart == "permanent" or (restart == "transient" and abnormal)
    window = RestartWindow(limit, 5.0)
    admitted = [window.admit(0.0) for restart, reason in ends if judge(restart, reason) is Verdict.RESTART]
    assert [number <= limit for number in range(1, counted + 1)] == admitted


@same_in_each_run
@given(st.lists(st.integers(), unique=True, min_size=1, max_size=8), st.data())
def test_group_is_what_the_strategy_names(ids: list[int], data: st.DataObject) -> None:
    """In start order, the failed one included, nobody twice."""
    failed = data.draw(st.sampled_from(ids))
    rest: list[int] = []
    for each in ids:
        if each == failed or rest:
            rest.append(each)
    before = list(ids)
    assert [failed] == group_of("one_for_one", ids, failed)
    assert before == group_of("one_for_all", ids, failed)
    assert rest == group_of("rest_for_one", ids, failed)
    assert before == ids


def ended_well(restart: str, reason: ExitReason, *, brutally: bool) -> bool:
    """OTP's `shutdown/1`, clause by clause."""
    match reason:
        case Killed() if brutally:
            return True
        case Shutdown(None) if not brutally:
            return True
        case Shutdown() | Normal():
            return restart != "permanent"
        case _:
            return False


@pytest.mark.parametrize(("restart", "reason", "brutally"), list(product(VERDICTS, REASONS, [False, True])))
def test_end_that_was_asked_for_is_judged_as_by_otp(restart: Any, reason: ExitReason, brutally: bool) -> None:
    """Every clause of its `shutdown/1`, for every restart type."""
    expected = ended_well(restart, reason, brutally=brutally)
    assert expected is ended_as_told(restart, reason, brutally=brutally)


@pytest.mark.parametrize(
    ("mode", "significant", "others", "ends"),
    [
        ("never", True, True, False),
        ("never", True, False, False),
        ("never", False, True, False),
        ("never", False, False, False),
        ("any_significant", True, True, True),
        ("any_significant", True, False, True),
        ("any_significant", False, True, False),
        ("any_significant", False, False, False),
        ("all_significant", True, True, False),
        ("all_significant", True, False, True),
        ("all_significant", False, True, False),
        ("all_significant", False, False, False),
    ],
)
def test_automatic_shutdown(mode: Any, significant: bool, others: bool, ends: bool) -> None:
    """Only a significant child, and for `all` only the last."""
    assert ends is shuts_down(mode, significant=significant, others_running=others)


class OtpWindow:
    """OTP's `add_restart`, as it is: the newest first, and what is too old is cut off."""

    def __init__(self, intensity: int, period: float) -> None:
        self.intensity, self.period = intensity, period
        self.restarts: list[float] = []

    def add_restart(self, now: float) -> bool:
        threshold = now - self.period
        self.restarts = [now, *takewhile(lambda restart: restart >= threshold, self.restarts)]
        return len(self.restarts) <= self.intensity


@same_in_each_run
@given(
    limit=st.integers(0, 3),
    seconds=st.sampled_from([5.0, 1.0, 0.1]) | st.floats(0.001, 1e6),
    start=st.sampled_from([0.0, 100.0]) | st.floats(0, 1e9),
    parts=st.lists(
        st.sampled_from([1.0, 0.5, 0.0, 0.25, 1 / 3, 1 + 1e-9, 1 - 1e-9, 2.0]) | st.floats(0, 2), max_size=50
    ),
)
@example(limit=1, seconds=5.0, start=0.0, parts=[0.0, 1.0])
def test_intensity_is_the_log_of_otp(limit: int, seconds: float, start: float, parts: list[float]) -> None:
    """At equal times, exactly a window apart, and at any others; steps are parts of the window."""
    window, otp = RestartWindow(limit, seconds), OtpWindow(limit, seconds)
    now = start
    for part in parts:
        now += part * seconds
        assert otp.add_restart(now) is window.admit(now)


@same_in_each_run
@given(
    st.integers(0, 5),
    st.integers(1, 10),
    st.lists(st.integers(0, 4), max_size=50),
)
def test_intensity_is_a_sliding_log_with_an_inclusive_edge(
    limit: int, seconds: int, steps: list[int]
) -> None:
    """Against the definition: count the restarts in [now - seconds, now]."""
    window = RestartWindow(limit, seconds)
    now, restarts = 0.0, []
    for step in steps:
        now += step
        restarts.append(now)
        expected = sum(at >= now - seconds for at in restarts) <= limit
        assert expected is window.admit(now)


def test_restart_exactly_one_window_ago_still_counts() -> None:
    """The edge is inclusive; an instant later it is forgotten."""
    for later, admitted in ((5.0, False), (5.0 + 1e-9, True)):
        window = RestartWindow(1, 5.0)
        assert window.admit(0.0)
        assert admitted is window.admit(later)


def test_no_restart_is_within_a_budget_of_none() -> None:
    """`max_restarts=0` gives up on the first."""
    assert RestartWindow(0, 5).admit(0.0) is False


backoffs = st.builds(
    Backoff,
    initial=st.floats(0.001, 10),
    maximum=st.floats(10, 1000),
    factor=st.floats(1, 10),
    jitter=st.floats(0, 1),
    immediate_first=st.booleans(),
    reset=st.just("healthy") | st.floats(0, 100),
    max_consecutive=st.none() | st.integers(1, 20),
)


def longest(low: float, high: float) -> float:
    """Draw the longest delay that is possible."""
    return high


@same_in_each_run
@given(backoffs, st.integers(1, 300))
def test_delay_is_drawn_from_its_interval(backoff: Backoff, attempt: int) -> None:
    """Uniform in [d * (1 - jitter), d], d = initial * factor**n below the maximum; the first may be immediate."""
    asked: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    delay = backoff.delay(attempt, uniform=uniform)
    if attempt == 1 and backoff.immediate_first:
        assert delay == 0.0
        assert asked == []
        return
    d = delay_of(backoff, attempt)
    ((low, high),) = asked
    assert pytest.approx(d, rel=1e-9) == high
    assert pytest.approx(d * (1 - backoff.jitter), rel=1e-9, abs=1e-12) == low
    assert delay == low


@same_in_each_run
@given(backoffs, st.integers(1, 10**9), st.integers())
@example(Backoff(initial=0.1, maximum=0.3, jitter=0.3), 10**9, 0)
def test_delay_is_never_over_the_maximum(backoff: Backoff, attempt: int, seed: int) -> None:
    """Nor negative; also where factor**n is beyond every float."""
    delay = backoff.delay(attempt, uniform=random.Random(seed).uniform)
    assert 0.0 <= delay <= backoff.maximum


@same_in_each_run
@given(backoffs, st.integers(1, 10**9))
def test_bound_of_the_delay_never_shrinks(backoff: Backoff, attempt: int) -> None:
    """A child that keeps failing is never tried more often."""
    assert backoff.delay(attempt, uniform=longest) <= backoff.delay(attempt + 1, uniform=longest)


@same_in_each_run
@given(st.floats(0.001, 10), st.floats(1.001, 10), st.integers(10**5, 10**12))
def test_bound_of_the_delay_reaches_the_maximum_and_stays(
    initial: float, factor: float, attempt: int
) -> None:
    """However long the row is: nothing overflows."""
    assert Backoff(initial=initial, factor=factor).delay(attempt, uniform=longest) == 60.0
    assert Backoff(initial=initial, factor=1.0).delay(attempt, uniform=longest) == initial


def test_delays_without_jitter_are_the_powers() -> None:
    """1, 2, 4, 8, then the cap."""
    backoff = Backoff(initial=1, maximum=8, jitter=0)
    assert [0, 1, 2, 4, 8, 8] == [backoff.delay(attempt) for attempt in range(1, 7)]


@same_in_each_run
@given(backoffs)
def test_row_is_exhausted_after_max_consecutive(backoff: Backoff) -> None:
    """So many attempts are made, and not one more; without a limit there is no end."""
    attempts = [attempt for attempt in range(1, 30) if not backoff.exhausted(attempt)]
    assert list(range(1, (backoff.max_consecutive or 29) + 1)) == attempts


@same_in_each_run
@given(backoffs, st.sampled_from([0.0, 0.5, 1.0, 2.0]) | st.floats(0, 3), st.booleans())
def test_row_ends_by_health_or_by_uptime(backoff: Backoff, part: float, healthy: bool) -> None:
    """Up exactly as long as asked for is enough."""
    wanted = backoff.maximum if backoff.reset == "healthy" else float(backoff.reset)
    uptime = part * wanted
    expected = uptime >= wanted or (healthy and backoff.reset == "healthy")
    assert expected is backoff.starts_anew(uptime=uptime, healthy=healthy)


QUARTERS = st.integers(0, 40).map(lambda quarters: quarters / 4)


@same_in_each_run
@given(
    backoff=st.builds(
        Backoff,
        initial=st.sampled_from([0.25, 1.0]),
        maximum=st.sampled_from([1.0, 4.0]),
        jitter=st.just(0.0),
        immediate_first=st.booleans(),
        reset=st.sampled_from(["healthy", 0.0, 2.5]),
    ),
    failures=st.lists(
        st.tuples(st.sampled_from(["ended", "ended healthy", "not started"]), QUARTERS), max_size=20
    ),
)
def test_restarts_in_a_row_are_counted_until_the_child_was_well(
    backoff: Backoff, failures: list[tuple[str, float]]
) -> None:
    """A start that fails goes on with the row, whatever was before; an end after long enough, or health, ends it."""
    child = Child(ChildSpec("a", Probe, backoff=backoff))
    row, now = 0, 0.0
    for how, uptime in failures:
        child.started_at = now
        now += uptime
        ended: Any = None if how == "not started" else SimpleNamespace(healthy=how == "ended healthy")
        long_enough = uptime >= (backoff.maximum if backoff.reset == "healthy" else float(backoff.reset))
        if how != "not started" and (long_enough or (how == "ended healthy" and backoff.reset == "healthy")):
            row = 0
        row += 1
        assert (row, delay_of(backoff, row)) == child.plan_restart(now, ended)


def test_without_a_backoff_each_restart_is_the_first_and_at_once() -> None:
    """OTP knows no waits."""
    child = Child(ChildSpec("a", Probe))
    assert [(1, 0.0)] * 3 == [child.plan_restart(now, None) for now in (0.0, 0.0, 100.0)]


@same_in_each_run
@given(
    due=st.integers(-1000, 1000).map(lambda eighths: eighths / 8),
    interval=st.integers(1, 100).map(lambda eighths: eighths / 8),
    late=st.integers(0, 1000).map(lambda eighths: eighths / 8),
)
def test_next_tick_is_the_first_of_the_grid_after_now(due: float, interval: float, late: float) -> None:
    """Counted off one by one: what was missed is skipped, and a tick that is due now is not the next."""
    tick = due + interval
    while tick <= due + late:
        tick += interval
    assert tick == next_tick(due, interval, due + late)


def test_storm_of_restarts_does_not_align() -> None:
    """A thousand children that failed together come back spread over half of the wait, also at the cap."""
    backoff = Backoff(initial=1, maximum=8)
    rng = random.Random(1)
    delays = [backoff.delay(20, uniform=rng.uniform) for _ in range(1000)]
    assert min(delays) < 4.2
    assert max(delays) > 7.8
    assert len(set(delays)) > 990


def test_row_of_failures_ends_by_health_or_by_uptime() -> None:
    """`healthy`: said so, or up for the longest wait; a number: up for so long."""
    assert Backoff(maximum=60).starts_anew(uptime=0, healthy=True)
    assert Backoff(maximum=60).starts_anew(uptime=60, healthy=False)
    assert not Backoff(maximum=60).starts_anew(uptime=59, healthy=False)
    assert Backoff(reset=5.0).starts_anew(uptime=5, healthy=False)
    assert not Backoff(reset=5.0).starts_anew(uptime=4, healthy=True)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"initial": 0}, ValueError),
        ({"initial": 100}, ValueError),
        ({"maximum": math.inf}, ValueError),
        ({"factor": 0.5}, ValueError),
        ({"jitter": 1.5}, ValueError),
        ({"reset": "sometimes"}, ValueError),
        ({"reset": -1}, ValueError),
        ({"max_consecutive": 0}, ValueError),
        ({"initial": "1"}, TypeError),
        ({"immediate_first": 1}, TypeError),
    ],
)
def test_wrong_backoff_is_refused_when_it_is_made(options: dict[str, Any], error: type[Exception]) -> None:
    """Not at the first failure."""
    with pytest.raises(error):
        Backoff(**options)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"restart": "always"}, ValueError),
        ({"shutdown": -10}, ValueError),
        ({"shutdown": math.inf}, ValueError),
        ({"shutdown": "gently"}, ValueError),
        ({"shutdown": None}, TypeError),
        ({"type": "manager"}, ValueError),
        ({"significant": 1}, TypeError),
        ({"significant": True}, ValueError),
        ({"start_timeout": 0}, ValueError),
        ({"type": "supervisor", "shutdown": 5.0}, ValueError),
        ({"start": "not callable"}, TypeError),
        ({"modules": []}, TypeError),
    ],
)
def test_wrong_spec_is_refused_when_it_is_made(options: dict[str, Any], error: type[Exception]) -> None:
    """One clear message per rule; unknown keys too."""
    with pytest.raises(error):
        ChildSpec(**{"id": "x", "start": Probe, **options})


def test_shutdown_defaults_depend_on_the_type() -> None:
    """A supervisor's own children have their own deadlines; their sum is not to be guessed."""
    assert ChildSpec("w", Probe).shutdown == 5.0
    assert ChildSpec("s", Probe, type="supervisor").shutdown == "infinity"


def test_reasons_match_by_position_and_compare_by_value() -> None:
    """They are values."""
    error = ValueError("x")
    match Crash(error):
        case Crash(inner):
            assert inner is error
    assert Shutdown("a") == Shutdown("a")
    assert Shutdown("a") != Shutdown("b")
    assert len({Normal(), Normal(), Killed(), NoProc()}) == 3
    assert [True, True, True, False, False, False] == [is_expected(reason) for reason in REASONS]


@pytest.mark.parametrize("wrong", [Shutdown, "shutdown", None, ValueError()])
def test_what_is_no_reason_is_refused_where_it_is_given(wrong: Any) -> None:
    """The usual mistake is the class instead of a value."""
    with pytest.raises(TypeError, match="exit reason"):
        Stop(wrong)


def test_root_causes_are_the_leaves_without_cancellations() -> None:
    """Nested groups hide the reason; the group itself is kept."""
    value, key = ValueError("v"), KeyError("k")
    group = BaseExceptionGroup("a", [asyncio.CancelledError(), BaseExceptionGroup("b", [value, key])])
    assert (value, key) == Crash(group).root_causes()
    assert "ValueError: v" in describe(Crash(group))
    cancelled = asyncio.CancelledError()
    assert (cancelled,) == Crash(cancelled).root_causes()


def test_cancellations_of_both_backends_are_known_without_importing_them() -> None:
    """And groups of nothing else; an exception of the same name is none."""
    assert is_cancellation(asyncio.CancelledError())
    assert is_cancellation(trio.Cancelled._create())
    assert is_cancellation(BaseExceptionGroup("x", [trio.Cancelled._create()]))
    assert not is_cancellation(type("Cancelled", (Exception,), {})())
    assert not is_cancellation(BaseExceptionGroup("x", [trio.Cancelled._create(), ValueError()]))


def test_what_ends_the_program_is_found_at_any_depth() -> None:
    """And nothing else is taken for it."""
    leave = SystemExit(3)
    assert fatal_error(BaseExceptionGroup("x", [ValueError(), leave])) is leave
    assert fatal_error(BaseExceptionGroup("x", [ValueError(), asyncio.CancelledError()])) is None
    assert fatal_error(ValueError()) is None


def test_error_behind_a_cancellation_is_found() -> None:
    """A `finally` that awaits puts the cancellation in front."""
    error = ValueError("masked")
    cancelled = asyncio.CancelledError()
    cancelled.__context__ = asyncio.CancelledError()
    cancelled.__context__.__context__ = error
    assert masked_error(cancelled) is error
    assert masked_error(asyncio.CancelledError()) is None
