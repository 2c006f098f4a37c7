"""The client's actions on real sockets: signed in its account's name, allowed in code, told in three outcomes."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from wsmgr import (
    LIMIT_ALO,
    LIMIT_GTC,
    LIMIT_IOC,
    TRIGGER_STOP_LOSS,
    Account,
    ActionForbiddenError,
    Answered,
    Cloid,
    ConfigurationError,
    Hyperliquid,
    Manager,
    OrderRequest,
    Refused,
    RequestRefusedError,
    TriggerOrder,
    Unknown,
)

if TYPE_CHECKING:
    from tests.conftest import StartSimulator

    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

KEY = "0x" + "1f" * 32
OTHER_KEY = "0x" + "2e" * 32
DEADLINE = 20.0
ACCOUNT = Account(secret_key=KEY)
OTHER = Account(secret_key=OTHER_KEY)
ORDER: Any = {
    "asset": "BTC",
    "is_buy": True,
    "size": "0.001",
    "limit_price": "65000",
    "order_type": LIMIT_GTC,
}


def trader(simulator: SimulatorThread, **options: Any) -> Hyperliquid:
    return Hyperliquid(url=simulator.address.url, network="testnet", account=ACCOUNT, **options)


async def known(client: Hyperliquid, *accounts: Account) -> None:
    """Let the simulator know the accounts: there is an account from the moment that somebody asks about it."""
    for account in accounts:
        assert isinstance(await client.info.user_state(account=account), Answered)


def status(outcome: Any) -> Any:
    return outcome.unwrap()["data"]["statuses"][0]


async def test_nothing_is_signed_at_an_address_of_which_nobody_has_said_the_network(
    simulator: SimulatorThread,
) -> None:
    """Questions are answered; the error of an action says what to write."""
    client = Hyperliquid(url=simulator.address.url, account=ACCOUNT, trading=True)
    with anyio.fail_after(DEADLINE):
        async with client.run():
            await known(client, ACCOUNT)
            with pytest.raises(ConfigurationError, match=r"give network= to Hyperliquid\(\)"):
                await client.exchange.place_order(**ORDER)
            (noted,) = [event for event in await client.manager.events() if event.kind == "action"]
            assert "not sent" == noted.detail["outcome"]


async def test_an_order_is_placed_seen_and_cancelled(simulator: SimulatorThread) -> None:
    """The account's own stream and its own answers show it, without naming the account again."""
    client = trader(simulator, trading=True)
    with anyio.fail_after(DEADLINE):
        async with client.run():
            _, updates = await client.subscriptions.order_updates()
            placed = await client.exchange.place_order(
                asset="BTC",
                is_buy=True,
                size=Decimal("0.001"),
                limit_price=Decimal(65000),
                order_type=LIMIT_GTC,
                reduce_only=False,
            )
            assert isinstance(placed, Answered)
            oid = status(placed)["resting"]["oid"]
            assert "open" == await fate(updates, oid)
            open_orders = (await client.info.user_open_orders()).unwrap()
            assert [oid] == [order["oid"] for order in open_orders if order["oid"] == oid]
            cancelled = await client.exchange.cancel_order(asset="BTC", order_id=oid)
            assert "success" == status(cancelled)
            assert "canceled" == await fate(updates, oid)
            again: Any = await client.exchange.cancel_order(asset="BTC", order_id=oid)
            assert "error" in status(again)


async def fate(updates: Any, oid: int) -> str:
    """Return what the stream tells of an order next."""
    async for message in updates:
        for item in message.data:
            if item["order"]["oid"] == oid:
                return str(item["status"])
    return "the stream has ended"


async def test_named_order_types_and_ids_of_ones_own(simulator: SimulatorThread) -> None:
    """All of them are public names."""
    client = trader(simulator, trading=True)
    stop = TriggerOrder(price="60000", is_market=True, trigger=TRIGGER_STOP_LOSS)
    with anyio.fail_after(DEADLINE):
        async with client.run():
            await known(client, ACCOUNT)
            cloid = Cloid.from_int(77)
            batch = await client.exchange.place_orders(
                order_requests=[
                    OrderRequest(
                        asset="ETH",
                        is_buy=True,
                        size="1",
                        limit_price="1000",
                        order_type=LIMIT_ALO,
                        cloid=cloid,
                    ),
                    OrderRequest(
                        asset="BTC", is_buy=True, size="0.001", limit_price="200000", order_type=LIMIT_IOC
                    ),
                    OrderRequest(
                        asset="BTC",
                        is_buy=False,
                        size="0.001",
                        limit_price="50000",
                        order_type=stop,
                        reduce_only=True,
                    ),
                ]
            )
            kinds = [
                next(iter(each)) if isinstance(each, dict) else each
                for each in batch.unwrap()["data"]["statuses"]
            ]
            assert ["resting", "filled"] == kinds[:2]
            assert 3 == len(kinds)
            gone = await client.exchange.cancel_order_by_id(asset="ETH", client_order_id=cloid)
            assert "success" == status(gone)


