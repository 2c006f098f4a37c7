"""Dead sockets: one that brings nothing any more is found out in time, and nobody else is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from wsmgr.manager.manager import Manager
from wsmgr.manager.testing.simulated import EPOCH, URL, World, in_virtual_time, simulated
from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions
from wsmgr.manager.venues.hyperliquid.simulator.faults import Faults

if TYPE_CHECKING:
    from wsmgr.manager.runtime.handle import Subscription
    from wsmgr.manager.testing.simulated import Connection

COINS = ("BTC", "ETH", "SOL")
RATE = 20.0
FOUND_WITHIN = 13.0
NOT_BEFORE = 5.0


async def own_connections(manager: Manager) -> list[Subscription]:
    """Subscribe to a book for each coin, each on a connection of its own."""
    return [
        await manager.subscribe("bbo", coin=coin, connection="dedicated", wait="live", events=True)
        for coin in COINS
    ]


def carrier(world: World, coin: str) -> Connection:
    """Return the connection of a coin's book."""
    (found,) = (
        connection
        for connection in world.network.connections.values()
        if any(f'"{coin}"' in key for key in connection.session.protocol.subscriptions)
    )
    return found


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("quiet_before", [0.0, 3.3, 7.1], ids=lambda seconds: f"after {seconds:g} s")
@pytest.mark.parametrize(("up", "down"), [(True, True), (False, True)], ids=["black hole", "half open"])
def test_a_socket_that_brings_nothing_is_lost_within_13_s(
    backend: str, quiet_before: float, up: bool, down: bool
) -> None:
    """Counted from its last byte, and not before 5 s; the venue still hears a half-open one. The others keep their sockets."""

    async def run() -> None:
        async with simulated(SimulatorOptions(rate=RATE)) as world, Manager(url=URL) as manager:
            books = await own_connections(manager)
            await anyio.sleep(20.0 + quiet_before)
            victim = carrier(world, COINS[1])
            others = [carrier(world, coin) for coin in (COINS[0], COINS[2])]
            victim.stall(up=up, down=down)
            last_byte_at = victim.socket.last_inbound_at
            await victim.socket.wait_closed()
            took = anyio.current_time() - last_byte_at
            assert NOT_BEFORE <= took <= FOUND_WITHIN
            await anyio.sleep(5.0)
            assert [book.state for book in books] == ["live"] * len(COINS)
            assert [None, None] == [other.socket.closed for other in others]
            (gap,) = await manager.gaps()
            assert books[1].id == gap.subscription_id
            assert pytest.approx(EPOCH + last_byte_at, abs=0.1) == gap.started_at.timestamp()

    in_virtual_time(run, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_socket_that_is_only_late_is_kept(backend: str) -> None:
    """Nothing for 4 s is no reason."""

    async def run() -> None:
        async with simulated(SimulatorOptions(rate=RATE)) as world, Manager(url=URL) as manager:
            books = await own_connections(manager)
            await anyio.sleep(20.0)
            late = carrier(world, COINS[1])
            late.stall(seconds=4.0)
            await anyio.sleep(30.0)
            assert late.socket.closed is None
            assert [book.state for book in books] == ["live"] * len(COINS)
            assert [] == await manager.gaps()

    in_virtual_time(run, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_gap_of_a_quiet_stream_begins_with_the_last_answer_to_a_ping(backend: str) -> None:
    """Not with its last message, which may be hours old: the answer shows that nothing was on its way."""

    async def run() -> None:
        quiet = SimulatorOptions(faults=Faults(quiet=frozenset({"orderUpdates"})))
        async with simulated(quiet) as world, Manager(url=URL) as manager:
            await manager.subscribe("orderUpdates", user="0x" + "a" * 40, wait="live")
            await anyio.sleep(60.0)
            (connection,) = world.network.connections.values()
            connection.reset()
            lost_at = anyio.current_time()
            await anyio.sleep(10.0)
            (gap,) = await manager.gaps()
            assert lost_at - 2 * NOT_BEFORE <= gap.started_at.timestamp() - EPOCH <= lost_at

    in_virtual_time(run, backend=backend)
