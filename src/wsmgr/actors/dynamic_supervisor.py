"""The dynamic supervisor: children that come and go, known by reference, ended all at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import ChildNotFoundError, MaxChildrenError
from .spec import check_allowed
from .supervision.base import SupervisorBase, start_error
from .supervision.child import Child
from .validation import check_positive_int

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .events import Event
    from .ref import ActorRef
    from .spec import ChildSpec
    from .supervision.restart import Verdict


class DynamicSupervisor(SupervisorBase):
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
        super().__init__(max_restarts=max_restarts, max_seconds=max_seconds, name=name, on_event=on_event)
        if max_children is not None:
            check_positive_int("max_children", max_children)
        self._max_children = max_children
        self._children: dict[ActorRef[Any], Child] = {}

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
        return await self._ask(lambda: self._do_start(spec))

    async def terminate_child(self, ref: ActorRef[Any]) -> None:
        """End a child and forget it. A child between two restart attempts is known by its last reference.

        Raises:
            ChildNotFoundError: It is not, or no longer, a child of this supervisor.
            CallExitError: As for `start_child`.
        """
        await self._ask(lambda: self._do_terminate(ref))

    # -- requests, in the host task ----------------------------------------------------------------------------------

    async def _do_start(self, spec: ChildSpec) -> ActorRef[Any]:
        if self._max_children is not None and len(self._children) >= self._max_children:
            raise MaxChildrenError(spec.id, self._max_children)
        child = Child(spec)
        reason = await self._launch(child)
        if child.process is None:
            self._remove(child)
            if self._stop_reason is not None:
                raise self._gone()
        if reason is not None:
            raise start_error(spec.id, reason)
        assert child.ref is not None  # noqa: S101 - it was launched
        return child.ref

    async def _do_terminate(self, ref: ActorRef[Any]) -> None:
        child = self._children.get(ref)
        if child is None:
            raise ChildNotFoundError(ref)
        await self._end([child])
        self._remove(child)

    # -- what the base asks ------------------------------------------------------------------------------------------

    def _known(self) -> Iterable[Child]:
        return self._children.values()

    def _made(self, child: Child, before: ActorRef[Any] | None) -> None:
        if before is not None:
            self._children.pop(before, None)
        assert child.ref is not None  # noqa: S101 - it was launched
        self._children[child.ref] = child

    def _remove(self, child: Child) -> None:
        if child.ref is not None:
            self._children.pop(child.ref, None)

    async def _boot(self) -> None:
        """There are no children from the beginning."""

    async def _not_restarted(self, child: Child, verdict: Verdict) -> None:  # noqa: ARG002 - forgotten either way
        self._remove(child)

    async def _end_group(self, child: Child) -> None:
        """Every child is restarted alone."""

    async def _start_group(self, child: Child) -> Child | None:
        child.restarts += 1
        reason = await self._launch(child)
        if child.ignored:
            self._remove(child)
        return None if reason is None else child

    async def _end_all(self) -> None:
        await self._end(list(self._children.values()))
