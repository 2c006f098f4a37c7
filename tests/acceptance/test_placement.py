"""Placement on real sockets: few connections, never an ambiguous one, and a refusal that says what to do instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from wsmgr import Manager, QuotaError, RejectedError, SubscribeTimeoutError
from wsmgr.manager.venues.hyperliquid.simulator import Limits

if TYPE_CHECKING:
    from tests.conftest import StartSimulator
    from wsmgr.manager.runtime.handle import Subscription

pytestmark = pytest.mark.anyio

USER_STREAMS = ("orderUpdates", "userEvents", "notification")


def user(number: int) -> str:
    """An address."""
    return f"0x{number:040x}"


async def subscribe_all(
    manager: Manager, wishes: list[tuple[str, dict[str, Any]]], **more: Any
) -> list[Subscription]:
    """Subscribe to all; every one must succeed."""
    found = await manager.subscribe_many(wishes, **more)
    failed = [each for each in found if isinstance(each, Exception)]
    assert [] == failed
    return [each for each in found if not isinstance(each, Exception)]


async def coins(manager: Manager, count: int) -> list[str]:
    """Names of coins that the venue has."""
    outcome = await manager.request("info", {"type": "allMids"})
    found = sorted(name for name in outcome.unwrap() if not name.startswith("@") and "/" not in name)
    assert len(found) >= count
    return found[:count]


def open_sockets(manager: Manager) -> list[int]:
    """How many subscriptions each open connection carries, oldest connection first."""
    return [each.subscriptions for each in manager.connection_info() if each.state == "ready"]


async def test_three_hundred_books_stand_on_one_connection(start_simulator: StartSimulator) -> None:
    """Different coins never conflict: a socket for each book would end at ten."""
    simulator = start_simulator(rate=1, limits=Limits.real())
    async with Manager(url=simulator.address.url) as manager:
        wishes = [("l2Book", {"coin": coin}) for coin in await coins(manager, 300)]
        await subscribe_all(manager, wishes, wait="live")
        assert [300] == open_sockets(manager)
    assert 1 == simulator.log()["most_open"]


async def test_four_aggregations_of_one_book_stand_on_four_connections(
    start_simulator: StartSimulator,
) -> None:
    """Their frames look alike; each consumer gets its own aggregation only."""
    simulator = start_simulator(rate=20, limits=Limits.real())
    async with Manager(url=simulator.address.url) as manager:
        wishes: list[tuple[str, dict[str, Any]]] = [("l2Book", {"coin": "BTC"})]
        wishes += [("l2Book", {"coin": "BTC", "nSigFigs": figures}) for figures in (2, 3, 4)]
        handles = await subscribe_all(manager, wishes, wait="live")
        assert [1, 1, 1, 1] == open_sockets(manager)
        for handle, (_, params) in zip(handles, wishes, strict=True):
            for _ in range(5):
                book = (await handle.next(timeout=5.0)).data
                figures = params.get("nSigFigs")
                assert ("spread" in book) == (figures is not None)
                prices = [level["px"] for side in book["levels"] for level in side]
                digits = max(len(price.replace(".", "").strip("0")) for price in prices)
                assert digits <= (figures or 6)


async def test_eight_users_and_the_market_on_nine_connections_and_the_tenth_user_is_refused(
    start_simulator: StartSimulator,
) -> None:
    """A stream that does not name its user has its socket to itself, the market stands apart, and one socket stays free."""
    simulator = start_simulator(rate=2, limits=Limits.real())
    async with Manager(url=simulator.address.url) as manager:
        market = [("trades", {"coin": "BTC"}), ("l2Book", {"coin": "BTC"}), ("allMids", {})]
        private = [(name, {"user": user(number)}) for number in range(1, 9) for name in USER_STREAMS]
        await subscribe_all(manager, [*market, *private])
        by_connection: dict[str, set[str]] = {}
        for each in manager.list_subscriptions():
            assert each.connection is not None
            by_connection.setdefault(each.connection, set()).add(each.params.get("user", "market"))
        assert sorted([{"market"}, *({user(number)} for number in range(1, 9))], key=str) == sorted(
            by_connection.values(), key=str
        )
        assert sorted([3] * 9) == sorted(open_sockets(manager))
        # No socket is free but the reserve: the ninth user's streams stand beside the market.
        await subscribe_all(manager, [(name, {"user": user(9)}) for name in USER_STREAMS])
        assert 9 == len(open_sockets(manager))
        with pytest.raises(QuotaError) as refused:
            await manager.subscribe("orderUpdates", user=user(10))
        assert ("connections", 10) == (refused.value.quota, refused.value.limit)
        assert "userHistoricalOrders" in str(refused.value)
        assert "openOrders" in str(refused.value)
        # What the sentence says works: frames that name their user may stand beside anything.
        await manager.subscribe("userHistoricalOrders", user=user(10))
        with pytest.raises(QuotaError) as too_many:
            await manager.subscribe("userFills", user=user(11))
        assert ("users", 10) == (too_many.value.quota, too_many.value.limit)
    log = simulator.log()
    assert 9 == log["most_open"]


async def test_an_address_in_another_case_is_the_same_user(start_simulator: StartSimulator) -> None:
    """One subscription, one user's slot, one connection."""
    simulator = start_simulator(rate=20, limits=Limits(users=1))
    address = "0xABCDEF" + "0" * 34
    async with Manager(url=simulator.address.url) as manager:
        first = await manager.subscribe("userFills", user=address)
        second = await manager.subscribe("userFills", user=address.lower())
        third = await manager.subscribe("openOrders", user="0x" + address[2:].swapcase())
        assert first.id == second.id
        assert {each.connection for each in manager.list_subscriptions()} == {
            manager.get_subscription(third.id).connection
        }
        assert 2 == len(manager.list_user_subscriptions(address.lower()))


