"""Hyperliquid: its catalog, its dialect and its simulator."""

from __future__ import annotations

from wsmgr.manager.venues.hyperliquid.dialect import HyperliquidDialect

__all__ = ["HyperliquidDialect"]
