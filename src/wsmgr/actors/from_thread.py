"""An actor as other threads reach it: methods that block the calling thread.

Nothing of an actor may be touched from another thread, so what a thread wants crosses into the event loop as a
callback, and the thread waits for it. Four things can go wrong on the way that cannot in a task of the loop:

1. The loop is busy and does not take the request. The thread gives up at its deadline all the same, on its own clock.
   A request has one claim: either the loop begins it or the thread withdraws it, never both. What was withdrawn is
   not carried out later, so whoever is told that may safely try again.
2. The loop is over, or ends meanwhile. asyncio says so to those who come later, and drops without a word what was
   handed over before; so a thread that waits looks again from time to time.
3. The thread is interrupted (Ctrl-C in the main thread). It withdraws, or abandons, what it asked for.
4. The thread is the loop's own. It would wait for itself, and is refused.

`anyio.from_thread` was not used: its waits have no deadline, and on asyncio no end when the loop goes away between.
"""

from __future__ import annotations

import math
from concurrent.futures import Future
from threading import RLock
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

import anyio
from anyio import RunFinishedError

from .errors import CallExitError, CallTimeoutError, LoopThreadError, LoopTimeoutError, NotAnActorError
from .reasons import NoProc, fatal_error
from .validation import check_seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.lowlevel import EventLoopToken

    from .ref import ActorRef

Msg_contra = TypeVar("Msg_contra", contravariant=True)
T = TypeVar("T")

LOOK_EVERY = 0.1
"""Seconds after which a thread that waits looks whether the loop is still there."""

_after_the_loop = RLock()
"""Held by the thread that counts a message for a loop that is over: the loop's own thread does not any more."""


class ThreadRef(Generic[Msg_contra]):
    """An actor for other threads: `ref.from_thread`. Any thread may use it, and several may at the same time.

    Messages of one thread arrive in its order. Context variables go along, so a thread that an actor waits for (in
    `anyio.to_thread.run_sync`) is told at once when it calls that actor.
    """

    __slots__ = ("_ref",)

    def __init__(self, ref: ActorRef[Msg_contra]) -> None:
        self._ref = ref

    def cast(self, message: Msg_contra, *, timeout: float = 5.0) -> bool:
        """Hand over `message` for `handle_cast`, and wait until the loop has taken it.

        Args:
            message: What `handle_cast` gets.
            timeout: Seconds that the loop has to take it.

        Returns:
            False when it was not accepted and will not be: the actor has ended, its mailbox is full, the loop did
            not take it in time, or is over. It is counted in the reference's `dead_letters`, and reported in the
            loop; of a loop that is over, in this thread.

        Raises:
            LoopThreadError: This is the thread of the loop; use `cast` of the reference itself.
        """
        ref = self._ref
        crossing = _Cast(ref, message)
        try:
            return crossing.result(timeout)
        except LoopTimeoutError:
            return False
        except _LoopOverError:
            with _after_the_loop:
                ref.count_dead_letter("exited")
            return False

    def call(self, request: object, *, timeout: float = 5.0) -> Any:  # noqa: ANN401 - an answer is Any by nature
        """Ask the actor and return the answer of its `handle_call`, as `ActorRef.call` does.

        The thread is blocked for `timeout` seconds and not longer, whatever the loop does. When the thread is
        interrupted, a request that the loop has begun may still be carried out.

        Args:
            request: What `handle_call` gets.
            timeout: Seconds to wait; `math.inf` waits for as long as the actor lives.

        Raises:
            LoopTimeoutError: The loop did not take the request in time. It will not be carried out.
            CallTimeoutError: No answer came in time. The request may still be carried out.
            CallExitError: The actor ended first (`reason`), was gone already, or the loop is over (`NoProc()`).
            CallCycleError: The actor waits, directly or not, for this very call.
            MailboxFullError: The request was not accepted, or was pushed out.
            RejectError: What the actor raised to refuse; it lives on.
            LoopThreadError: This is the thread of the loop; use `await ref.call(...)`.
        """
        try:
            return _Call(self._ref, request).result(timeout)
        except _LoopOverError:
            raise CallExitError(self._ref, NoProc()) from None

    def __repr__(self) -> str:
        return f"<{self._ref.path}#{self._ref.id} from a thread>"


class _LoopOverError(Exception):
    """The loop has ended."""


# -- one request -------------------------------------------------------------------------------------------------------


