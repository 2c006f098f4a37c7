"""Universe: what can be traded, by which numbers, and what new listings cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.coins import BUILDER_DEX, Coin, coins_of
from wsmgr.manager.venues.hyperliquid.simulator.contexts import context
from wsmgr.manager.venues.hyperliquid.simulator.wire_numbers import Dice, address, decimal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wsmgr.manager.venues.hyperliquid.simulator.info.request import Request
    from wsmgr.manager.venues.hyperliquid.simulator.market import Market
    from wsmgr.manager.venues.hyperliquid.simulator.market_sources import MarketSources

Item = dict[str, object]

_AUCTION_SECONDS = 111_600
_USDC_DECIMALS = 8
_WEI_MORE = 3


def answers(sources: MarketSources) -> Mapping[str, Callable[[Request, float], object]]:
    """The questions about the universe, with what answers them."""
    market = sources.market
    return {
        "meta": lambda request, _: meta(request.dex()),
        "spotMeta": lambda _, __: spot_meta(),
        "perpDexs": lambda _, __: perp_dexs(),
        "tokenDetails": lambda request, now: _token_details(request.token(), market, now),
        "spotDeployState": lambda request, now: _spot_deploy_state(request.user(), market, now),
        "perpDeployAuctionStatus": lambda _, now: _auction("perp", market, now),
    }


def meta(dex: str) -> Item:
    """The perps of a dex."""
    coins = coins_of(dex)
    leverages = sorted({coin.max_leverage for coin in coins})
    tables = [
        [leverage, {"description": "", "marginTiers": [{"lowerBound": "0.0", "maxLeverage": leverage}]}]
        for leverage in leverages
    ]
    return {"universe": [_perp(coin) for coin in coins], "marginTables": tables, "collateralToken": 0}


def spot_meta() -> Item:
    """The spot pairs and their tokens."""
    pairs = [
        {
            "tokens": [coin.index + 1, 0],
            "name": coin.name,
            "index": coin.index,
            "isCanonical": coin.index == 0,
        }
        for coin in coins_of("", "spot")
    ]
    tokens = [_token("USDC", 0, _USDC_DECIMALS)]
    tokens += [_token(token_name(coin), coin.index + 1, coin.size_decimals) for coin in coins_of("", "spot")]
    return {"universe": pairs, "tokens": tokens}


def perp_dexs() -> list[Item | None]:
    """All dexs; the main one is None."""
    deployer = address(f"deployer {BUILDER_DEX}")
    return [
        None,
        {
            "name": BUILDER_DEX,
            "fullName": "Builder dex of the simulator",
            "deployer": deployer,
            "oracleUpdater": None,
            "feeRecipient": None,
            "assetToStreamingOiCap": [[coin.name, "1000000.0"] for coin in coins_of(BUILDER_DEX)],
        },
    ]


def token_name(coin: Coin) -> str:
    """The token that a spot pair trades: `PURR` of `PURR/USDC`, `TOK3` of `@3`."""
    return coin.name.partition("/")[0] if "/" in coin.name else f"TOK{coin.index}"


def _perp(coin: Coin) -> Item:
    return {
        "szDecimals": coin.size_decimals,
        "name": coin.name,
        "maxLeverage": coin.max_leverage,
        "marginTableId": coin.max_leverage,
    }


def _token(name: str, index: int, size_decimals: int) -> Item:
    return {
        "name": name,
        "szDecimals": size_decimals,
        "weiDecimals": size_decimals + _WEI_MORE,
        "index": index,
        "tokenId": _token_id(name),
        "isCanonical": index <= 1,
        "evmContract": None,
        "fullName": None,
        "deployerTradingFeeShare": "0.0",
    }


def _token_id(name: str) -> str:
    return f"0x{Dice(f'token {name}').digest[:32]}"


def _token_details(token_id: str, market: Market, now: float) -> Item | None:
    if token_id == _token_id("USDC"):
        return _details("USDC", _USDC_DECIMALS, "1000000000000.0", ("1.0", "1.0", "1.0"))
    for coin in coins_of("", "spot"):
        if token_id == _token_id(token_name(coin)):
            seen = context(market.at(coin.name, now))
            prices = (str(seen["midPx"]), str(seen["markPx"]), str(seen["prevDayPx"]))
            return _details(token_name(coin), coin.size_decimals, str(seen["totalSupply"]), prices)
    return None


def _details(name: str, size_decimals: int, supply: str, prices: tuple[str, str, str]) -> Item:
    mid, mark, previous = prices
    return {
        "name": name,
        "maxSupply": supply,
        "totalSupply": supply,
        "circulatingSupply": supply,
        "szDecimals": size_decimals,
        "weiDecimals": size_decimals + _WEI_MORE,
        "midPx": mid,
        "markPx": mark,
        "prevDayPx": previous,
        "genesis": {"userBalances": [], "existingTokenBalances": []},
        "deployer": address(f"deployer {name}"),
        "deployGas": decimal(10_000 + Dice(f"gas {name}").below(100_000), 2),
        "deployTime": "2024-04-16T11:04:00.000000000",
        "seededUsdc": "0.0",
        "nonCirculatingUserBalances": [],
        "futureEmissions": "0.0",
    }


def _spot_deploy_state(_: str, market: Market, now: float) -> Item:
    """Nobody deploys anything here; the auction runs."""
    return {"states": [], "gasAuction": _auction("spot", market, now)}


def _auction(kind: str, market: Market, now: float) -> Item:
    """A Dutch auction that falls from its start to nothing in 31 hours, then begins again."""
    seconds = market.milliseconds(now) // 1000
    begun = seconds // _AUCTION_SECONDS * _AUCTION_SECONDS
    first = 50_000 + Dice(f"{market.seed}:{kind}:{begun}").below(5_000_000)
    left = first * (_AUCTION_SECONDS - (seconds - begun)) // _AUCTION_SECONDS
    return {
        "startTimeSeconds": begun,
        "durationSeconds": _AUCTION_SECONDS,
        "startGas": decimal(first, 2),
        "currentGas": decimal(left, 2),
        "endGas": None,
    }
