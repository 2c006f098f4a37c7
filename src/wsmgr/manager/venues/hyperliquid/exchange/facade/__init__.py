"""The facade: the methods of the exchange, by name."""

from __future__ import annotations

from wsmgr.manager.venues.hyperliquid.exchange.facade.account import AccountCalls
from wsmgr.manager.venues.hyperliquid.exchange.facade.base import CallOptions
from wsmgr.manager.venues.hyperliquid.exchange.facade.trading import TradingCalls
from wsmgr.manager.venues.hyperliquid.exchange.facade.transfers import TransferCalls

__all__ = ["CallOptions", "Exchange"]


class Exchange(TradingCalls, TransferCalls, AccountCalls):
    """The exchange of one venue: 31 methods, each of which makes, checks, signs and sends one action, once.

    Every method takes keywords only, returns an outcome (`Answered` with the venue's response, `Refused`, or `Unknown`: then
    it may have been carried out, and is not sent again), and takes the options of `CallOptions`. Amounts, sizes and prices
    are `Decimal`, text or whole numbers, never floats. Where there is an asset, `asset` and `coin` are the same. All raise
    what `TradingDesk.act` raises, and behave under cancellation as it does.

    Args:
        desk: What makes, signs and sends.
        who: Who calls, for the notes.
    """