class _Crossing(Generic[T]):
    """One request on its way into the loop, and its result on the way back.

    The future is the claim: the loop makes it *running*, or the thread makes it *cancelled*, whichever comes first.
    """

    def __init__(self, ref: ActorRef[Any]) -> None:
        self._ref = ref
        self._loop = ref.home.loop
        self._future: Future[T] = Future()

    def result(self, timeout: float) -> T:
        """Cross, wait and return the result; in the thread.

        Raises:
            LoopTimeoutError: The loop has not begun it in time, and never will.
            CallTimeoutError: It was begun, and has no result in time.
            _LoopOverError: The loop is over.
        """
        check_seconds("timeout", timeout, infinite=True)
        if _runs_here(self._loop):
            raise LoopThreadError(
                f"{self._ref} lives in the loop of this thread, which cannot wait for itself; use the reference "
                "itself instead of its from_thread"
            )
        try:
            self._wait(timeout)
        except BaseException:
            if not self._future.cancel():
                _post(self._loop, self.abandon)
            raise
        return self._future.result()

    def _wait(self, timeout: float) -> None:
        deadline = monotonic() + timeout
        if not _post(self._loop, self._arrive):
            raise _LoopOverError
        while not self._done_within(deadline - monotonic()):
            # In this order: a loop that is over adds nothing any more.
            if _is_over(self._loop) and not self._future.done():
                raise _LoopOverError
            if monotonic() >= deadline:
                if self._future.cancel():
                    raise LoopTimeoutError(self._ref, timeout)
                if not self._future.done():
                    deadline = self.wait_until(timeout)

    def _done_within(self, seconds: float) -> bool:
        try:
            # Unlike `result` it does not raise what the actor raised, which may be a TimeoutError, too.
            self._future.exception(min(max(seconds, 0.0), LOOK_EVERY))
        except TimeoutError:
            return False
        return True

    def _arrive(self) -> None:
        if not self._future.set_running_or_notify_cancel():
            self.withdrawn()
            return
        try:
            self.begin()
        except Exception as error:  # noqa: BLE001 - the crash boundary: it goes to the thread
            self._future.set_exception(error)

    # -- what is asked ---------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Do it, in the loop."""
        raise NotImplementedError

    def withdrawn(self) -> None:
        """Take note, in the loop, that the thread gave up before it was begun."""

    def wait_until(self, timeout: float) -> float:
        """Return until when the thread waits on for what was begun but not done in time, or raise."""
        raise NotImplementedError

    def abandon(self) -> None:
        """Stop, in the loop, what was begun."""


class _Cast(_Crossing[bool]):
    """A cast: once it is begun it is as good as done."""

    def __init__(self, ref: ActorRef[Any], message: object) -> None:
        super().__init__(ref)
        self._message = message

    def begin(self) -> None:
        self._future.set_result(self._ref.cast(self._message))

    def withdrawn(self) -> None:
        self._ref.count_dead_letter("late")

    def wait_until(self, timeout: float) -> float:  # noqa: ARG002 - the answer must be true, not in time
        return math.inf


class _Call(_Crossing[Any]):
    """A call: a task beside the actor waits for the answer, until there is one or the thread does not wait any more.

    The thread alone keeps the time.
    """

    def __init__(self, ref: ActorRef[Any], request: object) -> None:
        super().__init__(ref)
        self._request = request
        self._scope: anyio.CancelScope | None = None

    def begin(self) -> None:
        ref = self._ref
        process = ref.process
        if process is None:
            raise CallExitError(ref, NoProc())
        if ref.parent is None:
            raise NotAnActorError(
                f"{ref} is a supervisor and takes no mail ({type(self._request).__name__}); use its methods"
            )
        self._scope = anyio.CancelScope()
        process.owner.spawn(self._ask, self._scope, process.owner.fatal, name=f"call from a thread to {ref}")

    def wait_until(self, timeout: float) -> NoReturn:
        raise CallTimeoutError(self._ref, timeout)

    def abandon(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    async def _ask(self, scope: anyio.CancelScope, fatal: Callable[[BaseException], None]) -> None:
        ref = self._ref
        try:
            with scope:
                self._future.set_result(await ref.call(self._request, timeout=math.inf))
        except Exception as error:  # noqa: BLE001 - the crash boundary: it goes to the thread
            self._future.set_exception(error)
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001 - a cancellation must not reach the supervisor's task group
            why = f"the call from a thread to {ref} was cancelled, and nobody here had asked for that"
            self._future.set_exception(CallExitError(ref, ref.exit_reason or NoProc(), why))
            ends_program = fatal_error(error)
            if ends_program is not None:
                fatal(ends_program)


# -- the loop ----------------------------------------------------------------------------------------------------------


def _post(loop: EventLoopToken, fn: Callable[[], None]) -> bool:
    """Let `loop` call `fn` soon, in a copy of this thread's context; return False when it is over."""
    try:
        loop.backend_class.run_sync_soon(fn, (), loop.native_token)
    except RunFinishedError:
        return False
    return True


def _is_over(loop: EventLoopToken) -> bool:
    """Return whether `loop` has ended, for a thread that waits for what it posted."""
    is_closed = getattr(loop.native_token, "is_closed", None)
    if is_closed is not None:
        # asyncio. To post something would do, too, but pile up where a loop is stopped and not closed.
        return bool(is_closed())
    return not _post(loop, _nothing)


def _runs_here(loop: EventLoopToken) -> bool:
    """Return whether this is the thread of `loop`: in a task, or in a callback."""
    try:
        return loop.backend_class.current_token() is loop.native_token
    except RuntimeError:
        return False


def _nothing() -> None:
    """Do nothing."""
