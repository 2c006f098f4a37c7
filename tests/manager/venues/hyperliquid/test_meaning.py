"""Meaning: two ways to name one thing, and what is said of both or of none."""

from __future__ import annotations

import pytest
from attrs import frozen

from wsmgr.manager.model.errors import UsageError
from wsmgr.manager.venues.hyperliquid.meaning import check_coin, user_meant, vault_meant


@frozen
class Account:
    address: str = "of the account"
    vault_address: str | None = "of its vault"


def test_a_call_s_own_account_comes_before_the_client_s() -> None:
    """Whichever way it is named."""
    assert "given" == user_meant("it", "given", None, "client's")
    assert "of the account" == user_meant("it", None, Account(), "client's")
    assert "client's" == user_meant("it", None, None, "client's")


def test_an_account_s_vault_is_meant_where_no_vault_is_named() -> None:
    """Not the account itself."""
    assert "given" == vault_meant("it", "given", None)
    assert "of its vault" == vault_meant("it", None, Account())


def test_what_is_named_twice_is_refused() -> None:
    """Also where both name the same."""
    with pytest.raises(UsageError, match=r"^it: address and account are both given; give one of them$"):
        user_meant("it", "of the account", Account(), None)
    with pytest.raises(UsageError, match=r"^it: vault_address and account are both given; give one of them$"):
        vault_meant("it", "of its vault", Account())
    with pytest.raises(UsageError, match=r"^it: asset and coin are both given; give one of them$"):
        check_coin("it", 0, "BTC")


def test_what_is_not_named_is_refused() -> None:
    """An asset's number may be 0."""
    with pytest.raises(UsageError, match=r"^it: no account is named; give address= or account="):
        user_meant("it", None, None, None)
    for account in (None, Account(vault_address=None)):
        with pytest.raises(UsageError, match=r"^it: no vault is named; give vault_address="):
            vault_meant("it", None, account)
    with pytest.raises(UsageError, match=r"^it: neither asset nor coin is given"):
        check_coin("it", None, None)
    check_coin("it", 0, None)
    check_coin("it", None, "")
