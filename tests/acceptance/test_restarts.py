"""The venue goes away twice within a minute: everything is live again, and its quota of messages is never exceeded.

A minute lasts twelve seconds here, for the venue and for the manager: three rounds of subscribes are more than one minute's quota,
so the last round must wait for the first to pass. `bench/restarts.py` does the same with 1,000 in real time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from wsmgr import Manager
from wsmgr.manager.venues.hyperliquid.simulator import Limits

if TYPE_CHECKING:
    from tests.conftest import StartSimulator

pytestmark = pytest.mark.anyio

SPEED = 5.0
COUNT, QUOTA = 100, 220
PATIENCE = 40.0


async def all_back(manager: Manager, gaps: int) -> None:
    """Return when every subscription is live again, after so many gaps or more."""
    with anyio.fail_after(PATIENCE):
        while not all(  # noqa: ASYNC110 - nothing tells of all
            each.state == "live" and each.gaps >= gaps for each in manager.list_subscriptions()
        ):
            await anyio.sleep(0.02)


async def test_a_second_restart_within_a_minute_waits_for_the_quota_and_loses_nothing(
    start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measured at the venue: never more messages in any minute than it takes, and not a subscription less."""
    # As in the product, a second more than the venue's minute.
    for module in ("quota", "answers"):
        monkeypatch.setattr(f"wsmgr.manager.model.{module}.WINDOW", 60.0 / SPEED + 1.0)
    simulator = start_simulator(rate=1, speed=SPEED, limits=Limits(messages_per_minute=QUOTA))
    quotas = {"venues": {"hyperliquid": {"quotas": {"messages_per_minute": QUOTA}}}}
    async with Manager(url=simulator.address.url, config=quotas) as manager:
        mids = (await manager.request("info", {"type": "allMids"})).unwrap()
        wishes = [("bbo", {"coin": coin}) for coin in sorted(mids)[:COUNT]]
        handles = await manager.subscribe_many(wishes)
        assert [] == [each for each in handles if isinstance(each, Exception)]
        await all_back(manager, 0)
        for number in (1, 2):
            simulator.kill()
            await all_back(manager, number)
        log = simulator.log()
        assert COUNT == len(log["live"])
    assert log["most_messages_a_minute"] <= QUOTA
    assert log["most_messages_a_minute"] > 2 * COUNT, (
        "the quota was used, or the third round waited for nothing"
    )
