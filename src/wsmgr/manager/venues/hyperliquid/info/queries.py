"""Hyperliquid's queries, as data: what each is called, by the venue and by us, and what it takes.

The facade's methods and the command line are both built on this table. Sources: the venue's info endpoint
(https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint), and what hl-sdk 0.1.0 and
hyperliquid-python-sdk 0.24.0 send. To the venue a parameter that is left out, one that is null and one that has its
default are the same; they are left out.
"""

from __future__ import annotations

import difflib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from wsmgr.manager.model.errors import UsageError
from wsmgr.manager.model.showing import shown
from wsmgr.manager.venues.hyperliquid.catalog import INTERVALS
from wsmgr.manager.venues.hyperliquid.info.query import Query, QueryParameter
from wsmgr.manager.venues.hyperliquid.values import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping


class UnknownQueryError(UsageError):
    """The venue has no query of this name."""


_USER = QueryParameter(
    name="user",
    keyword="address",
    doc="the account's address",
    kind=Kind.ADDRESS,
    required=True,
)
_COIN = QueryParameter(
    name="coin", keyword="coin", doc="the coin, as the wire has it: BTC, @107, xyz:SP500", required=True
)
_DEX = QueryParameter(name="dex", keyword="dex", doc="a builder's dex; left out, the venue's own", default="")
_START = QueryParameter(
    name="startTime", keyword="start", doc="from when on, inclusive", kind=Kind.TIME, required=True
)
_END = QueryParameter(
    name="endTime", keyword="end", doc="until when, inclusive; left out, until now", kind=Kind.TIME
)

_MARKET = (
    Query(
        method="all_mids",
        type="allMids",
        doc="The mid price of every coin that is traded.",
        parameters=(_DEX,),
    ),
    Query(
        method="l2_book",
        type="l2Book",
        doc="The order book of a coin: at most 20 levels a side.",
        parameters=(
            _COIN,
            QueryParameter(
                name="nSigFigs",
                keyword="n_sig_figs",
                doc="aggregate levels to so many significant figures; left out, full precision",
                kind=Kind.INTEGER,
                choices=(2, 3, 4, 5),
            ),
            QueryParameter(
                name="mantissa",
                keyword="mantissa",
                doc="aggregate further, with nSigFigs=5 only",
                kind=Kind.INTEGER,
                choices=(1, 2, 5),
                only_with=("nSigFigs", 5),
            ),
        ),
    ),
    Query(
        method="candle_snapshot",
        type="candleSnapshot",
        doc="The bars of a coin in a period: at most the newest 5000.",
        parameters=(
            _COIN,
            QueryParameter(
                name="interval",
                keyword="interval",
                doc="the bars' length: " + ", ".join(INTERVALS),
                required=True,
                choices=INTERVALS,
            ),
            _START,
            _END,
        ),
        inside="req",
    ),
    Query(
        method="perpetual_dexs",
        type="perpDexs",
        doc="The dexes of perpetuals; the venue's own is the first, and null.",
    ),
    Query(
        method="perpetual_meta",
        type="meta",
        doc="The perpetuals, in the order of their asset ids, and the margin tables.",
        parameters=(_DEX,),
    ),
    Query(
        method="perpetual_meta_and_asset_ctxs",
        type="metaAndAssetCtxs",
        doc="The perpetuals, and for each its mark price, funding and open interest.",
        parameters=(_DEX,),
    ),
    Query(
        method="funding_history",
        type="fundingHistory",
        doc="The funding rates of a coin in a period.",
        parameters=(_COIN, _START, _END),
    ),
    Query(
        method="predicted_fundings",
        type="predictedFundings",
        doc="The next funding rate of every coin, here and at other venues.",
    ),
    Query(
        method="perpetuals_at_open_interest_cap",
        type="perpsAtOpenInterestCap",
        doc="The perpetuals whose open interest is at its cap.",
        parameters=(_DEX,),
    ),
    Query(
        method="perpetual_deploy_auction_status",
        type="perpDeployAuctionStatus",
        doc="The auction for the right to deploy a perpetual.",
    ),
    Query(method="spot_meta", type="spotMeta", doc="The spot pairs and the tokens."),
    Query(
        method="spot_meta_and_asset_ctxs",
        type="spotMetaAndAssetCtxs",
        doc="The spot pairs and the tokens, and for each pair its prices and volume.",
    ),
    Query(
        method="token_details",
        type="tokenDetails",
        doc="A token: supply, prices, how it was deployed.",
        parameters=(
            QueryParameter(
                name="tokenId",
                keyword="token_id",
                doc="the token's id, 0x and 32 hexadecimal digits",
                kind=Kind.TOKEN_ID,
                required=True,
            ),
        ),
    ),
)


def _of_user(method: str, type: str, doc: str, *more: QueryParameter) -> Query:
    return Query(method=method, type=type, doc=doc, parameters=(_USER, *more))


