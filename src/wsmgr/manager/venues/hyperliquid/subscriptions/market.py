"""Streams about the market: prices, books, trades, bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from wsmgr.manager.venues.hyperliquid.subscriptions.base import Feeds

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.subscriptions.feed import Feed, Queue
    from wsmgr.manager.venues.hyperliquid.subscriptions.host import FeedOptions


class MarketFeeds(Feeds):
    """Streams about the market. `asset` is a name or number of the universe, `coin` goes on the wire as it is."""

    async def all_mids(
        self,
        *,
        dex: str | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream the mid price of every coin of a dex, once a second: `{mids: {coin: price}}`.

        Args:
            dex: A builder's dex; None for the venue's own.
            queue: Where its messages go; None for a queue of its own.
            options: What every method takes.
        """
        return await self._feed("all_mids", queue, options, dex=dex)

    async def asset_ctxs(
        self,
        *,
        dex: str | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream mark price, funding, volume and open interest of every perpetual of a dex.

        Args:
            dex: A builder's dex; None for the venue's own.
            queue: Where its messages go; None for a queue of its own.
            options: What every method takes.
        """
        return await self._feed("asset_ctxs", queue, options, dex=dex)

    async def all_dexs_asset_ctxs(
        self,
        *,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream the same of every perpetual of every dex: pairs of a dex's name and its list."""
        return await self._feed("all_dexs_asset_ctxs", queue, options)

    async def spot_asset_ctxs(
        self,
        *,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream prices and volume of every spot pair, as a list."""
        return await self._feed("spot_asset_ctxs", queue, options)

    async def fast_asset_ctxs(
        self,
        *,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream mark and mid prices of all assets: all of them first, then what has changed; unpacked."""
        return await self._feed("fast_asset_ctxs", queue, options)

    async def outcome_meta_updates(
        self,
        *,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream what is created, settled or changed among outcome markets."""
        return await self._feed("outcome_meta_updates", queue, options)

    async def trades(
        self,
        *,
        asset: str | int | None = None,
        coin: str | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream the trades of a coin: a list in each message, the newest 30 or so first."""
        return await self._feed_of_coin("trades", asset, coin, queue, options)

    async def bbo(
        self,
        *,
        asset: str | int | None = None,
        coin: str | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream the best bid and offer of a coin; `None` for a side that is empty."""
        return await self._feed_of_coin("bbo", asset, coin, queue, options)

    async def best_bid_offer(
        self,
        *,
        asset: str | int | None = None,
        coin: str | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream the best bid and offer of a coin: `bbo` by its longer name."""
        return await self.bbo(asset=asset, coin=coin, queue=queue, **options)

    async def l2_book(
        self,
        *,
        asset: str | int | None = None,
        coin: str | None = None,
        n_sig_figs: int | None = None,
        mantissa: int | None = None,
        fast: bool = False,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream an order book: bids, then asks, at most 20 levels each, best first.

        Args:
            asset: The asset's name or number.
            coin: Instead of it, what the wire calls it.
            n_sig_figs: Aggregate levels to 2, 3, 4 or 5 significant figures.
            mantissa: With `n_sig_figs=5`: aggregate further, to 1, 2 or 5 units of the last figure.
            fast: 5 levels every 0.5 s, in place of 20 every 5 s.
            queue: Where its messages go; None for a queue of its own.
            options: What every method takes.
        """
        return await self._feed_of_coin(
            "l2_book", asset, coin, queue, options, n_sig_figs=n_sig_figs, mantissa=mantissa, fast=fast
        )

    async def candle(
        self,
        *,
        asset: str | int | None = None,
        coin: str | None = None,
        interval: str,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream the bar of a coin that is being made: one bar in each message.

        Args:
            asset: The asset's name or number.
            coin: Instead of it, what the wire calls it.
            interval: A bar's length: `1m`, `3m`, `5m`, `15m`, `30m`, `1h`, `2h`, `4h`, `8h`, `12h`, `1d`, `3d`, `1w`, `1M`.
            queue: Where its messages go; None for a queue of its own.
            options: What every method takes.
        """
        return await self._feed_of_coin("candle", asset, coin, queue, options, interval=interval)

    async def active_asset_ctx(
        self,
        *,
        asset: str | int | None = None,
        coin: str | None = None,
        queue: Queue | None = None,
        **options: Unpack[FeedOptions],
    ) -> Feed[Queue]:
        """Stream mark price, funding, volume and open interest of a coin, once a second; spot pairs too."""
        return await self._feed_of_coin("active_asset_ctx", asset, coin, queue, options)
