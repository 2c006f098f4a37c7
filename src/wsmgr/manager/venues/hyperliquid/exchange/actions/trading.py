"""Trading: orders, cancels, leverage and margin as actions.

An agent's key may sign all of them, and all may be done for a vault or a sub-account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from wsmgr.manager.venues.hyperliquid.exchange import amounts
from wsmgr.manager.venues.hyperliquid.exchange.actions.action import Action, VaultRule
from wsmgr.manager.venues.hyperliquid.exchange.orders import (
    CancelByIdRequest,
    CancelRequest,
    ModifyRequest,
    OrderRequest,
    TriggerOrder,
)
from wsmgr.manager.venues.hyperliquid.order_ids import Cloid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from wsmgr.manager.venues.hyperliquid.exchange.orders import AssetName, Builder, Grouping, OrderType
    from wsmgr.manager.venues.hyperliquid.universe import Asset

    Assets = Mapping[AssetName, Asset]

MarginMode = Literal["cross", "isolated"]
"""Whether a position shares the account's margin or has its own."""


def place_orders(
    *,
    order_requests: Sequence[OrderRequest],
    grouping: Grouping = "na",
    builder: Builder | None = None,
    assets: Assets,
) -> Action:
    """Return the action that places orders.

    Raises:
        PrecisionError: A price or a size is too precise for its asset.
    """
    wire: dict[str, Any] = {
        "type": "order",
        "orders": [_order(each, assets[each.asset]) for each in order_requests],
        "grouping": grouping,
    }
    if builder is not None:
        wire["builder"] = {"b": builder.address, "f": builder.fee}
    return _trading(wire, order_requests)


def place_order(*, builder: Builder | None = None, assets: Assets, **order: Any) -> Action:  # noqa: ANN401 - the fields of OrderRequest
    """Return the action that places one order; `order` is what `OrderRequest` takes.

    Raises:
        PrecisionError: Its price or its size is too precise for its asset.
    """
    return place_orders(order_requests=[OrderRequest(**order)], builder=builder, assets=assets)


def modify_order(*, order_id: int | Cloid, assets: Assets, **order: Any) -> Action:  # noqa: ANN401 - the fields of OrderRequest
    """Return the action that changes an order; `order` is what `OrderRequest` takes.

    Raises:
        PrecisionError: Its price or its size is too precise for its asset.
    """
    change = ModifyRequest(order_id=order_id, order=OrderRequest(**order))
    return _trading({"type": "modify", **_modify(change, assets)}, [change.order])


def modify_orders(*, modify_requests: Sequence[ModifyRequest], assets: Assets) -> Action:
    """Return the action that changes orders.

    Raises:
        PrecisionError: A price or a size is too precise for its asset.
    """
    wire = {"type": "batchModify", "modifies": [_modify(each, assets) for each in modify_requests]}
    return _trading(wire, [each.order for each in modify_requests])


def cancel_orders(*, cancel_requests: Sequence[CancelRequest], assets: Assets) -> Action:
    """Return the action that cancels orders by the venue's numbers of them."""
    cancels = [{"a": assets[each.asset].id, "o": each.order_id} for each in cancel_requests]
    return _plain({"type": "cancel", "cancels": cancels})


def cancel_order(*, asset: AssetName, order_id: int, assets: Assets) -> Action:
    """Return the action that cancels one order by the venue's number of it."""
    return cancel_orders(cancel_requests=[CancelRequest(asset=asset, order_id=order_id)], assets=assets)


def cancel_orders_by_id(*, cancel_requests: Sequence[CancelByIdRequest], assets: Assets) -> Action:
    """Return the action that cancels orders by the caller's ids for them."""
    cancels = [
        {"asset": assets[each.asset].id, "cloid": each.client_order_id.raw} for each in cancel_requests
    ]
    wire = {"type": "cancelByCloid", "cancels": cancels}
    return _plain(wire)


def cancel_order_by_id(*, asset: AssetName, client_order_id: Cloid, assets: Assets) -> Action:
    """Return the action that cancels one order by the caller's id for it."""
    request = CancelByIdRequest(asset=asset, client_order_id=client_order_id)
    return cancel_orders_by_id(cancel_requests=[request], assets=assets)


