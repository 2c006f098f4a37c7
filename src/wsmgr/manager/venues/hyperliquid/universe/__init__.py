"""The universe of Hyperliquid: which assets and tokens there are, by name and by number."""

from __future__ import annotations

from wsmgr.manager.venues.hyperliquid.universe.errors import (
    AmbiguousAssetError,
    UniverseError,
    UnknownAssetError,
)
from wsmgr.manager.venues.hyperliquid.universe.loader import UniverseLoader
from wsmgr.manager.venues.hyperliquid.universe.universe import Asset, Token, Universe

__all__ = [
    "AmbiguousAssetError",
    "Asset",
    "Token",
    "Universe",
    "UniverseError",
    "UniverseLoader",
    "UnknownAssetError",
]
