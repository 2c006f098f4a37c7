"""Orders: how they rest, match, are refused, canceled, changed and triggered."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hyperliquid.utils import signing  # type: ignore[import-untyped]  # it has no types

from .conftest import BTC, ETH, PURR, Book, wire

if TYPE_CHECKING:
    from .conftest import Player

CLOID = "0x" + "ab" * 16


def until(player: Player, oid: int, seconds: float = 600) -> None:
    """Let time pass until an order is no longer open."""
    for _ in range(int(seconds / 0.1)):
        if oid not in player.open_oids():
            return
        player.venue.advance(0.1)
    pytest.fail(f"order {oid} is open after {seconds} s")


def test_order_away_from_the_market_rests(player: Player) -> None:
    """It is answered with its id, and every query shows it."""
    book = Book(player.venue)
    status = player.one(wire(px=book.bid - 5000, sz="0.01", cloid=CLOID))
    oid = status["resting"]["oid"]
    assert {"resting": {"oid": oid, "cloid": CLOID}} == status
    now = player.venue.now
    [shown] = player.exchange.open_orders(player.user.upper().replace("0X", "0x"), now)
    assert ("BTC", "B", f"{book.bid - 5000}.0", "0.01", "0.01", CLOID) == tuple(
        shown[name] for name in ("coin", "side", "limitPx", "sz", "origSz", "cloid")
    )
    [detailed] = player.exchange.frontend_open_orders(player.user, now)
    assert ("Limit", "Gtc", False, "N/A") == tuple(
        detailed[name] for name in ("orderType", "tif", "isTrigger", "triggerCondition")
    )
    by_oid = player.exchange.order_status(player.user, now, oid)
    assert by_oid == player.exchange.order_status(player.user, now, CLOID)
    assert ("order", "open", oid) == (
        by_oid["status"],
        by_oid["order"]["status"],
        by_oid["order"]["order"]["oid"],
    )
    assert {"status": "unknownOid"} == player.exchange.order_status(player.user, now, 1)
    assert 32 < oid.bit_length() < 53


def test_marketable_order_takes_the_book_level_by_level(player: Player) -> None:
    """Best price first, no more than each level holds; the answer gives the average."""
    market = Book(player.venue, deep=False).market
    sizes = [Decimal(size).scaleb(-5) for size in market.asks.sizes[:3]]
    prices = [Decimal(price) for price in market.asks.prices[:3]]
    wanted = sizes[0] + sizes[1] + sizes[2] / 2
    wanted = wanted.quantize(Decimal("0.00001"))
    status = player.one(wire(px=market.asks.prices[2], sz=wanted))
    fills = player.exchange.fills(player.user, player.venue.now)[::-1]
    assert [f"{price}.0" for price in prices] == [fill["px"] for fill in fills]
    assert sizes[:2] == [Decimal(fill["sz"]) for fill in fills[:2]]
    assert wanted == sum(Decimal(fill["sz"]) for fill in fills) == Decimal(status["filled"]["totalSz"])
    value = sum(Decimal(fill["px"]) * Decimal(fill["sz"]) for fill in fills)
    assert abs(value / wanted - Decimal(status["filled"]["avgPx"])) < Decimal("0.00000001")
    assert ["Open Long"] * 3 == [fill["dir"] for fill in fills]
    assert [Decimal(0), sizes[0], sizes[0] + sizes[1]] == [Decimal(fill["startPosition"]) for fill in fills]
    assert all(fill["crossed"] for fill in fills)
    assert 3 == len({fill["tid"] for fill in fills})


def test_fill_changes_position_and_value_by_its_fee(player: Player) -> None:
    """A round trip costs the two fees and the spread, to the cent."""
    before = Decimal(100_000)
    book = Book(player.venue)
    size = Decimal("0.01")
    player.one(wire(px=book.ask, sz=size, tif="Ioc"))
    position = player.state()["assetPositions"][0]["position"]
    assert ("BTC", "0.01", f"{book.ask}.0") == (position["coin"], position["szi"], position["entryPx"])
    player.one(wire(is_buy=False, px=book.bid, sz=size, tif="Ioc", reduce=True))
    assert [] == player.state()["assetPositions"]
    close, opened = player.exchange.fills(player.user, player.venue.now)
    rate = Decimal("0.00045")
    fees = [(price * size * rate).quantize(Decimal("0.000001")) for price in (book.ask, book.bid)]
    assert fees == [Decimal(fill["fee"]) for fill in (opened, close)]
    assert (book.bid - book.ask) * size == Decimal(close["closedPnl"])
    assert ("Close Long", "0.0", "USDC") == (close["dir"], opened["closedPnl"], close["feeToken"])
    after = Decimal(player.state()["marginSummary"]["accountValue"])
    exact = (book.bid - book.ask) * size - (book.ask + book.bid) * size * rate
    assert abs(before + exact - after) < Decimal("0.000001")


def test_flip_is_one_fill_with_its_own_word(player: Player) -> None:
    """Selling twice what one holds closes one and opens the other."""
    book = Book(player.venue)
    player.one(wire(px=book.ask, sz="0.001", tif="Ioc"))
    player.one(wire(is_buy=False, px=book.bid, sz="0.002", tif="Ioc"))
    fill = player.exchange.fills(player.user, player.venue.now)[0]
    assert ("Long > Short", "0.001") == (fill["dir"], fill["startPosition"])
    position = player.state()["assetPositions"][0]["position"]
    assert ("-0.001", f"{book.bid}.0") == (position["szi"], position["entryPx"])


def test_resting_order_fills_at_its_price_when_the_market_comes(player: Player) -> None:
    """As maker: at its own limit, with the lower fee."""
    book = Book(player.venue)
    price = book.bid - 2 * book.tick
    oid = player.one(wire(px=price, sz="0.002"))["resting"]["oid"]
    until(player, oid)
    fills = [fill for fill in player.exchange.fills(player.user, player.venue.now) if fill["oid"] == oid]
    assert Decimal("0.002") == sum(Decimal(fill["sz"]) for fill in fills)
    assert {f"{price}.0"} == {fill["px"] for fill in fills}
    assert {False} == {fill["crossed"] for fill in fills}
    fee = sum(Decimal(fill["fee"]) for fill in fills)
    assert abs(price * Decimal("0.002") * Decimal("0.00015") - fee) < Decimal("0.00001")
    assert ["open", "filled"] == [player.statuses_of(oid)[0], player.statuses_of(oid)[-1]]


def test_large_resting_order_fills_in_parts(player: Player) -> None:
    """No more at once than the levels through its price hold; each part says what is left."""
    book = Book(player.venue, "ETH", deep=False)
    price = book.ask + 2 * book.tick
    held = sum(
        size
        for price_, size in zip(book.market.asks.prices, book.market.asks.sizes, strict=True)
        if price_ <= price.scaleb(book.decimals)
    )
    size = Decimal(held).scaleb(-book.market.coin.size_decimals) * 3
    oid = player.one(wire(ETH, px=price, sz=size))["resting"]["oid"]
    first = Decimal(player.exchange.open_orders(player.user, player.venue.now)[0]["sz"])
    assert size / 3 * 2 == first
    player.one(wire(ETH, px=book.bid - 100, sz="1"))  # an action at the same time finds the same book
    assert first == Decimal(player.exchange.order_status(player.user, 0, oid)["order"]["order"]["sz"])
    until(player, oid)
    left = [
        Decimal(change["order"]["sz"])
        for change in player.exchange.historical_orders(player.user, player.venue.now)[::-1]
        if change["order"]["oid"] == oid
    ]
    assert left == sorted(left, reverse=True)
    assert [first, Decimal(0)] == [left[0], left[-1]]
    assert len(left) >= 3


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ({"px": "100000.5", "sz": "0.01"}, "Price must be divisible by tick size. asset=0"),
        ({"px": "100000", "sz": "0.000001"}, "Order has invalid size. asset=0"),
        ({"px": "100000", "sz": "0"}, "Order has zero size. asset=0"),
        ({"px": "0", "sz": "1"}, "Order has invalid price. asset=0"),
        ({"px": "-5", "sz": "1"}, "Order has invalid price. asset=0"),
        ({"px": "1e5", "sz": "1"}, "Order has invalid price. asset=0"),
        ({"px": "100000", "sz": "0.00009"}, "Order must have minimum value of $10. asset=0"),
        ({"px": "100000", "sz": "90"}, "Insufficient margin to place order. asset=0"),
        ({"px": "100000", "sz": "0.01", "tif": "Ioc"}, "Order could not immediately match against any resting orders. asset=0"),
        ({"px": "100000", "sz": "0.01", "reduce": True}, "Reduce only order would increase position. asset=0"),
        ({"px": "5000", "sz": "1"}, "Order price cannot be more than 95% away from the reference price asset=0"),
        ({"px": "100000", "sz": "1", "trigger": ("tp", "200000", True)}, "Invalid TP/SL price. asset=0"),
        ({"px": "100000", "sz": "1", "trigger": ("sl", "1", True)}, "Invalid TP/SL price. asset=0"),
        ({"asset": PURR, "px": "1", "sz": "5"}, "Order must have minimum value of 10 USDC. asset=10000"),
        ({"asset": PURR, "px": "0.9", "sz": "2000000"}, "Insufficient spot balance asset=10000"),
    ],
)  # fmt: skip
def test_bad_order_is_refused_in_the_venues_words(player: Player, order: dict[str, Any], text: str) -> None:
    """Each alone, with the asset's number; it leaves no trace."""
    assert {"error": text} == player.one(wire(**order))
    assert [] == player.exchange.historical_orders(player.user, player.venue.now)


