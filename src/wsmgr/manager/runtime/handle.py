"""The consumer's handle of a subscription: an async iterator over its messages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Self

import anyio

from wsmgr.manager.model.continuity import Event
from wsmgr.manager.model.delivery import Buffer, Item, Policy
from wsmgr.manager.model.errors import (
    LaggedError,
    ManagerClosedError,
    RejectedError,
    SubscribeTimeoutError,
    SubscriptionClosedError,
    SubscriptionFailedError,
    WsmgrError,
)
from wsmgr.manager.model.message import Message
from wsmgr.manager.model.subscription import Entry, State
from wsmgr.manager.runtime.subscription_views import MetricsView, metrics_view

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from types import TracebackType

    from wsmgr.manager.model.returning import Cursor
    from wsmgr.manager.runtime.context import Context


class Subscription:
    """One consumer of a subscription.

    Iterate over it for messages (and continuity events, where it was asked for with `events=True`). Leaving `async with`, or
    `unsubscribe()`, ends this consumer; the subscription itself goes on for its other consumers, and for
    a linger of 15 s after the last one, unless it is kept. The handle belongs to the loop that it was made on.

    Args:
        context: What the actors share.
        entry: The subscription.
        policy: What happens when this consumer is too slow.
        events: Whether it wants continuity events.
        redundancy: On how many sockets it wants the stream.
        after: The last message that it had, for one that returns.
    """

    def __init__(
        self,
        context: Context,
        entry: Entry,
        *,
        policy: Policy,
        events: bool,
        redundancy: int = 1,
        after: Cursor | None = None,
    ) -> None:
        """Hold the subscription."""
        self._context = context
        self._entry = entry
        self._arrived = anyio.Event()
        self.buffer = Buffer(policy, self._wake, events=events, redundancy=redundancy)
        self._held = True
        context.registry.hold(entry, self.buffer, after=after, wall=context.clock.wall())

    @property
    def id(self) -> str:
        """The subscription's id."""
        return self._entry.id

    @property
    def key(self) -> str:
        """The subscription key."""
        return self._entry.key

    @property
    def state(self) -> str:
        """How far the subscription has come: `pending`, `live`, ..."""
        return self._entry.state.value

    @property
    def error(self) -> str | None:
        """The last refusal or failure in words, or None."""
        return self._entry.error

    @property
    def last(self) -> Message | None:
        """The newest message of the subscription, or None."""
        return self._entry.last

    @property
    def age(self) -> float | None:
        """How many seconds ago the newest message came (by the wall clock), or None before the first."""
        last = self._entry.last
        return None if last is None else max(0.0, self._context.clock.wall() - last.received_at)

    @property
    def metrics(self) -> MetricsView:
        """What is counted about the subscription, at this moment."""
        clock = self._context.clock
        return metrics_view(self._entry, now=clock.monotonic(), wall=clock.wall())

    @property
    def dropped(self) -> int:
        """How many messages this consumer lost because it was too slow."""
        return self.buffer.dropped

    def __aiter__(self) -> AsyncIterator[Item]:
        """Iterate over what comes."""
        return self

    async def __anext__(self) -> Item:
        """Return the next message or event.

        Cancelling it loses nothing: an item leaves the buffer only when it is returned.

        Raises:
            StopAsyncIteration: The subscription, or this consumer, was ended.
            LaggedError: The consumer was too slow and its policy is `fail`.
            RejectedError: The venue refused the subscription for good.
            SubscriptionFailedError: It is parked, and this consumer with it.
        """
        while True:
            item = self.buffer.take()
            if item is not None:
                return item
            self._check()
            await self._wait()

    async def batch(self) -> list[Item]:
        """Return everything that has come, waiting for the first; raises what iterating raises."""
        items = [await self.__anext__()]
        while (item := self.buffer.take()) is not None:
            items.append(item)
        return items

    async def next(
        self, *, timeout: float | None = None, where: Callable[[Message], bool] | None = None
    ) -> Message:
        """Return the next message, passing over events and what `where` does not want.

        Args:
            timeout: Seconds to wait, or None for ever.
            where: Says whether a message is wanted.

        Raises:
            TimeoutError: None came in time.
            SubscriptionClosedError: The subscription, or this consumer, was ended.
            LaggedError: The consumer was too slow and its policy is `fail`.
        """
        with anyio.fail_after(math.inf if timeout is None else timeout):
            while True:
                try:
                    item = await self.__anext__()
                except StopAsyncIteration:
                    raise SubscriptionClosedError(f"{self.key} was ended") from None
                if isinstance(item, Message) and (where is None or where(item)):
                    return item

    async def wait_live(self, *, timeout: float | None = None) -> None:
        """Return as soon as the subscription is live.

        Raises:
            SubscribeTimeoutError: It was not live within `timeout` seconds.
            RejectedError: The venue refused it for good.
            SubscriptionFailedError: It was parked.
            SubscriptionClosedError: It was ended.
        """
        await self.wait_for(frozenset({State.LIVE}), timeout=timeout)

    async def wait_for(
        self, states: frozenset[State], *, timeout: float | None = None, over_quota: bool = True
    ) -> None:
        """Return as soon as the subscription is in one of `states`; raises what `wait_live` raises.

        Args:
            states: The states.
            timeout: Seconds to wait, or None for ever.
            over_quota: Whether to wait for a quota that only an end frees.

        Raises:
            QuotaError: It waits for one of our quotas, and `over_quota` is False.
            RejectedError: The venue refused it for good, or for its quota where `over_quota` is False.
            ManagerClosedError: The manager was left.
        """
        entry = self._entry
        watch = _Watch(self._context, entry, states, over_quota=over_quota)
        try:
            with anyio.move_on_after(math.inf if timeout is None else timeout):
                await watch.wait()
                return
        finally:
            watch.stop()
        raise SubscribeTimeoutError(self.key, entry.state.value, waits_for(entry), next_attempt_at(entry))

    async def unsubscribe(self) -> None:
        """End this consumer. What it has not read is dropped; the subscription goes on for others."""
        self.release()

    def release(self) -> None:
        """End this consumer, without waiting for anything."""
        if self._held:
            self._held = False
            self.buffer.close(SubscriptionClosedError(f"this consumer of {self.key} was ended"))
            self._context.registry.release(self._entry, self.buffer, self._context.clock.monotonic())
            self._context.look(self._entry.venue)
            self._wake()

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End this consumer."""
        self.release()

    def _wake(self) -> None:
        self._arrived.set()

    async def _wait(self) -> None:
        if self._arrived.is_set():
            self._arrived = anyio.Event()
        if not len(self.buffer) and self.buffer.closed is None and not self.buffer.failed:
            await self._arrived.wait()

    def _check(self) -> None:
        buffer = self.buffer
        if buffer.failed:
            raise LaggedError(buffer.dropped)
        match buffer.closed:
            case None:
                return
            case SubscriptionClosedError():
                raise StopAsyncIteration
            case error:
                raise error


class _Watch:
    """Waits for a state of a subscription, or for one that makes waiting senseless.

    The first such change counts: another caller may withdraw a refused subscription before this one wakes up.
    """

    def __init__(self, context: Context, entry: Entry, states: frozenset[State], *, over_quota: bool) -> None:
        self._context = context
        self._entry = entry
        self._states = states
        self._over_quota = over_quota
        self._done = anyio.Event()
        self._error: WsmgrError | None = None
        entry.watchers.add(self._look)
        self._look(entry)

    async def wait(self) -> None:
        await self._done.wait()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        self._entry.watchers.discard(self._look)

    def _look(self, entry: Entry) -> None:
        if self._done.is_set():
            return
        self._error = None if entry.state in self._states else self._hopeless(entry)
        if self._error is not None or entry.state in self._states:
            self._done.set()

    def _hopeless(self, entry: Entry) -> WsmgrError | None:
        """Return why waiting on makes no sense, or None where it does."""
        match entry.state:
            case State.REJECTED:
                return RejectedError(entry.key, entry.error or "no reason given")
            case State.FAILED:
                return SubscriptionFailedError(f"{entry.key} is parked: {entry.error}")
            case State.CLOSED if self._context.draining:
                return ManagerClosedError(f"the manager was left while somebody waited for {entry.key}")
            case State.CLOSED:
                return SubscriptionClosedError(f"{entry.key} was ended")
            case State.PENDING if not self._over_quota:
                return entry.obstacle
            case _:
                return None


def waits_for(entry: Entry) -> str:
    """Say in words what a subscription waits for."""
    connection = entry.connection
    if entry.error is not None:
        return entry.error
    if connection is None:
        return "it waits for a connection"
    if not connection.ready:
        why = f": {connection.reason}" if connection.reason else ""
        return f"the connection {connection.id} to {connection.url} is {connection.state.value}{why}"
    return f"the venue has not answered on {connection.id}"


def next_attempt_at(entry: Entry) -> float | None:
    """Return when the connection that a subscription waits for dials next, in unix seconds, or None."""
    return entry.connection.next_attempt_at if entry.connection is not None else None


__all__ = ["Event", "Subscription", "next_attempt_at", "waits_for"]
