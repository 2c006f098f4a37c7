"""The universe: names to numbers, and nothing guessed.

An order names its asset by number, so a wrong number is an order in another market. Therefore:

* A name means one asset or it is an error. The wire's own spelling comes first (case matters there: `kPEPE`), then the
  people's name of a pair (`HYPE/USDC` for `@107`), then either of them without regard to case. Where a step finds
  more than one, that is the end: it is never resolved by order or by age.
* An asset's number is the perpetual's place in `meta`; 10000 + the pair's index; 100000 + 10000 * the dex's place in
  `perpDexs` + the place in that dex's `meta`
  (https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/asset-ids).
* A payload that contradicts itself is refused whole, and so is one whose numbers would run into those of other markets.

Pure: no clock, no socket, no file.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from typing import TYPE_CHECKING, Final, TypeVar

from attrs import frozen

from wsmgr.manager.model.showing import shown
from wsmgr.manager.venues.hyperliquid.universe.errors import (
    AmbiguousAssetError,
    UniverseError,
    UnknownAssetError,
    suggestion,
)
from wsmgr.manager.venues.hyperliquid.universe.wire import PerpDexs, PerpMeta, SpotMeta, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

SPOT_OFFSET: Final = 10_000
DEX_OFFSET: Final = 100_000
DEX_SPAN: Final = 10_000
MAIN: Final = ""
"""The name of the venue's own dex."""

_PERP_DECIMALS, _SPOT_DECIMALS = 6, 8
_SUGGESTIONS = 3


@frozen(kw_only=True)
class Asset:
    """Something that can be traded.

    Attributes:
        id: Its number in an order.
        name: What people call it: `BTC`, `HYPE/USDC`, `xyz:SP500`.
        coin: What the wire calls it: `BTC`, `@107`, `xyz:SP500`.
        size_decimals: How many decimals a size may have.
        spot: Whether it is a spot pair; else it is a perpetual.
        dex: The builder's dex that it belongs to, or "".
        delisted: Whether the venue has ended its trading.
    """

    id: int
    name: str
    coin: str
    size_decimals: int
    spot: bool
    dex: str
    delisted: bool = False

    @property
    def price_decimals(self) -> int:
        """How many decimals a price may have at most (five significant digits are another limit).

        Source: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/tick-and-lot-size
        """
        return max(0, (_SPOT_DECIMALS if self.spot else _PERP_DECIMALS) - self.size_decimals)


@frozen(kw_only=True)
class Token:
    """A spot token.

    Attributes:
        index: Its number among the tokens.
        name: `PURR`.
        token_id: `0x` and 32 hexadecimal digits.
        wei_decimals: How many decimals its amounts have on the chain.
        size_decimals: How many decimals a size may have.
    """

    index: int
    name: str
    token_id: str
    wei_decimals: int
    size_decimals: int


Found = TypeVar("Found", bound=Asset | Token)
_Index = dict[str, list[Found]]


