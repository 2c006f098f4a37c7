"""The facade's transfers: off unless the policy says `transfers = true`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from wsmgr.manager.venues.hyperliquid.exchange.facade.base import Calls

if TYPE_CHECKING:
    from wsmgr.manager.model.outcome import Outcome
    from wsmgr.manager.venues.hyperliquid.exchange.amounts import Amount
    from wsmgr.manager.venues.hyperliquid.exchange.facade.base import CallOptions
    from wsmgr.manager.venues.hyperliquid.exchange.responses import Done, VaultCreated


class TransferCalls(Calls):
    """What moves funds out of reach of trading."""

    async def send_usd(
        self, *, amount: Amount, destination: str, **options: Unpack[CallOptions]
    ) -> Outcome[Done]:
        """Send USDC to another address. The account itself must sign it."""
        return await self._call("send_usd", {"amount": amount, "destination": destination}, options)

    async def send_spot(
        self,
        *,
        asset: str | None = None,
        coin: str | None = None,
        amount: Amount,
        destination: str,
        **options: Unpack[CallOptions],
    ) -> Outcome[Done]:
        """Send a spot token to another address. The account itself must sign it.

        Args:
            asset: The token, `PURR`, or with its id as the wire has it, `PURR:0x...`; or `coin`.
            coin: The same.
            amount: How much of it.
            destination: Who gets it.
            options: What every method takes.
        """
        params = {"asset": asset, "coin": coin, "amount": amount, "destination": destination}
        return await self._call("send_spot", params, options)

    async def withdraw_funds(
        self, *, amount: Amount, destination: str, **options: Unpack[CallOptions]
    ) -> Outcome[Done]:
        """Withdraw USDC over the bridge. The account itself must sign it."""
        return await self._call("withdraw_funds", {"amount": amount, "destination": destination}, options)

    async def transfer_usd(
        self, *, amount: Amount, to_perp: bool, **options: Unpack[CallOptions]
    ) -> Outcome[Done]:
        """Move USDC between the spot and the perpetual balance. The account itself must sign it.

        With `vault_address` it is that sub-account's balance.
        """
        return await self._call("transfer_usd", {"amount": amount, "to_perp": to_perp}, options)

    async def transfer_tokens(
        self, *, amount: Amount, to_perp: bool, dex: str, token: str, **options: Unpack[CallOptions]
    ) -> Outcome[Done]:
        """Move a token between the spot balance and the balance on a builder's dex. The account itself must sign it."""
        params = {"amount": amount, "to_perp": to_perp, "dex": dex, "token": token}
        return await self._call("transfer_tokens", params, options)

    async def stake_tokens(self, *, amount: Amount, **options: Unpack[CallOptions]) -> Outcome[Done]:
        """Move HYPE from the spot balance to staking. The account itself must sign it."""
        return await self._call("stake_tokens", {"amount": amount}, options)

    async def unstake_tokens(self, *, amount: Amount, **options: Unpack[CallOptions]) -> Outcome[Done]:
        """Move HYPE from staking to the spot balance. The account itself must sign it."""
        return await self._call("unstake_tokens", {"amount": amount}, options)

    async def delegate_tokens(
        self, *, validator: str, amount: Amount, is_undelegate: bool, **options: Unpack[CallOptions]
    ) -> Outcome[Done]:
        """Delegate staked HYPE to a validator, or take it back. The account itself must sign it."""
        params = {"validator": validator, "amount": amount, "is_undelegate": is_undelegate}
        return await self._call("delegate_tokens", params, options)

    async def transfer_vault_funds(
        self, *, vault: str, amount: Amount, is_deposit: bool, **options: Unpack[CallOptions]
    ) -> Outcome[Done]:
        """Move USDC into a vault (`is_deposit`), or out of it."""
        params = {"vault": vault, "amount": amount, "is_deposit": is_deposit}
        return await self._call("transfer_vault_funds", params, options)

    async def transfer_account_funds(
        self, *, amount: Amount, address: str, is_deposit: bool, **options: Unpack[CallOptions]
    ) -> Outcome[Done]:
        """Move USDC to the sub-account `address` (`is_deposit`), or back to the main account."""
        params = {"amount": amount, "address": address, "is_deposit": is_deposit}
        return await self._call("transfer_account_funds", params, options)

    async def create_vault(
        self, *, name: str, description: str, initial_usd: Amount, **options: Unpack[CallOptions]
    ) -> Outcome[VaultCreated]:
        """Make a vault and put USDC into it."""
        params = {"name": name, "description": description, "initial_usd": initial_usd}
        return await self._call("create_vault", params, options)
