"""Hashing typed data as EIP-712 defines it, for the flat structures that Hyperliquid signs.

A structure's hash is keccak of its type's hash and one word of 32 bytes for each field. What is signed is keccak of
0x1901, the hash of the domain and the hash of the structure (https://eips.ethereum.org/EIPS/eip-712).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.model.subscription_type import ADDRESS
from wsmgr.manager.venues.hyperliquid.signing.primitives import keccak256

if TYPE_CHECKING:
    from collections.abc import Mapping

Fields = tuple[tuple[str, str], ...]
"""The fields of a structure in their order, each a name and a type: string, bool, uint64, uint256, address or bytes32."""

_BITS: Final = {"uint64": 64, "uint256": 256}
_WORD: Final = 32
_DOMAIN_FIELDS: Final[Fields] = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)


def typed_digest(
    name: str, chain_id: int, primary_type: str, fields: Fields, values: Mapping[str, Any]
) -> bytes:
    """Return the 32 bytes that a key signs.

    Args:
        name: The domain's name. Its version is 1 and its contract the address zero, as everywhere at this venue.
        chain_id: The domain's chain.
        primary_type: The structure's name.
        fields: Its fields.
        values: A value for each field; others are ignored.

    Raises:
        ParameterError: A value is missing or is none of its field's type.
    """
    return keccak256(b"\x19\x01" + _domain(name, chain_id) + _struct_hash(primary_type, fields, values))


@lru_cache(maxsize=16)
def _domain(name: str, chain_id: int) -> bytes:
    values = {"name": name, "version": "1", "chainId": chain_id, "verifyingContract": "0x" + "0" * 40}
    return _struct_hash("EIP712Domain", _DOMAIN_FIELDS, values)


def _struct_hash(name: str, fields: Fields, values: Mapping[str, Any]) -> bytes:
    words = [_word(name, field, kind, values.get(field)) for field, kind in fields]
    return keccak256(_type_hash(name, fields) + b"".join(words))


@lru_cache(maxsize=64)
def _type_hash(name: str, fields: Fields) -> bytes:
    return keccak256(f"{name}({','.join(f'{kind} {field}' for field, kind in fields)})".encode())


def _word(struct: str, field: str, kind: str, value: object) -> bytes:
    match kind, value:
        case "string", str() if _encodable(value):
            return keccak256(value.encode())
        case "bool", bool():
            return value.to_bytes(_WORD, "big")
        case (("uint64" | "uint256"), int()) if type(value) is int and 0 <= value < 1 << _BITS[kind]:
            return value.to_bytes(_WORD, "big")
        case "address", str() if ADDRESS.fullmatch(value):
            return bytes.fromhex(value[2:]).rjust(_WORD, b"\0")
        case "bytes32", bytes() if len(value) == _WORD:
            return value
        case _:
            raise ParameterError(f"{struct} needs {field!r}, and {value!r:.60} is no {kind}")


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True
