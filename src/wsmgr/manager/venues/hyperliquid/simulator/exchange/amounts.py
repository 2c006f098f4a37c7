"""Amounts: prices, sizes and money as exact decimals, and as the venue writes them."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal

ZERO = Decimal(0)
MICRO = Decimal("0.000001")
WEI_DECIMALS = 8

_PLAIN = re.compile(r"\d{1,20}(\.\d{1,18})?")


def read_amount(text: str) -> Decimal | None:
    """The number in a text such as `"1891.4"`; None for anything that is not digits with at most one point."""
    return Decimal(text) if _PLAIN.fullmatch(text) else None


def amount_text(value: Decimal, *, decimals: int = 8) -> str:
    """As the venue writes it: at least one decimal, no zero at the end after it (`"1891.4"`, `"0.0"`, `"-5.0"`)."""
    rounded = value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
    if not rounded:
        return "0.0"
    text = f"{rounded:f}".rstrip("0") if "." in f"{rounded:f}" else f"{rounded:f}"
    return f"{text}0" if text.endswith(".") else text if "." in text else f"{text}.0"


def usd_text(value: Decimal) -> str:
    """An amount of USDC, to six decimals."""
    return amount_text(value, decimals=6)


def from_micro(units: int) -> Decimal:
    """USDC from the millionths that actions carry (`"usd": 5000000` is 5 USDC)."""
    return Decimal(units) * MICRO


def from_wei(units: int) -> Decimal:
    """The staking token from its smallest unit, of which 10^8 are one."""
    return Decimal(units).scaleb(-WEI_DECIMALS)
