"""One slow consumer beside nine fast ones, over a real socket, for each policy: the nine miss nothing, the tenth is told what it misses.

The venue's own count is the truth. For a slow consumer, what it received and what was dropped (and, of `latest`, what newer frames replaced)
add up to it; with `fail` up to the message at which it ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from attrs import define, field

from wsmgr import Manager
from wsmgr.manager.model.continuity import Lagged
from wsmgr.manager.model.errors import LaggedError
from wsmgr.manager.model.message import Message

if TYPE_CHECKING:
    from tests.conftest import StartSimulator
    from wsmgr.manager.model.delivery import Buffer
    from wsmgr.manager.runtime.handle import Subscription
    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

RATE = 400
FAST = 9
ROOM = 50
"""How many messages the slow consumer's buffer takes, so that it is soon full."""
LOST = 150
"""How many messages more come before it begins to read."""
DEADLINE = 30.0


@define
class Seen:
    """What a consumer got."""

    numbers: list[int] = field(factory=list[int])
    gaps: list[Any] = field(factory=list[Any])
    lagged: list[int] = field(factory=list[int])

    def take(self, item: object) -> None:
        if isinstance(item, Message):
            self.numbers.append(item.seq)
            if item.gap is not None:
                self.gaps.append(item.gap)
        elif isinstance(item, Lagged):
            self.lagged.append(item.dropped)

    async def read(self, handle: Subscription) -> None:
        """Read for ever."""
        async for item in handle:
            self.take(item)

    async def read_up_to(self, handle: Subscription, last: int) -> None:
        """Read slowly, until the message of this number has come."""
        while not self.numbers or self.numbers[-1] < last:
            self.take(await anext(handle))
            await anyio.lowlevel.checkpoint()


def sent(simulator: SimulatorThread) -> int:
    """Return how many data frames the venue has handed to its one socket."""
    (connection,) = simulator.log()["connections"]
    (record,) = connection["subscriptions"]
    return int(record["sent"])


async def last_sent(simulator: SimulatorThread, fast: list[Seen]) -> int:
    """Have the venue fall silent; returns its count when the fast ones have had it all."""
    simulator.set_faults("mute=bbo")
    total = sent(simulator)
    while any(len(each.numbers) < total for each in fast):  # noqa: ASYNC110 - nothing tells of all
        await anyio.sleep(0.005)
    return total


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "latest", "block", "fail"])
async def test_nine_fast_consumers_get_everything_beside_a_slow_one_whose_losses_add_up(
    start_simulator: StartSimulator, policy: str
) -> None:
    """Received and dropped (and conflated) are what the venue sent; `Lagged` and the messages' gaps announce just that."""
    simulator = start_simulator("mute=bbo", rate=RATE)
    slow = Seen()
    fast = [Seen() for _ in range(FAST)]
    with anyio.fail_after(DEADLINE):
        async with Manager(url=simulator.address.url) as manager, anyio.create_task_group() as readers:
            handle = await manager.subscribe("bbo", coin="BTC", policy=policy, events=True)
            handle.buffer.max_messages = ROOM
            for each in fast:
                readers.start_soon(each.read, await manager.subscribe("bbo", coin="BTC", policy="fail"))
            simulator.set_faults()
            while not handle.buffer.is_full or sent(simulator) < ROOM + LOST:  # noqa: ASYNC110 - nothing tells of it
                await anyio.sleep(0.01)
            failed: LaggedError | None = None
            try:
                await slow.read_up_to(handle, sent(simulator))
                total = await last_sent(simulator, fast)
                await slow.read_up_to(handle, total)
            except LaggedError as error:
                failed = error
                total = await last_sent(simulator, fast)
            readers.cancel_scope.cancel()

            assert [list(range(1, total + 1))] * FAST == [each.numbers for each in fast]
            assert [[]] * FAST == [each.gaps for each in fast]
            assert sorted(set(slow.numbers)) == slow.numbers
            assert handle.buffer.dropped == handle.dropped == manager.get_subscription(handle.id).dropped
            check_slow(policy, slow, handle.buffer, failed, total)


def check_slow(policy: str, slow: Seen, buffer: Buffer, failed: LaggedError | None, total: int) -> None:
    """Check what the slow consumer got and was told, of so many messages."""
    if policy == "fail":
        assert failed is not None
        assert (list(range(1, ROOM + 1)), 1) == (slow.numbers, failed.dropped)
        return
    assert failed is None
    assert total == len(slow.numbers) + buffer.dropped + buffer.conflated
    assert buffer.dropped == sum(slow.lagged) == sum(gap.missing for gap in slow.gaps)
    if policy in {"drop_oldest", "drop_newest"}:
        assert buffer.dropped >= LOST // 2
        assert 0 == buffer.conflated
    else:
        assert (0, policy == "latest") == (buffer.dropped, buffer.conflated > 0)
