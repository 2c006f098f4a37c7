"""Handover of quiet streams over sockets: what a half-open one withheld is admitted, and a well one soon proves that there is nothing to admit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import anyio
import pytest

from wsmgr.manager.manager import Manager
from wsmgr.manager.model.handover import PATIENCE, UNPROVED
from wsmgr.manager.testing.simulated import EPOCH, URL, in_virtual_time, simulated
from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions
from wsmgr.manager.venues.hyperliquid.simulator.faults import Faults

if TYPE_CHECKING:
    from wsmgr.manager.testing.simulated import Connection, World

USER = "0x" + "a" * 40
QUIET = SimulatorOptions(faults=Faults(quiet=frozenset({"orderUpdates"})))


def carriers(world: World) -> list[Connection]:
    """The connections that carry the orders, oldest first."""
    return [
        connection
        for _, connection in sorted(world.network.connections.items())
        if connection.session.protocol.subscriptions
    ]


async def unproved(manager: Manager) -> list[tuple[float, float]]:
    """The gaps that no proof could rule out, in seconds of the loop's clock."""
    return [
        (gap.started_at.timestamp() - EPOCH, gap.ended_at.timestamp() - EPOCH)
        for gap in await manager.gaps()
        if gap.reason.startswith(UNPROVED) and gap.ended_at is not None
    ]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_quiet_stream_that_leaves_a_half_open_socket_admits_what_that_withheld(backend: str) -> None:
    """From its last byte to the new side's acknowledgement; the stream goes on meanwhile, and the old connection is not kept for ever."""

    async def run() -> None:
        async with simulated(QUIET) as world, Manager(url=URL) as manager:
            orders = await manager.subscribe("orderUpdates", user=USER, wait="live")
            (old,) = carriers(world)
            await anyio.sleep(2.0)
            old.stall(up=False, down=True)
            last_byte_at = old.socket.last_inbound_at
            await anyio.sleep(1.0)
            manager.reconnect()
            asked_at = anyio.current_time()
            await anyio.sleep(PATIENCE + 5.0)
            ((began, ended),) = await unproved(manager)
            assert pytest.approx(last_byte_at, abs=1.0) == began
            assert asked_at <= ended <= asked_at + 1.0
            assert "live" == orders.state
            assert 1 == len(carriers(world))

    in_virtual_time(run, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("redundancy", [1, 2])
def test_a_quiet_stream_that_leaves_a_well_socket_admits_nothing(
    backend: str, redundancy: Literal[1, 2]
) -> None:
    """The answer to its end, or to a ping, proves the old socket; losing that afterwards is no gap of this kind."""

    async def run() -> None:
        async with simulated(QUIET) as world, Manager(url=URL) as manager:
            await manager.subscribe("orderUpdates", user=USER, wait="live", redundancy=redundancy)
            if redundancy == 1:
                manager.reconnect()
            await anyio.sleep(4.5)
            assert redundancy == len(carriers(world))
            carriers(world)[0].reset()
            await anyio.sleep(10.0)
            assert [] == await unproved(manager)

    in_virtual_time(run, backend=backend)
