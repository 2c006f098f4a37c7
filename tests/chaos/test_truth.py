"""The truth, and the judges: each of them must be able to say no."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from attrs import evolve

from wsmgr.manager.manager import Manager
from wsmgr.manager.testing.chaos import complaints_of, judged
from wsmgr.manager.testing.chaos.faults import Fault
from wsmgr.manager.testing.simulated import EPOCH, URL, World, in_virtual_time, simulated, stream_key
from wsmgr.manager.testing.simulated.truth import StreamTruth, items, payload
from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.testing.chaos.invariants import Evidence

TRADES = stream_key(b'{"method":"subscribe","subscription":{"type":"trades","coin":"BTC"}}')


def in_world(script: Callable[[World], Any]) -> None:
    async def run() -> None:
        async with simulated(SimulatorOptions(rate=20)) as world:
            await script(world)

    in_virtual_time(run)


def test_what_is_made_while_the_client_is_away_is_known() -> None:
    """An observer is always there: ticks go on, and those that reached nobody are told from the others."""

    async def script(world: World) -> None:
        stream = world.truth.observe(TRADES)
        async with Manager(url=URL) as manager:
            await manager.subscribe("trades", coin="BTC", wait="live")
            await anyio.sleep(5.0)
            world.network.unreachable = "refused"
            lost_at = anyio.current_time()
            for connection in list(world.network.connections.values()):
                connection.reset()
            await anyio.sleep(5.0)
            world.network.unreachable = None
            await anyio.sleep(20.0)
        settled = anyio.current_time() - 1.0
        missed = [made.at for made in stream.made if made.n not in stream.arrived and 1.0 < made.at < settled]
        assert len(missed) > 20
        assert missed[0] > lost_at - 0.1
        assert missed[-1] < lost_at + 20.0

    in_world(script)


def test_a_manager_lives_on_the_worlds_clock() -> None:
    """An hour of it takes no time, and its gaps are at the world's times."""

    async def script(world: World) -> None:
        async with Manager(url=URL) as manager:
            book = await manager.subscribe("bbo", coin="BTC", wait="live", events=True)
            await anyio.sleep(10.0)
            world.network.connections[1].reset()
            await anyio.sleep(30.0)
            (gap,) = await manager.gaps()
            assert pytest.approx(EPOCH + anyio.current_time() - 30.0, abs=0.1) == gap.started_at.timestamp()
            assert book.state == "live"

    in_world(script)


@pytest.mark.parametrize(("first", "last", "found"), [(2.0, 4.0, [2, 3, 4]), (1.5, 1.9, []), (4.5, 9.0, [5])])
def test_what_was_made_in_a_time_is_found_with_its_ends(first: float, last: float, found: list[int]) -> None:
    """A judge that misses a tick at an end of a gap would call it empty."""
    stream = StreamTruth(TRADES, "bbo")
    for n in range(1, 6):
        stream.take_made(n, float(n), ())
    assert found == [made.n for made in stream.made_between(first, last)]


def test_items_are_told_apart_by_what_makes_them_unique() -> None:
    """The same fill is the same item, whoever sends it and whatever stands beside it."""
    fill = {"tid": 7, "oid": 8, "side": "B", "px": "1"}
    frame = '{"channel":"userFills","data":{"user":"0x","fills":[{"tid":7,"oid":8,"side":"B","px":"1"}]}}'
    assert ((7, 8, "B"),) == items("userFills", payload(frame))
    assert ((7, 8, "B"),) == items("userFills", {"fills": [fill | {"new": 1}], "more": True})
    assert ((7,), (9,)) == items("trades", [{"tid": 7}, {"tid": 9}])
    assert ((1, 2, "3"),) == items("candle", {"t": 1, "n": 2, "v": "3", "c": "4"})
    with pytest.raises(KeyError):
        items("userFills", {"orders": []})


def tampered(change: Callable[[Evidence], Evidence | None], invariant: str) -> list[str]:
    """Return what a judge says of a calm run before and after it was tampered with."""

    def judge(evidence: Evidence) -> list[str]:
        before = [found.text for found in complaints_of(evidence) if found.invariant == invariant]
        assert [] == before
        changed = change(evidence) or evidence
        return [found.text for found in complaints_of(changed) if found.invariant == invariant]

    return judged(judge, 1, minutes=0.0)


def first_wish(evidence: Evidence, kind: str) -> Any:
    return next(wish for wish in evidence.program.wishes if wish.kind.type == kind)


