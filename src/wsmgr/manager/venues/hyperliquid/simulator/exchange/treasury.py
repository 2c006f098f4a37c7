"""Treasury: movements of money between accounts, dexes and spot, and what the ledger says about each."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from wsmgr.manager.venues.hyperliquid.simulator.coins import DEXES
from wsmgr.manager.venues.hyperliquid.simulator.exchange import words
from wsmgr.manager.venues.hyperliquid.simulator.exchange.amounts import (
    ZERO,
    amount_text,
    from_micro,
    read_amount,
    usd_text,
)
from wsmgr.manager.venues.hyperliquid.simulator.exchange.assets import USDC, Token, token_named
from wsmgr.manager.venues.hyperliquid.simulator.exchange.entry import RefusedActionError

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator.accounts import Item
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.actions import (
        PerpDexClassTransfer,
        SendAsset,
        SpotSend,
        SubAccountSpotTransfer,
        SubAccountTransfer,
        UsdClassTransfer,
        UsdSend,
        Withdraw,
    )
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.margin import Margin
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.moments import Moment
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.registry import Registry
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.trader import Trader

SPOT = "spot"
_WITHDRAWAL_FEE = Decimal(1)
_SUB_ACCOUNT = " subaccount:"


class Treasury:
    """Moves money; refuses what an account does not have."""

    def __init__(self, registry: Registry, margin: Margin) -> None:
        self._registry = registry
        self._margin = margin

    def take_usd(self, trader: Trader, amount: Decimal, dex: str = "") -> None:
        """Take dollars out of a dex.

        Raises:
            RefusedActionError: The account has not as many to spare.
        """
        if amount > self._margin.withdrawable(trader, dex):
            raise RefusedActionError(words.WITHDRAWAL_BALANCE)
        trader.usd[dex] -= amount

    def send_usd(self, trader: Trader, action: UsdSend, at: Moment) -> None:
        """`usdSend`.

        Raises:
            RefusedActionError: As all here: the amount is none, or the account does not have it.
        """
        amount, destination = _amount(action.amount), _other(trader, action.destination)
        self.take_usd(trader, amount)
        target = self._registry.trader(destination)
        target.usd[""] += amount
        delta: Item = {
            "type": "internalTransfer",
            "usdc": usd_text(amount),
            "user": trader.user,
            "destination": target.user,
            "fee": "0.0",
        }
        _note_both(trader, target, delta, at)

    def send_spot(self, trader: Trader, action: SpotSend, at: Moment) -> None:
        """`spotSend`.

        Raises:
            RefusedActionError: Or there is no such token.
        """
        known, amount = _known_token(action.token), _amount(action.amount)
        destination = _other(trader, action.destination)
        self._take_token(trader, known, amount)
        self._give_token(trader, self._registry.trader(destination), known, amount, at, action.time)

    def withdraw(self, trader: Trader, action: Withdraw, at: Moment) -> None:
        """`withdraw3`: the amount leaves the venue, a dollar of it as the fee.

        Raises:
            RefusedActionError: Or the amount does not cover the fee.
        """
        amount = _amount(action.amount)
        if amount <= _WITHDRAWAL_FEE:
            raise RefusedActionError(words.WITHDRAWAL_BALANCE)
        self.take_usd(trader, amount)
        delta: Item = {
            "type": "withdraw",
            "usdc": usd_text(amount - _WITHDRAWAL_FEE),
            "nonce": action.time,
            "fee": usd_text(_WITHDRAWAL_FEE),
        }
        trader.note(delta, ms=at.ms, hash=at.hash)

    def transfer_class(self, trader: Trader, action: UsdClassTransfer, at: Moment) -> None:
        """`usdClassTransfer`: between the perps of the main dex and spot, of the account or a sub-account of it.

        Raises:
            RefusedActionError: Or the sub-account is not the account's.
        """
        text, _, sub_account = action.amount.partition(_SUB_ACCOUNT)
        if sub_account:
            trader = self._registry.acts_for(trader.user, sub_account.lower(), at.ms)
        amount = _amount(text)
        source, target = (SPOT, "") if action.to_perp else ("", SPOT)
        self._take_usdc(trader, source, target, amount)
        _add_usdc(trader, target, amount)
        delta: Item = {"type": "accountClassTransfer", "usdc": usd_text(amount), "toPerp": action.to_perp}
        trader.note(delta, ms=at.ms, hash=at.hash)

    def transfer_dex_class(self, trader: Trader, action: PerpDexClassTransfer, at: Moment) -> None:
        """`perpDexClassTransfer`: between spot and the perps of one dex.

        Raises:
            RefusedActionError: Or there is no such dex, or the token is not the dex's.
        """
        _known_token(action.token, only_usdc=True)
        source, target = (SPOT, action.dex) if action.to_perp else (action.dex, SPOT)
        amount = _amount(action.amount)
        self._take_usdc(trader, source, target, amount)
        _add_usdc(trader, target, amount)
        delta: Item = {"type": "accountClassTransfer", "usdc": usd_text(amount), "toPerp": action.to_perp}
        trader.note(delta, ms=at.ms, hash=at.hash)

    def send_asset(self, trader: Trader, action: SendAsset, at: Moment) -> None:
        """`sendAsset`: between any two of an account's dexes and spot, and those of another account.

        Raises:
            RefusedActionError: Or there is no such dex, token or sub-account.
        """
        if action.from_sub_account:
            trader = self._registry.acts_for(trader.user, action.from_sub_account.lower(), at.ms)
        destination = action.destination.lower()
        in_spot = action.source_dex == SPOT and action.destination_dex == SPOT
        token = _known_token(action.token, only_usdc=not in_spot)
        amount = _amount(action.amount)
        if destination == trader.user and action.source_dex == action.destination_dex:
            raise RefusedActionError(words.SELF_TRANSFER)
        if in_spot:
            self._take_token(trader, token, amount)
            target = self._registry.trader(destination)
            _add_token(target, token, amount)
        else:
            self._take_usdc(trader, action.source_dex, action.destination_dex, amount)
            target = self._registry.trader(destination)
            _add_usdc(target, action.destination_dex, amount)
        delta: Item = {
            "type": "send",
            "user": trader.user,
            "destination": target.user,
            "sourceDex": action.source_dex,
            "destinationDex": action.destination_dex,
            "token": token.name,
            "amount": amount_text(amount),
            "usdcValue": usd_text(amount) if token.name == USDC else "0.0",
            "fee": "0.0",
            "nativeTokenFee": "0.0",
            "nonce": action.nonce,
            "feeToken": "",
        }
        _note_both(trader, target, delta, at)

    def transfer_sub_account(self, trader: Trader, action: SubAccountTransfer, at: Moment) -> None:
        """`subAccountTransfer`.

        Raises:
            RefusedActionError: Or the sub-account is not the account's.
        """
        sub_account, amount = self._sub_account(trader, action.sub_account_user), from_micro(action.usd)
        source, target = (trader, sub_account) if action.is_deposit else (sub_account, trader)
        self.take_usd(source, amount)
        target.usd[""] += amount
        delta: Item = {
            "type": "subAccountTransfer",
            "usdc": usd_text(amount),
            "user": source.user,
            "destination": target.user,
        }
        _note_both(source, target, delta, at)

    def transfer_sub_account_spot(self, trader: Trader, action: SubAccountSpotTransfer, at: Moment) -> None:
        """`subAccountSpotTransfer`.

        Raises:
            RefusedActionError: Or the sub-account is not the account's, or there is no such token.
        """
        sub_account = self._sub_account(trader, action.sub_account_user)
        source, target = (trader, sub_account) if action.is_deposit else (sub_account, trader)
        known, amount = _known_token(action.token), _amount(action.amount)
        self._take_token(source, known, amount)
        self._give_token(source, target, known, amount, at, None)

    def _sub_account(self, master: Trader, address: str) -> Trader:
        sub_account = self._registry.sub_accounts.get(address.lower())
        if sub_account is None or sub_account.master != master.user:
            raise RefusedActionError(words.NO_SUB_ACCOUNT)
        return sub_account.trader

    def _take_usdc(self, trader: Trader, source: str, target: str, amount: Decimal) -> None:
        if not {source, target} <= {SPOT, *DEXES}:
            raise RefusedActionError(words.INVALID_DEX)
        if source == SPOT:
            self._take_token(trader, Token(USDC, 0), amount)
        else:
            self.take_usd(trader, amount, source)

    def _take_token(self, trader: Trader, token: Token, amount: Decimal) -> None:
        if amount > self._margin.spot_free(trader, token.name):
            raise RefusedActionError(words.TRANSFER_BALANCE)
        trader.spot[token.name] -= amount

    @staticmethod
    def _give_token(
        trader: Trader, target: Trader, known: Token, amount: Decimal, at: Moment, nonce: int | None
    ) -> None:
        _add_token(target, known, amount)
        delta: Item = {
            "type": "spotTransfer",
            "token": known.name,
            "amount": amount_text(amount),
            "usdcValue": usd_text(amount) if known.name == USDC else "0.0",
            "user": trader.user,
            "destination": target.user,
            "fee": "0.0",
            "nativeTokenFee": "0.0",
            "nonce": nonce,
        }
        _note_both(trader, target, delta, at)


def _other(trader: Trader, destination: str) -> str:
    """The address of a transfer that goes to somebody else."""
    if destination.lower() == trader.user:
        raise RefusedActionError(words.SELF_TRANSFER)
    return destination.lower()


def _add_usdc(target: Trader, dex: str, amount: Decimal) -> None:
    if dex == SPOT:
        _add_token(target, Token(USDC, 0), amount)
    else:
        target.usd[dex] += amount


def _add_token(target: Trader, token: Token, amount: Decimal) -> None:
    target.spot[token.name] = target.spot.get(token.name, ZERO) + amount


def _amount(text: str) -> Decimal:
    amount = read_amount(text)
    if not amount:
        raise RefusedActionError(words.INVALID_AMOUNT)
    return amount


def _known_token(text: str, *, only_usdc: bool = False) -> Token:
    token = token_named(text)
    if token is None or (only_usdc and token.name != USDC):
        raise RefusedActionError(words.unknown_token(text))
    return token


def _note_both(trader: Trader, target: Trader, delta: Item, at: Moment) -> None:
    trader.note(delta, ms=at.ms, hash=at.hash)
    if target is not trader:
        target.note(delta, ms=at.ms, hash=at.hash)
