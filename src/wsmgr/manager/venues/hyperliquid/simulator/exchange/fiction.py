"""Fiction: an account that never acted, made up from its address, in the same shapes and at the streams' own pace.

It answers queries with the very items that the streams send: item `n` of a kind is at `n` times the interval of its
stream. Its orders are all on the main dex.

Of its histories it tells the newest items: of those that are asked for by time, in pages, as many as the venue has of
fills (source: the venue's page "Info endpoint"); of the others a page.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator import positions
from wsmgr.manager.venues.hyperliquid.simulator.accounts import Account, as_item
from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.venues.hyperliquid.simulator.accounts import Item
    from wsmgr.manager.venues.hyperliquid.simulator.coins import Coin
    from wsmgr.manager.venues.hyperliquid.simulator.market import Market

FREE_REQUESTS = 10_000
_PAGE = 2000
_PAGED = 10_000
_BEFORE_START = 100
_SEARCHED = 400


def open_numbers(newest: int, dex: str) -> tuple[int, ...]:
    """The numbers of the orders that are open on a dex: the newest change of an order opens one, or it ended the last.

    Args:
        newest: The number of the newest change.
        dex: The dex.
    """
    opens = newest % 2 == 0
    return (newest,) if opens and not dex else ()


class Fiction:
    """Makes up accounts; every list oldest first."""

    def __init__(self, market: Market, rate: float | None) -> None:
        """Make them up at a rate: ticks a second of every stream, None for each type's own cadence."""
        self._market = market
        self._rate = rate

    def account(self, user: str, type_: str) -> Account:
        """The account, with the times of one type's stream."""
        interval = self._interval(type_)
        return Account(
            user, seed=self._market.seed, time_of=lambda n: self._market.milliseconds(n * interval)
        )

    def newest(self, type_: str, now: float) -> int:
        """The number of the newest item of a type: its time has come, whether a stream has sent it or not."""
        return math.floor(now / self._interval(type_) + 1e-9)

    def items(
        self, user: str, type_: str, make: Callable[[Account, int], Item], upto: int, count: int = _PAGE
    ) -> list[Item]:
        """The newest items of a kind, up to a number; none is further back than 100 before the start."""
        account = self.account(user, type_)
        return [make(account, n) for n in range(max(upto - count + 1, 1 - _BEFORE_START), upto + 1)]

    def open_orders(self, user: str, now: float, dex: str) -> list[Item]:
        """The order that is open, if one is."""
        keep = ("coin", "side", "limitPx", "sz", "oid", "timestamp", "origSz", "cloid")
        orders = self.frontend_open_orders(user, now, dex)
        return [{name: order[name] for name in keep} for order in orders]

    def frontend_open_orders(self, user: str, now: float, dex: str) -> list[Item]:
        """The same with all its fields."""
        account, newest = self.account(user, "openOrders"), self.newest("openOrders", now)
        return [as_item(account.historical_order(n)["order"]) for n in open_numbers(newest, dex)]

    def historical_orders(self, user: str, now: float) -> list[Item]:
        """Every change of an order."""
        return self._all(user, now, "userHistoricalOrders", Account.historical_order)

    def order(self, user: str, now: float, oid: int | str) -> Item | None:
        """The newest change of an order among those of late."""
        newest = self.newest("userHistoricalOrders", now)
        changes = self.items(user, "userHistoricalOrders", Account.historical_order, newest, _SEARCHED)
        for change in reversed(changes):
            order = as_item(change["order"])
            if oid in (order["oid"], order["cloid"]):
                return change
        return None

    def fills(self, user: str, now: float) -> list[Item]:
        """Fills."""
        return self._all(user, now, "userFills", Account.fill, _PAGED)

    def twap_slice_fills(self, user: str, now: float) -> list[Item]:
        """Fills of TWAP orders."""
        return self._all(user, now, "userTwapSliceFills", Account.twap_slice_fill)

    def twap_history(self, user: str, now: float) -> list[Item]:
        """Changes of TWAP orders."""
        return self._all(user, now, "userTwapHistory", Account.twap_event)

    def fundings(self, user: str, now: float) -> list[Item]:
        """Funding payments."""
        return self._all(user, now, "userFundings", Account.funding, _PAGED)

    def ledger(self, user: str, now: float) -> list[Item]:
        """Movements of money."""
        return self._all(user, now, "userNonFundingLedgerUpdates", Account.ledger_update, _PAGED)

    def clearinghouse_state(self, user: str, now: float, dex: str) -> Item:
        """Margin and positions in one dex."""
        n, ms = self.newest("clearinghouseState", now), self._market.milliseconds(now)
        return positions.clearinghouse_state(user, dex, n, ms, self._market.seed)

    def spot_state(self, user: str, now: float) -> Item:
        """Spot balances."""
        return positions.spot_state(user, self.newest("spotState", now), self._market.seed)

    def active_asset_data(self, user: str, now: float, coin: Coin) -> Item:
        """What the account could trade of one perp."""
        return positions.active_asset_data(user, self._market.at(coin.name, now), self._market.seed)

    def web_data(self, user: str, now: float) -> Item:
        """The data of `webData3`."""
        return positions.web_data(user, self._market.milliseconds(now), self._market.seed)

    def rate_limit(self, _: str, __: float) -> Item:
        """An account that never acted has all its requests left."""
        return {"cumVlm": "0.0", "nRequestsUsed": 0, "nRequestsCap": FREE_REQUESTS}

    def _all(
        self, user: str, now: float, type_: str, make: Callable[[Account, int], Item], count: int = _PAGE
    ) -> list[Item]:
        return self.items(user, type_, make, self.newest(type_, now), count)

    def _interval(self, type_: str) -> float:
        return 1 / self._rate if self._rate is not None else TYPES[type_].real_interval
