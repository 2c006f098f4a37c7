"""Staking and vaults: money that works elsewhere, and comes back."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.exchange import words
from wsmgr.manager.venues.hyperliquid.simulator.exchange.amounts import (
    ZERO,
    amount_text,
    from_micro,
    from_wei,
    usd_text,
)
from wsmgr.manager.venues.hyperliquid.simulator.exchange.assets import STAKED
from wsmgr.manager.venues.hyperliquid.simulator.exchange.entry import RefusedActionError

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator.accounts import Item
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.actions import (
        CreateVault,
        StakingDeposit,
        StakingWithdrawal,
        TokenDelegate,
        VaultTransfer,
    )
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.margin import Margin
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.moments import Moment
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.registry import Registry, Vault
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.trader import Trader
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.treasury import Treasury

_DAY_MS = 24 * 3600 * 1000
_LOCK_MS = _DAY_MS
_UNSTAKING_MS = 7 * _DAY_MS
_SMALLEST_DEPOSIT = Decimal(5)
_VAULT_FEE = _SMALLEST_VAULT = Decimal(100)


def deposit(trader: Trader, action: StakingDeposit, at: Moment) -> None:
    """`cDeposit`: from spot to the staking account.

    Raises:
        RefusedActionError: The account does not have it.
    """
    amount = from_wei(action.wei)
    if not 0 < amount <= trader.spot.get(STAKED, ZERO):
        raise RefusedActionError(words.TRANSFER_BALANCE)
    trader.spot[STAKED] -= amount
    trader.staked += amount
    _note_staking(trader, {"cDeposit": {"amount": amount_text(amount)}}, at)
    _note_transfer(trader, amount, at, is_deposit=True)


def withdraw(trader: Trader, action: StakingWithdrawal, at: Moment) -> None:
    """`cWithdraw`: from the staking account to spot, where it arrives after seven days.

    Raises:
        RefusedActionError: The account does not have it.
    """
    amount = from_wei(action.wei)
    if not 0 < amount <= trader.staked:
        raise RefusedActionError(words.STAKING_BALANCE)
    trader.staked -= amount
    trader.unstaking.append((amount, at.ms + _UNSTAKING_MS))
    delta: Item = {"withdrawal": {"amount": amount_text(amount), "phase": "initiated"}}
    _note_staking(trader, delta, at)
    _note_transfer(trader, amount, at, is_deposit=False)


def delegate(trader: Trader, action: TokenDelegate, at: Moment) -> None:
    """`tokenDelegate`: to a validator, for a day at least, or back.

    Raises:
        RefusedActionError: The account does not have it, or it is locked.
    """
    amount, validator = from_wei(action.wei), action.validator.lower()
    delegated, locked_until = trader.delegations.get(validator, (ZERO, 0))
    if action.is_undelegate:
        if not 0 < amount <= delegated or locked_until > at.ms:
            raise RefusedActionError(words.NO_DELEGATION)
        trader.staked += amount
        trader.delegations[validator] = delegated - amount, locked_until
        if delegated == amount:
            del trader.delegations[validator]
    else:
        if not 0 < amount <= trader.staked:
            raise RefusedActionError(words.STAKING_BALANCE)
        trader.staked -= amount
        trader.delegations[validator] = delegated + amount, at.ms + _LOCK_MS
    shown: Item = {
        "validator": validator,
        "amount": amount_text(amount),
        "isUndelegate": action.is_undelegate,
    }
    _note_staking(trader, {"delegate": shown}, at)


def arrive(trader: Trader, now_ms: int) -> None:
    """Let what has left the staking account long enough ago arrive in spot."""
    arrived = [amount for amount, due in trader.unstaking if due <= now_ms]
    if arrived:
        trader.unstaking = [(amount, due) for amount, due in trader.unstaking if due > now_ms]
        trader.spot[STAKED] = trader.spot.get(STAKED, ZERO) + sum(arrived)


class Vaults:
    """Vaults: made, paid into, paid out of. A share is a part of the vault's account value."""

    def __init__(self, registry: Registry, treasury: Treasury, margin: Margin) -> None:
        self._registry = registry
        self._treasury = treasury
        self._margin = margin

    def create(self, trader: Trader, action: CreateVault, at: Moment) -> str:
        """`createVault`: costs 100 dollars, and begins with 100 or more; returns its address.

        Raises:
            RefusedActionError: The account does not have that, or the amount is too small.
        """
        amount = from_micro(action.initial_usd)
        if amount < _SMALLEST_VAULT:
            raise RefusedActionError(words.VAULT_DEPOSIT)
        if not action.name:
            raise RefusedActionError(words.ACCOUNT_NAME)
        self._treasury.take_usd(trader, amount + _VAULT_FEE)
        vault = self._registry.create_vault(trader.user, action.name, action.description, at.ms)
        self._pay_in(vault, trader, amount)
        delta: Item = {
            "type": "vaultCreate",
            "vault": vault.trader.user,
            "usdc": usd_text(amount),
            "fee": usd_text(_VAULT_FEE),
        }
        trader.note(delta, ms=at.ms, hash=at.hash)
        return vault.trader.user

    def transfer(self, trader: Trader, action: VaultTransfer, at: Moment) -> None:
        """`vaultTransfer`.

        Raises:
            RefusedActionError: There is no such vault, or not as much.
        """
        vault, amount = self._registry.vaults.get(action.vault_address.lower()), from_micro(action.usd)
        if vault is None:
            raise RefusedActionError(words.unregistered_vault(action.vault_address.lower()))
        if action.is_deposit:
            if amount < _SMALLEST_DEPOSIT:
                raise RefusedActionError(words.VAULT_DEPOSIT)
            self._treasury.take_usd(trader, amount)
            self._pay_in(vault, trader, amount)
            delta: Item = {"type": "vaultDeposit", "vault": vault.trader.user, "usdc": usd_text(amount)}
        else:
            self._pay_out(vault, trader, amount)
            delta = {
                "type": "vaultWithdraw",
                "vault": vault.trader.user,
                "user": trader.user,
                "requestedUsd": usd_text(amount),
                "commission": "0.0",
                "closingCost": "0.0",
                "basis": usd_text(amount),
                "netWithdrawnUsd": usd_text(amount),
            }
        trader.note(delta, ms=at.ms, hash=at.hash)

    def equity(self, vault: Vault, user: str) -> Decimal:
        """What a vault owes an account."""
        total = sum(vault.shares.values(), ZERO)
        share = vault.shares.get(user, ZERO)
        return self._margin.account_value(vault.trader, "") * share / total if total else ZERO

    def _pay_in(self, vault: Vault, trader: Trader, amount: Decimal) -> None:
        total, value = sum(vault.shares.values(), ZERO), self._margin.account_value(vault.trader, "")
        new = amount * total / value if total and value > ZERO else amount
        vault.shares[trader.user] = vault.shares.get(trader.user, ZERO) + new
        vault.trader.usd[""] += amount
        vault.trader.pending.changed = True

    def _pay_out(self, vault: Vault, trader: Trader, amount: Decimal) -> None:
        equity = self.equity(vault, trader.user)
        if not 0 < amount <= min(equity, self._margin.withdrawable(vault.trader, "")):
            raise RefusedActionError(words.VAULT_EQUITY)
        vault.shares[trader.user] -= vault.shares[trader.user] * amount / equity
        vault.trader.usd[""] -= amount
        vault.trader.pending.changed = True
        trader.usd[""] += amount


def _note_staking(trader: Trader, delta: Item, at: Moment) -> None:
    trader.staking_history.append({"time": at.ms, "hash": at.hash, "delta": delta})
    trader.pending.changed = True


def _note_transfer(trader: Trader, amount: Decimal, at: Moment, *, is_deposit: bool) -> None:
    delta: Item = {
        "type": "cStakingTransfer",
        "token": STAKED,
        "amount": amount_text(amount),
        "isDeposit": is_deposit,
    }
    trader.note(delta, ms=at.ms, hash=at.hash)
