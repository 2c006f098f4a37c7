"""The venue's own Python SDK, unchanged but for its `base_url`, against the simulator on a real port."""

from __future__ import annotations

import inspect
import queue
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import eth_account
import pytest
from hyperliquid.exchange import Exchange  # type: ignore[import-untyped]  # it has no types
from hyperliquid.info import Info  # type: ignore[import-untyped]  # it has no types
from hyperliquid.utils.error import ClientError  # type: ignore[import-untyped]  # it has no types
from hyperliquid.utils.types import Cloid  # type: ignore[import-untyped]  # it has no types

from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions, SimulatorThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from eth_account.signers.local import LocalAccount

DEADLINE = 10.0
USER = "0xabcdef0123456789abcdef0123456789abcdef01"
UNREADABLE = "Failed to deserialize the JSON body into the target type"
GTC = {"limit": {"tif": "Gtc"}}
OK = {"status": "ok", "response": {"type": "default"}}

# Its 13 types of subscription, with an example each; the venue has taken one of them away.
SUBSCRIPTIONS: list[dict[str, Any]] = [
    {"type": "allMids"},
    {"type": "l2Book", "coin": "ETH"},
    {"type": "trades", "coin": "PURR/USDC"},
    {"type": "bbo", "coin": "BTC"},
    {"type": "candle", "coin": "BTC", "interval": "1m"},
    {"type": "activeAssetCtx", "coin": "BTC"},
    {"type": "activeAssetCtx", "coin": "TOK1/USDC"},
    {"type": "activeAssetData", "user": USER, "coin": "BTC"},
    {"type": "userEvents", "user": USER},
    {"type": "userFills", "user": USER},
    {"type": "orderUpdates", "user": USER},
    {"type": "userFundings", "user": USER},
    {"type": "userNonFundingLedgerUpdates", "user": USER},
]
GONE = {"type": "webData2", "user": USER}


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorThread]:
    """One venue for the whole file, 20 frames a second of each stream."""
    with SimulatorThread(SimulatorOptions(rate=20.0)) as simulator:
        yield simulator


@contextmanager
def streaming(simulator: SimulatorThread) -> Iterator[Any]:
    """Its Info with its socket and threads; all are ended afterwards.

    The socket is open before anything is subscribed: what the SDK is given in the moment of opening, it may forget. The venue ends the socket: where the SDK does it, its reader may wait ten seconds for a socket that is closed.
    """
    info: Any = Info(simulator.address.http_url, timeout=DEADLINE)
    manager = info.ws_manager
    assert manager is not None
    try:
        assert wait_for(lambda: manager.ws_ready, bool)
        yield info
    finally:
        simulator.kill()
        manager.join(DEADLINE)
        info.disconnect_websocket()
        info.session.close()
        assert not manager.is_alive()


@pytest.fixture(scope="module")
def info(simulator: SimulatorThread) -> Iterator[Any]:
    """Its Info over HTTP, with the coins of all dexes."""
    info: Any = Info(simulator.address.http_url, skip_ws=True, perp_dexs=["", "xyz"], timeout=DEADLINE)
    yield info
    info.session.close()


@pytest.fixture
def open_exchange(simulator: SimulatorThread) -> Iterator[Callable[..., Any]]:
    """Opens its Exchange for a wallet: a new one each time, unless one is named."""
    with ExitStack() as stack:

        def open_(known: LocalAccount | None = None, **options: Any) -> Any:
            wallet: Any = known or eth_account.Account.create()
            exchange: Any = Exchange(wallet, simulator.address.http_url, timeout=DEADLINE, **options)
            stack.callback(exchange.session.close)
            stack.callback(exchange.info.session.close)
            exchange.info.user_state(exchange.account_address or wallet.address)
            return exchange

        yield open_


@pytest.fixture
def exchange(open_exchange: Callable[..., Any]) -> Any:
    """Its Exchange, for an account that nobody has used."""
    return open_exchange()


