"""What every supervisor does: one task that decides everything about its children.

Each supervisor has a host task and a task group for its children. The host handles, one at a time, ends of children,
requests and restarts that are due; nobody else changes its state, so a request can be made from any task of the loop.
Children are started from the host, so that the first start and every restart see the same context variables.
"""

from __future__ import annotations

import heapq
import math
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio
from anyio.lowlevel import checkpoint

from wsmgr.actors.errors import ForeignCancellationError, SupervisorError
from wsmgr.actors.events import Event, GaveUp, Restarting
from wsmgr.actors.process.context import current_actor
from wsmgr.actors.reasons import (
    REACHED_MAX_RESTART_INTENSITY,
    Crash,
    ExitReason,
    NoProc,
    Shutdown,
    fatal_error,
)
from wsmgr.actors.ref import ActorRef
from wsmgr.actors.validation import check_count, check_seconds

from .child import Child, ChildCounts, ChildInfo, ChildStatus
from .intensity import RestartWindow
from .nursery import Nursery
from .requests import Request, comes_from
from .restart import Verdict, judge
from .root import Root
from .supervisor_process import SupervisorProcess

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from types import TracebackType

    from wsmgr.actors.process.base import Owner, Process

T = TypeVar("T")


class SupervisorBase(Nursery):
    """The part that all supervisors share. Use `Supervisor`, `DynamicSupervisor` or `TaskSupervisor`.

    It is used once: as a root (`async with`, or `run`), or as the child of another supervisor.
    """

    def __init__(
        self,
        *,
        max_restarts: int,
        max_seconds: float,
        name: str | None,
        on_event: Callable[[Event], None] | None,
    ) -> None:
        check_count("max_restarts", max_restarts)
        check_seconds("max_seconds", max_seconds, zero=False)
        super().__init__(name or type(self).__name__, on_event)
        self._window = RestartWindow(max_restarts, max_seconds)
        self._root: Root | None = None
        self._interrupted = False
        self._retries: list[tuple[float, int, Child]] = []
        self.gave_up: GaveUp | None = None
        """The event, once this supervisor has used up its budget."""
        self.cancelled_by: BaseException | None = None
        """The native cancellation that hit the host task, for the root to pass on."""

    # -- public: running -------------------------------------------------------------------------------------------

    @property
    def ref(self) -> ActorRef[Any]:
        """The reference to its process.

        Raises:
            SupervisorError: It was not started.
        """
        if self._process is None:
            raise SupervisorError(
                f"supervisor {self.name!r} is not running: use `async with`, run() or a ChildSpec"
            )
        return self._process.ref

    async def run(self) -> None:
        """Run as a root until it ends by itself, is stopped, or the task is cancelled.

        Cancellation is turned into an ordered shutdown: it is raised when all children are gone.

        Raises:
            StartError: A child could not be started; those before it were ended again.
            SupervisorGaveUpError: The restart budget is used up.
        """
        self._root = Root(self)
        await self._root.run()

    async def __aenter__(self) -> Self:
        """Run as a root beside the body: entered when all children have acknowledged their start.

        If the supervisor ends by itself the body is cancelled. Leaving ends all children in order.

        Raises:
            StartError: A child could not be started; those before it were ended again.
        """
        self._root = Root(self)
        await self._root.enter()
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> bool | None:
        """End all children and wait for that.

        Raises:
            SupervisorGaveUpError: The restart budget was used up.
        """
        assert self._root is not None  # noqa: S101 - `__aenter__` came first
        return await self._root.leave(error)

    # -- public: looking -------------------------------------------------------------------------------------------

    def which_children(self) -> list[ChildInfo]:
        """Return the children in start order, as they are now; asks nobody."""
        return [child.info(deep=False) for child in self._known()]

    def count_children(self) -> ChildCounts:
        """Return how many children there are; those between two attempts are not `active`."""
        children = list(self._known())
        supervisors = sum(child.spec.type == "supervisor" for child in children)
        return ChildCounts(
            specs=len(children),
            active=sum(child.process is not None for child in children),
            supervisors=supervisors,
            workers=len(children) - supervisors,
        )

    def tree(self) -> ChildInfo:
        """Return everything from here down as it is now. It asks nobody, so it answers whatever hangs."""
        return ChildInfo(
            id=self.name,
            type="supervisor",
            status=self._status(),
            ref=None if self._process is None else self._process.ref,
            children=tuple(child.info(deep=True) for child in self._known()),
        )

    def event_counts(self) -> dict[str, int]:
        """Return how many events of each class there were below it (a root: and of it): `{"Started": 3, "Exited": 1}`."""
        return dict(self.report.counts)

    @property
    def dead_letters(self) -> int:
        """How much mail nobody read so far, in the whole tree that this supervisor is in."""
        return 0 if self._process is None else self._process.ref.home.dead_letters

    # -- for processes (Owner) -------------------------------------------------------------------------------------

    def fatal(self, error: BaseException) -> None:
        """Pass on what ends the program to the root."""
        if self._process is not None:
            self._process.owner.fatal(error)

    # -- for its own process ---------------------------------------------------------------------------------------

    def adopt(
        self, owner: Owner, parent: Nursery | None, child_id: object, restarts: int
    ) -> SupervisorProcess:
        """Make the process of this supervisor, below `parent`.

        Raises:
            SupervisorError: It has one already.
        """
        if self._process is not None:
            raise SupervisorError(f"supervisor {self.name!r} was used before; make a new one for each start")
        if parent is not None:
            self.report.join(parent.report)
        ref: ActorRef[Any] = ActorRef(str(child_id), None if parent is None else parent.ref, self.emit)
        self._process = SupervisorProcess(self, ref, owner, child_id, restarts)
        return self._process

    def begin_stop(self, reason: ExitReason) -> None:
        """Begin to end with `reason`, for the runtime; requests that wait fail. The first reason counts."""
        if self._stop_reason is None:
            self._stop_reason = reason
            self._requests.fail_all(self._gone)
        self._wake()

    def begin_kill(self) -> None:
        """End without the children's good-byes, for the runtime."""
        self._killed = True
        self.begin_stop(Shutdown())

    async def host(self) -> ExitReason:
        """Be the host task: return when all children are gone, with the reason."""
        async with anyio.create_task_group() as self._tasks:
            await self._whatever_hits(self._serve)
            while any(child.process is not None for child in self._known()):
                await self._whatever_hits(self._end_all)
            self._clear()
        assert self._stop_reason is not None  # noqa: S101 - `_serve` returns no earlier
        return self._stop_reason

    # -- for the two kinds -----------------------------------------------------------------------------------------

    @abstractmethod
    def _known(self) -> Iterable[Child]:
        """Return all children in start order."""

    @abstractmethod
    def _remove(self, child: Child) -> None:
        """Forget `child`."""

    @abstractmethod
    async def _boot(self) -> None:
        """Start the children that are there from the beginning, or stop."""

    @abstractmethod
    async def _not_restarted(self, child: Child, verdict: Verdict) -> None:
        """React to a child that ended by itself and is not started again."""

    @abstractmethod
    async def _end_group(self, child: Child) -> None:
        """End the children that are restarted together with `child`."""

    @abstractmethod
    async def _start_group(self, child: Child) -> Child | None:
        """Start `child` and its group; return the one that could not be started."""

    @abstractmethod
    async def _end_all(self) -> None:
        """End all children."""

    def _clear(self) -> None:
        """Forget what was still planned; everybody is gone."""
        self._retries.clear()
        self._exits.clear()
        for child in self._known():
            child.stopped(None)

    async def _ask(self, operation: Callable[[], Awaitable[T]]) -> T:
        """Let the host carry out `operation` and return its result.

        Raises:
            CallExitError: The supervisor does not run (any more), or waits for the process that asks.
        """
        if self._process is None or self._stop_reason is not None:
            raise self._gone()
        caller = current_actor.get()
        if comes_from(self._blockers(), caller):
            raise self._blocked()
        request = Request(operation, caller)
        self._requests.append(request)
        self._wake()
        result: T = await request.reply_to.outcome(self.ref, math.inf)
        return result

    def _give_up(self, child: Child, why: str) -> None:
        reason = child.reason or NoProc()
        self.gave_up = GaveUp(supervisor=self.ref, child_id=child.spec.id, reason=reason, why=why)
        self._announce(self.gave_up, child.spec)
        self.begin_stop(Shutdown(why))

    # -- the host --------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        assert self._process is not None  # noqa: S101 - it hosts for its process
        if self._stop_reason is None:
            await self._boot()
        if self._stop_reason is None:
            self._process.acknowledge()
        while self._stop_reason is None:
            if self._exits:
                await self._child_ended(self._exits.popleft())
            elif self._requests:
                await self._carry_out(self._requests.popleft())
            elif self._retries and self._retries[0][0] <= anyio.current_time():
                await self._retry(*heapq.heappop(self._retries))
            else:
                await self._pause(self._retries[0][0] if self._retries else math.inf)

    async def _child_ended(self, process: Process) -> None:
        child = self._by_ref.pop(process.ref, None)
        if child is None:
            return
        assert process.reason is not None  # noqa: S101 - it has ended
        child.stopped(process.reason)
        verdict = judge(child.spec.restart, process.reason)
        if verdict is Verdict.RESTART:
            await self._restart(child, process)
        else:
            await self._not_restarted(child, verdict)

    async def _restart(self, child: Child, ended: Process | None) -> None:
        child.status = ChildStatus.RESTARTING
        attempt, delay = child.plan_restart(anyio.current_time(), ended)
        if child.spec.backoff is not None and child.spec.backoff.exhausted(attempt):
            self._give_up(child, "reached_max_consecutive")
        elif ended is not None and delay == 0.0:
            await self._attempt(child, attempt)
        else:
            self._schedule(child, delay, attempt)
            if delay > 0.0:
                # A group is down while a member waits. Where it does not wait the attempt itself ends the group.
                await self._end_group(child)

    def _schedule(self, child: Child, delay: float, attempt: int) -> None:
        child.next_attempt_at = anyio.current_time() + delay
        heapq.heappush(self._retries, (child.next_attempt_at, next(self._order), child))
        if delay > 0.0:
            self._announce_restart(child, delay, attempt)

    async def _retry(self, due_at: float, _order: int, child: Child) -> None:
        await checkpoint()
        if (
            self._stop_reason is None
            and child.status is ChildStatus.RESTARTING
            and child.next_attempt_at == due_at
        ):
            await self._attempt(child, max(child.failures, 1))

    async def _attempt(self, child: Child, attempt: int) -> None:
        if not self._window.admit(anyio.current_time()):
            self._give_up(child, REACHED_MAX_RESTART_INTENSITY)
            return
        self._announce_restart(child, 0.0, attempt)
        await self._end_group(child)
        failed = await self._start_group(child)
        if failed is not None and self._stop_reason is None:
            await self._restart(failed, None)

    def _announce_restart(self, child: Child, delay: float, attempt: int) -> None:
        event = Restarting(
            supervisor=self.ref,
            child_id=child.spec.id,
            reason=child.reason or NoProc(),
            delay=delay,
            attempt=attempt,
        )
        self._announce(event, child.spec)

    async def _carry_out(self, request: Request) -> None:
        if not request.reply_to.waiting:
            return
        self._in_hand = request
        try:
            request.reply_to.reply(await request.operation())
        except Exception as error:  # noqa: BLE001 - the crash boundary: it goes to whoever asked
            request.reply_to.fail(error)
        except BaseException:
            request.reply_to.fail(self._gone())
            raise
        finally:
            self._in_hand = None

    async def _whatever_hits(self, step: Callable[[], Awaitable[None]]) -> None:
        """Do a step of the host; what hits this task meanwhile begins the end of the supervisor, in order.

        That is a native cancellation, and on trio a Ctrl-C: it is raised in whatever task it finds. Another one kills
        what still takes its time.
        """
        try:
            await step()
        except anyio.get_cancelled_exc_class() as error:
            self._hit_by(error)
        except BaseException as error:
            fatal = fatal_error(error)
            if fatal is None:
                raise
            self.fatal(fatal)
            if self._interrupted:
                self.begin_kill()
            self._interrupted = True
            self.begin_stop(Shutdown(f"{type(fatal).__name__} in the supervisor"))

    def _hit_by(self, error: BaseException) -> None:
        self.cancelled_by = self.cancelled_by or error
        foreign = ForeignCancellationError(f"the task of supervisor {self.name!r} was cancelled")
        foreign.__cause__ = error
        self.begin_stop(Crash(foreign))

    def _status(self) -> ChildStatus:
        if self._process is None or self._process.reason is not None:
            return ChildStatus.STOPPED
        if self._stop_reason is not None:
            return ChildStatus.STOPPING
        return ChildStatus.RUNNING if self._process.acknowledged else ChildStatus.STARTING
