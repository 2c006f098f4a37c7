"""The shapes of vaults and staking."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

# At run time, for whoever checks an answer against these types.
from wsmgr.manager.venues.hyperliquid.info.shapes.account import Portfolio  # noqa: TC001


class VaultFollower(TypedDict):
    """Who has put something into a vault."""

    user: str
    vaultEquity: str
    pnl: str
    allTimePnl: str
    daysFollowing: int
    vaultEntryTime: int
    lockupUntil: int


class VaultDetails(TypedDict):
    """A vault; its rates and amounts are JSON numbers."""

    name: str
    vaultAddress: str
    leader: str
    description: str
    portfolio: Portfolio
    apr: float
    followerState: dict[str, Any] | None
    leaderFraction: float
    leaderCommission: float
    followers: list[VaultFollower]
    maxDistributable: float
    maxWithdrawable: float
    isClosed: bool
    relationship: dict[str, Any] | None
    allowDeposits: bool
    alwaysCloseOnWithdraw: bool


class VaultEquity(TypedDict):
    """What an account has in a vault, and until when it is locked."""

    vaultAddress: str
    equity: str
    lockedUntilTimestamp: NotRequired[int]


class Delegation(TypedDict):
    """What an account has staked with a validator, and until when it is locked."""

    validator: str
    amount: str
    lockedUntilTimestamp: int


class StakingSummary(TypedDict):
    """What an account has staked, in sum."""

    delegated: str
    undelegated: str
    totalPendingWithdrawal: str
    nPendingWithdrawals: int


class StakingEvent(TypedDict):
    """A delegation, deposit or withdrawal; the delta has one member, named after what happened."""

    time: int
    hash: str
    delta: dict[str, Any]


class StakingReward(TypedDict):
    """A reward, from delegation or commission."""

    time: int
    source: str
    totalAmount: str
