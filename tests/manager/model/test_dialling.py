"""Dialling: who of an origin's connections may dial, and when."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Iterator

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.model.dialling import Dialling
from wsmgr.manager.model.quota import WINDOW, Window

SEEDS = st.integers(0, 2**32 - 1)


def dialling(seed: int = 0, limit: int | None = 30) -> Dialling:
    """An origin's dials, with seeded randomness."""
    return Dialling(Window(limit), random.Random(seed).uniform)


@define
class Line:
    """Connections that dial again whenever they are refused or cut, on a clock that jumps from dial to dial.

    Attributes:
        dialling: The origin's dials.
        names: The connections.
        answer: What becomes of a dial, told its number: None for accepted and at once closed, else seconds of `Retry-After`
            (0: a refusal without one).
        dials: When each dial was made, and by whom.
    """

    dialling: Dialling
    names: list[str]
    answer: Callable[[int], float | None]
    latency: float = 0.0
    now: float = 0.0
    dials: list[tuple[float, str]] = field(factory=list)

    def run(self, until: float) -> list[float]:
        """Let them dial until a time; when they did."""
        for name in self.names:
            self.dialling.request(name, 0, self.now)
        for granted in self._waves(until):
            self.dials += [(self.now, name) for name in granted]
            self.now += self.latency
            for name in granted:
                self._answer(name)
                self.dialling.request(name, 0, self.now)
        return [at for at, _ in self.dials]

    def _waves(self, until: float) -> Iterator[list[str]]:
        while self.now <= until:
            granted, at = self.dialling.grants(self.now)
            if granted:
                yield granted
            else:
                assert self.now < at < math.inf
                self.now = at

    def _answer(self, name: str) -> None:
        retry_after = self.answer(len(self.dials))
        if retry_after is None:
            self.dialling.accepted(name)
            self.dialling.closed(name, uptime=0.1, proved=False)
        else:
            self.dialling.refused(name, "refused", self.now, retry_after=retry_after or None)


def first_grant(origin: Dialling, now: float) -> tuple[list[str], float]:
    """Who may dial next, and when that is."""
    granted, at = origin.grants(now)
    return (granted, now) if granted else (origin.grants(at)[0], at)


def delays(times: list[float]) -> list[float]:
    """The time between each and the next."""
    return [after - before for before, after in itertools.pairwise(times)]


@given(SEEDS)
def test_a_flapping_connection_dials_at_most_eight_times_in_twenty_seconds(seed: int) -> None:
    """A server that accepts and closes is not hammered, however the dice fall."""
    times = Line(dialling(seed), ["a"], lambda _: None).run(until=20.0)
    assert len([at for at in times if at <= 20.0]) <= 8


@given(SEEDS)
def test_the_delays_of_a_flapping_connection_never_shrink_and_end_at_thirty_seconds(seed: int) -> None:
    """Backing off means off: no retry comes sooner than the one before it, and none waits for longer than 30 s."""
    waits = delays(Line(dialling(seed), ["a"], lambda _: None).run(until=400.0))
    assert 0.0 == waits[0]
    assert all(after >= before - 1e-9 for before, after in itertools.pairwise(waits))
    assert 15.0 - 1e-9 <= max(waits) <= 30.0 + 1e-9


@given(SEEDS)
def test_the_first_retry_is_immediate_and_the_next_are_drawn_from_doubling_ranges(seed: int) -> None:
    """A venue that restarts is back within moments; one that stays away is asked every few seconds."""
    waits = delays(Line(dialling(seed), ["a"], lambda _: 0.0).run(until=200.0))
    assert 0.0 == waits[0]
    for wait, longest in zip(waits[1:], [1.0, 2.0, 4.0] + [8.0] * len(waits), strict=False):
        assert longest / 2 - 1e-9 <= wait <= longest + 1e-9


@given(SEEDS)
def test_after_five_minutes_of_refusals_a_dial_comes_every_fifteen_to_thirty_seconds_for_ever(
    seed: int,
) -> None:
    """The network is never given up on, and a night without it costs a few thousand dials."""
    times = Line(dialling(seed), ["a"], lambda _: 0.0).run(until=4000.0)
    late = [at for at in times if at > 310.0]
    assert late[-1] >= 4000.0 - 30.0
    assert all(15.0 - 1e-6 <= wait <= 30.0 + 1e-6 for wait in delays(late))