def middle(evidence: Evidence, kind: str) -> Any:
    made = first_wish(evidence, kind).stream.made
    return made[len(made) // 2]


def test_a_tick_that_nobody_got_and_no_gap_admits_is_found() -> None:
    """Ledger equals truth."""

    def withhold(evidence: Evidence) -> None:
        units = middle(evidence, "trades").units
        for consumer in first_wish(evidence, "trades").consumers:
            for unit in units:
                consumer.seen.pop(unit, None)

    assert len(tampered(withhold, "ledger equals truth")) == 1


def test_a_gap_that_admits_it_clears_the_ledger() -> None:
    """The same, with a row for it."""

    def admit(evidence: Evidence) -> Evidence:
        made = middle(evidence, "trades")
        wish = first_wish(evidence, "trades")
        for unit in made.units:
            wish.consumers[0].seen.pop(unit, None)
        return evolve(evidence, gaps=[*evidence.gaps, gap_row(wish, made.at)])

    assert [] == tampered(admit, "ledger equals truth")


def test_a_gap_without_a_cause_is_found() -> None:
    """No gap where nothing was withheld and the socket stayed up."""

    def invent(evidence: Evidence) -> Evidence:
        row = gap_row(first_wish(evidence, "trades"), middle(evidence, "trades").at)
        return evolve(evidence, gaps=[*evidence.gaps, row])

    assert len(tampered(invent, "no gap without a cause")) == 1


def test_a_false_proof_is_found() -> None:
    """A gap that is proved empty, with something missing in it."""

    def lie(evidence: Evidence) -> Evidence:
        made = middle(evidence, "trades")
        wish = first_wish(evidence, "trades")
        for unit in made.units:
            wish.consumers[0].seen.pop(unit, None)
        return evolve(evidence, gaps=[*evidence.gaps, evolve(gap_row(wish, made.at), proof="empty")])

    assert len(tampered(lie, "proofs hold")) == 1


def test_a_gap_that_could_be_proved_empty_and_was_not_is_found() -> None:
    """Nothing was made in it, the venue can be asked, and nothing is said of it."""

    def shrug(evidence: Evidence) -> Evidence:
        wish = first_wish(evidence, "userFundings")
        at = next(
            float(at) for at in range(3, 60) if all(abs(made.at - at) > 9.0 for made in wish.stream.made)
        )
        wish.begun_at = 0.0
        return evolve(evidence, gaps=[*evidence.gaps, gap_row(wish, at)], until=evidence.until + 600.0)

    (said,) = tampered(shrug, "what can be proved is")
    assert "'left': 1" in said


def test_drops_that_nobody_was_told_are_found() -> None:
    """A slow consumer is told how many messages it lost."""

    def drop(evidence: Evidence) -> None:
        consumer = first_wish(evidence, "trades").consumers[0]
        consumer.slow = True
        consumer.handle.buffer.dropped = 3

    assert len(tampered(drop, "drops are told")) == 1


def test_a_second_side_that_is_missing_is_found() -> None:
    """Who wants two sockets has two, and who wants one has one."""

    def want_two(evidence: Evidence) -> None:
        wish = first_wish(evidence, "trades")
        wish.redundancy, wish.kept = (2, True) if wish.sides == 1 else (1, False)
        for consumer in wish.consumers:
            consumer.handle.buffer.redundancy = wish.redundancy

    said = tampered(want_two, "no wish lost") + tampered(want_two, "none resurrected")
    assert len(said) == 1


def test_a_strangers_item_is_found() -> None:
    """Never mixed."""

    def mix(evidence: Evidence) -> None:
        first_wish(evidence, "trades").consumers[0].seen["a stranger"] = 1.0

    assert len(tampered(mix, "never mixed")) == 1


def test_a_lost_wish_is_found() -> None:
    """It says live and the venue has it not; or it does not even say so."""

    def forget(evidence: Evidence) -> None:
        evidence.network.engine.forget(first_wish(evidence, "trades").stream.key)
        first_wish(evidence, "bbo").states.append((1.0, "lost"))

    assert len(tampered(forget, "no wish lost")) == 2


def test_a_resurrected_subscription_is_found() -> None:
    """What has ended is subscribed nowhere."""

    def end(evidence: Evidence) -> None:
        first_wish(evidence, "trades").ended_at = 1.0

    assert len(tampered(end, "none resurrected")) == 1


def test_an_exceeded_quota_is_found() -> None:
    """As the venue counts."""

    def exceed(evidence: Evidence) -> None:
        evidence.network.engine.journal.most_dials_a_minute = 31

    assert ["31 dials a minute, of 30"] == tampered(exceed, "no quota exceeded")


def test_a_false_alarm_is_found() -> None:
    """A stream that delivers is called stale."""

    def alarm(evidence: Evidence) -> None:
        first_wish(evidence, "bbo").states.append((evidence.until - 10.0, "stale"))

    assert len(tampered(alarm, "no false alarm")) == 1


def test_a_long_blindness_is_found_and_named_by_its_fault() -> None:
    """Seventeen seconds without anything while it says live, on a stalled connection."""

    def blind(evidence: Evidence) -> Evidence:
        stream = first_wish(evidence, "trades").stream
        until = evidence.until - 20.0
        lost = {made.n for made in stream.made if until - 17.0 < made.at < until}
        stream.arrivals = [each for each in stream.arrivals if each.n not in lost]
        stream.arrived = {n: at for n, at in stream.arrived.items() if n not in lost}
        return evolve(evidence, faults=[Fault("stall", until - 17.0, until)])

    (said,) = tampered(blind, "blindness is short")
    assert said.startswith(("trades was blind for 16", "trades was blind for 17")), said
    assert said.endswith(": stall"), said


def gap_row(wish: Any, at: float) -> Any:
    from wsmgr.manager.store.rows import GapRow

    return GapRow(
        subscription_id=wish.id, started_at=EPOCH + at - 2.0, ended_at=EPOCH + at + 2.0, reason="invented"
    )