_ACCOUNT = (
    _of_user("user_open_orders", "openOrders", "An account's open orders.", _DEX),
    _of_user(
        "user_frontend_open_orders",
        "frontendOpenOrders",
        "An account's open orders, with type, trigger and children.",
        _DEX,
    ),
    _of_user(
        "user_historical_orders",
        "historicalOrders",
        "An account's newest orders, at most 2000, and their state.",
    ),
    _of_user("user_fills", "userFills", "An account's newest fills, at most 2000."),
    _of_user(
        "user_fills_by_time",
        "userFillsByTime",
        "An account's fills in a period, at most 2000 a time.",
        _START,
        _END,
        QueryParameter(
            name="aggregateByTime",
            keyword="aggregate_by_time",
            doc="make one fill of those of one crossing order",
            kind=Kind.FLAG,
            default=False,
        ),
    ),
    _of_user("user_twap_slice_fills", "userTwapSliceFills", "The newest fills of an account's TWAP orders."),
    _of_user("user_rate_limit", "userRateLimit", "How many requests an account has used, and may use."),
    _of_user(
        "order_status",
        "orderStatus",
        "One order and its state.",
        QueryParameter(
            name="oid",
            keyword="order_id",
            doc="the order's number, or its client id",
            kind=Kind.ORDER_ID,
            required=True,
        ),
    ),
    _of_user("user_sub_accounts", "subAccounts", "An account's sub-accounts."),
    _of_user(
        "max_builder_fee",
        "maxBuilderFee",
        "The fee that an account has allowed a builder, in tenths of a basis point.",
        QueryParameter(
            name="builder",
            keyword="builder",
            doc="the builder's address",
            kind=Kind.ADDRESS,
            required=True,
        ),
    ),
    _of_user("user_role", "userRole", "What an address is: user, agent, vault, sub-account or unknown."),
    _of_user(
        "user_portfolio", "portfolio", "An account's value and profit over day, week, month and all time."
    ),
    _of_user("user_referral", "referral", "Who referred an account, and whom it refers."),
    _of_user("user_fees", "userFees", "An account's fees and its volume a day."),
    _of_user("user_state", "clearinghouseState", "An account's perpetual positions and margin.", _DEX),
    _of_user("user_funding", "userFunding", "The funding that an account paid in a period.", _START, _END),
    _of_user(
        "user_non_funding_ledger_updates",
        "userNonFundingLedgerUpdates",
        "An account's deposits, transfers and withdrawals in a period.",
        _START,
        _END,
    ),
    _of_user("spot_user_state", "spotClearinghouseState", "An account's token balances."),
    _of_user(
        "spot_deploy_auction_status", "spotDeployState", "An account's token deployments, and the auction."
    ),
)

_STAKING = (
    Query(
        method="vault_details",
        type="vaultDetails",
        doc="A vault: leader, followers, value and profit.",
        parameters=(evolve(_USER, name="vaultAddress", keyword="vault_address", doc="the vault's address"),),
    ),
    _of_user("user_vault_equities", "userVaultEquities", "What an account has in vaults."),
    _of_user("user_delegations", "delegations", "What an account has staked, by validator."),
    _of_user("user_delegator_summary", "delegatorSummary", "What an account has staked, in sum."),
    _of_user("user_delegator_history", "delegatorHistory", "An account's staking, event by event."),
    _of_user("user_delegator_rewards", "delegatorRewards", "An account's staking rewards."),
)

QUERIES: Final[Mapping[str, Query]] = MappingProxyType(
    {query.method: query for query in (*_MARKET, *_ACCOUNT, *_STAKING)}
)
"""Every query, by its method."""

_BY_NAME: Final = {name: query for query in QUERIES.values() for name in (query.method, query.type)}


def find_query(name: str) -> Query:
    """Return a query by its method's name or by the venue's.

    Raises:
        UnknownQueryError: There is none; the message names the nearest ones.
    """
    query = _BY_NAME.get(name)
    if query is None:
        alike = [known for known in _BY_NAME if known.casefold() == name.casefold()]
        near = alike or difflib.get_close_matches(name, _BY_NAME)
        meant = (
            f"did you mean {', '.join(near)}?"
            if near
            else f"it has {', '.join(sorted(query.type for query in QUERIES.values()))}"
        )
        raise UnknownQueryError(f"Hyperliquid has no query {shown(name)}; {meant}")
    return query


def parse_query(name: str, params: Mapping[str, object]) -> dict[str, Any]:
    """Return a query's payload, ready to be sent, from names and values as a person types them.

    Args:
        name: The venue's name (`l2Book`) or the method's (`l2_book`).
        params: By the venue's names or by the method's keywords; numbers, flags and times may be text.

    Raises:
        UnknownQueryError: There is no such query; the message names the nearest ones.
        ParameterError: A parameter is unknown, missing or malformed.
    """
    return find_query(name).payload(params)
