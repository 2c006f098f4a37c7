"""Candles: the bars of an interval, built from a coin's trades.

The stream `candle` and the question `candleSnapshot` read the same bars: one history for each coin's market, made of
bars of a minute. A bar that begins while the simulator runs holds all its trades, as long as somebody looks at least
every few thousand of them; the first bars hold the trades that the coin remembers. Bars before those are drawn from the
coin's name and their time, so that whoever asks for last week gets a chart, and the same one each time.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import attrs
import msgspec

from wsmgr.manager.venues.hyperliquid.simulator.wire_numbers import Dice, decimal

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator.coins import Coin
    from wsmgr.manager.venues.hyperliquid.simulator.market import CoinMarket, Trade

_UNITS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 7 * 86_400_000}
_FIRST_MONDAY_MS = 4 * 86_400_000
_DECEMBER = 12
_MINUTE = "1m"
_STEADINESS = 50_000


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
    """The current bar of one coin and interval, as one stream shows it."""

    def __init__(self, market: CoinMarket, interval: str, started_at: float) -> None:
        self._market = market
        self._interval = interval
        self._history = _history_of(market, started_at)
        self._count = 0
        self.fold()

    def fold(self) -> bool:
        """Take in the trades since the last time; whether there were any."""
        self._history.fold(self._market)
        before, self._count = self._count, self._history.count
        return self._count > before

    @property
    def text(self) -> str:
        """The bar as the JSON of a `candle` frame's data."""
        bar = next(reversed(self._history.bars(self._interval).values()))
        shown = bar.as_json(self._market.coin, self._interval)
        return msgspec.json.encode(shown).decode()


def bars(
    market: CoinMarket, interval: str, started_at: float, start_ms: int, until_ms: int, *, at_most: int
) -> list[dict[str, object]]:
    """The bars of a span, the oldest first: those of which any part lies in it.

    Args:
        market: The coin's market, brought to now.
        interval: One of the venue's.
        started_at: Unix time of the market's step 0, seconds.
        start_ms: Where the span begins.
        until_ms: Where it ends; a bar after now does not exist.
        at_most: How many; the newest stay.
    """
    history = _history_of(market, started_at)
    history.fold(market)
    traded = history.bars(interval)
    first_traded = min(traded)
    found: list[dict[str, object]] = []
    first, last = bar_bounds(interval, until_ms)
    while last >= start_ms and last >= 0 and len(found) < at_most:
        bar = traded.get(first) or (
            _drawn(market.coin, interval, first, last) if first < first_traded else None
        )
        if bar is not None:
            found.append(bar.as_json(market.coin, interval))
        first, last = bar_bounds(interval, first - 1)
    return found[::-1]


@attrs.define
class _Bar:
    first: int
    last: int
    open: int
    close: int
    high: int
    low: int
    volume: int = 0
    count: int = 0

    def add(self, later: _Bar) -> None:
        """Take in what came after it."""
        self.close = later.close
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.volume += later.volume
        self.count += later.count

    def as_json(self, coin: Coin, interval: str) -> dict[str, object]:
        return {
            "t": self.first,
            "T": self.last,
            "s": coin.name,
            "i": interval,
            "o": decimal(self.open, coin.price_decimals),
            "c": decimal(self.close, coin.price_decimals),
            "h": decimal(self.high, coin.price_decimals),
            "l": decimal(self.low, coin.price_decimals),
            "v": decimal(self.volume, coin.size_decimals),
            "n": self.count,
        }


class _History:
    """All bars of one coin: those of a minute always, longer ones from when they are first wanted."""

    def __init__(self, started_at: float) -> None:
        self.count = 0
        self._started_at = started_at
        self._seen: Trade | None = None
        self._bars: dict[str, dict[int, _Bar]] = {_MINUTE: {}}

    def fold(self, market: CoinMarket) -> None:
        """Take in the trades since the last time."""
        fresh: list[Trade] = []
        for trade in reversed(market.trades):
            if trade is self._seen:
                break
            fresh.append(trade)
        for trade in reversed(fresh):
            at_ms = round((self._started_at + trade.time) * 1000)
            price = trade.price
            for interval in self._bars:
                self._add(interval, at_ms, _Bar(0, 0, price, price, price, price, trade.size, 1))
        if fresh:
            self._seen = fresh[0]
            self.count += len(fresh)

    def bars(self, interval: str) -> dict[int, _Bar]:
        """The bars of an interval by their first millisecond, the oldest first."""
        if interval not in self._bars:
            self._bars[interval] = {}
            for minute in self._bars[_MINUTE].values():
                self._add(interval, minute.first, minute)
        return self._bars[interval]

    def _add(self, interval: str, at_ms: int, news: _Bar) -> None:
        first, last = bar_bounds(interval, at_ms)
        bar = self._bars[interval].get(first)
        if bar is None:
            self._bars[interval][first] = attrs.evolve(news, first=first, last=last)
        else:
            bar.add(news)


def _history_of(market: CoinMarket, started_at: float) -> _History:
    history = _HISTORIES.get(market)
    if history is None:
        history = _HISTORIES[market] = _History(started_at)
    return history


def _drawn(coin: Coin, interval: str, first: int, last: int) -> _Bar:
    """A bar before all trades; each begins where the one before it ended, whatever their interval."""
    dice = Dice(f"{coin.name}:{interval}:{first}")
    opened, closed = _level(coin, first), _level(coin, last + 1)
    high = max(opened, closed) + dice.below(1 + coin.price // 200)
    low = max(1, min(opened, closed) - dice.below(1 + coin.price // 200))
    return _Bar(first, last, opened, closed, high, low, 1 + dice.below(10**8), 1 + dice.below(10**4))


def _level(coin: Coin, at_ms: int) -> int:
    """A price within two percent of the coin's own."""
    drift = Dice(f"{coin.name}:{at_ms // 60_000}").below(2001) - 1000
    return max(1, coin.price + coin.price * drift // _STEADINESS)


_HISTORIES: WeakKeyDictionary[CoinMarket, _History] = WeakKeyDictionary()
