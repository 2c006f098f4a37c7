"""Coins: the simulated venue's universe, as data.

500 of them: perpetuals (the first ones real, the rest generated names), six of a builder's dex (`xyz:SP500`) and
spot pairs (`PURR/USDC`, then `@n`). The list depends on nothing, so every simulator has the same one.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Literal

import attrs

PERP_COUNT = 400
SPOT_COUNT = 94
BUILDER_DEX = "xyz"
DEXES = ("", BUILDER_DEX)

_SIGNIFICANT = 5
_PERP_DECIMALS = 6
_SPOT_DECIMALS = 8

_KNOWN_PERPS = (
    "BTC:108246:5:40 ETH:2566.4:4:25 SOL:152.31:2:20 BNB:655.1:3:10 XRP:2.2441:0:20 DOGE:0.1767:0:10 "
    "HYPE:39.642:2:10 SUI:2.9127:1:10 kPEPE:0.010336:0:10 ADA:0.58214:0:10 AVAX:18.412:2:10 LINK:13.571:1:10 "
    "LTC:86.94:2:10 BCH:498.25:3:10 DOT:3.4417:1:10 UNI:7.3312:1:10 AAVE:272.81:2:10 NEAR:2.1834:1:10 "
    "APT:4.5528:2:10 ARB:0.34117:1:10 OP:0.56341:1:10 TIA:1.6127:1:10 SEI:0.27844:0:10 INJ:11.042:1:10 "
    "WLD:0.87169:1:10 CRV:0.52618:1:10 LDO:0.72553:1:10 MKR:2013.4:4:10 ENA:0.27317:0:10 ONDO:0.76214:0:10 "
    "kBONK:0.013635:0:10 kSHIB:0.011354:0:10 WIF:0.79628:0:10 JUP:0.43711:0:10 FARTCOIN:1.1337:1:10 "
    "TRUMP:8.7611:1:10 PENGU:0.015744:0:10 VIRTUAL:1.5526:1:5 TAO:325.17:3:5 RENDER:3.2114:1:5 FIL:2.2817:1:5 "
    "ETC:16.441:2:5 XLM:0.23737:0:10 HBAR:0.15377:0:5 ALGO:0.17914:0:5 ATOM:4.0219:2:5 TON:2.8513:1:10 "
    "TRX:0.28114:0:10 ZRO:1.7326:1:5 ZK:0.044531:0:5 STRK:0.11437:1:5 PYTH:0.10281:0:5 JTO:1.9172:0:5 "
    "PENDLE:3.3814:0:5 EIGEN:1.1916:2:5 MOODENG:0.16644:0:5 POPCAT:0.32771:0:3 IP:2.8162:1:3 BERA:1.7413:1:5 "
    "KAITO:1.5118:0:5 MOVE:0.16124:0:3 LAYER:0.66271:0:3 S:0.32144:0:5 GRASS:1.0427:1:3 IO:0.67714:1:3 "
    "BLUR:0.075314:1:3 ENS:18.244:2:5 GMX:13.514:2:3 DYDX:0.51233:1:5 SNX:0.58427:1:3 COMP:43.281:2:5 "
    "RUNE:1.4117:1:5 IMX:0.40216:1:5 GALA:0.014317:0:5 SAND:0.23341:0:5 APE:0.61427:1:5 MINA:0.16244:0:3 "
    "ZEN:7.2249:2:5 ZETA:0.17372:0:3 XAI:0.0493:1:3 ZORA:0.008583:0:3 ZEREBRO:0.027913:0:3 kFLOKI:0.077314:0:5 "
    "kNEIRO:0.35404:1:3 kLUNC:0.054969:0:3 kDOGS:0.12394:0:3 INIT:0.41126:0:5 RESOLV:0.17433:0:3 0G:1.2017:0:3 "
    "2Z:0.129165:0:3 ME:0.77143:1:3 AI:0.12318:1:5 ANIME:0.018644:0:3 TURBO:0.004017:0:3 MEME:0.0016144:0:3"
)
_BUILDER_PERPS = (
    "SP500:6204.5:3:20 XYZ100:22641:4:20 GOLD:3341.2:4:10 TSLA:315.44:3:10 NVDA:158.27:3:10 EUR:1.1772:0:50"
)
_SYLLABLES = ("ZA", "RO", "MI", "KE", "LU", "NO", "TA", "VI", "DE", "SU", "PA", "GO", "FE", "XU", "BI", "QO")


@attrs.frozen(kw_only=True)
class Coin:
    """One instrument.

    Attributes:
        name: As it stands on the wire: `BTC`, `xyz:SP500`, `@107`, `PURR/USDC`.
        kind: `perp` or `spot`.
        dex: `""` for the venue's own perps and spot, else the builder's dex.
        index: Position in its dex's universe (spot: in the spot universe).
        price: Start price in ticks.
        price_decimals: A tick is `10 ** -price_decimals`.
        size_decimals: The smallest size is `10 ** -size_decimals`.
        max_leverage: What `meta` says.
    """

    name: str
    kind: Literal["perp", "spot"]
    dex: str
    index: int
    price: int
    price_decimals: int
    size_decimals: int
    max_leverage: int


@cache
def universe() -> dict[str, Coin]:
    """All coins by name, in the order of `meta` (main dex, builder dex) and then `spotMeta`."""
    coins = [*_perps(), *_builder_perps(), *_spots()]
    return {coin.name: coin for coin in coins}


def coins_of(dex: str, kind: Literal["perp", "spot"] = "perp") -> tuple[Coin, ...]:
    """The coins of one dex, in the order of their index."""
    return tuple(coin for coin in universe().values() if coin.dex == dex and coin.kind == kind)


def _perps() -> list[Coin]:
    coins = [_from_text(text, index, "") for index, text in enumerate(_KNOWN_PERPS.split())]
    names = {coin.name for coin in coins}
    number = 0
    while len(coins) < PERP_COUNT:
        name = _made_up_name(number)
        number += 1
        if name not in names:
            names.add(name)
            coins.append(_made_up(name, len(coins), "perp"))
    return coins


def _builder_perps() -> list[Coin]:
    texts = enumerate(_BUILDER_PERPS.split())
    return [_from_text(f"{BUILDER_DEX}|{text}", index, BUILDER_DEX) for index, text in texts]


def _spots() -> list[Coin]:
    return [_made_up("PURR/USDC" if n == 0 else f"@{n}", n, "spot") for n in range(SPOT_COUNT)]


def _from_text(text: str, index: int, dex: str) -> Coin:
    name, price, size_decimals, leverage = text.split(":")
    return _coin(name.replace("|", ":"), "perp", dex, index, float(price), int(size_decimals), int(leverage))


def _made_up(name: str, index: int, kind: Literal["perp", "spot"]) -> Coin:
    first, second = hashlib.blake2b(name.encode(), digest_size=2).digest()
    price = 10 ** (first / 255 * 5 - 3) * (1 + second / 255)
    size_decimals = 0 if price < 1 else 1 if price < 10 else 2  # noqa: PLR2004  # dearer coins trade in smaller lots
    return _coin(name, kind, "", index, price, size_decimals, 3)


def _made_up_name(number: int) -> str:
    count = len(_SYLLABLES)
    first, second, third = number % count, number // count % count, number // count**2
    return _SYLLABLES[first] + _SYLLABLES[second] + (_SYLLABLES[third - 1] if third else "")


def _coin(
    name: str,
    kind: Literal["perp", "spot"],
    dex: str,
    index: int,
    price: float,
    size_decimals: int,
    max_leverage: int,
) -> Coin:
    """A coin whose tick follows the venue's rule: five significant figures, at most 6 (spot 8) decimals less the size's."""
    most = (_PERP_DECIMALS if kind == "perp" else _SPOT_DECIMALS) - size_decimals
    if price >= 1:
        magnitude = len(str(int(price)))
    else:
        fraction = f"{price:.10f}".partition(".")[2]
        magnitude = len(fraction.lstrip("0")) - len(fraction)
    decimals = max(0, min(most, _SIGNIFICANT - magnitude))
    return Coin(
        name=name,
        kind=kind,
        dex=dex,
        index=index,
        price=max(1000, round(price * 10**decimals)),
        price_decimals=decimals,
        size_decimals=size_decimals,
        max_leverage=max_leverage,
    )
