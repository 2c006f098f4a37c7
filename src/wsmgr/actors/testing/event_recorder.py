"""A listener that keeps what supervisors report, so that a test can wait for it and look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio

from .news import News

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.actors.events import Event

E = TypeVar("E")


class EventRecorder:
    """Keeps the events of supervisors: `Supervisor(..., on_event=recorder)`.

    Attributes:
        events: All of them, oldest first. `events.clear()` forgets them.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._news = News()

    def __call__(self, event: Event) -> None:
        """Keep `event`."""
        self.events.append(event)
        self._news.tell()

    def of(self, kind: type[E]) -> list[E]:
        """Return those of one class."""
        return [event for event in self.events if isinstance(event, kind)]

    async def wait_for(
        self,
        kind: type[E],
        *,
        where: Callable[[E], bool] = lambda _: True,
        count: int = 1,
        timeout: float = 10.0,
    ) -> E:
        """Return the first event of a class for which `where` holds, or the `count`-th; wait until there is one.

        Events that were kept before count too.

        Raises:
            TimeoutError: It did not come within `timeout` seconds; it says what did.
        """
        with anyio.move_on_after(timeout):
            while len(found := [event for event in self.of(kind) if where(event)]) < count:
                await self._news.wait()
            return found[count - 1]
        seen = ", ".join(type(event).__name__ for event in self.events) or "nothing"
        raise TimeoutError(
            f"{count} {kind.__name__} that fit did not come within {timeout:g} s; there was {seen}"
        )
