"""Healing over real sockets: whatever happened while the venue was away is delivered once, and the ledger says so."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import anyio
import pytest

from wsmgr import Manager
from wsmgr.manager.venues.hyperliquid.dialect import HyperliquidDialect

if TYPE_CHECKING:
    from tests.conftest import StartSimulator
    from wsmgr import Message
    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

USER = "0xabcdef0123456789abcdef0123456789abcdef01"
DIALECT = HyperliquidDialect()
PATIENCE = 30.0
SOURCES = {
    "userFills": "userFillsByTime",
    "userFundings": "userFunding",
    "orderUpdates": "historicalOrders",
}
"""One of each kind: paged from its start, paged by a period, and the newest without a period."""


async def away(simulator: SimulatorThread, seconds: float) -> None:
    """Let the venue cut every socket and take none for a while."""
    simulator.set_faults("http_503=0.1")
    simulator.kill()
    await anyio.sleep(seconds)
    simulator.set_faults()


async def until_looked_into(manager: Manager, count: int) -> None:
    """Return when so many gaps have been healed, or given up."""
    with anyio.fail_after(PATIENCE):
        while count > sum([each.kind in {"healed", "not_healed"} for each in await manager.events()]):  # noqa: ASYNC110 - the ledger tells nobody
            await anyio.sleep(0.05)


async def test_what_happened_while_the_venue_was_away_is_delivered_once(
    start_simulator: StartSimulator,
) -> None:
    """It is more than a snapshot holds: the rest is asked for, and each gap is proved filled."""
    simulator = start_simulator(rate=40)
    messages: dict[str, list[Message]] = {name: [] for name in SOURCES}
    truth: dict[str, dict[object, bytes]] = {}
    async with Manager(url=simulator.address.url) as manager:
        for name, came in messages.items():
            await manager.subscribe(name, user=USER, callback=came.append, wait="ack")
        await anyio.sleep(0.5)
        began = time.time()
        await away(simulator, 1.5)
        await until_looked_into(manager, len(SOURCES))
        ended = time.time()
        await anyio.sleep(0.2)
        for name, source in SOURCES.items():
            query = DIALECT.heal(DIALECT.atom(name, {"user": USER}), began, ended)
            assert query is not None
            assert source == query.name
            found = query.items((await manager.request("info", query.payload)).unwrap())
            truth[name] = {
                item.key: item.raw
                for item in found
                if item.time is not None and began - 0.1 <= item.time <= ended - 0.1
            }
        gaps = {each.subscription_id: each for each in await manager.gaps()}
    assert len(SOURCES) == len(gaps)
    for name, came in messages.items():
        atom = DIALECT.atom(name, {"user": USER})
        keys = [item.key for message in came for item in DIALECT.items(atom.type, message.raw)]
        assert len(keys) == len(set(keys)), name
        assert 100 <= len(truth[name]), name
        assert [] == [json.loads(raw) for key, raw in truth[name].items() if key not in keys], name
        healed = [message for message in came if message.healed]
        assert 1 <= len(healed)
        assert [True] * len(healed) == [message.composed for message in healed]
        gap = gaps[came[0].subscription_id]
        assert ("filled", f"query {SOURCES[name]}") == (gap.proof, gap.healed_by), name
        assert gap.healed_items >= 1
