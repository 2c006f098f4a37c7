"""Word that something came, for whoever waits at this moment."""

from __future__ import annotations

import anyio


class News:
    """An event that can happen again: `wait` returns at the next `tell`. Without a loop it can be made and told."""

    def __init__(self) -> None:
        self._told = anyio.Event()

    def tell(self) -> None:
        """Wake all who wait."""
        self._told.set()
        self._told = anyio.Event()

    async def wait(self) -> None:
        """Wait for the next `tell`."""
        await self._told.wait()
