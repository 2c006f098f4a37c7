"""Desk: the life of orders. They are placed, match, rest, are triggered, changed, canceled.

A resting order is matched by :meth:`Desk.settle`, once each step of its coin's market: when the other side's best
price is at or through its limit it fills there, as much as the levels up to its limit hold. So an order that takes
part of the book and rests with the remainder does not take the same levels again before the market has moved.

An order that is refused leaves no trace: no id, no update, no history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.exchange import words
from wsmgr.manager.venues.hyperliquid.simulator.exchange.amounts import ZERO, amount_text, read_amount
from wsmgr.manager.venues.hyperliquid.simulator.exchange.entry import (
    RefusedActionError,
    Terms,
    coin_of,
    read_terms,
)
from wsmgr.manager.venues.hyperliquid.simulator.exchange.matching import best_prices, mark_price, taken
from wsmgr.manager.venues.hyperliquid.simulator.exchange.orders import Order, Stage, Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from wsmgr.manager.venues.hyperliquid.simulator.accounts import Item
    from wsmgr.manager.venues.hyperliquid.simulator.coins import Coin
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.clerk import Clerk
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.margin import Margin
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.moments import Ids, Moment
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.trader import Trader
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.wires import Builder, OrderWire
    from wsmgr.manager.venues.hyperliquid.simulator.market import Market

OrderId = int | str
_FAMILIES = ("normalTpsl", "positionTpsl")
_AT_ONCE = ("Ioc", "FrontendMarket")
_MODIFY_FAILED = "Error placing new order during modify: "


class Desk:
    """All orders that are not done, and what becomes of them."""

    def __init__(self, market: Market, margin: Margin, clerk: Clerk, ids: Ids) -> None:
        self._market = market
        self._margin = margin
        self._clerk = clerk
        self._ids = ids
        self._live: dict[str, dict[int, tuple[Trader, Order]]] = {}

    @property
    def is_idle(self) -> bool:
        """Whether no order waits for the market."""
        return not any(self._live.values())

    def place(
        self,
        trader: Trader,
        wires: Sequence[OrderWire],
        grouping: object,
        builder: Builder | None,
        at: Moment,
    ) -> list[object]:
        """Place orders; returns the venue's status of each.

        Raises:
            RefusedActionError: The batch as a whole is refused.
        """
        _check_grouping(wires, grouping)
        coins = [coin_of(wire.a) for wire in wires]
        paid = (builder.b.lower(), builder.f) if builder is not None else None
        statuses: list[object] = []
        parent: Order | None = None
        refused: str | None = None
        for wire, coin in zip(wires, coins, strict=True):
            made = refused if refused is not None else self._make(trader, wire, coin, grouping, paid, at)
            if isinstance(made, Order):
                made.family = parent.oid if parent is not None else made.oid
                made = self._enter(trader, made, at, parent if grouping == "normalTpsl" else None)
                if isinstance(made, Order):
                    parent = parent or made if grouping in _FAMILIES else None
                    statuses.append(_accepted(made))
                    continue
            refused = made if grouping == "normalTpsl" else None
            statuses.append({"error": words.for_asset(made, wire.a)})
        return statuses

    def cancel(self, trader: Trader, asset: int, oid: OrderId, at: Moment) -> object:
        """Cancel one order; returns the venue's status of it.

        Raises:
            RefusedActionError: There is no such asset.
        """
        coin, order = coin_of(asset), self.find(trader, oid)
        if order is None or order.coin is not coin:
            return {"error": words.for_asset(words.MISSING_ORDER, asset)}
        self.end(trader, order, "canceled", at)
        return "success"

    def modify(self, trader: Trader, oid: OrderId, wire: OrderWire, at: Moment) -> object:
        """Replace an order by another; returns the venue's status of the new one.

        Raises:
            RefusedActionError: There is no such asset.
        """
        coin, order = coin_of(wire.a), self.find(trader, oid)
        if order is None or order.coin is not coin:
            return {"error": words.NO_MODIFY}
        grouping = "positionTpsl" if order.is_position_tpsl else "na"
        made = self._make(trader, wire, coin, grouping, order.builder, at)
        if isinstance(made, str):
            return {"error": words.for_asset(made, wire.a)}
        made.family = order.family
        self._finish(trader, order, "canceled", at)
        entered = self._enter(trader, made, at, None)
        if isinstance(entered, str):
            self._end_waiting(trader, order, "canceled", at)
            return {"error": _MODIFY_FAILED + words.for_asset(entered, wire.a)}
        return _accepted(entered)

    def cancel_all(self, trader: Trader, at: Moment) -> None:
        """What a scheduled cancel does at its time."""
        for order in list(trader.orders.values()):
            self._drop(trader, order, "scheduledCancel", at)

    def settle(self, at: Moment) -> None:
        """Match what waits with the market of a moment."""
        for name, live in list(self._live.items()):
            if live:
                self._market.at(name, at.time)
            for trader, order in list(live.values()):
                if order.stage is Stage.ARMED:
                    self._check_trigger(trader, order, at)
                elif order.stage is Stage.RESTING:
                    self._make_match(trader, order, at)

    def find(self, trader: Trader, oid: OrderId) -> Order | None:
        """The order of an id, or of a client's id, that is not done."""
        order = trader.known_orders.get(oid) if isinstance(oid, int) else trader.cloids.get(oid.lower())
        return order if order is not None and order.stage is not Stage.DONE else None

    def end(self, trader: Trader, order: Order, status: Status, at: Moment) -> None:
        """End an order that is not filled, and those that only waited for its fill."""
        self._finish(trader, order, status, at)
        self._end_waiting(trader, order, status, at)

    def _end_waiting(self, trader: Trader, order: Order, status: Status, at: Moment) -> None:
        for other in _family(trader, order):
            if other.stage is Stage.WAITING:
                self._finish(trader, other, status, at)

    def _make(
        self,
        trader: Trader,
        wire: OrderWire,
        coin: Coin,
        grouping: object,
        builder: tuple[str, int] | None,
        at: Moment,
    ) -> Order | str:
        whole = grouping == "positionTpsl"
        market = self._market.at(coin.name, at.time)
        terms = read_terms(wire, coin, mark=mark_price(market), whole_position=whole)
        if not isinstance(terms, Terms):
            return terms
        held = trader.size_of(coin) if coin.kind == "perp" else ZERO
        if wire.r and wire.t.trigger is None and (not held or (held > 0) == wire.b):
            return words.REDUCE_ONLY
        size = min(terms.size, abs(held)) if wire.r and wire.t.trigger is None else terms.size
        return Order(
            user=trader.user,
            coin=coin,
            asset=wire.a,
            oid=self._ids.order(),
            cloid=wire.c.lower() if wire.c is not None else None,
            is_buy=wire.b,
            limit=terms.price,
            size=size,
            original=size,
            tif=wire.t.limit.tif if wire.t.limit is not None else None,
            reduce_only=wire.r,
            trigger=wire.t.trigger,
            is_position_tpsl=whole,
            family=0,
            builder=builder,
            placed_ms=at.ms,
            stage=Stage.RESTING if wire.t.trigger is None else Stage.ARMED,
        )

    def _enter(self, trader: Trader, order: Order, at: Moment, parent: Order | None) -> Order | str:
        """Let an order in; the venue's refusal when it may not."""
        if order.stage is Stage.ARMED:
            waits = parent is not None and parent.stage is not Stage.DONE
            order.stage = Stage.WAITING if waits else Stage.ARMED
            self._register(trader, order)
            if not waits:
                self._clerk.tell(trader, order, "open", at)
            return order
        market = self._market.at(order.coin.name, at.time)
        takes = taken(market, is_buy=order.is_buy, limit=order.limit, size=order.size)
        if takes and order.tif == "Alo":
            return words.post_only(*(amount_text(price) for price in best_prices(market)))
        if not takes and order.tif in _AT_ONCE:
            return words.NO_MATCH
        price = takes[-1][0] if sum(size for _, size in takes) == order.size else order.limit
        if not order.reduce_only and not self._margin.affords(
            trader, order.coin, is_buy=order.is_buy, price=price, size=order.size
        ):
            return words.SPOT_BALANCE if order.coin.kind == "spot" else words.MARGIN
        self._register(trader, order)
        self._take(trader, order, takes, at)
        return order

    def _take(self, trader: Trader, order: Order, takes: list[tuple[Decimal, Decimal]], at: Moment) -> None:
        """Fill an order from the book at once, and let what remains rest, or end."""
        ends = order.tif in _AT_ONCE or sum(size for _, size in takes) == order.size
        if ends and order.status != "triggered":
            self._clerk.tell(trader, order, "open", at)
        for price, size in takes:
            self._clerk.fill(trader, order, price, size, at, is_taker=True)
        if ends:
            self._finish(trader, order, "filled" if takes else "canceled", at)
        else:
            self._clerk.tell(trader, order, "open", at)
        if takes:
            self._after_fill(trader, order, at)

    def _make_match(self, trader: Trader, order: Order, at: Moment) -> None:
        """Fill a resting order if the market has come to it."""
        market = self._market.coin(order.coin.name)
        if order.matched_at == market.steps:
            return
        wanted = min(order.size, abs(trader.size_of(order.coin))) if order.reduce_only else order.size
        takes = taken(market, is_buy=order.is_buy, limit=order.limit, size=wanted)
        if not takes:
            return
        self._clerk.fill(
            trader, order, order.limit, sum((size for _, size in takes), ZERO), at, is_taker=False
        )
        if order.size:
            self._clerk.tell(trader, order, "open", at)
        else:
            self._finish(trader, order, "filled", at)
        self._after_fill(trader, order, at)

    def _check_trigger(self, trader: Trader, order: Order, at: Moment) -> None:
        """Let an armed order become one if the mark price has come to its trigger."""
        trigger = order.trigger
        price = read_amount(trigger.trigger_px) if trigger is not None else None
        mark = self._margin.mark(order.coin)
        if trigger is None or price is None or not (mark >= price if order.triggers_above else mark <= price):
            return
        held = trader.size_of(order.coin)
        if order.reduce_only or order.is_position_tpsl:
            if not held or (held > 0) == order.is_buy:
                self._drop(trader, order, "reduceOnlyCanceled", at)
                return
            order.size = abs(held) if order.is_position_tpsl else min(order.size, abs(held))
        order.stage, order.tif = Stage.RESTING, "Ioc" if trigger.is_market else "Gtc"
        self._clerk.tell(trader, order, "triggered", at)
        market = self._market.coin(order.coin.name)
        takes = taken(market, is_buy=order.is_buy, limit=order.limit, size=order.size)
        self._take(trader, order, takes, at)

    def _after_fill(self, trader: Trader, order: Order, at: Moment) -> None:
        """What a fill means for the account's other orders."""
        for other in _family(trader, order):
            if order.stage is Stage.DONE and other.stage is Stage.WAITING:
                other.stage = Stage.ARMED
                self._clerk.tell(trader, other, "open", at)
            elif order.trigger is not None and other.trigger is not None:
                self._drop(trader, other, "siblingFilledCanceled", at)
        held = trader.size_of(order.coin)
        for other in list(trader.orders.values()):
            only_reduces = other.reduce_only and other.coin is order.coin and other.stage is not Stage.WAITING
            if only_reduces and (not held or (held > 0) == other.is_buy):
                self._drop(trader, other, "reduceOnlyCanceled", at)

    def _drop(self, trader: Trader, order: Order, status: Status, at: Moment) -> None:
        """Cancel an order without being asked."""
        self._finish(trader, order, status, at)
        trader.pending.venue_cancels.append({"coin": order.coin.name, "oid": order.oid})

    def _register(self, trader: Trader, order: Order) -> None:
        order.status_ms = order.placed_ms
        trader.orders[order.oid] = trader.known_orders[order.oid] = order
        if order.cloid is not None:
            trader.cloids[order.cloid] = order
        self._live.setdefault(order.coin.name, {})[order.oid] = trader, order

    def _finish(self, trader: Trader, order: Order, status: Status, at: Moment) -> None:
        order.stage = Stage.DONE
        trader.orders.pop(order.oid, None)
        self._live[order.coin.name].pop(order.oid, None)
        self._clerk.tell(trader, order, status, at)


