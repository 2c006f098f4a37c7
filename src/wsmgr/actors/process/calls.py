"""The answer to one call: a slot that is filled once and read once, or abandoned.

A caller waits for it with a deadline; the actor fills it with a value, a refusal, or (by ending) its exit reason. Who
comes second finds the slot filled and is ignored: a late reply can reach nobody, an answered call cannot fail.

Arming a timer costs more than a call that is answered at once, so the caller first lets the loop turn, at most twice, and
arms the timer only when there is no answer yet.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING, Any

import anyio
from anyio.lowlevel import checkpoint

from wsmgr.actors.errors import CallExitError, CallTimeoutError, MailboxFullError, RejectError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.actors.reasons import ExitReason
    from wsmgr.actors.ref import ActorRef


class _State(Enum):
    WAITING = "no answer yet"
    REPLIED = "answered"
    FAILED = "refused, pushed out, or the actor ended"
    ABANDONED = "the caller does not wait any more"


class Call:
    """A call on its way: what is asked, and where the answer goes."""

    __slots__ = ("reply_to", "request")

    def __init__(self, request: object, reply_to: ReplyTo) -> None:
        self.request = request
        self.reply_to = reply_to


class ReplyTo:
    """Where the answer to a call goes. Handlers get one, and may keep it and answer later (`NoReply`).

    It may be handed to another task or actor of the same loop. If the actor that was called ends first, the caller is
    told its exit reason.
    """

    __slots__ = ("_event", "_on_done", "_state", "_value", "chain")

    def __init__(self, chain: tuple[ActorRef[Any], ...] = ()) -> None:
        self.chain = chain
        self._state = _State.WAITING
        self._value: Any = None
        self._event: anyio.Event | None = None
        self._on_done: Callable[[ReplyTo], None] | None = None

    @property
    def waiting(self) -> bool:
        """Whether somebody still waits for this answer."""
        return self._state is _State.WAITING

    def reply(self, value: object = None) -> bool:
        """Give the caller its answer.

        Returns:
            False when nobody waits any more: it was answered before, timed out, or was cancelled.
        """
        return self._settle(_State.REPLIED, value)

    def reject(self, error: RejectError) -> bool:
        """Let the caller's `call` raise `error`; the same result as `reply`."""
        return self._settle(_State.FAILED, error)

    def fail(self, error: Exception) -> bool:
        """Let the caller's `call` raise `error`; for the runtime."""
        return self._settle(_State.FAILED, error)

    def fail_exit(self, ref: ActorRef[Any], reason: ExitReason) -> bool:
        """Tell the caller that the actor ended; for the runtime."""
        return self._settle(_State.FAILED, CallExitError(ref, reason))

    def fail_full(self, ref: ActorRef[Any], capacity: int) -> bool:
        """Tell the caller that its request was pushed out of the mailbox; for the runtime."""
        return self._settle(_State.FAILED, MailboxFullError(ref, capacity))

    def when_done(self, callback: Callable[[ReplyTo], None]) -> None:
        """Call `callback` once, when the answer is given or nobody waits any more; for the runtime."""
        self._on_done = callback

    async def outcome(self, ref: ActorRef[Any], timeout: float) -> Any:  # noqa: ANN401 - an answer is Any by nature
        """Wait for the answer of `ref`, at most `timeout` seconds; for the runtime.

        Raises:
            CallTimeoutError: No answer came.
            CallExitError: The actor ended.
            RejectError: The actor refused.
        """
        deadline = math.inf if timeout == math.inf else anyio.current_time() + timeout
        try:
            await checkpoint()
            if self._state is _State.WAITING:
                # On trio the actor may run after the caller in the same turn of the loop.
                await checkpoint()
            if self._state is _State.WAITING:
                await self._wait(deadline)
        finally:
            waiting = self._settle(_State.ABANDONED, None)
        if waiting:
            raise CallTimeoutError(ref, timeout)
        if self._state is _State.FAILED:
            raise self._value
        return self._value

    async def _wait(self, deadline: float) -> None:
        self._event = anyio.Event()
        if deadline == math.inf:
            await self._event.wait()
            return
        with anyio.CancelScope(deadline=deadline):
            await self._event.wait()

    def _settle(self, state: _State, value: object) -> bool:
        if self._state is not _State.WAITING:
            return False
        self._state = state
        self._value = value
        if self._event is not None:
            self._event.set()
        if self._on_done is not None:
            self._on_done(self)
            self._on_done = None
        return True
