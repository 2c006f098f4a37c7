"""Info about the market: prices, books, bars, funding, what there is to trade."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.model.outcome import Answered, Outcome
from wsmgr.manager.venues.hyperliquid.info.asking import Asking
from wsmgr.manager.venues.hyperliquid.universe import Universe, UniverseError

if TYPE_CHECKING:
    from datetime import datetime

    from wsmgr.manager.venues.hyperliquid.info.shapes import (
        Auction,
        Candle,
        FundingRate,
        L2Book,
        Meta,
        MetaAndAssetCtxs,
        PerpDex,
        PredictedFundings,
    )


class MarketInfo(Asking):
    """Queries about the market. `asset` is a name or number of the universe, `coin` goes on the wire as it is."""

    async def get_universe(self) -> Outcome[Universe]:
        """Return what there is to trade, by name and number: from memory where that is fresh, else from the venue.

        Raises:
            UniverseError: What the venue answered cannot be read, or it could not be asked.
        """
        try:
            return Answered(await self._universe.universe())
        except UniverseError as error:
            if error.outcome is None:
                raise
            return error.outcome

    async def all_mids(self, *, dex: str | None = None) -> Outcome[dict[str, str]]:
        """Return the mid price of every coin that is traded, by coin."""
        return await self._ask("all_mids", dex=dex)

    async def l2_book(
        self,
        *,
        asset: str | int | None = None,
        coin: str | None = None,
        n_sig_figs: int | None = None,
        mantissa: int | None = None,
    ) -> Outcome[L2Book]:
        """Return an order book: bids, then asks, at most 20 levels each, best first.

        Args:
            asset: The asset's name or number.
            coin: Instead of it, what the wire calls it.
            n_sig_figs: Aggregate levels to 2, 3, 4 or 5 significant figures.
            mantissa: With `n_sig_figs=5`: aggregate further, to 1, 2 or 5 units of the last figure.
        """
        return await self._ask_of_coin("l2_book", asset, coin, n_sig_figs=n_sig_figs, mantissa=mantissa)

    async def candle_snapshot(
        self,
        *,
        asset: str | int | None = None,
        coin: str | None = None,
        interval: str,
        start: datetime | int,
        end: datetime | int | None = None,
    ) -> Outcome[list[Candle]]:
        """Return the bars of a period, oldest first: at most the newest 5000 of a coin.

        Args:
            asset: The asset's name or number.
            coin: Instead of it, what the wire calls it.
            interval: A bar's length: `1m`, `3m`, `5m`, `15m`, `30m`, `1h`, `2h`, `4h`, `8h`, `12h`, `1d`, `3d`, `1w`, `1M`.
            start: From when on: an aware datetime, or milliseconds since 1970.
            end: Until when; None is now.
        """
        return await self._ask_of_coin(
            "candle_snapshot", asset, coin, interval=interval, start=start, end=end
        )

    async def perpetual_dexs(self) -> Outcome[list[PerpDex | None]]:
        """Return the dexes of perpetuals; the venue's own is the first, and None."""
        return await self._ask("perpetual_dexs")

    async def perpetual_meta(self, *, dex: str | None = None) -> Outcome[Meta]:
        """Return the perpetuals of a dex, in the order of their asset ids, and the margin tables."""
        return await self._ask("perpetual_meta", dex=dex)

    async def perpetual_meta_and_asset_ctxs(self, *, dex: str | None = None) -> Outcome[MetaAndAssetCtxs]:
        """Return the perpetuals of a dex, and for each its mark price, funding and open interest."""
        return await self._ask("perpetual_meta_and_asset_ctxs", dex=dex)

    async def funding_history(
        self,
        *,
        asset: str | int | None = None,
        coin: str | None = None,
        start: datetime | int,
        end: datetime | int | None = None,
    ) -> Outcome[list[FundingRate]]:
        """Return the funding rates of a period, oldest first.

        Args:
            asset: The asset's name or number.
            coin: Instead of it, what the wire calls it.
            start: From when on: an aware datetime, or milliseconds since 1970.
            end: Until when; None is now.
        """
        return await self._ask_of_coin("funding_history", asset, coin, start=start, end=end)

    async def predicted_fundings(self) -> Outcome[PredictedFundings]:
        """Return the next funding rate of every coin, here and at other venues."""
        return await self._ask("predicted_fundings")

    async def perpetuals_at_open_interest_cap(self, *, dex: str | None = None) -> Outcome[list[str]]:
        """Return the coins of a dex whose open interest is at its cap."""
        return await self._ask("perpetuals_at_open_interest_cap", dex=dex)

    async def perpetual_deploy_auction_status(self) -> Outcome[Auction]:
        """Return the auction for the right to deploy a perpetual."""
        return await self._ask("perpetual_deploy_auction_status")
