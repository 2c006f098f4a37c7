"""Delivery: the bounded buffer between a subscription and one consumer.

A buffer holds at most `max_messages` messages and `max_bytes` bytes of frames. A consumer that keeps up sees every frame
under each policy; the policy decides only what happens when the buffer is full. Continuity events travel in the same
buffer, in order with the data, and are never dropped: there are few of them, and one that was dropped would be a lie.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from enum import Enum

import msgspec
from attrs import define, evolve, field

from wsmgr.manager.model.continuity import Event, Gap, Lagged
from wsmgr.manager.model.message import Message
from wsmgr.manager.model.subscription_type import Kind, SubscriptionType

MAX_MESSAGES = 1024
MAX_BYTES = 4 * 2**20
TOO_SLOW = "the consumer was too slow"

Item = Message | Event


class Policy(Enum):
    """What happens to a message when a consumer's buffer is full."""

    DROP_OLDEST = "drop_oldest"
    """The oldest message makes room."""
    DROP_NEWEST = "drop_newest"
    """The new message is not taken."""
    LATEST = "latest"
    """Only the newest frame of each wire key is kept."""
    BLOCK = "block"
    """The socket is read no further until there is room."""
    FAIL = "fail"
    """The consumer is failed: nobody acts on a stream with a hole in it."""


def default_policy(subscription_type: SubscriptionType) -> Policy:
    """Return the policy of a consumer that names none: states conflate, public events drop, private events fail."""
    if subscription_type.kind is Kind.STATE:
        return Policy.LATEST
    return Policy.FAIL if subscription_type.private else Policy.DROP_OLDEST


