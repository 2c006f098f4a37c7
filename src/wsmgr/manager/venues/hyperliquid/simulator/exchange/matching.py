"""Matching: what the simulated book gives an order. Pure: reads a coin's market, changes nothing.

The accounts trade against the market and not with each other. The book shows none of their orders and the public
trades none of their fills: what a level holds is there for everyone, once a step of the market.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.exchange.amounts import ZERO
from wsmgr.manager.venues.hyperliquid.simulator.exchange.assets import price_of, size_of

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator.market import CoinMarket, Side

_HUNDRED_THOUSANDTH = Decimal("0.00001")
PERP_TAKER, PERP_MAKER = 45 * _HUNDRED_THOUSANDTH, 15 * _HUNDRED_THOUSANDTH
SPOT_TAKER, SPOT_MAKER = 70 * _HUNDRED_THOUSANDTH, 40 * _HUNDRED_THOUSANDTH


def taken(
    market: CoinMarket, *, is_buy: bool, limit: Decimal, size: Decimal
) -> list[tuple[Decimal, Decimal]]:
    """What an order takes at once: price and size of each level, best first; together at most `size`."""
    found: list[tuple[Decimal, Decimal]] = []
    for price, held in _levels(market.asks if is_buy else market.bids):
        if size <= ZERO or (price > limit if is_buy else price < limit):
            break
        found.append((price, min(size, held)))
        size -= held
    return found


def best_prices(market: CoinMarket) -> tuple[Decimal, Decimal]:
    """The best bid and the best ask."""
    return price_of(market.coin, market.bids.prices[0]), price_of(market.coin, market.asks.prices[0])


def mark_price(market: CoinMarket) -> Decimal:
    """What positions are valued at and triggers compare with."""
    return price_of(market.coin, market.bids.prices[0])


def fee_rate(market: CoinMarket, *, is_taker: bool) -> Decimal:
    """The share of a fill's value that it costs. Source: the venue's fees of its lowest tier."""
    if market.coin.kind == "spot":
        return SPOT_TAKER if is_taker else SPOT_MAKER
    return PERP_TAKER if is_taker else PERP_MAKER


def _levels(side: Side) -> list[tuple[Decimal, Decimal]]:
    return [
        (price_of(side.coin, price), size_of(side.coin, size))
        for price, size in zip(side.prices, side.sizes, strict=True)
    ]
