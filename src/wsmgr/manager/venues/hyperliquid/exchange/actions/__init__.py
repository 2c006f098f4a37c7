"""Actions as pure functions: checked arguments in, the wire form out. One for each method of the facade."""

from __future__ import annotations

from wsmgr.manager.venues.hyperliquid.exchange.actions.action import SIGNATURE_CHAIN, Action, Blank, VaultRule

__all__ = ["SIGNATURE_CHAIN", "Action", "Blank", "VaultRule"]
