"""Quotas: never more than the venue allows, in any minute."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.model.errors import ConfigurationError
from wsmgr.manager.model.quota import USER_LINGER, WINDOW, Quotas, UserSlots, Window

STEPS = st.lists(st.integers(0, 240).map(lambda quarter: quarter / 4), max_size=60)
"""Quarters of a second: sums of them are exact."""


@given(limit=st.integers(1, 6), steps=STEPS)
def test_a_window_agrees_with_a_list_of_all_that_happened(limit: int, steps: list[float]) -> None:
    """The quick window counts what a naive one counts: everything later than 60 s ago."""
    window, everything, now = Window(limit), list[float](), 0.0
    for step in steps:
        now += step
        recent = [at for at in everything if at > now - WINDOW]
        assert len(recent) == window.used(now)
        assert limit - len(recent) == window.free(now)
        if window.free(now) > 0:
            window.record(now)
            everything.append(now)


@given(limit=st.integers(1, 4), steps=STEPS)
def test_no_sixty_seconds_hold_more_than_the_limit(limit: int, steps: list[float]) -> None:
    """Whoever waits for `free_at` keeps the quota in every window, not only in those that begin on a minute."""
    window, happened, now = Window(limit), list[float](), 0.0
    for step in steps:
        now = window.free_at(now + step)
        assert window.free(now) > 0
        window.record(now)
        happened.append(now)
        assert limit >= len([at for at in happened if at > now - WINDOW])


@given(limit=st.integers(1, 4), steps=STEPS)
def test_a_window_frees_no_later_than_it_must(limit: int, steps: list[float]) -> None:
    """A quarter of a second before `free_at` it was still full: nobody waits for longer than the venue asks."""
    window, now = Window(limit), 0.0
    for step in steps:
        now += step
        at = window.free_at(now)
        if at > now:
            assert 0 == window.free(at - 0.25)
        else:
            window.record(now)


def test_a_window_that_was_overrun_frees_when_enough_has_passed() -> None:
    """A quota lowered by the venue in mid-air is still waited for exactly."""
    window = Window(2)
    for at in (0.0, 1.0, 2.0):
        window.record(at)
    assert WINDOW + 1.0 == window.free_at(3.0)
    assert -1 == window.free(3.0)


def test_a_quota_that_is_off_is_never_used_up() -> None:
    """`off` means off."""
    window = Window(None)
    for _ in range(1000):
        window.record(5.0)
    assert 5.0 == window.free_at(5.0)
    assert window.free(5.0) > 10**6


def test_a_users_slot_lingers_after_the_last_stream() -> None:
    """The venue gives a user's slot back some seconds late; asking sooner would be refused."""
    slots = UserSlots()
    slots.left("a", 100.0)
    assert {"a", "b"} == slots.held(["b"], 100.0 + USER_LINGER - 0.1)
    assert 100.0 + USER_LINGER == slots.free_at()
    assert {"b"} == slots.held(["b"], 100.0 + USER_LINGER)
    assert slots.free_at() is None


def test_a_user_who_comes_back_holds_one_slot() -> None:
    """Leaving and coming back never costs two."""
    slots = UserSlots()
    slots.left("a", 0.0)
    assert {"a"} == slots.held(["a", "a"], 1.0)


def test_the_next_slot_to_come_back_is_the_one_that_left_first() -> None:
    """Whoever waits for a slot wakes at the first that is free."""
    slots = UserSlots()
    slots.left("b", 3.0)
    slots.left("a", 1.0)
    assert 1.0 + USER_LINGER == slots.free_at()


def test_quotas_are_overridden_by_name() -> None:
    """A configuration replaces what it names, turns off what it says is `off`, and leaves the rest."""
    quotas = Quotas(connections=10, users=10, subscriptions=1000).override({"connections": 3, "users": "off"})
    assert Quotas(connections=3, users=None, subscriptions=1000) == quotas


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "many", "10"])
def test_a_quota_that_is_no_number_above_zero_is_refused(value: object) -> None:
    """The message names the quota, the value, and both things that would do."""
    with pytest.raises(ConfigurationError) as caught:
        Quotas().override({"users": value})
    assert f"the quota users is {value!r}; give a whole number above 0, or 'off'" == str(caught.value)


def test_a_quota_that_does_not_exist_is_refused_with_those_that_do() -> None:
    """A typing error in the configuration does not turn a limit off in silence."""
    with pytest.raises(
        ConfigurationError, match="there is no quota 'socket'; there are connections, dials_per_minute"
    ):
        Quotas().override({"socket": 3})


def test_a_window_is_free_at_the_moment_that_it_says() -> None:
    """Whoever sleeps until `free_at` finds it free, whatever the clock's fractions."""
    for step in range(1000):
        window = Window(1)
        window.record(at := 1000 + step * 0.1)
        assert window.free(window.free_at(at)) > 0
