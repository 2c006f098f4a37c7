"""A reference to one process: one incarnation of an actor or supervisor, and the only way to reach it.

A restart makes a new process with a new reference and an empty mailbox. A reference outlives its process and then
holds nothing but the exit reason; find the successor through a `Registry`, or through its supervisor.
"""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

import anyio
from anyio.lowlevel import current_token

from .errors import CallCycleError, CallExitError, CallTimeoutError, OutsideActorError
from .events import DeadLetter
from .from_thread import ThreadRef
from .messages import Down
from .process.calls import ReplyTo
from .process.context import call_chain, current_actor
from .reasons import Killed, NoProc, Normal, check_reason
from .validation import check_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.lowlevel import EventLoopToken

    from .events import Event
    from .process.base import Process
    from .reasons import ExitReason

Msg_contra = TypeVar("Msg_contra", contravariant=True)

_ids = count(1)

DEFAULT_TIMEOUT = 5.0
"""Seconds that a call waits for its answer, as in OTP."""


class Home:
    """What the processes of one tree share.

    Attributes:
        loop: The event loop in which they run, for other threads.
        dead_letters: Mail that nobody read, to all of them.
    """

    __slots__ = ("dead_letters", "loop")

    def __init__(self) -> None:
        self.loop: EventLoopToken = current_token()
        self.dead_letters = 0


class ActorRef(Generic[Msg_contra]):
    """The handle of one process. Made by supervisors; hashable, compared by identity.

    Attributes:
        id: A number that no other process of this interpreter has.
        name: The child's id, as text.
        parent: The supervisor's reference, or None for a root.
        exit_reason: Why it ended, or None while it runs.
        result: What a task returned; None for every other process.
        home: What all processes of its tree share.
        dead_letters: Messages that it did not accept: after its end, or over the bound of its mailbox.
        process: For the runtime: what runs behind the reference, or None once it has ended.
    """

    __slots__ = (
        "__weakref__",
        "_emit",
        "dead_letters",
        "exit_reason",
        "home",
        "id",
        "name",
        "parent",
        "process",
        "result",
    )

    def __init__(self, name: str, parent: ActorRef[Any] | None, emit: Callable[[Event], None]) -> None:
        self.id = next(_ids)
        self.name = name
        self.parent = parent
        self.home: Home = Home() if parent is None else parent.home
        self.exit_reason: ExitReason | None = None
        self.result: object = None
        self.dead_letters = 0
        self._emit = emit
        self.process: Process | None = None

    @property
    def path(self) -> str:
        """The names from the root down to here, joined by `/`."""
        return self.name if self.parent is None else f"{self.parent.path}/{self.name}"

    @property
    def alive(self) -> bool:
        """Whether the process has not ended yet."""
        return self.process is not None

    @property
    def late_reason(self) -> ExitReason:
        """What a monitor is told that is set up after the end, for the runtime: as in OTP, `NoProc()`."""
        return NoProc()

    @property
    def queued(self) -> int:
        """Calls and casts that wait in its mailbox."""
        return 0 if self.process is None else self.process.queued

    def cast(self, message: Msg_contra) -> bool:
        """Hand over `message` without waiting, for `handle_cast`.

        Never blocks and never raises.

        Returns:
            False when it was not accepted: the actor has ended, or its mailbox is full. That is counted in
            `dead_letters` and reported at the 1st, 2nd, 4th, 8th, ... time.
        """
        if self.process is None:
            self.count_dead_letter("exited")
            return False
        return self.process.accept_cast(message)

    async def send(self, message: Msg_contra) -> None:
        """Hand over `message` for `handle_cast`, waiting while the mailbox is full.

        For producers outside of the tree: two actors that wait for each other's mailbox wait for ever. Cancelling it
        hands over nothing. It does not yield when there is space.

        Raises:
            CallExitError: The actor has ended, or ended meanwhile.
        """
        while True:
            process = self.process
            if process is None:
                raise CallExitError(self, self.exit_reason or NoProc())
            if process.accept_send(message):
                return
            await process.wait_for_space()

    async def call(self, request: object, *, timeout: float = DEFAULT_TIMEOUT) -> Any:  # noqa: ANN401 - an answer is Any by nature
        """Ask the actor and return the answer of its `handle_call`.

        It never hangs: it ends with the answer, after `timeout`, or with the actor. When it is cancelled or times
        out the request may still be carried out, once, and the answer to it is dropped.

        Args:
            request: What `handle_call` gets.
            timeout: Seconds to wait; `math.inf` waits for as long as the actor lives.

        Raises:
            CallTimeoutError: No answer came in time.
            CallExitError: The actor ended first (`reason`), or was gone already (`NoProc()`).
            CallCycleError: The actor waits, directly or not, for this very call.
            MailboxFullError: The request was not accepted, or was pushed out.
            RejectError: What the actor raised to refuse; it lives on.
        """
        if timeout != DEFAULT_TIMEOUT:
            check_seconds("timeout", timeout, infinite=True)
        process = self.process
        if process is None:
            raise CallExitError(self, NoProc())
        chain = call_chain.get()
        if self in chain:
            way = " -> ".join(str(ref) for ref in (*chain, self))
            raise CallCycleError(self, f"{self} cannot answer a call that it waits for itself: {way}")
        reply_to = ReplyTo(chain)
        process.accept_call(request, reply_to)
        return await reply_to.outcome(self, timeout)

    def exit(self, reason: ExitReason) -> None:
        """Send an exit signal.

        `Killed()` cannot be trapped. To an actor that traps exits any other reason is an `ExitSignal` in
        `handle_info`. Else the actor ends with `reason` at its next await, without `terminate`; `Normal()` from
        others is ignored. A supervisor ignores what does not come from its own supervisor.

        Raises:
            TypeError: `reason` is no exit reason.
        """
        check_reason(reason)
        if self.process is not None:
            self.process.exit_signal(current_actor.get(), reason, kill=isinstance(reason, Killed))

    async def stop(self, reason: ExitReason | None = None, *, timeout: float = math.inf) -> ExitReason:
        """Let the actor end between two callbacks, ahead of queued mail, with `terminate`; wait for its end.

        Args:
            reason: With what it ends, by default `Normal()`. Its supervisor restarts it or not by its spec.
            timeout: Seconds to wait.

        Returns:
            With what it ended: `reason`, unless something else was faster. At once if it had ended before.

        Raises:
            CallTimeoutError: It has not ended in time; the request stands.
            CallCycleError: It waits for the caller.
        """
        check_seconds("timeout", timeout, infinite=True)
        wanted = Normal() if reason is None else reason
        check_reason(wanted)
        process = self.process
        if process is None:
            return self.exit_reason or NoProc()
        if self in call_chain.get():
            raise CallCycleError(self, f"{self} cannot wait for its own end; return Stop() from the callback")
        monitor = self.monitor()
        process.request_stop(wanted)
        with anyio.move_on_after(timeout), monitor:
            return await monitor.wait()
        raise CallTimeoutError(self, timeout)

    def monitor(self) -> Monitor:
        """Return a monitor whose `wait` returns the exit reason; from any task of the loop.

        A process that has ended already is `NoProc()` to it, as in OTP. Inside of an actor `self.monitor(ref)` is the
        one that delivers `Down`.
        """
        return Monitor(self, None)

    @property
    def from_thread(self) -> ThreadRef[Msg_contra]:
        """The same actor for other threads: its `cast` and `call` block the thread that calls them."""
        return ThreadRef(self)

    def link(self) -> None:
        """Link the actor that runs this code with this process: when one crashes the other is told.

        Raises:
            OutsideActorError: No actor runs this code.
        """
        _actor_process("link").link(self)

    def unlink(self) -> None:
        """Undo `link`.

        Raises:
            OutsideActorError: No actor runs this code.
        """
        _actor_process("unlink").unlink(self)

    def count_dead_letter(self, why: str, number: int = 1, *, silently: bool = False) -> None:
        """Count mail that nobody will read; unless `silently`, report it when the count passes a power of two."""
        before = self.dead_letters
        self.dead_letters += number
        self.home.dead_letters += number
        if not silently and self.dead_letters.bit_length() > before.bit_length():
            self._emit(DeadLetter(ref=self, count=self.dead_letters, why=why))

    def __repr__(self) -> str:
        return f"<{self.path}#{self.id}>"