def test_every_type_of_subscription_delivers_to_its_callback(simulator: SimulatorThread) -> None:
    """Each callback gets frames of its own channel and no other; the type that the venue took away gets none."""
    received: list[queue.Queue[Any]] = [queue.Queue() for _ in SUBSCRIPTIONS]
    nothing: queue.Queue[Any] = queue.Queue()
    with streaming(simulator) as info:
        info.subscribe(dict(GONE), nothing.put)
        numbers = [
            info.subscribe(dict(subscription), frames.put)
            for subscription, frames in zip(SUBSCRIPTIONS, received, strict=True)
        ]
        for subscription, frames in zip(SUBSCRIPTIONS, received, strict=True):
            channels = {frames.get(timeout=DEADLINE)["channel"] for _ in range(3)}
            spot = subscription == {"type": "activeAssetCtx", "coin": "TOK1/USDC"}
            names = {"userEvents": "user", **({"activeAssetCtx": "activeSpotAssetCtx"} if spot else {})}
            assert {names.get(subscription["type"], subscription["type"])} == channels
        assert nothing.empty()
        sockets = [c for c in simulator.log()["connections"] if c["closed_at"] is None]
        assert [len(SUBSCRIPTIONS)] == [len(socket["subscriptions"]) for socket in sockets]
        for subscription, number in zip(SUBSCRIPTIONS, numbers, strict=True):
            assert info.unsubscribe(dict(subscription), number)
        assert [] == wait_for(lambda: simulator.log()["live"], lambda live: not live)


def wait_for(look: Callable[[], Any], is_wanted: Callable[[Any], bool]) -> Any:
    """Look until what is seen is as wanted; what was seen last after the deadline."""
    deadline = time.monotonic() + DEADLINE
    while not is_wanted(seen := look()) and time.monotonic() < deadline:
        time.sleep(0.01)  # between two looks
    return seen


def test_variants_of_one_book_reach_both_callbacks(simulator: SimulatorThread) -> None:
    """A bug of the SDK that the venue's frames bring out: nothing in them says which variant they are."""
    plain: queue.Queue[Any] = queue.Queue()
    rough: queue.Queue[Any] = queue.Queue()
    with streaming(simulator) as info:
        info.subscribe({"type": "l2Book", "coin": "BTC"}, plain.put)
        info.subscribe({"type": "l2Book", "coin": "BTC", "nSigFigs": 3}, rough.put)
        for frames in (plain, rough):
            kinds = {"spread" in frames.get(timeout=DEADLINE)["data"] for _ in range(20)}
            assert {True, False} == kinds


