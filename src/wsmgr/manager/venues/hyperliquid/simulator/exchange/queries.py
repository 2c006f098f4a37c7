"""Queries: what `POST /info` says about an account, whether it acts or is made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.coins import universe
from wsmgr.manager.venues.hyperliquid.simulator.exchange.folding import fold_fills
from wsmgr.manager.venues.hyperliquid.simulator.exchange.moments import ZERO_HASH

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsmgr.manager.venues.hyperliquid.simulator.accounts import Item
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.fiction import Fiction
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.people import People
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.portrait import Portrait
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.registry import Registry
    from wsmgr.manager.venues.hyperliquid.simulator.market import Market


class Queries:
    """Answers about accounts, in the shapes of the venue.

    Every `user` is an address in any case. A query that takes the time counts as a look at the account: it exists
    from then on. Lists of one account are empty, and never None, for an account that has nothing, where not said
    otherwise.
    """

    def __init__(
        self, market: Market, registry: Registry, portrait: Portrait, fiction: Fiction, people: People
    ) -> None:
        self._market = market
        self._registry = registry
        self._portrait = portrait
        self._fiction = fiction
        self._people = people
        self._now = 0.0

    def look_at(self, user: str) -> None:
        """Somebody asked about an account: it exists."""
        self._registry.look_at(user.lower())

    def portrait(self, user: str) -> Portrait | None:
        """What shows the account of an address, lower case, if it acts; None for one that is made up."""
        return self._portrait if user in self._registry.traders else None

    def told_at(self, user: str) -> float:
        """When the watchers of an account that acts last heard something, seconds on the simulator's clock."""
        return self._registry.traders[user].told_at

    def open_orders(self, user: str, now: float, dex: str = "") -> list[Item]:
        """`openOrders`, newest first."""
        return self._view(user).open_orders(user.lower(), now, dex)[::-1]

    def frontend_open_orders(self, user: str, now: float, dex: str = "") -> list[Item]:
        """`frontendOpenOrders`, newest first."""
        return self._view(user).frontend_open_orders(user.lower(), now, dex)[::-1]

    def historical_orders(self, user: str, now: float) -> list[Item]:
        """`historicalOrders`: `{order, status, statusTimestamp}` for each change of an order, newest first."""
        return self._view(user).historical_orders(user.lower(), now)[::-1]

    def order_status(self, user: str, now: float, oid: int | str) -> Item:
        """`orderStatus` by oid or cloid: `{"status": "order", "order": ...}` or `{"status": "unknownOid"}`."""
        order = self._view(user).order(user.lower(), now, oid)
        return {"status": "unknownOid"} if order is None else {"status": "order", "order": order}

    def fills(self, user: str, now: float, *, aggregate_by_time: bool = False) -> list[Item]:
        """`userFills`, newest first."""
        fills = self._view(user).fills(user.lower(), now)
        return (fold_fills(fills) if aggregate_by_time else fills)[::-1]

    def fills_by_time(
        self,
        user: str,
        now: float,
        start_ms: int,
        end_ms: int | None = None,
        *,
        aggregate_by_time: bool = False,
    ) -> list[Item]:
        """`userFillsByTime`, oldest first, both ends included."""
        fills = _between(self._view(user).fills(user.lower(), now), start_ms, end_ms)
        return fold_fills(fills) if aggregate_by_time else fills

    def twap_slice_fills(self, user: str, now: float) -> list[Item]:
        """`userTwapSliceFills`: `{fill, twapId}`, newest first."""
        return self._view(user).twap_slice_fills(user.lower(), now)[::-1]

    def twap_history(self, user: str, now: float) -> list[Item]:
        """`twapHistory`: `{time (seconds), state, status}`, newest first."""
        return self._view(user).twap_history(user.lower(), now)[::-1]

    def fundings(self, user: str, now: float, start_ms: int, end_ms: int | None = None) -> list[Item]:
        """`userFunding`: `{time, hash, delta: {type: "funding", ...}}`, oldest first, both ends included."""
        paid = _between(self._view(user).fundings(user.lower(), now), start_ms, end_ms)
        return [
            {
                "time": item["time"],
                "hash": ZERO_HASH,
                "delta": {"type": "funding", **{name: item[name] for name in item if name != "time"}},
            }
            for item in paid
        ]

    def ledger_updates(self, user: str, now: float, start_ms: int, end_ms: int | None = None) -> list[Item]:
        """`userNonFundingLedgerUpdates`: `{time, hash, delta}`, oldest first, both ends included."""
        return _between(self._view(user).ledger(user.lower(), now), start_ms, end_ms)

    def clearinghouse_state(self, user: str, now: float, dex: str = "") -> Item:
        """`clearinghouseState`."""
        return self._view(user).clearinghouse_state(user.lower(), now, dex)

    def spot_state(self, user: str, now: float) -> Item:
        """`spotClearinghouseState`."""
        return self._view(user).spot_state(user.lower(), now)

    def active_asset_data(self, user: str, now: float, coin: str) -> Item:
        """`activeAssetData` of a perp.

        Raises:
            KeyError: There is no such coin.
        """
        self._market.at(coin, now)
        return self._view(user).active_asset_data(user.lower(), now, universe()[coin])

    def web_data(self, user: str, now: float) -> Item:
        """The data of `webData3`."""
        return self._view(user).web_data(user.lower(), now)

    def rate_limit(self, user: str, now: float) -> Item:
        """`userRateLimit`."""
        return self._view(user).rate_limit(user.lower(), now)

    def role(self, user: str) -> Item:
        """`userRole`: `{"role": "user"|"agent"|"vault"|"subAccount"|"missing", "data"?}`."""
        return self._people.role(user.lower(), self._now_ms)

    def sub_accounts(self, user: str, now: float) -> list[Item] | None:
        """`subAccounts`: None without any, as at the venue."""
        self.look_at(user)
        return self._people.sub_accounts(user.lower(), now)

    def vault_equities(self, user: str, now: float) -> list[Item]:  # noqa: ARG002  # it counts as a look
        """`userVaultEquities`."""
        self.look_at(user)
        return self._people.vault_equities(user.lower())

    def vault_details(self, vault: str, now: float, user: str | None = None) -> Item | None:
        """`vaultDetails`: None for an address that is no vault."""
        return self._people.vault_details(vault.lower(), user.lower() if user is not None else None, now)

    def delegations(self, user: str) -> list[Item]:
        """`delegations`."""
        return self._people.delegations(user.lower())

    def delegator_summary(self, user: str) -> Item:
        """`delegatorSummary`."""
        return self._people.delegator_summary(user.lower())

    def delegator_history(self, user: str) -> list[Item]:
        """`delegatorHistory`, newest first."""
        return self._people.delegator_history(user.lower())

    def max_builder_fee(self, user: str, builder: str) -> int:
        """`maxBuilderFee`: tenths of a basis point, 0 for a builder that is not approved."""
        return self._people.max_builder_fee(user.lower(), builder.lower())

    def referral(self, user: str) -> Item:
        """`referral`."""
        return self._people.referral(user.lower())

    def extra_agents(self, user: str) -> list[Item]:
        """`extraAgents`: the named agents, `{name, address, validUntil}`."""
        return self._people.extra_agents(user.lower(), self._now_ms)

    @property
    def _now_ms(self) -> int:
        """Unix milliseconds of the newest time that was heard of."""
        return self._market.milliseconds(self._now)

    def _view(self, user: str) -> Portrait | Fiction:
        """What shows an account; it was looked at."""
        self.look_at(user)
        return self.portrait(user.lower()) or self._fiction


def _between(items: Iterable[Item], start_ms: int, end_ms: int | None) -> list[Item]:
    """The items of a time, both ends included."""
    found: list[Item] = []
    for item in items:
        time = item["time"]
        if isinstance(time, int) and start_ms <= time and (end_ms is None or time <= end_ms):
            found.append(item)
    return found
