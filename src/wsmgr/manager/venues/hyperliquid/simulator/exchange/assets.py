"""Assets: the numbers by which actions name coins, and which prices and sizes a coin takes.

Source: the venue's documentation, "Asset IDs" and "Tick and lot size": a perp is its index in `meta`, a spot pair
10000 plus its index in `spotMeta`, a builder's perp 100000 plus 10000 times the place of its dex in `perpDexs` plus
its index there. A price has at most five significant figures, or is a whole number, and at most 6 (spot: 8) decimals
less the decimals of the size.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache

import attrs

from wsmgr.manager.venues.hyperliquid.simulator.coins import DEXES, Coin, universe

USDC = "USDC"
STAKED = "HYPE"

_SPOT_BASE = 10_000
_BUILDER_BASE = 100_000
_BUILDER_STEP = 10_000
_SIGNIFICANT = 5
_PERP_DECIMALS = 6
_SPOT_DECIMALS = 8
_STAKED_INDEX = 150


@attrs.frozen
class Token:
    """A spot token: its name and its index, as in `spotMeta`."""

    name: str
    index: int


@cache
def tokens() -> dict[str, Token]:
    """All tokens by name: USDC, the base token of each spot pair, and the one that is staked."""
    bases = [_base_token(coin) for coin in universe().values() if coin.kind == "spot"]
    return {token.name: token for token in (Token(USDC, 0), *bases, Token(STAKED, _STAKED_INDEX))}


@cache
def coins_by_asset() -> dict[int, Coin]:
    """All coins by the number that actions use."""
    return {asset_of(coin): coin for coin in universe().values()}


@cache
def asset_of(coin: Coin) -> int:
    """The number by which actions name a coin."""
    if coin.kind == "spot":
        return _SPOT_BASE + coin.index
    if coin.dex:
        return _BUILDER_BASE + _BUILDER_STEP * DEXES.index(coin.dex) + coin.index
    return coin.index


def token_named(text: str) -> Token | None:
    """The token of an action, which names it `PURR` or `PURR:0x...`; None for one that is not known."""
    return tokens().get(text.partition(":")[0])


def base_of(coin: Coin) -> str:
    """What a spot pair trades against USDC."""
    return _base_token(coin).name


def display_name(coin: Coin) -> str:
    """The coin's name for people: a spot pair goes by its base token."""
    return base_of(coin) if coin.kind == "spot" else coin.name


def is_on_tick(coin: Coin, price: Decimal) -> bool:
    """Whether the venue takes this price."""
    most = (_PERP_DECIMALS if coin.kind == "perp" else _SPOT_DECIMALS) - coin.size_decimals
    if price == price.to_integral_value():
        return True
    digits = len(price.normalize().as_tuple().digits)
    return digits <= _SIGNIFICANT and _decimals(price) <= most


def is_on_lot(coin: Coin, size: Decimal) -> bool:
    """Whether the venue takes this size."""
    return _decimals(size) <= coin.size_decimals


def price_of(coin: Coin, ticks: int) -> Decimal:
    """A price of the simulated book."""
    return Decimal(ticks).scaleb(-coin.price_decimals)


def size_of(coin: Coin, units: int) -> Decimal:
    """A size of the simulated book."""
    return Decimal(units).scaleb(-coin.size_decimals)


def _base_token(coin: Coin) -> Token:
    return Token("PURR" if coin.index == 0 else f"TOK{coin.index}", coin.index + 1)


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
