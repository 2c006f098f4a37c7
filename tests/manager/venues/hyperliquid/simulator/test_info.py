"""Info: every question that the venue answers, from the same state as the streams."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from wsmgr.manager.venues.hyperliquid.simulator.candles import bar_bounds
from wsmgr.manager.venues.hyperliquid.simulator.coins import universe
from wsmgr.manager.venues.hyperliquid.simulator.exchange import Exchange
from wsmgr.manager.venues.hyperliquid.simulator.info import Info
from wsmgr.manager.venues.hyperliquid.simulator.market_sources import MarketSources

if TYPE_CHECKING:
    from collections.abc import Callable

USER = "0xabcdef0123456789abcdef0123456789abcdef01"
OTHER = "0x2222222222222222222222222222222222222222"

# Every type that the clients of this venue ask for, with a body and the members (or the kind) of its answer.
QUESTIONS: dict[str, tuple[dict[str, Any], object]] = {
    "meta": ({}, {"universe", "marginTables", "collateralToken"}),
    "spotMeta": ({}, {"universe", "tokens"}),
    "perpDexs": ({}, list),
    "allMids": ({}, dict),
    "l2Book": ({"coin": "BTC"}, {"coin", "time", "levels"}),
    "recentTrades": ({"coin": "BTC"}, list),
    "candleSnapshot": ({"req": {"coin": "BTC", "interval": "1m", "startTime": 0}}, list),
    "metaAndAssetCtxs": ({}, list),
    "spotMetaAndAssetCtxs": ({}, list),
    "fundingHistory": ({"coin": "BTC", "startTime": 0}, list),
    "predictedFundings": ({}, list),
    "perpsAtOpenInterestCap": ({}, list),
    "perpDeployAuctionStatus": (
        {},
        {"startTimeSeconds", "durationSeconds", "startGas", "currentGas", "endGas"},
    ),
    "spotDeployState": ({"user": USER}, {"states", "gasAuction"}),
    "exchangeStatus": ({}, {"time", "specialStatuses"}),
    "openOrders": ({"user": USER}, list),
    "frontendOpenOrders": ({"user": USER}, list),
    "historicalOrders": ({"user": USER}, list),
    "orderStatus": ({"user": USER, "oid": 1}, {"status"}),
    "userFills": ({"user": USER}, list),
    "userFillsByTime": ({"user": USER, "startTime": 0}, list),
    "userTwapSliceFills": ({"user": USER}, list),
    "twapHistory": ({"user": USER}, list),
    "userFunding": ({"user": USER, "startTime": 0}, list),
    "userNonFundingLedgerUpdates": ({"user": USER, "startTime": 0}, list),
    "userRateLimit": ({"user": USER}, {"cumVlm", "nRequestsUsed", "nRequestsCap"}),
    "subAccounts": ({"user": USER}, None),
    "maxBuilderFee": ({"user": USER, "builder": OTHER}, int),
    "vaultDetails": ({"vaultAddress": OTHER}, None),
    "userVaultEquities": ({"user": USER}, list),
    "userRole": ({"user": USER}, {"role"}),
    "portfolio": ({"user": USER}, list),
    "referral": (
        {"user": USER},
        {"referredBy", "cumVlm", "unclaimedRewards", "claimedRewards", "referrerState"},
    ),
    "userFees": ({"user": USER}, {"dailyUserVlm", "feeSchedule", "userCrossRate", "userAddRate"}),
    "delegations": ({"user": USER}, list),
    "delegatorSummary": (
        {"user": USER},
        {"delegated", "undelegated", "totalPendingWithdrawal", "nPendingWithdrawals"},
    ),
    "delegatorHistory": ({"user": USER}, list),
    "delegatorRewards": ({"user": USER}, list),
    "clearinghouseState": (
        {"user": USER},
        {"assetPositions", "crossMarginSummary", "marginSummary", "withdrawable", "time"},
    ),
    "spotClearinghouseState": ({"user": USER}, {"balances"}),
    "activeAssetData": ({"user": USER, "coin": "BTC"}, {"user", "coin", "leverage", "maxTradeSzs", "markPx"}),
    "tokenDetails": ({"tokenId": "0x" + "0" * 32}, None),
    "extraAgents": ({"user": USER}, list),
    "userToMultiSigSigners": ({"user": USER}, None),
    "userDexAbstraction": ({"user": USER}, bool),
    "userAbstraction": ({"user": USER}, str),
}
UNREADABLE = "422 Unprocessable Entity: Failed to deserialize the JSON body into the target type"


class Asking:
    """A client that asks questions over its socket."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.venue = client.venue

    def response(self, type_: str, **fields: Any) -> Any:
        request = {"type": "info", "payload": {"type": type_, **fields}}
        self.client.texts()
        answer = self.client.ask({"method": "post", "id": 1, "request": request})[-1]
        return answer["data"]["response"]

    def ask(self, type_: str, **fields: Any) -> Any:
        response = self.response(type_, **fields)
        assert "info" == response["type"], response
        assert type_ == response["payload"]["type"]
        return response["payload"]["data"]

    def first(self, type_: str, **fields: Any) -> Any:
        """The data of the first frame of a stream; it is ended again."""
        self.client.subscribe(type_, **fields)
        data = self.client.data()[-1]["data"]
        self.client.unsubscribe(type_, **fields)
        self.client.texts()
        return data


