"""What is signed of an action: 32 bytes, in one of the venue's two ways.

An agent's signature is of a *phantom agent*, a structure made of the net and of the hash of the whole action: keccak of
the action's MessagePack, the nonce, the vault and the expiry. The order of the action's members is part of it. A user's
signature is of the action's own fields, which a wallet can show. The facts are those of the official Python SDK 0.24.0
(`hyperliquid.utils.signing`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.model.subscription_type import ADDRESS
from wsmgr.manager.venues.hyperliquid.signing.primitives import keccak256
from wsmgr.manager.venues.hyperliquid.signing.typed_data import typed_digest
from wsmgr.manager.venues.hyperliquid.signing.user_actions import EMPTY_WHERE_ABSENT

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.signing.typed_data import Fields

Action = Mapping[str, Any] | list[Any]
"""An action in its wire form: dicts, lists, texts, whole numbers, booleans and None."""

_AGENT_DOMAIN: Final = "Exchange"
_AGENT_CHAIN: Final = 1337
_AGENT: Final[Fields] = (("source", "string"), ("connectionId", "bytes32"))
_USER_DOMAIN: Final = "HyperliquidSignTransaction"
_CHAIN: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")

_encode: Final = msgspec.msgpack.encode


def action_digest(
    action: Action,
    *,
    nonce: int,
    vault_address: str | None = None,
    expires_after: int | None = None,
    mainnet: bool,
) -> bytes:
    """Return what an agent, or the user, signs of an action.

    Args:
        action: The action exactly as it is sent, members in the same order.
        nonce: The request's nonce, in milliseconds.
        vault_address: The vault or sub-account that it is for, as the request names it.
        expires_after: The unix time in milliseconds after which the venue refuses it, as the request names it.
        mainnet: Whether it is for the mainnet.

    Raises:
        ParameterError: Something has no form that can be signed, such as a number that is not whole.
        ConfigurationError: The extra `trading` is not installed.
    """
    hashed = action_hash(action, nonce=nonce, vault_address=vault_address, expires_after=expires_after)
    agent = {"source": "a" if mainnet else "b", "connectionId": hashed}
    return typed_digest(_AGENT_DOMAIN, _AGENT_CHAIN, "Agent", _AGENT, agent)


def action_hash(
    action: Action, *, nonce: int, vault_address: str | None = None, expires_after: int | None = None
) -> bytes:
    """Return the hash by which the venue knows an action; arguments and errors are those of `action_digest`."""
    vault = b"\0" if vault_address is None else b"\1" + _address(vault_address)
    expiry = b"" if expires_after is None else b"\0" + _milliseconds("expires_after", expires_after)
    return keccak256(_packed(action) + _milliseconds("nonce", nonce) + vault + expiry)


def user_action_digest(action: Mapping[str, Any], *, primary_type: str, fields: Fields) -> bytes:
    """Return what a user signs of an action: the fields that are named, for the chain that the action names.

    The action says itself what it is for: `hyperliquidChain` is `Mainnet` or `Testnet`, and `signatureChainId` is the
    wallet's chain in hexadecimal, which may be any.

    Raises:
        ParameterError: The action lacks a field, or a value is none of its field's type.
        ConfigurationError: The extra `trading` is not installed.
    """
    chain = action.get("signatureChainId")
    if not isinstance(chain, str) or _CHAIN.fullmatch(chain) is None:
        raise ParameterError(f"an action's signatureChainId is a hexadecimal number, not {chain!r:.60}")
    empty = {name: "" for name in EMPTY_WHERE_ABSENT if action.get(name) is None}
    return typed_digest(_USER_DOMAIN, int(chain, 16), primary_type, fields, {**action, **empty})


def _packed(action: Action) -> bytes:
    try:
        packed = _encode(action)
        _check_plain(action)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, ParameterError):
            raise
        raise ParameterError(f"the action cannot be signed: {error}") from error
    return packed


def _check_plain(value: object) -> None:
    """Refuse what MessagePack would write in another form than JSON does; texts hold the amounts."""
    match value:
        case None | str() | int():
            return
        case dict():
            for name, member in value.items():  # pyright: ignore[reportUnknownVariableType] - being checked
                if not isinstance(name, str):
                    raise ParameterError(f"the action has a member named {name!r:.60}, and a name is a text")
                _check_plain(member)  # pyright: ignore[reportUnknownArgumentType] - being checked
        case list() | tuple():
            for item in value:  # pyright: ignore[reportUnknownVariableType] - being checked
                _check_plain(item)  # pyright: ignore[reportUnknownArgumentType] - being checked
        case _:
            raise ParameterError(
                f"the action holds {value!r:.60} ({type(value).__name__}); it may hold texts, whole numbers, booleans,"
                " None, lists and dicts, and an amount is a text"
            )


def _address(value: object) -> bytes:
    if not isinstance(value, str) or ADDRESS.fullmatch(value) is None:
        raise ParameterError(f"a vault's address is 0x and 40 hexadecimal digits, not {value!r:.60}")
    return bytes.fromhex(value[2:])


def _milliseconds(name: str, value: object) -> bytes:
    if type(value) is not int or not 0 <= value < 1 << 64:
        raise ParameterError(f"{name} is a whole number of milliseconds below 2^64, not {value!r:.60}")
    return value.to_bytes(8, "big")