def test_batch_with_one_bad_order_places_the_others(player: Player) -> None:
    """Statuses are in the order of the request."""
    book = Book(player.venue)
    good = wire(px=book.bid - 100, sz="0.001")
    statuses = player.order(good, wire(px=book.bid - 100, sz="0.00001"), good)
    assert ["resting", "error", "resting"] == [next(iter(status)) for status in statuses]
    assert [statuses[2]["resting"]["oid"], statuses[0]["resting"]["oid"]] == player.open_oids()


def test_post_only_order_that_would_match_is_refused_with_the_best_prices(player: Player) -> None:
    """One tick less and it rests."""
    book = Book(player.venue)
    text = f"Post only order would have immediately matched, bbo was {book.bid}.0@{book.ask}.0. asset=0"
    assert {"error": text} == player.one(wire(px=book.ask, sz="0.001", tif="Alo"))
    assert "resting" in player.one(wire(px=book.ask - book.tick, sz="0.001", tif="Alo"))


@pytest.mark.parametrize(
    ("action", "text"),
    [
        ({"type": "order", "orders": [], "grouping": "na"}, "Empty batch of orders"),
        ({"type": "cancel", "cancels": []}, "Empty batch of orders"),
        (
            {"type": "order", "orders": [wire(9999, px=1, sz=100)], "grouping": "na"},
            "Invalid asset asset=9999",
        ),
        (
            {"type": "order", "orders": [wire(px=100000, sz=1)], "grouping": "normalTpsl"},
            "Unexpected number of trigger orders",
        ),
    ],
)
def test_action_that_makes_no_sense_is_refused_as_a_whole(
    player: Player, action: dict[str, Any], text: str
) -> None:
    """Status `err`, and the words."""
    assert {"status": "err", "response": text} == player.act(action)


