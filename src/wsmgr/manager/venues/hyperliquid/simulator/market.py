"""The market: per coin an order book that walks and the trades that made it move.

Pure: no clock, no I/O. Time is a step number; a coin is brought to a step by :meth:`CoinMarket.advance`. The walk of a
coin is a function of the seed, its name and the number of steps made, so two simulators with one seed that are asked
the same things show the same market.

Invariants after each step: both sides hold `DEPTH` levels, bids fall and asks rise strictly, the best bid is below the
best ask, every price and size is at least one unit.

A coin steps only while someone looks at it. One that was left alone makes up for at most `CATCH_UP` steps: enough for
the trades of a short absence to have happened, cheap enough to be done at once.
"""

from __future__ import annotations

import math
import random
from collections import deque

import attrs

from wsmgr.manager.venues.hyperliquid.simulator.coins import Coin, universe
from wsmgr.manager.venues.hyperliquid.simulator.wire_numbers import address, decimal

DEPTH = 24
CATCH_UP = 1000
PAST_TRADES = 30
_KEPT_TRADES = 4000
_TRADERS = 40
_LOTS_OF_NOTIONAL = 2000.0
_TID_BITS = 50
_PAST_SPACING = 7.0


@attrs.frozen
class Trade:
    """One trade: the step it happened in, its time (seconds after the start of the market) and its fields in units."""

    step: int
    time: float
    price: int
    size: int
    is_buy: bool
    tid: int
    hash: str
    buyer: str
    seller: str


class Side:
    """One side of a book: its levels from the best outwards, and each level's text ready for the wire."""

    __slots__ = ("coin", "counts", "direction", "prices", "sizes", "texts")

    def __init__(self, coin: Coin, direction: int) -> None:
        self.coin = coin
        self.direction = direction
        self.prices: list[int] = []
        self.sizes: list[int] = []
        self.counts: list[int] = []
        self.texts: list[str] = []

    def insert(self, at: int, price: int, size: int, count: int) -> None:
        """Put a level in at a position."""
        self.prices.insert(at, price)
        self.sizes.insert(at, size)
        self.counts.insert(at, count)
        self.texts.insert(at, self._text(price, size, count))

    def resize(self, at: int, size: int, count: int) -> None:
        """Give a level another size."""
        self.sizes[at] = size
        self.counts[at] = count
        self.texts[at] = self._text(self.prices[at], size, count)

    def pop(self, at: int) -> None:
        """Take a level out."""
        for column in (self.prices, self.sizes, self.counts, self.texts):
            del column[at]

    def _text(self, price: int, size: int, count: int) -> str:
        px = decimal(price, self.coin.price_decimals)
        return f'{{"px":"{px}","sz":"{decimal(size, self.coin.size_decimals)}","n":{count}}}'


