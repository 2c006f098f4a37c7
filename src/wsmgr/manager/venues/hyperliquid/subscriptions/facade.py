"""The facade of Hyperliquid's subscriptions: one method for each type, by the names of hl-sdk where it has them."""

from __future__ import annotations

from wsmgr.manager.venues.hyperliquid.subscriptions.account import AccountFeeds
from wsmgr.manager.venues.hyperliquid.subscriptions.explorer import ExplorerFeeds
from wsmgr.manager.venues.hyperliquid.subscriptions.market import MarketFeeds


class Subscriptions(MarketFeeds, AccountFeeds, ExplorerFeeds):
    """All streams of Hyperliquid, each by a method of its own.

    ::

        sid, queue = await client.subscriptions.l2_book(asset="BTC")
        message = await queue.get()
        await client.subscriptions.unsubscribe(sid)

    Each method subscribes, waits for the venue's acknowledgement, and returns a `Feed`: a number, and a queue of messages. A
    message's `data` is the venue's payload in its own shape, its `channel` the venue's channel. Two feeds of the same stream
    are one subscription on the wire and two consumers here: ending one leaves the other alone.

    All take keywords only: the type's own parameters, and

    * `asset`, a name or number of the venue's universe (`BTC`, `HYPE/USDC`), or in its place `coin`, which goes on the wire as
      it is (`BTC`, `@107`, `xyz:SP500`). Only `asset` needs the universe: it is loaded when it is first asked for.
    * `address`, or in its place `account`, anything that has an `address`; else the client's own. Letter case does not matter.
    * `queue`, where the messages go: an `asyncio.Queue`, an `Inbox`, or anything else with `put_nowait`; several feeds may
      share it. Left out, the feed has a `FeedQueue` of its own, which also tells of its end.
    * the options of `FeedOptions`.

    All raise what `Manager.subscribe` raises: `UsageError` for whatever is wrong with the arguments, before anything is sent;
    `RejectedError` with the venue's words; `QuotaError`; `SubscribeTimeoutError`. Cancelling one takes the wish back.

    Args:
        host: What makes the subscriptions.
        universe: What knows the assets' names.
        address: The account that is meant where a call names none.

    Raises:
        ParameterError: The address is none.
    """