def test_immediate_order_takes_what_it_can_and_never_rests(player: Player) -> None:
    """What is over is gone, and the order counts as filled."""
    book = Book(player.venue, deep=False)
    held = Decimal(book.market.asks.sizes[0]).scaleb(-5)
    status = player.one(wire(px=book.ask, sz=held * 2, tif="Ioc"))
    assert held == Decimal(status["filled"]["totalSz"])
    assert [] == player.open_oids()
    assert ["open", "filled"] == player.statuses_of(status["filled"]["oid"])


def test_cancel_ends_an_order_once(player: Player) -> None:
    """The second cancel, a strange id and the wrong coin get the venue's refusal; others of the batch work."""
    book = Book(player.venue)
    one, two = (
        player.one(wire(px=book.bid - 100, sz="0.001"))["resting"]["oid"],
        player.one(wire(px=book.bid - 100, sz="0.001"))["resting"]["oid"],
    )

    def cancel(*wires: tuple[int, int]) -> Any:
        answer = player.done({"type": "cancel", "cancels": [{"a": a, "o": o} for a, o in wires]})
        assert "cancel" == answer["type"]
        return answer["data"]["statuses"]

    gone = "Order was never placed, already canceled, or filled."
    assert ["success", {"error": f"{gone} asset=0"}] == cancel((BTC, one), (BTC, 77))
    assert [{"error": f"{gone} asset=0"}] == cancel((BTC, one))
    assert [{"error": f"{gone} asset=1"}] == cancel((ETH, two))
    assert [two] == player.open_oids()
    assert ["open", "canceled"] == player.statuses_of(one)


