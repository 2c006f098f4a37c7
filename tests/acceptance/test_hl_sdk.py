"""hl-sdk, the client that wsmgr's facade is named after, over the simulator's WebSocket."""

from __future__ import annotations

import asyncio
import gc
import time
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    NotRequired,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import eth_account
import hl
import pytest
from hl import Account, Api
from hl.network import TESTNET

from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions, SimulatorThread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

DEADLINE = 10.0
USER = "0xabcdef0123456789abcdef0123456789abcdef01"

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.parametrize("anyio_backend", ["asyncio"]),
]


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorThread]:
    """One venue for the whole file, 20 frames a second of each stream."""
    with SimulatorThread(SimulatorOptions(rate=20.0)) as simulator:
        yield simulator


@asynccontextmanager
async def running(simulator: SimulatorThread, account: Account | None = None) -> AsyncIterator[Any]:
    """Its Api with a running socket, on a test network that is the simulator.

    A cancelled `run()` leaves the socket to the garbage collector; it is waited for.
    """
    network: Any = {**TESTNET, "api_url": simulator.address.http_url, "ws_url": simulator.address.url}
    api: Any = await Api.create(network=network, account=account)
    try:
        async with api.ws.run():
            yield api
    finally:
        gc.collect()
        assert 0 == await asyncio.to_thread(wait_for_zero, lambda: simulator.log()["open"])
        for part in (api.info, api.exchange):
            await part.transport._http_client.aclose()  # it has no public way to close


def new_account() -> Account:
    wallet = eth_account.Account.create()
    return Account(address=wallet.address, secret_key=wallet.key.hex())


async def next_of(messages: asyncio.Queue[Any]) -> Any:
    async with asyncio.timeout(DEADLINE):
        return await messages.get()


async def test_subscriptions_deliver_to_their_queues(simulator: SimulatorThread) -> None:
    """Each queue gets what was asked for; an unsubscribe leaves nothing on the server."""
    async with running(simulator) as api:
        streams = api.ws.subscriptions
        opened = {
            "l2Book": await streams.l2_book(asset="BTC"),
            "trades": await streams.trades(asset="ETH"),
            "orderUpdates": await streams.order_updates(address=USER),
            "userFills": await streams.user_fills(address=USER),
            "user": await streams.user_events(address=USER),
            "notification": await streams.notification(address=USER),
            "allMids": await streams.all_mids(),
            "candle": await streams.candle(asset="SOL", interval="1m"),
            "bbo": await streams.best_bid_offer(asset="BTC"),
            "activeAssetCtx": await streams.active_asset_ctx(asset="BTC"),
            "activeSpotAssetCtx": await streams.active_asset_ctx(asset="PURR/USDC"),
            "activeAssetData": await streams.active_asset_data(asset="BTC", address=USER),
            "userFundings": await streams.user_fundings(address=USER),
            "userNonFundingLedgerUpdates": await streams.user_non_funding_ledger_updates(address=USER),
            "userTwapHistory": await streams.user_twap_history(address=USER),
            "userTwapSliceFills": await streams.user_twap_slice_fills(address=USER),
        }
        for channel, (_, messages) in opened.items():
            assert {channel} == {(await next_of(messages))["channel"] for _ in range(3)}
        for number, _ in opened.values():
            await streams.unsubscribe(number)
        assert 0 == await asyncio.to_thread(wait_for_zero, lambda: len(simulator.log()["live"]))


def wait_for_zero(look: Callable[[], int]) -> int:
    """Look until there is nothing; what was seen last after the deadline."""
    deadline = time.monotonic() + DEADLINE
    while (seen := look()) and time.monotonic() < deadline:
        time.sleep(0.01)  # between two looks
    return seen


