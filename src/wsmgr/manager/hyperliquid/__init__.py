"""Hyperliquid's calls by name: subscriptions, info and exchange of one venue, on one manager.

::

    client = Hyperliquid(account=Account(address=..., secret_key=...), trading=True)
    async with client.run():
        sid, book = await client.subscriptions.l2_book(asset="BTC")
        print((await book.get()).data["levels"])
        print(await client.info.user_state())
        await client.subscriptions.unsubscribe(sid)
"""

from __future__ import annotations

from wsmgr.manager.hyperliquid.account import Account
from wsmgr.manager.hyperliquid.client import Hyperliquid

__all__ = ["Account", "Hyperliquid"]
