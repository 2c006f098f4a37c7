"""The pure decisions: verdicts, intensity, backoff, specs, reasons; against tables and naive models."""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.actors import Backoff, ChildSpec, Crash, ExitReason, Killed, NoProc, Normal, Shutdown, Stop
from wsmgr.actors.reasons import describe, fatal_error, is_cancellation, is_expected, masked_error
from wsmgr.actors.supervision.intensity import RestartWindow
from wsmgr.actors.supervision.restart import Verdict, ended_as_told, group_of, judge, shuts_down
from wsmgr.actors.testing import Probe

REASONS: list[ExitReason] = [
    Normal(),
    Shutdown(),
    Shutdown("x"),
    Killed(),
    NoProc(),
    Crash(ValueError("x")),
]


@given(st.sampled_from(["permanent", "transient", "temporary"]), st.sampled_from(REASONS))
def test_verdict_is_the_table_of_otp(restart: Any, reason: ExitReason) -> None:
    """Permanent: always; transient: when it was no good end; temporary: never, and forgotten."""
    good = isinstance(reason, (Normal, Shutdown))
    expected = {
        "permanent": Verdict.RESTART,
        "transient": Verdict.KEEP if good else Verdict.RESTART,
        "temporary": Verdict.FORGET,
    }[restart]
    assert expected is judge(restart, reason)


@given(st.lists(st.integers(), unique=True, min_size=1, max_size=8), st.data())
def test_group_is_what_the_strategy_names(ids: list[int], data: st.DataObject) -> None:
    """In start order, the failed one included, nobody twice."""
    failed = data.draw(st.sampled_from(ids))
    assert [failed] == group_of("one_for_one", ids, failed)
    assert ids == group_of("one_for_all", ids, failed)
    assert [each for each in ids if ids.index(each) >= ids.index(failed)] == group_of(
        "rest_for_one", ids, failed
    )


@pytest.mark.parametrize(
    ("restart", "reason", "brutally", "fine"),
    [
        ("permanent", Shutdown(), False, True),
        ("permanent", Shutdown("x"), False, False),
        ("permanent", Normal(), False, False),
        ("transient", Shutdown("x"), False, True),
        ("temporary", Normal(), False, True),
        ("transient", Killed(), False, False),
        ("transient", Killed(), True, True),
        ("permanent", Killed(), True, True),
        ("permanent", Shutdown(), True, False),
        ("transient", Shutdown(), True, True),
        ("transient", Crash(ValueError()), True, False),
        ("transient", Crash(ValueError()), False, False),
    ],
)
def test_end_that_was_asked_for_is_judged_as_by_otp(
    restart: Any, reason: ExitReason, brutally: bool, fine: bool
) -> None:
    """Clause by clause of its `shutdown/1`."""
    assert fine is ended_as_told(restart, reason, brutally=brutally)


@given(st.booleans(), st.booleans(), st.sampled_from(["never", "any_significant", "all_significant"]))
def test_automatic_shutdown(significant: bool, others: bool, mode: Any) -> None:
    """Only a significant child, and for `all` only the last."""
    expected = significant and (mode == "any_significant" or (mode == "all_significant" and not others))
    assert expected is shuts_down(mode, significant=significant, others_running=others)


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
)


@given(backoffs, st.integers(1, 10_000), st.integers())
def test_delay_lies_in_its_interval_and_never_over_the_maximum(
    backoff: Backoff, attempt: int, seed: int
) -> None:
    """Uniform in [d * (1 - jitter), d], also where factor**n is beyond every float."""
    delay = backoff.delay(attempt, uniform=random.Random(seed).uniform)
    step = attempt - 1 - backoff.immediate_first
    if step < 0:
        assert delay == 0.0
        return
    d = backoff.initial
    for _ in range(step):
        d *= backoff.factor
        if d >= backoff.maximum or backoff.factor == 1:
            break
    d = min(d, backoff.maximum)
    assert d * (1 - backoff.jitter) * (1 - 1e-9) <= delay <= d * (1 + 1e-9)
    assert delay <= backoff.maximum


def test_delays_without_jitter_are_the_powers() -> None:
    """1, 2, 4, 8, then the cap."""
    backoff = Backoff(initial=1, maximum=8, jitter=0)
    assert [0, 1, 2, 4, 8, 8] == [backoff.delay(attempt) for attempt in range(1, 7)]


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
