"""User sources: the streams about one address, made from its account.

An account that never acted is made up (:mod:`.accounts`), and its streams send by the clock. One that acts
(:mod:`.exchange`) is shown as it is: its snapshots and states come from the exchange, which also sends its events,
when they happen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wsmgr.manager.venues.hyperliquid.simulator.accounts import HISTORIES, Account
from wsmgr.manager.venues.hyperliquid.simulator.coins import DEXES, universe
from wsmgr.manager.venues.hyperliquid.simulator.exchange.fiction import open_numbers
from wsmgr.manager.venues.hyperliquid.simulator.exchange.folding import fold_fills
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
    from wsmgr.manager.venues.hyperliquid.simulator.exchange import Exchange
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.portrait import Portrait
    from wsmgr.manager.venues.hyperliquid.simulator.market import Market
    from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import Subscription

SNAPSHOT_ITEMS = 30
_SHORT_SNAPSHOT_ITEMS = 4


class UserSources:
    """Makes the source of any subscription that is about a user."""

    def __init__(self, market: Market, exchange: Exchange) -> None:
        self._market = market
        self._exchange = exchange
        self._watching: dict[str, list[Subscription]] = {}
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

    def watching(self, user: str) -> Sequence[Subscription]:
        """Every subscription that there ever was about an address, lower case."""
        return self._watching.get(user, ())

    def make(self, subscription: Subscription, interval: float) -> Source:
        """The source of a subscription about a user; the account exists from then on.

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
        self._exchange.look_at(account.user)
        self._watching.setdefault(account.user, []).append(subscription)
        if subscription.type in HISTORIES:
            return self._history(subscription, account)
        if subscription.type in self._events:
            return self._event_stream(subscription, account)
        make = self._states[subscription.type]
        return state(lambda at: _frame(subscription, make(subscription, account, at)))

    def _history(self, subscription: Subscription, account: Account) -> Source:
        member, item = HISTORIES[subscription.type]
        count = _SHORT_SNAPSHOT_ITEMS if subscription.type == "userTwapHistory" else SNAPSHOT_ITEMS

        def first(at: Tick) -> Sequence[Frame]:
            shown = self._exchange.portrait(account.user)
            if shown is not None:
                items = _past(subscription, shown, account.user, at.time)[-count:]
                data = {"isSnapshot": True, "user": account.user, member: items}
                return (Frame(_frame(subscription, data)),)
            numbers = range(at.n - count + 1, at.n + 1)
            data = {"isSnapshot": True, "user": account.user, member: [item(account, n) for n in numbers]}
            return (Frame(_frame(subscription, data), tuple(numbers)),)

        def tick(at: Tick) -> Sequence[Frame]:
            if self._exchange.portrait(account.user) is not None:
                return ()
            data = {"user": account.user, member: [item(account, at.n)]}
            return (Frame(_frame(subscription, data), (at.n,)),)

        return Source(first=first, tick=tick, events=True)

    def _event_stream(self, subscription: Subscription, account: Account) -> Source:
        item = self._events[subscription.type]

        def tick(at: Tick) -> Sequence[Frame]:
            if self._exchange.portrait(account.user) is not None:
                return ()
            return (Frame(_frame(subscription, item(account, at.n)), (at.n,)),)

        return Source(first=nothing, tick=tick, events=True)

    def _time(self, account: Account, at: Tick) -> float:
        """The time of a state of an account that acts: never before what its watchers have heard."""
        return max(at.time, self._exchange.told_at(account.user))

    def _active_asset_data(self, subscription: Subscription, account: Account, at: Tick) -> Item:
        coin = subscription.text("coin")
        market, shown = self._market.at(coin, at.time), self._exchange.portrait(account.user)
        if shown is not None:
            return shown.active_asset_data(account.user, at.time, universe()[coin])
        return active_asset_data(account.user, market, self._market.seed)

    def _state_of_dex(self, account: Account, dex: str, at: Tick) -> Item:
        shown = self._exchange.portrait(account.user)
        if shown is not None:
            return shown.clearinghouse_state(account.user, self._time(account, at), dex)
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
        dex, shown = subscription.text("dex"), self._exchange.portrait(account.user)
        if shown is not None:
            orders = shown.frontend_open_orders(account.user, at.time, dex)[::-1]
        else:
            orders = [account.open_order(n) for n in open_numbers(at.n, dex)]
        return {"dex": dex, "user": account.user, "orders": orders}

    def _twap_states(self, subscription: Subscription, account: Account, at: Tick) -> Item:
        dex, shown = subscription.text("dex"), self._exchange.portrait(account.user)
        if shown is not None:
            states = shown.twap_states(account.user, at.time, dex)
        else:
            states = [] if dex else [account.twap_state(at.n)]
        return {"dex": dex, "user": account.user, "states": states}

    def _spot_state(self, _: Subscription, account: Account, at: Tick) -> Item:
        shown = self._exchange.portrait(account.user)
        if shown is not None:
            return {"user": account.user, "spotState": shown.spot_state(account.user, at.time)}
        return {"user": account.user, "spotState": spot_state(account.user, at.n, self._market.seed)}

    def _web_data(self, _: Subscription, account: Account, at: Tick) -> Item:
        shown = self._exchange.portrait(account.user)
        if shown is not None:
            return shown.web_data(account.user, self._time(account, at))
        return web_data(account.user, self._market.milliseconds(at.time), self._market.seed)


def _past(subscription: Subscription, shown: Portrait, user: str, time: float) -> list[Item]:
    """The whole history of an account that acts, oldest first."""
    match subscription.type:
        case "userFills":
            fills = shown.fills(user, time)
            return fold_fills(fills) if subscription.values.get("aggregateByTime") else fills
        case "userFundings":
            return shown.fundings(user, time)
        case "userNonFundingLedgerUpdates":
            return shown.ledger(user, time)
        case "userHistoricalOrders":
            return shown.historical_orders(user, time)
        case "userTwapHistory":
            return shown.twap_history(user, time)
        case _:
            return shown.twap_slice_fills(user, time)


def _frame(subscription: Subscription, data: object) -> str:
    return msgspec.json.encode({"channel": subscription.rule.channel, "data": data}).decode()