# Every method of its Info that asks something: the arguments, and the members (or the kind) of the answer.
QUESTIONS: dict[str, tuple[tuple[Any, ...], object]] = {
    "all_mids": ((), {"BTC", "ETH", "PURR/USDC"}),
    "meta": ((), {"universe", "marginTables"}),
    "meta_and_asset_ctxs": ((), list),
    "perp_dexs": ((), list),
    "spot_meta": ((), {"universe", "tokens"}),
    "spot_meta_and_asset_ctxs": ((), list),
    "l2_snapshot": (("BTC",), {"coin", "levels", "time"}),
    "candles_snapshot": (
        ("BTC", "1m", 0, 9_999_999_999_999),
        [{"t", "T", "s", "i", "o", "c", "h", "l", "v", "n"}],
    ),
    "funding_history": (("BTC", 0), [{"coin", "fundingRate", "premium", "time"}]),
    "user_state": (
        (USER,),
        {"assetPositions", "crossMarginSummary", "marginSummary", "withdrawable", "time"},
    ),
    "spot_user_state": ((USER,), {"balances"}),
    "open_orders": ((USER,), [{"coin", "limitPx", "oid", "side", "sz", "timestamp"}]),
    "frontend_open_orders": (
        (USER,),
        [
            {
                "coin",
                "limitPx",
                "oid",
                "side",
                "sz",
                "timestamp",
                "orderType",
                "origSz",
                "reduceOnly",
                "isTrigger",
            }
        ],
    ),
    "historical_orders": ((USER,), [{"order", "status", "statusTimestamp"}]),
    "user_fills": (
        (USER,),
        [
            {
                "closedPnl",
                "coin",
                "crossed",
                "dir",
                "hash",
                "oid",
                "px",
                "side",
                "startPosition",
                "sz",
                "time",
                "tid",
            }
        ],
    ),
    "user_fills_by_time": ((USER, 0), [{"coin", "px", "sz", "time", "tid", "oid", "fee"}]),
    "user_twap_slice_fills": ((USER,), [{"fill", "twapId"}]),
    "user_funding_history": ((USER, 0), [{"time", "hash", "delta"}]),
    "user_non_funding_ledger_updates": ((USER, 0), [{"time", "hash", "delta"}]),
    "user_fees": ((USER,), {"dailyUserVlm", "feeSchedule", "userAddRate", "userCrossRate"}),
    "user_staking_summary": (
        (USER,),
        {"delegated", "undelegated", "totalPendingWithdrawal", "nPendingWithdrawals"},
    ),
    "user_staking_delegations": ((USER,), list),
    "user_staking_rewards": ((USER,), list),
    "delegator_history": ((USER,), list),
    "query_order_by_oid": ((USER, 1), {"status"}),
    "query_order_by_cloid": ((USER, Cloid.from_int(1)), {"status"}),
    "query_referral_state": ((USER,), {"referredBy", "cumVlm", "referrerState"}),
    "query_sub_accounts": ((USER,), None),
    "query_user_to_multi_sig_signers": ((USER,), None),
    "query_perp_deploy_auction_status": ((), {"startTimeSeconds", "durationSeconds", "startGas"}),
    "query_user_dex_abstraction_state": ((USER,), bool),
    "query_user_abstraction_state": ((USER,), str),
    "query_spot_deploy_auction_status": ((USER,), {"states", "gasAuction"}),
    "portfolio": ((USER,), list),
    "user_vault_equities": ((USER,), list),
    "user_role": ((USER,), {"role"}),
    "user_rate_limit": ((USER,), {"cumVlm", "nRequestsUsed", "nRequestsCap"}),
    "extra_agents": ((USER,), list),
}
# Its methods that ask nothing.
OTHERS = {"disconnect_websocket", "name_to_asset", "post", "set_perp_meta", "subscribe", "unsubscribe"}


def test_no_question_of_the_sdk_is_left_out() -> None:
    """The table above holds every public method."""
    assert public(Info) == {*QUESTIONS, *OTHERS}


