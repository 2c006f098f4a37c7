"""The healer: one query at a time, at its pace, whatever becomes of it; in virtual time, with answers that the test scripts."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import pytest
from attrs import define, evolve, field, frozen

from wsmgr.actors import ActorRef, Backoff, ChildSpec, Killed, Supervisor
from wsmgr.actors.testing import check_leaks, settle, virtual_backend
from wsmgr.manager.config import Config, VenueConfig
from wsmgr.manager.model.connection import Connection, ConnectionState
from wsmgr.manager.model.continuity import Gap, Healed
from wsmgr.manager.model.errors import ManagerClosedError, RequestNotSentError
from wsmgr.manager.model.healing import MARGIN, PAUSES, SETTLE, TRIES, UNTAKEN
from wsmgr.manager.model.healing_queue import PACE
from wsmgr.manager.model.items import Item
from wsmgr.manager.model.message import Message
from wsmgr.manager.model.outcome import Answered, Outcome, Refused, Unknown
from wsmgr.manager.model.recent import Recent
from wsmgr.manager.runtime.clock import Clock, current_clock
from wsmgr.manager.runtime.context import Context
from wsmgr.manager.runtime.healer import LOOK_AGAIN, Healer
from wsmgr.manager.runtime.venue_setup import add_venues

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence

    from wsmgr.manager.model.subscription import Entry
    from wsmgr.manager.runtime.context import VenueContext

pytestmark = pytest.mark.anyio

STARTED_AT = 1_766_566_375.0
USER = "0xabcdef0123456789abcdef0123456789abcdef01"
GAP = Gap(started_at=STARTED_AT, ended_at=STARTED_AT + 1.0, duration=1.0, reason="lost")
ORDERS = "orderUpdates"
FILLS = "userFills"


@pytest.fixture(
    params=[pytest.param("asyncio", id="asyncio-virtual"), pytest.param("trio", id="trio-virtual")]
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Virtual time."""
    return virtual_backend(request.param)


def fill(number: int, after: float = 0.5) -> dict[str, Any]:
    return {
        "tid": number,
        "side": "B",
        "oid": number,
        "time": int((STARTED_AT + after) * 1000),
        "twapId": None,
    }


@frozen
class Pause:
    """The venue takes its time."""

    seconds: float


class Scripted:
    """A requester: notes what is asked and when, and does the next thing of its script; in the end it answers nothing found."""

    def __init__(self, now: Any) -> None:
        self.asked: list[tuple[float, Mapping[str, Any]]] = []
        self.script: list[Outcome[Any] | Exception | Pause] = []
        self.running = 0
        self.most_running = 0
        self._now = now

    async def request(self, kind: str, payload: Mapping[str, Any], *, timeout: float = 30.0) -> Outcome[Any]:
        assert ("info", 15.0) == (kind, timeout)
        self.asked.append((self._now(), payload))
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            while True:
                step = self.script.pop(0) if self.script else Answered(list[Any]())
                if not isinstance(step, Pause):
                    break
                await anyio.sleep(step.seconds)
        finally:
            self.running -= 1
        if isinstance(step, Exception):
            raise step
        return step


