"""Callback consumers: one actor for each callback, so that none delays or harms another.

A callback that raises does not end its actor: the failure is counted and logged at most once a minute, and after ten in a row
that consumer alone is parked. Sync callbacks run in a worker thread, in order.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar

from anyio import current_effective_deadline, get_cancelled_exc_class, to_thread

from wsmgr.actors import (
    Actor,
    ActorRef,
    CallExitError,
    ChildSpec,
    Continue,
    Crash,
    ExitReason,
    MailboxPolicy,
    Normal,
    Shutdown,
    Stop,
)
from wsmgr.manager.model.errors import (
    LaggedError,
    ManagerClosedError,
    SubscriptionClosedError,
    SubscriptionFailedError,
)
from wsmgr.manager.model.fact import Fact, Level

if TYPE_CHECKING:
    from wsmgr.manager.model.delivery import Item
    from wsmgr.manager.runtime.context import Context
    from wsmgr.manager.runtime.handle import Subscription

Callback = Callable[[Any], object] | Callable[[Any], Awaitable[object]]

MAX_FAILURES = 10
LOG_INTERVAL = 60.0
BATCH = 64


class CallbackCancelledError(Exception):
    """A callback awaited something that was cancelled, though nobody had ended the callback."""


class _Wake:
    """Something is in the buffer."""


_WAKE = _Wake()


class CallbackConsumer(Actor[Any]):
    """Gives what comes on a subscription to a callback.

    Args:
        context: What the actors share.
        handle: The consumer's handle; the actor takes over its buffer.
        callback: Called with each message (and event, where the handle wants them), in order.
    """

    trap_exit = True
    mailbox: ClassVar[MailboxPolicy] = MailboxPolicy(capacity=16, overflow="reject")

    def __init__(self, context: Context, handle: Subscription, callback: Callback) -> None:
        """Bind the consumer to its buffer."""
        self._context = context
        self._handle = handle
        self._callback = callback
        self._is_async = inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(
            getattr(callback, "__call__", None)  # noqa: B004 - an instance with an async __call__ is a callback too
        )
        self._failures = 0
        self._logged_at: float | None = None
        self._to_tell: Exception | None = None
        self._woken = False

    async def init(self) -> Continue:
        """Take the buffer over."""
        self._context.consumers[self.ref] = self._handle
        self._handle.buffer.wake = self._wake
        return Continue()

    async def handle_continue(self, token: object) -> Stop | None:
        """Handle what is there already."""
        return await self._consume(BATCH)

    async def handle_cast(self, message: object) -> Stop | None:
        """Handle what has come."""
        self._woken = False
        return await self._consume(BATCH)

    async def terminate(self, reason: ExitReason) -> None:
        """Handle what is left, when this is an orderly end, and give the hold back."""
        self._context.consumers.pop(self.ref, None)
        waiting = len(self._handle.buffer)
        if isinstance(reason, Normal) and waiting:
            await self._consume(waiting)
        elif isinstance(reason, Crash):
            self._context.note(self._fact("consumer_failed", "error", reason.error))
        self._handle.release()

    def _wake(self) -> None:
        if not self._woken:
            self._woken = self.ref.cast(_WAKE)

    async def _consume(self, most: int) -> Stop | None:
        buffer = self._handle.buffer
        items: list[Item] = []
        while len(items) < most and (item := buffer.take()) is not None:
            items.append(item)
        if self._is_async:
            failed = await self._call_each(items)
        elif items:
            # A callback that does not return keeps its thread; whoever ends this consumer does not wait for it.
            failed = await to_thread.run_sync(
                self._call_all, items, limiter=self._context.threads, abandon_on_cancel=True
            )
        else:
            failed = None
        if self._to_tell is not None:
            self._context.note(self._fact("callback_failed", "warning", self._to_tell))
            self._to_tell = None
        if failed is not None:
            return self._park(failed)
        if len(buffer):
            self._wake()
        elif buffer.failed or buffer.closed is not None:
            return self._end()
        return None

    def _end(self) -> Stop:
        """End with the stream; a callback cannot be told that it was an end by an error, so that is an event."""
        buffer = self._handle.buffer
        error = LaggedError(buffer.dropped) if buffer.failed else buffer.closed
        if error is not None and not isinstance(error, SubscriptionClosedError | ManagerClosedError):
            self._context.note(self._fact("consumer_failed", "error", error))
        return Stop(Normal())

    async def _call_each(self, items: list[Item]) -> Exception | None:
        for item in items:
            try:
                await self._callback(item)  # type: ignore[misc]  # an async callback returns an awaitable
            except get_cancelled_exc_class() as error:
                if current_effective_deadline() == -math.inf:
                    raise
                # Nobody ended this consumer: the callback awaited something that was cancelled.
                if self._failed(CallbackCancelledError(str(error))):
                    return CallbackCancelledError(str(error))
            except Exception as error:  # noqa: BLE001 - the crash boundary of foreign code
                if self._failed(error):
                    return error
            else:
                self._failures = 0
        return None

    def _call_all(self, items: list[Item]) -> Exception | None:
        """Call a sync callback with each item; runs in a worker thread."""
        for item in items:
            try:
                self._callback(item)
            except Exception as error:  # noqa: BLE001 - the crash boundary of foreign code
                if self._failed(error):
                    return error
            else:
                self._failures = 0
        return None

    def _failed(self, error: Exception) -> bool:
        """Count a failure; returns whether it was one too many."""
        self._failures += 1
        now = self._context.clock.monotonic()
        if self._logged_at is None or now - self._logged_at >= LOG_INTERVAL:
            self._logged_at = now
            self._to_tell = error
        return self._failures >= MAX_FAILURES

    def _park(self, error: Exception) -> Stop:
        self._context.note(self._fact("callback_parked", "error", error))
        self._handle.buffer.close(
            SubscriptionFailedError(f"the callback failed {MAX_FAILURES} times in a row")
        )
        return Stop(Shutdown("parked"))

    def _fact(self, kind: str, level: Level, error: BaseException) -> Fact:
        return Fact(
            kind=kind,
            level=level,
            subscription_id=self._handle.id,
            detail={
                "error": f"{type(error).__name__}: {error}",
                "failures": self._failures,
                "dropped": self._handle.dropped,
            },
        )


async def start_consumer(context: Context, handle: Subscription, callback: Callback) -> ActorRef[Any]:
    """Give what comes on a handle to a callback, under the tree's `consumers`; returns its actor.

    Raises:
        ManagerClosedError: No consumer can be started now; the handle is released.
    """
    spec = ChildSpec(
        f"callback:{handle.key}",
        lambda: CallbackConsumer(context, handle, callback),
        restart="temporary",
        # The drain has given it time already.
        shutdown=1.0,
    )
    supervisor = context.consumer_supervisor
    if supervisor is None:
        handle.release()
        raise ManagerClosedError("the manager has no consumers' supervisor: it is starting or ending")
    try:
        return await supervisor.start_child(spec)
    except CallExitError as error:
        handle.release()
        raise ManagerClosedError(f"the consumer of {handle.key} could not be started: {error}") from error
    except BaseException:
        handle.release()
        raise


def release_killed(context: Context) -> None:
    """Release what consumers held that were killed, and so could not say goodbye themselves."""
    for ref, handle in list(context.consumers.items()):
        if not ref.alive:
            del context.consumers[ref]
            handle.release()
            detail = {"error": f"its actor ended: {ref.exit_reason}", "dropped": handle.dropped}
            context.note(
                Fact(kind="consumer_failed", level="error", subscription_id=handle.id, detail=detail)
            )
