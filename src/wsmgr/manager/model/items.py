"""An item: one of the things that a data frame tells, such as a trade, as far as merging and healing look at it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeAlias

import msgspec


class Item(msgspec.Struct, frozen=True, gc=False):
    """One item of a data frame.

    Attributes:
        key: What tells it from every other item of its stream, on whichever socket it comes.
        time: The venue's time for it in unix seconds, or None.
        raw: Its JSON text as it came.
    """

    key: Hashable
    time: float | None
    raw: bytes


ReadItems: TypeAlias = Callable[[bytes], list[Item]]
"""Returns the items of a frame; raises for one that cannot be read."""
WithItems: TypeAlias = Callable[[bytes, Sequence[Item]], bytes]
"""Returns a frame in the venue's format that is another one with only these items."""
