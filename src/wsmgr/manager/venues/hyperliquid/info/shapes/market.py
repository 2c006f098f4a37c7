"""The shapes of market data."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class L2Level(TypedDict):
    """A price level of an order book: price, size, and of how many orders."""

    px: str
    sz: str
    n: int


class L2Book(TypedDict):
    """An order book: bids (best first), then asks (best first)."""

    coin: str
    time: int
    levels: list[list[L2Level]]


class Candle(TypedDict):
    """A bar: `t` to `T`, open, high, low, close, volume, number of trades."""

    t: int
    T: int
    s: str
    i: str
    o: str
    h: str
    l: str  # noqa: E741  # the venue's name
    c: str
    v: str
    n: int


class PerpDex(TypedDict):
    """A builder's dex."""

    name: str
    fullName: str
    deployer: str
    oracleUpdater: str | None


class PerpMarket(TypedDict):
    """A perpetual; its place in the list is its index."""

    name: str
    szDecimals: int
    maxLeverage: int
    marginTableId: NotRequired[int]
    onlyIsolated: NotRequired[bool]
    isDelisted: NotRequired[bool]


class Meta(TypedDict):
    """The perpetuals, and the margin tables as pairs of id and table."""

    universe: list[PerpMarket]
    marginTables: list[list[Any]]
    collateralToken: NotRequired[int]


class AssetCtx(TypedDict):
    """A perpetual's prices, funding and open interest."""

    funding: str
    openInterest: str
    prevDayPx: str
    dayNtlVlm: str
    dayBaseVlm: str
    premium: str | None
    oraclePx: str
    markPx: str
    midPx: str | None
    impactPxs: list[str] | None


MetaAndAssetCtxs = list[Meta | list[AssetCtx]]
"""A pair: the perpetuals, and a context for each, in the same order."""


class FundingRate(TypedDict):
    """A coin's funding rate at one time."""

    coin: str
    fundingRate: str
    premium: str
    time: int


PredictedFundings = list[list[Any]]
"""Pairs of a coin and its venues, those as pairs of a name and `{fundingRate, nextFundingTime}` (or null)."""


class Auction(TypedDict):
    """An auction for the right to deploy; its times are in seconds."""

    startTimeSeconds: int
    durationSeconds: int
    startGas: str
    currentGas: str | None
    endGas: str | None
