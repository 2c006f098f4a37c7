"""Dialling: who of an origin's connections may dial, and when."""

from __future__ import annotations

import itertools
import math
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.manager.model.dialling_world import Accept, Answer, Origin, Refuse, outage

from wsmgr.manager.model.dialling import LONGEST_PACE, LONGEST_RETRY_AFTER, Dialling, Wait
from wsmgr.manager.model.flapping import FLAP_CEILING, HEALTHY_AFTER
from wsmgr.manager.model.quota import WINDOW, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SEEDS = st.integers(0, 2**32 - 1)
AT_ONCE = (0.0, 0.0)


def dialling(seed: int = 0, limit: int | None = 30) -> Dialling:
    """An origin's dials, with seeded randomness."""
    return Dialling(Window(limit), random.Random(seed).uniform)


def always(answer: Accept | Refuse) -> Answer:
    """A venue that has one answer."""
    return lambda _at, _name: answer


def in_turn(answers: Sequence[Accept | Refuse]) -> Answer:
    """A venue that goes through its answers, over and over."""
    endless = itertools.cycle(answers)
    return lambda _at, _name: next(endless)


def dial_times(origin: Origin, until: float) -> list[float]:
    """Let an origin's connections dial until a time; when they did."""
    origin.start()
    origin.run(until)
    return sorted(at for line in origin.lines.values() for at in line.dialled)


@given(SEEDS, st.floats(0.0, 9.9), st.booleans())
def test_a_flapping_connection_dials_at_most_eight_times_in_twenty_seconds(
    seed: int, uptime: float, proved: bool
) -> None:
    """A server that accepts and closes is not hammered, however the dice fall and whatever it sends before."""
    origin = Origin(seed, always(Accept(uptime, proved)), ["a"], latency=AT_ONCE)
    times = dial_times(origin, 120.0)
    assert all(8 >= len([at for at in times if begin <= at <= begin + 20.0]) for begin in times)
    assert origin.model.flapping("a")


ENDS = st.one_of(
    st.builds(Accept, st.floats(0.0, 9.9)),
    st.builds(Accept, st.sampled_from([0.0, 3.0, 60.0]), st.just(value=False)),
    st.just(Refuse()),
)


@given(SEEDS, st.lists(ENDS, min_size=1, max_size=30), st.sampled_from([AT_ONCE, (0.05, 0.3)]))
def test_from_the_first_socket_that_ended_at_once_no_delay_is_shorter_than_the_one_before(
    seed: int, answers: list[Accept | Refuse], latency: tuple[float, float]
) -> None:
    """Refusals in between are steps of the same sequence; thirty seconds are the end of it."""
    accept = Accept(0.0, proved=False)
    origin = Origin(seed, in_turn([accept, *answers]), ["a"], latency=latency)
    times = dial_times(origin, 600.0)
    waits = origin.lines["a"].waits[1:]
    assert 0.0 == waits[0]
    assert all(after >= before - 1e-9 for before, after in itertools.pairwise(waits))
    assert max(waits) <= FLAP_CEILING + 1e-9
    assert all(8 >= len([at for at in times if begin <= at <= begin + 20.0]) for begin in times)


@given(SEEDS)
def test_a_long_outage_counts_in_the_sequence_of_a_connection_that_flapped(seed: int) -> None:
    """After half a minute between two dials, what follows is no shorter."""
    origin = Origin(
        seed,
        lambda at, _: Refuse() if 1.0 <= at < 500.0 else Accept(0.0, proved=False),
        ["a"],
        latency=(0.1, 0.1),
    )
    dial_times(origin, 900.0)
    waits = origin.lines["a"].waits[1:]
    assert max(waits) > 8.0
    assert all(after >= before - 1e-9 for before, after in itertools.pairwise(waits))


@given(SEEDS, st.integers(2, 12), st.floats(0.0, 5.0), st.booleans())
def test_when_a_whole_venue_accepts_and_closes_one_scout_dials(
    seed: int, count: int, uptime: float, refuses_too: bool
) -> None:
    """After each of its connections has seen it once, it is one connection's dials that the venue sees."""
    accept = Accept(uptime, proved=False)
    answer = in_turn([accept] * (count + 1) + [accept, Refuse()] * 50 if refuses_too else [accept])
    origin = Origin(seed, answer, [f"c{number}" for number in range(count)])
    times = dial_times(origin, 20.0)
    assert count < len(times) <= count + 7
    assert all(origin.model.flapping(name) for name in origin.names)