@define(eq=False)
class World:
    """A healer with all around it, but for the network and the core.

    Attributes:
        delivered: What came to the core: the frames.
        found: What is known of gaps in the end.
        bug: Raised by the core for each delivery, if it is not None.
    """

    venues: tuple[str, ...] = ("v",)
    delivered: list[bytes] = field(factory=list)
    items: list[Item] = field(factory=list)
    found: list[Healed] = field(factory=list)
    bug: Exception | None = None
    began: float = field(init=False)
    context: Context = field(init=False)
    requester: Scripted = field(init=False)
    supervisor: Supervisor = field(init=False)

    def __attrs_post_init__(self) -> None:
        monotonic = current_clock().monotonic
        self.began = monotonic()
        clock = Clock(monotonic, wall=lambda: STARTED_AT + 1.0 + self.now)
        self.context = Context(clock, connect=None)  # type: ignore[arg-type] # nothing is dialled
        configs = tuple(
            VenueConfig(name=name, dialect="hyperliquid", url="ws://venue/ws", account=name)
            for name in self.venues
        )
        add_venues(self.context, Config(venues=configs), None)
        for venue in self.context.venues.values():
            connection = Connection(id="v-1", venue=venue.model.name, host="api", url="ws://venue/ws")
            connection.state = ConnectionState.READY
            venue.model.connections.append(connection)
        self.requester = Scripted(lambda: self.now)
        self.supervisor = Supervisor(
            [
                ChildSpec(
                    name,
                    partial(self.healer, venue),
                    backoff=Backoff(initial=1.0, maximum=1.0, jitter=0.0),
                )
                for name, venue in self.context.venues.items()
            ],
            max_restarts=100,
            max_seconds=60.0,
        )

    @property
    def now(self) -> float:
        """Seconds since the test began."""
        return self.context.clock.monotonic() - self.began

    @property
    def venue(self) -> VenueContext:
        return self.context.venues["v"]

    def healer(self, venue: VenueContext) -> Healer:
        return Healer(
            self.context,
            venue,
            queue=venue.model.healing,
            pace=venue.model.origin.pace,
            requester=self.requester,
            deliver=self.deliver,
            finish=self.finish,
        )

    def deliver(self, entry: Entry, frames: Sequence[bytes], items: Sequence[Item]) -> None:
        if self.bug is not None:
            raise self.bug
        self.delivered += frames
        self.items += items
        if entry.merger is not None:
            for frame in frames:
                entry.merger.remember(frame)

    def finish(self, entry: Entry, found: Sequence[Healed]) -> None:
        assert found
        self.found += found

    def want(self, type_name: str = FILLS, gap: Gap = GAP, *, venue: str = "v", **params: str) -> Entry:
        """A subscription with a gap that has just ended."""
        model = self.context.venues[venue].model
        atom = self.context.venues[venue].dialect.atom(type_name, params or {"user": USER})
        entry, _ = self.context.registry.want(model.name, atom, wall=self.context.clock.wall())
        model.remember(entry)
        assert [] == model.healing.want(entry, gap, self.context.clock.monotonic())
        self.context.heal()
        return entry

    async def until_done(self, count: int = 1) -> None:
        """Let time pass until so much is known."""
        await settle(lambda: len(self.found) >= count, timeout=600.0)

    def asked_at(self) -> list[float]:
        """When it was asked."""
        return [round(at, 3) for at, _ in self.requester.asked]

    def ref(self, venue: str = "v") -> ActorRef[Any] | None:
        return next(child.ref for child in self.supervisor.which_children() if child.id == venue)


@asynccontextmanager
async def running(*venues: str) -> AsyncGenerator[World, None]:
    world = World(venues or ("v",))
    async with check_leaks(), world.supervisor:
        yield world


def proofs(found: Sequence[Healed]) -> list[tuple[str | None, int]]:
    return [(each.gap.proof, each.items) for each in found]


async def test_what_was_missed_is_delivered_and_the_gap_is_filled() -> None:
    """Once the venue has written it down: in frames of the stream, without what had been delivered."""
    async with running() as world:
        entry = world.want()
        assert entry.merger is not None
        known = b'{"channel":"userFills","data":{"user":"%s","fills":[{"tid":1,"side":"B","oid":1}]}}'
        entry.merger.remember(known % USER.encode())
        world.requester.script = [Answered([fill(1), fill(3, 0.7), fill(2, 0.6)])]
        await world.until_done()
        assert [SETTLE] == world.asked_at()
        ((_, payload),) = world.requester.asked
        assert {
            "type": "userFillsByTime",
            "user": USER,
            "startTime": int((STARTED_AT - MARGIN) * 1000),
        } == payload
        assert [2, 3] == [
            fill["tid"] for raw in world.delivered for fill in world.venue.dialect.payload(raw)["fills"]
        ]
        assert [(2, "B", 2), (3, "B", 3)] == [item.key for item in world.items]
        assert [("filled", 2)] == proofs(world.found)
        assert ({}, None) == (world.venue.model.healing.entries, entry.healing)


async def test_gap_in_which_nothing_was_missed_is_empty() -> None:
    """Nothing is delivered for it."""
    async with running() as world:
        world.want()
        await world.until_done()
        assert ([("empty", 0)], []) == (proofs(world.found), world.delivered)


