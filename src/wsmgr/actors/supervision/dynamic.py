"""Supervisors whose children come and go: known by reference, each restarted alone, ended all at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsmgr.actors.errors import ChildNotFoundError, MaxChildrenError, StartError
from wsmgr.actors.validation import check_positive_int

from .base import SupervisorBase
from .child import Child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wsmgr.actors.events import Event
    from wsmgr.actors.ref import ActorRef
    from wsmgr.actors.spec import ChildSpec

    from .restart import Verdict


class DynamicBase(SupervisorBase):
    """The part that dynamic and task supervisors share. Use `DynamicSupervisor` or `TaskSupervisor`."""

    def __init__(
        self,
        *,
        max_children: int | None,
        max_restarts: int,
        max_seconds: float,
        name: str | None,
        on_event: Callable[[Event], None] | None,
    ) -> None:
        super().__init__(max_restarts=max_restarts, max_seconds=max_seconds, name=name, on_event=on_event)
        if max_children is not None:
            check_positive_int("max_children", max_children)
        self._max_children = max_children
        self._children: dict[ActorRef[Any], Child] = {}

    async def terminate_child(self, ref: ActorRef[Any]) -> None:
        """End a child within its `shutdown` and forget it. One between two restart attempts is known by its last reference.

        Raises:
            ChildNotFoundError: It is not, or no longer, a child of this supervisor.
            CallExitError: The supervisor does not run (any more), or waits for the process that asks; with `NoProc()`.
        """
        await self._ask(lambda: self._do_terminate(ref))

    async def _start(self, spec: ChildSpec) -> ActorRef[Any]:
        return await self._ask(lambda: self._do_start(spec))

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
            raise StartError(spec.id, reason)
        assert child.ref is not None  # noqa: S101 - it was launched
        return child.ref

    async def _do_terminate(self, ref: ActorRef[Any]) -> None:
        child = self._children.get(ref)
        if child is None:
            raise ChildNotFoundError(ref, "children are known by reference here")
        await self._end([child])
        self._remove(child)

    # -- what the base asks ------------------------------------------------------------------------------------------

    def _known(self) -> Iterable[Child]:
        return self._children.values()

    def _known_as(self, child: Child, before: ActorRef[Any] | None) -> None:
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

    def _clear(self) -> None:
        super()._clear()
        self._children.clear()