def public(kind: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


@pytest.mark.parametrize("name", QUESTIONS)
def test_question_is_answered_with_the_shape_that_the_sdk_documents(info: Any, name: str) -> None:
    """A list in the table: of items with these members, and not empty."""
    arguments, shape = QUESTIONS[name]
    data = getattr(info, name)(*arguments)
    if isinstance(shape, set):
        assert shape <= data.keys()
    elif isinstance(shape, list):
        until = time.monotonic() + 10.0
        while not data and time.monotonic() < until:
            # A made-up account has an open order half of the time.
            data = getattr(info, name)(*arguments)
        assert data
        assert all(shape[0] <= item.keys() for item in data)
    elif shape is None:
        assert data is None
    else:
        assert inspect.isclass(shape)
        assert isinstance(data, shape)


def test_coins_of_all_dexes_have_their_numbers(info: Any) -> None:
    """Main perps from 0, spot from 10,000, a builder's from 110,000; spot pairs by the names of their tokens too."""
    assert [0, 1, 10_000, 10_001, 110_000] == [
        info.name_to_asset(name) for name in ("BTC", "ETH", "PURR/USDC", "TOK1/USDC", "xyz:SP500")
    ]


def test_malformed_question_raises_the_sdks_error(info: Any) -> None:
    """422, with the venue's text."""
    with pytest.raises(ClientError) as error:
        info.user_fills("0x1")
    assert (422, UNREADABLE) == (error.value.status_code, error.value.error_message)


def test_orders_rest_change_and_are_cancelled(exchange: Any) -> None:
    """By the venue's number and by the client's."""
    mid = float(exchange.info.all_mids()["ETH"])
    low, lower = float(round(mid * 0.9)), float(round(mid * 0.89))
    address = exchange.wallet.address
    cloid = Cloid.from_int(5)
    first = statuses(exchange.order("ETH", True, 0.1, low, GTC, cloid=cloid))
    oid = first[0]["resting"]["oid"]
    assert [oid] == [order["oid"] for order in exchange.info.open_orders(address)]
    assert ("order", "open") == status_of(exchange, oid) == status_of(exchange, cloid)
    modified = statuses(exchange.modify_order(oid, "ETH", True, 0.2, lower, GTC, cloid=cloid))
    newer = modified[0]["resting"]["oid"]
    [order] = exchange.info.frontend_open_orders(address)
    assert (newer, "0.2", lower, cloid.to_raw()) == (
        order["oid"],
        order["sz"],
        float(order["limitPx"]),
        order["cloid"],
    )
    assert ["success"] == statuses(exchange.cancel_by_cloid("ETH", cloid))
    assert ("order", "canceled") == status_of(exchange, newer)
    assert [] == exchange.info.open_orders(address)


def statuses(answer: Any) -> list[Any]:
    """The fates of the orders or cancels of one action."""
    assert "ok" == answer["status"], answer
    found: list[Any] = answer["response"]["data"]["statuses"]
    return found


def status_of(exchange: Any, order: int | Cloid) -> tuple[str, str | None]:
    """What orderStatus says of an order, by either of its ids."""
    address = exchange.wallet.address
    answer = (
        exchange.info.query_order_by_cloid(address, order)
        if isinstance(order, Cloid)
        else exchange.info.query_order_by_oid(address, order)
    )
    return answer["status"], answer["order"]["status"] if "order" in answer else None


def test_several_orders_at_once_have_a_fate_each(exchange: Any) -> None:
    """One rests, one is too small, one would match though it must not; then two cancels, one of nothing."""
    mid = float(exchange.info.all_mids()["ETH"])

    def request(price: float, size: float, tif: str) -> Any:
        return {
            "coin": "ETH",
            "is_buy": True,
            "sz": size,
            "limit_px": float(round(price)),
            "order_type": {"limit": {"tif": tif}},
            "reduce_only": False,
        }

    rests, small, crosses = statuses(
        exchange.bulk_orders(
            [
                request(mid * 0.9, 0.1, "Gtc"),
                request(mid * 0.9, 0.001, "Gtc"),
                request(mid * 1.05, 0.1, "Alo"),
            ]
        )
    )
    assert {"error": "Order must have minimum value of $10. asset=1"} == small
    assert crosses["error"].startswith("Post only order would have immediately matched, bbo was ")
    oid = rests["resting"]["oid"]
    cancelled, missing = statuses(
        exchange.bulk_cancel([{"coin": "ETH", "oid": oid}, {"coin": "ETH", "oid": 1}])
    )
    assert "success" == cancelled
    assert {"error": "Order was never placed, already canceled, or filled. asset=1"} == missing
    assert {"error": "Order was never placed, already canceled, or filled. asset=1"} == statuses(
        exchange.cancel("ETH", oid)
    )[0]
    again = [{"coin": "ETH", "cloid": Cloid.from_int(9)}]
    assert "error" in statuses(exchange.bulk_cancel_by_cloid(again))[0]
    changes = [{"oid": oid, "order": {**request(mid * 0.9, 0.1, "Gtc"), "cloid": None}}]
    assert "error" in statuses(exchange.bulk_modify_orders_new(changes))[0]


def test_a_position_is_opened_and_closed_at_the_market(exchange: Any) -> None:
    """It shows in the account's state and fills, which a stream would tell of too."""
    address = exchange.wallet.address
    [opened] = statuses(exchange.market_open("BTC", True, 0.01))
    assert 0.01 == float(opened["filled"]["totalSz"])
    [position] = [item["position"] for item in exchange.info.user_state(address)["assetPositions"]]
    assert ("BTC", 0.01) == (position["coin"], float(position["szi"]))
    assert float(opened["filled"]["avgPx"]) == pytest.approx(float(position["entryPx"]), rel=1e-4)
    [closed] = statuses(exchange.market_close("BTC"))
    assert [] == exchange.info.user_state(address)["assetPositions"]
    fills = exchange.info.user_fills(address)
    ours = [fill for fill in fills if fill["oid"] in (opened["filled"]["oid"], closed["filled"]["oid"])]
    assert {"Open Long", "Close Long"} == {fill["dir"] for fill in ours}
    assert fills[0]["time"] == max(fill["time"] for fill in fills)
    by_time = exchange.info.user_fills_by_time(address, ours[-1]["time"], ours[0]["time"])
    assert {fill["tid"] for fill in ours} <= {fill["tid"] for fill in by_time}
    assert exchange.market_close("BTC") is None


def test_a_builders_coin_and_a_spot_pair_are_traded(open_exchange: Callable[..., Any]) -> None:
    """Their numbers and decimals are those of the universe."""
    exchange = open_exchange(perp_dexs=["", "xyz"])
    [perp] = statuses(exchange.market_open("xyz:SP500", False, 0.01))
    [spot] = statuses(exchange.market_open("PURR/USDC", True, 1000.0))
    assert {"filled"} == perp.keys() | spot.keys()
    [position] = exchange.info.user_state(exchange.wallet.address, "xyz")["assetPositions"]
    assert ("xyz:SP500", -0.01) == (position["position"]["coin"], float(position["position"]["szi"]))


def test_an_expired_action_is_refused(exchange: Any) -> None:
    """The SDK signs the time; the venue says why."""
    exchange.set_expires_after(1)
    answer = exchange.market_open("BTC", True, 0.01)
    assert {"status": "err", "response": "Action already expired"} == answer


def test_a_stranger_signs_for_nobody(open_exchange: Callable[..., Any], simulator: SimulatorThread) -> None:
    """An account that nobody has seen; an agent that was approved may sign, and only for orders."""
    master = open_exchange()
    agent = eth_account.Account.create()
    stranger: Any = Exchange(agent, simulator.address.http_url, timeout=DEADLINE)
    refused = stranger.update_leverage(5, "BTC")
    assert {
        "status": "err",
        "response": f"User or API Wallet {agent.address.lower()} does not exist.",
    } == refused
    stranger.session.close()
    stranger.info.session.close()
    answer, key = master.approve_agent("helper")
    assert OK == answer
    [named] = master.info.extra_agents(master.wallet.address)
    assert ("helper", eth_account.Account.from_key(key).address.lower()) == (named["name"], named["address"])
    wallet = eth_account.Account.from_key(key)
    deputy = open_exchange(wallet, account_address=master.wallet.address)
    assert {"filled"} == statuses(deputy.market_open("BTC", True, 0.01))[0].keys()
    [position] = deputy.info.user_state(master.wallet.address)["assetPositions"]
    assert 0.01 == float(position["position"]["szi"])
    assert {"role": "agent", "data": {"user": master.wallet.address.lower()}} == deputy.info.user_role(
        wallet.address
    )


def test_leverage_margin_and_a_scheduled_cancel(exchange: Any) -> None:
    """What is set shows in the account's state."""
    address = exchange.wallet.address
    assert OK == exchange.update_leverage(7, "ETH", is_cross=False)
    statuses(exchange.market_open("ETH", True, 0.5))
    before = position_of(exchange, address)
    assert ("isolated", 7) == (before["leverage"]["type"], before["leverage"]["value"])
    assert OK == exchange.update_isolated_margin(25.0, "ETH")
    after = position_of(exchange, address)
    assert 25 == pytest.approx(float(after["leverage"]["rawUsd"]) - float(before["leverage"]["rawUsd"]))
    assert OK == exchange.schedule_cancel(int(time.time() * 1000) + 60_000)
    assert OK == exchange.schedule_cancel(None)
    assert "err" == exchange.schedule_cancel(1)["status"]


def position_of(exchange: Any, address: str) -> Any:
    """The only position of an account."""
    [item] = exchange.info.user_state(address)["assetPositions"]
    return item["position"]


def test_money_moves_between_accounts_and_classes(exchange: Any, open_exchange: Callable[..., Any]) -> None:
    """Each movement is in the sender's ledger, and is gone from one side and there on the other."""
    info, sender = exchange.info, exchange.wallet.address
    other = open_exchange()
    assert OK == other.update_leverage(5, "BTC")
    receiver = other.wallet.address
    usd = withdrawable(info, receiver)
    assert OK == exchange.usd_transfer(12.5, receiver)
    assert 12.5 == pytest.approx(withdrawable(info, receiver) - usd)
    token = next(token for token in info.spot_meta()["tokens"] if token["name"] == "USDC")
    name = f"USDC:{token['tokenId']}"
    spot = spot_usdc(info, receiver)
    assert OK == exchange.usd_class_transfer(20.0, to_perp=False)
    assert OK == exchange.spot_transfer(3.0, receiver, name)
    assert OK == exchange.send_asset(receiver, "", "spot", name, 2.0)
    assert 5.0 == pytest.approx(spot_usdc(info, receiver) - spot)
    assert OK == exchange.withdraw_from_bridge(10.0, sender)
    kinds = [item["delta"]["type"] for item in info.user_non_funding_ledger_updates(sender, 0)]
    assert {"internalTransfer", "accountClassTransfer", "spotTransfer", "withdraw"} <= set(kinds)
    refused = exchange.usd_transfer(1e9, receiver)
    assert "err" == refused["status"]
    assert "Insufficient balance" in refused["response"]


def withdrawable(info: Any, address: str) -> float:
    return float(info.user_state(address)["withdrawable"])


def spot_usdc(info: Any, address: str) -> float:
    balances = info.spot_user_state(address)["balances"]
    return sum(float(balance["total"]) for balance in balances if balance["coin"] == "USDC")


def test_sub_accounts_hold_money_of_their_own(exchange: Any, open_exchange: Callable[..., Any]) -> None:
    """Created, filled, asked about, and traded from as a vault address."""
    master = exchange.wallet.address
    created = exchange.create_sub_account("second")
    sub = created["response"]["data"]
    [found] = exchange.info.query_sub_accounts(master)
    assert ("second", sub) == (found["name"], found["subAccountUser"])
    assert OK == exchange.sub_account_transfer(sub, is_deposit=True, usd=500_000_000)
    assert 500.0 == withdrawable(exchange.info, sub)
    assert OK == exchange.usd_class_transfer(50.0, to_perp=False)
    token = exchange.info.spot_meta()["tokens"][0]
    assert OK == exchange.sub_account_spot_transfer(sub, True, f"USDC:{token['tokenId']}", 50.0)
    assert 50.0 == spot_usdc(exchange.info, sub)
    second = open_exchange(exchange.wallet, vault_address=sub)
    assert {"filled"} == statuses(second.market_open("ETH", True, 0.01))[0].keys()
    assert ["ETH"] == [p["position"]["coin"] for p in exchange.info.user_state(sub)["assetPositions"]]
    assert {"role": "subAccount", "data": {"master": master.lower()}} == exchange.info.user_role(sub)


def test_approvals_referrers_and_staking(exchange: Any, open_exchange: Callable[..., Any]) -> None:
    """A builder's fee, a code that does not exist, a delegation without stake, a vault that is none."""
    builder = open_exchange().wallet.address
    assert OK == exchange.approve_builder_fee(builder, "0.01%")
    [filled] = statuses(exchange.market_open("ETH", True, 0.1, builder={"b": builder, "f": 10}))
    assert "filled" in filled
    for answer in (
        exchange.set_referrer("NOBODYS"),
        exchange.token_delegate(USER, 10**10, is_undelegate=False),
        exchange.vault_usd_transfer(builder, True, 5_000_000),
    ):
        assert "err" == answer["status"]
        assert answer["response"]


# What the venue offers to issuers, validators and signers of multi-signature accounts; the simulator executes none of it.
NOT_EXECUTED: dict[str, tuple[Any, ...]] = {
    "convert_to_multi_sig_user": ([USER], 1),
    "multi_sig": (USER, {"type": "noop"}, [], 1),
    "spot_deploy_register_token": ("NEW", 2, 8, 100, "New"),
    "spot_deploy_user_genesis": (1, [(USER, "1")], []),
    "spot_deploy_enable_freeze_privilege": (1,),
    "spot_deploy_freeze_user": (1, USER, True),
    "spot_deploy_revoke_freeze_privilege": (1,),
    "spot_deploy_enable_quote_token": (1,),
    "spot_deploy_token_action_inner": ("enableQuoteToken", 1),
    "spot_deploy_genesis": (1, "100", False),
    "spot_deploy_register_spot": (1, 0),
    "spot_deploy_register_hyperliquidity": (1, 1.0, 1.0, 2, None),
    "spot_deploy_set_deployer_trading_fee_share": (1, "1%"),
    "perp_deploy_register_asset": ("new", None, "new:A", 2, "1.0", 1, False, None),
    "perp_deploy_set_oracle": ("xyz", {"xyz:SP500": "1.0"}, [], {}),
    "c_signer_unjail_self": (),
    "c_signer_jail_self": (),
    "c_signer_inner": ("jailSelf",),
    "c_validator_register": ("1.2.3.4", "name", "words", False, 10, USER, True, 1),
    "c_validator_change_profile": (None, None, None, False, None, None, None),
    "c_validator_unregister": (),
    "use_big_blocks": (True,),
    "agent_enable_dex_abstraction": (),
    "agent_set_abstraction": ("u",),
    "user_dex_abstraction": (USER, True),
    "user_set_abstraction": (USER, "unifiedAccount"),
    "noop": (1,),
    "gossip_priority_bid": (1, "1.2.3.4", 1),
}
# What the tests above call.
EXECUTED = {
    "approve_agent", "approve_builder_fee", "bulk_cancel", "bulk_cancel_by_cloid", "bulk_modify_orders_new",
    "bulk_orders", "cancel", "cancel_by_cloid", "create_sub_account", "market_close", "market_open", "modify_order",
    "order", "schedule_cancel", "send_asset", "set_expires_after", "set_referrer", "spot_transfer",
    "sub_account_spot_transfer", "sub_account_transfer", "token_delegate", "update_isolated_margin",
    "update_leverage", "usd_class_transfer", "usd_transfer", "vault_usd_transfer", "withdraw_from_bridge",
}  # fmt: skip


def test_no_action_of_the_sdk_is_left_out() -> None:
    """Every public method is executed above, or refused below."""
    assert public(Exchange) == {*EXECUTED, *NOT_EXECUTED, "post"}


@pytest.mark.parametrize("name", NOT_EXECUTED)
def test_action_that_is_not_executed_is_refused_as_unreadable(exchange: Any, name: str) -> None:
    """422, with the venue's text; nothing breaks."""
    with pytest.raises(ClientError) as error:
        getattr(exchange, name)(*NOT_EXECUTED[name])
    assert (422, UNREADABLE) == (error.value.status_code, error.value.error_message)