async def test_pages_are_asked_for_at_the_pace_and_delivered_as_they_come() -> None:
    """A long history holds up nobody."""
    async with running() as world:
        world.want("userFundings")
        pages = [
            [{"time": fill(n, n / 1000)["time"], "delta": {"coin": str(n)}} for n in range(at, at + 500)]
            for at in (0, 499)
        ]
        world.requester.script = [Answered(page) for page in pages]
        await settle(lambda: len(world.items) >= 500)
        assert 1 == len(world.requester.asked)
        await world.until_done()
        assert [SETTLE, SETTLE + PACE, SETTLE + 2 * PACE] == world.asked_at()
        assert [str(n) for n in range(999)] == [
            each["coin"] for raw in world.delivered for each in world.venue.dialect.payload(raw)["fundings"]
        ]
        assert [("filled", 999)] == proofs(world.found)


async def test_venues_of_one_origin_share_the_pace() -> None:
    """Its weight is counted for all of them; each has one query under way at most."""
    async with running("v", "w") as world:
        for venue in ("v", "w"):
            for type_name in (FILLS, "userFundings", ORDERS):
                world.want(type_name, venue=venue)
        world.requester.script = [Pause(5.0), Answered([])]
        await world.until_done(6)
        at = world.asked_at()
        assert [SETTLE + n * PACE for n in range(3)] == at[:3]
        assert 6 == len(at)
        assert all(later - earlier >= PACE - 0.001 for earlier, later in pairwise(at))
        assert 2 == world.requester.most_running


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (Refused("429 Too Many Requests"), "refused it: 429 Too Many Requests"),
        (Unknown("the socket was lost"), "the socket was lost"),
        (Answered({"no": "list"}), "cannot be read"),
    ],
)
async def test_query_that_fails_is_asked_again_and_then_given_up(failure: Outcome[Any], words: str) -> None:
    """After growing pauses; the gap stays open with the reason, and the healer lives."""
    async with running() as world:
        entry = world.want()
        before = world.ref()
        world.requester.script = [failure] * TRIES
        await world.until_done()
        first = SETTLE
        assert [first, first + PAUSES[0], first + PAUSES[0] + PAUSES[1]] == pytest.approx(
            world.asked_at(), abs=0.01
        )
        (found,) = world.found
        assert found.gap.proof is None
        assert found.gap.open_because is not None
        assert words in found.gap.open_because
        assert (before, None) == (world.ref(), entry.healing)


async def test_query_that_succeeds_at_last_proves_the_gap() -> None:
    """What went wrong before does not matter."""
    async with running() as world:
        world.want()
        world.requester.script = [Refused("429"), Unknown("nothing came"), Answered([fill(1)])]
        await world.until_done()
        assert [("filled", 1)] == proofs(world.found)


async def test_gap_waits_for_as_long_as_the_venue_cannot_be_asked() -> None:
    """That costs no try: it is asked for when the venue is there again."""
    async with running() as world:
        world.want()
        (connection,) = world.venue.model.connections
        connection.state = ConnectionState.DIALLING
        await anyio.sleep(3600.0)
        assert ([], []) == (world.requester.asked, world.found)
        connection.state = ConnectionState.READY
        world.requester.script = [RequestNotSentError("30 s were over")] * (2 * TRIES)
        await world.until_done()
        at = world.asked_at()
        assert [LOOK_AGAIN] * (2 * TRIES) == pytest.approx([b - a for a, b in pairwise(at)], abs=0.01)
        assert [("empty", 0)] == proofs(world.found)


async def test_gap_of_a_subscription_that_has_ended_stays_open() -> None:
    """Whether it ends before the question or while it is under way: nothing is delivered to nobody."""
    async with running() as world:
        first, second = world.want(), world.want("userFundings")
        world.context.registry.end(first, by="test", now=world.now)
        world.requester.script = [
            Pause(10.0),
            Answered([{"time": fill(1)["time"], "delta": {"coin": "BTC"}}]),
        ]
        await settle(lambda: bool(world.requester.asked))
        assert "userFunding" == world.requester.asked[0][1]["type"]
        world.context.registry.end(second, by="test", now=world.now)
        await world.until_done(2)
        assert [(None, 0), (None, 0)] == proofs(world.found)
        assert {True} == {"was ended" in str(each.gap.open_because) for each in world.found}
        assert ([], 1) == (world.delivered, len(world.requester.asked))
        assert {} == world.venue.model.healing.entries


