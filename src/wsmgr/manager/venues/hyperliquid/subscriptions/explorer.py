"""Streams about the chain, from the venue's explorer host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from wsmgr.manager.venues.hyperliquid.subscriptions.base import Feeds

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.subscriptions.feed import Feed, Queue
    from wsmgr.manager.venues.hyperliquid.subscriptions.host import FeedOptions


class ExplorerFeeds(Feeds):
    """Streams about the chain."""

    async def explorer_block(
        self,
        *,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream the chain's blocks from the venue's explorer: lists of height, hash, proposer and time."""
        return await self._feed("explorer_block", queue, options)

    async def explorer_txs(
        self,
        *,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream the chain's transactions from the venue's explorer: lists of action, block, hash, user and time."""
        return await self._feed("explorer_txs", queue, options)
