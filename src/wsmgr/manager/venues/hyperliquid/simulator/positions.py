"""Positions: the states of an account (balances, margin, open positions) as a function of the address and a number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.coins import coins_of
from wsmgr.manager.venues.hyperliquid.simulator.wire_numbers import Dice, decimal

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator.accounts import Item
    from wsmgr.manager.venues.hyperliquid.simulator.coins import Coin
    from wsmgr.manager.venues.hyperliquid.simulator.market import CoinMarket

_POSITIONS = 2
_CENTS = 2


def clearinghouse_state(user: str, dex: str, n: int, time_ms: int, seed: int) -> Item:
    """Margin and positions of an account in one dex; account value moves with `n`."""
    account = Dice(f"{seed}:{user}:{dex}:account")
    value = 1_000_000 + account.below(100_000_000) + n % 997
    notional = value // 3
    summary: Item = {
        "accountValue": decimal(value, _CENTS),
        "totalNtlPos": decimal(notional, _CENTS),
        "totalRawUsd": decimal(value - notional, _CENTS),
        "totalMarginUsed": decimal(notional // 10, _CENTS),
    }
    coins = coins_of(dex)
    return {
        "marginSummary": summary,
        "crossMarginSummary": summary,
        "crossMaintenanceMarginUsed": decimal(notional // 20, _CENTS),
        "withdrawable": decimal(value - notional // 10, _CENTS),
        "assetPositions": [
            _position(coins[account.below(len(coins))], account, n) for _ in range(_POSITIONS)
        ],
        "time": time_ms,
    }


def spot_state(user: str, n: int, seed: int) -> Item:
    """Spot balances of an account."""
    account = Dice(f"{seed}:{user}:spot")
    usdc = decimal(100_000_000 + account.below(10**10) + n % 997, 6)
    purr = decimal(1 + account.below(10**6), 2)
    return {
        "balances": [
            {"coin": "USDC", "token": 0, "total": usdc, "hold": "0.0", "entryNtl": "0.0"},
            {"coin": "PURR", "token": 1, "total": purr, "hold": "0.0", "entryNtl": "100.0"},
        ]
    }


def active_asset_data(user: str, market: CoinMarket, seed: int) -> Item:
    """What an account could trade of one coin."""
    account = Dice(f"{seed}:{user}:{market.coin.name}:asset")
    available = 10_000_000_000 + account.below(10**11)
    most = max(1, account.below(10**5))
    sizes = [decimal(most + more, market.coin.size_decimals) for more in (0, 200)]
    return {
        "user": user,
        "coin": market.coin.name,
        "leverage": {"type": "cross", "value": market.coin.max_leverage},
        "maxTradeSzs": sizes,
        "availableToTrade": [decimal(available, 6), decimal(available + market.steps, 6)],
        "markPx": market.mark,
    }


def web_data(user: str, time_ms: int, seed: int) -> Item:
    """The data of `webData3`."""
    account = Dice(f"{seed}:{user}:web")
    return {
        "userState": {
            "agentAddress": None,
            "agentValidUntil": None,
            "cumLedger": decimal(account.below(10**9), _CENTS),
            "serverTime": time_ms,
            "isVault": False,
            "user": user,
        },
        "perpDexStates": [{"totalVaultEquity": decimal(account.below(10**8), _CENTS)}],
    }


def _position(coin: Coin, account: Dice, n: int) -> Item:
    size = account.below(20_000) - 10_000
    value = abs(size) * coin.price
    decimals = coin.size_decimals + coin.price_decimals
    return {
        "type": "oneWay",
        "position": {
            "coin": coin.name,
            "szi": decimal(size, coin.size_decimals),
            "leverage": {"type": "cross", "value": coin.max_leverage},
            "entryPx": decimal(coin.price, coin.price_decimals),
            "positionValue": decimal(value, decimals),
            "unrealizedPnl": decimal(n % 997 - 498, _CENTS),
            "returnOnEquity": decimal(n % 997 - 498, 5),
            "liquidationPx": None,
            "marginUsed": decimal(value // coin.max_leverage, decimals),
            "maxLeverage": coin.max_leverage,
            "cumFunding": {"allTime": "0.0", "sinceOpen": "0.0", "sinceChange": "0.0"},
        },
    }
