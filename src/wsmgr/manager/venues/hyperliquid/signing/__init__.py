"""Signing for Hyperliquid: keys, nonces, and the two kinds of signature.

Importing this needs nothing of the extra `trading`; signing and verifying do.
"""

from __future__ import annotations

from wsmgr.manager.venues.hyperliquid.signing.digest import (
    Action,
    action_digest,
    action_hash,
    user_action_digest,
)
from wsmgr.manager.venues.hyperliquid.signing.nonces import NonceError, Nonces
from wsmgr.manager.venues.hyperliquid.signing.secret import SecretKey
from wsmgr.manager.venues.hyperliquid.signing.sign import (
    recover_action_signer,
    recover_user_action_signer,
    sign_action,
    sign_user_action,
)
from wsmgr.manager.venues.hyperliquid.signing.signature import Signature
from wsmgr.manager.venues.hyperliquid.signing.sources import load_secret, variable_of
from wsmgr.manager.venues.hyperliquid.signing.typed_data import Fields
from wsmgr.manager.venues.hyperliquid.signing.user_actions import USER_ACTIONS, UserAction

__all__ = [
    "USER_ACTIONS",
    "Action",
    "Fields",
    "NonceError",
    "Nonces",
    "SecretKey",
    "Signature",
    "UserAction",
    "action_digest",
    "action_hash",
    "load_secret",
    "recover_action_signer",
    "recover_user_action_signer",
    "sign_action",
    "sign_user_action",
    "user_action_digest",
    "variable_of",
]
