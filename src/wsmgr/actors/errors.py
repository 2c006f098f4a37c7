"""What this package raises.

::

    ActorError
    ├── CallError                    a call did not bring an answer
    │   ├── CallTimeoutError         in time; the request may still be carried out (also a TimeoutError)
    │   │   └── LoopTimeoutError     from a thread: the loop did not take it in time; it will not be carried out
    │   ├── CallExitError            the process ended first; `.reason` says why
    │   │   └── CallCycleError       the answer would wait for the asker: a self-call, or a cycle of calls
    │   └── MailboxFullError         the mailbox was full and the request was not taken
    ├── RejectError                  raised by handlers: "no", to the caller, and the actor lives on
    ├── BadReturnError               a callback returned what it must not
    ├── ForeignCancellationError     a cancellation that nobody asked for ended a process
    ├── StartTimeoutError            `init` took longer than `start_timeout`
    ├── OutsideActorError            only code that runs in an actor can do that
    ├── NotAnActorError              mail for a supervisor or a task, or a start function that made no actor
    ├── LoopThreadError              from a thread: it is the loop's own, which would wait for itself
    ├── AlreadyRegisteredError       the name is taken
    ├── DeadRefError                 a name for a process that has ended
    ├── LeakError                    (testing) something was left running
    └── SupervisorError
        ├── StartError               a child could not be started; `.reason` says why
        ├── AlreadyStartedError      a child with this id runs; `.ref`
        ├── AlreadyPresentError      a child with this id is known, and does not run
        ├── ChildRunningError        that needs a child that does not run
        ├── ChildRestartingError     that needs a child that is not between two attempts
        ├── ChildNotFoundError       no such child
        ├── MaxChildrenError         a dynamic or task supervisor is full
        ├── SupervisorGaveUpError    the root's restart budget is used up
        └── SupervisorKilledError    the root was killed

All of them can be pickled, so they come through a pool of processes as they are, but for one thing: a reference means
nothing in another process, and is None there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .reasons import Crash, ExitReason, describe, error_of

if TYPE_CHECKING:
    from .ref import ActorRef


class ActorError(Exception):
    """The base of everything that this package raises."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Say how it is made again: with what it holds, not by its `__init__`, which makes the text out of other arguments."""
        state = {"args": self.args, **vars(self)}
        if "ref" in state:
            state["ref"] = None
        return type(self).__new__, (type(self),), state


class CallError(ActorError):
    """A call, or a send, did not do what it was for."""


class CallTimeoutError(CallError, TimeoutError):
    """No answer came in time. The request stays with the actor and may still be carried out, once.

    Attributes:
        ref: The actor that was asked.
        timeout: Seconds that were waited.
    """

    def __init__(self, ref: ActorRef[Any], timeout: float, message: str | None = None) -> None:
        super().__init__(
            message or f"{ref} did not answer within {timeout:g} s; the request may still be carried out"
        )
        self.ref = ref
        self.timeout = timeout


class LoopTimeoutError(CallTimeoutError):
    """The event loop did not take the request of another thread in time. It will not be carried out."""

    def __init__(self, ref: ActorRef[Any], timeout: float) -> None:
        super().__init__(
            ref,
            timeout,
            f"the event loop of {ref} did not take the request within {timeout:g} s; it will not be carried out",
        )


class LoopThreadError(ActorError, RuntimeError):
    """A method that blocks was called in the thread of the very loop that it would wait for."""


class CallExitError(CallError):
    """The process ended before it answered, or was not there. What it crashed with is the cause.

    Attributes:
        ref: The process that was asked, or None for a supervisor that never ran.
        reason: Why it ended; `NoProc()` when it was gone before the call.
    """

    def __init__(self, ref: ActorRef[Any] | None, reason: ExitReason, message: str | None = None) -> None:
        super().__init__(message or f"{ref or 'the supervisor'} did not answer: {describe(reason)}")
        self.ref = ref
        self.reason = reason
        # What the process raised explains more than where the caller was waiting.
        error = error_of(reason)
        if error is not None and error is not self:
            self.__cause__ = error


class CallCycleError(CallExitError):
    """The call could never be answered, because the one who would answer waits for this very call.

    Its `reason` is `Crash` of this error: what OTP calls `calling_self`.
    """

    def __init__(self, ref: ActorRef[Any], message: str) -> None:
        super().__init__(ref, Crash(self), message)


class MailboxFullError(CallError):
    """The mailbox of the actor was full and the request was not accepted, or was pushed out.

    Attributes:
        ref: The actor that was asked.
        capacity: How many messages its mailbox holds.
    """

    def __init__(self, ref: ActorRef[Any], capacity: int) -> None:
        super().__init__(
            f"the mailbox of {ref} is full ({capacity} messages); the request was not carried out"
        )
        self.ref = ref
        self.capacity = capacity


