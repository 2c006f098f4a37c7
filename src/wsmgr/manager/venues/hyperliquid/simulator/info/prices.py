"""Prices: books, trades, bars, contexts and funding rates, from the same sources as the streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from wsmgr.manager.venues.hyperliquid.simulator.candles import bars
from wsmgr.manager.venues.hyperliquid.simulator.coins import coins_of
from wsmgr.manager.venues.hyperliquid.simulator.contexts import OPEN_INTEREST_CAP, context
from wsmgr.manager.venues.hyperliquid.simulator.info.request import UnreadableRequestError
from wsmgr.manager.venues.hyperliquid.simulator.info.universe import meta, spot_meta
from wsmgr.manager.venues.hyperliquid.simulator.sources import Tick
from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import (
    INTERVALS,
    UnreadableSubscriptionError,
    is_valid,
    read_subscription,
)
from wsmgr.manager.venues.hyperliquid.simulator.wire_numbers import Dice, decimal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wsmgr.manager.venues.hyperliquid.simulator.coins import Coin
    from wsmgr.manager.venues.hyperliquid.simulator.info.request import Request
    from wsmgr.manager.venues.hyperliquid.simulator.market_sources import MarketSources

Item = dict[str, object]

MOST_BARS = 5000
MOST_FUNDINGS = 500
HOUR_MS = 3_600_000


def answers(sources: MarketSources) -> Mapping[str, Callable[[Request, float], object]]:
    """The questions about prices, with what answers them."""
    prices = _Prices(sources)
    return {
        "allMids": prices.all_mids,
        "l2Book": prices.l2_book,
        "recentTrades": prices.recent_trades,
        "candleSnapshot": prices.candle_snapshot,
        "metaAndAssetCtxs": prices.meta_and_asset_ctxs,
        "spotMetaAndAssetCtxs": prices.spot_meta_and_asset_ctxs,
        "fundingHistory": prices.funding_history,
        "predictedFundings": prices.predicted_fundings,
        "perpsAtOpenInterestCap": prices.perps_at_open_interest_cap,
        "exchangeStatus": prices.exchange_status,
    }


class _Prices:
    def __init__(self, sources: MarketSources) -> None:
        self._sources = sources
        self._market = sources.market

    def all_mids(self, request: Request, now: float) -> object:
        return self._sources.mids(now, request.dex())

    def l2_book(self, request: Request, now: float) -> object:
        request.coin()
        return self._first(request.fields, now)

    def recent_trades(self, request: Request, now: float) -> object:
        """The newest first; what a new subscriber gets as its first frame."""
        trades = self._first({"type": "trades", "coin": request.coin().name}, now)
        return msgspec.json.decode(trades, type=list[msgspec.Raw])[::-1]

    def candle_snapshot(self, request: Request, now: float) -> object:
        wanted = request.inner("req")
        interval, start = wanted.text("interval"), wanted.milliseconds("startTime")
        end = wanted.optional_milliseconds("endTime")
        if interval not in INTERVALS:
            raise UnreadableRequestError
        market = self._market.at(wanted.coin().name, now)
        now_ms = self._market.milliseconds(now)
        until = now_ms if end is None else min(end, now_ms)
        return bars(market, interval, self._market.started_at, start, until, at_most=MOST_BARS)

    def meta_and_asset_ctxs(self, request: Request, now: float) -> object:
        dex = request.dex()
        data = self._first({"type": "assetCtxs", "dex": dex}, now)
        return [meta(dex), msgspec.json.decode(data, type=dict[str, msgspec.Raw])["ctxs"]]

    def spot_meta_and_asset_ctxs(self, _: Request, now: float) -> object:
        return [spot_meta(), self._first({"type": "spotAssetCtxs"}, now)]

    def funding_history(self, request: Request, now: float) -> object:
        """One rate an hour, the oldest first, 500 at most."""
        coin, start = request.coin(), request.milliseconds("startTime")
        end = request.optional_milliseconds("endTime")
        now_ms = self._market.milliseconds(now)
        until = now_ms if end is None else min(end, now_ms)
        hours = range(-(-start // HOUR_MS), until // HOUR_MS + 1)[:MOST_FUNDINGS]
        return [self._funding(coin, hour * HOUR_MS) for hour in hours]

    def predicted_fundings(self, _: Request, now: float) -> object:
        """What each perp's context says now, for the next full hour."""
        following = (self._market.milliseconds(now) // HOUR_MS + 1) * HOUR_MS
        found: list[object] = []
        for coin in coins_of(""):
            rate = context(self._market.at(coin.name, now))["funding"]
            here = {"fundingRate": rate, "nextFundingTime": following, "fundingIntervalHours": 1}
            found.append([coin.name, [["HlPerp", here]]])
        return found

    def perps_at_open_interest_cap(self, request: Request, now: float) -> object:
        coins = coins_of(request.dex())
        contexts = {coin.name: context(self._market.at(coin.name, now)) for coin in coins}
        return [
            name for name, seen in contexts.items() if float(str(seen["openInterest"])) >= OPEN_INTEREST_CAP
        ]

    def exchange_status(self, _: Request, now: float) -> object:
        return {"time": self._market.milliseconds(now), "specialStatuses": None}

    def _funding(self, coin: Coin, time_ms: int) -> Item:
        dice = Dice(f"{self._market.seed}:{coin.name}:funding:{time_ms}")
        return {
            "coin": coin.name,
            "fundingRate": decimal(dice.below(2_000_000) - 1_000_000, 10),
            "premium": decimal(dice.below(20_000_000) - 10_000_000, 10),
            "time": time_ms + dice.below(100),
        }

    def _first(self, fields: object, now: float) -> msgspec.Raw:
        """The data of the frame that a new subscriber would get now."""
        try:
            subscription = read_subscription(fields)
        except UnreadableSubscriptionError as error:
            raise UnreadableRequestError from error
        if not is_valid(subscription):
            raise UnreadableRequestError
        [frame] = self._sources.make(subscription).first(Tick(0, now))
        return msgspec.json.decode(frame.text, type=_Envelope).data


class _Envelope(msgspec.Struct):
    data: msgspec.Raw
