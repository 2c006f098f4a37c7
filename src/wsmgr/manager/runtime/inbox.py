"""An inbox: one place for the messages of several subscriptions."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from wsmgr.manager.model.delivery import Item

CAPACITY = 1024


class Inbox:
    """Collects what comes on several subscriptions, in the order in which it came.

    ::

        inbox = Inbox()
        await manager.subscribe("trades", coin="BTC", inbox=inbox)
        await manager.subscribe("trades", coin="ETH", inbox=inbox)
        async for message in inbox:
            print(message.key, message.data)

    When it is full, messages wait in the buffer of each subscription's consumer, whose policy decides what is lost, counts it
    and tells it with the next message. It belongs to one loop.

    Args:
        capacity: How many items it holds.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        """Start empty."""
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        self._capacity = capacity
        self._items: deque[Item] = deque()
        self._arrived = anyio.Event()

    def __len__(self) -> int:
        """Return how many items wait."""
        return len(self._items)

    def put_nowait(self, item: Item) -> None:
        """Take an item; raises anyio's `WouldBlock` when there is no room."""
        if len(self._items) >= self._capacity:
            raise anyio.WouldBlock
        self._items.append(item)
        self._arrived.set()

    async def get(self) -> Item:
        """Return the next item, waiting for it. Cancelling it loses nothing."""
        while not self._items:
            if self._arrived.is_set():
                self._arrived = anyio.Event()
            await self._arrived.wait()
        return self._items.popleft()

    def __aiter__(self) -> AsyncIterator[Item]:
        """Iterate over what comes, for ever."""
        return self

    async def __anext__(self) -> Item:
        """Return the next item."""
        return await self.get()