async def test_type_without_a_query_stays_open_with_the_reason() -> None:
    """What the configuration promised is not there."""
    async with running() as world:
        world.want("notification")
        await world.until_done()
        assert "no query for notification" in str(world.found[0].gap.open_because)
        assert [] == world.requester.asked


async def test_of_user_events_the_fills_are_delivered_and_the_gap_stays_open() -> None:
    """What had come on the stream is known from its newest messages: there is no key by which it is merged."""
    async with running() as world:
        entry = world.want("userEvents")
        entry.recent = Recent()
        for number in (1, 4):
            frame = msgspec.json.encode({"channel": "user", "data": {"fills": [fill(number, number - 3.0)]}})
            entry.recent.append(
                Message(entry.source, "user", number, 0, "v-1", STARTED_AT + number - 3.0, frame)
            )
        times = {0: -2.5, 1: -2.0, 2: -0.5, 3: 0.5, 4: 1.0}
        world.requester.script = [Answered([fill(number, after) for number, after in times.items()])]
        await world.until_done()
        # The first may have been delivered and forgotten.
        assert [2, 3] == [
            fill["tid"] for raw in world.delivered for fill in world.venue.dialect.payload(raw)["fills"]
        ]
        assert [(None, 2)] == proofs(world.found)
        assert "does not tell of funding" in str(world.found[0].gap.open_because)


async def test_where_nothing_is_remembered_only_the_gap_itself_is_filled() -> None:
    """Around it anything may have been delivered."""
    async with running() as world:
        entry = world.want("userEvents")
        entry.recent = None
        world.requester.script = [Answered([fill(1, -0.5), fill(2), fill(3, 1.5)])]
        await world.until_done()
        assert [(2, "B", 2)] == [item.key for item in world.items]


async def test_healer_that_is_killed_while_it_asks_loses_no_gap() -> None:
    """The next one asks again."""
    async with running() as world:
        world.want()
        world.requester.script = [Pause(1000.0), Answered([fill(1)])]
        await settle(lambda: bool(world.requester.asked))
        before = world.ref()
        assert before is not None
        before.exit(Killed())
        await world.until_done()
        assert before is not world.ref()
        assert [SETTLE, SETTLE + PAUSES[0]] == pytest.approx(world.asked_at(), abs=0.01)
        assert 1 == world.requester.most_running


async def test_gap_over_which_the_healer_crashes_each_time_is_given_up() -> None:
    """It costs no more than any other that fails, and the next gap is healed."""
    async with running() as world:
        world.want()
        world.bug = ValueError("a bug of the core")
        world.requester.script = [Answered([fill(1)])] * TRIES
        await world.until_done()
        assert TRIES == len(world.requester.asked)
        assert UNTAKEN in str(world.found[0].gap.open_because)
        world.bug = None
        world.want("userFundings")
        await world.until_done(2)
        assert ("empty", 0) == proofs(world.found)[1]


async def test_gap_that_comes_while_another_is_asked_for_is_not_forgotten() -> None:
    """Of the same subscription or of another one."""
    async with running() as world:
        world.want()
        world.requester.script = [Pause(5.0), Answered([fill(1)])]
        await settle(lambda: bool(world.requester.asked))
        world.want(gap=evolve(GAP, started_at=STARTED_AT + 3.0, ended_at=STARTED_AT + 4.0))
        world.want(ORDERS)
        await world.until_done(3)
        assert 3 == len(world.requester.asked)
        assert [("filled", 1), ("empty", 0), ("empty", 0)] == proofs(world.found)


async def test_nothing_is_asked_when_the_manager_ends() -> None:
    """Nor is a gap given up for it: the next start finds it as it was."""
    async with running() as world:
        entry = world.want()
        world.requester.script = [ManagerClosedError("it was left")]
        await settle(lambda: bool(world.requester.asked))
        world.context.draining = True
        await anyio.sleep(600.0)
        assert ([], 1) == (world.found, len(world.requester.asked))
        assert entry.healing is not None