@pytest.mark.parametrize("transport", ["http", "ws"])
async def test_every_question_is_answered_in_the_sdks_own_types(
    simulator: SimulatorThread, transport: Literal["http", "ws"]
) -> None:
    """All of its info methods, over both transports; each answer has the members that the SDK declares."""
    async with running(simulator) as api:
        info: Any = api.info if transport == "http" else api.ws.info
        for name in sorted(NO_ADDRESS | BY_ADDRESS | SPECIAL.keys()):
            arguments = {"address": USER} if name in BY_ADDRESS else dict(SPECIAL.get(name, {}))
            result = await asyncio.wait_for(getattr(info, name)(**arguments), DEADLINE)
            declared = get_args(get_type_hints(getattr(type(info), name))["return"])[0]
            assert [] == list(misfits(result.unwrap(), declared, name)), name


async def test_nothing_that_the_sdk_asks_is_left_out() -> None:
    """The names above are all of its info methods; three ask about what does not exist for a new account."""
    methods = {name for name in dir(hl.Info) if not name.startswith("_")}
    assert methods == {*NO_ADDRESS, *BY_ADDRESS, *SPECIAL, *ABSENT, "order_status", "get_universe"}


async def test_what_does_not_exist_is_an_error_of_the_sdk(simulator: SimulatorThread) -> None:
    """`null`, and an order that nobody placed."""
    async with running(simulator) as api:
        for name, arguments in ABSENT.items():
            result = await asyncio.wait_for(getattr(api.ws.info, name)(**arguments), DEADLINE)
            assert isinstance(result.unwrap_err(), hl.errors.NotFoundError)
        unknown = await asyncio.wait_for(api.ws.info.order_status(order_id=1, address=USER), DEADLINE)
        assert isinstance(unknown.unwrap_err(), hl.errors.StatusError)


async def test_orders_over_the_socket_rest_fill_and_are_cancelled(simulator: SimulatorThread) -> None:
    """Its answers, its queries and its streams tell of the same orders."""
    account = new_account()
    async with running(simulator, account) as api:
        _, updates = await api.ws.subscriptions.order_updates()
        _, fills = await api.ws.subscriptions.user_fills()
        assert True is (await next_of(fills))["data"]["isSnapshot"]
        mid = Decimal((await api.ws.info.all_mids()).unwrap()["BTC"])
        far = api.universe.round_price("BTC", mid * Decimal("0.8"))
        cloid = hl.Cloid.from_int(77)
        order = {"asset": "BTC", "is_buy": True, "size": Decimal("0.01")}
        placed = await api.ws.exchange.place_order(
            **order, limit_price=far, order_type=hl.LIMIT_GTC, cloid=cloid
        )
        [status] = placed.unwrap()["response"]["data"]["statuses"]
        oid = status["resting"]["oid"]
        update = await update_of(updates, oid)
        assert ("open", cloid.to_raw()) == (update["status"], update["order"]["cloid"])
        found = (await api.ws.info.order_status(order_id=cloid.to_raw())).unwrap()
        assert ("open", oid) == (found["order"]["status"], found["order"]["order"]["oid"])
        assert [] == list(misfits(found, hl.types.OrderStatusResponse, "order_status"))
        cancelled = await api.ws.exchange.cancel_order(asset="BTC", order_id=oid)
        assert ["success"] == cancelled.unwrap()["response"]["data"]["statuses"]
        assert "canceled" == (await update_of(updates, oid))["status"]
        taking = api.universe.round_price("BTC", mid * Decimal("1.05"))
        filled = await api.ws.exchange.place_order(**order, limit_price=taking, order_type=hl.LIMIT_IOC)
        [status] = filled.unwrap()["response"]["data"]["statuses"]
        assert Decimal("0.01") == Decimal(status["filled"]["totalSz"])
        fill = await fill_of(fills, status["filled"]["oid"])
        assert ("BTC", "B", "Open Long") == (fill["coin"], fill["side"], fill["dir"])
        assert status["filled"]["oid"] in {f["oid"] for f in (await api.ws.info.user_fills()).unwrap()}
        refused = await api.ws.exchange.cancel_order(asset="BTC", order_id=oid)
        [status] = refused.unwrap()["response"]["data"]["statuses"]
        assert "Order was never placed, already canceled, or filled. asset=0" == status["error"]


