"""Entry: the checks an order passes before it is one."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from wsmgr.manager.venues.hyperliquid.simulator.coins import Coin
from wsmgr.manager.venues.hyperliquid.simulator.exchange import words
from wsmgr.manager.venues.hyperliquid.simulator.exchange.amounts import ZERO, read_amount
from wsmgr.manager.venues.hyperliquid.simulator.exchange.assets import (
    USDC,
    coins_by_asset,
    is_on_lot,
    is_on_tick,
)

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.wires import OrderWire

MINIMUM_VALUE = Decimal(10)
_FURTHEST = Decimal("0.95")


class RefusedActionError(Exception):
    """The whole action is refused; its text is the venue's."""


@attrs.frozen
class Terms:
    """What an order asks for, as numbers."""

    coin: Coin
    price: Decimal
    size: Decimal


def coin_of(asset: int) -> Coin:
    """The coin of an asset's number.

    Raises:
        RefusedActionError: There is none.
    """
    coin = coins_by_asset().get(asset)
    if coin is None:
        raise RefusedActionError(words.for_asset(words.INVALID_ASSET, asset))
    return coin


def read_terms(wire: OrderWire, coin: Coin, *, mark: Decimal, whole_position: bool) -> Terms | str:
    """The numbers of an order, or why the venue refuses them.

    Args:
        wire: The order.
        coin: Its coin.
        mark: The coin's mark price.
        whole_position: Whether its size may be 0, which stands for the position.
    """
    price, size = read_amount(wire.p), read_amount(wire.s)
    if size is None or not is_on_lot(coin, size):
        return words.INVALID_SIZE
    if not size and not whole_position:
        return words.ZERO_SIZE
    if not price:
        return words.INVALID_PRICE
    if not is_on_tick(coin, price):
        return words.TICK
    if wire.t.trigger is not None:
        refused = _trigger_refusal(wire, coin, mark)
        if refused is not None:
            return refused
    elif abs(price - mark) / mark > _FURTHEST:
        return words.FAR_PRICE
    if not wire.r and price * size < MINIMUM_VALUE:
        return words.minimum_value(USDC if coin.kind == "spot" else None)
    return Terms(coin, price, size)


def _trigger_refusal(wire: OrderWire, coin: Coin, mark: Decimal) -> str | None:
    """Why a trigger's price is refused: it must lie on a tick, and not be reached already."""
    if wire.t.trigger is None:
        return None
    trigger = read_amount(wire.t.trigger.trigger_px)
    if trigger is None or trigger <= ZERO:
        return words.TRIGGER_PRICE
    if not is_on_tick(coin, trigger):
        return words.TICK
    above = wire.b == (wire.t.trigger.tpsl == "sl")
    return words.TRIGGER_PRICE if (trigger <= mark if above else trigger >= mark) else None
