"""Watching: how long a stream has been silent, and how long it may be."""

from __future__ import annotations

import itertools
from random import Random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.manager.model.catalog import ORDERS, TICKER, TRADES, atom
from tests.manager.model.exchange import Exchange
from tests.manager.model.world import World, data, socket_of

from wsmgr.manager.model import progress
from wsmgr.manager.model.effects import Recycle, Subscribe, Unsubscribe
from wsmgr.manager.model.watching import (
    FLOOR,
    LEARNED_FLOOR,
    LEARNED_FROM,
    PROBE_INTERVAL,
    Watch,
    threshold,
)

STEADY = attrs.evolve(TICKER, cadence=5.0)


def watch(*intervals: float, begin: float = 0.0) -> tuple[Watch, float]:
    """A watch that has seen messages at these intervals, and the time of the last one."""
    found, now = Watch(), begin
    found.begin(now, 0)
    for number, interval in enumerate(intervals, start=1):
        now += interval
        found.beat(now, number)
    return found, now


@pytest.mark.parametrize(("cadence", "seconds"), [(0.5, FLOOR), (1.0, 5.0), (5.0, 15.0), (60.0, 180.0)])
def test_a_stream_with_a_cadence_may_miss_three_beats_and_never_less_than_five_seconds(
    cadence: float, seconds: float
) -> None:
    """What is known of its own intervals does not count there."""
    assert seconds == threshold(attrs.evolve(TICKER, cadence=cadence), 1000.0)


@pytest.mark.parametrize(
    ("learned", "seconds"), [(None, 600.0), (1.0, LEARNED_FLOOR), (8.0, 40.0), (64.0, 320.0), (1024.0, 600.0)]
)
def test_a_stream_without_a_cadence_is_looked_into_after_five_times_what_is_long_for_it(
    learned: float | None, seconds: float
) -> None:
    """After half a minute at the soonest, and after ten at the latest."""
    assert seconds == threshold(TRADES, learned)


@given(messages=st.lists(st.integers(0, 3), max_size=60))
def test_only_messages_move_the_deadline(messages: list[int]) -> None:
    """It is absolute: the last second in which one was noticed, and the type's threshold."""
    found = Watch()
    found.begin(0.0, 0)
    total, last = 0, 0.0
    for second, count in enumerate(messages, start=1):
        total += count
        last = float(second) if count else last
        found.beat(float(second), total)
        assert last + 15.0 == found.due_at(STEADY)
        assert second - last == found.silent(float(second))


def test_pongs_acknowledgements_and_siblings_do_not_move_the_deadline() -> None:
    """They say nothing of this stream."""
    world = World()
    entry = world.make_live(attrs.evolve(atom(TICKER, coin="A"), type=STEADY))
    sibling = world.make_live(atom(TRADES, coin="B"))
    entry.watch.beat(1.0, entry.counters.messages)
    due_at = entry.watch.due_at(entry.type)
    world.now = 9.0
    world.deliver(entry, b"pong", data(sibling.atom, sibling.key))
    progress.acknowledged(
        world.registry, socket_of(entry), entry.key, already=True, now=world.now, wall=world.wall
    )
    entry.watch.beat(9.0, entry.counters.messages)
    assert due_at == entry.watch.due_at(entry.type)


def test_nothing_is_due_while_a_stream_is_not_live() -> None:
    """What was interrupted is somebody else's matter."""
    found, _ = watch(1.0, 1.0)
    found.end()
    found.beat(100.0, 50)
    assert (None, 0.0) == (found.due_at(STEADY), found.silent(100.0))


def test_a_time_without_reading_does_not_count() -> None:
    """Nobody listened."""
    found, now = watch(1.0)
    found.excuse(now + 12.0)
    assert now + 12.0 + 15.0 == found.due_at(STEADY)


@given(
    usual=st.floats(1.0, 100.0),
    rare=st.floats(100.0, 5000.0),
    count=st.integers(LEARNED_FROM, 400),
)
def test_what_is_long_for_a_stream_is_learned_from_its_own_intervals(
    usual: float, rare: float, count: int
) -> None:
    """Rounded up to a power of two; one in a hundred may be longer."""
    found, _ = watch(*[usual] * count, rare)
    assert found.learned is not None
    assert usual - 0.01 <= found.learned < 2.0 * usual + 1.0


