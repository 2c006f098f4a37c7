"""A stream on two sockets, for a moment or for good, against the real venue's simulator: nothing lost, nothing twice."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from wsmgr.manager.manager import Manager
from wsmgr.manager.model.errors import NotFoundError, UsageError
from wsmgr.manager.model.frame import Frame, GoingAway
from wsmgr.manager.model.message import Message
from wsmgr.manager.venues.hyperliquid import HyperliquidDialect

if TYPE_CHECKING:
    from tests.conftest import StartSimulator
    from wsmgr.manager.runtime.handle import Subscription
    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

DEADLINE = 60.0
RATE = 200
TURNS = 6
CONFIG: dict[str, Any] = {
    "venues": {"hyperliquid": {"quotas": {"dials_per_minute": "off", "messages_per_minute": "off"}}}
}


class Trades:
    """What a consumer got of a stream of trades, in the order in which it came."""

    def __init__(self, handle: Subscription) -> None:
        self.handle = handle
        self.messages: list[Message] = []

    async def read(self) -> None:
        async for item in self.handle:
            if isinstance(item, Message):
                self.messages.append(item)

    @property
    def tids(self) -> list[int]:
        return [trade["tid"] for message in self.messages for trade in message.data]

    async def advance(self, count: int) -> None:
        wanted = len(self.messages) + count
        while len(self.messages) < wanted:  # noqa: ASYNC110 - another task reads
            await anyio.sleep(0.005)


def truth(simulator: SimulatorThread) -> list[int]:
    """Every trade of BTC that the venue made, in its order."""
    for stream in simulator.events():
        key = json.loads(stream["subscription"])
        if (key["type"], key.get("coin")) == ("trades", "BTC"):
            return [tid for event in stream["events"] for tid in event["ids"]]
    raise AssertionError("there is no such stream")


def between(tids: list[int], made: list[int]) -> list[int]:
    """What the venue made from the first to the last that a consumer got; the snapshot before the stream began is not in it."""
    return made[made.index(next(tid for tid in tids if tid in set(made))) : made.index(tids[-1]) + 1]


def check(trades: Trades, simulator: SimulatorThread) -> None:
    """Every trade exactly once, in order; every message numbered without a hole."""
    made = truth(simulator)
    got = [tid for tid in trades.tids if tid in set(made)]
    assert between(trades.tids, made) == got
    assert len(set(trades.tids)) == len(trades.tids)
    numbers = [message.seq for message in trades.messages]
    assert list(range(numbers[0], numbers[0] + len(numbers))) == numbers


async def test_rotation_after_rotation_loses_and_doubles_nothing(start_simulator: StartSimulator) -> None:
    """Make before break: the connection is replaced again and again while the stream runs; no gap, no new numbering."""
    simulator = start_simulator(rate=RATE)
    async with (
        Manager(url=simulator.address.url, config=CONFIG) as manager,
        anyio.create_task_group() as tasks,
    ):
        with anyio.fail_after(DEADLINE):
            trades = Trades(await manager.subscribe("trades", coin="BTC", wait="live"))
            tasks.start_soon(trades.read)
            seen: set[str] = set()
            for _ in range(TURNS):
                (connection,) = [each for each in manager.connection_info() if each.subscriptions]
                assert [connection.id] == manager.reconnect(connection.id)
                while manager.get_subscription(trades.handle.id).connection == connection.id:  # noqa: ASYNC110 - no event
                    await anyio.sleep(0.01)
                seen.add(connection.id)
                await trades.advance(20)
            assert TURNS == len(seen)
            assert [] == await manager.gaps()
            assert [None] == list({message.gap for message in trades.messages})
            check(trades, simulator)
            tasks.cancel_scope.cancel()


async def test_a_venue_that_says_it_will_close_the_socket_is_left_before_it_does(
    start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its notice is enough: the streams go to a new socket, and nothing is lost when the old one is closed."""
    classify = HyperliquidDialect.classify

    def with_notice(dialect: HyperliquidDialect, raw: bytes) -> Frame:
        return GoingAway("it closes for a restart") if raw == b"restart soon" else classify(dialect, raw)

    monkeypatch.setattr(HyperliquidDialect, "classify", with_notice)
    simulator = start_simulator("greeting=restart soon", rate=RATE)
    async with (
        Manager(url=simulator.address.url, config=CONFIG) as manager,
        anyio.create_task_group() as tasks,
    ):
        with anyio.fail_after(DEADLINE):
            trades = Trades(await manager.subscribe("trades", coin="BTC", wait="live"))
            simulator.set_faults()
            tasks.start_soon(trades.read)
            while not (rotated := [event for event in await manager.events() if event.kind == "rotated"]):  # noqa: ASYNC110
                await anyio.sleep(0.02)
            await trades.advance(20)
            assert "it closes for a restart" == rotated[0].detail["why"]
            assert [] == await manager.gaps()
            check(trades, simulator)
            tasks.cancel_scope.cancel()


async def test_with_two_sides_killing_either_loses_and_doubles_nothing(
    start_simulator: StartSimulator,
) -> None:
    """Whichever socket dies, the other one has brought, or brings, everything."""
    seed = Random().randrange(2**32)
    random = Random(seed)
    print(f"seed {seed}")  # noqa: T201 - to repeat it
    simulator = start_simulator(rate=RATE)
    async with (
        Manager(url=simulator.address.url, config=CONFIG) as manager,
        anyio.create_task_group() as tasks,
    ):
        with anyio.fail_after(DEADLINE):
            trades = Trades(await manager.subscribe("trades", coin="BTC", redundancy=2, wait="live"))
            tasks.start_soon(trades.read)
            for turn in range(TURNS):
                await until_redundant(manager, turn + 1)
                await trades.advance(random.randrange(1, 30))
                open_sockets = [
                    each["connection"] for each in simulator.log()["connections"] if each["closed_at"] is None
                ]
                simulator.kill(random.choice(open_sockets))
            await until_redundant(manager, TURNS + 1)
            await trades.advance(20)
            assert [] == await manager.gaps()
            firsts = manager.get_metrics(trades.handle.id).firsts
            assert sum(firsts.values()) > 0
            check(trades, simulator)
            tasks.cancel_scope.cancel()


async def until_redundant(manager: Manager, times: int) -> None:
    """Wait until a second side has joined so often."""
    while len([event for event in await manager.events() if event.kind == "redundant"]) < times:  # noqa: ASYNC110 - no event
        await anyio.sleep(0.02)


async def test_what_cannot_be_merged_cannot_be_redundant(start_simulator: StartSimulator) -> None:
    """The reason is said before anything is asked for."""
    simulator = start_simulator()
    async with Manager(url=simulator.address.url) as manager:
        with pytest.raises(UsageError, match="allMids cannot be had on two sockets"):
            await manager.subscribe("allMids", redundancy=2)
        with pytest.raises(UsageError, match="redundancy=3"):
            await manager.subscribe("trades", coin="BTC", redundancy=3)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="stops a socket"):
            await manager.subscribe("trades", coin="BTC", redundancy=2, policy="block")
        with pytest.raises(NotFoundError, match="no connection with the id 'hyperliquid-9'"):
            manager.reconnect("hyperliquid-9")