async def test_another_account_may_act_for_one_call(simulator: SimulatorThread) -> None:
    """Both of them sign in their own names."""
    client = trader(simulator, trading=True)
    with anyio.fail_after(DEADLINE):
        async with client.run():
            await known(client, ACCOUNT, OTHER)
            mine = status(await client.exchange.place_order(**ORDER))["resting"]["oid"]
            theirs = status(await client.exchange.place_order(**ORDER, account=OTHER))["resting"]["oid"]
            my_open = {each["oid"] for each in (await client.info.user_open_orders()).unwrap()}
            their_open = {
                each["oid"] for each in (await client.info.user_open_orders(account=OTHER)).unwrap()
            }
    assert {mine} == {mine, theirs} & my_open
    assert {theirs} == {mine, theirs} & their_open


async def test_nothing_is_sent_that_the_code_does_not_allow(simulator: SimulatorThread) -> None:
    """Orders need `trading`, transfers `transfers` beside it."""
    with anyio.fail_after(DEADLINE):
        client = trader(simulator)
        async with client.run():
            with pytest.raises(ActionForbiddenError, match="trading"):
                await client.exchange.place_order(**ORDER)
        client = trader(simulator, trading=True)
        async with client.run():
            with pytest.raises(ActionForbiddenError, match="transfers"):
                await client.exchange.send_usd(amount="1", destination=OTHER.address)
        client = trader(simulator, trading=True, transfers=True)
        async with client.run():
            sent = await client.exchange.send_usd(amount="1", destination=OTHER.address)
            assert not isinstance(sent, Unknown)
        client = Hyperliquid(url=simulator.address.url, network="testnet", trading=True)
        async with client.run():
            with pytest.raises(ConfigurationError, match="no key"):
                await client.exchange.place_order(**ORDER)
    frames = [
        frame["text"] for connection in simulator.log()["connections"] for frame in connection["received"]
    ]
    assert 1 == sum('"type":"action"' in text for text in frames)


async def test_a_refusal_and_an_unknown_outcome_are_told_apart(start_simulator: StartSimulator) -> None:
    """A signature for the wrong network is refused; an answer that never comes leaves it unknown."""
    simulator = start_simulator()
    with anyio.fail_after(DEADLINE):
        wrong = Hyperliquid(url=simulator.address.url, network="mainnet", account=ACCOUNT, trading=True)
        async with wrong.run():
            refused = await wrong.exchange.place_order(**ORDER)
            assert isinstance(refused, Refused)
            with pytest.raises(RequestRefusedError):
                refused.unwrap()
        client = trader(simulator, trading=True)
        async with client.run():
            await known(client, ACCOUNT)
            await client.info.get_universe()
            simulator.set_faults("mute=post")
            unknown = await client.exchange.place_order(**ORDER, timeout=0.3)
            assert isinstance(unknown, Unknown)
            simulator.set_faults()
            assert 1 == len((await client.info.user_open_orders()).unwrap())


async def test_a_managers_own_settings_decide(simulator: SimulatorThread) -> None:
    """On a manager that is given, trading is its configuration's to allow."""
    larger: Any = {**ORDER, "size": "0.01"}
    table = {"trading": True, "network": "testnet", "max_notional": "100"}
    with anyio.fail_after(DEADLINE):
        async with Manager(url=simulator.address.url, config={"venues": {"hyperliquid": table}}) as manager:
            client = Hyperliquid(manager, account=ACCOUNT)
            await known(client, ACCOUNT)
            assert isinstance(await client.exchange.place_order(**ORDER), Answered)
            with pytest.raises(ActionForbiddenError, match="100"):
                await client.exchange.place_order(**larger)
            events = [event for event in await manager.events() if event.kind == "action"]
    assert [("answered", ACCOUNT.address), ("sending", ACCOUNT.address)] == [
        (event.detail["outcome"], event.detail["account"]) for event in events if event.detail["account"]
    ]
