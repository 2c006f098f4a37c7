"""The beat: what is measured, and what becomes an event. On virtual time."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from attrs import define, field

from wsmgr.actors.testing import virtual_backend
from wsmgr.manager.config import Config, VenueConfig
from wsmgr.manager.model.fact import Fact, Note
from wsmgr.manager.model.message import Message
from wsmgr.manager.model.pulse import GRACE, INTERVAL
from wsmgr.manager.runtime import beat as beat_module
from wsmgr.manager.runtime.beat import SETTLED, Beat
from wsmgr.manager.runtime.clock import Clock, current_clock
from wsmgr.manager.runtime.context import Context
from wsmgr.manager.runtime.stalls import Finding, Watchdog
from wsmgr.manager.runtime.subscription_views import metrics_view
from wsmgr.manager.runtime.venue_setup import add_venues

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from wsmgr.manager.model.subscription import Entry

pytestmark = pytest.mark.anyio

WALL = 1_700_000_000.0


@pytest.fixture(
    params=[pytest.param("asyncio", id="asyncio-virtual"), pytest.param("trio", id="trio-virtual")]
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Virtual time."""
    return virtual_backend(request.param)


async def connect(*_: object) -> Any:
    """Nothing is dialled here."""
    raise NotImplementedError


@define(eq=False)
class Machine:
    """A machine whose clocks follow virtual time, and whom a test can put to sleep; with the beat of a manager on it.

    Attributes:
        asleep: Seconds for which it was suspended.
        set: Seconds by which its wall clock was set.
    """

    asleep: float = 0.0
    set: float = 0.0
    seconds: int = 0
    notes: list[Note] = field(factory=list)
    context: Context = field(init=False)
    beat: Beat = field(init=False)

    def __attrs_post_init__(self) -> None:
        loop = current_clock().monotonic
        clock = Clock(
            loop,
            wall=lambda: WALL + loop() + self.asleep + self.set,
            steady=loop,
            elapsed=lambda: loop() + self.asleep,
        )
        self.use(clock)

    def use(self, clock: Clock) -> None:
        """Run on these clocks."""
        self.context = Context(clock, connect, on_note=self.notes.append)  # type: ignore[arg-type]  # never called
        venues = tuple(
            VenueConfig(name=name, dialect="hyperliquid", url=f"ws://{name}/ws") for name in ("v0", "v1")
        )
        add_venues(self.context, Config(venues=venues), None)
        self.beat = Beat(self.context, self.count)

    def count(self) -> None:
        """Count a second."""
        self.seconds += 1

    @property
    def facts(self) -> list[Fact]:
        """What happened, but for what the venues were told to be."""
        return [note for note in self.notes if isinstance(note, Fact)]

    def want(self, coin: str, venue: str = "v0") -> Entry:
        """Want a subscription."""
        atom = self.context.venues[venue].dialect.atom("l2Book", {"coin": coin})
        entry, _ = self.context.registry.want(venue, atom, wall=WALL)
        return entry

    def receive(self, entry: Entry, lag: float) -> None:
        """Let a message come that was sent `lag` seconds before, by the venue's clock."""
        wall = self.context.clock.wall()
        seq = 1 if entry.last is None else entry.last.seq + 1
        entry.last = Message(entry.source, "l2Book", seq, 0, "c", wall, b"{}", venue_time=wall - lag)
        entry.counters.messages += 1


@asynccontextmanager
async def beating(machine: Machine) -> AsyncIterator[Machine]:
    """Keep the beat."""
    async with anyio.create_task_group() as group:
        group.start_soon(machine.beat.keep, INTERVAL)
        yield machine
        group.cancel_scope.cancel()


async def test_virtual_time_is_neither_a_stall_nor_a_suspend_nor_a_step() -> None:
    """An hour that takes a moment, by the machine's own clocks."""
    machine = Machine()
    machine.use(current_clock())
    async with beating(machine):
        await anyio.sleep(3600.25)
        assert [] == machine.facts
        assert 3600 == machine.seconds
        assert machine.context.registry.pulse.may_judge(machine.context.clock.monotonic())


