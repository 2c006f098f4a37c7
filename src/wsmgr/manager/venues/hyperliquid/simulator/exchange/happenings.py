"""Happenings: what one action, or one step of the market, did to one account, for those who watch it."""

from __future__ import annotations

import attrs

from wsmgr.manager.venues.hyperliquid.simulator.accounts import Item


def _items() -> list[Item]:
    return []


@attrs.define
class Happenings:
    """What happened, in the shapes of the streams, each list oldest first.

    Attributes:
        order_updates: For `orderUpdates`.
        historical_orders: The same for `userHistoricalOrders`.
        fills: For `userFills` and `userEvents`.
        twap_slice_fills: For `userTwapSliceFills` and `userEvents`.
        twap_events: For `userTwapHistory` and `userEvents`.
        venue_cancels: Cancels that the user did not ask for, for `userEvents`.
        ledger: For `userNonFundingLedgerUpdates`.
        notifications: For `notification`.
        changed: Whether any state of the account is another now.
    """

    order_updates: list[Item] = attrs.field(factory=_items)
    historical_orders: list[Item] = attrs.field(factory=_items)
    fills: list[Item] = attrs.field(factory=_items)
    twap_slice_fills: list[Item] = attrs.field(factory=_items)
    twap_events: list[Item] = attrs.field(factory=_items)
    venue_cancels: list[Item] = attrs.field(factory=_items)
    ledger: list[Item] = attrs.field(factory=_items)
    notifications: list[str] = attrs.field(factory=list[str])
    changed: bool = False