class Monitor:
    """Watches one process, from one side only, and says once why it ended.

    It can be used as a context manager that cancels it.

    Attributes:
        ref: The process that is watched.
        reason: Why it ended, or None while it runs.
    """

    __slots__ = ("_event", "_watcher", "cancelled", "reason", "ref")

    def __init__(self, ref: ActorRef[Any], watcher: Process | None) -> None:
        self.ref = ref
        self.reason: ExitReason | None = None
        self.cancelled = False
        self._event: anyio.Event | None = None
        self._watcher = watcher
        if watcher is not None:
            watcher.watching.add(self)
        if ref.process is None:
            self.fire(ref.late_reason)
        else:
            ref.process.monitors[self] = None

    @property
    def result(self) -> object:
        """What the process returned, if it is a task that ended with `Normal()`; else None."""
        return self.ref.result

    async def wait(self) -> ExitReason:
        """Wait for the end of the process and return its reason. Cancelling leaves the monitor as it is."""
        while self.reason is None:
            if self._event is None:
                self._event = anyio.Event()
            await self._event.wait()
        return self.reason

    def cancel(self) -> None:
        """Stop watching; a `Down` that is queued already is not delivered either. Idempotent."""
        self.cancelled = True
        if self.ref.process is not None:
            self.ref.process.monitors.pop(self, None)
        if self._watcher is not None:
            self._watcher.watching.discard(self)
            self._watcher = None

    def fire(self, reason: ExitReason) -> None:
        """Tell of the end; for the runtime."""
        self.reason = reason
        if self._event is not None:
            self._event.set()
        if self._watcher is not None:
            self._watcher.watching.discard(self)
            self._watcher.accept_info(Down(self.ref, reason, self))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()


def _actor_process(what: str) -> Process:
    ref = current_actor.get()
    process = None if ref is None else ref.process
    if process is None:
        raise OutsideActorError(f"{what}() links the actor that calls it; here no actor runs")
    return process
