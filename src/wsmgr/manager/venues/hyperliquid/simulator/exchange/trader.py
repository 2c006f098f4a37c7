"""Trader: one account that acts. Its money, positions, orders and histories, and the arithmetic of a fill.

Cash is counted as the venue does: buying a perp takes price times size out of the account's raw dollars, selling puts
it in, so that the account's value is its raw dollars plus its positions at the mark price. An isolated position has
raw dollars of its own, moved there when it grows and back when it shrinks.

A history keeps its newest items: a page of them; of those that are asked for by time, in pages, as many as the venue
has of fills (source: its page "Info endpoint").

Left out: funding payments and liquidations. An account that acts is charged fees, and nothing else happens to it.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal

import attrs

from wsmgr.manager.venues.hyperliquid.simulator.accounts import Item
from wsmgr.manager.venues.hyperliquid.simulator.coins import DEXES, Coin
from wsmgr.manager.venues.hyperliquid.simulator.exchange.amounts import ZERO
from wsmgr.manager.venues.hyperliquid.simulator.exchange.assets import STAKED, USDC, base_of
from wsmgr.manager.venues.hyperliquid.simulator.exchange.happenings import Happenings
from wsmgr.manager.venues.hyperliquid.simulator.exchange.orders import Order

KEPT_ITEMS = 2000
KEPT_PAGED = 10_000
START_PERP_USD = Decimal(100_000)
START_SPOT = {USDC: Decimal(100_000), "PURR": Decimal(1000), STAKED: Decimal(1000)}
USUAL_LEVERAGE = 20


@attrs.define
class Leverage:
    """How one coin is traded: with all the account's money or with an isolated part of it."""

    is_cross: bool
    value: int


@attrs.define
class Position:
    """A position in a perp.

    Attributes:
        coin: In what.
        size: Negative when short.
        entry: Its average price.
        isolated_usd: Its own raw dollars; None for one that shares the account's.
    """

    coin: Coin
    size: Decimal = ZERO
    entry: Decimal = ZERO
    isolated_usd: Decimal | None = None


@attrs.frozen
class Booked:
    """What a fill did to an account.

    Attributes:
        start: The position, or the balance of the token, before it.
        closed_pnl: The profit that it made sure.
        direction: The venue's words for it: `Open Long`, `Sell` ...
    """

    start: Decimal
    closed_pnl: Decimal
    direction: str


def _history() -> deque[Item]:
    return deque(maxlen=KEPT_ITEMS)


def _paged_history() -> deque[Item]:
    return deque(maxlen=KEPT_PAGED)


