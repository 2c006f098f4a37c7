"""An account as people name it: an address and a key."""

from __future__ import annotations

from wsmgr.manager.model.errors import ConfigurationError
from wsmgr.manager.model.showing import forgetful, looks_like_secret_key
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

    @forgetful
    def __init__(
        self, address: str | None = None, secret_key: str | SecretKey = "", vault_address: str | None = None
    ) -> None:
        """Take the key away behind a seal."""
        if looks_like_secret_key(address):
            raise ConfigurationError(
                "this address is a key, not an address; write Account(address, secret_key)"
            )
        key = secret_key if isinstance(secret_key, SecretKey) else SecretKey.parse(secret_key)
        super().__init__(
            key=key, address=key.address if address is None else address, vault_address=vault_address
        )

    @classmethod
    @forgetful
    def from_key(cls, text: str, *, address: str | None = None, vault_address: str | None = None) -> Account:
        """Return the account of a key; address and errors are those of `Account`."""
        return cls(address, text, vault_address)
