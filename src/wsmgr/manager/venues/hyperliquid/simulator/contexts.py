"""Contexts: what the venue says about a coin besides its book (funding, open interest, mark, oracle ...)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wsmgr.manager.venues.hyperliquid.simulator.wire_numbers import Dice, decimal

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator.market import CoinMarket


OPEN_INTEREST_CAP = 9_950.0


def context(market: CoinMarket) -> dict[str, object]:
    """The context of a coin, as the streams of contexts have it."""
    return _perp_context(market) if market.coin.kind == "perp" else _spot_context(market)


class Contexts:
    """The JSON of each coin's context, made anew only when the coin's market has moved."""

    def __init__(self) -> None:
        self._texts: dict[str, tuple[int, str]] = {}

    def text(self, market: CoinMarket) -> str:
        """The context of a coin as JSON."""
        known = self._texts.get(market.coin.name)
        if known is None or known[0] != market.steps:
            text = msgspec.json.encode(context(market)).decode()
            known = self._texts[market.coin.name] = market.steps, text
        return known[1]


def _perp_context(market: CoinMarket) -> dict[str, object]:
    coin, start = market.coin, Dice(f"context {market.coin.name}")
    decimals = coin.price_decimals
    volume = 100_000 + start.below(10**8) + market.steps * 7
    return {
        "funding": decimal(start.below(2_000_000) - 1_000_000 + market.steps % 100, 10),
        "openInterest": decimal(10_000 + start.below(10**8), 4),
        "prevDayPx": decimal(coin.price * 97 // 100, decimals),
        "dayNtlVlm": decimal(volume * coin.price, decimals + 4),
        "premium": decimal(start.below(20_000_000) - 10_000_000, 10),
        "oraclePx": decimal(market.bids.prices[0] - market.bids.prices[0] // 2000, decimals),
        "markPx": market.mark,
        "midPx": market.mid,
        "impactPxs": [decimal(side.prices[1], decimals) for side in (market.bids, market.asks)],
        "dayBaseVlm": decimal(volume, 4),
    }


def _spot_context(market: CoinMarket) -> dict[str, object]:
    coin, start = market.coin, Dice(f"context {market.coin.name}")
    volume = 1000 + start.below(10**7) + market.steps * 7
    supply = decimal(10**8 + start.below(10**12), 4)
    return {
        "prevDayPx": decimal(coin.price * 97 // 100, coin.price_decimals),
        "dayNtlVlm": decimal(volume * coin.price, coin.price_decimals + 4),
        "markPx": market.mark,
        "midPx": market.mid,
        "circulatingSupply": supply,
        "coin": coin.name,
        "totalSupply": supply,
        "dayBaseVlm": decimal(volume, 4),
    }
