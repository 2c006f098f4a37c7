"""Clerk: writes down fills and changes of orders, and tells those who watch the account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.exchange.amounts import ZERO, amount_text, usd_text
from wsmgr.manager.venues.hyperliquid.simulator.exchange.assets import USDC, base_of, display_name
from wsmgr.manager.venues.hyperliquid.simulator.exchange.matching import fee_rate
from wsmgr.manager.venues.hyperliquid.simulator.exchange.moments import ZERO_HASH
from wsmgr.manager.venues.hyperliquid.simulator.exchange.orders import detailed, plain, update

if TYPE_CHECKING:
    from decimal import Decimal

    from wsmgr.manager.venues.hyperliquid.simulator.accounts import Item
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.moments import Ids, Moment
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.orders import Order, Status
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.trader import Trader
    from wsmgr.manager.venues.hyperliquid.simulator.market import Market

_BUILDER_SHARE = 100_000


class Clerk:
    """Books fills and tells of orders."""

    def __init__(self, market: Market, ids: Ids) -> None:
        self._market = market
        self._ids = ids

    def tell(self, trader: Trader, order: Order, status: Status, at: Moment) -> None:
        """Give an order a status and tell of it."""
        order.status, order.status_ms = status, at.ms
        trader.pending.order_updates.append(update(order, plain(order)))
        trader.pending.historical_orders.append(update(order, detailed(order)))
        trader.pending.changed = True

    def fill(
        self, trader: Trader, order: Order, price: Decimal, size: Decimal, at: Moment, *, is_taker: bool
    ) -> None:
        """Book a fill of an order: money and position move, and the account's watchers hear of it."""
        trader.pending.fills.append(self._book(trader, order, price, size, at, is_taker=is_taker))
        if not is_taker:
            word = "Bought" if order.is_buy else "Sold"
            name = display_name(order.coin)
            text = f"Resting order filled: {word} {amount_text(size)} {name} at ${amount_text(price)}"
            trader.pending.notifications.append(text)

    def fill_slice(
        self, trader: Trader, order: Order, price: Decimal, size: Decimal, at: Moment, *, twap_id: int
    ) -> None:
        """Book a fill of a TWAP order's slice: the chain makes it, so its hash is zero."""
        fill = self._book(trader, order, price, size, at, is_taker=True)
        fill["hash"] = ZERO_HASH
        slice_fill = {name: value for name, value in fill.items() if name != "twapId"}
        trader.pending.twap_slice_fills.append({"fill": slice_fill, "twapId": twap_id})
        fill["twapId"] = twap_id
        trader.pending.fills.append(fill)

    def _book(
        self, trader: Trader, order: Order, price: Decimal, size: Decimal, at: Moment, *, is_taker: bool
    ) -> Item:
        coin, market = order.coin, self._market.coin(order.coin.name)
        rate = fee_rate(market, is_taker=is_taker)
        extra = price * size * order.builder[1] / _BUILDER_SHARE if order.builder is not None else ZERO
        in_token = coin.kind == "spot" and order.is_buy
        fee = size * rate if in_token else price * size * rate + extra
        booked = trader.book(coin, is_buy=order.is_buy, price=price, size=size, fee=fee)
        order.size = max(ZERO, order.size - size)
        order.filled += size
        order.filled_value += price * size
        order.matched_at = market.steps
        fill: Item = {
            "coin": coin.name,
            "px": amount_text(price),
            "sz": amount_text(size),
            "side": order.side,
            "time": at.ms,
            "startPosition": amount_text(booked.start),
            "dir": booked.direction,
            "closedPnl": usd_text(booked.closed_pnl),
            "hash": at.hash,
            "oid": order.oid,
            "crossed": is_taker,
            "fee": amount_text(fee) if in_token else usd_text(fee),
            "tid": self._ids.trade(),
        }
        if order.cloid is not None:
            fill["cloid"] = order.cloid
        if order.builder is not None and not in_token:
            fill["builderFee"] = usd_text(extra)
        return {**fill, "feeToken": base_of(coin) if in_token else USDC, "twapId": None}
