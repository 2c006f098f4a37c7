"""Subscriptions: Hyperliquid's streams, by name."""

from __future__ import annotations

from wsmgr.manager.venues.hyperliquid.subscriptions.facade import Subscriptions
from wsmgr.manager.venues.hyperliquid.subscriptions.feed import Feed, FeedNotFoundError, FeedQueue
from wsmgr.manager.venues.hyperliquid.subscriptions.host import FeedOptions, Handle, Host, NamesAssets
from wsmgr.manager.venues.hyperliquid.subscriptions.names import METHODS, snake_case

__all__ = [
    "METHODS",
    "Feed",
    "FeedNotFoundError",
    "FeedOptions",
    "FeedQueue",
    "Handle",
    "Host",
    "NamesAssets",
    "Subscriptions",
    "snake_case",
]
