"""Tickets: an action with what goes beside it, made of a call in two steps, before and after its names are looked up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from attrs import frozen

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.venues.hyperliquid.exchange.actions import Action, Blank, VaultRule
from wsmgr.manager.venues.hyperliquid.exchange.call import Call
from wsmgr.manager.venues.hyperliquid.exchange.calls import parse_call
from wsmgr.manager.venues.hyperliquid.values import read_address, read_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsmgr.manager.venues.hyperliquid.exchange.account import Account
    from wsmgr.manager.venues.hyperliquid.universe import Asset, Token


class AssetSource(Protocol):
    """What looks names up: the loader of the universe."""

    async def asset(self, name: str | int) -> Asset:
        """Return an asset that an order may name."""
        ...

    async def token(self, name: str) -> Token:
        """Return a token that a transfer may name."""
        ...


@frozen(kw_only=True)
class Wish:
    """A call, and what goes beside it; its names are not looked up yet.

    Attributes:
        call: The call.
        vault_address: The vault or sub-account that it is for, in lower case, or None.
        expires_after: When the venue shall no longer carry it out (unix milliseconds), or None.
    """

    call: Call
    vault_address: str | None
    expires_after: int | None

    @classmethod
    def read(
        cls,
        name: str,
        params: Mapping[str, object],
        account: Account | None,
        vault_address: str | None,
        expires_after: object,
    ) -> Wish:
        """Check what a caller gave.

        Raises:
            UsageError: Something of it is unknown, missing or malformed.
        """
        call = parse_call(name, params)
        vault = None if account is None else account.vault_address
        if vault_address is not None:
            vault = read_address("vault_address", vault_address)
        expiry = None if expires_after is None else read_time("expires_after", expires_after)
        return cls(call=call, vault_address=vault, expires_after=expiry)

    def told(self) -> dict[str, Any]:
        """Return what a note says of it."""
        spec, names = self.call.spec, (*self.call.assets, *self.call.tokens)
        return {
            "action": spec.wire,
            "method": spec.name,
            "assets": [str(name) for name in names],
            "vault": self.vault_address,
        }

    async def ticket(self, universe: AssetSource) -> Ticket:
        """Look the names up, and make the action.

        Raises:
            UsageError: A name is unknown; there is too much precision; what goes beside it does not go with this action.
            UniverseError: The universe could not be loaded.
        """
        vault, expiry = self.vault_address, self.expires_after
        action = self.call.build(
            assets={asset: await universe.asset(asset) for asset in self.call.assets},
            tokens={token: await universe.token(token) for token in self.call.tokens},
            vault_address=vault,
        )
        if vault is not None and action.vault is VaultRule.NEVER:
            raise ParameterError(
                f"{action.method}: this is the account's own to do, and cannot be done for the vault or sub-account"
                f" {vault}; use an account without vault_address"
            )
        if expiry is not None and action.user_signed:
            raise ParameterError(f"{action.method}: what the account itself signs cannot have expires_after")
        return Ticket(action=action, vault_address=vault, expires_after=expiry)


@frozen(kw_only=True)
class Ticket:
    """An action with what goes beside it.

    Attributes:
        action: The action.
        vault_address: The vault or sub-account that it is for, in lower case, or None.
        expires_after: When the venue shall no longer carry it out (unix milliseconds), or None.
    """

    action: Action
    vault_address: str | None
    expires_after: int | None

    @property
    def beside(self) -> str | None:
        """The vault address that is posted beside the action, or None."""
        return self.vault_address if self.action.vault is VaultRule.BESIDE else None

    def told(self) -> dict[str, Any]:
        """Return what a note says of it."""
        return {
            "action": self.action.type,
            "method": self.action.method,
            "assets": [str(named) for named in self.action.about],
            "vault": self.vault_address,
        }

    def shown(self, mainnet: bool | None) -> dict[str, Any]:
        """Return the action's wire form without a nonce, and without its network where that is not known."""
        form = self.action.filled(None, mainnet=bool(mainnet))
        open_ = {name for name, value in self.action.wire.items() if value is Blank.NETWORK}
        return {name: None if mainnet is None and name in open_ else value for name, value in form.items()}