def test_cancel_by_cloid(player: Player, other: Player) -> None:
    """In any case of letters; another account's id of the same text is another order."""
    book = Book(player.venue)
    for one in (player, other):
        one.one(wire(px=book.bid - 100, sz="0.001", cloid=CLOID))
    action = {"type": "cancelByCloid", "cancels": [{"asset": BTC, "cloid": CLOID.upper().replace("X", "x")}]}
    assert ["success"] == player.done(action)["data"]["statuses"]
    assert ([], 1) == (player.open_oids(), len(other.open_oids()))


def test_modify_replaces_an_order_by_one_with_a_new_id(player: Player) -> None:
    """`modify` says only that it was done, `batchModify` gives the new order; a dead one cannot be changed."""
    book = Book(player.venue)
    old = player.one(wire(px=book.bid - 100, sz="0.001", cloid=CLOID))["resting"]["oid"]
    new = wire(px=book.bid - 200, sz="0.002", cloid=CLOID)
    assert {"type": "default"} == player.done({"type": "modify", "oid": old, "order": new})
    [second] = player.open_oids()
    assert second != old
    modifies = [{"oid": CLOID, "order": new}, {"oid": old, "order": new}]
    good, bad = player.done({"type": "batchModify", "modifies": modifies})["data"]["statuses"]
    assert [good["resting"]["oid"]] == player.open_oids()
    assert {"error": "Cannot modify canceled or filled order"} == bad
    refused = player.act({"type": "modify", "oid": old, "order": new})
    assert {"status": "err", "response": "Cannot modify canceled or filled order"} == refused


def test_bad_change_leaves_the_order_as_it_was(player: Player) -> None:
    """What cannot be an order is found out before the old one is canceled."""
    book = Book(player.venue)
    oid = player.one(wire(px=book.bid - 100, sz="0.001"))["resting"]["oid"]
    answer = player.act({"type": "modify", "oid": oid, "order": wire(px="100000.5", sz="0.001")})
    assert "Price must be divisible by tick size. asset=0" == answer["response"]
    assert [oid] == player.open_oids()


def test_take_profit_and_stop_loss_of_an_order_wait_for_its_fill(player: Player) -> None:
    """Filled at once they wait for their triggers; one that fills cancels the other."""
    book = Book(player.venue)
    children = (
        wire(is_buy=False, px=book.bid * 2, sz="0.001", reduce=True, trigger=("tp", book.bid * 2, True)),
        wire(is_buy=False, px=50_000, sz="0.001", reduce=True, trigger=("sl", book.bid - 1, True)),
    )
    statuses = player.order(wire(px=book.ask, sz="0.001"), *children, grouping="normalTpsl")
    assert ["waitingForTrigger"] * 2 == statuses[1:]
    stop, profit = player.exchange.frontend_open_orders(player.user, player.venue.now)
    assert ("Stop Market", f"Price below {book.bid - 1}") == (stop["orderType"], stop["triggerCondition"])
    assert ("Take Profit Market", f"Price above {book.bid * 2}") == (
        profit["orderType"],
        profit["triggerCondition"],
    )
    until(player, stop["oid"])
    assert ["open", "triggered", "filled"] == player.statuses_of(stop["oid"])
    assert ["open", "siblingFilledCanceled"] == player.statuses_of(profit["oid"])
    assert [] == player.state()["assetPositions"]


def test_children_of_a_resting_order_go_with_it(player: Player) -> None:
    """They are not open before their parent is filled, and canceled with it."""
    book = Book(player.venue)
    stop = wire(is_buy=False, px=50_000, sz="0.001", reduce=True, trigger=("sl", book.bid - 1000, True))
    statuses = player.order(wire(px=book.bid - 500, sz="0.001"), stop, grouping="normalTpsl")
    parent = statuses[0]["resting"]["oid"]
    assert "waitingForFill" == statuses[1]
    assert [parent] == player.open_oids()
    player.done({"type": "cancel", "cancels": [{"a": BTC, "o": parent}]})
    assert [] == player.open_oids()
    assert ["canceled"] == player.statuses_of(parent + 1)


