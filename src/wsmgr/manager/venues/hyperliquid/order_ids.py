"""Order ids: the venue's number of an order, and the id that its caller chose."""

from __future__ import annotations

import re
from typing import Final

from attrs import field, frozen

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.model.showing import shown

MAX_ORDER_ID: Final = 2**63 - 1

_CLOID: Final = re.compile(r"0x[0-9a-f]{32}", re.ASCII)
_CLOID_BITS: Final = 128


def _lowered_cloid(value: str) -> str:
    text = str(value).lower()
    if not _CLOID.fullmatch(text):
        raise ParameterError(f"{shown(value)} is not a client order id: write 0x and 32 hexadecimal digits")
    return text


@frozen
class Cloid:
    """A client order id: a number of 128 bits that the caller chooses.

    Attributes:
        raw: `0x` and 32 hexadecimal digits; kept in lower case, as the venue echoes it.
    """

    raw: str = field(converter=_lowered_cloid)

    @classmethod
    def from_int(cls, number: int) -> Cloid:
        """Return the client order id of a number.

        Raises:
            ParameterError: It is negative, or has more than 128 bits.
        """
        if not 0 <= number < 1 << _CLOID_BITS:
            raise ParameterError(
                f"{shown(number)} is not a client order id: it has at most {_CLOID_BITS} bits"
            )
        return cls(f"{number:#034x}")

    @classmethod
    def from_str(cls, raw: str) -> Cloid:
        """Return the client order id that is written so."""
        return cls(raw)

    def to_raw(self) -> str:
        """Return it as the venue takes it."""
        return self.raw

    def __str__(self) -> str:
        return self.raw
