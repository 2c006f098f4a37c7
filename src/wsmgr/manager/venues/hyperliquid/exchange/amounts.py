"""Amounts: exact numbers, the venue's text of them, and how precise a price or a size may be.

The venue hashes the text of a number, so it must be the canonical one: no exponent, no trailing zeros. A price has at
most 5 significant figures unless it is a whole number, and at most 6 - size decimals places (8 - size decimals on
spot); a size has at most the asset's size decimals. Source: the venue's pages "Tick and lot size" and "Signing".

Nothing here rounds: a number that is too precise is an error that names a number which is not. All arithmetic is done
in a context of its own, so that a caller's decimal context changes nothing.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Final

from wsmgr.manager.model.errors import ParameterError, UsageError
from wsmgr.manager.model.showing import shown

if TYPE_CHECKING:
    from wsmgr.manager.venues.hyperliquid.universe import Asset

Amount = Decimal | str | int
"""What an amount may be given as. Never a float: most decimal fractions have none that equals them."""

USDC_DECIMALS: Final = 6
HYPE_DECIMALS: Final = 8
SIGNIFICANT_FIGURES: Final = 5
MAX_MINOR_UNITS: Final = 2**63 - 1

_TEXT: Final = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][-+]?[0-9]{1,2})?", re.ASCII)
_MAGNITUDE: Final = 30
_EXACT: Final = Context(prec=400)


class PrecisionError(UsageError):
    """A number is more precise than the venue takes; nothing was signed.

    Args:
        name: What the number is, `limit_price`.
        about: The asset or the unit that sets the rule, `BTC`.
        value: The number that was given.
        rule: The rule that it breaks.
        would_do: The nearest number that keeps the rule.
    """

    def __init__(self, name: str, about: str, value: Decimal, rule: str, would_do: Decimal) -> None:
        """Say which number breaks which rule, and which would not."""
        super().__init__(
            f"{name}={plain(value)} is too precise for {about}: {rule}; {plain(would_do)} would do"
        )
        self.name = name
        self.about = about
        self.value = value
        self.rule = rule
        self.would_do = would_do


def amount(name: str, value: object) -> Decimal:
    """Return an amount exactly as it was given.

    Raises:
        ParameterError: It is a float, or not a finite number of a sensible length.
    """
    if isinstance(value, float):
        written = plain(Decimal(repr(value))) if value - value == 0 else "0.001"
        raise ParameterError(
            f'{name}={shown(value)} is a float, and floats are not exact: write "{written}" or Decimal("{written}")'
        )
    if isinstance(value, str) and _TEXT.fullmatch(value):
        return _sensible(name, Decimal(value))
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return _sensible(name, Decimal(value))
    raise ParameterError(f'{name}={shown(value)} is not an amount; write a number such as "0.001"')


def above_zero(name: str, value: Decimal) -> Decimal:
    """Return an amount that must be positive.

    Raises:
        ParameterError: It is not.
    """
    if value <= 0:
        raise ParameterError(f"{name}={plain(value)} must be above 0")
    return value


def plain(value: Decimal) -> str:
    """Return the canonical text of a number: no exponent, no trailing zeros, no negative zero."""
    return f"{value.normalize(_EXACT):f}" if value else "0"


def times(price: Decimal, size: Decimal) -> Decimal:
    """Return the product, exactly."""
    return _EXACT.multiply(price, size)


def total(values: tuple[Decimal, ...]) -> Decimal:
    """Return the sum, exactly."""
    found = Decimal(0)
    for value in values:
        found = _EXACT.add(found, value)
    return found


def price(name: str, asset: Asset, value: Decimal) -> str:
    """Return the wire form of a price of an asset.

    Raises:
        ParameterError: It is not above 0.
        PrecisionError: It has too many significant figures or decimal places.
    """
    above_zero(name, value)
    finest = max(0, min(SIGNIFICANT_FIGURES - 1 - value.adjusted(), asset.price_decimals))
    if _decimals(value) > finest:
        rule = (
            f"at most {SIGNIFICANT_FIGURES} significant figures, unless it is a whole number, and at most"
            f" {asset.price_decimals} decimal places"
        )
        raise PrecisionError(name, asset.name, value, rule, _nearest(value, finest))
    return plain(value)


def size(name: str, asset: Asset, value: Decimal) -> str:
    """Return the wire form of a size of an asset.

    Raises:
        ParameterError: It is not above 0.
        PrecisionError: It has too many decimal places.
    """
    above_zero(name, value)
    return places(name, asset.name, value, asset.size_decimals)


def places(name: str, about: str, value: Decimal, decimals: int) -> str:
    """Return the wire form of a number with at most so many decimal places.

    Raises:
        PrecisionError: It has more.
    """
    if _decimals(value) > decimals:
        rule = f"at most {decimals} decimal places" if decimals else "a whole number"
        raise PrecisionError(name, about, value, rule, _nearest(value, decimals))
    return plain(value)


def minor_units(name: str, about: str, value: Decimal, decimals: int) -> int:
    """Return an amount as a count of its smallest unit, 10 ** -decimals.

    Raises:
        PrecisionError: It is not a whole count of them.
        ParameterError: It is more than the venue can count.
    """
    places(name, about, value, decimals)
    count = int(value.scaleb(decimals, _EXACT))
    if abs(count) > MAX_MINOR_UNITS:
        raise ParameterError(f"{name}={plain(value)} is more than the venue can count")
    return count


def _sensible(name: str, value: Decimal) -> Decimal:
    if not value.is_finite():
        raise ParameterError(f'{name}={value} is not a finite number; write a number such as "0.001"')
    if value and abs(value.adjusted()) > _MAGNITUDE:
        raise ParameterError(f"{name}={shown(value)} is out of all proportion")
    if len(value.as_tuple().digits) > 2 * _MAGNITUDE:
        raise ParameterError(f"{name}={shown(value)} has too many digits")
    return value


def _decimals(value: Decimal) -> int:
    exponent = value.normalize(_EXACT).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _nearest(value: Decimal, decimals: int) -> Decimal:
    step = Decimal(1).scaleb(-decimals, _EXACT)
    rounded = value.quantize(step, context=_EXACT)
    return rounded or step.copy_sign(value)