@pytest.fixture
def asking(make_venue: Callable[..., Any]) -> Asking:
    """A client of a venue without faults, shortly before its streams tick: they show what a question finds."""
    venue = make_venue(idle_timeout=1e9)
    venue.advance(0.595)
    return Asking(venue.connect())


def test_every_question_of_the_clients_is_answered_and_no_other(asking: Asking) -> None:
    """The table above is what the two Python clients ask, with what healing needs."""
    assert set(QUESTIONS) == asking.venue.engine.info.types


@pytest.mark.parametrize("type_", QUESTIONS)
def test_answer_has_the_venues_shape(asking: Asking, type_: str) -> None:
    """The members of an object, or the kind of anything else."""
    body, shape = QUESTIONS[type_]
    data = asking.ask(type_, **body)
    if isinstance(shape, set):
        assert shape <= data.keys()
    elif shape is None:
        assert data is None
    else:
        assert inspect.isclass(shape)
        assert isinstance(data, shape)


@pytest.mark.parametrize(
    "body",
    [
        {"type": "nothing"},
        {"type": "webData9"},
        {"type": "userFills"},
        {"type": "userFills", "user": "0x1"},
        {"type": "userFills", "user": USER, "aggregateByTime": 1},
        {"type": "userFillsByTime", "user": USER},
        {"type": "userFillsByTime", "user": USER, "startTime": "now"},
        {"type": "userFillsByTime", "user": USER, "startTime": True},
        {"type": "openOrders", "user": USER, "dex": "nodex"},
        {"type": "meta", "dex": 5},
        {"type": "orderStatus", "user": USER, "oid": "mine"},
        {"type": "candleSnapshot", "coin": "BTC"},
        {"type": "candleSnapshot", "req": {"coin": "BTC", "interval": "7m", "startTime": 0}},
        {"type": "l2Book", "coin": "BTC", "nSigFigs": 7},
        {"type": "l2Book", "coin": 5},
        {"type": "tokenDetails", "tokenId": "0x1"},
        {"type": "activeAssetData", "user": USER, "coin": "@1"},
    ],
)
def test_question_that_cannot_be_read_is_a_422(asking: Asking, body: dict[str, Any]) -> None:
    """As over HTTP, with the status before the text."""
    response = asking.response(
        body["type"], **{name: value for name, value in body.items() if name != "type"}
    )
    assert {"type": "error", "payload": UNREADABLE} == response


@pytest.mark.parametrize("type_", ["l2Book", "recentTrades", "fundingHistory"])
def test_unknown_coin_is_null(asking: Asking, type_: str) -> None:
    """Not an error."""
    assert asking.ask(type_, coin="NOBODY", startTime=0) is None


def test_universe_numbers_its_coins_as_the_streams_name_them(asking: Asking) -> None:
    """`meta`, `spotMeta` and `perpDexs` hold every coin of the streams, and no other."""
    names = [perp["name"] for perp in asking.ask("meta")["universe"]]
    assert [coin.name for coin in universe().values() if coin.kind == "perp" and not coin.dex] == names
    dexes = [dex["name"] for dex in asking.ask("perpDexs") if dex is not None]
    builders = [perp["name"] for dex in dexes for perp in asking.ask("meta", dex=dex)["universe"]]
    spot = asking.ask("spotMeta")
    pairs = [pair["name"] for pair in spot["universe"]]
    assert set(universe()) == {*names, *builders, *pairs}
    mids = asking.first("allMids")["mids"]
    assert {*names, *pairs} == set(mids)
    for pair in spot["universe"]:
        base, quote = (spot["tokens"][index] for index in pair["tokens"])
        assert ("USDC", pair["index"] + 1) == (quote["name"], base["index"])


