"""Info: the venue's answers to questions and actions, the same over HTTP and over the socket."""

from __future__ import annotations

from wsmgr.manager.venues.hyperliquid.simulator.info.info import Info
from wsmgr.manager.venues.hyperliquid.simulator.info.request import UNREADABLE, UnreadableRequestError

__all__ = ["UNREADABLE", "Info", "UnreadableRequestError"]
