"""An actor's mailbox: two queues, a bound, and what happens at the bound.

The *system* queue (ends of other processes, timers, orderly stops) has no bound and is served first: it must not be
lost behind a flood of mail. The *user* queue (calls and casts) is bounded by a `MailboxPolicy`. Between them lies what
a state machine postponed and now gets again.

Invariants:

1. An item leaves the queue only when the actor takes it, synchronously. No cancellation can lose one.
2. `cast` never waits, so two actors that flood each other cannot deadlock; only `send` waits for space.
3. A shutdown of an actor that traps exits takes effect after the user messages that were queued before it, as in
   OTP: it is a count of messages still to serve, not an entry that an overflow policy could drop.
4. Whatever is dropped is counted, and a call that is dropped is answered.

anyio's memory streams were not used: they pay a checkpoint per item, and drop what is buffered when they are closed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Final, Literal

import anyio
from attrs import field, frozen

from wsmgr.actors.messages import ParentExit
from wsmgr.actors.validation import check_choice, check_positive_int

if TYPE_CHECKING:
    from wsmgr.actors.reasons import ExitReason

    from .calls import ReplyTo

Verdict = Literal["taken", "dropped", "rejected"]

_OVERFLOWS: Final = ("reject", "drop_oldest", "drop_newest")


@frozen
class Conflate:
    """The overflow policy of actors that only need the newest of each kind; made by `conflate(key)`."""

    key: Callable[[object], Hashable | None]


def conflate(key: Callable[[object], Hashable | None]) -> Conflate:
    """Return the policy by which a cast replaces the queued one with the same key, in its place.

    Args:
        key: Returns what makes two casts the same kind, or None for one that must not be replaced.
    """
    return Conflate(key)


def _check_overflow(_: object, __: object, value: object) -> None:
    if not isinstance(value, Conflate):
        check_choice("overflow", value, _OVERFLOWS)


def _check_capacity(_: object, __: object, value: object) -> None:
    check_positive_int("capacity", value)


@frozen(kw_only=True)
class MailboxPolicy:
    """How much mail an actor holds, and what happens then.

    Attributes:
        capacity: Calls and casts that may wait, at least 1.
        overflow: What happens at the bound. `reject`: the new one is not accepted, and that is reported.
            `drop_newest`: the same as the actor's own wish, hence only counted. `drop_oldest`: the oldest makes
            room. `conflate(key)`: as `reject`, and a newer cast replaces the queued one of the same key at any time.
    """

    capacity: int = field(default=1024, validator=_check_capacity)
    overflow: Literal["reject", "drop_oldest", "drop_newest"] | Conflate = field(
        default="reject", validator=_check_overflow
    )


class Envelope:
    """One call or cast on its way: `reply_to` is None for a cast."""

    __slots__ = ("key", "payload", "reply_to")

    def __init__(self, payload: object, reply_to: ReplyTo | None, key: Hashable | None = None) -> None:
        self.payload = payload
        self.reply_to = reply_to
        self.key = key


class Mailbox:
    """The queues of one actor. Everything but `wait` and `wait_for_space` is synchronous."""

    __slots__ = (
        "_before_exit",
        "_by_key",
        "_exit",
        "_space",
        "_waiter",
        "again",
        "conflated",
        "dropped",
        "held",
        "policy",
        "system",
        "user",
    )

    def __init__(self, policy: MailboxPolicy) -> None:
        self.policy = policy
        self.system: deque[object] = deque()
        self.again: deque[object] = deque()
        self.user: deque[Envelope] = deque()
        self.held = 0
        self.dropped = 0
        self.conflated = 0
        self._by_key: dict[Hashable, Envelope] = {}
        self._exit: ExitReason | None = None
        self._before_exit = 0
        self._waiter: anyio.Event | None = None
        self._space: deque[anyio.Event] | None = None

    @property
    def full(self) -> bool:
        """Whether the user queue, with what is postponed, is at its bound."""
        return len(self.user) + self.held >= self.policy.capacity

    def put(self, payload: object, reply_to: ReplyTo | None) -> tuple[Verdict, Envelope | None]:
        """Queue a call or cast.

        Returns:
            What became of it, and the envelope that had to make room for it, if any.
        """
        key: Hashable | None = None
        overflow = self.policy.overflow
        if reply_to is None and isinstance(overflow, Conflate):
            key = overflow.key(payload)
            queued = None if key is None else self._by_key.get(key)
            if queued is not None:
                queued.payload = payload
                self.conflated += 1
                return "taken", None
        pushed_out: Envelope | None = None
        if self.full:
            if overflow != "drop_oldest" or not self.user:
                self.dropped += 1
                return ("dropped" if overflow == "drop_newest" else "rejected"), None
            pushed_out = self._pop_user()
            self.dropped += 1
        envelope = Envelope(payload, reply_to, key)
        if key is not None:
            self._by_key[key] = envelope
        self.user.append(envelope)
        self.wake()
        return "taken", pushed_out

    def put_system(self, item: object) -> None:
        """Queue something that must not be lost: it is beyond every bound, and served first."""
        self.system.append(item)
        self.wake()

    def exit_after_queued(self, reason: ExitReason) -> None:
        """Let the actor end with `reason` after the user messages that are queued now. The first one counts."""
        if self._exit is None:
            self._exit = reason
            self._before_exit = len(self.user)
            self.wake()

    @property
    def exit_due(self) -> bool:
        """Whether the supervisor's shutdown comes next, as far as calls and casts are concerned."""
        return self._exit is not None and self._before_exit <= 0

    def take(self) -> object | None:
        """Remove and return what to handle next, or None when there is nothing."""
        if self.system:
            return self.system.popleft()
        if self.again:
            self._release(1)
            return self.again.popleft()
        if self._exit is not None and self.exit_due:
            return ParentExit(self._exit)
        if self.user:
            return self._pop_user()
        return None

    async def wait(self, deadline: float) -> None:
        """Wait until something was queued, `wake` was called or `deadline` has come. For the actor's loop only."""
        self._waiter = event = anyio.Event()
        if deadline == math.inf:
            await event.wait()
        else:
            with anyio.CancelScope(deadline=deadline):
                await event.wait()
        self._waiter = None

    def wake(self) -> None:
        """Let the actor's loop look again."""
        if self._waiter is not None:
            self._waiter.set()
            self._waiter = None

    async def wait_for_space(self) -> None:
        """Wait until a message was taken, or the mailbox was closed. Cancelling loses nothing."""
        if self._space is None:
            self._space = deque()
        event = anyio.Event()
        self._space.append(event)
        try:
            await event.wait()
        except BaseException:
            if event.is_set():
                self._release(0)
            else:
                self._space.remove(event)
            raise

    def close(self) -> list[Envelope]:
        """Wake every sender and return the mail that nobody will read, postponed mail first."""
        left = [item for item in (*self.again, *self.user) if isinstance(item, Envelope)]
        self.again.clear()
        self.user.clear()
        self.system.clear()
        self._by_key.clear()
        while self._space:
            self._space.popleft().set()
        return left

    def _pop_user(self) -> Envelope:
        envelope = self.user.popleft()
        if self._exit is not None:
            self._before_exit -= 1
        if envelope.key is not None:
            del self._by_key[envelope.key]
        self._release(0)
        return envelope

    def _release(self, held: int) -> None:
        self.held -= held
        if self._space:
            self._space.popleft().set()
