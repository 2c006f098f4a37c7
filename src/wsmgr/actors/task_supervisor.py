"""The task supervisor: runs functions once, each in a process of its own, and hands out how they ended.

A task is a process without mail. It has a reference like any other: it can be monitored, linked, told to end, and it
ends with its supervisor. What is different follows from one fact: a task that has ended is not a process that was
lost. Whoever asks late is told how it ended and with what result, else every start would race with its result.

Tasks are never restarted. A function that shall be tried again belongs into a loop, a process that shall live on into
a `DynamicSupervisor`.
"""

from __future__ import annotations

import math
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Never, TypeVar, TypeVarTuple, cast

import anyio

from .actor import Actor
from .errors import (
    CallCycleError,
    CallExitError,
    CallTimeoutError,
    NotAnActorError,
)
from .messages import Continue, Stop
from .process.context import call_chain, current_actor
from .process.helper_tasks import name_of
from .reasons import NoProc, Normal, Shutdown, check_reason
from .ref import DEFAULT_TIMEOUT, ActorRef
from .spec import ChildSpec
from .supervision.dynamic import DynamicBase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextvars import Context

    from .events import Event
    from .reasons import ExitReason
    from .spec import ShutdownBudget

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Ts = TypeVarTuple("Ts")


class TaskRef(ActorRef[Never], Generic[T_co]):
    """The handle of one task. After the end it still says how the task ended, and has its `result`."""

    __slots__ = ("_returned",)

    def __init__(self, name: str, parent: ActorRef[Any] | None, emit: Callable[[Event], None]) -> None:
        super().__init__(name, parent, emit)
        self._returned = False

    @property
    def late_reason(self) -> ExitReason:
        """What a monitor is told that is set up after the end, for the runtime: how the task ended."""
        return self.exit_reason or NoProc()

    async def outcome(self, *, timeout: float = math.inf) -> T_co:
        """Wait for the end of the task and return what its function returned.

        Any number may wait, from any task of the loop, also after the end. Cancelling it leaves the task alone.

        Args:
            timeout: Seconds to wait; the task runs on afterwards.

        Raises:
            CallExitError: It ended otherwise: `reason` says how, and what the function raised is the cause.
            CallTimeoutError: It has not ended in time.
            CallCycleError: It waits, directly or not, for this code.
        """
        self._refuse_cycle("outcome")
        reason = await self._end(timeout)
        if self._returned:
            return cast(T_co, self.result)
        raise CallExitError(self, reason)

    async def stop(self, reason: ExitReason | None = None, *, timeout: float = math.inf) -> ExitReason:
        """Cancel the task and wait for its end. There is no deadline for its clean-up, as `terminate_child` has one.

        Args:
            reason: With what it ends, by default `Shutdown()`. `Normal()` stands for that too: only a function that
                returned ends with it.
            timeout: Seconds to wait.

        Returns:
            With what it ended: `reason`, unless something else was faster.

        Raises:
            CallTimeoutError: It has not ended in time; the request stands.
            CallCycleError: It waits, directly or not, for this code.
        """
        wanted = Shutdown() if reason is None or isinstance(reason, Normal) else reason
        check_reason(wanted)
        if self.alive:
            self._refuse_cycle("stop")
            self.exit(wanted)
        return await self._end(timeout)

    def cast(self, message: object) -> bool:  # noqa: ARG002 - it is not read
        """Refuse: a task reads no mail. It is counted in `dead_letters`, and the task runs on."""
        self.count_dead_letter("task" if self.alive else "exited")
        return False

    async def send(self, message: object) -> Never:
        """Refuse: a task reads no mail.

        Raises:
            NotAnActorError: It runs.
            CallExitError: It has ended.
        """
        if self.alive:
            raise self._no_mail(message)
        raise CallExitError(self, self.late_reason)

    async def call(self, request: object, *, timeout: float = DEFAULT_TIMEOUT) -> Never:  # noqa: ARG002 - it never waits
        """Refuse: a task answers no calls; `outcome` waits for its result.

        Raises:
            NotAnActorError: It runs.
            CallExitError: It has ended, with `NoProc()`.
        """
        if self.alive:
            raise self._no_mail(request)
        raise CallExitError(self, NoProc())

    def set_result(self, result: object) -> None:
        """Note what the function returned, and that it did; for the runtime."""
        self.result = result
        self._returned = True

    async def _end(self, timeout: float) -> ExitReason:
        with anyio.move_on_after(timeout), self.monitor() as monitor:
            return await monitor.wait()
        raise CallTimeoutError(self, timeout, f"{self} did not end within {timeout:g} s")

    def _refuse_cycle(self, what: str) -> None:
        if self in call_chain.get():
            raise CallCycleError(
                self, f"{self} cannot end before this code does, which waits for it in {what}()"
            )

    def _no_mail(self, message: object) -> NotAnActorError:
        return NotAnActorError(
            f"{self} is a task and takes no mail ({type(message).__name__}); outcome() waits for its result"
        )


