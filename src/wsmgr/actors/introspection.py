"""Looking into a running actor between two of its messages: OTP's `sys`.

Each function asks the process itself, through its system queue: it is served before any mail, and also by an actor
that is suspended. A callback that hangs delays it until `timeout`; `Supervisor.tree()` asks nobody and answers even
then. All raise:

- `CallTimeoutError`: no answer in time. What was asked may still be carried out.
- `CallExitError`: the process ended first, or was gone (`NoProc()`).
- `CallCycleError`: the actor asks itself.
- `NotAnActorError`: it is a supervisor (look at it with `tree()` and `which_children()`), or a task.

An actor costs nothing more while nobody watches it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from attrs import frozen

from .errors import CallCycleError, CallExitError, NotAnActorError
from .process import state
from .process.calls import ReplyTo
from .process.context import call_chain
from .process.runner import ActorProcess
from .process.system import SystemRequest
from .process.watch import Statistics, TraceEvent, Watch, log_trace
from .reasons import NoProc
from .ref import DEFAULT_TIMEOUT, ActorRef
from .task_supervisor import TaskRef

T = TypeVar("T")


@frozen(kw_only=True)
class Status:
    """What there is to say of one actor.

    Attributes:
        path: Its name, with those above it.
        id: The number of its process.
        actor: The name of its class.
        suspended: Whether it serves no mail.
        trap_exit: Whether it traps exits.
        queued: Calls and casts that wait, postponed ones included.
        news: Messages of the runtime that wait.
        capacity: How many calls and casts its mailbox holds.
        dropped: Calls and casts that its mailbox did not accept, or pushed out.
        conflated: Casts that were replaced by a newer one.
        dead_letters: Mail that nobody read.
        timers: How many are armed.
        helpers: How many helper tasks run.
        links: The processes that it is linked with.
        monitored_by: How many watch it.
        state: What its `format_status` shows.
        statistics: What was counted, if `statistics(ref, on=True)` was asked for.
    """

    path: str
    id: int
    actor: str
    suspended: bool
    trap_exit: bool
    queued: int
    news: int
    capacity: int
    dropped: int
    conflated: int
    dead_letters: int
    timers: int
    helpers: int
    links: tuple[ActorRef[Any], ...]
    monitored_by: int
    state: Mapping[str, object]
    statistics: Statistics | None


async def get_state(ref: ActorRef[Any], *, timeout: float = DEFAULT_TIMEOUT) -> dict[str, Any]:
    """Return the attributes of the actor, as they are: not redacted, and the values are the actor's own objects."""
    return await _ask(ref, lambda process: state.state_of(process.actor), timeout)


async def replace_state(
    ref: ActorRef[Any],
    change: Callable[[dict[str, Any]], Mapping[str, object]],
    *,
    timeout: float = DEFAULT_TIMEOUT,
) -> dict[str, Any]:
    """Set attributes of the actor, and return its new state.

    Args:
        ref: The actor.
        change: Called in the actor's task with its state; returns the attributes to set. `state` of a state machine
            is set by `next_state`. What it raises comes out here, and nothing has changed.
        timeout: Seconds to wait.

    Raises:
        TypeError: `change` returned no mapping.
        ValueError: It returned an attribute that the actor does not have.
    """
    return await _ask(ref, lambda process: state.replace_state(process.actor, change), timeout)


async def get_status(ref: ActorRef[Any], *, timeout: float = DEFAULT_TIMEOUT) -> Status:
    """Return what there is to say of the actor, its state redacted by `format_status`."""
    return await _ask(ref, _status, timeout)


async def suspend(ref: ActorRef[Any], *, timeout: float = DEFAULT_TIMEOUT) -> None:
    """Let the actor serve nothing but introspection, a stop, and exits that it does not trap, until `resume`.

    What comes meanwhile waits; calls time out. Suspending it again is nothing.
    """
    await _ask(ref, lambda process: process.mailbox.suspend(on=True), timeout)


async def resume(ref: ActorRef[Any], *, timeout: float = DEFAULT_TIMEOUT) -> None:
    """Undo `suspend`, however often it was called."""
    await _ask(ref, lambda process: process.mailbox.suspend(on=False), timeout)


async def trace(
    ref: ActorRef[Any],
    sink: Callable[[TraceEvent], None] | None = log_trace,
    *,
    timeout: float = DEFAULT_TIMEOUT,
) -> None:
    """Tell `sink` of each `handle_call`, `handle_cast` and `handle_info`, when it is entered and when it is left.

    Args:
        ref: The actor.
        sink: Called in the actor's task; one that raises is removed. By default classes of messages go to the log
            `wsmgr.actors.trace`, at the level INFO; a sink of your own sees the messages. None ends it.
        timeout: Seconds to wait.
    """

    def begin(process: ActorProcess) -> None:
        watch = process.dispatcher.watch or Watch(process.ref)
        watch.sink = sink
        process.dispatcher.watch_by(watch)

    await _ask(ref, begin, timeout)


async def statistics(
    ref: ActorRef[Any], *, on: bool | None = None, timeout: float = DEFAULT_TIMEOUT
) -> Statistics | None:
    """Return what was counted so far, or None when nothing is.

    Args:
        ref: The actor.
        on: True begins to count, anew if it does already; False ends it; None leaves it.
        timeout: Seconds to wait.
    """

    def look(process: ActorProcess) -> Statistics | None:
        watch = process.dispatcher.watch or Watch(process.ref)
        counted = watch.statistics()
        if on is not None:
            watch.count(on=on)
            process.dispatcher.watch_by(watch)
        return counted

    return await _ask(ref, look, timeout)


async def _ask(ref: ActorRef[Any], operation: Callable[[ActorProcess], T], timeout: float) -> T:
    process = ref.process
    if process is None:
        raise CallExitError(ref, NoProc())
    if isinstance(ref, TaskRef):
        raise NotAnActorError(
            f"{ref} is a task and serves nothing while it runs: outcome() waits for its result"
        )
    if not isinstance(process, ActorProcess):
        raise NotAnActorError(f"{ref} is a supervisor: its tree() and which_children() show it")
    if ref in call_chain.get():
        raise CallCycleError(ref, f"{ref} cannot be asked by itself, or while it waits for this code")
    reply_to = ReplyTo()
    process.accept_info(SystemRequest(operation, reply_to))
    answer: T = await reply_to.outcome(ref, timeout)
    return answer


def _status(process: ActorProcess) -> Status:
    mailbox, actor, ref = process.mailbox, process.actor, process.ref
    watch = process.dispatcher.watch
    return Status(
        path=ref.path,
        id=ref.id,
        actor=type(actor).__qualname__,
        suspended=mailbox.suspended,
        trap_exit=actor.trap_exit,
        queued=process.queued,
        news=len(mailbox.system),
        capacity=mailbox.policy.capacity,
        dropped=mailbox.dropped,
        conflated=mailbox.conflated,
        dead_letters=ref.dead_letters,
        timers=len(process.timers),
        helpers=process.helpers,
        links=tuple(process.links),
        monitored_by=len(process.monitors),
        state=actor.format_status(),
        statistics=None if watch is None else watch.statistics(),
    )
