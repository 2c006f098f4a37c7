"""Market sources: the streams of coins and of the whole venue, made from the market."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING

import msgspec

from wsmgr.manager.venues.hyperliquid.simulator.candles import Candle
from wsmgr.manager.venues.hyperliquid.simulator.coins import DEXES, coins_of, universe
from wsmgr.manager.venues.hyperliquid.simulator.contexts import Contexts
from wsmgr.manager.venues.hyperliquid.simulator.market import PAST_TRADES
from wsmgr.manager.venues.hyperliquid.simulator.order_books import bbo_text, book_text
from wsmgr.manager.venues.hyperliquid.simulator.sources import Frame, Source, Tick, nothing, state
from wsmgr.manager.venues.hyperliquid.simulator.wire_numbers import Dice, address, decimal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from wsmgr.manager.venues.hyperliquid.simulator.coins import Coin
    from wsmgr.manager.venues.hyperliquid.simulator.market import Market, Trade
    from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import Subscription, Value

_NUDGED = 16
_TXS_A_BLOCK = 3
_FIRST_BLOCK = 700_000_000


class MarketSources:
    """Makes the source of any subscription that is about no user.

    Attributes:
        market: The market that all of them show.
    """

    def __init__(self, market: Market) -> None:
        self.market = market
        self._contexts = Contexts()
        self._makers: dict[str, Callable[[Subscription], Source]] = {
            "trades": self._trades,
            "bbo": self._bbo,
            "l2Book": self._l2_book,
            "candle": self._candle,
            "activeAssetCtx": self._active_asset_ctx,
            "allMids": self._all_mids,
            "assetCtxs": self._asset_ctxs,
            "allDexsAssetCtxs": self._all_dexs_asset_ctxs,
            "spotAssetCtxs": self._spot_asset_ctxs,
            "fastAssetCtxs": self._fast_asset_ctxs,
            "outcomeMetaUpdates": self._outcome_meta_updates,
            "explorerBlock": self._explorer_block,
            "explorerTxs": self._explorer_txs,
        }

    def make(self, subscription: Subscription) -> Source:
        """The source of a subscription.

        Raises:
            KeyError: A type that is about a user.
        """
        return self._makers[subscription.type](subscription)

    def mids(self, time: float, dex: str | None = None) -> dict[str, str]:
        """The middle price of each coin: of one dex, or (None) of the main dex and spot."""
        self.market.nudge(time, _NUDGED)
        names = [coin.name for coin in universe().values() if coin.dex == (dex or "")]
        return {name: self.market.coin(name).mid for name in sorted(names)}

    def _trades(self, subscription: Subscription) -> Source:
        name = subscription.text("coin")

        def first(at: Tick) -> Sequence[Frame]:
            step = self.market.step_of(at.time)
            trades = [trade for trade in self.market.at(name, at.time).trades if trade.step <= step]
            return (self._trades_frame(name, trades[-PAST_TRADES:]),)

        def tick(at: Tick) -> Sequence[Frame]:
            trades = self.market.at(name, at.time).trades_of(self.market.step_of(at.time))
            return (self._trades_frame(name, trades),) if trades else ()

        return Source(first=first, tick=tick, events=True)

    def _trades_frame(self, name: str, trades: Iterable[Trade]) -> Frame:
        coin = universe()[name]
        texts: list[str] = []
        ids: list[int] = []
        for trade in trades:
            px, sz = decimal(trade.price, coin.price_decimals), decimal(trade.size, coin.size_decimals)
            texts.append(
                f'{{"coin":"{name}","side":"{"B" if trade.is_buy else "A"}","px":"{px}","sz":"{sz}",'
                f'"time":{self.market.milliseconds(trade.time)},"hash":"{trade.hash}","tid":{trade.tid},'
                f'"users":["{trade.buyer}","{trade.seller}"]}}'
            )
            ids.append(trade.tid)
        return Frame(f'{{"channel":"trades","data":[{",".join(texts)}]}}', tuple(ids))

    def _bbo(self, subscription: Subscription) -> Source:
        name, shown = subscription.text("coin"), ""

        def frame(at: Tick, text: str) -> Sequence[Frame]:
            time = self.market.milliseconds(at.time)
            return (Frame(f'{{"channel":"bbo","data":{{"coin":"{name}","time":{time},"bbo":{text}}}}}'),)

        def first(at: Tick) -> Sequence[Frame]:
            return frame(at, bbo_text(self.market.at(name, at.time)))

        def tick(at: Tick) -> Sequence[Frame]:
            nonlocal shown
            text = bbo_text(self.market.at(name, at.time))
            if text == shown:
                return ()
            shown = text
            return frame(at, text)

        return Source(first=first, tick=tick)

    def _l2_book(self, subscription: Subscription) -> Source:
        name, values = subscription.text("coin"), subscription.values
        figures, mantissa = _number(values["nSigFigs"]), _number(values["mantissa"])
        fast = values["fast"] is True

        def make(at: Tick) -> str:
            market, time = self.market.at(name, at.time), self.market.milliseconds(at.time)
            text = book_text(market, time, figures=figures, mantissa=mantissa, fast=fast)
            return f'{{"channel":"l2Book","data":{text}}}'

        return state(make)

    def _candle(self, subscription: Subscription) -> Source:
        name = subscription.text("coin")
        candle: Candle | None = None

        def frame(at: Tick, *, always: bool) -> Sequence[Frame]:
            nonlocal candle
            market = self.market.at(name, at.time)
            if candle is None:
                candle = Candle(market, subscription.text("interval"), self.market.started_at)
            elif not candle.fold() and not always:
                return ()
            return (Frame(f'{{"channel":"candle","data":{candle.text}}}'),)

        return Source(first=lambda at: frame(at, always=True), tick=lambda at: frame(at, always=False))

    def _active_asset_ctx(self, subscription: Subscription) -> Source:
        name = subscription.text("coin")
        channel = "activeAssetCtx" if universe()[name].kind == "perp" else "activeSpotAssetCtx"

        def make(at: Tick) -> str:
            text = self._contexts.text(self.market.at(name, at.time))
            return f'{{"channel":"{channel}","data":{{"coin":"{name}","ctx":{text}}}}}'

        return state(make)

    def _all_mids(self, subscription: Subscription) -> Source:
        dex = subscription.text("dex")
        mark = f',"dex":"{dex}"' if dex else ""

        def make(at: Tick) -> str:
            mids = ",".join(f'"{name}":"{mid}"' for name, mid in self.mids(at.time, dex).items())
            return f'{{"channel":"allMids","data":{{"mids":{{{mids}}}{mark}}}}}'

        return state(make)

    def _context_list(self, coins: Iterable[Coin]) -> str:
        return f"[{','.join(self._contexts.text(self.market.coin(coin.name)) for coin in coins)}]"

    def _asset_ctxs(self, subscription: Subscription) -> Source:
        dex = subscription.text("dex")

        def make(at: Tick) -> str:
            self.market.nudge(at.time, _NUDGED)
            contexts = self._context_list(coins_of(dex))
            return f'{{"channel":"assetCtxs","data":{{"dex":"{dex}","ctxs":{contexts}}}}}'

        return state(make)

    def _all_dexs_asset_ctxs(self, _: Subscription) -> Source:
        def make(at: Tick) -> str:
            self.market.nudge(at.time, _NUDGED)
            contexts = ",".join(f'["{dex}",{self._context_list(coins_of(dex))}]' for dex in DEXES)
            return f'{{"channel":"allDexsAssetCtxs","data":{{"ctxs":[{contexts}]}}}}'

        return state(make)

    def _spot_asset_ctxs(self, _: Subscription) -> Source:
        def make(at: Tick) -> str:
            self.market.nudge(at.time, _NUDGED)
            return f'{{"channel":"spotAssetCtxs","data":{self._context_list(coins_of("", "spot"))}}}'

        return state(make)

    def _fast_asset_ctxs(self, _: Subscription) -> Source:
        """The whole for a new subscriber, then only what moved; each packed by itself."""

        def packed(names: Iterable[str]) -> Sequence[Frame]:
            coins = {name: self.market.coin(name) for name in names}
            data = {name: {"markPx": coin.mark, "midPx": coin.mid} for name, coin in coins.items()}
            packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
            raw = packer.compress(msgspec.json.encode(data)) + packer.flush()
            text = base64.b64encode(raw).decode()
            return (Frame(f'{{"channel":"fastAssetCtxs","data":"{text}"}}'),)

        def first(_: Tick) -> Sequence[Frame]:
            return packed(coin.name for coin in universe().values())

        def tick(at: Tick) -> Sequence[Frame]:
            return packed(market.coin.name for market in self.market.nudge(at.time, _NUDGED))

        return Source(first=first, tick=tick)

    def _outcome_meta_updates(self, _: Subscription) -> Source:
        def tick(at: Tick) -> Sequence[Frame]:
            outcome = 10_000 + at.n // 2
            update: dict[str, object] = (
                {"outcomeCreated": {"outcome": outcome, "name": f"Outcome {outcome}"}}
                if at.n % 2 == 0
                else {"outcomeSettled": {"outcome": outcome, "settleFraction": "1.0"}}
            )
            data = {"channel": "outcomeMetaUpdates", "data": {"updates": [update]}}
            return (Frame(msgspec.json.encode(data).decode(), (at.n,)),)

        return Source(first=nothing, tick=tick, events=True)

    def _explorer_block(self, _: Subscription) -> Source:
        def tick(at: Tick) -> Sequence[Frame]:
            block = {
                "blockTime": self.market.milliseconds(at.time),
                "hash": Dice(f"{self.market.seed}:block:{at.n}").hash,
                "height": _FIRST_BLOCK + at.n,
                "numTxs": _TXS_A_BLOCK,
                "proposer": address(f"validator {at.n % 20}"),
            }
            return (Frame(msgspec.json.encode([block]).decode(), (_FIRST_BLOCK + at.n,)),)

        return Source(first=nothing, tick=tick, events=True)

    def _explorer_txs(self, _: Subscription) -> Source:
        def tick(at: Tick) -> Sequence[Frame]:
            hashes = [Dice(f"{self.market.seed}:tx:{at.n}:{number}").hash for number in range(_TXS_A_BLOCK)]
            txs = [
                {
                    "action": {"type": "order"},
                    "block": _FIRST_BLOCK + at.n,
                    "error": None,
                    "hash": tx,
                    "time": self.market.milliseconds(at.time),
                    "user": address(f"sender {tx}"),
                }
                for tx in hashes
            ]
            return (Frame(msgspec.json.encode(txs).decode(), tuple(hashes)),)

        return Source(first=nothing, tick=tick, events=True)


def _number(value: Value) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