@given(SEEDS, st.integers(2, 10), st.floats(0.0, 30.0))
def test_after_it_the_others_go_when_the_scout_has_been_up_for_ten_seconds(
    seed: int, count: int, until: float
) -> None:
    """A venue that is well again has all of its connections back, and its quota was not used up meanwhile."""
    origin = Origin(
        seed,
        lambda at, _: Accept(0.1, proved=False) if at < until else Accept(),
        [f"c{number}" for number in range(count)],
    )
    origin.start()
    origin.run(until + FLAP_CEILING + HEALTHY_AFTER + 1.0)
    assert origin.all_ready()
    assert not origin.model.scouting


def test_sockets_that_ended_together_lengthen_the_scouts_delay_by_one_step_only() -> None:
    """Ten that are closed at once are one sign, not ten: the first scout goes at once, the next within a second."""
    origin, names = dialling(), [f"c{number}" for number in range(10)]
    for name in names:
        origin.accepted(name, 0.0)
    for name in names:
        origin.closed(name, 1.0, uptime=1.0, proved=False)
        origin.request(name, 0, 1.0)
    (scout,), _ = origin.grants(1.0)
    origin.accepted(scout, 1.0)
    origin.closed(scout, 1.0, uptime=0.0, proved=False)
    origin.request(scout, 0, 1.0)
    assert 1.5 <= origin.grants(1.0)[1] <= 2.0


def test_a_socket_that_was_up_for_long_is_no_sign_that_the_venue_closes_them_at_once() -> None:
    """Whatever it showed: beside one that flaps, its end does not put the origin on trial."""
    origin = dialling()
    flap(origin, "a", 1)
    origin.accepted("b", 0.0)
    origin.closed("b", 60.0, uptime=60.0, proved=False)
    assert not origin.scouting


def test_two_flapping_connections_beside_a_sound_one_are_their_own_matter() -> None:
    """Who asks for a first socket need not wait for those that lose theirs again and again."""
    origin = dialling()
    origin.accepted("sound", 0.0)
    for name in ("a", "b"):
        origin.closed(name, HEALTHY_AFTER, uptime=0.0, proved=False)
    origin.request("new", 0, HEALTHY_AFTER)
    assert ["new"] == origin.grants(HEALTHY_AFTER)[0]


@given(SEEDS)
def test_flapping_connections_leave_a_sixth_of_the_quota_to_the_others(seed: int) -> None:
    """A healthy connection that is lost comes back at once, though four others flap."""
    names = [f"flaps{number}" for number in range(4)]

    def answer(_at: float, name: str) -> Accept:
        return Accept() if name == "sound" else Accept(0.0, proved=False)

    origin = Origin(seed, answer, ["sound"])
    origin.start()
    origin.run(HEALTHY_AFTER)
    for name in names:
        origin.add(name)
    origin.run(HEALTHY_AFTER + 25.0)
    assert 20 <= len(origin.seen) <= 26
    origin.lose("sound")
    origin.run(origin.now + 0.3)
    assert origin.lines["sound"].ready_since is not None


@given(SEEDS)
def test_the_first_retry_is_immediate_and_the_next_are_drawn_from_doubling_ranges(seed: int) -> None:
    """A venue that restarts is back within moments; one that stays away is asked every few seconds."""
    origin = Origin(seed, always(Refuse()), ["a"], latency=AT_ONCE)
    dial_times(origin, 200.0)
    first, immediate, *waits = origin.lines["a"].waits
    assert [0.0, 0.0] == [first, immediate]
    for wait, longest in zip(waits, [1.0, 2.0, 4.0] + [8.0] * len(waits), strict=False):
        assert longest / 2 - 1e-9 <= wait <= longest + 1e-9