@attrs.define(eq=False)
class Trader:
    """One account.

    Attributes:
        user: Its address, lower case.
        usd: Raw dollars of each dex, those of isolated positions apart.
        spot: Spot balances by token.
        spot_cost: What was paid for the spot balances.
        staked: The staking account: what is not delegated.
        delegations: What is delegated, by validator, and until when it is locked (Unix milliseconds).
        unstaking: What is on its way from the staking account to spot, and when it is there (Unix milliseconds).
        positions: By coin.
        leverages: By coin, where it was set.
        orders: Those that are not done, by oid.
        known_orders: Every order by oid.
        cloids: The newest order of each cloid.
        order_history: As in `userHistoricalOrders`, oldest first, like all histories.
        volume: Dollars traded.
        requests: Actions sent.
        reserved: Actions bought.
        told_at: When its watchers last heard something, seconds on the simulator's clock.
        pending: What happened and was not told yet.
    """

    user: str
    usd: dict[str, Decimal] = attrs.field(factory=lambda: dict.fromkeys(DEXES, START_PERP_USD))
    spot: dict[str, Decimal] = attrs.field(factory=lambda: dict(START_SPOT))
    spot_cost: dict[str, Decimal] = attrs.field(factory=dict[str, Decimal])
    staked: Decimal = ZERO
    delegations: dict[str, tuple[Decimal, int]] = attrs.field(factory=dict[str, tuple[Decimal, int]])
    unstaking: list[tuple[Decimal, int]] = attrs.field(factory=list[tuple[Decimal, int]])
    positions: dict[str, Position] = attrs.field(factory=dict[str, Position])
    leverages: dict[str, Leverage] = attrs.field(factory=dict[str, Leverage])
    orders: dict[int, Order] = attrs.field(factory=dict[int, "Order"])
    known_orders: dict[int, Order] = attrs.field(factory=dict[int, "Order"])
    cloids: dict[str, Order] = attrs.field(factory=dict[str, "Order"])
    order_history: deque[Item] = attrs.field(factory=_history)
    fills: deque[Item] = attrs.field(factory=_paged_history)
    twap_slice_fills: deque[Item] = attrs.field(factory=_history)
    twap_history: deque[Item] = attrs.field(factory=_history)
    fundings: deque[Item] = attrs.field(factory=_paged_history)
    ledger: deque[Item] = attrs.field(factory=_paged_history)
    staking_history: deque[Item] = attrs.field(factory=_history)
    volume: Decimal = ZERO
    requests: int = 0
    reserved: int = 0
    told_at: float = 0.0
    pending: Happenings = attrs.field(factory=Happenings)

    def leverage(self, coin: Coin) -> Leverage:
        """How a coin is traded: cross, at 20 or the coin's most, until it is changed."""
        return self.leverages.get(coin.name) or Leverage(
            is_cross=True, value=min(USUAL_LEVERAGE, coin.max_leverage)
        )

    def size_of(self, coin: Coin) -> Decimal:
        """The position in a perp, or the balance of a spot pair's base token."""
        if coin.kind == "spot":
            return self.spot.get(base_of(coin), ZERO)
        position = self.positions.get(coin.name)
        return position.size if position is not None else ZERO

    def note(self, delta: Item, *, ms: int, hash: str) -> None:
        """Write a movement of money into the ledger."""
        self.pending.ledger.append({"time": ms, "hash": hash, "delta": delta})
        self.pending.changed = True

    def take_happenings(self) -> Happenings:
        """What happened since this was last asked; it goes into the histories."""
        happened, self.pending = self.pending, Happenings()
        self.order_history.extend(happened.historical_orders)
        self.fills.extend(happened.fills)
        self.twap_slice_fills.extend(happened.twap_slice_fills)
        self.twap_history.extend(happened.twap_events)
        self.ledger.extend(happened.ledger)
        return happened

    def book(self, coin: Coin, *, is_buy: bool, price: Decimal, size: Decimal, fee: Decimal) -> Booked:
        """Book a fill; its fee is in USDC, but of a spot purchase in the token that was bought."""
        self.volume += price * size
        self.pending.changed = True
        if coin.kind == "spot":
            return self._book_spot(coin, is_buy=is_buy, price=price, size=size, fee=fee)
        self.usd[coin.dex] -= fee
        return self._book_perp(coin, size if is_buy else -size, price)

    def _book_spot(self, coin: Coin, *, is_buy: bool, price: Decimal, size: Decimal, fee: Decimal) -> Booked:
        token = base_of(coin)
        start, cost = self.spot.get(token, ZERO), self.spot_cost.get(token, ZERO)
        if is_buy:
            self.spot[token] = start + size - fee
            self.spot[USDC] -= price * size
            self.spot_cost[token] = cost + price * size
            return Booked(start, ZERO, "Buy")
        sold = cost * size / start
        self.spot[token] = start - size
        self.spot[USDC] += price * size - fee
        self.spot_cost[token] = cost - sold
        return Booked(start, price * size - sold if cost else ZERO, "Sell")

    def _book_perp(self, coin: Coin, change: Decimal, price: Decimal) -> Booked:
        position = self.positions.setdefault(coin.name, Position(coin))
        start = position.size
        closed = min(abs(start), abs(change)) if start * change < 0 else ZERO
        pnl = (price - position.entry) * closed * (1 if start > 0 else -1)
        opened = abs(change) - closed
        self._move_margin(position, change, price, closed=closed, opened=opened)
        end = start + change
        if opened:
            kept = abs(start) if not closed else ZERO
            position.entry = (position.entry * kept + price * opened) / (kept + opened)
        position.size = end
        if not end:
            del self.positions[coin.name]
        return Booked(start, pnl, _direction(start, end))

    def _move_margin(
        self, position: Position, change: Decimal, price: Decimal, *, closed: Decimal, opened: Decimal
    ) -> None:
        """Pay for the fill, from the position's own dollars where it is isolated."""
        dex, leverage = position.coin.dex, self.leverage(position.coin)
        if not position.size and not leverage.is_cross:
            position.isolated_usd = ZERO
        if position.isolated_usd is None:
            self.usd[dex] -= change * price
            return
        own = position.isolated_usd
        if closed:
            equity = own + position.size * price
            released = equity * closed / abs(position.size)
            self.usd[dex] += released
            own -= released
        margin = opened * price / leverage.value
        self.usd[dex] -= margin
        position.isolated_usd = own + margin - change * price


def _direction(start: Decimal, end: Decimal) -> str:
    if start * end < 0:
        return "Long > Short" if start > 0 else "Short > Long"
    side = start or end
    return f"{'Open' if abs(end) > abs(start) else 'Close'} {'Long' if side > 0 else 'Short'}"
