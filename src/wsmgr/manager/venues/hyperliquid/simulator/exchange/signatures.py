"""Signatures: whose an action is. Needs the extra `trading`, which is imported only when an action comes."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.venues.hyperliquid.signing import (
    USER_ACTIONS,
    Signature,
    recover_action_signer,
    recover_user_action_signer,
)
from wsmgr.manager.venues.hyperliquid.simulator.exchange import words
from wsmgr.manager.venues.hyperliquid.simulator.exchange.actions import UserSigned
from wsmgr.manager.venues.hyperliquid.simulator.exchange.entry import RefusedActionError

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.actions import AnyAction
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.wires import Payload

_NEEDED = ("coincurve", "Crypto")


def signer_of(payload: Payload, action: AnyAction, *, mainnet: bool) -> str:
    """The address that signed what was posted: of the account itself, or of an agent.

    A signature of anything else than this action for this network gives another address, not an error.

    Raises:
        RefusedActionError: It is no signature, or one for the other network, or none can be verified here.
    """
    if any(find_spec(name) is None for name in _NEEDED):
        raise RefusedActionError(words.NO_TRADING_EXTRA)
    try:
        signature = Signature.parse(
            {"r": payload.signature.r, "s": payload.signature.s, "v": payload.signature.v}
        )
    except ParameterError as error:
        raise RefusedActionError(words.NO_SIGNER) from error
    if isinstance(action, UserSigned):
        if action.hyperliquid_chain != ("Mainnet" if mainnet else "Testnet"):
            raise RefusedActionError(words.NETWORK)
        kind = USER_ACTIONS[str(payload.action["type"])]
        signer = recover_user_action_signer(
            payload.action, signature, primary_type=kind.primary_type, fields=kind.fields
        )
    else:
        signer = recover_action_signer(
            payload.action,
            signature,
            nonce=payload.nonce,
            vault_address=payload.vault_address,
            expires_after=payload.expires_after,
            mainnet=mainnet,
        )
    if signer is None:
        raise RefusedActionError(words.NO_SIGNER)
    return signer
