"""Loading: the universe, asked for when it is first needed and kept fresh.

* Nothing is loaded before somebody needs it, and a builder's dex only when one of its names is asked for.
* What is older than a day is loaded again when it is next needed, and so is what does not have a name that was asked
  for; either at most once a minute, so that a misspelt name in a loop does not use up the venue's request quota.
* One load at a time (a *flight*), in the task of the caller who needed it first; the others wait for it. A caller that
  is cancelled leaves its flight to one of those who wait, who begins it anew. A flight that fails fails for all who
  waited for it.
* Where a load fails, names are read from what is there, however old. What is to be signed is stricter: from seven days
  on there is an error instead of a number. A builder may make his dex anew, so its markets are loaded again before an
  order where they are older than an hour, and whenever the list of dexes has changed.
* An asset's number never changes at this venue. One that has changed all the same, or seems to, is an order in another
  market: there is an error instead of it until a person has looked, and the change is told.

The clock is the wall's, because ages must survive a restart; it may step, so a distance counts in both directions.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import msgspec
from anyio import Event, to_thread
from attrs import define, field, frozen

from wsmgr.manager.model.errors import QuotaError, RequestNotSentError
from wsmgr.manager.model.outcome import Answered, Outcome, Refused, Unknown
from wsmgr.manager.venues.hyperliquid.universe.errors import (
    AmbiguousAssetError,
    UniverseError,
    UnknownAssetError,
)
from wsmgr.manager.venues.hyperliquid.universe.kept import (
    Kept,
    KeptDex,
    KeptVenue,
    read_kept,
    set_aside,
    write_kept,
)
from wsmgr.manager.venues.hyperliquid.universe.universe import MAIN, Asset, Token, Universe
from wsmgr.manager.venues.hyperliquid.universe.wire import PerpDexs, PerpMeta, SpotMeta, read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from wsmgr.manager.venues.dialect import Requester

REFRESH_AFTER: Final = 86_400.0
"""Seconds after which the universe is loaded again when it is next needed."""

SIGN_UNTIL: Final = 7 * 86_400.0
"""Seconds until which a universe that cannot be refreshed is good enough to sign with."""

DEX_SIGN_AFTER: Final = 3_600.0
"""Seconds after which the markets of a builder's dex are loaded again before something is signed by them."""

RETRY_AFTER: Final = 60.0
"""Seconds between two loads of what is there already."""

_log = logging.getLogger("wsmgr.manager.hyperliquid")

Found = TypeVar("Found", bound=Asset | Token)
Answer = TypeVar("Answer")


@frozen(kw_only=True)
class _Failure:
    """Why a load brought nothing; each caller gets an error of its own made of it."""

    words: str
    outcome: Refused | Unknown | None = None

    def error(self, advice: str = "") -> UniverseError:
        return UniverseError(
            f"the universe of Hyperliquid could not be loaded: {self.words}{advice}", self.outcome
        )


@define(kw_only=True)
class _Flight:
    """One load that is under way."""

    dex: str
    landed: Event = field(factory=Event)
    failure: _Failure | None = None


