"""Numbers as the venue writes them: decimal strings, at least one decimal, no trailing zero after it."""

from __future__ import annotations

import hashlib


def decimal(value: int, decimals: int) -> str:
    """The text of `value * 10 ** -decimals`: `decimal(108246, 0)` is `"108246.0"`, `decimal(-5, 3)` is `"-0.005"`."""
    if decimals <= 0:
        return f"{value * 10**-decimals}.0"
    sign, value = ("-", -value) if value < 0 else ("", value)
    whole, part = divmod(value, 10**decimals)
    return f"{sign}{whole}.{f'{part:0{decimals}d}'.rstrip('0') or '0'}"


class Dice:
    """Numbers drawn from a text: the same text, the same numbers, on every machine and in any order of events.

    Cheaper than a seeded `random.Random` where a handful of numbers is wanted once.
    """

    __slots__ = ("_left", "digest")

    def __init__(self, text: str) -> None:
        self.digest = hashlib.blake2b(text.encode(), digest_size=32).hexdigest()
        self._left = int(self.digest, 16)

    def below(self, limit: int) -> int:
        """The next number, from 0 to `limit - 1`. The text gives 256 bits in all."""
        self._left, number = divmod(self._left, limit)
        return number

    @property
    def hash(self) -> str:
        """A transaction hash."""
        return "0x" + self.digest


def address(text: str) -> str:
    """An account's address that belongs to `text`."""
    return "0x" + hashlib.blake2b(text.encode(), digest_size=20).hexdigest()
