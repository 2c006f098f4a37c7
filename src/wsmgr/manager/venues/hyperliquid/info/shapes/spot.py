"""The shapes of spot: pairs, tokens, balances, deployments."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

# At run time, for whoever checks an answer against these types.
from wsmgr.manager.venues.hyperliquid.info.shapes.market import Auction  # noqa: TC001


class SpotMarket(TypedDict):
    """A spot pair: its tokens are base and quote, by the tokens' index."""

    name: str
    tokens: list[int]
    index: int
    isCanonical: bool


class SpotToken(TypedDict):
    """A token."""

    name: str
    szDecimals: int
    weiDecimals: int
    index: int
    tokenId: str
    isCanonical: bool
    evmContract: dict[str, Any] | None
    fullName: str | None


class SpotMeta(TypedDict):
    """The spot pairs and the tokens."""

    universe: list[SpotMarket]
    tokens: list[SpotToken]


class SpotAssetCtx(TypedDict):
    """A pair's prices and volume."""

    coin: str
    markPx: str
    midPx: str | None
    prevDayPx: str
    dayNtlVlm: str
    circulatingSupply: str


SpotMetaAndAssetCtxs = list[SpotMeta | list[SpotAssetCtx]]
"""A pair: the spot pairs and tokens, and the contexts."""


class SpotBalance(TypedDict):
    """What an account has of a token; `hold` is bound in orders."""

    coin: str
    token: int
    total: str
    hold: str
    entryNtl: str


class SpotState(TypedDict):
    """An account's token balances."""

    balances: list[SpotBalance]


class TokenSpec(TypedDict):
    """What a token is deployed with."""

    name: str
    szDecimals: int
    weiDecimals: int


class TokenDeployment(TypedDict):
    """A deployment that is under way."""

    token: int
    spec: TokenSpec
    fullName: str | None
    spots: list[int]
    maxSupply: str | int | None
    hyperliquidityGenesisBalance: str
    totalGenesisBalanceWei: str
    userGenesisBalances: list[list[str]]
    existingTokenGenesisBalances: list[list[int | str]]


class SpotDeployState(TypedDict):
    """An account's token deployments, and the auction for the next one."""

    states: list[TokenDeployment]
    gasAuction: Auction


class TokenDetails(TypedDict):
    """A token: supply, prices, how it was deployed (`deployTime` as RFC 3339 without a zone)."""

    name: str
    maxSupply: str
    totalSupply: str
    circulatingSupply: str
    szDecimals: int
    weiDecimals: int
    midPx: str
    markPx: str
    prevDayPx: str
    genesis: dict[str, Any] | None
    deployer: str | None
    deployGas: str | None
    deployTime: str | None
    seededUsdc: str
    nonCirculatingUserBalances: list[list[str]]
    futureEmissions: str
    deployerTradingFeeShare: NotRequired[str]
