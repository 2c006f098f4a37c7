"""Signing actions, and finding out who signed one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.venues.hyperliquid.signing.digest import action_digest, user_action_digest
from wsmgr.manager.venues.hyperliquid.signing.primitives import recovered_address

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsmgr.manager.venues.hyperliquid.signing.digest import Action
    from wsmgr.manager.venues.hyperliquid.signing.secret import SecretKey
    from wsmgr.manager.venues.hyperliquid.signing.signature import Signature
    from wsmgr.manager.venues.hyperliquid.signing.typed_data import Fields


def sign_action(
    key: SecretKey,
    action: Action,
    *,
    nonce: int,
    vault_address: str | None = None,
    expires_after: int | None = None,
    mainnet: bool,
) -> Signature:
    """Sign an action as an agent may; arguments and errors are those of `action_digest`."""
    return key.sign(
        action_digest(
            action, nonce=nonce, vault_address=vault_address, expires_after=expires_after, mainnet=mainnet
        )
    )


def sign_user_action(
    key: SecretKey, action: Mapping[str, Any], *, primary_type: str, fields: Fields
) -> Signature:
    """Sign an action as its user; arguments and errors are those of `user_action_digest`.

    `USER_ACTIONS` has the structure of each of them.
    """
    return key.sign(user_action_digest(action, primary_type=primary_type, fields=fields))


def recover_action_signer(
    action: Action,
    signature: Signature,
    *,
    nonce: int,
    vault_address: str | None = None,
    expires_after: int | None = None,
    mainnet: bool,
) -> str | None:
    """Return the address that signed an action so, in small letters, or None where nobody can have.

    A signature of something else gives some other address, not None: compare it with those who may sign.

    Raises:
        ConfigurationError: The extra `trading` is not installed.
    """
    try:
        digest = action_digest(
            action, nonce=nonce, vault_address=vault_address, expires_after=expires_after, mainnet=mainnet
        )
    except ParameterError:  # it has no digest, so nobody signed it
        return None
    return _signer(digest, signature)


def recover_user_action_signer(
    action: Mapping[str, Any], signature: Signature, *, primary_type: str, fields: Fields
) -> str | None:
    """Return the address that signed an action as its user; else as `recover_action_signer`."""
    try:
        digest = user_action_digest(action, primary_type=primary_type, fields=fields)
    except ParameterError:  # it has no digest, so nobody signed it
        return None
    return _signer(digest, signature)


def _signer(digest: bytes, signature: Signature) -> str | None:
    numbers = signature.r.to_bytes(32, "big") + signature.s.to_bytes(32, "big")
    return recovered_address(digest, numbers + bytes([signature.v - 27]))