class Universe:
    """What there is to trade: perpetuals, spot pairs, tokens, and of builders' dexes those that were given.

    Args:
        meta: The venue's own perpetuals.
        spot_meta: Its spot pairs and tokens.
        perp_dexs: All dexes, in the venue's order.
        dex_metas: The perpetuals of builders' dexes, by the dex's name; those not given are known by name only.

    Raises:
        UniverseError: The payloads contradict each other.
    """

    def __init__(
        self,
        meta: PerpMeta,
        spot_meta: SpotMeta,
        perp_dexs: PerpDexs,
        dex_metas: Mapping[str, PerpMeta] | None = None,
    ) -> None:
        if not perp_dexs or perp_dexs[0] is not None:
            raise UniverseError(
                "perpDexs does not begin with the venue's own dex, so asset ids are not known"
            )
        self._dexes: dict[str, int] = {}
        for place, dex in enumerate(perp_dexs):
            if dex is not None and self._dexes.setdefault(dex.name, place) != place:
                raise UniverseError(f"perpDexs has two dexes {dex.name!r}")
        self.tokens = tuple(_tokens(spot_meta))
        self.assets = (
            *_perps(meta, MAIN, 0),
            *_pairs(spot_meta, _by(self.tokens, lambda token: token.index, "token index")),
            *(asset for name, found in (dex_metas or {}).items() for asset in self._dex_perps(name, found)),
        )
        self._loaded = {MAIN, *(dex_metas or {})}
        self._by_id = _by(self.assets, lambda asset: asset.id, "asset id")
        self._by_token_id = _by(self.tokens, lambda token: token.token_id.lower(), "token id")
        self._steps = _steps(self.assets, lambda asset: asset.coin, lambda asset: asset.name)
        self._token_steps = _steps(self.tokens, lambda token: token.name)
        self._shown = {
            name.casefold(): name
            for asset in self.assets
            if not asset.delisted
            for name in (asset.coin, asset.name)
        }

    @classmethod
    def read(
        cls,
        meta: object,
        spot_meta: object,
        perp_dexs: object,
        dex_metas: Mapping[str, object] | None = None,
    ) -> Universe:
        """Make a universe of the venue's answers, as decoded JSON.

        Raises:
            UniverseError: One cannot be read, or they contradict each other.
        """
        return cls(
            read("meta", meta, PerpMeta),
            read("spotMeta", spot_meta, SpotMeta),
            read("perpDexs", perp_dexs, PerpDexs),
            {
                name: read(f"meta of the dex {name}", found, PerpMeta)
                for name, found in (dex_metas or {}).items()
            },
        )

    @property
    def dexes(self) -> tuple[str, ...]:
        """The builders' dexes, in the venue's order."""
        return tuple(self._dexes)

    @property
    def ids(self) -> dict[str, int]:
        """The number of each asset, by both its names; a name that several have is left out."""
        found: dict[str, int] = {}
        for asset in self.assets:
            for name in {asset.coin, asset.name}:
                found[name] = -1 if name in found else asset.id
        return {name: number for name, number in found.items() if number >= 0}

    def asset(self, name: str | int) -> Asset:
        """Return the asset of this name (or number).

        Raises:
            AmbiguousAssetError: Several go by it; the message lists them.
            UnknownAssetError: None does; the message names the nearest ones.
        """
        if isinstance(name, str):
            found = _find(self._steps, name, lambda asset: (asset.coin, f"{asset.coin} (asset {asset.id})"))
        else:
            found = self._by_id.get(name) if type(name) is int else None
        if found is not None:
            return found
        dex = self.dex_of(name)
        if dex is not None and dex not in self._loaded:
            raise UnknownAssetError(
                f"no asset {shown(name)} is known: the markets of the dex {dex} are not loaded"
            )
        near = self.nearest(name) if isinstance(name, str) else ()
        raise UnknownAssetError(f"Hyperliquid has no asset {shown(name)}" + suggestion(near), near)

    def token(self, name: str) -> Token:
        """Return the token of this name, token id, or both as the wire has them (`PURR:0x...`).

        Raises:
            AmbiguousAssetError: Several go by it; the message lists them.
            UnknownAssetError: None does; the message names the nearest ones.
        """
        prefix, colon, token_id = name.rpartition(":")
        found = self._by_token_id.get(token_id.lower())
        if found is None and not colon:
            found = _find(self._token_steps, name, _with_id)
        if found is not None and (not colon or found.name == prefix):
            return found
        names = {token.name.casefold(): token.name for token in self.tokens}
        near = _nearest(prefix if colon else name, names)
        raise UnknownAssetError(f"Hyperliquid has no token {shown(name)}" + suggestion(near), near)

    def nearest(self, name: str) -> tuple[str, ...]:
        """Return the names that come nearest to one that there is not, best first; delisted ones are left out."""
        return _nearest(name, self._shown)

    def dex_of(self, name: str | int) -> str | None:
        """Return the builder's dex that this name (or number) would belong to; None where it belongs to none."""
        if not isinstance(name, str):
            place = (name - DEX_OFFSET) // DEX_SPAN
            return next((dex for dex, at in self._dexes.items() if at == place), None)
        prefix, colon, _ = name.partition(":")
        if not colon or prefix in self._dexes:
            return prefix if colon else None
        alike = [dex for dex in self._dexes if dex.casefold() == prefix.casefold()]
        return alike[0] if len(alike) == 1 else None

    def _dex_perps(self, dex: str, meta: PerpMeta) -> Iterator[Asset]:
        if dex not in self._dexes:
            raise UniverseError(f"perpDexs has no dex {dex!r}, so the asset ids of its markets are not known")
        return _perps(meta, dex, DEX_OFFSET + DEX_SPAN * self._dexes[dex])


