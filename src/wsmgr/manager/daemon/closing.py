"""Closing: how the end of the daemon reaches requests that wait.

hypercorn waits for the requests in progress when it shuts down, and a stream would go on for ever. So whatever waits does so
inside `ended_by_closing`, and says goodbye in its own words after it.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import anyio


class Closing:
    """Tells everything that waits that the API is ending."""

    def __init__(self) -> None:
        """Make one that has not begun."""
        self._begun = anyio.Event()
        self._scopes: set[anyio.CancelScope] = set()

    @property
    def begun(self) -> bool:
        """Whether the API is ending."""
        return self._begun.is_set()

    def begin(self) -> None:
        """End everything that waits inside `ended_by_closing`, now and from now on."""
        self._begun.set()
        for scope in tuple(self._scopes):
            scope.cancel()

    async def wait(self) -> None:
        """Return when the API is ending."""
        await self._begun.wait()

    @contextmanager
    def ended_by_closing(self) -> Generator[None]:
        """Cancel what runs inside as soon as the API is ending; what stands after the block goes on."""
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                if self.begun:
                    scope.cancel()
                yield
            finally:
                self._scopes.discard(scope)
