"""Execution: what each action does, and the venue's answer to it; and what accounts have planned for later."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from wsmgr.manager.venues.hyperliquid.simulator.exchange import actions as a
from wsmgr.manager.venues.hyperliquid.simulator.exchange import leverages, staking, words
from wsmgr.manager.venues.hyperliquid.simulator.exchange.clerk import Clerk
from wsmgr.manager.venues.hyperliquid.simulator.exchange.desk import Desk
from wsmgr.manager.venues.hyperliquid.simulator.exchange.entry import RefusedActionError
from wsmgr.manager.venues.hyperliquid.simulator.exchange.staking import Vaults
from wsmgr.manager.venues.hyperliquid.simulator.exchange.treasury import Treasury
from wsmgr.manager.venues.hyperliquid.simulator.exchange.twaps import SLICE_INTERVAL, Twap, Twaps

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.venues.hyperliquid.simulator.accounts import Item
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.margin import Margin
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.moments import Ids, Moment
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.registry import Registry
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.trader import Trader
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.wires import Builder
    from wsmgr.manager.venues.hyperliquid.simulator.market import Market

    Later = Callable[[float, Callable[[Moment], None]], None]

Wire = TypeVar("Wire")

_DEFAULT: Item = {"type": "default"}
_SCHEDULE_AHEAD_MS = 5_000
_SCHEDULES_A_DAY = 10
_DAY_MS = 24 * 3600 * 1000


class Execution:
    """Carries out actions.

    Attributes:
        desk: The orders.
        twaps: The TWAP orders.
        vaults: The vaults.
    """

    def __init__(self, market: Market, registry: Registry, margin: Margin, ids: Ids, later: Later) -> None:
        """Make it.

        Args:
            market: What orders are matched with.
            registry: Everybody who may act.
            margin: What they are worth.
            ids: Gives ids to orders.
            later: Does something at a time (seconds on the simulator's clock).
        """
        clerk = Clerk(market, ids)
        self.desk = Desk(market, margin, clerk, ids)
        self.twaps = Twaps(market, margin, clerk, ids)
        treasury = Treasury(registry, margin)
        self.vaults = Vaults(registry, treasury, margin)
        self._treasury = treasury
        self._registry = registry
        self._margin = margin
        self._later = later
        self._schedules: dict[str, int] = {}
        self._fired: dict[tuple[str, int], int] = {}

    def run(self, trader: Trader, action: a.AnyAction, at: Moment) -> Item:
        """Carry out an action; returns the venue's response to it.

        Raises:
            RefusedActionError: The action as a whole is refused.
        """
        match action:
            case a.PlaceOrders():
                self._check_builder(trader, action.builder)
                statuses = self.desk.place(trader, action.orders, action.grouping, action.builder, at)
                return _statuses("order", statuses)
            case a.Cancel():
                cancels = [self.desk.cancel(trader, one.a, one.o, at) for one in _some(action.cancels)]
                return _statuses("cancel", cancels)
            case a.CancelByCloid():
                cancels = [
                    self.desk.cancel(trader, one.asset, one.cloid, at) for one in _some(action.cancels)
                ]
                return _statuses("cancel", cancels)
            case a.Modify():
                return self._modify(trader, action, at)
            case a.BatchModify():
                changed = [self.desk.modify(trader, one.oid, one.order, at) for one in _some(action.modifies)]
                return _statuses("order", changed)
            case a.TwapOrder():
                return self._place_twap(trader, action, at)
            case a.TwapCancel():
                status = self.twaps.cancel(trader, action.t, action.a, at)
                return {"type": "twapCancel", "data": {"status": status}}
            case a.CreateSubAccount():
                made = self._registry.create_sub_account(trader.user, action.name)
                return {"type": "createSubAccount", "data": made}
            case a.CreateVault():
                return {"type": "createVault", "data": self.vaults.create(trader, action, at)}
            case _:
                self._run_quietly(trader, action, at)
                return dict(_DEFAULT)

    def _run_quietly(self, trader: Trader, action: a.AnyAction, at: Moment) -> None:
        """Carry out an action whose answer says no more than that it was done."""
        match action:
            case a.ScheduleCancel():
                self._schedule_cancel(trader, action.time, at)
            case a.UpdateLeverage():
                leverages.update_leverage(trader, action, self._margin)
            case a.UpdateIsolatedMargin():
                leverages.update_isolated_margin(trader, action, self._margin)
            case a.TopUpIsolatedOnlyMargin():
                leverages.top_up(trader, action, self._margin)
            case a.ReserveRequestWeight():
                trader.reserved += action.weight
            case a.SetReferrer():
                self._registry.set_referrer(trader.user, action.code, at.ms)
            case a.RegisterReferrer():
                self._registry.register_referrer(trader.user, action.code)
            case a.ApproveAgent():
                agent, name = action.agent_address.lower(), action.agent_name or ""
                self._registry.approve_agent(trader.user, agent, name, at.ms)
            case a.ApproveBuilderFee():
                builder = action.builder.lower()
                self._registry.approve_builder_fee(trader.user, builder, action.max_fee_rate)
            case _:
                self._move_money(trader, action, at)

    def _move_money(self, trader: Trader, action: a.AnyAction, at: Moment) -> None:
        match action:
            case a.UsdSend():
                self._treasury.send_usd(trader, action, at)
            case a.SpotSend():
                self._treasury.send_spot(trader, action, at)
            case a.Withdraw():
                self._treasury.withdraw(trader, action, at)
            case a.UsdClassTransfer():
                self._treasury.transfer_class(trader, action, at)
            case a.PerpDexClassTransfer():
                self._treasury.transfer_dex_class(trader, action, at)
            case a.SendAsset():
                self._treasury.send_asset(trader, action, at)
            case a.SubAccountTransfer():
                self._treasury.transfer_sub_account(trader, action, at)
            case a.SubAccountSpotTransfer():
                self._treasury.transfer_sub_account_spot(trader, action, at)
            case _:
                self._invest(trader, action, at)

    def _invest(self, trader: Trader, action: a.AnyAction, at: Moment) -> None:
        match action:
            case a.StakingDeposit():
                staking.deposit(trader, action, at)
            case a.StakingWithdrawal():
                staking.withdraw(trader, action, at)
            case a.TokenDelegate():
                staking.delegate(trader, action, at)
            case a.VaultTransfer():
                self.vaults.transfer(trader, action, at)
            case _:
                raise AssertionError(f"an action without a rule: {action}")

    def _modify(self, trader: Trader, action: a.Modify, at: Moment) -> Item:
        """One change alone says only that it was done, or why not."""
        status = self.desk.modify(trader, action.oid, action.order, at)
        match status:
            case {"error": str() as text}:
                raise RefusedActionError(text)
            case _:
                return dict(_DEFAULT)

    def _check_builder(self, trader: Trader, builder: Builder | None) -> None:
        if builder is None:
            return
        allowed = self._registry.builder_fees.get((trader.user, builder.b.lower()), 0)
        if builder.f > allowed:
            raise RefusedActionError(words.BUILDER_FEE)

    def _place_twap(self, trader: Trader, action: a.TwapOrder, at: Moment) -> Item:
        placed = self.twaps.place(trader, action.twap, at)
        if isinstance(placed, str):
            return {"type": "twapOrder", "data": {"status": {"error": placed}}}
        self._slice(placed, at)
        return {"type": "twapOrder", "data": {"status": {"running": {"twapId": placed.twap_id}}}}

    def _slice(self, twap: Twap, at: Moment) -> None:
        """Fill the slice that is due, and plan the next."""
        self.twaps.slice(twap, at)
        if twap.is_running:
            self._later(at.time + SLICE_INTERVAL, partial(self._slice, twap))

    def _schedule_cancel(self, trader: Trader, time_ms: int | None, at: Moment) -> None:
        """Plan that all orders are canceled, or take the plan back. The venue asks for a volume first; this does not."""
        if time_ms is None:
            self._schedules.pop(trader.user, None)
            return
        if time_ms < at.ms + _SCHEDULE_AHEAD_MS:
            raise RefusedActionError(words.SCHEDULE_TOO_SOON)
        if self._fired.get((trader.user, at.ms // _DAY_MS), 0) >= _SCHEDULES_A_DAY:
            raise RefusedActionError(words.SCHEDULE_TOO_OFTEN)
        self._schedules[trader.user] = time_ms
        self._later(at.time + (time_ms - at.ms) / 1000, partial(self._fire, trader, time_ms))

    def _fire(self, trader: Trader, time_ms: int, at: Moment) -> None:
        if self._schedules.get(trader.user) != time_ms:
            return  # it was planned anew, or taken back
        del self._schedules[trader.user]
        day = trader.user, at.ms // _DAY_MS
        self._fired[day] = self._fired.get(day, 0) + 1
        self.desk.cancel_all(trader, at)


def _statuses(type_: str, statuses: list[object]) -> Item:
    return {"type": type_, "data": {"statuses": statuses}}


def _some(wires: list[Wire]) -> list[Wire]:
    if not wires:
        raise RefusedActionError(words.EMPTY_BATCH)
    return wires