@given(SEEDS)
def test_after_five_minutes_of_refusals_a_dial_comes_every_fifteen_to_thirty_seconds_for_ever(
    seed: int,
) -> None:
    """The network is never given up on, and a night without it costs a few thousand dials."""
    times = dial_times(Origin(seed, always(Refuse()), ["a"], latency=AT_ONCE), 4000.0)
    late = [at for at in times if at > 310.0]
    assert late[-1] >= 4000.0 - 30.0
    assert all(15.0 - 1e-6 <= after - before <= 30.0 + 1e-6 for before, after in itertools.pairwise(late))


@pytest.mark.parametrize("away", [2.0, 5.0, 20.0, 40.0, 50.0, 60.0])
@pytest.mark.parametrize("uptime", [1.0, 5.0, 12.0, 120.0])
def test_ten_connections_cut_at_once_are_back_within_nine_seconds_of_the_venue(
    away: float, uptime: float
) -> None:
    """Of 100 seeds 95 or more; and the venue never sees more than its 30 dials in any minute."""
    outages = [outage(seed, away=away, uptime=uptime) for seed in range(100)]
    assert 30 >= max(each.most for each in outages)
    late = [seed for seed, each in enumerate(outages) if each.seconds > 9.0]
    assert len(late) <= 5, f"late with the seeds {late}"


def test_a_scout_whose_quota_is_too_small_for_all_who_wait_dials_every_sixteen_seconds_at_the_latest() -> (
    None
):
    """Dials spared for the others help nobody when they are too few: better one connection is back soon."""
    origin = Origin(
        1,
        lambda at, _: Refuse() if at >= 1.0 else Accept(),
        [f"c{number}" for number in range(5)],
        limit=13,
        latency=AT_ONCE,
    )
    origin.start()
    origin.run(1.0)
    origin.cut()
    origin.run(60.0)
    times = sorted(at for line in origin.lines.values() for at in line.dialled if at >= 1.0)
    assert 13 - 5 == len(times), "all that the quota leaves"
    waits = [after - before for before, after in itertools.pairwise(times)]
    assert [LONGEST_PACE] * 3 == waits[-3:]


@given(
    seed=SEEDS,
    away=st.floats(0.0, 300.0),
    count=st.integers(1, 10),
    latency=st.sampled_from([AT_ONCE, (0.05, 0.3), (1.0, 1.0)]),
)
def test_while_the_venue_is_away_one_scout_dials(
    seed: int, away: float, count: int, latency: tuple[float, float]
) -> None:
    """However many were cut: after the first refusal never two at once, and never for longer than 8 s nobody."""
    origin = Origin(
        seed,
        lambda at, _: Refuse() if 100.0 <= at < 100.0 + away else Accept(),
        [f"c{number}" for number in range(count)],
        latency=latency,
    )
    origin.start()
    origin.run(100.0)
    origin.cut()
    origin.run(100.0 + away)
    times = sorted(at for line in origin.lines.values() for at in line.dialled if at >= 100.0)
    pairs = list(itertools.pairwise([*times, origin.now]))
    if origin.model.reason is not None:
        assert all(after - before >= latency[0] - 1e-9 for before, after in pairs[:-1])
    assert all(after - before <= 8.0 + latency[1] + 1e-6 for before, after in pairs)


@given(
    seed=SEEDS,
    count=st.integers(1, 12),
    answers=st.lists(
        st.sampled_from(
            [
                Accept(),
                Accept(0.0, proved=False),
                Accept(3.0),
                Accept(20.0),
                Refuse(),
                Refuse(retry_after=0.5),
                Refuse(retry_after=20.0),
                Refuse(credential=True),
            ]
        ),
        min_size=1,
        max_size=30,
    ),
    limit=st.integers(1, 30),
    cuts=st.lists(st.floats(0.0, 300.0), max_size=5),
    restarts=st.lists(st.floats(0.0, 300.0), max_size=5),
    urges=st.lists(st.floats(0.0, 300.0), max_size=20),
)
def test_never_more_dials_in_any_minute_than_the_quota_and_none_before_a_retry_after_is_over(
    seed: int,
    count: int,
    answers: list[Accept | Refuse],
    limit: int,
    cuts: list[float],
    restarts: list[float],
    urges: list[float],
) -> None:
    """Whatever the venue answers, whoever has a dial under way, and though the dialer restarts and people press the button."""
    origin = Origin(seed, in_turn(answers), [f"c{number}" for number in range(count)], limit)
    for at in cuts:
        origin.at(at, origin.cut)
    for at in restarts:
        origin.at(at, origin.restart_dialer)
    for at in urges:
        origin.at(at, origin.urge)
    times = dial_times(origin, 300.0)
    assert limit >= origin.most_in_a_minute()
    for since, until in origin.bans:
        assert [] == [at for at in times if since < at < until - 1e-9]