class CoinMarket:
    """The market of one coin.

    Attributes:
        coin: The instrument.
        steps: How many steps were made; whoever caches a text of this coin compares it.
        bids: The buying side.
        asks: The selling side.
        trades: The newest trades, oldest first.
    """

    def __init__(self, coin: Coin, *, seed: int, interval: float, trade_chance: float) -> None:
        self.coin = coin
        self.steps = 0
        self.bids = Side(coin, -1)
        self.asks = Side(coin, 1)
        self.trades: deque[Trade] = deque(maxlen=_KEPT_TRADES)
        self._step: int | None = None
        self._interval = interval
        self._trade_chance = trade_chance
        self._random = random.Random(f"{seed}:{coin.name}")  # noqa: S311  # a market, not a secret
        price = coin.price / 10**coin.price_decimals
        self._lot = max(1, round(_LOTS_OF_NOTIONAL / price * 10**coin.size_decimals))
        self._gap = max(1, coin.price // 20_000)
        self._fill_book()

    @property
    def mid(self) -> str:
        """The middle between best bid and best ask, as the venue writes it."""
        return decimal((self.bids.prices[0] + self.asks.prices[0]) * 5, self.coin.price_decimals + 1)

    @property
    def mark(self) -> str:
        """The mark price: the best bid."""
        return decimal(self.bids.prices[0], self.coin.price_decimals)

    def advance(self, step: int, *, at_most: int = CATCH_UP) -> None:
        """Bring the market to a step; a step in the past changes nothing.

        Args:
            step: The step to reach.
            at_most: How many steps may be made; those before them are left out.
        """
        if self._step is None:
            self._make_past(step)
            self._step = step
        if step <= self._step:
            return
        for made in range(max(self._step + 1, step - at_most + 1), step + 1):
            self._make_step(made)
        self._step = step

    def trades_of(self, step: int) -> list[Trade]:
        """The trades that happened in one step."""
        found: list[Trade] = []
        for trade in reversed(self.trades):
            if trade.step < step:
                break
            if trade.step == step:
                found.append(trade)
        return found[::-1]

    def _size(self) -> int:
        return max(1, int(self._lot * self._random.random() ** 3 * 4))

    def _fill_book(self) -> None:
        for side in (self.bids, self.asks):
            price = self.coin.price + (1 if side.direction > 0 else 0)
            for at in range(DEPTH):
                side.insert(at, price, self._size(), 1 + at % 3)
                price += side.direction * (1 + int(self._random.random() * self._gap))

    def _make_past(self, step: int) -> None:
        """The trades that a first subscriber finds: before its step, some seconds apart."""
        now = step * self._interval
        for back in range(PAST_TRADES, 0, -1):
            self._trade(step - 1, now - back * _PAST_SPACING)

    def _make_step(self, step: int) -> None:
        draw = self._random.random
        pull = (self.coin.price - self.bids.prices[0]) / self.coin.price
        trades = draw() < self._trade_chance
        if trades:
            self._trade(step, step * self._interval)
        if draw() < 0.3:  # noqa: PLR2004  # about every third step moves the price
            self._move(up=draw() < 0.5 + pull * 5)
        for side in (self.bids, self.asks):
            self._change(side, 0)
            self._change(side, 1 + int(draw() * (DEPTH - 1)))
        self.steps += 1

    def _change(self, side: Side, at: int) -> None:
        """A level's size changes for certain: the best bid and offer differ after every step."""
        size = self._size()
        side.resize(at, size if size != side.sizes[at] else size + 1, 1 + int(self._random.random() * 4))

    def _move(self, *, up: bool) -> None:
        """The best level of one side is used up, and the other side follows into the space."""
        taken, follows = (self.asks, self.bids) if up else (self.bids, self.asks)
        if not up and self.bids.prices[DEPTH - 1] <= self._gap + 1:
            return
        taken.pop(0)
        taken.insert(DEPTH - 1, taken.prices[-1] + taken.direction * self._step_out(), self._size(), 1)
        room = abs(
            taken.prices[0] - follows.prices[0]
        )  # at least two ticks: the old spread and a step between levels
        follows.insert(0, follows.prices[0] - follows.direction * self._step_in(room), self._size(), 1)
        follows.pop(DEPTH)

    def _step_out(self) -> int:
        return 1 + int(self._random.random() * self._gap)

    def _step_in(self, room: int) -> int:
        return 1 + int(self._random.random() * (room - 1))

    def _trade(self, step: int, time: float) -> None:
        is_buy = self._random.random() < 0.5  # noqa: PLR2004  # a fair coin
        side = self.asks if is_buy else self.bids
        bits = self._random.getrandbits
        self.trades.append(
            Trade(
                step,
                time,
                side.prices[0],
                max(1, int(side.sizes[0] * self._random.random())),
                is_buy,
                (1 << 33) + bits(_TID_BITS - 1),
                f"0x{bits(256):064x}",
                _TRADER_ADDRESSES[bits(16) % _TRADERS],
                _TRADER_ADDRESSES[bits(16) % _TRADERS],
            )
        )


class Market:
    """All coins, made when they are first asked for.

    Attributes:
        seed: What the walk is drawn from.
        interval: Seconds a step.
        started_at: Unix time of step 0, seconds.
    """

    def __init__(self, *, seed: int, interval: float, started_at: float, trade_chance: float = 1.0) -> None:
        self.seed = seed
        self.interval = interval
        self.started_at = started_at
        self._trade_chance = trade_chance
        self._coins: dict[str, CoinMarket] = {}

    def coin(self, name: str) -> CoinMarket:
        """The market of a coin.

        Raises:
            KeyError: No such coin.
        """
        market = self._coins.get(name)
        if market is None:
            market = self._coins[name] = CoinMarket(
                universe()[name], seed=self.seed, interval=self.interval, trade_chance=self._trade_chance
            )
        return market

    def at(self, name: str, time: float) -> CoinMarket:
        """The market of a coin, brought to a time (seconds after the start)."""
        market = self.coin(name)
        market.advance(self.step_of(time))
        return market

    def step_of(self, time: float) -> int:
        """The step that a time (seconds after the start) lies in."""
        return math.floor(time / self.interval + 1e-6)

    def milliseconds(self, time: float) -> int:
        """Unix milliseconds of a time (seconds after the start)."""
        return round((self.started_at + time) * 1000)

    def nudge(self, time: float, count: int) -> list[CoinMarket]:
        """Let some coins, drawn by the step, make one step: what moves in streams of all coins. Returns them."""
        step = self.step_of(time)
        names = random.Random(f"{self.seed}:{step}").sample(_NAMES, count)  # noqa: S311  # a market, not a secret
        moved = [self.coin(name) for name in names]
        for market in moved:
            market.advance(step, at_most=1)
        return moved


_TRADER_ADDRESSES = tuple(address(f"trader {number}") for number in range(_TRADERS))
_NAMES = tuple(universe())