@given(
    seed=SEEDS,
    outage=st.floats(1.0, 400.0),
    latency=st.sampled_from([0.0, 0.05, 1.0]),
    count=st.integers(1, 10),
)
def test_connections_cut_at_once_are_one_outage(seed: int, outage: float, latency: float, count: int) -> None:
    """While the venue is away one scout dials; once it is back, all are back within the scout's wait."""
    origin, names = dialling(seed), [f"c{number}" for number in range(count)]
    line = Line(origin, names, lambda _: 0.0, latency=latency)
    times = line.run(until=outage)
    ceiling = 8.0 if outage < 300.0 else 30.0
    assert all(wait <= ceiling + latency + 1e-6 for wait in delays(times))
    granted, at = first_grant(origin, line.now)
    assert 1 == len(granted)
    assert at - line.now <= ceiling
    origin.accepted(granted[0])
    others, _ = origin.grants(at)
    used = len([time for time in times if time > at - 60.0]) + 1
    assert min(count - 1, 30 - used) == len(others)


@given(
    seed=SEEDS,
    names=st.integers(1, 12),
    answers=st.lists(st.sampled_from([None, 0.0, 0.0, 0.5, 20.0]), min_size=1, max_size=30),
    limit=st.integers(1, 30),
)
def test_never_more_dials_in_any_minute_than_the_quota(
    seed: int, names: int, answers: list[float | None], limit: int
) -> None:
    """Whatever the venue answers, and however many connections want to dial."""
    line = Line(
        dialling(seed, limit),
        [f"c{number}" for number in range(names)],
        lambda number: answers[number % len(answers)],
    )
    times = line.run(until=300.0)
    for at in times:
        assert limit >= len([other for other in times if at - 60.0 + 1e-6 < other <= at])


@given(seed=SEEDS, wait=st.floats(0.1, 500.0), others=st.integers(0, 5))
def test_nobody_dials_before_a_retry_after_is_over(seed: int, wait: float, others: int) -> None:
    """The venue said when; a connection that asks later is held to it as well."""
    origin = dialling(seed)
    origin.request("a", 0, 0.0)
    origin.grants(0.0)
    origin.refused("a", "429", 0.0, retry_after=wait)
    for number in range(others + 1):
        origin.request(f"c{number}", 0, 0.0)
    granted, at = origin.grants(0.0)
    assert ([], wait) == (granted, at)
    assert [] == origin.grants(math.nextafter(wait, 0.0))[0]
    assert others + 1 == len(origin.grants(wait)[0])


def test_a_shorter_retry_after_does_not_replace_a_longer_one() -> None:
    """Two refusals that were under way together: the later moment counts."""
    origin = dialling()
    for name in ("a", "b"):
        origin.request(name, 0, 0.0)
    origin.grants(0.0)
    origin.refused("a", "429", 0.0, retry_after=30.0)
    origin.refused("b", "429", 1.0, retry_after=5.0)
    origin.request("a", 0, 1.0)
    assert ([], 30.0) == origin.grants(1.0)


def test_ten_refusals_under_way_together_make_one_scout_whose_first_retry_is_immediate() -> None:
    """Ten sockets cut at once do not push the delay up ten steps, and cost eleven dials, not twenty."""
    origin = dialling()
    names = [f"c{number}" for number in range(10)]
    for name in names:
        origin.request(name, 0, 0.0)
    assert names == origin.grants(0.0)[0]
    for name in names:
        origin.refused(name, "refused", 0.0)
        origin.request(name, 0, 0.0)
    assert origin.probing
    assert 1 == len(origin.grants(0.0)[0])
    origin.refused(names[0], "refused", 0.0)
    assert 0.5 <= origin.grants(0.0)[1] <= 1.0


def test_after_two_refusals_one_scout_dials_and_the_others_wait_for_it() -> None:
    """An origin that is down is asked by one connection, not by all."""
    origin = dialling()
    for _ in range(2):
        origin.request("a", 0, 0.0)
        origin.grants(0.0)
        origin.refused("a", "refused", 0.0)
    states = [origin.probing]
    for name in ("a", "b", "c"):
        origin.request(name, 0, 0.0)
    assert ["a"] == origin.grants(1.0)[0]
    assert ([], math.inf) == origin.grants(5.0)
    origin.accepted("a")
    assert [True, False] == [*states, origin.probing]
    assert ["b", "c"] == origin.grants(5.0)[0]


def test_a_scout_that_goes_away_lets_another_go() -> None:
    """A connection that is closed while it dials does not take the whole origin with it."""
    origin = dialling()
    for _ in range(2):
        origin.request("a", 0, 0.0)
        origin.grants(0.0)
        origin.refused("a", "refused", 0.0)
    origin.request("a", 0, 0.0)
    origin.request("b", 0, 0.0)
    assert ["a"] == origin.grants(1.0)[0]
    origin.withdraw("a")
    assert ["b"] == origin.grants(1.0)[0]