class RejectError(ActorError):
    """Raise it (or a subclass) in `handle_call` to refuse a request: the caller gets it, the actor lives on."""


class BadReturnError(ActorError):
    """A callback returned something else than its contract allows; the actor crashed with this."""


class ForeignCancellationError(ActorError):
    """A cancellation reached a process though nobody had asked it to end.

    Typically a library cancelled an asyncio future that the process awaited. Structured concurrency would end the
    whole group without a word; here it is the crash of that one process.
    """


class StartTimeoutError(ActorError):
    """A child's `init` was not done within its `start_timeout`; it was killed."""


class OutsideActorError(ActorError):
    """The operation needs an actor around it, and the code that asked does not run in one."""


class NotAnActorError(ActorError):
    """Where an actor is needed stands something else."""


class AlreadyRegisteredError(ActorError):
    """The name is taken.

    Attributes:
        key: The name.
        ref: Who has it.
    """

    def __init__(self, key: object, ref: ActorRef[Any]) -> None:
        super().__init__(f"the name {key!r} is taken by {ref}; unregister it first or choose another")
        self.key = key
        self.ref = ref


class DeadRefError(ActorError):
    """A process that has ended cannot be given a name."""


class LeakError(ActorError):
    """A test left something running."""


class SupervisorError(ActorError):
    """A request to a supervisor was refused, or the supervisor itself failed."""


class StartError(SupervisorError):
    """A child could not be started.

    Attributes:
        child_id: The id in its spec.
        reason: Why: `Crash` of what `start` or `init` raised, or of a `StartTimeoutError`; for a supervisor whose
            own child failed `Shutdown(FailedToStart(...))`.
    """

    def __init__(self, child_id: object, reason: ExitReason) -> None:
        super().__init__(f"child {child_id!r} could not be started: {describe(reason)}")
        self.child_id = child_id
        self.reason = reason
        error = error_of(reason)
        if error is not None:
            self.__cause__ = error


class AlreadyStartedError(SupervisorError):
    """A child with this id is running.

    Attributes:
        child_id: The id.
        ref: The running child.
    """

    def __init__(self, child_id: object, ref: ActorRef[Any]) -> None:
        super().__init__(f"child {child_id!r} is running already, as {ref}")
        self.child_id = child_id
        self.ref = ref


class AlreadyPresentError(SupervisorError):
    """A child with this id is known and does not run: restart or delete it."""

    def __init__(self, child_id: object) -> None:
        super().__init__(f"child {child_id!r} is known and not running; use restart_child or delete_child")
        self.child_id = child_id


class ChildRunningError(SupervisorError):
    """The child runs, and the request needs one that does not."""

    def __init__(self, child_id: object) -> None:
        super().__init__(f"child {child_id!r} is running; terminate it first")
        self.child_id = child_id


class ChildRestartingError(SupervisorError):
    """The child is between two restart attempts."""

    def __init__(self, child_id: object) -> None:
        super().__init__(f"child {child_id!r} is being restarted; terminate it to cancel that")
        self.child_id = child_id


class ChildNotFoundError(SupervisorError):
    """The supervisor has no such child."""

    def __init__(self, child_id: object, hint: str = "which_children() lists them") -> None:
        super().__init__(f"no child {child_id!r} here; {hint}")
        self.child_id = child_id


class MaxChildrenError(SupervisorError):
    """A dynamic or task supervisor has as many children as it may have; those being restarted count."""

    def __init__(self, child_id: object, max_children: int) -> None:
        super().__init__(
            f"child {child_id!r} was not started: there are {max_children} children, the maximum"
        )
        self.child_id = child_id
        self.max_children = max_children


class SupervisorGaveUpError(SupervisorError):
    """The root supervisor used up its restart budget and stopped everything.

    Attributes:
        child_id: The child whose end was one too many.
        reason: Why that child ended.
        why: Which limit it was: `reached_max_restart_intensity` or `reached_max_consecutive`.
    """

    def __init__(self, name: str, child_id: object, reason: ExitReason, why: str) -> None:
        super().__init__(
            f"supervisor {name!r} gave up ({why}); last was child {child_id!r}: {describe(reason)}"
        )
        self.child_id = child_id
        self.reason = reason
        self.why = why
        error = error_of(reason)
        if error is not None:
            self.__cause__ = error


class SupervisorKilledError(SupervisorError):
    """The root of a tree was killed, and its children with it, without their good-byes.

    Attributes:
        name: The root's name.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"the supervisor {name!r} was killed")
        self.name = name
