"""A stream that falls silent on an open socket, against the real venue's simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from wsmgr.manager.manager import Manager
from wsmgr.manager.model.continuity import Gap, Stale

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import StartSimulator
    from wsmgr.manager.runtime.history_views import EventView

pytestmark = pytest.mark.anyio

DEADLINE = 40.0
ALICE = "0x" + "a1" * 20


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thresholds are data of the types; here they are short, so that nobody waits."""
    monkeypatch.setattr("wsmgr.manager.model.watching.FLOOR", 1.0)
    monkeypatch.setattr("wsmgr.manager.model.watching.CADENCES", 0.5)
    monkeypatch.setattr("wsmgr.manager.model.watching.PROBE_INTERVAL", 2.0)
    monkeypatch.setattr("wsmgr.manager.model.repairing.PROBE_PATIENCE", 1.0)
    monkeypatch.setattr("wsmgr.manager.model.repairing.STEP_PATIENCE", 2.0)


async def seen(manager: Manager, subscription: str, *kinds: str) -> list[EventView]:
    """Wait until events of these kinds have been written about a subscription."""
    while True:
        found = [event for event in await manager.events(subscription) if event.kind in kinds]
        if {event.kind for event in found} == set(kinds):
            return found
        await anyio.sleep(0.05)


async def test_a_mute_stream_is_found_and_repaired_and_its_neighbours_are_not_touched(
    start_simulator: StartSimulator,
) -> None:
    """The socket is open and answers pings; only the stream that is silent is stale, probed and asked for again."""
    simulator = start_simulator()
    async with Manager(url=simulator.address.url) as manager:
        with anyio.fail_after(DEADLINE):
            mids = await manager.subscribe("allMids", events=True, wait="live")
            others = [await manager.subscribe("l2Book", coin=coin, wait="live") for coin in ("BTC", "ETH")]
            simulator.set_faults("mute=allMids")
            events = await seen(manager, mids.id, "stale", "resubscribed")
            simulator.set_faults()
            await seen(manager, mids.id, "repaired")
            while mids.state != "live":  # noqa: ASYNC110 - nothing tells of it
                await anyio.sleep(0.05)
            (gap,) = await manager.gaps(mids.id)
            assert gap.ended_at is not None
            assert "no message for" in gap.reason
            stale = next(event for event in events if event.kind == "stale")
            assert stale.detail["silent_seconds"] >= 1.0
            assert ["live", "live"] == [other.state for other in others]
            assert [] == [await manager.gaps(other.id) for other in others if await manager.gaps(other.id)]
            assert 1 == len(simulator.log()["connections"])
            told: list[Any] = [item async for item in taken(mids)]
            assert [Stale, Gap] == [type(item) for item in told if isinstance(item, Stale | Gap)]


async def taken(handle: Any) -> AsyncIterator[Any]:
    """What waits in a consumer's buffer now."""
    while (item := handle.buffer.take()) is not None:
        yield item


async def test_a_quiet_stream_that_the_venue_forgot_is_found_by_the_probe(
    start_simulator: StartSimulator,
) -> None:
    """The venue says nothing when it forgets; asked again it takes the subscription anew, which is the evidence."""
    simulator = start_simulator("forget=orderUpdates", "quiet=orderUpdates")
    async with Manager(url=simulator.address.url) as manager:
        with anyio.fail_after(DEADLINE):
            orders = await manager.subscribe("orderUpdates", user=ALICE, wait="live")
            await seen(manager, orders.id, "forgotten")
            while orders.state != "live":  # noqa: ASYNC110 - nothing tells of it
                await anyio.sleep(0.05)
            (gap,) = await manager.gaps(orders.id)
            assert "forgotten" in gap.reason
            assert any(live["subscription"].find("orderUpdates") >= 0 for live in simulator.log()["live"])


async def test_a_quiet_stream_that_the_venue_has_is_asked_about_and_left_alone(
    start_simulator: StartSimulator,
) -> None:
    """The answer `Already subscribed` is the proof: no gap, no new request but the question."""
    simulator = start_simulator("quiet=orderUpdates")
    async with Manager(url=simulator.address.url) as manager:
        with anyio.fail_after(DEADLINE):
            orders = await manager.subscribe("orderUpdates", user=ALICE, wait="live")
            (connection,) = simulator.log()["connections"]
            while sum("orderUpdates" in each["text"] for each in connection["received"]) < 3:
                await anyio.sleep(0.1)
                (connection,) = simulator.log()["connections"]
            assert "live" == orders.state
            assert [] == await manager.gaps(orders.id)
            assert [] == [event.kind for event in await manager.events(orders.id) if event.level == "warning"]