def _check_grouping(wires: Sequence[OrderWire], grouping: object) -> None:
    if not wires:
        raise RefusedActionError(words.EMPTY_BATCH)
    triggers = [wire.t.trigger is not None and wire.r for wire in wires]
    if grouping == "normalTpsl" and (triggers[0] or len(wires) == 1 or not all(triggers[1:])):
        raise RefusedActionError(words.TRIGGERS)
    if grouping == "positionTpsl" and not all(triggers):
        raise RefusedActionError(words.TRIGGERS)


def _family(trader: Trader, order: Order) -> list[Order]:
    return [other for other in trader.orders.values() if other.family == order.family and other is not order]


def _accepted(order: Order) -> object:
    """The status of an order that was let in."""
    name: Item = {"oid": order.oid} if order.cloid is None else {"oid": order.oid, "cloid": order.cloid}
    if order.stage is Stage.WAITING:
        return "waitingForFill"
    if order.trigger is not None and order.family != order.oid:
        return "waitingForTrigger"
    if order.is_position_tpsl:
        return "waitingForTrigger"
    if order.stage is Stage.DONE and order.filled:
        filled: Item = {"totalSz": amount_text(order.filled), "avgPx": amount_text(order.average)}
        return {"filled": {**filled, **name}}
    return {"resting": name}
