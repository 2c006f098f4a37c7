"""Orders: what a caller says of an order, before an asset's rules are known.

All of them are frozen and checked when built. Named order types and groupings are those of `hl-sdk`, so that its users
need not learn new ones.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, Literal, get_args

from attrs import Attribute, field, frozen

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.model.showing import shown
from wsmgr.manager.model.subscription_type import ADDRESS
from wsmgr.manager.venues.hyperliquid.exchange.amounts import Amount, above_zero, amount
from wsmgr.manager.venues.hyperliquid.order_ids import MAX_ORDER_ID, Cloid

TimeInForce = Literal["Gtc", "Ioc", "Alo"]
"""Good till cancelled; immediate or cancel; add liquidity only (post only)."""

Trigger = Literal["tp", "sl"]
"""Take profit; stop loss."""

Grouping = Literal["na", "normalTpsl", "positionTpsl"]
"""How the orders of a batch hang together: not at all; as an order with its take profit and stop loss; as the take
profit and stop loss of a whole position."""

TRIGGER_TAKE_PROFIT: Final = "tp"
TRIGGER_STOP_LOSS: Final = "sl"
GROUPING_NA: Final = "na"
GROUPING_TRIGGER_NORMAL: Final = "normalTpsl"
GROUPING_TRIGGER_POSITION: Final = "positionTpsl"

AssetName = str | int
"""What an asset is called: by its name, or by its number in an order."""

MAX_BUILDER_FEE: Final = 1000
"""The largest builder fee, on spot sells: 1 %, in tenths of a basis point. Source: the venue's page "Builder codes"."""


def _is_flag(_instance: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, bool):
        raise ParameterError(f"{attribute.name}={shown(value)} is not true or false")


def _is_name(_instance: object, attribute: Attribute[Any], value: object) -> None:
    named = isinstance(value, str) and value and value.strip() == value
    numbered = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not named and not numbered:
        raise ParameterError(
            f'{attribute.name}={shown(value)} is not an asset; write its name, such as "BTC"'
        )


def _is_order_id(_instance: object, attribute: Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_ORDER_ID:
        raise ParameterError(f"{attribute.name}={shown(value)} is not the number of an order")


def _is_order_id_or_cloid(instance: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, Cloid):
        _is_order_id(instance, attribute, value)


def _is_time_in_force(_instance: object, _attribute: Attribute[Any], value: object) -> None:
    if value not in get_args(TimeInForce):
        raise ParameterError(f"tif={shown(value)} is not allowed; choose one of Gtc, Ioc, Alo")


def _is_trigger(_instance: object, _attribute: Attribute[Any], value: object) -> None:
    if value not in get_args(Trigger):
        raise ParameterError(
            f"trigger={shown(value)} is not allowed; choose tp (take profit) or sl (stop loss)"
        )


def _is_order_type(_instance: object, _attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, LimitOrder | TriggerOrder):
        raise ParameterError(
            f"order_type={shown(value)} is not an order type: give LIMIT_GTC, LIMIT_IOC, LIMIT_ALO or a TriggerOrder"
        )


def _is_fee(_instance: object, _attribute: Attribute[Any], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_BUILDER_FEE:
        raise ParameterError(
            f"a builder's fee of {shown(value)} is not allowed: tenths of a basis point, from 0 to {MAX_BUILDER_FEE}"
        )


def _size(value: Amount) -> Decimal:
    return above_zero("size", amount("size", value))


def _limit_price(value: Amount) -> Decimal:
    return above_zero("limit_price", amount("limit_price", value))


def _trigger_price(value: Amount) -> Decimal:
    return above_zero("price", amount("price", value))


def _cloid(value: Cloid | str | None) -> Cloid | None:
    return Cloid(value) if isinstance(value, str) else value


def _some_cloid(value: Cloid | str) -> Cloid:
    return Cloid(value) if isinstance(value, str) else value


def _lowered_address(value: str) -> str:
    text = str(value)
    if not ADDRESS.fullmatch(text):
        raise ParameterError(f"{shown(value)} is not an address: 0x and 40 hexadecimal digits")
    return text.lower()


@frozen(kw_only=True)
class LimitOrder:
    """An order that rests, or takes, at its limit price or better.

    Attributes:
        tif: How long it stays.
    """

    tif: TimeInForce = field(validator=_is_time_in_force)


@frozen(kw_only=True)
class TriggerOrder:
    """An order that waits until the mark price reaches its trigger price.

    Attributes:
        price: The trigger price.
        is_market: Whether it then takes at the market, no worse than its limit price; otherwise it rests at it.
        trigger: Whether it takes a profit or stops a loss.
    """

    price: Decimal = field(converter=_trigger_price)
    is_market: bool = field(validator=_is_flag)
    trigger: Trigger = field(validator=_is_trigger)


OrderType = LimitOrder | TriggerOrder

LIMIT_GTC: Final = LimitOrder(tif="Gtc")
"""Rests until it is filled or cancelled."""
LIMIT_IOC: Final = LimitOrder(tif="Ioc")
"""Takes what it can at once; the rest is cancelled."""
LIMIT_ALO: Final = LimitOrder(tif="Alo")
"""Only ever rests: refused where it would take."""


@frozen(kw_only=True)
class OrderRequest:
    """An order to place.

    Attributes:
        asset: The asset's name (`BTC`, `PURR/USDC`, `@107`, `dex:COIN`) or number.
        is_buy: Whether it buys.
        size: How much of the asset.
        limit_price: The worst price that it takes.
        order_type: What kind of order.
        reduce_only: Whether it may only make a position smaller.
        cloid: The caller's id for it, or None.
    """

    asset: AssetName = field(validator=_is_name)
    is_buy: bool = field(validator=_is_flag)
    size: Decimal = field(converter=_size)
    limit_price: Decimal = field(converter=_limit_price)
    order_type: OrderType = field(validator=_is_order_type)
    reduce_only: bool = field(default=False, validator=_is_flag)
    cloid: Cloid | None = field(default=None, converter=_cloid)


@frozen(kw_only=True)
class ModifyRequest:
    """An order to change.

    Attributes:
        order_id: The venue's number of the order, or the caller's id for it.
        order: What it becomes.
    """

    order_id: int | Cloid = field(validator=_is_order_id_or_cloid)
    order: OrderRequest


@frozen(kw_only=True)
class CancelRequest:
    """An order to cancel by the venue's number of it.

    Attributes:
        asset: The asset's name or number.
        order_id: The number.
    """

    asset: AssetName = field(validator=_is_name)
    order_id: int = field(validator=_is_order_id)


@frozen(kw_only=True)
class CancelByIdRequest:
    """An order to cancel by the caller's id for it.

    Attributes:
        asset: The asset's name or number.
        client_order_id: The id.
    """

    asset: AssetName = field(validator=_is_name)
    client_order_id: Cloid = field(converter=_some_cloid)


@frozen(kw_only=True)
class Builder:
    """Who gets a fee for having brought an order.

    Attributes:
        address: The builder's address.
        fee: The fee in tenths of a basis point: 10 is 0.01 %.
    """

    address: str = field(converter=_lowered_address)
    fee: int = field(validator=_is_fee)