@given(seed=SEEDS, wait=st.floats(0.1, 500.0), others=st.integers(0, 5))
def test_who_asks_after_a_retry_after_came_is_held_to_it_as_well(seed: int, wait: float, others: int) -> None:
    """The venue said when; once it is over, a scout goes first."""
    origin = dialling(seed)
    origin.request("a", 0, 0.0)
    origin.grants(0.0)
    origin.refused("a", "429", 0.0, retry_after=wait)
    for number in range(others + 1):
        origin.request(f"c{number}", 0, 0.0)
    assert ([], wait) == origin.grants(0.0)
    assert Wait(wait, "the venue asked to wait (Retry-After)") == origin.wait("c0", 0.0)
    assert [] == origin.grants(math.nextafter(wait, 0.0))[0]
    assert ["c0"] == origin.grants(wait)[0]
    origin.accepted("c0", wait)
    assert others == len(origin.grants(wait)[0])


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


def test_a_retry_after_of_years_is_believed_for_a_day() -> None:
    """A number that cannot be meant does not end the dialling."""
    origin = dialling()
    origin.refused("a", "429", 0.0, retry_after=999_999_999.0)
    origin.request("a", 0, 0.0)
    assert ([], LONGEST_RETRY_AFTER) == origin.grants(0.0)


def test_a_retry_after_beside_refused_credentials_holds_for_the_others() -> None:
    """It is the host that asks to be left alone."""
    origin = dialling()
    origin.refused("a", "403", 0.0, retry_after=30.0, credential=True)
    origin.request("b", 0, 0.0)
    assert ([], 30.0) == origin.grants(0.0)


def test_ten_refusals_under_way_together_make_one_scout_whose_first_retry_is_immediate() -> None:
    """Ten that ask at the start do not push the delay up ten steps, and cost eleven dials, not twenty."""
    origin = dialling()
    names = [f"c{number}" for number in range(10)]
    for name in names:
        origin.request(name, 0, 0.0)
    assert names == origin.grants(0.0)[0]
    for name in names:
        origin.refused(name, "refused", 0.0)
        origin.request(name, 0, 0.0)
    assert origin.scouting
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
    states = [origin.scouting]
    for name in ("a", "b", "c"):
        origin.request(name, 0, 0.0)
    assert ["a"] == origin.grants(1.0)[0]
    assert ([], math.inf) == origin.grants(5.0)
    assert Wait(None, "a dials first") == origin.wait("b", 5.0)
    origin.accepted("a", 5.0)
    assert [True, False] == [*states, origin.scouting]
    assert ["b", "c"] == origin.grants(5.0)[0]


def test_of_several_sockets_lost_at_once_the_first_is_dialled_for_and_then_the_others() -> None:
    """A venue that is away is asked once, not by all that were cut; one that is there has them all back a dial later."""
    origin = dialling()
    for name in ("a", "b", "c"):
        origin.accepted(name, 0.0)
    origin.closed("a", 60.0, uptime=60.0, proved=True)
    origin.request("a", 0, 60.0)
    assert ["a"] == origin.grants(60.0)[0]
    for name in ("b", "c"):
        origin.closed(name, 60.0, uptime=60.0, proved=True)
        origin.request(name, 0, 60.0)
    assert ([], math.inf) == origin.grants(60.1)
    origin.accepted("a", 60.2)
    assert ["b", "c"] == origin.grants(60.2)[0]


