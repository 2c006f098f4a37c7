"""Moments: when something happens, and the ids that the exchange gives out; drawn from the seed, so that runs repeat."""

from __future__ import annotations

from itertools import count

import attrs

from wsmgr.manager.venues.hyperliquid.simulator.wire_numbers import Dice, address

ZERO_HASH = "0x" + "0" * 64

_FIRST_ORDER = 91_000_000_000  # above 2^32, and below the ids of orders that the simulator makes up
_FIRST_TWAP = 77_000_000
_TID_BITS = 50


@attrs.frozen
class Moment:
    """When something happens, and in which transaction.

    Attributes:
        time: Seconds on the simulator's clock.
        ms: Unix milliseconds.
        hash: The transaction's hash.
    """

    time: float
    ms: int
    hash: str


class Ids:
    """Gives out ids; each number once."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._orders = count(_FIRST_ORDER)
        self._twaps = count(_FIRST_TWAP)
        self._trades = count()
        self._hashes = count()
        self._addresses = count()

    def order(self) -> int:
        """The id of an order."""
        return next(self._orders)

    def twap(self) -> int:
        """The id of a TWAP order."""
        return next(self._twaps)

    def trade(self) -> int:
        """The id of a trade: 50 bits, as the venue's."""
        return Dice(f"{self._seed}:tid:{next(self._trades)}").below(1 << _TID_BITS)

    def hash(self) -> str:
        """The hash of a transaction."""
        return Dice(f"{self._seed}:transaction:{next(self._hashes)}").hash

    def address(self) -> str:
        """The address of a new sub-account or vault."""
        return address(f"{self._seed}:account:{next(self._addresses)}")
