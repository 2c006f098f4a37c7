"""An account: a key that signs, and in whose name."""

from __future__ import annotations

from typing import Any

from attrs import Attribute, field, frozen

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.model.showing import forgetful
from wsmgr.manager.venues.hyperliquid.signing import SecretKey
from wsmgr.manager.venues.hyperliquid.values import read_address


def _lowered(value: str | None) -> str | None:
    return None if value is None else read_address("address", value)


def _is_key(_instance: object, _attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, SecretKey):
        raise ParameterError("key is not a SecretKey; make one with SecretKey.parse, or use Account.from_key")


@frozen(kw_only=True, init=False)
class Account:
    """Who acts.

    Attributes:
        key: The key that signs: the account's own, or that of an agent that it has approved. Never shown.
        address: The account's address where the key is an agent's, or None where the key is the account's own.
        vault_address: The vault or sub-account in whose name it trades, or None.
    """

    key: SecretKey = field(repr=False, validator=_is_key)
    address: str | None = field(default=None, converter=_lowered)
    vault_address: str | None = field(default=None, converter=_lowered)

    @forgetful  # of a key that was given as an address
    def __init__(
        self, *, key: SecretKey, address: str | None = None, vault_address: str | None = None
    ) -> None:
        """Check the addresses; one that is malformed is a `ParameterError`."""
        self.__attrs_init__(key=key, address=address, vault_address=vault_address)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - attrs makes it

    @classmethod
    @forgetful
    def from_key(cls, text: str, *, address: str | None = None, vault_address: str | None = None) -> Account:
        """Return the account of a key that is written as 64 hexadecimal digits, with or without `0x`.

        Raises:
            ConfigurationError: It is no key; the message shows nothing of it.
            ParameterError: An address is malformed.
        """
        return cls(key=SecretKey.parse(text), address=address, vault_address=vault_address)

    @property
    def acting(self) -> str:
        """The address whose account changes: the vault's, else the account's.

        Raises:
            ConfigurationError: The extra `trading` is not installed.
        """
        return self.vault_address or self.address or self.key.address
