"""Info about vaults and staking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.info.asking import Asking
from wsmgr.manager.venues.hyperliquid.meaning import vault_meant

if TYPE_CHECKING:
    from wsmgr.manager.model.outcome import Outcome
    from wsmgr.manager.venues.hyperliquid.info.shapes import (
        Delegation,
        StakingEvent,
        StakingReward,
        StakingSummary,
        VaultDetails,
        VaultEquity,
    )
    from wsmgr.manager.venues.hyperliquid.meaning import HasAddress, HasVaultAddress


class StakingInfo(Asking):
    """Queries about vaults and staking."""

    async def vault_details(
        self, *, vault_address: str | None = None, account: HasVaultAddress | None = None
    ) -> Outcome[VaultDetails]:
        """Return a vault: leader, followers, value and profit.

        Args:
            vault_address: The vault's address.
            account: Instead of it, an account with a `vault_address`.

        Raises:
            UsageError: Both are given, or neither, or the account has no vault.
        """
        vault = vault_meant("vault_details", vault_address, account)
        return await self._ask("vault_details", vault_address=vault)

    async def user_vault_equities(
        self, *, address: str | None = None, account: HasAddress | None = None
    ) -> Outcome[list[VaultEquity]]:
        """Return what an account has in vaults."""
        return await self._ask_of_user("user_vault_equities", address, account)

    async def user_delegations(
        self, *, address: str | None = None, account: HasAddress | None = None
    ) -> Outcome[list[Delegation]]:
        """Return what an account has staked, by validator."""
        return await self._ask_of_user("user_delegations", address, account)

    async def user_delegator_summary(
        self, *, address: str | None = None, account: HasAddress | None = None
    ) -> Outcome[StakingSummary]:
        """Return what an account has staked, in sum."""
        return await self._ask_of_user("user_delegator_summary", address, account)

    async def user_delegator_history(
        self, *, address: str | None = None, account: HasAddress | None = None
    ) -> Outcome[list[StakingEvent]]:
        """Return an account's staking, event by event."""
        return await self._ask_of_user("user_delegator_history", address, account)

    async def user_delegator_rewards(
        self, *, address: str | None = None, account: HasAddress | None = None
    ) -> Outcome[list[StakingReward]]:
        """Return an account's staking rewards."""
        return await self._ask_of_user("user_delegator_rewards", address, account)