async def test_a_refusal_of_the_venue_comes_with_the_nearest_names(start_simulator: StartSimulator) -> None:
    """The venue's own words, and what may have been meant."""
    simulator = start_simulator(rate=5)
    async with Manager(url=simulator.address.url) as manager:
        with pytest.raises(RejectedError, match="did you mean") as refused:
            await manager.subscribe("l2Book", coin="BTCC")
        assert 'Invalid subscription {"type":"l2Book","coin":"BTCC"' in refused.value.words
        assert "BTC" in (refused.value.hint or "")


async def test_a_coin_that_is_there_is_not_what_a_refusal_is_about(start_simulator: StartSimulator) -> None:
    """The venue has no account data of a spot pair; another coin would not help."""
    simulator = start_simulator(rate=5)
    async with Manager(url=simulator.address.url) as manager:
        with pytest.raises(RejectedError) as refused:
            await manager.subscribe("activeAssetData", coin="PURR/USDC", user=user(1))
        assert refused.value.hint is None


async def test_a_quota_is_waited_for_with_a_deadline_where_the_caller_asks(
    start_simulator: StartSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wish stays, says what it waits for, and goes on by itself when the place is free."""
    monkeypatch.setattr("wsmgr.manager.model.quota.USER_LINGER", 0.1)
    simulator = start_simulator(rate=20)
    quotas = {"venues": {"hyperliquid": {"quotas": {"users": 1}}}}
    async with Manager(url=simulator.address.url, config=quotas) as manager:
        first = await manager.subscribe("userFills", user=user(1))
        second = await manager.subscribe("userFills", user=user(2), wait="none")
        with pytest.raises(SubscribeTimeoutError, match=r"quota 'users' \(1\), held by 0x0"):
            await second.wait_live(timeout=0.3)
        assert "pending" == second.state
        await manager.unsubscribe(first.id)
        await second.wait_live(timeout=10.0)
