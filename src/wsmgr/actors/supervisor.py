"""The static supervisor: a list of children, started in order, ended in reverse, restarted by a strategy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import (
    AlreadyPresentError,
    AlreadyStartedError,
    CallExitError,
    ChildNotFoundError,
    ChildRestartingError,
    ChildRunningError,
    StartError,
)
from .messages import FailedToStart
from .reasons import NoProc, Shutdown
from .spec import check_allowed
from .supervision.base import SupervisorBase
from .supervision.child import Child, ChildStatus
from .supervision.restart import (
    AUTO_SHUTDOWNS,
    STRATEGIES,
    AutoShutdown,
    Strategy,
    Verdict,
    group_of,
    shuts_down,
)
from .validation import check_choice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .events import Event
    from .ref import ActorRef
    from .spec import ChildSpec


class Supervisor(SupervisorBase):
    """Starts its children in order, each when the one before has acknowledged, and ends them in reverse order.

    It is used as a root (`async with Supervisor(...) as s`, or `await Supervisor(...).run()`), or as a child:
    `ChildSpec("venues", lambda: Supervisor(...), type="supervisor")`. The object is the handle: its methods can be
    called from any task of the loop. It ends when its block is left, or by `await supervisor.ref.stop()`. Requests
    raise `CallExitError` with `NoProc()` when the supervisor does not run (any more), is being stopped, or is at that
    moment starting or ending the process that asks.

    Args:
        children: The specs, in start order.
        strategy: Who is restarted when a child is: `one_for_one` it alone, `one_for_all` all, `rest_for_one` it and
            those after it.
        max_restarts: Restarts allowed in `max_seconds`; one more, and it gives up and ends with
            `Shutdown("reached_max_restart_intensity")`. Group restarts count once, failed ones too.
        max_seconds: The window.
        auto_shutdown: Whether it ends when `any_significant` child ends by itself, or `all_significant` have.
        name: For people, at a root; a child is called by its spec's id.
        on_event: Called with each event of this supervisor and of those below it; it must not block.
    """

    def __init__(
        self,
        children: Iterable[ChildSpec] = (),
        *,
        strategy: Strategy = "one_for_one",
        max_restarts: int = 3,
        max_seconds: float = 5.0,
        auto_shutdown: AutoShutdown = "never",
        name: str | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        super().__init__(max_restarts=max_restarts, max_seconds=max_seconds, name=name, on_event=on_event)
        check_choice("strategy", strategy, STRATEGIES)
        check_choice("auto_shutdown", auto_shutdown, AUTO_SHUTDOWNS)
        self._strategy: Strategy = strategy
        self._auto_shutdown: AutoShutdown = auto_shutdown
        self._children: dict[object, Child] = {}
        for spec in children:
            check_allowed(spec, auto_shutdown)
            if spec.id in self._children:
                raise ValueError(f"two children are called {spec.id!r}; ids are unique under one supervisor")
            self._children[spec.id] = Child(spec, status=ChildStatus.STOPPED)

    def child(self, child_id: object) -> ActorRef[Any]:
        """Return the process of a child, as it is now; asks nobody.

        Raises:
            ChildNotFoundError: There is none with this id.
            CallExitError: It does not run, with `NoProc()`.
        """
        child = self._find(child_id)
        if child.process is None:
            raise CallExitError(
                child.ref, NoProc(), f"child {child_id!r} does not run; it is {child.status.value}"
            )
        return child.process.ref

    async def start_child(self, spec: ChildSpec) -> ActorRef[Any]:
        """Add a child after the others and start it.

        Returns:
            Its reference, acknowledged. If its `init` answered `Ignore()`: a reference that has ended with
            `Normal()`; the spec is kept, unless it is temporary.

        Raises:
            AlreadyStartedError: A child with this id runs.
            AlreadyPresentError: A child with this id is known and does not run.
            StartError: It could not be started; it is not kept.
            CallExitError: See the class.
        """
        check_allowed(spec, self._auto_shutdown)
        return await self._ask(lambda: self._do_start(spec))

    async def terminate_child(self, child_id: object) -> None:
        """End a child and keep its spec, unless it is temporary.

        One that has ended already: nothing. One between two restart attempts: no further one is made.

        Raises:
            ChildNotFoundError: There is none with this id.
            CallExitError: See the class.
        """
        await self._ask(lambda: self._do_terminate(child_id))

    async def restart_child(self, child_id: object) -> ActorRef[Any]:
        """Start a child that does not run; the same result as `start_child`.

        Raises:
            ChildNotFoundError: There is none with this id.
            ChildRunningError: It runs.
            ChildRestartingError: It is between two restart attempts.
            StartError: It could not be started; its spec is kept.
            CallExitError: See the class.
        """
        return await self._ask(lambda: self._do_restart(child_id))

    async def delete_child(self, child_id: object) -> None:
        """Forget a child that does not run.

        Raises:
            ChildNotFoundError: There is none with this id.
            ChildRunningError: It runs.
            ChildRestartingError: It is between two restart attempts.
            CallExitError: See the class.
        """
        await self._ask(lambda: self._do_delete(child_id))

    # -- requests, in the host task ----------------------------------------------------------------------------------

    async def _do_start(self, spec: ChildSpec) -> ActorRef[Any]:
        present = self._children.get(spec.id)
        if present is not None:
            if present.process is not None and present.ref is not None:
                raise AlreadyStartedError(spec.id, present.ref)
            raise AlreadyPresentError(spec.id)
        child = self._children[spec.id] = Child(spec)
        try:
            return await self._start_one(child)
        except BaseException:
            if child.process is None:
                self._remove(child)
            raise

    async def _do_terminate(self, child_id: object) -> None:
        child = self._find(child_id)
        await self._end([child])
        if child.spec.restart == "temporary":
            self._remove(child)

    async def _do_restart(self, child_id: object) -> ActorRef[Any]:
        return await self._start_one(self._idle(child_id))

    async def _do_delete(self, child_id: object) -> None:
        self._remove(self._idle(child_id))

    async def _start_one(self, child: Child) -> ActorRef[Any]:
        reason = await self._launch(child)
        if self._stop_reason is not None and child.process is None:
            raise self._gone()
        if reason is not None:
            raise StartError(child.spec.id, reason)
        if child.ignored and child.spec.restart == "temporary":
            self._remove(child)
        assert child.ref is not None  # noqa: S101 - it was launched
        return child.ref

    def _find(self, child_id: object) -> Child:
        child = self._children.get(child_id)
        if child is None:
            raise ChildNotFoundError(child_id)
        return child

    def _idle(self, child_id: object) -> Child:
        child = self._find(child_id)
        if child.status is ChildStatus.RESTARTING:
            raise ChildRestartingError(child_id)
        if child.process is not None:
            raise ChildRunningError(child_id)
        return child

    # -- what the base asks ------------------------------------------------------------------------------------------

    def _known(self) -> Iterable[Child]:
        return self._children.values()

    def _known_as(self, child: Child, before: ActorRef[Any] | None) -> None:
        """Nothing to note: children are known by id."""

    def _remove(self, child: Child) -> None:
        self._children.pop(child.spec.id, None)

    async def _boot(self) -> None:
        for child in list(self._children.values()):
            reason = await self._launch(child)
            if self._stop_reason is not None:
                return
            if reason is not None:
                self.begin_stop(Shutdown(FailedToStart(child.spec.id, reason)))
                return
            if child.ignored and child.spec.restart == "temporary":
                self._remove(child)

    async def _not_restarted(self, child: Child, verdict: Verdict) -> None:
        if verdict is Verdict.FORGET:
            self._remove(child)
        others = any(other.spec.significant and not other.ended for other in self._children.values())
        if shuts_down(self._auto_shutdown, significant=child.spec.significant, others_running=others):
            self.begin_stop(Shutdown())

    async def _end_group(self, child: Child) -> None:
        for other in reversed(self._group(child)):
            if other is not child:
                await self._end([other])
                if other.spec.restart == "temporary":
                    self._remove(other)

    async def _start_group(self, child: Child) -> Child | None:
        for member in self._group(child):
            if self._stop_reason is not None:
                return None
            member.restarts += 1
            reason = await self._launch(member)
            if reason is not None:
                return member
            if member.ignored and member.spec.restart == "temporary":
                self._remove(member)
        return None

    async def _end_all(self) -> None:
        children = [child for child in reversed(self._children.values()) if child.process is not None]
        for child in children:
            if self._killed:
                await self._end(children)
                return
            await self._end([child])

    def _group(self, child: Child) -> list[Child]:
        ids = group_of(self._strategy, list(self._children), child.spec.id)
        return [self._children[child_id] for child_id in ids]
