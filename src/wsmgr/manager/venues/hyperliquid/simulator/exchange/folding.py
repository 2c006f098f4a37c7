"""Folding: fills of one order at one time as one, for those who asked for `aggregateByTime`."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.exchange.amounts import ZERO, amount_text, usd_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsmgr.manager.venues.hyperliquid.simulator.accounts import Item


def fold_fills(fills: Iterable[Item]) -> list[Item]:
    """The fills with those of one order at one time put together.

    Sizes, fees and profits add up, the price is their average, everything else is the first one's.
    """
    groups: dict[tuple[object, object, object], list[Item]] = {}
    for fill in fills:
        groups.setdefault((fill["time"], fill["oid"], fill["crossed"]), []).append(fill)
    return [_folded(group) for group in groups.values()]


def _folded(group: list[Item]) -> Item:
    if len(group) == 1:
        return group[0]
    size = _total(group, "sz")
    value = sum((_number(fill, "px") * _number(fill, "sz") for fill in group), ZERO)
    return {
        **group[0],
        "px": amount_text(value / size),
        "sz": amount_text(size),
        "closedPnl": usd_text(_total(group, "closedPnl")),
        "fee": amount_text(_total(group, "fee")),
    }


def _total(group: list[Item], name: str) -> Decimal:
    return sum((_number(fill, name) for fill in group), ZERO)


def _number(fill: Item, name: str) -> Decimal:
    return Decimal(str(fill[name]))