async def test_a_suspended_machine_is_told_once_and_doubted() -> None:
    """No deadline is judged before the sockets were read."""
    async with beating(Machine()) as machine:
        pulse, now = machine.context.registry.pulse, machine.context.clock.monotonic
        await anyio.sleep(10.2)
        machine.asleep += 600.0
        await anyio.sleep(INTERVAL)
        assert not pulse.may_judge(now())
        await anyio.sleep(GRACE + INTERVAL)
        assert pulse.may_judge(now())
        await anyio.sleep(60)
    (fact,) = machine.facts
    assert ("suspended", "warning", {"seconds": 600.0}) == (fact.kind, fact.level, fact.detail)


@pytest.mark.parametrize("seconds", [3600.0, -0.6])
async def test_a_wall_clock_that_was_set_is_told_once(seconds: float) -> None:
    """Forward or back."""
    async with beating(Machine()) as machine:
        await anyio.sleep(10.2)
        machine.set += seconds
        await anyio.sleep(60)
    (fact,) = machine.facts
    assert ("clock_stepped", "warning", {"seconds": seconds}) == (fact.kind, fact.level, fact.detail)


async def test_lag_is_in_the_metrics_and_the_venues_clock_is_an_event() -> None:
    """The venue's clock is 2 s ahead, and the fastest message takes 10 ms, which nobody can tell from the clock."""
    async with beating(Machine()) as machine:
        fast, slow = machine.want("BTC"), machine.want("ETH")
        for _ in range(int(SETTLED) + 5):
            machine.receive(fast, 0.010 - 2.0)
            machine.receive(slow, 0.110 - 2.0)
            await anyio.sleep(1.0)
        now = machine.context.clock.monotonic()
        shown = metrics_view(slow, now=now, wall=WALL)
        assert pytest.approx(100.0, rel=0.13) == shown.lag_p50_ms == shown.lag_p99_ms
        shown = metrics_view(fast, now=now, wall=WALL)
        assert (1.0, 1.0) == (shown.lag_p50_ms, shown.lag_p99_ms)
    (fact,) = machine.facts
    assert ("venue_clock", "info") == (fact.kind, fact.level)
    assert {"origin": "hyperliquid:v0", "offset_ms": -1990.0} == fact.detail


async def test_an_offset_that_moves_is_told_again() -> None:
    """And one that stays is not."""
    async with beating(Machine()) as machine:
        book = machine.want("BTC")
        for minute in range(30):
            machine.receive(book, 0.0 if minute < 10 else 0.5)
            await anyio.sleep(60.0)
    assert [0.0, 500.0] == [fact.detail["offset_ms"] for fact in machine.facts]


async def test_each_venue_has_a_clock_of_its_own() -> None:
    """A venue whose clock is a minute slow says nothing of another's."""
    async with beating(Machine()) as machine:
        here, there = machine.want("BTC"), machine.want("BTC", "v1")
        for _ in range(10):
            machine.receive(here, 0.0)
            machine.receive(there, 60.0)
            await anyio.sleep(1.0)
        assert (1.0, 1.0) == here.counters.lag_ms == there.counters.lag_ms


async def test_after_a_step_lag_begins_anew() -> None:
    """Neither what came before it nor the old offset is measured by the new clock."""
    async with beating(Machine()) as machine:
        book, other = machine.want("BTC"), machine.want("ETH")
        machine.receive(book, 0.0)
        await anyio.sleep(5.2)
        machine.receive(other, 0.0)
        machine.set += 3600.0
        machine.receive(book, 0.0 + 3600.0)
        await anyio.sleep(INTERVAL)
        for _ in range(10):
            machine.receive(book, 3600.020)
            await anyio.sleep(1.0)
            machine.receive(other, 3600.020)
            await anyio.sleep(1.0)
        assert (1.0, 1.0) == book.counters.lag_ms == other.counters.lag_ms