def test_the_most_urgent_dials_first_and_among_equals_the_first_that_asked() -> None:
    """When the quota is short, what matters most goes first; asking again can raise the urgency."""
    origin = dialling(limit=3)
    for name, urgency in (("rest", 2), ("book", 1), ("also", 1), ("orders", 2)):
        origin.request(name, urgency, 0.0)
    origin.request("orders", 0, 0.0)
    assert ["orders", "book", "also"] == origin.grants(0.0)[0]
    assert ([], WINDOW) == origin.grants(1.0)


def test_a_connection_up_for_ten_seconds_with_proof_has_flapped_no_more() -> None:
    """A healthy life wipes the slate: its next loss is dialled at once."""
    origin = dialling()
    for _ in range(4):
        origin.closed("a", uptime=1.0, proved=True)
    assert origin.flapping("a")
    origin.closed("a", uptime=10.0, proved=True)
    assert not origin.flapping("a")
    origin.request("a", 0, 0.0)
    assert ["a"] == origin.grants(0.0)[0]


@pytest.mark.parametrize(("uptime", "proved"), [(9.9, True), (3600.0, False)])
def test_neither_time_nor_proof_alone_is_health(uptime: float, proved: bool) -> None:
    """A socket that is open for an hour and shows nothing is as bad as one that shows something and falls over."""
    origin = dialling()
    for _ in range(2):
        origin.closed("a", uptime=uptime, proved=proved)
    assert origin.flapping("a")


def test_a_flapping_connection_holds_up_nobody_else() -> None:
    """Its sequence is its own."""
    origin = dialling()
    for _ in range(6):
        origin.closed("a", uptime=0.0, proved=False)
    origin.request("a", 0, 0.0)
    origin.request("b", 5, 0.0)
    granted, at = origin.grants(0.0)
    assert ["b"] == granted
    assert 8.0 <= at <= 16.0
    assert at == origin.attempt_at("a", 0.0)


def test_refused_credentials_are_tried_after_one_five_fifteen_and_then_every_sixty_minutes() -> None:
    """A key that was revoked is not hammered; the origin and its other connections do not care."""
    origin, now, waits = dialling(), 0.0, list[float]()
    for _ in range(6):
        origin.request("a", 0, now)
        granted, at = origin.grants(now)
        if not granted:
            waits.append(at - now)
            now = at
            assert ["a"] == origin.grants(now)[0]
        origin.refused("a", "401", now, credential=True)
        assert origin.unauthorized("a")
    assert [60.0, 300.0, 900.0, 3600.0, 3600.0] == waits
    assert not origin.probing
    origin.request("b", 0, now)
    assert ["b"] == origin.grants(now)[0]


def test_asking_again_does_not_overrule_the_venue() -> None:
    """`Retry-After` holds for whoever asks."""
    origin = dialling()
    origin.request("a", 0, 0.0)
    origin.grants(0.0)
    origin.refused("a", "429", 0.0, retry_after=30.0)
    origin.request("a", 0, 0.0)
    assert ([], 30.0) == origin.grants(0.0)
    assert 30.0 == origin.attempt_at("a", 0.0)


def test_asking_again_moves_no_delay() -> None:
    """A connection that asks twice waits neither longer nor shorter."""
    origin = dialling()
    for _ in range(6):
        origin.closed("a", uptime=0.0, proved=False)
    origin.request("a", 0, 0.0)
    _, at = origin.grants(0.0)
    origin.request("a", 0, 3.0)
    assert at == origin.grants(3.0)[1]


def test_whoever_does_not_wait_has_no_next_attempt() -> None:
    """`next_attempt_at` is shown only where there is one."""
    origin = dialling()
    assert origin.attempt_at("a", 0.0) is None
    origin.request("a", 0, 0.0)
    assert 0.0 == origin.attempt_at("a", 0.0)
    origin.withdraw("a")
    assert origin.attempt_at("a", 0.0) is None
    assert ([], math.inf) == origin.grants(0.0)


def test_a_dial_that_is_accepted_does_not_end_a_retry_after() -> None:
    """What the venue said to one connection holds, though another one just came through."""
    origin = dialling()
    for name in ("a", "b"):
        origin.request(name, 0, 0.0)
    origin.grants(0.0)
    origin.refused("b", "429", 0.0, retry_after=30.0)
    origin.accepted("a")
    origin.request("b", 0, 1.0)
    assert ([], 30.0) == origin.grants(1.0)
