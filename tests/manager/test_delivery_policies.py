"""A consumer with the policy `block` that stops reading for half a minute, in virtual time and with the product's own deadlines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from wsmgr.manager.manager import Manager
from wsmgr.manager.model.errors import LaggedError
from wsmgr.manager.model.message import Message
from wsmgr.manager.runtime.session import BLOCK_TICKS, PROBE_AFTER, PROBE_WITHIN
from wsmgr.manager.testing.simulated import URL, World, in_virtual_time, simulated
from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions

if TYPE_CHECKING:
    from wsmgr.manager.runtime.handle import Subscription

SEED = 1
RATE = 20
FEW = 40
"""How many messages the buffer of the slow consumer takes, so that it is soon full."""
REST = 30.0
SOON = 20.0
STREAM = "activeAssetCtx"
"""A type whose silence of 5 s makes it stale: sooner than a consumer that blocks is failed."""
JUDGED = {
    "stale",
    "probed",
    "resubscribed",
    "moved",
    "recycled",
    "repaired",
    "connection_lost",
    "loop_blocked",
}
"""What would be told of a stream or a socket that was judged while nobody read."""


def sent(world: World, type_: str, coin: str) -> int:
    """Return how many frames of a stream the venue has handed to its sockets, of which it must have one only."""
    found = [
        record.sent
        for connection in world.network.engine.journal.connections
        for record in connection.subscriptions
        if f'"{type_}"' in record.subscription and f'"{coin}"' in record.subscription
    ]
    assert 1 == len(found), "it was asked for once more"
    return found[0]


async def count(handle: Subscription, seen: list[int]) -> None:
    """Read for ever, and keep the numbers."""
    async for item in handle:
        assert isinstance(item, Message)
        seen.append(item.seq)


async def read_up_to(handle: Subscription, most: int) -> list[int]:
    """Read so much, and return the numbers."""
    return [(await handle.next(timeout=SOON)).seq for _ in range(most)]


async def full_since(handle: Subscription) -> float:
    """Return when the handle's buffer was full."""
    while not handle.buffer.is_full:  # noqa: ASYNC110 - virtual time: nothing tells of it
        await anyio.sleep(0.01)
    return anyio.current_time()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_consumer_that_blocks_for_half_a_minute_is_failed_after_eight_seconds_and_harms_nobody(
    backend: str,
) -> None:
    """Its socket stays, nothing is judged while it is not read, and whoever else reads misses nothing."""

    async def main() -> None:
        async with (
            simulated(SimulatorOptions(rate=RATE), seed=SEED) as world,
            Manager(url=URL) as manager,
            anyio.create_task_group() as readers,
        ):
            slow = await manager.subscribe(STREAM, coin="BTC", policy="block", wait="none")
            slow.buffer.max_messages = FEW
            beside = await manager.subscribe(STREAM, coin="BTC", policy="fail", wait="none")
            apart = await manager.subscribe("bbo", coin="ETH", policy="fail", wait="none")
            others = {STREAM: (beside, "BTC"), "bbo": (apart, "ETH")}
            seen: dict[str, list[int]] = {name: [] for name in others}
            for name, (handle, _) in others.items():
                readers.start_soon(count, handle, seen[name])
            since = await full_since(slow)
            await anyio.sleep(1.0)
            before = {name: len(numbers) for name, numbers in seen.items()}
            await anyio.sleep(BLOCK_TICKS - 3.0)
            assert before[STREAM] == len(seen[STREAM]), "its socket was read on"
            assert before["bbo"] < len(seen["bbo"]) - RATE, "another socket was not read"

            with anyio.fail_after(SOON):
                while not slow.buffer.failed:  # noqa: ASYNC110 - virtual time: nothing tells of it
                    await anyio.sleep(0.01)
            blocked = anyio.current_time() - since
            assert BLOCK_TICKS - 1 <= blocked <= BLOCK_TICKS + 1
            assert 8 == BLOCK_TICKS
            await anyio.sleep(REST - blocked)

            assert ["live"] * 2 == [each.state for each in manager.list_subscriptions()]
            assert {1} == {view.socket for view in manager.connection_info()}
            assert [0] * 2 == [each.gaps for each in manager.list_subscriptions()]
            assert set() == JUDGED & {event.kind for event in await manager.events()}
            readers.cancel_scope.cancel()
            for name, (_, coin) in others.items():
                assert list(range(1, len(seen[name]) + 1)) == seen[name]
                assert len(seen[name]) >= sent(world, name, coin) - RATE
            rest = await read_up_to(slow, len(slow.buffer))
            assert list(range(1, len(rest) + 1)) == rest
            with pytest.raises(LaggedError):
                await slow.next(timeout=SOON)

    in_virtual_time(main, seed=SEED, backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_consumer_that_blocks_for_less_loses_nothing_and_is_not_failed(backend: str) -> None:
    """It may rest again and again: the limit counts from when its socket was last read."""

    async def main() -> None:
        async with simulated(SimulatorOptions(rate=RATE), seed=SEED) as world, Manager(url=URL) as manager:
            slow = await manager.subscribe(STREAM, coin="BTC", policy="block", wait="none")
            slow.buffer.max_messages = FEW
            seen: list[int] = []
            rests = 0
            while rests < 3:
                await full_since(slow)
                await anyio.sleep(BLOCK_TICKS - 2.0)
                rests += 1
                seen += await read_up_to(slow, 4 * len(slow.buffer))
            assert PROBE_AFTER < BLOCK_TICKS < PROBE_AFTER + PROBE_WITHIN
            assert list(range(1, len(seen) + 1)) == seen
            assert (0, False) == (slow.dropped, slow.buffer.failed)
            assert len(seen) + len(slow.buffer) >= sent(world, STREAM, "BTC") - RATE
            assert 0 == manager.get_subscription(slow.id).gaps
            assert set() == JUDGED & {event.kind for event in await manager.events()}

    in_virtual_time(main, seed=SEED, backend=backend)
