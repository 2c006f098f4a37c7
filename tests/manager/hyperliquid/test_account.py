"""An account as people name it, by address and key: it acts, and never shows what it signs with."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING

import eth_account
import pytest

from wsmgr import Account
from wsmgr.manager.model.errors import ConfigurationError, ParameterError
from wsmgr.manager.venues.hyperliquid.exchange import Account as TradingAccount
from wsmgr.manager.venues.hyperliquid.signing import SecretKey

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "0x" + "1f" * 32
OWN = str(eth_account.Account.from_key(KEY).address).lower()
OTHER = "0x" + "Ab" * 20


def test_an_account_is_named_by_address_and_key() -> None:
    """As for hl-sdk, by keyword or by place; an address that is not the key's makes the key an agent's."""
    agent = Account(address=OTHER, secret_key=KEY)
    assert (OTHER.lower(), OWN, None) == (agent.address, agent.key.address, agent.vault_address)
    same = Account(OTHER, SecretKey.parse(KEY[2:]), OWN)
    assert (OTHER.lower(), OWN, OWN) == (same.address, same.key.address, same.vault_address)
    assert isinstance(agent, TradingAccount)


def test_an_account_of_a_key_alone_has_the_keys_address() -> None:
    """So that its streams and its answers can be asked for by it."""
    assert OWN == Account(secret_key=KEY).address == Account.from_key(KEY).address
    assert OTHER.lower() == Account.from_key(KEY, vault_address=OTHER).vault_address
    assert OTHER.lower() == Account.from_key(KEY, address=OTHER).address


def test_the_key_is_shown_nowhere() -> None:
    """Not in the repr, not by copying, not by pickling."""
    account = Account(address=OTHER, secret_key=KEY)
    shown = repr(account) + str(account) + repr(copy.copy(account)) + repr(copy.deepcopy(account))
    assert KEY[2:] not in shown
    assert OTHER.lower() in shown
    with pytest.raises(TypeError):
        pickle.dumps(account)
    with pytest.raises(AttributeError):
        account.__dict__  # noqa: B018  # there is none to show


@pytest.mark.parametrize(
    ("key", "address", "error", "words"),
    [
        ("0x" + "1f" * 31, None, ConfigurationError, "64 hexadecimal digits"),
        ("", None, ConfigurationError, r"\(0 characters\)"),
        (KEY, "0x12", ParameterError, "address"),
        (KEY, "", ParameterError, "address"),
    ],
)
@pytest.mark.parametrize("make", [Account, lambda address, key: Account.from_key(key, address=address)])
def test_an_error_shows_nothing_of_the_key(
    make: Callable[[str | None, str], Account],
    key: str,
    address: str | None,
    error: type[Exception],
    words: str,
) -> None:
    """Not even in a traceback that shows the variables of our frames."""
    with pytest.raises(error, match=words) as raised:
        make(address, key)
    ours = [
        frame
        for frame, _ in traceback.walk_tb(raised.value.__traceback__)
        if "/src/wsmgr/" in frame.f_code.co_filename
    ]
    assert ours
    shown = [value for frame in ours for value in frame.f_locals.values() if isinstance(value, str)]
    assert [] == [value for value in shown if key and key[2:] in value]


def test_an_address_that_is_given_needs_no_extra() -> None:
    """Streams and answers of an account are there without the extra `trading`; only what signs needs it."""
    code = (
        "import sys; sys.modules['coincurve'] = None; from wsmgr import Account, Hyperliquid;"
        f"client = Hyperliquid(account=Account(address='{OTHER}', secret_key='{KEY}'));"
        f"print(client.info._address); Account(secret_key='{KEY}')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert OTHER.lower() == done.stdout.strip()
    assert "signing needs more: pip install 'wsmgr[trading]'" in done.stderr
