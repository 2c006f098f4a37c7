"""What the venue answers, as types.

They say what was seen, and are not checked: the venue may add members. Prices, sizes, rates and amounts are decimal
numbers written as text; times are milliseconds since 1970; a side is `B` (bid: buy) or `A` (ask: sell). Pairs are
lists of two, as JSON has no tuples.

Sources: the venue's info endpoint (https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/info-endpoint)
and the types of hl-sdk 0.1.0 and of nktkas/hyperliquid.
"""

from __future__ import annotations

from wsmgr.manager.venues.hyperliquid.info.shapes.account import (
    ClearinghouseState,
    Fees,
    FundingPayment,
    LedgerUpdate,
    Portfolio,
    RateLimit,
    Referral,
    Role,
    SubAccount,
)
from wsmgr.manager.venues.hyperliquid.info.shapes.market import (
    Auction,
    Candle,
    FundingRate,
    L2Book,
    L2Level,
    Meta,
    MetaAndAssetCtxs,
    PerpDex,
    PredictedFundings,
)
from wsmgr.manager.venues.hyperliquid.info.shapes.orders import (
    Fill,
    FrontendOrder,
    OpenOrder,
    OrderAnswer,
    OrderState,
    TwapSliceFill,
)
from wsmgr.manager.venues.hyperliquid.info.shapes.spot import (
    SpotDeployState,
    SpotMeta,
    SpotMetaAndAssetCtxs,
    SpotState,
    TokenDetails,
)
from wsmgr.manager.venues.hyperliquid.info.shapes.staking import (
    Delegation,
    StakingEvent,
    StakingReward,
    StakingSummary,
    VaultDetails,
    VaultEquity,
)

__all__ = [
    "Auction",
    "Candle",
    "ClearinghouseState",
    "Delegation",
    "Fees",
    "Fill",
    "FrontendOrder",
    "FundingPayment",
    "FundingRate",
    "L2Book",
    "L2Level",
    "LedgerUpdate",
    "Meta",
    "MetaAndAssetCtxs",
    "OpenOrder",
    "OrderAnswer",
    "OrderState",
    "PerpDex",
    "Portfolio",
    "PredictedFundings",
    "RateLimit",
    "Referral",
    "Role",
    "SpotDeployState",
    "SpotMeta",
    "SpotMetaAndAssetCtxs",
    "SpotState",
    "StakingEvent",
    "StakingReward",
    "StakingSummary",
    "SubAccount",
    "TokenDetails",
    "TwapSliceFill",
    "VaultDetails",
    "VaultEquity",
]