def schedule_cancellation(*, time: int | None = None) -> Action:
    """Return the action that cancels all orders at a time (unix milliseconds), or, without one, takes that back."""
    wire: dict[str, Any] = {"type": "scheduleCancel"}
    if time is not None:
        wire["time"] = time
    return _plain(wire)


def update_leverage(*, asset: AssetName, leverage: int, margin_mode: MarginMode, assets: Assets) -> Action:
    """Return the action that sets the leverage of an asset."""
    wire = {
        "type": "updateLeverage",
        "asset": assets[asset].id,
        "isCross": margin_mode == "cross",
        "leverage": leverage,
    }
    return _plain(wire)


def update_margin(*, asset: AssetName, amount: Decimal, assets: Assets) -> Action:
    """Return the action that adds USDC to the margin of an isolated position, or takes it out (below 0).

    Raises:
        PrecisionError: The amount has more than 6 decimal places.
    """
    wire = {
        "type": "updateIsolatedMargin",
        "asset": assets[asset].id,
        "isBuy": True,
        "ntli": amounts.minor_units("amount", "USDC", amount, amounts.USDC_DECIMALS),
    }
    return _plain(wire)


def adjust_margin(*, asset: AssetName, leverage: Decimal, assets: Assets) -> Action:
    """Return the action that brings the margin of an isolated position to a leverage."""
    wire = {
        "type": "topUpIsolatedOnlyMargin",
        "asset": assets[asset].id,
        "leverage": amounts.plain(amounts.above_zero("leverage", leverage)),
    }
    return _plain(wire)


def place_twap(
    *,
    asset: AssetName,
    size: Decimal,
    minutes: int,
    randomize: bool,
    is_buy: bool,
    reduce_only: bool = False,
    assets: Assets,
) -> Action:
    """Return the action that trades a size in slices over some minutes. It has no price, so nobody knows its value.

    Raises:
        PrecisionError: The size is too precise for the asset.
    """
    found = assets[asset]
    twap = {
        "a": found.id,
        "b": is_buy,
        "s": amounts.size("size", found, size),
        "r": reduce_only,
        "m": minutes,
        "t": randomize,
    }
    return Action(
        type="twapOrder",
        wire={"type": "twapOrder", "twap": twap},
        vault=VaultRule.BESIDE,
        unpriced=True,
    )


def cancel_twap(*, asset: AssetName, twap_id: int, assets: Assets) -> Action:
    """Return the action that ends a TWAP order."""
    return _plain({"type": "twapCancel", "a": assets[asset].id, "t": twap_id})


def _order(order: OrderRequest, asset: Asset) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "a": asset.id,
        "b": order.is_buy,
        "p": amounts.price("limit_price", asset, order.limit_price),
        "s": amounts.size("size", asset, order.size),
        "r": order.reduce_only,
        "t": _type(order.order_type, asset),
    }
    if order.cloid is not None:
        wire["c"] = order.cloid.raw
    return wire


def _type(order_type: OrderType, asset: Asset) -> dict[str, Any]:
    if not isinstance(order_type, TriggerOrder):
        return {"limit": {"tif": order_type.tif}}
    trigger = {
        "isMarket": order_type.is_market,
        "triggerPx": amounts.price("trigger price", asset, order_type.price),
        "tpsl": order_type.trigger,
    }
    return {"trigger": trigger}


def _modify(change: ModifyRequest, assets: Assets) -> dict[str, Any]:
    order_id = change.order_id.raw if isinstance(change.order_id, Cloid) else change.order_id
    return {"oid": order_id, "order": _order(change.order, assets[change.order.asset])}


def _notional(order: OrderRequest) -> Decimal:
    highest = order.limit_price
    if isinstance(order.order_type, TriggerOrder):
        highest = max(highest, order.order_type.price)
    return amounts.times(highest, order.size)


def _trading(wire: dict[str, Any], orders: Sequence[OrderRequest]) -> Action:
    return Action(
        type=wire["type"],
        wire=wire,
        vault=VaultRule.BESIDE,
        notionals=tuple(_notional(order) for order in orders),
    )


def _plain(wire: dict[str, Any]) -> Action:
    return Action(type=wire["type"], wire=wire, vault=VaultRule.BESIDE)
