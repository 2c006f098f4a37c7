"""Hyperliquid's subscription types, as data.

The 27 types of the API host, the 2 of the explorer's, and one that the venue has removed. Facts come from the venue's
documentation and from frames recorded of it; four rules turn them into the fields here.

* *Connection class*: whatever names a user is `user_grouped`; of the rest, what takes a parameter that its frames do
  not echo is `dedicated` (l2Book); everything else is `shared`.
* *First proof*: a frame where the venue pushes one by itself soon after the acknowledgement: the state streams, bbo,
  l2Book and the six histories with their snapshots. Everything else may rightly be silent: trades and candle on a coin
  that nobody trades, outcomeMetaUpdates, and an account to which nothing happens (orderUpdates, userEvents,
  notification). The explorer's are proved by a frame, because the chain makes blocks whether or not anybody trades, and
  because the API host acknowledges these two types and then sends nothing.
* *Cadence*: only what was measured to come whether or not anything changed. The bulk contexts are said to be regular
  too, but no figure is known, and a guess would condemn healthy connections.
* *Substitutes*: types whose frames name their user, for those whose frames do not. Nothing stands in for notification.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wsmgr.manager.model.subscription_type import (
    ConnectionClass,
    FirstProof,
    Join,
    Kind,
    Merge,
    Parameter,
    ParameterKind,
    SubscriptionType,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

INTERVALS: Final = ("1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "8h", "12h", "1d", "3d", "1w", "1M")
"""The bar lengths of `candle`."""

_COIN = Parameter(name="coin", required=True)
_DEX = Parameter(name="dex", default="")
_USER = Parameter(name="user", kind=ParameterKind.ADDRESS, required=True)
_BY_USER = (("user", "user"),)
_TRADES_IN_FIRST_FRAME = 30

_MARKET = (
    SubscriptionType(
        name="allMids",
        channel=("allMids",),
        parameters=(_DEX,),
        identity=(("dex", "dex"),),
        cadence=1.0,
    ),
    SubscriptionType(
        name="assetCtxs", channel=("assetCtxs",), parameters=(_DEX,), identity=(("dex", "dex"),)
    ),
    SubscriptionType(name="allDexsAssetCtxs", channel=("allDexsAssetCtxs",)),
    SubscriptionType(name="spotAssetCtxs", channel=("spotAssetCtxs",)),
    SubscriptionType(
        name="fastAssetCtxs",
        channel=("fastAssetCtxs",),
        # The first frame is the whole state and the later ones are changes of it: no frame replaces another.
        kind=Kind.EVENT,
        join=Join.FOLD,
        packed=True,
    ),
    SubscriptionType(
        name="outcomeMetaUpdates",
        channel=("outcomeMetaUpdates",),
        kind=Kind.EVENT,
        first_proof=FirstProof.ACK,
        join=Join.NONE,
    ),
    SubscriptionType(
        name="trades",
        channel=("trades",),
        parameters=(_COIN,),
        identity=(("coin", "coin"),),
        kind=Kind.EVENT,
        first_proof=FirstProof.ACK,
        join=Join.LOG,
        merge=Merge.ITEMS,
        duplicate_key=("coin", "tid"),
        items="",
        log_limit=_TRADES_IN_FIRST_FRAME,
        time="time",
        healing="recentTrades",
    ),
    SubscriptionType(
        name="bbo",
        channel=("bbo",),
        parameters=(_COIN,),
        identity=(("coin", "coin"),),
        merge=Merge.TIME,
        time="time",
    ),
    SubscriptionType(
        name="l2Book",
        channel=("l2Book",),
        parameters=(
            _COIN,
            Parameter(name="nSigFigs", kind=ParameterKind.INTEGER, choices=(2, 3, 4, 5)),
            Parameter(
                name="mantissa", kind=ParameterKind.INTEGER, choices=(1, 2, 5), only_with=("nSigFigs", 5)
            ),
            Parameter(name="fast", kind=ParameterKind.FLAG, default=False),
        ),
        identity=(("coin", "coin"),),
        connection_class=ConnectionClass.DEDICATED,
        merge=Merge.TIME,
        time="time",
        # The slowest of its variants: every 5 s since 2026-07-25, every 0.5 s with `fast`.
        cadence=5.0,
    ),
    SubscriptionType(
        name="candle",
        channel=("candle",),
        parameters=(_COIN, Parameter(name="interval", required=True, choices=INTERVALS)),
        identity=(("coin", "s"), ("interval", "i")),
        # A frame replaces the one before of the same bar only: the last of each bar must not be lost.
        kind=Kind.EVENT,
        first_proof=FirstProof.ACK,
        join=Join.LAST,
        # The payload is itself the one item.
        merge=Merge.ITEMS,
        duplicate_key=("s", "i", "t", "n", "v"),
        healing="candleSnapshot",
    ),
    SubscriptionType(
        name="activeAssetCtx",
        # The second one where the coin is a spot pair.
        channel=("activeAssetCtx", "activeSpotAssetCtx"),
        parameters=(_COIN,),
        identity=(("coin", "coin"),),
        cadence=1.0,
    ),
)


def _account_state(
    name: str,
    *parameters: Parameter,
    identity: tuple[tuple[str, str], ...] = _BY_USER,
    time: str | None = None,
    removed: str | None = None,
) -> SubscriptionType:
    """Each frame is the whole of one side of a user's account."""
    return SubscriptionType(
        name=name,
        channel=(name,),
        parameters=(_USER, *parameters),
        identity=identity,
        connection_class=ConnectionClass.USER_GROUPED,
        merge=Merge.NONE if time is None else Merge.TIME,
        time=time,
        user="user",
        removed=removed,
    )


