"""Orders: what an account has asked for, and how the venue shows it."""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import attrs

from wsmgr.manager.venues.hyperliquid.simulator.coins import Coin
from wsmgr.manager.venues.hyperliquid.simulator.exchange.amounts import ZERO, amount_text
from wsmgr.manager.venues.hyperliquid.simulator.exchange.wires import Trigger

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator.accounts import Item

Status = Literal[
    "open",
    "filled",
    "canceled",
    "triggered",
    "reduceOnlyCanceled",
    "siblingFilledCanceled",
    "scheduledCancel",
]


class Stage(enum.Enum):
    """Where an order is."""

    WAITING = "it waits for the fill of its parent"
    ARMED = "it waits for its trigger price"
    RESTING = "it rests in the book, or is just being matched"
    DONE = "it is filled or canceled"


@attrs.define(kw_only=True, eq=False)
class Order:
    """One order.

    Attributes:
        user: Whose it is.
        coin: Of what.
        asset: The coin's number, for refusals.
        oid: Its id.
        cloid: The id its owner gave it.
        is_buy: Its side.
        limit: Its limit price.
        size: What is not filled yet; a position's take profit or stop loss has none until it triggers.
        original: Its size when it was placed.
        tif: When it may match; None for a trigger order that becomes a market order.
        reduce_only: Whether it only makes a position smaller.
        trigger: When it becomes an order.
        is_position_tpsl: Whether it closes whatever the position is when it triggers.
        family: The orders of one grouping share it: the oid of the first.
        builder: Who gets a fee, and its tenths of a basis point.
        placed_ms: When it was placed, Unix milliseconds.
        stage: Where it is.
        status: The newest word of the venue for it.
        status_ms: When that was.
        filled: How much is filled.
        filled_value: Price times size over all its fills.
        matched_at: The market's step in which it last took liquidity: a level is not taken twice.
    """

    user: str
    coin: Coin
    asset: int
    oid: int
    cloid: str | None
    is_buy: bool
    limit: Decimal
    size: Decimal
    original: Decimal
    tif: str | None
    reduce_only: bool
    trigger: Trigger | None
    is_position_tpsl: bool
    family: int
    builder: tuple[str, int] | None
    placed_ms: int
    stage: Stage = Stage.RESTING
    status: Status = "open"
    status_ms: int = 0
    filled: Decimal = ZERO
    filled_value: Decimal = ZERO
    matched_at: int = -1

    @property
    def side(self) -> str:
        """`B` or `A`."""
        return "B" if self.is_buy else "A"

    @property
    def average(self) -> Decimal:
        """The average price of its fills."""
        return self.filled_value / self.filled

    @property
    def triggers_above(self) -> bool:
        """Whether its trigger is a rise of the price."""
        return self.trigger is not None and self.is_buy == (self.trigger.tpsl == "sl")


def plain(order: Order) -> Item:
    """The order as in `openOrders` and `orderUpdates`."""
    item: Item = {
        "coin": order.coin.name,
        "side": order.side,
        "limitPx": amount_text(order.limit),
        "sz": amount_text(order.size),
        "oid": order.oid,
        "timestamp": order.placed_ms,
        "origSz": amount_text(order.original),
    }
    if order.cloid is not None:
        item["cloid"] = order.cloid
    if order.reduce_only:
        item["reduceOnly"] = True
    return item


def detailed(order: Order) -> Item:
    """The order as in `frontendOpenOrders`, `historicalOrders` and `orderStatus`."""
    trigger = order.trigger
    return {
        "coin": order.coin.name,
        "side": order.side,
        "limitPx": amount_text(order.limit),
        "sz": amount_text(order.size),
        "oid": order.oid,
        "timestamp": order.placed_ms,
        "triggerCondition": _condition(order),
        "isTrigger": trigger is not None,
        "triggerPx": trigger.trigger_px if trigger is not None else "0.0",
        "children": [],
        "isPositionTpsl": order.is_position_tpsl,
        "reduceOnly": order.reduce_only,
        "orderType": _type(order),
        "origSz": amount_text(order.original),
        "tif": order.tif,
        "cloid": order.cloid,
    }


def update(order: Order, shape: Item) -> Item:
    """The order with its status: a member of `orderUpdates`, `historicalOrders` or `orderStatus`."""
    return {"order": shape, "status": order.status, "statusTimestamp": order.status_ms}


def _condition(order: Order) -> str:
    if order.trigger is None:
        return "N/A"
    if order.status == "triggered" or (order.stage is Stage.DONE and order.filled):
        return "Triggered"
    return f"Price {'above' if order.triggers_above else 'below'} {order.trigger.trigger_px}"


def _type(order: Order) -> str:
    if order.trigger is None:
        return "Market" if order.tif == "FrontendMarket" else "Limit"
    name = "Take Profit" if order.trigger.tpsl == "tp" else "Stop"
    return f"{name} {'Market' if order.trigger.is_market else 'Limit'}"
