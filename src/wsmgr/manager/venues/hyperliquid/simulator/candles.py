"""Candles: the bar of an interval, built from a coin's trades."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.wire_numbers import decimal

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator.market import CoinMarket, Trade

_UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
_FIRST_MONDAY_MS = 4 * 86_400_000
_DECEMBER = 12


def bar_bounds(interval: str, time_ms: int) -> tuple[int, int]:
    """First and last millisecond of the bar that a time lies in. Weeks begin on Monday, months on their first day."""
    if interval == "1M":
        start = datetime.fromtimestamp(time_ms / 1000, UTC).replace(
            day=1, hour=0, minute=0, second=0, microsecond=0
        )
        later = start.replace(year=start.year + start.month // _DECEMBER, month=start.month % _DECEMBER + 1)
        return round(start.timestamp() * 1000), round(later.timestamp() * 1000) - 1
    length = int(interval[:-1]) * _UNITS[interval[-1]]
    offset = _FIRST_MONDAY_MS if interval.endswith("w") else 0
    first = (time_ms - offset) // length * length + offset
    return first, first + length - 1


class Candle:
    """The current bar of one coin and interval.

    A bar that begins while the simulator runs holds all its trades; the first one begins with the trades that the
    coin remembers.
    """

    def __init__(self, market: CoinMarket, interval: str, started_at: float) -> None:
        self._market = market
        self._interval = interval
        self._started_at = started_at
        self._first = self._last = 0
        self._open = self._close = self._high = self._low = self._volume = self._count = 0
        self._seen: Trade | None = None
        self.fold()

    def fold(self) -> bool:
        """Take in the trades since the last time; whether there were any."""
        fresh: list[Trade] = []
        for trade in reversed(self._market.trades):
            if trade is self._seen:
                break
            fresh.append(trade)
        for trade in reversed(fresh):
            self._add(trade)
        return bool(fresh)

    @property
    def text(self) -> str:
        """The bar as the JSON of a `candle` frame's data."""
        coin = self._market.coin
        prices = (self._open, self._close, self._high, self._low)
        o, c, h, l = (decimal(price, coin.price_decimals) for price in prices)  # noqa: E741  # the venue's names
        return (
            f'{{"t":{self._first},"T":{self._last},"s":"{coin.name}","i":"{self._interval}","o":"{o}","c":"{c}",'
            f'"h":"{h}","l":"{l}","v":"{decimal(self._volume, coin.size_decimals)}","n":{self._count}}}'
        )

    def _add(self, trade: Trade) -> None:
        time_ms = round((self._started_at + trade.time) * 1000)
        if not self._first <= time_ms <= self._last:
            self._first, self._last = bar_bounds(self._interval, time_ms)
            self._open = self._high = self._low = trade.price
            self._volume = self._count = 0
        self._close = trade.price
        self._high = max(self._high, trade.price)
        self._low = min(self._low, trade.price)
        self._volume += trade.size
        self._count += 1
        self._seen = trade
