"""Order books: the JSON of `l2Book` and `bbo` from a coin's market, aggregated or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.wire_numbers import decimal

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator.market import CoinMarket, Side

LEVELS = 20
FAST_LEVELS = 5


def book_text(
    market: CoinMarket,
    time_ms: int,
    *,
    figures: int | None = None,
    mantissa: int | None = None,
    fast: bool = False,
) -> str:
    """The data of an `l2Book` frame.

    Args:
        market: The coin's market.
        time_ms: The venue's time in it.
        figures: Significant figures that prices are rounded to; None leaves every level.
        mantissa: With five figures: the step of the last one.
        fast: Five levels instead of 20, and the mark `"fast":true`.
    """
    count = FAST_LEVELS if fast else LEVELS
    if figures is None:
        sides = [",".join(side.texts[:count]) for side in (market.bids, market.asks)]
        more = ""
    else:
        bucket = bucket_of(market.bids.prices[0], figures, mantissa or 1)
        sides = [_aggregated(side, bucket, count) for side in (market.bids, market.asks)]
        spread = decimal(market.asks.prices[0] - market.bids.prices[0], market.coin.price_decimals)
        more = f',"spread":"{spread}"'
    mark = ',"fast":true' if fast else ""
    return (
        f'{{"coin":"{market.coin.name}","time":{time_ms},"levels":[[{sides[0]}],[{sides[1]}]]{more}{mark}}}'
    )


def bbo_text(market: CoinMarket) -> str:
    """The `bbo` member of a `bbo` frame."""
    return f"[{market.bids.texts[0]},{market.asks.texts[0]}]"


def bucket_of(price: int, figures: int, mantissa: int) -> int:
    """The width, in ticks, of a level whose price keeps some significant figures; at least one tick."""
    return max(1, 10 ** (len(str(price)) - figures) * mantissa) if len(str(price)) >= figures else 1


def _aggregated(side: Side, bucket: int, count: int) -> str:
    """Levels as wide as the bucket: what the book holds in them, and beyond its end a depth that grows with the width.

    A bid's level is named by its lower edge, an ask's by its upper one, so that no level promises a better price than
    the orders in it.
    """
    coin, best = side.coin, side.prices[0]
    edge = best // bucket * bucket if side.direction < 0 else -(-best // bucket) * bucket
    held: dict[int, tuple[int, int]] = {}
    for price, size, orders in zip(side.prices, side.sizes, side.counts, strict=True):
        at = price // bucket if side.direction < 0 else -(-price // bucket)
        before = held.get(at, (0, 0))
        held[at] = before[0] + size, before[1] + orders
    levels: list[str] = []
    for number in range(count):
        price = edge + side.direction * number * bucket
        if price <= 0:
            break
        size, orders = held.get(price // bucket, (0, 0))
        if not size:
            size, orders = side.sizes[number % len(side.sizes)] * (1 + bucket // 10), 2 + number
        px, sz = decimal(price, coin.price_decimals), decimal(size, coin.size_decimals)
        levels.append(f'{{"px":"{px}","sz":"{sz}","n":{orders}}}')
    return ",".join(levels)
