"""Leverages: how a coin is traded, and the margin of isolated positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.exchange import words
from wsmgr.manager.venues.hyperliquid.simulator.exchange.amounts import ZERO, from_micro, read_amount
from wsmgr.manager.venues.hyperliquid.simulator.exchange.entry import RefusedActionError, coin_of
from wsmgr.manager.venues.hyperliquid.simulator.exchange.trader import Leverage

if TYPE_CHECKING:
    from decimal import Decimal

    from wsmgr.manager.venues.hyperliquid.simulator.coins import Coin
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.actions import (
        TopUpIsolatedOnlyMargin,
        UpdateIsolatedMargin,
        UpdateLeverage,
    )
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.margin import Margin
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.trader import Position, Trader


def update_leverage(trader: Trader, action: UpdateLeverage, margin: Margin) -> None:
    """`updateLeverage`: a position keeps its kind of margin, and must be able to bear the new leverage.

    Raises:
        RefusedActionError: It cannot, or the coin does not go that high.
    """
    coin = _perp(action.asset)
    if not 1 <= action.leverage <= coin.max_leverage:
        raise RefusedActionError(words.LEVERAGE)
    position, new = trader.positions.get(coin.name), Leverage(is_cross=action.is_cross, value=action.leverage)
    if position is not None:
        if (position.isolated_usd is None) != action.is_cross:
            raise RefusedActionError(words.LEVERAGE_TYPE)
        needed = margin.value(position) / action.leverage
        if position.isolated_usd is None:
            more = needed - margin.used(trader, position)
            if more > margin.withdrawable(trader, coin.dex):
                raise RefusedActionError(words.CROSS_MARGIN)
        elif needed > margin.used(trader, position):
            raise RefusedActionError(words.ISOLATED_MARGIN)
    trader.leverages[coin.name] = new
    trader.pending.changed = True


def update_isolated_margin(trader: Trader, action: UpdateIsolatedMargin, margin: Margin) -> None:
    """`updateIsolatedMargin`: put margin into an isolated position, or take some out.

    Raises:
        RefusedActionError: There is no such position, or not as much to move.
    """
    position, amount = _isolated(trader, _perp(action.asset)), from_micro(action.ntli)
    if not amount:
        raise RefusedActionError(words.ZERO_MARGIN)
    _move(trader, position, amount, margin)


def top_up(trader: Trader, action: TopUpIsolatedOnlyMargin, margin: Margin) -> None:
    """`topUpIsolatedOnlyMargin`: move margin until an isolated position has a leverage.

    Raises:
        RefusedActionError: There is no such position, or not as much to move.
    """
    position, leverage = _isolated(trader, _perp(action.asset)), read_amount(action.leverage)
    if not leverage:
        raise RefusedActionError(words.LEVERAGE)
    _move(trader, position, margin.value(position) / leverage - margin.used(trader, position), margin)


def _move(trader: Trader, position: Position, amount: Decimal, margin: Margin) -> None:
    coin = position.coin
    if amount > margin.withdrawable(trader, coin.dex):
        raise RefusedActionError(words.MARGIN)
    spare = margin.used(trader, position) - margin.value(position) / trader.leverage(coin).value
    if amount < ZERO and -amount > spare:
        raise RefusedActionError(words.ISOLATED_MARGIN)
    trader.usd[coin.dex] -= amount
    position.isolated_usd = (position.isolated_usd or ZERO) + amount
    trader.pending.changed = True


def _isolated(trader: Trader, coin: Coin) -> Position:
    position = trader.positions.get(coin.name)
    if position is None:
        raise RefusedActionError(words.NO_POSITION)
    if position.isolated_usd is None:
        raise RefusedActionError(words.NOT_ISOLATED)
    return position


def _perp(asset: int) -> Coin:
    coin = coin_of(asset)
    if coin.kind != "perp":
        raise RefusedActionError(words.for_asset(words.INVALID_ASSET, asset))
    return coin
