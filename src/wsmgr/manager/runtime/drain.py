"""The drain: the last child of the tree, so the first to stop.

When the manager is left in an orderly way, what its callback consumers have not handled yet is handled before the sockets
close, within a deadline. When the tree goes down for another reason it does nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import anyio

from wsmgr.actors import Actor, ActorRef, CallError, ExitReason

if TYPE_CHECKING:
    from wsmgr.manager.runtime.context import Context


class Drain(Actor[Any]):
    """Lets callback consumers finish.

    Args:
        context: What the actors share; armed by its `draining`.
    """

    trap_exit = True
    DEADLINE: ClassVar[float] = 5.0

    def __init__(self, context: Context) -> None:
        """Bind what the drain works with."""
        self._context = context

    async def terminate(self, reason: ExitReason) -> None:
        """Stop every callback consumer after what it holds; those that take too long are left to their supervisor."""
        if not self._context.draining:
            return
        with anyio.move_on_after(self.DEADLINE):
            async with anyio.create_task_group() as group:
                for consumer in tuple(self._context.consumers):
                    group.start_soon(_stop, consumer)


async def _stop(consumer: ActorRef[Any]) -> None:
    try:
        await consumer.stop()
    except CallError:
        # It ended in another way in the meantime; its supervisor has reported how.
        return