def _perps(meta: PerpMeta, dex: str, offset: int) -> Iterator[Asset]:
    if len(meta.universe) > DEX_SPAN:
        raise UniverseError(
            f"meta{f' of the dex {dex}' if dex else ''} has {len(meta.universe)} perpetuals, and there are asset ids for"
            f" {DEX_SPAN} of them"
        )
    for place, perp in enumerate(meta.universe):
        if dex and not perp.name.startswith(f"{dex}:"):
            raise UniverseError(f"the dex {dex} has a market {perp.name!r} that does not bear its name")
        yield Asset(
            id=offset + place,
            name=perp.name,
            coin=perp.name,
            size_decimals=perp.sz_decimals,
            spot=False,
            dex=dex,
            delisted=perp.is_delisted,
        )


def _pairs(spot_meta: SpotMeta, tokens: Mapping[int, Token]) -> Iterator[Asset]:
    for pair in spot_meta.universe:
        missing = [index for index in pair.tokens if index not in tokens]
        if missing:
            raise UniverseError(f"spotMeta has no token {missing[0]}, of which the pair {pair.name} is made")
        if SPOT_OFFSET + pair.index >= DEX_OFFSET:
            raise UniverseError(
                f"the pair {pair.name} has the index {pair.index}, for which there is no asset id"
            )
        base, quote = (tokens[index] for index in pair.tokens)
        yield Asset(
            id=SPOT_OFFSET + pair.index,
            name=f"{base.name}/{quote.name}",
            coin=pair.name,
            size_decimals=base.size_decimals,
            spot=True,
            dex=MAIN,
        )


def _tokens(spot_meta: SpotMeta) -> Iterator[Token]:
    for token in spot_meta.tokens:
        yield Token(
            index=token.index,
            name=token.name,
            token_id=token.token_id,
            wei_decimals=token.wei_decimals,
            size_decimals=token.sz_decimals,
        )


_Key = TypeVar("_Key", int, str)


def _by(items: Iterable[Found], key: Callable[[Found], _Key], what: str) -> dict[_Key, Found]:
    found: dict[_Key, Found] = {}
    for item in items:
        other = found.setdefault(key(item), item)
        if other is not item:
            raise UniverseError(f"{other.name} and {item.name} have the same {what}, {key(item)}")
    return found


def _steps(items: Iterable[Found], *names: Callable[[Found], str]) -> list[_Index[Found]]:
    """Return what to look into, in this order: one index per kind of name, and one of all without regard to case."""
    named = [[(name(item), item) for item in items] for name in names]
    folded = {(name.casefold(), item): None for kind in named for name, item in kind}
    return [_index(kind) for kind in (*named, folded)]


def _index(named: Iterable[tuple[str, Found]]) -> _Index[Found]:
    found: _Index[Found] = defaultdict(list)
    for name, item in named:
        found[name].append(item)
    return found


def _find(
    steps: Sequence[_Index[Found]], name: str, show: Callable[[Found], tuple[str, str]]
) -> Found | None:
    """Return what goes by a name, or None; `show` gives a candidate's name, and how a message tells it apart."""
    for step in steps:
        found = step.get(name.casefold() if step is steps[-1] else name)
        if found is not None and len(found) > 1:
            names, told = zip(*map(show, found), strict=True)
            raise AmbiguousAssetError(f"{name!r} may be {' or '.join(told)} on Hyperliquid; say which", names)
        if found is not None:
            return found[0]
    return None


def _with_id(token: Token) -> tuple[str, str]:
    name = f"{token.name}:{token.token_id}"
    return name, name


def _nearest(name: str, shown: Mapping[str, str]) -> tuple[str, ...]:
    close = difflib.get_close_matches(name.casefold(), shown, n=_SUGGESTIONS)
    return tuple(dict.fromkeys(shown[one] for one in close))
