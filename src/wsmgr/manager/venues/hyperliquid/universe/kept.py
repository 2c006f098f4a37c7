"""The universe on disk, so that a restart does not ask the venue for what it said an hour ago.

One JSON file, replaced whole, readable by its owner alone. It is a copy of public answers: whatever is wrong with it,
the venue is asked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from wsmgr.manager.venues.hyperliquid.replacing import replace_file
from wsmgr.manager.venues.hyperliquid.universe.errors import UniverseError
from wsmgr.manager.venues.hyperliquid.universe.universe import MAIN, Universe
from wsmgr.manager.venues.hyperliquid.universe.wire import PerpDexs, PerpMeta, SpotMeta

if TYPE_CHECKING:
    from pathlib import Path

VERSION: Final = 1


class KeptVenue(msgspec.Struct, frozen=True, kw_only=True):
    """The answers about the venue's own markets, which were there at one time (unix seconds)."""

    at: float
    meta: PerpMeta
    spot_meta: SpotMeta
    perp_dexs: PerpDexs


class KeptDex(msgspec.Struct, frozen=True, kw_only=True):
    """The answer about a builder's dex, which was there at one time (unix seconds)."""

    at: float
    meta: PerpMeta


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the venue has said, and when.

    Attributes:
        version: The file's format.
        source: Which venue said it (its address).
        venue: About its own markets.
        dexes: About those of builders' dexes.
        ids: The number under which each name was seen first, also of what is there no longer.
    """

    version: int = VERSION
    source: str
    venue: KeptVenue
    dexes: dict[str, KeptDex]
    ids: dict[str, int] = {}

    def at(self, dex: str) -> float | None:
        """Return when a dex's answer came (unix seconds; "" for the venue's own), or None."""
        if dex == MAIN:
            return self.venue.at
        found = self.dexes.get(dex)
        return None if found is None else found.at

    def universe(self) -> Universe:
        """Make the universe of it.

        Raises:
            UniverseError: The answers contradict each other.
        """
        venue = self.venue
        return Universe(
            venue.meta,
            venue.spot_meta,
            venue.perp_dexs,
            {name: dex.meta for name, dex in self.dexes.items()},
        )

    def moved(self, universe: Universe) -> dict[str, tuple[int, int]]:
        """Return the names that have another number than when they were seen first: that one, and what it is now."""
        now = universe.ids
        return {
            name: (before, now[name]) for name, before in self.ids.items() if now.get(name, before) != before
        }


class _Head(msgspec.Struct, frozen=True, kw_only=True):
    version: int
    source: str


def read_kept(path: Path, source: str) -> tuple[Kept, Universe] | None:
    """Return what was kept of this venue; None where there is no file, or one of another venue or format.

    Raises:
        UniverseError: The file is damaged.
        OSError: It cannot be read.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        head = msgspec.json.decode(content, type=_Head)
        if (head.version, head.source) != (VERSION, source):
            return None
        kept = msgspec.json.decode(content, type=Kept)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UniverseError(f"{path} is not a kept universe: {error}") from error
    return kept, kept.universe()


def write_kept(path: Path, kept: Kept) -> None:
    """Replace the file.

    Raises:
        OSError: It could not be written; the old one stands.
    """
    replace_file(path, msgspec.json.encode(kept))


def set_aside(path: Path) -> Path:
    """Move a damaged file out of the way, and return where it is now.

    Raises:
        OSError: It could not be moved.
    """
    return path.replace(path.with_name(f"{path.name}.damaged"))