def test_refused_parent_refuses_its_children(player: Player) -> None:
    """With the same words."""
    stop = wire(is_buy=False, px=50_000, sz="0.001", reduce=True, trigger=("sl", 60_000, True))
    statuses = player.order(wire(px="100000.5", sz="0.001"), stop, grouping="normalTpsl")
    assert [{"error": "Price must be divisible by tick size. asset=0"}] * 2 == statuses


def test_stop_of_a_position_closes_all_of_it(player: Player) -> None:
    """Whatever its size is by then."""
    book = Book(player.venue)
    player.one(wire(px=book.ask, sz="0.001", tif="Ioc"))
    stop = wire(is_buy=False, px=50_000, sz="0", reduce=True, trigger=("sl", book.bid - 1, True))
    assert ["waitingForTrigger"] == player.order(stop, grouping="positionTpsl")
    [oid] = player.open_oids()
    player.one(wire(px=book.ask + 100, sz="0.001", tif="Ioc"))
    until(player, oid)
    assert [] == player.state()["assetPositions"]
    newest = player.exchange.fills(player.user, player.venue.now)[0]
    assert (oid, "Close Long") == (newest["oid"], newest["dir"])


def test_reduce_only_orders_end_with_the_position(player: Player) -> None:
    """An order that could only reduce is canceled when there is nothing left to reduce."""
    book = Book(player.venue)
    player.one(wire(px=book.ask, sz="0.001", tif="Ioc"))
    oid = player.one(wire(is_buy=False, px=book.ask + 5000, sz="0.005", reduce=True))["resting"]["oid"]
    assert "0.001" == player.exchange.open_orders(player.user, player.venue.now)[0]["sz"]
    player.one(wire(is_buy=False, px=book.bid - 100, sz="0.001", tif="Ioc"))
    assert [] == player.open_oids()
    assert ["open", "reduceOnlyCanceled"] == player.statuses_of(oid)


def test_scheduled_cancel_cancels_everything_at_its_time(player: Player) -> None:
    """Set anew it counts from then, taken back it never comes; it must lie five seconds ahead."""
    book = Book(player.venue)
    oids = [player.one(wire(px=book.bid - 5000, sz="0.001"))["resting"]["oid"] for _ in range(2)]

    def schedule(seconds: float | None) -> Any:
        action: dict[str, Any] = {"type": "scheduleCancel"}
        if seconds is not None:
            action["time"] = player.venue.engine.market.milliseconds(player.venue.now + seconds)
        return player.act(action)

    assert "err" == schedule(4)["status"]
    assert {"status": "ok", "response": {"type": "default"}} == schedule(6)
    schedule(None)
    player.venue.advance(7)
    assert 2 == len(player.open_oids())
    schedule(6)
    player.venue.advance(5.9)
    assert 2 == len(player.open_oids())
    player.venue.advance(0.2)
    assert [] == player.open_oids()
    assert ["scheduledCancel"] * 2 == [player.statuses_of(oid)[-1] for oid in oids]


def test_spot_orders_move_tokens(player: Player) -> None:
    """A purchase pays its fee in what is bought, a sale in USDC; a resting order holds its money."""
    book = Book(player.venue, "PURR/USDC")
    usdc, purr = Decimal(100_000), Decimal(1000)
    bought = player.one(wire(PURR, px=book.ask, sz="100", tif="Ioc"))["filled"]
    fill = player.exchange.fills(player.user, player.venue.now)[0]
    assert ("PURR/USDC", "Buy", "PURR", "1000.0") == tuple(
        fill[name] for name in ("coin", "dir", "feeToken", "startPosition")
    )
    size = Decimal(bought["totalSz"])
    assert usdc - size * Decimal(bought["avgPx"]) == player.balance("USDC")
    assert purr + size - Decimal(fill["fee"]) == player.balance("PURR")
    assert "resting" in player.one(wire(PURR, is_buy=False, px="1.2", sz="50"))
    balances = player.exchange.spot_state(player.user, player.venue.now)["balances"]
    assert "50.0" == next(one["hold"] for one in balances if one["coin"] == "PURR")
    assert "resting" in player.one(wire(PURR, px="0.5", sz="190000"))
    assert {"error": "Insufficient spot balance asset=10000"} == player.one(wire(PURR, px="0.5", sz="10000"))