def _history(
    name: str,
    *parameters: Parameter,
    items: str,
    duplicate_key: tuple[str, ...],
    healing: str,
) -> SubscriptionType:
    """A snapshot of a user's past items, then the new ones."""
    return SubscriptionType(
        name=name,
        channel=(name,),
        parameters=(_USER, *parameters),
        identity=_BY_USER,
        connection_class=ConnectionClass.USER_GROUPED,
        kind=Kind.EVENT,
        join=Join.LOG,
        merge=Merge.ITEMS,
        duplicate_key=duplicate_key,
        items=items,
        marks_snapshots=True,
        user="user",
        healing=healing,
    )


def _account_events(
    name: str,
    channel: str,
    *,
    items: str | None = None,
    duplicate_key: tuple[str, ...] = (),
    time: str | None = None,
    healing: str | None = None,
    substitutes: tuple[tuple[str, str], ...] = (),
) -> SubscriptionType:
    """New events only, in frames that do not say whose they are."""
    return SubscriptionType(
        name=name,
        channel=(channel,),
        parameters=(_USER,),
        connection_class=ConnectionClass.USER_GROUPED,
        kind=Kind.EVENT,
        first_proof=FirstProof.ACK,
        join=Join.NONE,
        merge=Merge.ITEMS if duplicate_key else Merge.NONE,
        duplicate_key=duplicate_key,
        items=items,
        time=time,
        user="user",
        healing=healing,
        substitutes=substitutes,
    )


_ACCOUNT = (
    _account_state("activeAssetData", _COIN, identity=(("user", "user"), ("coin", "coin"))),
    _account_state(
        "clearinghouseState",
        _DEX,
        identity=(("user", "user"), ("dex", "dex")),
        time="clearinghouseState.time",
    ),
    _account_state("openOrders", _DEX, identity=(("user", "user"), ("dex", "dex"))),
    _account_state("twapStates", _DEX, identity=(("user", "user"), ("dex", "dex"))),
    _account_state("allDexsClearinghouseState"),
    _account_state(
        "spotState", Parameter(name="ignorePortfolioMargin", kind=ParameterKind.FLAG, default=False)
    ),
    _account_state("webData3", identity=(("user", "userState.user"),), time="userState.serverTime"),
    _account_state(
        "webData2",
        removed="the venue removed it in August 2026; use webData3, or clearinghouseState and openOrders",
    ),
    _history(
        "userFills",
        Parameter(name="aggregateByTime", kind=ParameterKind.FLAG, default=False),
        items="fills",
        # A trade with oneself gives two fills of one tid.
        duplicate_key=("tid", "side", "oid"),
        healing="userFillsByTime",
    ),
    _history("userFundings", items="fundings", duplicate_key=("time", "coin"), healing="userFunding"),
    _history(
        "userNonFundingLedgerUpdates",
        items="nonFundingLedgerUpdates",
        duplicate_key=("time", "hash", "delta"),
        healing="userNonFundingLedgerUpdates",
    ),
    _history(
        "userHistoricalOrders",
        items="orderHistory",
        duplicate_key=("order.oid", "status", "statusTimestamp"),
        healing="historicalOrders",
    ),
    _history(
        "userTwapHistory",
        items="history",
        # Recorded items carry no twapId; the TWAP's own start in milliseconds tells two of one second apart.
        duplicate_key=("twapId", "state.timestamp", "time", "status.status"),
        healing="twapHistory",
    ),
    _history(
        "userTwapSliceFills",
        items="twapSliceFills",
        # As in userFills: a trade between two TWAPs of one user gives two slices of one tid.
        duplicate_key=("fill.tid", "fill.side", "fill.oid"),
        healing="userTwapSliceFills",
    ),
    _account_events(
        "orderUpdates",
        "orderUpdates",
        items="",
        duplicate_key=("order.oid", "status", "statusTimestamp"),
        time="statusTimestamp",
        healing="historicalOrders",
        substitutes=(
            ("userHistoricalOrders", "the same records"),
            ("openOrders", "the orders that are open"),
        ),
    ),
    # Its fills only; funding is in userFunding, and cancellations by the venue are in no query by time.
    _account_events(
        "userEvents",
        "user",
        healing="userFillsByTime",
        substitutes=(
            ("userFills", "fills and liquidations"),
            ("userFundings", "funding"),
            ("userHistoricalOrders", "what the venue cancelled"),
            ("userTwapHistory", "TWAPs"),
            ("userTwapSliceFills", "their fills"),
        ),
    ),
    _account_events("notification", "notification"),
)

_EXPLORER = (
    SubscriptionType(
        name="explorerBlock",
        channel=("explorerBlock",),
        kind=Kind.EVENT,
        join=Join.NONE,
        merge=Merge.ITEMS,
        duplicate_key=("height",),
        items="",
        time="blockTime",
        bare=("blockTime", "height"),
        host="explorer",
    ),
    SubscriptionType(
        name="explorerTxs",
        channel=("explorerTxs",),
        kind=Kind.EVENT,
        join=Join.NONE,
        merge=Merge.ITEMS,
        duplicate_key=("hash",),
        items="",
        time="time",
        bare=("action", "block"),
        host="explorer",
    ),
)

CATALOG: Final[Mapping[str, SubscriptionType]] = MappingProxyType(
    {each.name: each for each in _MARKET + _ACCOUNT + _EXPLORER}
)
"""Every subscription type by its name."""
