"""Where a client works: at a manager that was given, or, while it runs, at one of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from wsmgr.manager.model.errors import ManagerClosedError, UsageError
from wsmgr.manager.venues.hyperliquid.desk import Desk

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from wsmgr.manager.manager import Manager


class Place(ABC):
    """A venue of a manager.

    Args:
        venue: The venue's name; None for the only one, or `hyperliquid`.
    """

    def __init__(self, venue: str | None) -> None:
        """Name the venue."""
        self.venue = venue

    @abstractmethod
    def run(self) -> AbstractAsyncContextManager[None]:
        """Have the manager run for a block."""

    @abstractmethod
    def present(self) -> Manager | None:
        """Return the manager, or None while it does not run."""

    @abstractmethod
    async def manager(self, timeout: float) -> Manager:
        """Return the manager; waits at most so many seconds for it.

        Raises:
            ManagerClosedError: It does not run.
        """

    async def desk(self, timeout: float) -> Desk:
        """Return what the venue does beside subscriptions; waits and raises as `manager` does."""
        return desk_of(await self.manager(timeout), self.venue)


class Given(Place):
    """At a manager that is somebody else's.

    Args:
        manager: The manager.
        venue: The venue's name.
    """

    def __init__(self, manager: Manager, venue: str | None) -> None:
        """Leave the manager alone."""
        super().__init__(venue)
        self._manager = manager

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None, None]:
        """Check that it runs; it is neither started nor stopped."""
        desk_of(self._manager, self.venue)
        yield

    def present(self) -> Manager:
        """Return it."""
        return self._manager

    async def manager(self, timeout: float) -> Manager:  # noqa: ARG002 - whether it runs is not the client's to wait for
        """Return it at once."""
        return self._manager


class Own(Place):
    """At a manager of its own.

    Args:
        make: Makes a manager: a new one for each run.
        venue: The venue's name.

    Raises:
        UsageError: What the manager is to be made of is wrong.
    """

    def __init__(self, make: Callable[[], Manager], venue: str) -> None:
        """Make one that is never run: what is wrong with its options is heard now."""
        super().__init__(venue)
        make()
        self._make = make
        self._runs = False
        self._manager: Manager | None = None
        self._failure: Exception | None = None
        self._news = anyio.Event()

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[None, None]:
        """Run a new manager for a block."""
        if self._runs:
            raise UsageError("this client runs already")
        self._runs, self._failure = True, None
        try:
            async with AsyncExitStack() as stack:
                try:
                    self._manager = await stack.enter_async_context(self._make())
                except Exception as error:
                    self._failure = error
                    raise
                finally:
                    self._tell()
                try:
                    yield
                finally:
                    self._manager = None
        finally:
            self._runs = False

    def present(self) -> Manager | None:
        """Return the one that runs."""
        return self._manager

    async def manager(self, timeout: float) -> Manager:
        """Return the one that runs, waiting for it."""
        with anyio.move_on_after(timeout):
            while self._manager is None and self._failure is None:
                await self._news.wait()
        if self._manager is not None:
            return self._manager
        why = f"could not start: {self._failure}" if self._failure else f"did not run within {timeout:g} s"
        raise ManagerClosedError(
            f"the client {why}; use it inside `async with client.run()`, or beside a task of `client.run_forever()`"
        )

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()


def desk_of(manager: Manager, venue: str | None) -> Desk:
    """Return what a manager's venue does beside subscriptions.

    Raises:
        UsageError: The venue is not Hyperliquid, or its settings contradict each other.
        ManagerClosedError: The manager is not running.
    """
    found = manager.engine.venue(venue)
    if not isinstance(found.desk, Desk):
        raise UsageError(f"the venue {found.model.name} speaks {found.dialect.name}, not hyperliquid")
    return found.desk
