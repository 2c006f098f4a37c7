"""Transfers: what moves funds of an account out of reach of its orders, as actions.

Most of them the account's own key must sign. None can be done for a vault or a sub-account, but the transfer between the
spot and the perpetual balance, which names it inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsmgr.manager.venues.hyperliquid.exchange import amounts
from wsmgr.manager.venues.hyperliquid.exchange.actions.action import SIGNED_FOR, Action, Blank, VaultRule

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from wsmgr.manager.venues.hyperliquid.universe import Token

    Tokens = Mapping[str, Token]


def send_usd(*, amount: Decimal, destination: str) -> Action:
    """Return the action that sends USDC to another address.

    Raises:
        PrecisionError: The amount has more than 6 decimal places.
    """
    wire = {"destination": destination, "amount": _usdc(amount), "time": Blank.NONCE, "type": "usdSend"}
    return _user_signed({**wire, **SIGNED_FOR})


def send_spot(*, asset: str, amount: Decimal, destination: str, tokens: Tokens) -> Action:
    """Return the action that sends a spot token to another address.

    Raises:
        PrecisionError: The amount has more decimal places than the token.
    """
    token = tokens[asset]
    wire = {
        "destination": destination,
        "amount": _of_token(amount, token),
        "token": _written(token),
        "time": Blank.NONCE,
        "type": "spotSend",
    }
    return _user_signed({**wire, **SIGNED_FOR})


def withdraw_funds(*, amount: Decimal, destination: str) -> Action:
    """Return the action that withdraws USDC over the bridge.

    Raises:
        PrecisionError: The amount has more than 6 decimal places.
    """
    wire = {"destination": destination, "amount": _usdc(amount), "time": Blank.NONCE, "type": "withdraw3"}
    return _user_signed({**wire, **SIGNED_FOR})


def transfer_usd(*, amount: Decimal, to_perp: bool, vault_address: str | None = None) -> Action:
    """Return the action that moves USDC between the spot and the perpetual balance, of a sub-account where one is named.

    Raises:
        PrecisionError: The amount has more than 6 decimal places.
    """
    of = "" if vault_address is None else f" subaccount:{vault_address}"
    wire: dict[str, Any] = {
        "type": "usdClassTransfer",
        "amount": _usdc(amount) + of,
        "toPerp": to_perp,
        "nonce": Blank.NONCE,
    }
    return Action(
        type="usdClassTransfer",
        wire={**wire, **SIGNED_FOR},
        user_signed=True,
        vault=VaultRule.WITHIN,
    )


def transfer_tokens(*, amount: Decimal, to_perp: bool, dex: str, token: str, tokens: Tokens) -> Action:
    """Return the action that moves a token between the spot balance and the balance on a builder's dex.

    Its type is spelled as hl-sdk 0.1.0 spells it; newer clients use `sendAsset` instead, which is none of these methods.

    Raises:
        PrecisionError: The amount has more decimal places than the token.
    """
    found = tokens[token]
    wire = {
        "type": "perpDexClassTransfer",
        "hyperliquidChain": Blank.NETWORK,
        "signatureChainId": Blank.CHAIN,
        "amount": _of_token(amount, found),
        "toPerp": to_perp,
        "dex": dex,
        "token": _written(found),
        "nonce": Blank.NONCE,
    }
    return _user_signed(wire)


def stake_tokens(*, amount: Decimal) -> Action:
    """Return the action that moves HYPE from the spot balance to staking.

    Raises:
        PrecisionError: The amount has more than 8 decimal places.
    """
    return _user_signed(_staking("cDeposit", amount))


def unstake_tokens(*, amount: Decimal) -> Action:
    """Return the action that moves HYPE from staking to the spot balance.

    Raises:
        PrecisionError: The amount has more than 8 decimal places.
    """
    return _user_signed(_staking("cWithdraw", amount))


def delegate_tokens(*, validator: str, amount: Decimal, is_undelegate: bool) -> Action:
    """Return the action that delegates staked HYPE to a validator, or takes it back.

    Raises:
        PrecisionError: The amount has more than 8 decimal places.
    """
    wire = {
        "validator": validator,
        "wei": _wei(amount),
        "isUndelegate": is_undelegate,
        "nonce": Blank.NONCE,
        "type": "tokenDelegate",
    }
    return _user_signed({**wire, **SIGNED_FOR})


def transfer_vault_funds(*, vault: str, amount: Decimal, is_deposit: bool) -> Action:
    """Return the action that moves USDC into a vault, or out of it.

    Raises:
        PrecisionError: The amount has more than 6 decimal places.
    """
    wire = {"type": "vaultTransfer", "vaultAddress": vault, "isDeposit": is_deposit, "usd": _micro(amount)}
    return Action(type="vaultTransfer", wire=wire)


def transfer_account_funds(*, amount: Decimal, address: str, is_deposit: bool) -> Action:
    """Return the action that moves USDC to a sub-account, or back to the main one.

    Raises:
        PrecisionError: The amount has more than 6 decimal places.
    """
    wire = {
        "type": "subAccountTransfer",
        "subAccountUser": address,
        "isDeposit": is_deposit,
        "usd": _micro(amount),
    }
    return Action(type="subAccountTransfer", wire=wire)


def create_vault(*, name: str, description: str, initial_usd: Decimal) -> Action:
    """Return the action that makes a vault and puts USDC into it.

    Raises:
        PrecisionError: The amount has more than 6 decimal places.
    """
    wire = {
        "type": "createVault",
        "name": name,
        "description": description,
        "initialUsd": amounts.minor_units(
            "initial_usd", "USDC", amounts.above_zero("initial_usd", initial_usd), amounts.USDC_DECIMALS
        ),
        "nonce": Blank.NONCE,
    }
    return Action(type="createVault", wire=wire)


def _user_signed(wire: Mapping[str, Any]) -> Action:
    return Action(type=wire["type"], wire=wire, user_signed=True)


def _staking(type_: str, amount: Decimal) -> dict[str, Any]:
    return {
        "type": type_,
        "hyperliquidChain": Blank.NETWORK,
        "signatureChainId": Blank.CHAIN,
        "wei": _wei(amount),
        "nonce": Blank.NONCE,
    }


def _usdc(amount: Decimal) -> str:
    return amounts.places("amount", "USDC", amounts.above_zero("amount", amount), amounts.USDC_DECIMALS)


def _micro(amount: Decimal) -> int:
    return amounts.minor_units("amount", "USDC", amounts.above_zero("amount", amount), amounts.USDC_DECIMALS)


def _wei(amount: Decimal) -> int:
    return amounts.minor_units("amount", "HYPE", amounts.above_zero("amount", amount), amounts.HYPE_DECIMALS)


def _of_token(amount: Decimal, token: Token) -> str:
    return amounts.places("amount", token.name, amounts.above_zero("amount", amount), token.wei_decimals)


def _written(token: Token) -> str:
    return f"{token.name}:{token.token_id}"
