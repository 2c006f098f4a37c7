"""Starting and ending child processes, from the one task that hosts them.

Starting is `start_soon` and an acknowledgement of our own, never `TaskGroup.start`: around a shield that one
deadlocks on both backends. Ending is OTP's protocol: a shutdown, a deadline, a kill; then the wait has no limit, and
what does not end is reported as a zombie, because structured concurrency cannot abandon a task.

While the host waits (for an acknowledgement, for an end) everything else queues, as in OTP. A stop of the supervisor
ends the wait for an acknowledgement. A request by a process that the host waits for could never be carried out: it is
refused at once instead.
"""

from __future__ import annotations

import heapq
import math
import traceback
from abc import ABC, abstractmethod
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Any

import anyio
from anyio.lowlevel import checkpoint

from wsmgr.actors.actor import Actor
from wsmgr.actors.errors import CallExitError, NotAnActorError, StartTimeoutError
from wsmgr.actors.events import Exited, GaveUp, Restarting, ShutdownError, StartFailed, Zombie
from wsmgr.actors.process.runner import ActorProcess
from wsmgr.actors.process.stacks import stack_of
from wsmgr.actors.reasons import Crash, ExitReason, Killed, NoProc, Shutdown, fatal_error

from .child import Child, ChildInfo, ChildStatus
from .report import Reporter
from .requests import Request, RequestQueue, comes_from
from .restart import ended_as_told

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from wsmgr.actors.events import Event
    from wsmgr.actors.process.base import Owner, Process
    from wsmgr.actors.ref import ActorRef
    from wsmgr.actors.spec import ChildSpec

    from .supervisor_process import SupervisorProcess

TELL_AT_ONCE = 128
"""Children that are told to end before some may do so. On trio each that was told and has not ended holds a traceback, and
thousands of them cost a full collection of garbage."""

KILL_GRACE = 5.0
"""Seconds that a killed child may take before it is reported as a zombie."""