class UniverseLoader:
    """The venue's universe, loaded through its requests.

    Args:
        requester: What sends the queries.
        path: The file that keeps it, or None to keep it in memory only.
        wall: The wall clock, unix seconds.
        source: Which venue this is (its address and network): a file of another one, such as a testnet's, is not used.
        on_moved: Called with the names whose number has changed: what it was, and what it is now.
    """

    def __init__(
        self,
        requester: Requester,
        *,
        path: Path | None,
        wall: Callable[[], float],
        source: str = "",
        on_moved: Callable[[Mapping[str, tuple[int, int]]], None] | None = None,
    ) -> None:
        self._requester = requester
        self._path = path
        self._wall = wall
        self._source = source
        self._on_moved = on_moved
        self._moved: dict[str, tuple[int, int]] = {}
        self._looked_on_disk = path is None
        self._kept: Kept | None = None
        self._universe: Universe | None = None
        self._flight: _Flight | None = None
        self._tried: dict[str, float] = {}
        self._failures: dict[str, _Failure] = {}

    async def asset(self, name: str | int) -> Asset:
        """Return an asset by its name or number, for an order: the universe that it comes from is fresh enough to sign.

        Cancelling it leaves the load, where one is under way, to the others who wait for it.

        Raises:
            AmbiguousAssetError: Several go by this name.
            UnknownAssetError: None does, although the universe was loaded anew (unless that was less than a minute ago).
            UniverseError: The universe could not be loaded, or is older than seven days and could not be refreshed; or the
                asset's number has changed.
        """
        asset = await self._find(name, lambda universe: universe.asset(name))
        dex = asset.dex
        if dex != MAIN and self._is_due(dex, DEX_SIGN_AFTER):
            await self._load(dex, lambda: self._is_due(dex, DEX_SIGN_AFTER))
            asset = await self._find(name, lambda universe: universe.asset(name))
        self._check_age(MAIN, asset.dex)
        self._check_id(asset)
        return asset

    async def token(self, name: str) -> Token:
        """Return a token by its name, for a transfer: the universe that it comes from is fresh enough to sign.

        Cancellation and errors are those of `asset`.
        """
        token = await self._find(MAIN, lambda universe: universe.token(name))
        self._check_age(MAIN)
        return token

    async def coin(self, name: str | int) -> str:
        """Return what the wire calls an asset, for a query or a subscription; an old universe will do.

        Cancellation and errors are those of `asset`, but that no age is too old.
        """
        return (await self._find(name, lambda universe: universe.asset(name))).coin

    async def universe(self) -> Universe:
        """Return the whole universe, for reading; an old one where it could not be refreshed.

        Of builders' dexes it has those whose names were asked for.

        Raises:
            UniverseError: There is none, and it could not be loaded.
        """
        return await self._at_hand(MAIN)

    def nearest(self, name: str) -> tuple[str, ...]:
        """Return the names that come nearest to this one, of what is known already: never loads."""
        return () if self._universe is None else self._universe.nearest(name)

    async def _find(self, name: str | int, find: Callable[[Universe], Found]) -> Found:
        universe = await self._at_hand(name)
        try:
            return find(universe)
        except AmbiguousAssetError:
            raise
        except UnknownAssetError:
            dex = universe.dex_of(name) or MAIN
            await self._load(dex, lambda: not self._tried_lately(dex))
        return find(await self._at_hand(name))

    async def _at_hand(self, name: str | int) -> Universe:
        """Return a universe that has the markets among which this name would be."""
        universe = await self._up_to_date(MAIN)
        dex = universe.dex_of(name)
        return universe if dex is None else await self._up_to_date(dex)

    async def _up_to_date(self, dex: str) -> Universe:
        failure = await self._load(dex, lambda: self._is_due(dex))
        if self._universe is not None and self._kept_at(dex) is not None:
            return self._universe
        raise (failure or self._failures.get(dex, _Failure(words=f"the venue has no dex {dex!r}"))).error()

    def _is_due(self, dex: str, after: float = REFRESH_AFTER) -> bool:
        at = self._kept_at(dex)
        return at is None or (self._distance(at) > after and not self._tried_lately(dex))

    def _tried_lately(self, dex: str) -> bool:
        tried = self._tried.get(dex)
        return tried is not None and self._distance(tried) < RETRY_AFTER

    def _kept_at(self, dex: str) -> float | None:
        return None if self._kept is None else self._kept.at(dex)

    def _distance(self, at: float) -> float:
        return abs(self._wall() - at)

    def _check_age(self, *dexes: str) -> None:
        for dex in dexes:
            at = self._kept_at(dex)
            if at is not None and self._distance(at) > SIGN_UNTIL:
                days = round(self._distance(at) / 86_400)
                advice = f"; the one that is there is {days} days old, and nothing is signed by it"
                failure = self._failures.get(dex, _Failure(words="the clock has stepped"))
                raise failure.error(advice)

    def _check_id(self, asset: Asset) -> None:
        for name in (asset.coin, asset.name):
            if name in self._moved:
                before, now = self._moved[name]
                kept = "" if self._path is None else f", remove {self._path}"
                raise UniverseError(
                    f"{name} had the asset id {before}, and the venue now gives it {now}: ids never change, so nothing is"
                    f" signed by it; when you know which is right, end the program{kept} and start anew"
                )

    async def _load(self, dex: str, is_due: Callable[[], bool]) -> _Failure | None:
        """Load a part once, for as long as it is due; whoever finds a flight under way waits for it."""
        while is_due():
            flight = self._flight
            if flight is None:
                return await self._fly(dex, is_due)
            await flight.landed.wait()
            if flight.dex == dex and flight.failure is not None:
                return flight.failure
        return None

    async def _fly(self, dex: str, is_due: Callable[[], bool]) -> _Failure | None:
        flight = self._flight = _Flight(dex=dex)
        try:
            await self._look_on_disk()
            if is_due():
                flight.failure = await self._ask(dex)
            return flight.failure
        finally:
            self._flight = None
            flight.landed.set()

    async def _ask(self, dex: str) -> _Failure | None:
        failure: _Failure | None = None
        try:
            await self._use(await (self._ask_venue() if dex == MAIN else self._ask_dex(dex)))
        except UniverseError as error:
            failure = _Failure(words=str(error), outcome=error.outcome)
        except (RequestNotSentError, QuotaError) as error:
            failure = _Failure(words=str(error))
        self._tried[dex] = self._wall()
        if failure is None:
            self._failures.pop(dex, None)
            return None
        self._failures[dex] = failure
        if self._kept_at(dex) is not None:
            _log.warning("the universe could not be refreshed, the old one stays in use: %s", failure.words)
        return failure

    async def _ask_venue(self) -> Kept:
        meta = await self._query("meta", PerpMeta)
        spot_meta = await self._query("spotMeta", SpotMeta)
        perp_dexs = await self._query("perpDexs", PerpDexs)
        venue = KeptVenue(at=self._wall(), meta=meta, spot_meta=spot_meta, perp_dexs=perp_dexs)
        same = self._kept is not None and self._kept.venue.perp_dexs == perp_dexs
        return Kept(source=self._source, venue=venue, dexes=self._kept.dexes if self._kept and same else {})

    async def _ask_dex(self, dex: str) -> Kept:
        kept = cast(Kept, self._kept)
        found = KeptDex(meta=await self._query("meta", PerpMeta, dex=dex), at=self._wall())
        return msgspec.structs.replace(kept, dexes={**kept.dexes, dex: found})

    async def _query(self, type: str, shape: type[Answer], **more: str) -> Answer:
        what = " of the dex ".join((type, *more.values()))
        outcome: Outcome[Any] = await self._requester.request("info", {"type": type, **more})
        match outcome:
            case Answered(data):
                return read(what, data, shape)
            case Refused(words):
                raise UniverseError(f"the venue refused {what}: {words}", outcome)
            case Unknown(why):
                raise UniverseError(f"no answer came to {what}: {why}", outcome)

    async def _use(self, kept: Kept) -> None:
        universe = kept.universe()
        seen = {} if self._kept is None else self._kept.ids
        kept = msgspec.structs.replace(kept, ids={**universe.ids, **seen})
        self._take(kept, universe)
        if self._path is None:
            return
        try:
            await to_thread.run_sync(write_kept, self._path, kept)
        except OSError as error:
            _log.warning("the universe could not be kept on disk: %s", error)

    def _take(self, kept: Kept, universe: Universe) -> None:
        self._kept, self._universe = kept, universe
        known, self._moved = self._moved, kept.moved(universe)
        news = {name: moved for name, moved in self._moved.items() if known.get(name) != moved}
        if news and self._on_moved is not None:
            self._on_moved(news)

    async def _look_on_disk(self) -> None:
        if self._path is None or self._looked_on_disk:
            return
        try:
            found = await to_thread.run_sync(read_kept, self._path, self._source)
        except UniverseError as error:
            await self._set_aside(self._path, error)
        except OSError as error:
            _log.warning("the kept universe cannot be read: %s", error)
        else:
            if found is not None:
                self._take(*found)
        self._looked_on_disk = True

    async def _set_aside(self, path: Path, damage: UniverseError) -> None:
        try:
            aside = await to_thread.run_sync(set_aside, path)
        except OSError as error:
            _log.warning("%s; it cannot be moved out of the way: %s", damage, error)
        else:
            _log.warning("%s; it is now %s, and the universe is loaded anew", damage, aside)
