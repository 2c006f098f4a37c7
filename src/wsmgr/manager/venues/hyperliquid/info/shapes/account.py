"""The shapes of an account: positions, margin, fees, ledger."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

# At run time, for whoever checks an answer against these types.
from wsmgr.manager.venues.hyperliquid.info.shapes.spot import SpotState  # noqa: TC001


class Leverage(TypedDict):
    """A position's leverage; an isolated one has its raw USD beside it."""

    type: Literal["cross", "isolated"]
    value: int
    rawUsd: NotRequired[str]


class CumulativeFunding(TypedDict):
    """The funding that a position has paid."""

    allTime: str
    sinceChange: str
    sinceOpen: str


class Position(TypedDict):
    """A perpetual position; `szi` is its signed size."""

    coin: str
    szi: str
    entryPx: str | None
    leverage: Leverage
    liquidationPx: str | None
    marginUsed: str
    maxLeverage: int
    positionValue: str
    returnOnEquity: str
    unrealizedPnl: str
    cumFunding: CumulativeFunding


class AssetPosition(TypedDict):
    """A position and its mode."""

    type: str
    position: Position


class MarginSummary(TypedDict):
    """An account's value and margin."""

    accountValue: str
    totalMarginUsed: str
    totalNtlPos: str
    totalRawUsd: str


class ClearinghouseState(TypedDict):
    """An account's perpetual positions and margin."""

    assetPositions: list[AssetPosition]
    marginSummary: MarginSummary
    crossMarginSummary: MarginSummary
    crossMaintenanceMarginUsed: str
    withdrawable: str
    time: int


class RateLimit(TypedDict):
    """An address's request limit."""

    cumVlm: str
    nRequestsUsed: int
    nRequestsCap: int


class SubAccount(TypedDict):
    """A sub-account of an account."""

    name: str
    subAccountUser: str
    master: str
    clearinghouseState: ClearinghouseState
    spotState: SpotState


class Role(TypedDict):
    """What an address is; an agent's `data` names its user, a sub-account's its master."""

    role: Literal["missing", "user", "agent", "vault", "subAccount"]
    data: NotRequired[dict[str, str]]


Portfolio = list[list[Any]]
"""Pairs of a period (`day`, `perpDay`, ...) and `{accountValueHistory, pnlHistory, vlm}`."""


class Referral(TypedDict):
    """Who referred an account, and whom it refers."""

    referredBy: dict[str, str] | None
    cumVlm: str
    unclaimedRewards: str
    claimedRewards: str
    builderRewards: str
    referrerState: dict[str, Any]
    rewardHistory: list[Any]


class DailyVolume(TypedDict):
    """The volume of a day: the account's as taker and as maker, and the venue's."""

    date: str
    userCross: str
    userAdd: str
    exchange: str


class Fees(TypedDict):
    """An account's fees and its volume a day."""

    dailyUserVlm: list[DailyVolume]
    feeSchedule: dict[str, Any]
    userCrossRate: str
    userAddRate: str
    userSpotCrossRate: str
    userSpotAddRate: str
    activeReferralDiscount: str
    trial: dict[str, Any] | None
    feeTrialReward: str
    nextTrialAvailableTimestamp: int | None
    stakingLink: dict[str, str] | None
    activeStakingDiscount: dict[str, str]


class FundingDelta(TypedDict):
    """What a position paid (negative) or got, in USDC."""

    type: Literal["funding"]
    coin: str
    usdc: str
    szi: str
    fundingRate: str
    nSamples: int | None


class FundingPayment(TypedDict):
    """A funding payment."""

    time: int
    hash: str
    delta: FundingDelta


class LedgerUpdate(TypedDict):
    """A deposit, transfer or withdrawal; the delta's members depend on its `type`."""

    time: int
    hash: str
    delta: dict[str, Any]