def test_nothing_is_learned_from_few_intervals() -> None:
    """A burst at the start of a stream is not its habit."""
    assert watch(*[1.0] * (LEARNED_FROM - 1))[0].learned is None
    assert 1.0 == watch(*[1.0] * LEARNED_FROM)[0].learned


@pytest.mark.parametrize(("interval", "bucket"), [(0.0, 1.0), (1.0, 1.0), (1.5, 2.0), (4.0, 4.0), (4.1, 8.0)])
def test_an_interval_counts_as_the_power_of_two_that_it_is_not_longer_than(
    interval: float, bucket: float
) -> None:
    """A second is the shortest that is seen."""
    assert bucket == watch(*[interval] * LEARNED_FROM)[0].learned


def test_the_longest_interval_has_its_place() -> None:
    """A stream that speaks once a day is a stream."""
    assert 2.0**15 == watch(*[86_400.0] * LEARNED_FROM)[0].learned


def test_a_stream_that_may_be_silent_is_asked_about_once_in_ten_minutes_at_most() -> None:
    """However short its usual intervals are."""
    found, now = watch(*[1.0] * LEARNED_FROM)
    assert now + LEARNED_FLOOR == found.due_at(TRADES)
    found.probed_at = now + LEARNED_FLOOR
    found.proved(now + LEARNED_FLOOR)
    assert now + LEARNED_FLOOR + PROBE_INTERVAL == found.due_at(TRADES)


def test_a_proof_ends_a_silence() -> None:
    """The venue has said that it has the subscription."""
    found, now = watch(1.0)
    found.proved(now + 600.0)
    assert (now + 600.0, now + 1200.0) == (found.proved_at, found.due_at(TRADES))


def intervals(random: Random) -> dict[str, list[float]]:
    """When each of some quiet streams speaks within a day: in bursts, seldom, at day only, never."""
    day = 86_400.0
    spoken: dict[str, list[float]] = {}
    for name, median, spread in (("busy", 4.0, 1.0), ("bursts", 10.0, 2.5), ("seldom", 900.0, 1.5)):
        times, now = [], 0.0
        while (now := now + median * random.lognormvariate(0.0, spread)) < day:
            times.append(now)
        spoken[name] = times
    spoken["by day"] = [at for at in spoken["busy"] if 8 * 3600.0 < at < 17 * 3600.0]
    spoken["never"] = []
    return spoken


@pytest.mark.parametrize("seed", range(3))
def test_quiet_streams_are_never_repaired_in_a_day_in_which_the_venue_has_them(seed: int) -> None:
    """Each is asked about once in ten minutes at most; nobody is interrupted, and nothing is asked for anew."""
    exchange = Exchange()
    spoken = intervals(Random(seed))
    entries = {name: exchange.keep(atom(TRADES, coin=name))[0] for name in spoken}
    entries["never"] = exchange.keep(atom(ORDERS, user="u1"))[0]
    exchange.done.clear()
    world = exchange.world
    for second in range(1, 86_401):
        world.now = float(second)
        for name, times in spoken.items():
            while times and times[0] <= second:
                del times[0]
                exchange.tell(entries[name].key)
        if exchange.beat():
            exchange.settle()
    probes: dict[str, list[float]] = {}
    for at, effect in exchange.done:
        assert isinstance(effect, Subscribe)
        probes.setdefault(world.key(effect.atom), []).append(at)
    assert {entry.key for name, entry in entries.items() if name != "busy"} <= set(probes)
    for times in probes.values():
        assert all(later - earlier >= PROBE_INTERVAL for earlier, later in itertools.pairwise(times))
        assert 86_400 / PROBE_INTERVAL >= len(times)
    assert (0, 0) == (exchange.count(Unsubscribe), exchange.count(Recycle))
    assert {0} == {entry.counters.gaps for entry in entries.values()}
