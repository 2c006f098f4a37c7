"""The facade's approvals, referrers, sub-accounts and request weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from wsmgr.manager.venues.hyperliquid.exchange.facade.base import Calls

if TYPE_CHECKING:
    from wsmgr.manager.model.outcome import Outcome
    from wsmgr.manager.venues.hyperliquid.exchange.amounts import Amount
    from wsmgr.manager.venues.hyperliquid.exchange.facade.base import CallOptions
    from wsmgr.manager.venues.hyperliquid.exchange.responses import Done, SubAccountCreated


class AccountCalls(Calls):
    """What changes the account itself."""

    async def approve_agent(
        self, *, agent: str, name: str | None = None, **options: Unpack[CallOptions]
    ) -> Outcome[Done]:
        """Let an agent's key trade for the account. The account itself must sign it; needs `transfers = true`.

        Args:
            agent: The address of the agent's key.
            name: The agent's name; without one it replaces the unnamed agent.
            options: What every method takes.
        """
        return await self._call("approve_agent", {"agent": agent, "name": name}, options)

    async def approve_builder(
        self, *, builder: str, max_fee_rate: Amount, **options: Unpack[CallOptions]
    ) -> Outcome[Done]:
        """Let a builder charge a fee on the account's orders. The account itself must sign it; needs `transfers = true`.

        Args:
            builder: The builder's address.
            max_fee_rate: The most that it may charge, as a fraction: 0.001 is 0.1 %.
            options: What every method takes.
        """
        params = {"builder": builder, "max_fee_rate": max_fee_rate}
        return await self._call("approve_builder", params, options)

    async def set_referrer(self, *, code: str, **options: Unpack[CallOptions]) -> Outcome[Done]:
        """Name who referred the account."""
        return await self._call("set_referrer", {"code": code}, options)

    async def register_referrer(self, *, code: str, **options: Unpack[CallOptions]) -> Outcome[Done]:
        """Make a referral code of the account."""
        return await self._call("register_referrer", {"code": code}, options)

    async def create_sub_account(
        self, *, name: str, **options: Unpack[CallOptions]
    ) -> Outcome[SubAccountCreated]:
        """Make a sub-account."""
        return await self._call("create_sub_account", {"name": name}, options)

    async def reserve_weight(self, *, weight: int, **options: Unpack[CallOptions]) -> Outcome[Done]:
        """Buy further requests, at 0.0005 USDC each; needs `transfers = true`."""
        return await self._call("reserve_weight", {"weight": weight}, options)
