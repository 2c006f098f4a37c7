"""The bound that all consumers' buffers have together.

Each buffer has a bound of its own; many slow consumers together could still fill the memory. When all of them hold more than `LIMIT`, the
bound of each becomes a fair share of it, and its policy decides what happens as if it had been full; when they hold less than half of it
again, each gets its own bound back. Looked at once a second: in between, the limit can be passed by what came in that second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsmgr.manager.model.delivery import Buffer

LIMIT = 256 * 2**20
LEAST = 64 * 2**10
"""What a buffer may hold at least, however many there are."""


@define(eq=False)
class BufferPool:
    """Looks after all buffers.

    Attributes:
        limit: How many bytes of frames they may hold together.
        bytes: How many they held when it last looked.
        squeezed: Whether their bounds are shares of the limit for now.
    """

    limit: int = LIMIT
    bytes: int = field(default=0, init=False)
    squeezed: bool = field(default=False, init=False)

    def look(self, buffers: Iterable[Buffer]) -> bool:
        """Look at all buffers; returns whether they have just become too much, or have just ceased to be."""
        held = list(buffers)
        self.bytes = sum(buffer.bytes for buffer in held)
        if self.bytes > self.limit:
            share = max(LEAST, self.limit // len(held))
            for buffer in held:
                buffer.max_bytes = min(buffer.own_max_bytes, share)
            was, self.squeezed = self.squeezed, True
            return not was
        if self.squeezed and self.bytes < self.limit // 2:
            for buffer in held:
                buffer.max_bytes = buffer.own_max_bytes
            self.squeezed = False
            return True
        return False
