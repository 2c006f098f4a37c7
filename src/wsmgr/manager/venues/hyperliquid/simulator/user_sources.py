"""User sources: the streams about one address, made from its account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wsmgr.manager.venues.hyperliquid.simulator.accounts import Account
from wsmgr.manager.venues.hyperliquid.simulator.coins import DEXES
from wsmgr.manager.venues.hyperliquid.simulator.positions import (
    active_asset_data,
    clearinghouse_state,
    spot_state,
    web_data,
)
from wsmgr.manager.venues.hyperliquid.simulator.sources import Frame, Source, Tick, nothing, state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsmgr.manager.venues.hyperliquid.simulator.accounts import Item
    from wsmgr.manager.venues.hyperliquid.simulator.market import Market
    from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import Subscription

SNAPSHOT_ITEMS = 30
_SHORT_SNAPSHOT_ITEMS = 4
_OPEN_ORDERS = 3


class UserSources:
    """Makes the source of any subscription that is about a user."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._histories: dict[str, tuple[str, Callable[[Account, int], Item], int]] = {
            "userFills": ("fills", Account.fill, SNAPSHOT_ITEMS),
            "userFundings": ("fundings", Account.funding, SNAPSHOT_ITEMS),
            "userNonFundingLedgerUpdates": ("nonFundingLedgerUpdates", Account.ledger_update, SNAPSHOT_ITEMS),
            "userHistoricalOrders": ("orderHistory", Account.historical_order, SNAPSHOT_ITEMS),
            "userTwapHistory": ("history", Account.twap_event, _SHORT_SNAPSHOT_ITEMS),
            "userTwapSliceFills": ("twapSliceFills", Account.twap_slice_fill, SNAPSHOT_ITEMS),
        }
        self._events: dict[str, Callable[[Account, int], object]] = {
            "orderUpdates": lambda account, n: [account.order_update(n)],
            "userEvents": Account.event,
            "notification": Account.notification,
        }
        self._states: dict[str, Callable[[Subscription, Account, Tick], object]] = {
            "activeAssetData": self._active_asset_data,
            "clearinghouseState": self._clearinghouse_state,
            "allDexsClearinghouseState": self._all_dexs_clearinghouse_state,
            "openOrders": self._open_orders,
            "twapStates": self._twap_states,
            "spotState": self._spot_state,
            "webData3": self._web_data,
        }

    def make(self, subscription: Subscription, interval: float) -> Source:
        """The source of a subscription about a user.

        Args:
            subscription: What was subscribed.
            interval: Seconds between two ticks of its stream.

        Raises:
            KeyError: A type that is about no user.
        """
        account = Account(
            subscription.text("user"),
            seed=self._market.seed,
            time_of=lambda n: self._market.milliseconds(n * interval),
        )
        if subscription.type in self._histories:
            return self._history(subscription, account)
        if subscription.type in self._events:
            return self._event_stream(subscription, account)
        make = self._states[subscription.type]
        return state(lambda at: _frame(subscription, make(subscription, account, at)))

    def _history(self, subscription: Subscription, account: Account) -> Source:
        member, item, count = self._histories[subscription.type]

        def first(at: Tick) -> Sequence[Frame]:
            numbers = range(at.n - count + 1, at.n + 1)
            items = [item(account, n) for n in numbers]
            data = {"isSnapshot": True, "user": account.user, member: items}
            return (Frame(_frame(subscription, data), tuple(numbers)),)

        def tick(at: Tick) -> Sequence[Frame]:
            data = {"user": account.user, member: [item(account, at.n)]}
            return (Frame(_frame(subscription, data), (at.n,)),)

        return Source(first=first, tick=tick, events=True)

    def _event_stream(self, subscription: Subscription, account: Account) -> Source:
        item = self._events[subscription.type]

        def tick(at: Tick) -> Sequence[Frame]:
            return (Frame(_frame(subscription, item(account, at.n)), (at.n,)),)

        return Source(first=nothing, tick=tick, events=True)

    def _active_asset_data(self, subscription: Subscription, account: Account, at: Tick) -> Item:
        market = self._market.at(subscription.text("coin"), at.time)
        return active_asset_data(account.user, market, self._market.seed)

    def _state_of_dex(self, account: Account, dex: str, at: Tick) -> Item:
        return clearinghouse_state(
            account.user, dex, at.n, self._market.milliseconds(at.time), self._market.seed
        )

    def _clearinghouse_state(self, subscription: Subscription, account: Account, at: Tick) -> Item:
        dex = subscription.text("dex")
        return {"dex": dex, "user": account.user, "clearinghouseState": self._state_of_dex(account, dex, at)}

    def _all_dexs_clearinghouse_state(self, _: Subscription, account: Account, at: Tick) -> Item:
        states = [[dex, self._state_of_dex(account, dex, at)] for dex in DEXES]
        return {"user": account.user, "clearinghouseStates": states}

    def _open_orders(self, subscription: Subscription, account: Account, at: Tick) -> Item:
        orders = [account.open_order(at.n - 2 * back) for back in range(_OPEN_ORDERS)]
        return {"dex": subscription.text("dex"), "user": account.user, "orders": orders}

    def _twap_states(self, subscription: Subscription, account: Account, at: Tick) -> Item:
        return {"dex": subscription.text("dex"), "user": account.user, "states": [account.twap_state(at.n)]}

    def _spot_state(self, _: Subscription, account: Account, at: Tick) -> Item:
        return {"user": account.user, "spotState": spot_state(account.user, at.n, self._market.seed)}

    def _web_data(self, _: Subscription, account: Account, at: Tick) -> Item:
        return web_data(account.user, self._market.milliseconds(at.time), self._market.seed)


def _frame(subscription: Subscription, data: object) -> str:
    return msgspec.json.encode({"channel": subscription.rule.channel, "data": data}).decode()
