"""The cryptographic primitives under a signature: keccak-256 and secp256k1.

This module alone touches coincurve and pycryptodome, and only when something is signed or verified.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from wsmgr.manager.model.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from coincurve import PrivateKey, PublicKey

ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
"""The order of the group (SEC 2, section 2.4.1): a private key is at least 1 and below it."""


class _Libraries(NamedTuple):
    private_key: type[PrivateKey]
    public_key: type[PublicKey]
    new_keccak: Callable[..., Any]


def keccak256(data: bytes) -> bytes:
    """Return the 32 bytes of the hash that Ethereum uses (not the SHA-3 of the standard).

    Raises:
        ConfigurationError: The extra `trading` is not installed.
    """
    digest: bytes = _libraries().new_keccak(data=data, digest_bits=256).digest()
    return digest


def private_key_maker() -> type[PrivateKey]:
    """Return what makes a private key of its 32 bytes, a number in range; whoever has it needs no more to be installed.

    Raises:
        ConfigurationError: The extra `trading` is not installed.
    """
    return _libraries().private_key


def address_of(public_key: PublicKey) -> str:
    """Return the address of a public key: `0x` and 40 small hexadecimal digits."""
    return "0x" + keccak256(public_key.format(compressed=False)[1:])[-20:].hex()


def recovered_address(digest: bytes, signature: bytes) -> str | None:
    """Return the address whose key made a signature, or None where no key can have made it.

    Args:
        digest: The 32 bytes that were signed.
        signature: 65 bytes: r, s and the number of the point (0 to 3).

    Raises:
        ConfigurationError: The extra `trading` is not installed.
    """
    public_key = _libraries().public_key
    try:
        found = public_key.from_signature_and_message(signature, digest, hasher=None)
    except ValueError:  # no point of the curve belongs to these numbers
        return None
    return address_of(found)


@cache
def _libraries() -> _Libraries:
    try:
        from coincurve import PrivateKey, PublicKey  # noqa: PLC0415 - the extra `trading`; 14 MB
        from Crypto.Hash import keccak  # noqa: PLC0415 - the extra `trading`
    except ImportError as error:
        raise ConfigurationError("signing needs more: pip install 'wsmgr[trading]'") from error
    return _Libraries(PrivateKey, PublicKey, keccak.new)
