"""An account as people name it: an address and a key."""

from __future__ import annotations

from wsmgr.manager.model.errors import ConfigurationError
from wsmgr.manager.venues.hyperliquid.exchange import Account as TradingAccount
from wsmgr.manager.venues.hyperliquid.signing import SecretKey


class Account(TradingAccount):
    """Who acts, by address and key; what signs is never shown.

    Args:
        address: The account's address; None for that of the key. Where both are given and differ, the key is an agent's.
        secret_key: 64 hexadecimal digits, with or without `0x`, or a `SecretKey`.
        vault_address: The vault or sub-account in whose name it trades, or None.

    Raises:
        ConfigurationError: It is no key (the message shows nothing of it), or the extra `trading` is missing and the address
            has to be worked out.
        ParameterError: An address is malformed.
    """

    __slots__ = ()

    address: str  # pyright: ignore[reportIncompatibleVariableOverride] - here it is never None

    def __init__(
        self, address: str | None = None, secret_key: str | SecretKey = "", vault_address: str | None = None
    ) -> None:
        """Take the key away behind a seal."""
        key, complaint = _sealed(secret_key)
        del secret_key  # a traceback may show the variables of this frame
        if key is None:
            raise ConfigurationError(complaint)
        super().__init__(
            key=key, address=key.address if address is None else address, vault_address=vault_address
        )

    @classmethod
    def from_key(cls, text: str, *, address: str | None = None, vault_address: str | None = None) -> Account:
        """Return the account of a key; address and errors are those of `Account`."""
        key, complaint = _sealed(text)
        del text  # as above
        if key is None:
            raise ConfigurationError(complaint)
        return cls(address, key, vault_address)


def _sealed(secret_key: str | SecretKey) -> tuple[SecretKey | None, str]:
    """Return the key of a text, or None and what is wrong with the text."""
    if isinstance(secret_key, SecretKey):
        return secret_key, ""
    try:
        return SecretKey.parse(secret_key), ""
    except ConfigurationError as error:
        return None, str(error)
