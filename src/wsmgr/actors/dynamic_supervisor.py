"""The dynamic supervisor: starts children on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .spec import check_allowed
from .supervision.dynamic import DynamicBase

if TYPE_CHECKING:
    from collections.abc import Callable

    from .events import Event
    from .ref import ActorRef
    from .spec import ChildSpec


class DynamicSupervisor(DynamicBase):
    """Starts children on request, restarts each alone, and ends all at the same time.

    It is used as a root or as a child, like `Supervisor`. Ids of specs need not be unique here; children are known by
    their reference. A child that ends and is not restarted is forgotten.

    Args:
        max_children: How many there may be, those between two restart attempts included; None for any number.
        max_restarts: Restarts allowed in `max_seconds`, over all children.
        max_seconds: The window.
        name: For people, at a root; a child is called by its spec's id.
        on_event: Called with each event of this supervisor and of those below it; it must not block.
    """

    def __init__(
        self,
        *,
        max_children: int | None = None,
        max_restarts: int = 3,
        max_seconds: float = 5.0,
        name: str | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        super().__init__(
            max_children=max_children,
            max_restarts=max_restarts,
            max_seconds=max_seconds,
            name=name,
            on_event=on_event,
        )

    async def start_child(self, spec: ChildSpec) -> ActorRef[Any]:
        """Start a child.

        Cancelled while the request waits, nothing is started; later, the child runs on.

        Returns:
            Its reference, acknowledged. If its `init` answered `Ignore()`: a reference that has ended with
            `Normal()`; nothing is kept.

        Raises:
            MaxChildrenError: There are too many.
            StartError: It could not be started.
            CallExitError: The supervisor does not run (any more), or waits for the process that asks; with `NoProc()`.
        """
        check_allowed(spec, "never")
        return await self._start(spec)
