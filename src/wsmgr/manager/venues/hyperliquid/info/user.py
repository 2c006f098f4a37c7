"""Info about an account: positions, limits, fees, ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.model.outcome import Answered, Outcome
from wsmgr.manager.venues.hyperliquid.info.asking import Asking

if TYPE_CHECKING:
    from datetime import datetime

    from wsmgr.manager.venues.hyperliquid.info.shapes import (
        ClearinghouseState,
        Fees,
        FundingPayment,
        LedgerUpdate,
        Portfolio,
        RateLimit,
        Referral,
        Role,
        SubAccount,
    )
    from wsmgr.manager.venues.hyperliquid.meaning import HasAddress


class UserInfo(Asking):
    """Queries about an account."""

    async def user_state(
        self, *, address: str | None = None, account: HasAddress | None = None, dex: str | None = None
    ) -> Outcome[ClearinghouseState]:
        """Return an account's perpetual positions and margin on a dex."""
        return await self._ask_of_user("user_state", address, account, dex=dex)

    async def user_role(
        self, *, address: str | None = None, account: HasAddress | None = None
    ) -> Outcome[Role]:
        """Return what an address is: user, agent, vault, sub-account or unknown."""
        return await self._ask_of_user("user_role", address, account)

    async def user_rate_limit(
        self, *, address: str | None = None, account: HasAddress | None = None
    ) -> Outcome[RateLimit]:
        """Return how many requests an account has used, and may use."""
        return await self._ask_of_user("user_rate_limit", address, account)

    async def user_sub_accounts(
        self, *, address: str | None = None, account: HasAddress | None = None
    ) -> Outcome[list[SubAccount]]:
        """Return an account's sub-accounts; an empty list where it has none (the venue then answers null)."""
        outcome = await self._ask_of_user("user_sub_accounts", address, account)
        return Answered([]) if outcome == Answered(None) else outcome

    async def max_builder_fee(
        self, *, builder: str, address: str | None = None, account: HasAddress | None = None
    ) -> Outcome[int]:
        """Return the fee that an account has allowed a builder, in tenths of a basis point: 1 is 0.001 %.

        Args:
            builder: The builder's address.
            address: The account's address.
            account: Instead of it, an account.
        """
        return await self._ask_of_user("max_builder_fee", address, account, builder=builder)

    async def user_portfolio(
        self, *, address: str | None = None, account: HasAddress | None = None
    ) -> Outcome[Portfolio]:
        """Return an account's value and profit over day, week, month and all time."""
        return await self._ask_of_user("user_portfolio", address, account)

    async def user_referral(
        self, *, address: str | None = None, account: HasAddress | None = None
    ) -> Outcome[Referral]:
        """Return who referred an account, and whom it refers."""
        return await self._ask_of_user("user_referral", address, account)

    async def user_fees(
        self, *, address: str | None = None, account: HasAddress | None = None
    ) -> Outcome[Fees]:
        """Return an account's fees and its volume a day."""
        return await self._ask_of_user("user_fees", address, account)

    async def user_funding(
        self,
        *,
        start: datetime | int,
        end: datetime | int | None = None,
        address: str | None = None,
        account: HasAddress | None = None,
    ) -> Outcome[list[FundingPayment]]:
        """Return the funding that an account paid (or got) in a period.

        Args:
            start: From when on: an aware datetime, or milliseconds since 1970.
            end: Until when; None is now.
            address: The account's address.
            account: Instead of it, an account.
        """
        return await self._ask_of_user("user_funding", address, account, start=start, end=end)

    async def user_non_funding_ledger_updates(
        self,
        *,
        start: datetime | int,
        end: datetime | int | None = None,
        address: str | None = None,
        account: HasAddress | None = None,
    ) -> Outcome[list[LedgerUpdate]]:
        """Return an account's deposits, transfers and withdrawals in a period.

        Args:
            start: From when on: an aware datetime, or milliseconds since 1970.
            end: Until when; None is now.
            address: The account's address.
            account: Instead of it, an account.
        """
        return await self._ask_of_user(
            "user_non_funding_ledger_updates", address, account, start=start, end=end
        )