async def update_of(messages: asyncio.Queue[Any], oid: int) -> Any:
    """The next change of an order."""
    while True:
        for update in (await next_of(messages))["data"]:
            if update["order"]["oid"] == oid:
                return update


async def fill_of(messages: asyncio.Queue[Any], oid: int) -> Any:
    """The next fill of an order."""
    while True:
        for fill in (await next_of(messages))["data"]["fills"]:
            if fill["oid"] == oid:
                return fill


NO_ADDRESS = {
    "all_mids", "perpetual_dexs", "perpetual_meta", "perpetual_meta_and_asset_ctxs", "predicted_fundings",
    "perpetuals_at_open_interest_cap", "perpetual_deploy_auction_status", "spot_meta", "spot_meta_and_asset_ctxs",
}  # fmt: skip
BY_ADDRESS = {
    "user_open_orders", "user_frontend_open_orders", "user_historical_orders", "user_fills", "user_twap_slice_fills",
    "user_rate_limit", "user_vault_equities", "user_role", "user_portfolio", "user_referral", "user_fees",
    "user_delegations", "user_delegator_summary", "user_delegator_history", "user_delegator_rewards", "user_state",
    "spot_user_state", "spot_deploy_auction_status",
}  # fmt: skip
SPECIAL: dict[str, dict[str, Any]] = {
    "user_fills_by_time": {"address": USER, "start": 0},
    "user_funding": {"address": USER, "start": 0},
    "user_non_funding_ledger_updates": {"address": USER, "start": 0},
    "l2_book": {"asset": "BTC", "n_sig_figs": 5, "mantissa": 2},
    "candle_snapshot": {"asset": "BTC", "interval": "1m", "start": 0},
    "max_builder_fee": {"address": USER, "builder": USER},
    "funding_history": {"asset": "BTC", "start": 0},
}
ABSENT: dict[str, dict[str, Any]] = {
    "token_details": {"token_id": "0x" + "0" * 32},
    "vault_details": {"vault_address": USER},
    "user_sub_accounts": {"address": USER},
}
# Where the SDK's types are not the venue's: it renames fields of a dex, and does not know all movements of money.
NOT_THE_VENUES = ("perpetual_dexs[]", "user_non_funding_ledger_updates[].delta")


def misfits(value: Any, declared: Any, path: str) -> Iterator[str]:
    """Where a value lacks what a declared type promises; literals may be other values of their kind."""
    if declared is Any or path in NOT_THE_VENUES:
        return
    origin, inner = get_origin(declared), get_args(declared)
    if is_typeddict(declared):
        yield from _of_members(value, declared, path)
    elif origin is tuple and isinstance(value, list):
        for number, (item, kind) in enumerate(zip(value, inner, strict=True)):
            yield from misfits(item, kind, f"{path}[{number}]")
    elif origin is list and isinstance(value, list):
        for item in value[:50]:
            yield from misfits(item, inner[0], f"{path}[]")
    elif origin is dict and isinstance(value, dict):
        for item in value.values():
            yield from misfits(item, inner[1], f"{path}{{}}")
    elif origin in (list, tuple, dict) or not any(_fits(value, one, path) for one in inner or (declared,)):
        yield f"{path}: {value!r} is no {declared}"


def _fits(value: Any, one: Any, path: str) -> bool:
    """Whether a value is of a plain type, of a member of a union, or of the kind of a literal."""
    if is_typeddict(one) or get_origin(one) is not None:
        return not any(misfits(value, one, path))
    kind = one if isinstance(one, type) else type(one)
    return isinstance(value, (int, float) if kind is float else kind)


def _of_members(value: Any, declared: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is no object"
        return
    for name, kind in get_type_hints(declared, include_extras=True).items():
        optional = get_origin(kind) is NotRequired
        if name in value:
            yield from misfits(value[name], get_args(kind)[0] if optional else kind, f"{path}.{name}")
        elif not optional:
            yield f"{path}.{name} is missing"