def test_a_single_lost_socket_casts_no_doubt() -> None:
    """Beside it a new connection is dialled for at once."""
    origin = dialling()
    origin.accepted("a", 0.0)
    origin.closed("a", 60.0, uptime=60.0, proved=True)
    for name in ("a", "new"):
        origin.request(name, 0, 60.0)
    assert ["a", "new"] == origin.grants(60.0)[0]


@pytest.mark.parametrize("leave", [Dialling.withdraw, Dialling.release])
def test_a_scout_that_goes_away_lets_another_go(leave: Callable[[Dialling, str], None]) -> None:
    """A connection that is closed while it dials does not take the whole origin with it."""
    origin = dialling()
    for _ in range(2):
        origin.request("a", 0, 0.0)
        origin.grants(0.0)
        origin.refused("a", "refused", 0.0)
    origin.request("a", 0, 0.0)
    origin.request("b", 0, 0.0)
    assert ["a"] == origin.grants(1.0)[0]
    leave(origin, "a")
    assert ["b"] == origin.grants(1.0)[0]


def test_the_most_urgent_dials_first_and_among_equals_the_first_that_asked() -> None:
    """When the quota is short, what matters most goes first; asking again can raise the urgency."""
    origin = dialling(limit=3)
    for name, urgency in (("rest", 2), ("book", 1), ("also", 1), ("orders", 2)):
        origin.request(name, urgency, 0.0)
    origin.request("orders", 0, 0.0)
    assert ["orders", "book", "also"] == origin.grants(0.0)[0]
    assert ([], WINDOW) == origin.grants(1.0)
    wait = Wait(WINDOW, "as many dials as the quota allows were made in the last minute")
    assert wait == origin.wait("rest", 1.0)


def flap(origin: Dialling, name: str, times: int) -> None:
    """Let a connection's socket end at once, so often."""
    for _ in range(times):
        origin.closed(name, 0.0, uptime=0.0, proved=False)


def test_a_connection_up_for_ten_seconds_with_proof_has_flapped_no_more() -> None:
    """A healthy life wipes the slate: its next loss is dialled at once."""
    origin = dialling()
    flap(origin, "a", 4)
    assert origin.flapping("a")
    origin.closed("a", 10.0, uptime=10.0, proved=True)
    assert not origin.flapping("a")
    origin.request("a", 0, 10.0)
    assert ["a"] == origin.grants(10.0)[0]


@pytest.mark.parametrize(("uptime", "proved"), [(9.9, True), (3600.0, False)])
def test_neither_time_nor_proof_alone_is_health(uptime: float, proved: bool) -> None:
    """A socket that is open for an hour and shows nothing is as bad as one that shows something and falls over."""
    origin = dialling()
    for _ in range(2):
        origin.closed("a", 3600.0, uptime=uptime, proved=proved)
    assert origin.flapping("a")


def test_a_grant_that_is_taken_back_does_not_make_a_flapping_connection_a_new_one() -> None:
    """Only a connection that has ended for good is forgotten."""
    origin = dialling()
    flap(origin, "a", 4)
    origin.release("a")
    assert origin.flapping("a")
    origin.withdraw("a")
    assert not origin.flapping("a")


def test_a_flapping_connection_holds_up_nobody_else() -> None:
    """Its sequence is its own."""
    origin = dialling()
    flap(origin, "a", 6)
    origin.request("a", 0, 0.0)
    origin.request("b", 5, 0.0)
    granted, at = origin.grants(0.0)
    assert ["b"] == granted
    origin.accepted("b", 0.0)
    _, at = origin.grants(0.0)
    assert 8.0 <= at <= 16.0
    assert Wait(at, "its sockets are accepted and soon closed again") == origin.wait("a", 0.0)


def test_refused_credentials_are_tried_after_one_five_fifteen_and_then_every_sixty_minutes() -> None:
    """A key that was revoked is not hammered; the origin and its other connections do not care."""
    origin, now, waits = dialling(), 0.0, list[float]()
    for _ in range(6):
        origin.request("a", 0, now)
        granted, at = origin.grants(now)
        if not granted:
            assert Wait(at, "its credentials were refused") == origin.wait("a", now)
            waits.append(at - now)
            now = at
            assert ["a"] == origin.grants(now)[0]
        origin.refused("a", "401", now, credential=True)
        assert origin.unauthorized("a")
    assert [60.0, 300.0, 900.0, 3600.0, 3600.0] == waits
    assert not origin.scouting
    origin.request("b", 0, now)
    assert ["b"] == origin.grants(now)[0]


