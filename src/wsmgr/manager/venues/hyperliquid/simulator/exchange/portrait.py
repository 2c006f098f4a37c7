"""Portrait: an account that acts, in the shapes of the venue's answers and streams."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.coins import DEXES
from wsmgr.manager.venues.hyperliquid.simulator.exchange.amounts import ZERO, amount_text, usd_text
from wsmgr.manager.venues.hyperliquid.simulator.exchange.assets import tokens
from wsmgr.manager.venues.hyperliquid.simulator.exchange.orders import Stage, detailed, plain, update
from wsmgr.manager.venues.hyperliquid.simulator.exchange.staking import arrive

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator.accounts import Item
    from wsmgr.manager.venues.hyperliquid.simulator.coins import Coin
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.margin import Margin
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.orders import Order
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.registry import Registry
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.staking import Vaults
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.trader import Position, Trader
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.twaps import Twaps
    from wsmgr.manager.venues.hyperliquid.simulator.market import Market

FREE_REQUESTS = 10_000
_NO_FUNDING: Item = {"allTime": "0.0", "sinceOpen": "0.0", "sinceChange": "0.0"}


class Portrait:
    """Shows accounts as they are now; every list oldest first."""

    def __init__(
        self, market: Market, registry: Registry, margin: Margin, twaps: Twaps, vaults: Vaults
    ) -> None:
        self._market = market
        self._registry = registry
        self._margin = margin
        self._twaps = twaps
        self._vaults = vaults

    def open_orders(self, user: str, _: float, dex: str) -> list[Item]:
        """Those in the book, and triggers, without what waits for a parent's fill."""
        return [plain(order) for order in self._open(user, dex)]

    def frontend_open_orders(self, user: str, _: float, dex: str) -> list[Item]:
        """The same with all their fields."""
        return [detailed(order) for order in self._open(user, dex)]

    def historical_orders(self, user: str, _: float) -> list[Item]:
        """Every change of an order: one that is placed and filled is there twice, as at the venue."""
        return list(self._trader(user).order_history)

    def order(self, user: str, _: float, oid: int | str) -> Item | None:
        """An order with its status."""
        trader = self._trader(user)
        order = trader.known_orders.get(oid) if isinstance(oid, int) else trader.cloids.get(oid.lower())
        return update(order, detailed(order)) if order is not None else None

    def fills(self, user: str, _: float) -> list[Item]:
        """Fills."""
        return list(self._trader(user).fills)

    def twap_slice_fills(self, user: str, _: float) -> list[Item]:
        """Fills of TWAP orders."""
        return list(self._trader(user).twap_slice_fills)

    def twap_history(self, user: str, _: float) -> list[Item]:
        """Changes of TWAP orders."""
        return list(self._trader(user).twap_history)

    def fundings(self, user: str, _: float) -> list[Item]:
        """Funding payments: those from before the account acted."""
        return list(self._trader(user).fundings)

    def ledger(self, user: str, _: float) -> list[Item]:
        """Movements of money."""
        return list(self._trader(user).ledger)

    def twap_states(self, user: str, _: float, dex: str) -> list[list[object]]:
        """TWAP orders that run."""
        return [[twap.twap_id, twap.state()] for twap in self._twaps.of(user) if twap.coin.dex == dex]

    def clearinghouse_state(self, user: str, now: float, dex: str) -> Item:
        """Margin and positions in one dex."""
        trader = self._trader(user)
        positions = self._margin.positions(trader, dex)
        cross = [position for position in positions if position.isolated_usd is None]
        return {
            "marginSummary": self._summary(trader, dex, positions, cross_only=False),
            "crossMarginSummary": self._summary(trader, dex, cross, cross_only=True),
            "crossMaintenanceMarginUsed": usd_text(self._maintenance(cross)),
            "withdrawable": usd_text(self._margin.withdrawable(trader, dex)),
            "assetPositions": [self._position(trader, position) for position in positions],
            "time": self._market.milliseconds(now),
        }

    def spot_state(self, user: str, now: float) -> Item:
        """Spot balances."""
        trader = self._trader(user)
        arrive(trader, self._market.milliseconds(now))
        return {
            "balances": [
                {
                    "coin": token,
                    "token": tokens()[token].index,
                    "total": amount_text(total),
                    "hold": amount_text(self._margin.spot_held(trader, token)),
                    "entryNtl": usd_text(trader.spot_cost.get(token, ZERO)),
                }
                for token, total in trader.spot.items()
            ]
        }

    def active_asset_data(self, user: str, _: float, coin: Coin) -> Item:
        """What the account could trade of one perp."""
        trader, mark = self._trader(user), self._margin.mark(coin)
        leverage, held = trader.leverage(coin), trader.size_of(coin)
        free = self._margin.withdrawable(trader, coin.dex) * leverage.value
        back = abs(held) * mark * 2
        room = [free + (back if held < 0 else ZERO), free + (back if held > 0 else ZERO)]
        return {
            "user": user,
            "coin": coin.name,
            "leverage": {"type": "cross" if leverage.is_cross else "isolated", "value": leverage.value},
            "maxTradeSzs": [amount_text(value / mark, decimals=coin.size_decimals) for value in room],
            "availableToTrade": [usd_text(value / leverage.value) for value in room],
            "markPx": amount_text(mark),
        }

    def web_data(self, user: str, now: float) -> Item:
        """The data of `webData3`."""
        now_ms = self._market.milliseconds(now)
        unnamed = [agent for agent in self._registry.agents_of(user, now_ms) if not agent.name]
        equity = sum((self._vaults.equity(vault, user) for vault in self._registry.vaults.values()), ZERO)
        return {
            "userState": {
                "agentAddress": unnamed[0].address if unnamed else None,
                "agentValidUntil": unnamed[0].valid_until if unnamed else None,
                "cumLedger": usd_text(sum(self._trader(user).usd.values(), ZERO)),
                "serverTime": now_ms,
                "isVault": user in self._registry.vaults,
                "user": user,
            },
            "perpDexStates": [{"totalVaultEquity": usd_text(equity if not dex else ZERO)} for dex in DEXES],
        }

    def rate_limit(self, user: str, _: float) -> Item:
        """How many actions the account has sent, and may: one for each dollar traded, and 10,000."""
        trader = self._trader(user)
        return {
            "cumVlm": usd_text(trader.volume),
            "nRequestsUsed": trader.requests,
            "nRequestsCap": FREE_REQUESTS + int(trader.volume) + trader.reserved,
        }

    def _trader(self, user: str) -> Trader:
        return self._registry.traders[user]

    def _open(self, user: str, dex: str) -> list[Order]:
        orders = self._trader(user).orders.values()
        return [order for order in orders if order.coin.dex == dex and order.stage is not Stage.WAITING]

    def _summary(self, trader: Trader, dex: str, positions: list[Position], *, cross_only: bool) -> Item:
        value = self._margin.account_value(trader, dex, cross_only=cross_only)
        signed = sum((position.size * self._margin.mark(position.coin) for position in positions), ZERO)
        notional = sum((self._margin.value(position) for position in positions), ZERO)
        used = sum((self._margin.used(trader, position) for position in positions), ZERO)
        return {
            "accountValue": usd_text(value),
            "totalNtlPos": usd_text(notional),
            "totalRawUsd": usd_text(value - signed),
            "totalMarginUsed": usd_text(used),
        }

    def _maintenance(self, positions: list[Position]) -> Decimal:
        """Half the initial margin at the coin's highest leverage."""
        parts = (self._margin.value(position) / (2 * position.coin.max_leverage) for position in positions)
        return sum(parts, ZERO)

    def _position(self, trader: Trader, position: Position) -> Item:
        coin, mark, own = position.coin, self._margin.mark(position.coin), position.isolated_usd
        leverage = trader.leverage(coin).value
        profit = position.size * (mark - position.entry)
        initial = abs(position.size) * position.entry / leverage
        liquidation = self._liquidation_price(trader, position)
        kind: Item = {"type": "cross" if own is None else "isolated", "value": leverage}
        return {
            "type": "oneWay",
            "position": {
                "coin": coin.name,
                "szi": amount_text(position.size),
                "leverage": kind if own is None else {**kind, "rawUsd": usd_text(own)},
                "entryPx": amount_text(position.entry, decimals=6),
                "positionValue": usd_text(self._margin.value(position)),
                "unrealizedPnl": usd_text(profit),
                "returnOnEquity": amount_text(profit / initial),
                "liquidationPx": amount_text(liquidation, decimals=6) if liquidation > ZERO else None,
                "marginUsed": usd_text(self._margin.used(trader, position)),
                "maxLeverage": coin.max_leverage,
                "cumFunding": dict(_NO_FUNDING),
            },
        }

    def _liquidation_price(self, trader: Trader, position: Position) -> Decimal:
        """Where the maintenance margin eats up what stands behind the position, if nothing else moves."""
        side = 1 if position.size > ZERO else -1
        needed = self._maintenance([position])
        if position.isolated_usd is None:
            value = self._margin.account_value(trader, position.coin.dex, cross_only=True)
            cross = self._margin.positions(trader, position.coin.dex)
            spare = value - self._maintenance([one for one in cross if one.isolated_usd is None])
        else:
            spare = self._margin.used(trader, position) - needed
        rate = Decimal(1) / (2 * position.coin.max_leverage)
        return self._margin.mark(position.coin) - side * spare / abs(position.size) / (1 - rate * side)
