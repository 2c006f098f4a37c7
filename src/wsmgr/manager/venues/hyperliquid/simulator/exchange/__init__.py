"""Exchange: what the simulator does with actions. Signatures are verified, orders rest and fill, money moves."""

from __future__ import annotations

from wsmgr.manager.venues.hyperliquid.simulator.exchange.exchange import Exchange

__all__ = ["Exchange"]