def test_other_credentials_are_tried_at_once_and_begin_their_own_sequence() -> None:
    """Whoever puts a new key in place does not wait for an hour."""
    origin = dialling()
    for _ in range(3):
        origin.refused("a", "401", 0.0, credential=True)
    origin.request("a", 0, 0.0)
    assert ([], 900.0) == origin.grants(0.0)
    origin.retry_now("a")
    assert not origin.unauthorized("a")
    assert ["a"] == origin.grants(1.0)[0]
    origin.refused("a", "401", 1.0, credential=True)
    origin.request("a", 0, 1.0)
    assert ([], 61.0) == origin.grants(1.0)


def test_who_is_told_to_retry_now_waits_for_no_delay_and_no_scout() -> None:
    """It flaps, the venue refuses, and another one is dialling: somebody pressed the button, so it dials."""
    origin = dialling()
    origin.request("scout", 0, 0.0)
    origin.grants(0.0)
    flap(origin, "a", 5)
    for _ in range(5):
        origin.refused("b", "refused", 0.0)
    origin.request("a", 0, 0.0)
    assert [] == origin.grants(0.0)[0]
    origin.retry_now("a")
    assert ["a"] == origin.grants(0.0)[0]
    flap(origin, "a", 1)
    origin.request("a", 0, 0.0)
    assert [] == origin.grants(0.0)[0], "the button counts once"


def test_who_is_told_to_retry_now_breaks_neither_a_retry_after_nor_the_quota() -> None:
    """A button that is pressed in despair gets nobody banned."""
    origin = dialling(limit=1)
    origin.request("a", 0, 0.0)
    origin.grants(0.0)
    origin.refused("a", "429", 0.0, retry_after=30.0)
    origin.request("a", 0, 0.0)
    origin.retry_now("a")
    assert ([], WINDOW) == origin.grants(0.0)
    free = dialling()
    free.refused("a", "429", 0.0, retry_after=30.0)
    free.request("a", 0, 0.0)
    free.retry_now("a")
    assert ([], 30.0) == free.grants(0.0)


def test_asking_again_moves_no_delay() -> None:
    """A connection that asks twice waits neither longer nor shorter."""
    origin = dialling()
    flap(origin, "a", 6)
    origin.request("a", 0, 0.0)
    _, at = origin.grants(0.0)
    origin.request("a", 0, 3.0)
    assert at == origin.grants(3.0)[1]


def test_whoever_does_not_wait_has_no_next_attempt() -> None:
    """`next_attempt_at` is shown only where there is one."""
    origin = dialling()
    assert origin.wait("a", 0.0) is None
    origin.request("a", 0, 0.0)
    assert origin.wait("a", 0.0) is None, "it is its turn"
    origin.withdraw("a")
    assert ([], math.inf) == origin.grants(0.0)


def test_a_dial_that_is_accepted_does_not_end_a_retry_after() -> None:
    """What the venue said to one connection holds, though another one just came through."""
    origin = dialling()
    for name in ("a", "b"):
        origin.request(name, 0, 0.0)
    origin.grants(0.0)
    origin.refused("b", "429", 0.0, retry_after=30.0)
    origin.accepted("a", 0.0)
    origin.request("b", 0, 1.0)
    assert ([], 30.0) == origin.grants(1.0)


def test_after_a_time_without_a_dialer_only_those_that_dial_are_waited_for() -> None:
    """The end of a scout's dial that nobody heard of does not keep the others waiting for ever."""
    origin = dialling()
    for _ in range(2):
        origin.request("a", 0, 0.0)
        origin.grants(0.0)
        origin.refused("a", "refused", 0.0)
    for name in ("a", "b"):
        origin.request(name, 0, 0.0)
    assert ["a"] == origin.grants(1.0)[0]
    origin.resume(["a"], [])
    assert ([], math.inf) == origin.grants(2.0)
    origin.resume([], [])
    assert ["b"] == origin.grants(2.0)[0]
