"""A signature: three numbers, and how they are written on the wire."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from wsmgr.manager.model.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from attrs import Attribute

_NUMBER: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")
_VERSIONS: Final = (27, 28)


def _in_range(_: Signature, attribute: Attribute[int], value: int) -> None:
    if not 0 < value < 1 << 256:
        raise ParameterError(f"a signature's {attribute.name} is at least 1 and below 2^256")


def _version(_: Signature, __: Attribute[int], value: int) -> None:
    if type(value) is not int or value not in _VERSIONS:
        raise ParameterError(f"a signature's v is 27 or 28, not {value!r:.60}")


@frozen(kw_only=True)
class Signature:
    """What proves that a key's holder wanted an action.

    Attributes:
        r: The first number, at least 1 and below 2^256.
        s: The second number, likewise.
        v: 27 or 28: which of two public keys made it.
    """

    r: int = field(validator=_in_range)
    s: int = field(validator=_in_range)
    v: int = field(validator=_version)

    def wire(self) -> dict[str, str | int]:
        """Return it as an action carries it: r and s without leading zeros, as the official Python SDK writes them."""
        return {"r": hex(self.r), "s": hex(self.s), "v": self.v}

    @classmethod
    def parse(cls, mapping: Mapping[str, Any]) -> Signature:
        """Read it as an action carries it.

        Raises:
            ParameterError: A number is missing, malformed or out of range.
        """
        numbers: list[int] = []
        for name in ("r", "s"):
            text = mapping.get(name)
            if not isinstance(text, str) or _NUMBER.fullmatch(text) is None:
                raise ParameterError(
                    f"a signature's {name} is 0x and up to 64 hexadecimal digits, not {text!r:.80}"
                )
            numbers.append(int(text, 16))
        return cls(r=numbers[0], s=numbers[1], v=mapping.get("v", 0))
