"""Meaning: which account, vault or coin a call means, of the ways there are to name it."""

from __future__ import annotations

from typing import Protocol

from wsmgr.manager.model.errors import UsageError


class HasAddress(Protocol):
    """An account: anything with an address."""

    @property
    def address(self) -> str:
        """0x and 40 hexadecimal digits."""
        ...


class HasVaultAddress(Protocol):
    """An account that may trade for a vault."""

    @property
    def vault_address(self) -> str | None:
        """0x and 40 hexadecimal digits, or None."""
        ...


def user_meant(method: str, address: str | None, account: HasAddress | None, default: str | None) -> str:
    """Return the address of the account that a call means; `default` is the client's own.

    Raises:
        UsageError: It is named twice, or not at all.
    """
    _refuse_both(method, address=address, account=account)
    found = account.address if account is not None else default if address is None else address
    if found is None:
        raise UsageError(f"{method}: no account is named; give address= or account=, here or to the client")
    return found


def vault_meant(method: str, vault_address: str | None, account: HasVaultAddress | None) -> str:
    """Return the address of the vault that a call means.

    Raises:
        UsageError: It is named twice, or not at all, or the account has none.
    """
    _refuse_both(method, vault_address=vault_address, account=account)
    found = vault_address if account is None else account.vault_address
    if found is None:
        raise UsageError(
            f"{method}: no vault is named; give vault_address=, or an account= with a vault_address"
        )
    return found


def check_coin(method: str, asset: str | int | None, coin: str | None) -> None:
    """Check that a call names what it means by an asset, or by what the wire calls it.

    Raises:
        UsageError: It is named twice, or not at all.
    """
    _refuse_both(method, asset=asset, coin=coin)
    if asset is None and coin is None:
        raise UsageError(f"{method}: neither asset nor coin is given; give one of them")


def _refuse_both(method: str, **given: object) -> None:
    if None not in given.values():
        raise UsageError(f"{method}: {' and '.join(given)} are both given; give one of them")