@define(eq=False)
class Buffer:
    """One consumer's share of a stream.

    Args:
        policy: What happens when it is full.
        wake: Called when there is something to read: once for each batch, not for each message.
        events: Whether the consumer asked for continuity events.
        redundancy: On how many sockets the consumer wants the stream.
        max_messages: How many messages it holds.
        max_bytes: How many bytes of frames it holds.

    Attributes:
        own_max_bytes: The bound with which it was made: `max_bytes` may be less for a while (`buffer_pool`).
        dropped: Messages that this consumer lost.
        conflated: Messages that newer ones replaced.
        failed: Whether the policy `fail` has ended it.
        closed: Why nothing more will come, or None while something may.
        resume: Called when a blocked reader has made room, or None while no socket waits for it.
    """

    policy: Policy
    wake: Callable[[], None] = field(repr=False)
    events: bool = False
    redundancy: int = 1
    max_messages: int = MAX_MESSAGES
    max_bytes: int = MAX_BYTES
    own_max_bytes: int = field(init=False)
    dropped: int = field(default=0, init=False)
    conflated: int = field(default=0, init=False)
    failed: bool = field(default=False, init=False)
    closed: Exception | None = field(default=None, init=False)
    resume: Callable[[], None] | None = field(default=None, init=False, repr=False)
    _items: deque[Item] = field(factory=deque[Item], init=False, repr=False)
    _messages: int = field(default=0, init=False)
    _bytes: int = field(default=0, init=False)
    _hole: Gap | None = field(default=None, init=False)
    _missed: Gap | None = field(default=None, init=False)
    _untold: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        """Keep the bound."""
        self.own_max_bytes = self.max_bytes

    def __len__(self) -> int:
        """Return how many items wait to be read."""
        return len(self._items)

    @property
    def bytes(self) -> int:
        """How many bytes of frames it holds."""
        return self._bytes

    @property
    def is_full(self) -> bool:
        """Whether the next message would meet the policy."""
        return self._messages >= self.max_messages or self._bytes >= self.max_bytes

    @property
    def _has_room(self) -> bool:
        """Whether half of it is free: a reader that was stopped goes on for more than one message."""
        return 2 * self._messages <= self.max_messages and 2 * self._bytes <= self.max_bytes

    def put(self, message: Message) -> None:
        """Take a message, or do what the policy says."""
        if self._messages >= self.max_messages or self._bytes >= self.max_bytes:
            self._overflow(message)
        elif not self.failed and self.closed is None:
            if self._hole is not None and self.policy is Policy.DROP_NEWEST:
                message = self._behind_hole(message)
            if self._missed is not None:
                gap, self._missed = self._missed, None
                message = with_gap(message, gap if message.gap is None else gap.joined(message.gap))
            self._append(message)

    def refill(self, messages: Iterable[Message]) -> None:
        """Take what a reader that returns has missed: all of it, because it is bounded where it was kept."""
        for message in messages:
            if self._missed is not None:
                gap, self._missed = self._missed, None
                self._append(with_gap(message, gap if message.gap is None else gap.joined(message.gap)))
            else:
                self._append(message)

    def tell(self, event: Event) -> None:
        """Take a continuity event, where the consumer asked for them."""
        if self.events and not self.failed and self.closed is None:
            self._items.append(event)

    def miss(self, gap: Gap) -> None:
        """Say that messages before the next one are missing for this consumer: as an event, and on the next message."""
        self.tell(gap)
        self._missed = gap if self._missed is None else self._missed.joined(gap)

    def take(self) -> Item | None:
        """Return the next item, or None when there is none."""
        if self._hole is not None and self.policy is Policy.DROP_OLDEST and self._items:
            return self._take_behind_hole()
        if self._items:
            return self._pop()
        if self._untold and self.events and not self.failed:
            # Nothing has come behind the hole yet: it is told now, and the next message will carry it.
            untold, self._untold = self._untold, 0
            return Lagged(dropped=untold)
        return None

    def close(self, reason: Exception) -> None:
        """Say that nothing more will come; what is buffered can still be read."""
        if self.closed is None:
            self.closed = reason

    def fail(self) -> None:
        """End the consumer for being too slow; what is buffered can still be read."""
        self.failed = True

    def _overflow(self, message: Message) -> None:
        if self.failed or self.closed is not None:
            return
        match self.policy:
            case Policy.DROP_OLDEST:
                self._drop_oldest()
                self._append(message)
            case Policy.LATEST:
                self._append(message)
                self._conflate()
            case Policy.DROP_NEWEST:
                self._lose(message)
            case Policy.FAIL:
                self._lose(message)
                self.failed = True
            case Policy.BLOCK:
                # Reading has been paused; what had already come out of the kernel still has to go somewhere.
                self._append(message)

    def _append(self, message: Message) -> None:
        self._items.append(message)
        self._messages += 1
        self._bytes += len(message.raw)

    def _pop(self) -> Item:
        item = self._items.popleft()
        if isinstance(item, Message):
            self._forget(item)
            if self.resume is not None and self._has_room:
                resume, self.resume = self.resume, None
                resume()
        return item

    def _forget(self, message: Message) -> None:
        self._messages -= 1
        self._bytes -= len(message.raw)

    def _drop_oldest(self) -> None:
        """Make room: events stay, because there are few of them and one that was dropped would be a lie."""
        kept: deque[Item] = deque()
        while self.is_full:
            item = self._items.popleft()
            if isinstance(item, Message):
                self._forget(item)
                self._lose(item)
            else:
                kept.append(item)
        self._items.extendleft(reversed(kept))

    def _conflate(self) -> None:
        """Keep the newest frame of each key; what it replaces hands on its gap and its snapshot mark."""
        newest: dict[str, Message] = {}
        for item in self._items:
            if isinstance(item, Message):
                replaced = newest.get(item.key)
                newest[item.key] = item if replaced is None else _succeeding(replaced, item)
                self.conflated += replaced is not None
        kept: deque[Item] = deque()
        for item in reversed(self._items):
            if not isinstance(item, Message):
                kept.appendleft(item)
            elif item.key in newest:
                kept.appendleft(newest.pop(item.key))
        self._items = kept
        messages = [item for item in kept if isinstance(item, Message)]
        self._messages = len(messages)
        self._bytes = sum(len(message.raw) for message in messages)

    def _lose(self, message: Message) -> None:
        """Count a message as lost, and remember the hole that it leaves with the gap that it carried."""
        self.dropped += 1
        self._untold += 1
        hole = Gap(
            started_at=message.received_at,
            ended_at=message.received_at,
            duration=0.0,
            reason=TOO_SLOW,
            missing=1,
        )
        if message.gap is not None:
            hole = message.gap.joined(hole)
        self._hole = hole if self._hole is None else self._hole.joined(hole)

    def _behind_hole(self, message: Message) -> Message:
        """Return the message with the hole before it as its gap, and tell of it."""
        if self.events and self._untold:
            self._items.append(Lagged(dropped=self._untold))
        return self._carry_hole(message)

    def _take_behind_hole(self) -> Item | None:
        """Take the first item behind a hole at the front: the notice of it first, then the message that carries it."""
        if self.events and self._untold:
            untold, self._untold = self._untold, 0
            return Lagged(dropped=untold)
        item = self._pop()
        return self._carry_hole(item) if isinstance(item, Message) else item

    def _carry_hole(self, message: Message) -> Message:
        hole, self._hole = self._hole, None
        self._untold = 0
        assert hole is not None  # noqa: S101 - both callers have checked it
        closed = evolve(
            hole, ended_at=message.received_at, duration=max(0.0, message.received_at - hole.started_at)
        )
        return with_gap(message, closed if message.gap is None else closed.joined(message.gap))


def with_gap(message: Message, gap: Gap | None, *, snapshot: bool = False) -> Message:
    """Return a copy of a message with another gap; other consumers keep the original.

    Args:
        message: The message.
        gap: The copy's gap.
        snapshot: Whether the copy is a snapshot even if the original is none.
    """
    return msgspec.structs.replace(message, gap=gap, snapshot=message.snapshot or snapshot)


def _succeeding(replaced: Message, message: Message) -> Message:
    """Return the message that takes the place of an older one."""
    if replaced.gap is None and (message.snapshot or not replaced.snapshot):
        return message
    gap = message.gap
    if replaced.gap is not None:
        gap = replaced.gap if gap is None else replaced.gap.joined(gap)
    return with_gap(message, gap, snapshot=replaced.snapshot)