@pytest.mark.parametrize("dex", ["", "xyz"])
def test_mids_and_contexts_are_those_of_the_streams(asking: Asking, dex: str) -> None:
    """At one moment a question and a stream tell the same."""
    fields = {"dex": dex} if dex else {}
    assert asking.first("allMids", **fields)["mids"] == asking.ask("allMids", **fields)
    meta, contexts = asking.ask("metaAndAssetCtxs", **fields)
    assert asking.first("assetCtxs", **fields)["ctxs"] == contexts
    assert asking.ask("meta", **fields) == meta
    assert len(meta["universe"]) == len(contexts)
    spot, spot_contexts = asking.ask("spotMetaAndAssetCtxs")
    assert asking.first("spotAssetCtxs") == spot_contexts
    assert asking.ask("spotMeta") == spot


@pytest.mark.parametrize("fields", [{}, {"nSigFigs": 4}, {"nSigFigs": 5, "mantissa": 2}])
def test_book_is_that_of_the_stream(asking: Asking, fields: dict[str, Any]) -> None:
    """Aggregated or not."""
    streamed, asked = asking.first("l2Book", coin="ETH", **fields), asking.ask("l2Book", coin="ETH", **fields)
    assert 0 <= asked.pop("time") - streamed.pop("time") < 100
    assert streamed == asked


def test_recent_trades_are_those_that_a_new_subscriber_gets(asking: Asking) -> None:
    """The newest first: the reverse of the stream's first frame."""
    asking.venue.advance(3)
    trades = asking.first("trades", coin="SOL")
    assert trades[::-1] == asking.ask("recentTrades", coin="SOL")
    assert 30 == len(trades)


@pytest.mark.parametrize("interval", ["1m", "5m", "1h", "1M"])
def test_bars_are_those_of_the_stream(asking: Asking, interval: str) -> None:
    """The last bar is the stream's current one, also for a stream that began later than the first question."""
    span = {"coin": "BTC", "interval": interval, "startTime": 0}
    asking.ask("candleSnapshot", req={**span, "interval": "1m"})
    asking.venue.advance(90)
    current = asking.first("candle", coin="BTC", interval=interval)
    found = asking.ask("candleSnapshot", req=span)
    assert current == found[-1]
    assert 5000 == len(found) or interval == "1M"
    assert all(bar_bounds(interval, bar["t"]) == (bar["t"], bar["T"]) for bar in found)
    assert all(float(bar["l"]) <= float(bar["o"]) <= float(bar["h"]) for bar in found)
    assert [bar["t"] for bar in found] == sorted({bar["t"] for bar in found})


def test_bars_of_a_span_are_those_that_lie_in_it(asking: Asking) -> None:
    """Any part of a bar counts; the past is the same each time, and each bar begins where the last one ended."""
    asking.venue.advance(1)
    now_ms = asking.ask("exchangeStatus")["time"]
    day = 86_400_000
    start = now_ms // day * day - 9 * day
    span = {"coin": "BTC", "interval": "1d", "startTime": start + 1, "endTime": start + 4 * day}
    found = asking.ask("candleSnapshot", req=span)
    assert [start + n * day for n in range(5)] == [bar["t"] for bar in found]
    assert found == asking.ask("candleSnapshot", req=span)
    assert [bar["c"] for bar in found[:-1]] == [bar["o"] for bar in found[1:]]
    hours = asking.ask("candleSnapshot", req={**span, "interval": "1h", "endTime": start + day - 1})
    assert (found[0]["o"], found[0]["c"], 24) == (hours[0]["o"], hours[-1]["c"], len(hours))


def test_bars_hold_each_trade_of_the_stream_once(asking: Asking) -> None:
    """Count and volume of the bars of a minute are those of the trades in it."""
    asking.client.subscribe("trades", coin="BTC")
    asking.venue.advance(200)
    trades = [trade for frame in asking.client.data() for trade in frame["data"]]
    bars = asking.ask("candleSnapshot", req={"coin": "BTC", "interval": "1m", "startTime": 0})[-2:]
    for bar in bars:
        inside = [trade for trade in trades if bar["t"] <= trade["time"] <= bar["T"]]
        assert len(inside) == bar["n"] > 0
        assert sum(float(trade["sz"]) for trade in inside) == pytest.approx(float(bar["v"]))