class TaskSupervisor(DynamicBase):
    """Runs functions once, each as a process of its own, and ends those that still run when it ends.

    It is used as a root (`async with TaskSupervisor() as tasks`) or as a child:
    `ChildSpec("tasks", TaskSupervisor, type="supervisor")`. A task is never restarted and leaves nothing behind but
    its reference. When the supervisor ends, all tasks are cancelled at the same time, and each is killed that still
    cleans up after its own `shutdown`.

    Args:
        max_children: How many tasks may run at the same time; None for any number.
        name: For people, at a root; a child is called by its spec's id.
        on_event: Called with each event of this supervisor and its tasks; it must not block.
    """

    def __init__(
        self,
        *,
        max_children: int | None = None,
        name: str | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        # Nothing is restarted, so the budget for restarts does not matter.
        super().__init__(
            max_children=max_children, max_restarts=0, max_seconds=1.0, name=name, on_event=on_event
        )

    async def start(
        self,
        fn: Callable[[*Ts], Awaitable[T]],
        *args: *Ts,
        name: str | None = None,
        shutdown: ShutdownBudget = 5.0,
    ) -> TaskRef[T]:
        """Run `await fn(*args)` as a task.

        It ends with `Normal()` and a result when `fn` returns, with `Crash(error)` when it raises, a cancellation
        that nobody asked for included, and with `Shutdown()` or `Killed()` when it is told to. It has begun, and may
        have ended, when this returns. It sees the caller's context variables.

        Cancelled while the request waits, nothing is started; later, the task runs on.

        Args:
            fn: An async function.
            args: Its arguments.
            name: For people; by default the function's.
            shutdown: Seconds that its clean-up may take when it is told to end, then it is killed; `infinity`; or
                `brutal_kill`.

        Returns:
            Its reference. `await ref.outcome()` waits for the result.

        Raises:
            MaxChildrenError: Too many run.
            StartError: It was killed before it began.
            CallExitError: The supervisor does not run (any more), or waits for the process that asks; with `NoProc()`.
            TypeError: `fn` is not callable.
        """
        if not callable(fn):
            raise TypeError(f"fn must be an async function, and its arguments come after it, not {fn!r}")
        context = copy_context()
        spec = ChildSpec(
            name or name_of(fn),
            lambda: _Task(fn, args, context),
            restart="temporary",
            shutdown=shutdown,
            start_timeout=math.inf,
        )
        return cast(TaskRef[T], await self._start(spec))


class _Task(Actor[Never]):
    """The process of one task: it is done with its start at once, and its one callback is the function."""

    ref_class: ClassVar[type[ActorRef[Any]]] = TaskRef

    def __init__(
        self, fn: Callable[..., Awaitable[object]], args: tuple[object, ...], context: Context
    ) -> None:
        self._fn = fn
        self._args = args
        self._context = context

    async def init(self) -> Continue:
        return Continue()

    async def handle_continue(self, token: object) -> Stop:  # noqa: ARG002 - there is one thing to do
        for variable, value in self._context.items():
            # Whose code this is, and who waits for it, is the task's own and not the caller's.
            if variable is not current_actor and variable is not call_chain:
                variable.set(value)
        result = await self._fn(*self._args)
        cast(TaskRef[object], self.ref).set_result(result)
        return Stop()
