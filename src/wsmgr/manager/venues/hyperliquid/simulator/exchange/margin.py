"""Margin: what an account is worth in a dex, what of it is bound, and what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.exchange.amounts import ZERO
from wsmgr.manager.venues.hyperliquid.simulator.exchange.assets import USDC, base_of
from wsmgr.manager.venues.hyperliquid.simulator.exchange.matching import mark_price
from wsmgr.manager.venues.hyperliquid.simulator.exchange.orders import Order, Stage

if TYPE_CHECKING:
    from decimal import Decimal

    from wsmgr.manager.venues.hyperliquid.simulator.coins import Coin
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.trader import Position, Trader
    from wsmgr.manager.venues.hyperliquid.simulator.market import Market


class Margin:
    """The margin of accounts, at the market's prices of now."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def mark(self, coin: Coin) -> Decimal:
        """The mark price of a coin."""
        return mark_price(self._market.coin(coin.name))

    def positions(self, trader: Trader, dex: str) -> list[Position]:
        """The positions of an account in one dex."""
        return [position for position in trader.positions.values() if position.coin.dex == dex]

    def value(self, position: Position) -> Decimal:
        """What a position is worth, regardless of its side."""
        return abs(position.size) * self.mark(position.coin)

    def used(self, trader: Trader, position: Position) -> Decimal:
        """The margin that a position binds."""
        if position.isolated_usd is not None:
            return position.isolated_usd + position.size * self.mark(position.coin)
        return self.value(position) / trader.leverage(position.coin).value

    def account_value(self, trader: Trader, dex: str, *, cross_only: bool = False) -> Decimal:
        """Raw dollars and positions of one dex, those of isolated positions if not left out."""
        total = trader.usd[dex]
        for position in self.positions(trader, dex):
            if position.isolated_usd is None:
                total += position.size * self.mark(position.coin)
            elif not cross_only:
                total += self.used(trader, position)
        return total

    def cross_used(self, trader: Trader, dex: str) -> Decimal:
        """The margin that the cross positions of one dex bind."""
        cross = (position for position in self.positions(trader, dex) if position.isolated_usd is None)
        return sum((self.used(trader, position) for position in cross), ZERO)

    def withdrawable(self, trader: Trader, dex: str) -> Decimal:
        """What may leave a dex: the account's value less what positions and resting orders bind, at least zero."""
        free = self.account_value(trader, dex, cross_only=True) - self.cross_used(trader, dex)
        return max(ZERO, free - self._held_by_orders(trader, dex))

    def spot_held(self, trader: Trader, token: str) -> Decimal:
        """What resting spot orders hold of a token."""
        held = ZERO
        for order in _resting(trader):
            if order.coin.kind == "spot":
                if order.is_buy and token == USDC:
                    held += order.size * order.limit
                elif not order.is_buy and token == base_of(order.coin):
                    held += order.size
        return held

    def spot_free(self, trader: Trader, token: str) -> Decimal:
        """What is left of a token."""
        return trader.spot.get(token, ZERO) - self.spot_held(trader, token)

    def affords(self, trader: Trader, coin: Coin, *, is_buy: bool, price: Decimal, size: Decimal) -> bool:
        """Whether an account may place an order: only what makes a position larger needs margin."""
        if coin.kind == "spot":
            if is_buy:
                return price * size <= self.spot_free(trader, USDC)
            return size <= self.spot_free(trader, base_of(coin))
        held = trader.size_of(coin)
        reduces = abs(held) if held and (held < 0) == is_buy else ZERO
        needed = max(ZERO, size - reduces) * price / trader.leverage(coin).value
        return needed <= self.withdrawable(trader, coin.dex)

    def _held_by_orders(self, trader: Trader, dex: str) -> Decimal:
        held = ZERO
        for order in _resting(trader):
            if order.coin.kind == "perp" and order.coin.dex == dex and not order.reduce_only:
                held += order.size * order.limit / trader.leverage(order.coin).value
        return held


def _resting(trader: Trader) -> list[Order]:
    return [order for order in trader.orders.values() if order.stage is Stage.RESTING]