def test_funding_rates_are_hourly_and_come_in_pages_of_500(asking: Asking) -> None:
    """Whoever wants more asks again, from after the last."""
    hour = 3_600_000
    now_ms = asking.ask("exchangeStatus")["time"]
    start = now_ms // hour * hour - 700 * hour
    first = asking.ask("fundingHistory", coin="BTC", startTime=start)
    rest = asking.ask("fundingHistory", coin="BTC", startTime=first[-1]["time"] + 1)
    assert (500, 201) == (len(first), len(rest))
    assert [start + n * hour for n in range(701)] == [item["time"] // hour * hour for item in [*first, *rest]]
    bounded = asking.ask("fundingHistory", coin="BTC", startTime=start, endTime=start + 2 * hour - 1)
    assert first[:2] == bounded
    rates = dict(asking.ask("predictedFundings"))
    context = asking.first("activeAssetCtx", coin="BTC")["ctx"]
    assert context["funding"] == rates["BTC"][0][1]["fundingRate"]


def test_coins_at_their_cap_are_those_whose_context_says_so(asking: Asking) -> None:
    """Some are, most are not."""
    names = asking.ask("perpsAtOpenInterestCap")
    contexts = asking.ask("metaAndAssetCtxs")[1]
    perps = [perp["name"] for perp in asking.ask("meta")["universe"]]
    interest = {name: float(ctx["openInterest"]) for name, ctx in zip(perps, contexts, strict=True)}
    assert 0 < len(names) < 20
    assert min(interest[name] for name in names) > max(interest[name] for name in set(perps) - set(names))


def test_token_is_found_by_the_id_of_spot_meta(asking: Asking) -> None:
    """With the prices of its pair."""
    token = asking.ask("spotMeta")["tokens"][1]
    details = asking.ask("tokenDetails", tokenId=token["tokenId"])
    assert (token["name"], token["szDecimals"]) == (details["name"], details["szDecimals"])
    assert asking.first("allMids")["mids"]["PURR/USDC"] == details["midPx"]
    assert (
        "USDC" == asking.ask("tokenDetails", tokenId=asking.ask("spotMeta")["tokens"][0]["tokenId"])["name"]
    )


def test_auction_falls_and_begins_again(asking: Asking) -> None:
    """Its gas now lies under its start."""
    first = asking.ask("perpDeployAuctionStatus")
    asking.venue.advance(3600)
    later = asking.ask("perpDeployAuctionStatus")
    assert float(later["currentGas"]) < float(first["currentGas"]) < float(first["startGas"])
    asking.venue.advance(111_600)
    assert first["startTimeSeconds"] + 111_600 == asking.ask("perpDeployAuctionStatus")["startTimeSeconds"]


@pytest.mark.parametrize(
    ("stream", "member", "question"),
    [
        ("userFills", "fills", "userFills"),
        ("userHistoricalOrders", "orderHistory", "historicalOrders"),
        ("userTwapSliceFills", "twapSliceFills", "userTwapSliceFills"),
        ("userTwapHistory", "history", "twapHistory"),
    ],
)
def test_history_is_that_of_the_stream_newest_first(
    asking: Asking, stream: str, member: str, question: str
) -> None:
    """The newest of a question are the snapshot's, in the other order."""
    snapshot = asking.first(stream, user=USER)[member]
    assert snapshot[::-1] == asking.ask(question, user=USER)[: len(snapshot)]


def test_money_of_a_span_is_that_of_the_streams_oldest_first(asking: Asking) -> None:
    """Fundings and movements, between two times that are included."""
    fundings = asking.first("userFundings", user=USER)["fundings"]
    times = {"startTime": fundings[0]["time"], "endTime": fundings[-1]["time"]}
    found = asking.ask("userFunding", user=USER, **times)
    assert fundings == [
        {"time": item["time"], **{name: value for name, value in item["delta"].items() if name != "type"}}
        for item in found
    ]
    movements = asking.first("userNonFundingLedgerUpdates", user=USER)["nonFundingLedgerUpdates"]
    times = {"startTime": movements[1]["time"], "endTime": movements[-2]["time"]}
    assert movements[1:-1] == asking.ask("userNonFundingLedgerUpdates", user=USER, **times)


@pytest.mark.parametrize("dex", ["", "xyz"])
def test_state_of_an_account_is_that_of_the_streams(asking: Asking, dex: str) -> None:
    """Positions and margin, dex by dex."""
    streamed = asking.first("clearinghouseState", user=USER, dex=dex)["clearinghouseState"]
    asked = asking.ask("clearinghouseState", user=USER, dex=dex)
    assert 0 <= asked.pop("time") - streamed.pop("time") < 100
    assert streamed == asked


def test_balances_orders_and_leverage_are_those_of_the_streams(asking: Asking) -> None:
    """Of the main dex; `openOrders` has fewer fields than `frontendOpenOrders`, and the same orders."""
    spot = asking.first("spotState", user=USER)["spotState"]
    assert spot == asking.ask("spotClearinghouseState", user=USER)
    orders = asking.first("openOrders", user=USER)["orders"]
    found = asking.ask("frontendOpenOrders", user=USER)
    assert sorted(order["oid"] for order in orders) == sorted(order["oid"] for order in found)
    plain = asking.ask("openOrders", user=USER)
    assert [order["oid"] for order in found] == [order["oid"] for order in plain]
    data = asking.first("activeAssetData", user=USER, coin="BTC")
    assert data == asking.ask("activeAssetData", user=USER, coin="BTC")


def test_account_that_never_acted_has_no_orders_on_a_builders_dex(asking: Asking) -> None:
    """Neither by stream nor by question; they are all on the main one."""
    asking.venue.advance(0.1)  # to a moment at which an order is open
    for dex, count in (("", 1), ("xyz", 0)):
        orders = asking.first("openOrders", user=USER, dex=dex)["orders"]
        found = asking.ask("openOrders", user=USER, dex=dex)
        assert (count, count) == (len(orders), len(found))
        assert count == len(asking.first("twapStates", user=USER, dex=dex)["states"])


def test_order_that_is_listed_as_open_is_open_everywhere(asking: Asking) -> None:
    """And no other is: in the lists, the changes and the status, whichever change was the newest."""
    client, updates = asking.client, dict[int, str]()
    client.subscribe("orderUpdates", user=USER)
    shown: set[int] = set()
    for _ in range(8):
        open_ = {order["oid"] for order in asking.ask("frontendOpenOrders", user=USER)}
        assert open_ == {order["oid"] for order in asking.first("openOrders", user=USER)["orders"]}
        assert open_ == {order["oid"] for order in asking.ask("openOrders", user=USER)}
        for changes in (
            asking.ask("historicalOrders", user=USER)[::-1],
            asking.first("userHistoricalOrders", user=USER)["orderHistory"],
        ):
            newest = {change["order"]["oid"]: change["status"] for change in changes}
            assert open_ == {oid for oid, status in newest.items() if status == "open"}
        for oid in open_:
            assert "open" == asking.ask("orderStatus", user=USER, oid=oid)["order"]["status"]
        shown |= open_
        client.venue.advance(0.1)
        for frame in client.data():
            for change in frame["data"]:
                updates[change["order"]["oid"]] = change["status"]
        now_open = {order["oid"] for order in asking.ask("openOrders", user=USER)}
        assert now_open == {oid for oid, status in updates.items() if status == "open"}
    assert 4 <= len(shown)


def test_order_is_found_by_both_of_its_ids(asking: Asking) -> None:
    """The venue's number and the client's: its newest change; another user has no such order."""
    newest = asking.ask("historicalOrders", user=USER)[0]
    oid, cloid = newest["order"]["oid"], newest["order"]["cloid"]
    assert {"status": "order", "order": newest} == asking.ask("orderStatus", user=USER, oid=oid)
    assert {"status": "order", "order": newest} == asking.ask("orderStatus", user=USER, oid=cloid)
    assert {"status": "unknownOid"} == asking.ask("orderStatus", user=OTHER, oid=oid)


class Busy(Exchange):
    """An exchange that knows of 4,500 fills of anybody, a millisecond apart."""

    FILLS: ClassVar[list[dict[str, object]]] = [{"time": time} for time in range(4500)]

    def fills(self, user: str, now: float, *, aggregate_by_time: bool = False) -> list[dict[str, object]]:
        return [] if aggregate_by_time else self.FILLS[::-1]

    def fills_by_time(
        self,
        user: str,
        now: float,
        start_ms: int,
        end_ms: int | None = None,
        *,
        aggregate_by_time: bool = False,
    ) -> list[dict[str, object]]:
        return [] if aggregate_by_time else self.FILLS[start_ms : None if end_ms is None else end_ms + 1]

    def fundings(
        self, user: str, now: float, start_ms: int, end_ms: int | None = None
    ) -> list[dict[str, object]]:
        return self.fills_by_time(user, now, start_ms, end_ms)

    def ledger_updates(
        self, user: str, now: float, start_ms: int, end_ms: int | None = None
    ) -> list[dict[str, object]]:
        return self.fills_by_time(user, now, start_ms, end_ms)


@pytest.mark.parametrize(
    ("type_", "most"),
    [("userFillsByTime", 2000), ("userFunding", 500), ("userNonFundingLedgerUpdates", 2000)],
)
def test_made_up_histories_are_10000_items_long(
    make_venue: Callable[..., Any], type_: str, most: int
) -> None:
    """As many fills as the venue has of an account; the oldest are forgotten."""
    venue = make_venue(rate=1000)
    pages: list[Any] = []
    start = 0
    while not pages or pages[-1]:
        question = {"type": type_, "user": USER, "startTime": start}
        pages.append(venue.engine.info.info(question, 12.0))
        start = pages[-1][-1]["time"] + 1 if pages[-1] else 0
    assert [most] * (10_000 // most) == [len(page) for page in pages[:-1]]
    times = [item["time"] for page in pages for item in page]
    end = venue.engine.market.milliseconds(12.0)
    assert list(range(end - 9999, end + 1)) == times


@pytest.mark.parametrize("type_", ["historicalOrders", "userFills", "userTwapSliceFills", "twapHistory"])
def test_made_up_history_without_pages_is_one_page(make_venue: Callable[..., Any], type_: str) -> None:
    """The newest 2,000."""
    info = make_venue(rate=1000).engine.info
    assert 2000 == len(info.info({"type": type_, "user": USER}, 12.0))


@pytest.mark.parametrize(
    ("type_", "most"),
    [("userFillsByTime", 2000), ("userFunding", 500), ("userNonFundingLedgerUpdates", 2000)],
)
def test_histories_come_in_pages(make_venue: Callable[..., Any], type_: str, most: int) -> None:
    """Whoever asks again from after the last gets everything."""
    engine = make_venue().engine
    info = Info(MarketSources(engine.market), Busy(engine.market))
    pages: list[Any] = []
    start = 0
    while start < 4500:
        pages.append(info.info({"type": type_, "user": USER, "startTime": start}, 0.0))
        start = pages[-1][-1]["time"] + 1
    assert {most} == {len(page) for page in pages[:-1]}
    assert Busy.FILLS == [fill for page in pages for fill in page]
    bounded = {"type": type_, "user": USER, "startTime": 10, "endTime": 12}
    assert Busy.FILLS[10:13] == info.info(bounded, 0.0)


def test_fills_without_a_time_are_the_newest_2000(make_venue: Callable[..., Any]) -> None:
    """And those of one moment come as one where that is asked for."""
    engine = make_venue().engine
    info = Info(MarketSources(engine.market), Busy(engine.market))
    assert Busy.FILLS[:2499:-1] == info.info({"type": "userFills", "user": USER}, 0.0)
    folded = {
        "type": "userFillsByTime",
        "user": USER,
        "startTime": 0,
        "endTime": None,
        "aggregateByTime": True,
    }
    assert [] == info.info(folded, 0.0)


def test_portfolio_ends_at_what_the_account_is_worth(asking: Asking) -> None:
    """Eight periods; gains are the value's distance from the period's first."""
    worth = float(asking.ask("clearinghouseState", user=USER)["marginSummary"]["accountValue"])
    periods = dict(asking.ask("portfolio", user=USER))
    assert ["day", "week", "month", "allTime", "perpDay", "perpWeek", "perpMonth", "perpAllTime"] == list(
        periods
    )
    for period in periods.values():
        values = [float(value) for _, value in period["accountValueHistory"]]
        assert worth == values[-1]
        gains = [float(gain) for _, gain in period["pnlHistory"]]
        assert [pytest.approx(value - values[0], abs=1e-5) for value in values] == gains
    assert float(periods["week"]["vlm"]) >= float(periods["day"]["vlm"]) > 0


def test_volume_of_today_is_that_of_the_fills(asking: Asking) -> None:
    """Taken and made apart."""
    days = asking.ask("userFees", user=USER)["dailyUserVlm"]
    midnight = asking.ask("exchangeStatus")["time"] // 86_400_000 * 86_400_000
    fills = asking.ask("userFillsByTime", user=USER, startTime=midnight)
    for crossed, name in ((True, "userCross"), (False, "userAdd")):
        volume = sum(float(fill["px"]) * float(fill["sz"]) for fill in fills if fill["crossed"] is crossed)
        assert volume == pytest.approx(float(days[-1][name]))
        assert volume > 0
    assert 15 == len({day["date"] for day in days})
