"""Accounts: what the venue says about an address. Everything that an action can change is the exchange's to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.info.history import delegator_rewards, portfolio, user_fees
from wsmgr.manager.venues.hyperliquid.simulator.info.request import UnreadableRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wsmgr.manager.venues.hyperliquid.simulator.exchange import Exchange
    from wsmgr.manager.venues.hyperliquid.simulator.info.request import Request
    from wsmgr.manager.venues.hyperliquid.simulator.market import Market

MOST_ITEMS = 2000
MOST_FUNDINGS = 500


def answers(exchange: Exchange, market: Market) -> Mapping[str, Callable[[Request, float], object]]:
    """The questions about an address, with what answers them."""
    accounts = _Accounts(exchange)
    return {
        "clearinghouseState": lambda r, now: exchange.clearinghouse_state(r.user(), now, r.dex()),
        "spotClearinghouseState": lambda r, now: exchange.spot_state(r.user(), now),
        "openOrders": lambda r, now: exchange.open_orders(r.user(), now, r.dex()),
        "frontendOpenOrders": lambda r, now: exchange.frontend_open_orders(r.user(), now, r.dex()),
        "historicalOrders": lambda r, now: exchange.historical_orders(r.user(), now),
        "orderStatus": lambda r, now: exchange.order_status(r.user(), now, r.order()),
        "userFills": accounts.fills,
        "userFillsByTime": accounts.fills_by_time,
        "userTwapSliceFills": lambda r, now: exchange.twap_slice_fills(r.user(), now),
        "twapHistory": lambda r, now: exchange.twap_history(r.user(), now),
        "userFunding": accounts.fundings,
        "userNonFundingLedgerUpdates": accounts.ledger_updates,
        "activeAssetData": accounts.active_asset_data,
        "userRateLimit": lambda r, now: exchange.rate_limit(r.user(), now),
        "userRole": lambda r, _: exchange.role(r.user()),
        "subAccounts": lambda r, now: exchange.sub_accounts(r.user(), now),
        "userVaultEquities": lambda r, now: exchange.vault_equities(r.user(), now),
        "vaultDetails": lambda r, now: exchange.vault_details(r.user("vaultAddress"), now, r.optional_user()),
        "delegations": lambda r, _: exchange.delegations(r.user()),
        "delegatorSummary": lambda r, _: exchange.delegator_summary(r.user()),
        "delegatorHistory": lambda r, _: exchange.delegator_history(r.user()),
        "delegatorRewards": lambda r, now: delegator_rewards(exchange, market, r.user(), now),
        "maxBuilderFee": lambda r, _: exchange.max_builder_fee(r.user(), r.user("builder")),
        "referral": lambda r, _: exchange.referral(r.user()),
        "extraAgents": lambda r, _: exchange.extra_agents(r.user()),
        "userFees": lambda r, now: user_fees(exchange, market, r.user(), now),
        "portfolio": lambda r, now: portfolio(exchange, market, r.user(), now),
        "userToMultiSigSigners": lambda r, _: _unchanged(r.user(), None),
        "userDexAbstraction": lambda r, _: _unchanged(r.user(), value=False),
        "userAbstraction": lambda r, _: _unchanged(r.user(), "default"),
    }


class _Accounts:
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def fills(self, request: Request, now: float) -> object:
        aggregate = request.flag("aggregateByTime")
        return self._exchange.fills(request.user(), now, aggregate_by_time=aggregate)[:MOST_ITEMS]

    def fills_by_time(self, request: Request, now: float) -> object:
        """The oldest 2,000 of the span: whoever wants more asks again, from the time of the last."""
        start, end = _span(request)
        aggregate = request.flag("aggregateByTime")
        found = self._exchange.fills_by_time(request.user(), now, start, end, aggregate_by_time=aggregate)
        return found[:MOST_ITEMS]

    def fundings(self, request: Request, now: float) -> object:
        return self._exchange.fundings(request.user(), now, *_span(request))[:MOST_FUNDINGS]

    def ledger_updates(self, request: Request, now: float) -> object:
        return self._exchange.ledger_updates(request.user(), now, *_span(request))[:MOST_ITEMS]

    def active_asset_data(self, request: Request, now: float) -> object:
        coin = request.coin()
        if coin.kind != "perp":
            raise UnreadableRequestError
        return self._exchange.active_asset_data(request.user(), now, coin.name)


def _unchanged(_user: str, value: object) -> object:
    """What is true of every account, because the exchange executes no action that changes it."""
    return value


def _span(request: Request) -> tuple[int, int | None]:
    return request.milliseconds("startTime"), request.optional_milliseconds("endTime")