class Nursery(ABC):
    """The part of a supervisor that starts and ends processes; the decisions are above it."""

    def __init__(self, name: str, on_event: Callable[[Event], None] | None) -> None:
        self.name = name
        self.report = Reporter(on_event)
        self._process: SupervisorProcess | None = None
        self._tasks: anyio.abc.TaskGroup | None = None
        self._waker: anyio.Event | None = None
        self._order = count()
        self._by_ref: dict[ActorRef[Any], Child] = {}
        self._exits: deque[Process] = deque()
        self._requests = RequestQueue()
        self._in_hand: Request | None = None
        self._starting: Process | None = None
        self._ending: dict[Process, Child] = {}
        self._kills: dict[Process, float] = {}
        self._deadlines: list[tuple[float, int, Process]] = []
        self._stop_reason: ExitReason | None = None
        self._killed = False

    @property
    @abstractmethod
    def ref(self) -> ActorRef[Any]:
        """The reference to the supervisor's process."""

    @abstractmethod
    def adopt(
        self, owner: Owner, parent: Nursery | None, child_id: object, restarts: int
    ) -> SupervisorProcess:
        """Make the process of this supervisor, below `parent`; for the runtime."""

    @abstractmethod
    def tree(self) -> ChildInfo:
        """Return everything from here down as it is now."""

    @abstractmethod
    def _known_as(self, child: Child, before: ActorRef[Any] | None) -> None:
        """Note that others know `child` by another reference now than by `before`."""

    # -- for processes (Owner) -------------------------------------------------------------------------------------

    def spawn(self, fn: Callable[..., Coroutine[Any, Any, None]], *args: object, name: str) -> None:
        """Run `fn(*args)` in the children's task group."""
        assert self._tasks is not None  # noqa: S101 - processes run while it hosts
        self._tasks.start_soon(fn, *args, name=name)

    def child_started(self, process: Process) -> None:  # noqa: ARG002 - the interface; the host looks for itself
        """Let the host look."""
        self._wake()

    def child_ended(self, process: Process) -> None:
        """Note the end and let the host look."""
        self._ending.pop(process, None)
        self._exits.append(process)
        self._wake()

    def emit(self, event: Event) -> None:
        """Report `event` to the log and the listeners."""
        child = None if isinstance(event, (Restarting, GaveUp, StartFailed)) else self._by_ref.get(event.ref)
        wished = isinstance(event, Exited) and isinstance(event.reason, Killed) and self._kills_at_once(child)
        self._announce(event, None if child is None else child.spec, wished=wished)

    def _kills_at_once(self, child: Child | None) -> bool:
        return self._killed or (
            child is not None
            and child.status is ChildStatus.STOPPING
            and child.spec.shutdown == "brutal_kill"
        )

    def _announce(self, event: Event, spec: ChildSpec | None, *, wished: bool = False) -> None:
        try:
            self.report(event, spec, wished=wished)
        except BaseException as error:  # noqa: BLE001 - the crash boundary: listeners, filters and handlers are others' code
            # Whatever is going on here goes on: nobody's end may depend on who is told of it.
            fatal = fatal_error(error)
            if fatal is not None:
                self.fatal(fatal)
            else:
                traceback.print_exception(error)

    @abstractmethod
    def fatal(self, error: BaseException) -> None:
        """Pass on what ends the program."""

    # -- starting and ending ---------------------------------------------------------------------------------------

    async def _launch(self, child: Child) -> ExitReason | None:
        """Start `child` and wait for its acknowledgement; return why it does not run, or None.

        None with `child.ignored` means that there was nothing to run.
        """
        if self._stop_reason is not None:
            return self._stop_reason
        made = self._make(child)
        if isinstance(made, Crash):
            child.stopped(made)
            failed = StartFailed(supervisor=self.ref, child_id=child.spec.id, reason=made)
            self._announce(failed, child.spec)
            return made
        failure = await self._acknowledged(child, made)
        child.ignored = made.ignored
        if made.acknowledged and not made.ignored and failure is None:
            child.status = ChildStatus.RUNNING
            self._name(child, made.ref)
            return None
        await self._end([child])
        if made.ignored:
            self._name(child, made.ref)
            return None
        child.reason = failure or child.reason
        return child.reason

    async def _acknowledged(self, child: Child, made: Process) -> ExitReason | None:
        """Wait until `made` has started or ended; return why we did not let it go on, or None."""
        deadline = anyio.current_time() + child.spec.start_timeout
        self._starting = made
        self._refuse_blocked()
        self.spawn(made.run, name=f"{made.ref.path}#{made.ref.id}")
        try:
            while not made.acknowledged and made.reason is None:
                if self._stop_reason is not None:
                    return self._stop_reason
                if anyio.current_time() >= deadline:
                    made.kill()
                    return self._too_slow(child)
                await self._pause(deadline)
        finally:
            self._starting = None
        return None

    async def _end(self, children: Sequence[Child]) -> None:
        """End these children at the same time, each within its own budget; they are `STOPPED` afterwards."""
        # A child that an earlier, interrupted `_end` has told already keeps its deadline.
        for number, child in enumerate(children, 1):
            process = child.process
            if process is not None and process.reason is None and process not in self._ending:
                self._ending[process] = child
                child.status = ChildStatus.STOPPING
                self._tell(child, process)
            if number % TELL_AT_ONCE == 0:
                await checkpoint()
        await self._forget_what_never_ran()
        self._refuse_blocked()
        while self._ending:
            if self._killed:
                for process in list(self._ending):
                    self._kill(process)
            await self._pause(self._deadlines[0][0] if self._deadlines else math.inf)
            while self._deadlines and self._deadlines[0][0] <= anyio.current_time():
                self._overdue(heapq.heappop(self._deadlines)[2])
        self._forget_ends()
        for child in children:
            self._ended(child)

    # -- one child -------------------------------------------------------------------------------------------------

    def _make(self, child: Child) -> Process | Crash:
        spec = child.spec
        try:
            made = spec.start()
            process = self._process_for(made, child)
        except BaseException as error:  # noqa: BLE001 - the crash boundary: `start` is the user's code
            fatal = fatal_error(error)
            if fatal is not None:
                self.fatal(fatal)
            return Crash(error)
        child.process = process
        child.supervisor = made if isinstance(made, Nursery) else None
        child.status = ChildStatus.STARTING
        child.next_attempt_at = None
        child.started_at = anyio.current_time()
        self._by_ref[process.ref] = child
        if child.ref is None:
            self._name(child, process.ref)
        return process

    def _name(self, child: Child, ref: ActorRef[Any]) -> None:
        """Let others know `child` by `ref`: its first process, then each that has acknowledged its start."""
        before, child.ref = child.ref, ref
        if before is not ref:
            self._known_as(child, before)

    def _process_for(self, made: Actor[Any] | Nursery, child: Child) -> Process:
        spec = child.spec
        if isinstance(made, Nursery) and spec.type == "supervisor":
            return made.adopt(self, self, spec.id, child.restarts)
        if isinstance(made, Actor) and spec.type == "worker":
            if made.actor_process is not None:
                raise NotAnActorError(f"start of child {spec.id!r} returned an actor that was started before")
            ref = made.ref_class(str(spec.id), self.ref, self.emit)
            return ActorProcess(made, ref, self, spec.id, child.restarts)
        raise NotAnActorError(f"start of child {spec.id!r}, a {spec.type}, returned {type(made).__name__}")

    async def _forget_what_never_ran(self) -> None:
        """End the processes that have no task: a Ctrl-C came between making one and running it."""
        if all(process.begun for process in self._ending):
            return
        # Their tasks may also just not have had their turn.
        await checkpoint()
        await checkpoint()
        for process in list(self._ending):
            if not process.begun:
                process.finish(Shutdown())

    def _forget_ends(self) -> None:
        self._ending.clear()
        self._kills.clear()
        self._deadlines.clear()

    def _tell(self, child: Child, process: Process) -> None:
        shutdown = child.spec.shutdown
        if shutdown == "brutal_kill":
            self._kill(process)
            return
        process.shutdown(Shutdown())
        if not isinstance(shutdown, str):
            self._set_deadline(process, shutdown)
        if not process.acknowledged:
            # An `init` that never ends must not outlive its `start_timeout`, whatever the `shutdown`.
            self._set_deadline(process, child.started_at + child.spec.start_timeout - anyio.current_time())

    def _kill(self, process: Process) -> None:
        if process not in self._kills:
            process.kill()
            self._kills[process] = anyio.current_time() + KILL_GRACE
            self._set_deadline(process, KILL_GRACE)

    def _set_deadline(self, process: Process, seconds: float) -> None:
        heapq.heappush(self._deadlines, (anyio.current_time() + seconds, next(self._order), process))

    def _overdue(self, process: Process) -> None:
        child = self._ending.get(process)
        if child is None:
            return
        if process not in self._kills:
            self._kill(process)
        elif anyio.current_time() >= self._kills[process]:
            self.emit(Zombie(ref=process.ref, child_id=child.spec.id, stack=stack_of(process.ref)))

    def _ended(self, child: Child) -> None:
        process = child.process
        if process is not None:
            assert process.reason is not None  # noqa: S101 - it has ended
            brutally = child.spec.shutdown == "brutal_kill" or self._killed
            as_told = ended_as_told(child.spec.restart, process.reason, brutally=brutally)
            if process.acknowledged and not process.ignored and not as_told:
                self.emit(ShutdownError(ref=process.ref, child_id=child.spec.id, reason=process.reason))
            self._by_ref.pop(process.ref, None)
            child.stopped(process.reason)
        else:
            child.stopped(None)

    def _too_slow(self, child: Child) -> Crash:
        seconds = child.spec.start_timeout
        return Crash(StartTimeoutError(f"init of child {child.spec.id!r} was not done within {seconds:g} s"))

    # -- waiting ---------------------------------------------------------------------------------------------------

    async def _pause(self, deadline: float) -> None:
        self._waker = event = anyio.Event()
        if deadline == math.inf:
            await event.wait()
        else:
            # A start is acknowledged within a turn or two, as a rule: then no timer has to be armed.
            for _ in range(2):
                await checkpoint()
                if event.is_set():
                    break
            else:
                with anyio.CancelScope(deadline=deadline):
                    await event.wait()
        self._waker = None

    def _wake(self) -> None:
        if self._waker is not None:
            self._waker.set()

    # -- refusals --------------------------------------------------------------------------------------------------

    def _gone(self) -> CallExitError:
        return CallExitError(
            None if self._process is None else self._process.ref,
            NoProc(),
            f"supervisor {self.name!r} does not run" + (" any more" if self._process is not None else ""),
        )

    def _blocked(self) -> CallExitError:
        return CallExitError(
            self.ref, NoProc(), f"supervisor {self.name!r} is starting or ending the process that asks it"
        )

    def _blockers(self) -> set[ActorRef[Any]]:
        waits_for = {process.ref for process in self._ending}
        # A process that has acknowledged its start is waited for no more, though this task may not have run since.
        if self._starting is not None and not self._starting.acknowledged:
            waits_for.add(self._starting.ref)
        return waits_for

    def _refuse_blocked(self) -> None:
        blockers = self._blockers()
        if self._in_hand is not None and comes_from(blockers, self._in_hand.caller):
            self._in_hand.reply_to.fail(self._blocked())
        if self._requests:
            self._requests.refuse(blockers, self._blocked)
