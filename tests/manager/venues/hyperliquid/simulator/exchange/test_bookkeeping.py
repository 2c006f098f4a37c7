"""Bookkeeping: whatever an account does, its fills explain its positions and its money."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import BTC, ETH, Book, Player, wire

if TYPE_CHECKING:
    from collections.abc import Callable

COINS = {BTC: "BTC", ETH: "ETH"}
STEPS = st.lists(
    st.tuples(
        st.sampled_from(sorted(COINS)),
        st.booleans(),
        st.integers(-30, 30),
        st.integers(1, 400),
        st.sampled_from(["Gtc", "Ioc", "Alo"]),
        st.booleans(),
        st.sampled_from([0.0, 0.1, 2.0]),
    ),
    max_size=12,
)


@pytest.mark.parametrize("is_cross", [True, False])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_fills_explain_positions_and_money(
    make_venue: Callable[..., Any], is_cross: bool, steps: list[tuple[Any, ...]]
) -> None:
    """Position: the sum of the fills. Value: what was there, and each fill at its price, less the fees."""
    venue = make_venue()
    player = Player(venue, 1)
    player.state()
    for asset in COINS:
        player.done({"type": "updateLeverage", "asset": asset, "isCross": is_cross, "leverage": 10})
    for asset, is_buy, ticks, lots, tif, reduce, pause in steps:
        book = Book(venue, COINS[asset], deep=False)
        price = book.bid + ticks * book.tick
        size = Decimal(lots).scaleb(-book.market.coin.size_decimals)
        player.one(wire(asset, is_buy=is_buy, px=price, sz=size, tif=tif, reduce=reduce))
        venue.advance(pause)
    fills = player.exchange.fills(player.user, venue.now)
    held = dict.fromkeys(COINS.values(), Decimal(0))
    money = Decimal(100_000)
    for fill in fills:
        size = Decimal(fill["sz"]) * (1 if fill["side"] == "B" else -1)
        held[fill["coin"]] += size
        money -= size * Decimal(fill["px"]) + Decimal(fill["fee"])
    shown = {
        one["position"]["coin"]: Decimal(one["position"]["szi"]) for one in player.state()["assetPositions"]
    }
    assert {coin: size for coin, size in held.items() if size} == shown
    value = money + sum(size * Book(venue, coin, deep=False).bid for coin, size in held.items())
    assert abs(value - Decimal(player.state()["marginSummary"]["accountValue"])) < Decimal("0.0001")
    assert len(fills) == len({fill["tid"] for fill in fills})


def test_fills_of_an_account_that_acts_come_in_more_than_one_page(player: Player) -> None:
    """Of its changes of orders, which are not asked for by time, a page is kept."""
    for _ in range(22):
        player.venue.advance(0.1)
        book = Book(player.venue)
        for is_buy, price in ((True, book.ask), (False, book.bid)):
            player.order(*[wire(is_buy=is_buy, px=price, sz="0.001")] * 50)
    question = {"type": "userFillsByTime", "user": player.user}
    info = player.venue.engine.info
    first = info.info({**question, "startTime": 0}, player.venue.now)
    second = info.info({**question, "startTime": first[-1]["time"] + 1}, player.venue.now)
    assert (2000, 200) == (len(first), len(second))
    assert 2200 == len({fill["tid"] for fill in first + second})
    changes = info.info({"type": "historicalOrders", "user": player.user}, player.venue.now)
    assert 2000 == len(changes)
