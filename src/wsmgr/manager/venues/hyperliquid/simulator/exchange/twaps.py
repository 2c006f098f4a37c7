"""TWAPs: orders that are filled in slices, one every 30 seconds. Source: the venue's documentation, "Order types"."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING

import attrs

from wsmgr.manager.venues.hyperliquid.simulator.coins import Coin
from wsmgr.manager.venues.hyperliquid.simulator.exchange import words
from wsmgr.manager.venues.hyperliquid.simulator.exchange.amounts import ZERO, amount_text, read_amount
from wsmgr.manager.venues.hyperliquid.simulator.exchange.assets import USDC, is_on_lot
from wsmgr.manager.venues.hyperliquid.simulator.exchange.entry import MINIMUM_VALUE, coin_of
from wsmgr.manager.venues.hyperliquid.simulator.exchange.matching import mark_price, taken
from wsmgr.manager.venues.hyperliquid.simulator.exchange.orders import Order
from wsmgr.manager.venues.hyperliquid.simulator.exchange.trader import Trader

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator.accounts import Item
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.clerk import Clerk
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.margin import Margin
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.moments import Ids, Moment
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.wires import TwapWire
    from wsmgr.manager.venues.hyperliquid.simulator.market import Market

SLICE_INTERVAL = 30.0
SHORTEST, LONGEST = 5, 1440
_SLICES_A_MINUTE = 2
_SLIPPAGE = Decimal("0.03")


@attrs.define(kw_only=True, eq=False)
class Twap:
    """One TWAP order.

    Attributes:
        trader: Whose it is.
        twap_id: Its id.
        coin: Of what.
        asset: The coin's number.
        is_buy: Its side.
        size: How much in all.
        reduce_only: Whether it only makes a position smaller.
        minutes: How long it runs.
        randomize: As it was asked for; the slices of the simulator are equal all the same.
        placed_ms: When it was placed.
        left: Slices to come.
        done: How much is filled.
        value: Price times size of what is filled.
        is_running: Whether slices are to come.
    """

    trader: Trader
    twap_id: int
    coin: Coin
    asset: int
    is_buy: bool
    size: Decimal
    reduce_only: bool
    minutes: int
    randomize: bool
    placed_ms: int
    left: int
    done: Decimal = ZERO
    value: Decimal = ZERO
    is_running: bool = True

    def state(self) -> Item:
        """As in `twapStates` and `userTwapHistory`."""
        return {
            "coin": self.coin.name,
            "user": self.trader.user,
            "side": "B" if self.is_buy else "A",
            "sz": amount_text(self.size),
            "executedSz": amount_text(self.done),
            "executedNtl": amount_text(self.value),
            "minutes": self.minutes,
            "reduceOnly": self.reduce_only,
            "randomize": self.randomize,
            "timestamp": self.placed_ms,
        }


class Twaps:
    """All TWAP orders that run."""

    def __init__(self, market: Market, margin: Margin, clerk: Clerk, ids: Ids) -> None:
        self._market = market
        self._margin = margin
        self._clerk = clerk
        self._ids = ids
        self._running: dict[int, Twap] = {}

    def place(self, trader: Trader, wire: TwapWire, at: Moment) -> Twap | str:
        """Start a TWAP order; the venue's words where it refuses it.

        Raises:
            RefusedActionError: There is no such asset.
        """
        coin = coin_of(wire.a)
        size, mark = read_amount(wire.s), mark_price(self._market.at(coin.name, at.time))
        if not SHORTEST <= wire.m <= LONGEST:
            return words.twap_duration(wire.m)
        if not size or not is_on_lot(coin, size):
            return words.for_asset(words.INVALID_SIZE, wire.a)
        slices = wire.m * _SLICES_A_MINUTE
        if size * mark / slices < MINIMUM_VALUE:
            return words.for_asset(words.minimum_value(USDC if coin.kind == "spot" else None), wire.a)
        held = trader.size_of(coin)
        if wire.r and (not held or (held > 0) == wire.b):
            return words.for_asset(words.REDUCE_ONLY, wire.a)
        twap = Twap(
            trader=trader,
            twap_id=self._ids.twap(),
            coin=coin,
            asset=wire.a,
            is_buy=wire.b,
            size=size,
            reduce_only=wire.r,
            minutes=wire.m,
            randomize=wire.t,
            placed_ms=at.ms,
            left=slices,
        )
        self._running[twap.twap_id] = twap
        self._tell(twap, {"status": "activated"}, at)
        return twap

    def cancel(self, trader: Trader, twap_id: int, asset: int, at: Moment) -> object:
        """Cancel a TWAP order; returns the venue's status of that."""
        twap = self._running.get(twap_id)
        if twap is None or twap.trader is not trader or twap.asset != asset:
            return {"error": words.MISSING_TWAP}
        self._end(twap, {"status": "terminated"}, at)
        return "success"

    def of(self, user: str) -> list[Twap]:
        """The TWAP orders of an account that run."""
        return [twap for twap in self._running.values() if twap.trader.user == user]

    def slice(self, twap: Twap, at: Moment) -> None:
        """Fill the next slice of a TWAP order; what a slice could not get, the later ones do."""
        if not twap.is_running:
            return
        lot = Decimal(1).scaleb(-twap.coin.size_decimals)
        remaining = twap.size - twap.done
        size = remaining if twap.left == 1 else (remaining / twap.left).quantize(lot, rounding=ROUND_DOWN)
        held = abs(twap.trader.size_of(twap.coin))
        if twap.reduce_only:
            size = min(size, held)
        market = self._market.at(twap.coin.name, at.time)
        mark = mark_price(market)
        limit = mark * (1 + _SLIPPAGE if twap.is_buy else 1 - _SLIPPAGE)
        if not twap.reduce_only and not self._margin.affords(
            twap.trader, twap.coin, is_buy=twap.is_buy, price=mark, size=size
        ):
            text = words.SPOT_BALANCE if twap.coin.kind == "spot" else words.MARGIN
            self._end(twap, {"status": "error", "description": text}, at)
            return
        order = self._slice_order(twap, size, limit, at)
        for price, part in taken(market, is_buy=twap.is_buy, limit=limit, size=size):
            self._clerk.fill_slice(twap.trader, order, price, part, at, twap_id=twap.twap_id)
            twap.done += part
            twap.value += price * part
        twap.left -= 1
        if twap.done >= twap.size or not twap.left:
            self._end(twap, {"status": "finished"}, at)

    def _slice_order(self, twap: Twap, size: Decimal, limit: Decimal, at: Moment) -> Order:
        oid = self._ids.order()
        return Order(
            user=twap.trader.user,
            coin=twap.coin,
            asset=twap.asset,
            oid=oid,
            cloid=None,
            is_buy=twap.is_buy,
            limit=limit,
            size=size,
            original=size,
            tif="Ioc",
            reduce_only=twap.reduce_only,
            trigger=None,
            is_position_tpsl=False,
            family=oid,
            builder=None,
            placed_ms=at.ms,
        )

    def _end(self, twap: Twap, status: Item, at: Moment) -> None:
        twap.is_running = False
        del self._running[twap.twap_id]
        self._tell(twap, status, at)

    def _tell(self, twap: Twap, status: Item, at: Moment) -> None:
        """The time of these events is in seconds, that of the state in milliseconds, as at the venue."""
        pending = twap.trader.pending
        pending.twap_events.append({"time": at.ms // 1000, "state": twap.state(), "status": status})
        pending.changed = True