async def test_of_many_subscriptions_each_turn_of_the_loop_takes_some(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No message waits for all of them."""
    monkeypatch.setattr(beat_module, "PORTION", 10)
    begun = anyio.Event()
    machine = Machine()
    machine.beat = Beat(machine.context, begun.set)
    entries = [machine.want(f"C{number}") for number in range(35)]
    steps: list[int] = []
    async with beating(machine):
        await begun.wait()
        while not steps or steps[-1] < len(entries):
            steps.append(sum(len(entry.counters.history) for entry in entries))
            await checkpoint()
    # Each turn of the loop runs both, in this order or the other.
    assert max(after - before for before, after in pairwise(steps)) <= 20


async def test_a_subscription_that_ends_meanwhile_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at may change between two portions."""
    monkeypatch.setattr(beat_module, "PORTION", 1)
    machine = Machine()
    first, second = machine.want("BTC"), machine.want("ETH")
    registry = machine.context.registry
    machine.beat = Beat(machine.context, lambda: registry.end(first, by="test", now=0.0))
    async with beating(machine):
        await anyio.sleep(1.2)
        assert [0] == second.counters.history


async def test_nothing_is_left_of_a_beat_that_ended() -> None:
    """No thread, and a pulse that nobody keeps."""
    async with beating(Machine()) as machine:
        await anyio.sleep(1.0)
        assert "wsmgr-watchdog" in {thread.name for thread in threading.enumerate()}
    assert "wsmgr-watchdog" not in {thread.name for thread in threading.enumerate()}
    await anyio.sleep(60.0)
    assert machine.context.registry.pulse.may_judge(machine.context.clock.monotonic())


async def test_nothing_is_left_of_a_beat_that_crashed() -> None:
    """Until another one beats everything may be judged, and that time is no stall."""

    def fail() -> None:
        raise ZeroDivisionError

    machine = Machine()
    machine.beat = Beat(machine.context, fail)
    with pytest.raises(ZeroDivisionError):
        await machine.beat.keep(INTERVAL)
    assert "wsmgr-watchdog" not in {thread.name for thread in threading.enumerate()}
    pulse, now = machine.context.registry.pulse, machine.context.clock.monotonic
    await anyio.sleep(30.0)
    assert pulse.may_judge(now())
    machine.beat = Beat(machine.context, machine.count)
    async with beating(machine):
        await anyio.sleep(10.2)
        assert pulse.may_judge(now())
    assert [] == machine.facts


async def test_a_program_that_stalls_all_day_is_one_event_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """And none of its stalls is forgotten when the beat ends."""
    monkeypatch.setattr("wsmgr.manager.model.pulse.Pulse.take_stall", lambda _: 1.5)
    monkeypatch.setattr(Watchdog, "turned", lambda _: Finding(where="program.py:3 in work", stack=("...",)))
    machine = Machine()
    async with beating(machine):
        await anyio.sleep(10 * 60.0 + 5.2)
    facts = [fact for fact in machine.facts if fact.kind == "loop_blocked"]
    assert 12 == len(facts)
    assert round((10 * 60.0 + 5.0) / INTERVAL) == sum(fact.detail.get("count", 1) for fact in facts)
    assert {("warning", "beat")} == {(fact.level, fact.actor) for fact in facts}


async def test_a_healer_is_told_of_new_gaps_once_a_second_until_it_has_heard() -> None:
    """One whose mailbox is full, or that has just died, is told again; where there is nothing new, nobody is."""
    machine = Machine()
    told: list[float] = []

    class Deaf:
        """Takes no message before its third."""

        def cast(self, _: object) -> bool:
            told.append(anyio.current_time())
            return len(told) == 3

    venue, other = machine.context.venues.values()
    venue.healer = other.healer = Deaf()  # type: ignore[assignment]  # only its `cast` is used
    venue.model.healing.stirred = True
    async with beating(machine):
        await anyio.sleep(10.0)
    assert [1.0, 1.0] == [round(later - earlier, 3) for earlier, later in pairwise(told)]
    assert not venue.model.healing.stirred