def test_builders_dex_has_its_own_numbers_and_money(player: Player) -> None:
    """`xyz:SP500` is asset 110000, and its position is in its own dex only."""
    book = Book(player.venue, "xyz:SP500")
    status = player.one(wire(110_000, px=book.ask, sz="0.1", tif="Ioc"))
    assert "filled" in status
    assert [] == player.state()["assetPositions"]
    assert "xyz:SP500" == player.state("xyz")["assetPositions"][0]["position"]["coin"]


def test_builder_takes_a_fee_only_when_it_is_approved(player: Player, other: Player) -> None:
    """In tenths of a basis point, as part of the fee."""
    book = Book(player.venue)
    builder = {"b": other.user, "f": 10}
    order = {"type": "order", "orders": [wire(px=book.ask, sz="0.01")], "grouping": "na", "builder": builder}
    assert {"status": "err", "response": "Builder fee has not been approved."} == player.act(order)
    approval = {"type": "approveBuilderFee", "maxFeeRate": "0.01%", "builder": other.user}
    assert "ok" == player.send(player.user_signed(signing.sign_approve_builder_fee, approval))["status"]
    assert 10 == player.exchange.max_builder_fee(player.user, other.user)
    assert "ok" == player.act(order)["status"]
    fill = player.exchange.fills(player.user, player.venue.now)[0]
    value = Decimal(fill["px"]) * Decimal(fill["sz"])
    assert value * Decimal("0.0001") == Decimal(fill["builderFee"])
    assert abs(value * Decimal("0.00055") - Decimal(fill["fee"])) < Decimal("0.000001")


def test_isolated_position_has_margin_of_its_own(player: Player) -> None:
    """Bound by the leverage, movable, given back when the position is closed."""
    player.done({"type": "updateLeverage", "asset": BTC, "isCross": False, "leverage": 10})
    book = Book(player.venue)
    before = Decimal(player.state()["withdrawable"])
    player.one(wire(px=book.ask, sz="0.01", tif="Ioc"))
    position = player.state()["assetPositions"][0]["position"]
    assert ("isolated", 10) == (position["leverage"]["type"], position["leverage"]["value"])
    spread = (book.ask - book.bid) * Decimal("0.01")
    assert book.ask * Decimal("0.001") - spread == Decimal(position["marginUsed"])
    player.done({"type": "updateIsolatedMargin", "asset": BTC, "isBuy": True, "ntli": 50_000_000})
    used = Decimal(player.state()["assetPositions"][0]["position"]["marginUsed"])
    assert Decimal(50) == used - Decimal(position["marginUsed"])
    player.done({"type": "topUpIsolatedOnlyMargin", "asset": BTC, "leverage": "5"})
    used = Decimal(player.state()["assetPositions"][0]["position"]["marginUsed"])
    assert book.bid * Decimal("0.002") == used
    refused = player.act({"type": "updateLeverage", "asset": BTC, "isCross": True, "leverage": 10})
    assert "Cannot switch leverage type with open position." == refused["response"]
    player.one(wire(is_buy=False, px=book.bid, sz="0.01", tif="Ioc", reduce=True))
    cost = spread + (book.ask + book.bid) * Decimal("0.01") * Decimal("0.00045")
    assert abs(before - cost - Decimal(player.state()["withdrawable"])) < Decimal("0.000001")


def test_leverage_shows_and_has_a_ceiling(player: Player) -> None:
    """`activeAssetData` follows; more than the coin allows is refused."""
    player.done({"type": "updateLeverage", "asset": BTC, "isCross": True, "leverage": 3})
    data = player.exchange.active_asset_data(player.user, player.venue.now, "BTC")
    assert {"type": "cross", "value": 3} == data["leverage"]
    assert ["100000.0", "100000.0"] == data["availableToTrade"]
    refused = player.act({"type": "updateLeverage", "asset": BTC, "isCross": True, "leverage": 41})
    assert {"status": "err", "response": "Invalid leverage value"} == refused


def test_orders_bind_margin(player: Player) -> None:
    """A second order must be paid from what the first has left, although neither is filled."""
    player.done({"type": "updateLeverage", "asset": BTC, "isCross": True, "leverage": 1})
    assert "resting" in player.one(wire(px=90_000, sz="1"))
    assert "10000.0" == player.state()["withdrawable"]
    assert "error" in player.one(wire(px=90_000, sz="0.2"))
    assert "resting" in player.one(wire(px=90_000, sz="0.1"))
