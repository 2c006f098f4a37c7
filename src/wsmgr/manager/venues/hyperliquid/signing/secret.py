"""A secret key that signs and never shows itself.

Every way in which Python shows an object without being asked for its secret ends here: the key has no `__dict__`, and its
one slot holds a sealed object whose repr says nothing; it is not pickled, and a copy of it is itself. A text that is no
key is gone from the frames of this module before the error is raised, so that a traceback with local variables does not
hold it either. A caller who keeps the text in a variable of his own shows it himself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NoReturn, final

from wsmgr.manager.model.errors import ConfigurationError, ParameterError
from wsmgr.manager.venues.hyperliquid.signing import primitives
from wsmgr.manager.venues.hyperliquid.signing.signature import Signature

if TYPE_CHECKING:
    from coincurve import PrivateKey

_TEXT: Final = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")
_DIGEST_BYTES: Final = 32


class _NotPickled:
    __slots__ = ()

    def __getstate__(self) -> NoReturn:  # pickle and copy ask it for the slots
        raise TypeError("a secret key is not written anywhere")


@final
class _Sealed(_NotPickled):
    """The key's bytes, and what signs with them once something was signed."""

    __slots__ = ("private_key", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.private_key: PrivateKey | None = None


@final
class SecretKey(_NotPickled):
    """A secret key of secp256k1; `SecretKey.parse` makes one."""

    __slots__ = ("_address", "_sealed")

    def __init__(self, sealed: _Sealed) -> None:
        """Hold a key that `parse` has checked."""
        self._sealed = sealed
        self._address = ""

    @classmethod
    def parse(cls, text: str) -> SecretKey:
        """Read a key.

        Args:
            text: 64 hexadecimal digits, with or without `0x` before them.

        Raises:
            ConfigurationError: It is no key. The message tells the text's length and nothing else of it.
        """
        sealed, complaint = _sealed(text)
        del text  # a traceback may show the variables of this frame
        if sealed is None:
            raise ConfigurationError(complaint)
        return cls(sealed)

    @property
    def address(self) -> str:
        """The address of the key: `0x` and 40 small hexadecimal digits.

        Raises:
            ConfigurationError: The extra `trading` is not installed.
        """
        if not self._address:
            self._address = primitives.address_of(self._private_key().public_key)
        return self._address

    def sign(self, digest: bytes) -> Signature:
        """Sign 32 bytes: the same bytes always alike (RFC 6979), with the smaller of the two possible s.

        Raises:
            ParameterError: The digest is not 32 bytes long.
            ConfigurationError: The extra `trading` is not installed.
        """
        if len(digest) != _DIGEST_BYTES:
            raise ParameterError(f"a digest has {_DIGEST_BYTES} bytes, not {len(digest)}")
        signed = self._private_key().sign_recoverable(digest, hasher=None)  # pyright: ignore[reportUnknownMemberType] - an option's
        return Signature(
            r=int.from_bytes(signed[:32], "big"), s=int.from_bytes(signed[32:64], "big"), v=27 + signed[64]
        )

    def _private_key(self) -> PrivateKey:
        if self._sealed.private_key is None:
            make = primitives.private_key_maker()  # it may raise, and a traceback shows what a call was given
            self._sealed.private_key = make(self._sealed.raw)
        return self._sealed.private_key

    def __repr__(self) -> str:
        return "SecretKey(***)"

    def __copy__(self) -> SecretKey:
        return self

    def __deepcopy__(self, memo: object, /) -> SecretKey:
        return self


def _sealed(text: object) -> tuple[_Sealed | None, str]:
    """Return the key of a text, or None and what is wrong with the text."""
    if not isinstance(text, str):
        return None, f"a secret key is a text, not {type(text).__name__}"
    found = _TEXT.fullmatch(text)
    if found is None:
        return (
            None,
            f"a secret key has 64 hexadecimal digits, 0x before them or not; this is none ({len(text)} characters)",
        )
    raw = bytes.fromhex(found[1])
    if not 0 < int.from_bytes(raw, "big") < primitives.ORDER:
        return None, "this secret key is out of range: a key is at least 1 and below the order of secp256k1"
    return _Sealed(raw), ""
