"""An actor's mailbox: two queues, a bound, and what happens at the bound.

The *system* queue (ends of other processes, timers, orderly stops, introspection) has no bound and is served first:
it must not be lost behind a flood of mail. The *user* queue (calls and casts) is bounded by a `MailboxPolicy`. Between
them lies what a state machine postponed and now gets again.

Invariants:

1. An item leaves the queue only when the actor takes it, synchronously. No cancellation can lose one.
2. `cast` never waits, so two actors that flood each other cannot deadlock; only `send` waits for space.
3. A shutdown of an actor that traps exits takes effect after the user messages that were queued before it, as in
   OTP: it is a count of messages still to serve, not an entry that an overflow policy could drop.
4. Whatever is dropped is told to `on_loss`, which counts it, and answers a call.

The hot path: a cast is queued as it is, and while there is nothing but plain mail to look at (`special` is False and
`system` is empty) the dispatcher takes from `user` directly.

anyio's memory streams were not used: they pay a checkpoint per item, and drop what is buffered when they are closed.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import anyio

from wsmgr.actors.mailbox_policy import Conflate

from .calls import Call
from .system import StopRequest, SystemRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from wsmgr.actors.mailbox_policy import MailboxPolicy
    from wsmgr.actors.reasons import ExitReason

Kind: TypeAlias = Literal["call", "cast", "info", "request", "exit"]
Taken: TypeAlias = tuple[Kind, Any]
"""What comes next: a `Call`, the message of a cast, a message of the runtime, a `SystemRequest`, an exit reason."""


class Keyed:
    """A queued cast that a newer one of the same key replaces."""

    __slots__ = ("key", "message")

    def __init__(self, message: object, key: Hashable) -> None:
        self.message = message
        self.key = key


class Mailbox:
    """The queues of one actor. Everything but `wait` and `wait_for_space` is synchronous.

    Attributes:
        policy: The bound.
        user: Calls (`Call`) and casts (`Keyed`, or the message itself).
        system: What is served first.
        special: Whether there may be something else to look at than `system` and plain mail in `user`.
        held: How many messages are postponed, or come again; they count against the bound.
        dropped: Calls and casts that were not accepted, or had to make room.
        conflated: Casts that were replaced by a newer one.
    """

    __slots__ = (
        "_again",
        "_before_exit",
        "_by_key",
        "_exit",
        "_limit",
        "_on_loss",
        "_space",
        "_stopped",
        "_waiter",
        "_watched",
        "conflated",
        "dropped",
        "held",
        "policy",
        "special",
        "suspended",
        "system",
        "user",
    )

    def __init__(self, policy: MailboxPolicy, on_loss: Callable[[object], None]) -> None:
        self.policy = policy
        self.user: deque[object] = deque()
        self.system: deque[object] = deque()
        self.held = 0
        self.dropped = 0
        self.conflated = 0
        self.suspended = False
        self._on_loss = on_loss
        self._again: deque[Taken] = deque()
        self._by_key: dict[Hashable, Keyed] | None = {} if isinstance(policy.overflow, Conflate) else None
        self._exit: ExitReason | None = None
        self._before_exit = 0
        self._stopped = False
        self._watched = False
        self._waiter: anyio.Event | None = None
        self._space: deque[anyio.Event] = deque()
        self.special = False
        self._limit = 0
        self.hold(0)

    # -- putting in ------------------------------------------------------------------------------------------------

    def cast(self, message: object) -> bool:
        """Queue a cast by the policy; False when it is not accepted.

        Raises:
            Exception: What the key of `conflate` raises.
        """
        if len(self.user) < self._limit:
            self.user.append(message)
            if self._waiter is not None:
                self.wake()
            return True
        if self._by_key is not None:
            return self._cast_keyed(message, self._by_key)
        return self._put(message)

    def call(self, call: Call) -> bool:
        """Queue a call by the policy; False when it is not accepted."""
        return self._put(call)

    def put_system(self, item: object) -> None:
        """Queue something that must not be lost: it is beyond every bound, and served first."""
        self.system.append(item)
        self.wake()

    def put_again(self, items: list[Taken]) -> None:
        """Queue what was postponed ahead of other mail; it is held already."""
        if items:
            self._again.extendleft(reversed(items))
            self.wake()
        self.special = True

    def exit_after_queued(self, reason: ExitReason) -> None:
        """Let the actor end with `reason` after the user messages that are queued now. The first one counts."""
        if self._exit is None:
            self._exit = reason
            self._before_exit = len(self.user)
            self.special = True
            self.wake()

    def hold(self, number: int) -> None:
        """Count `number` more messages as held: they are in no queue, and count against the bound."""
        self.held += number
        self._limit = 0 if self._by_key is not None else self.policy.capacity - self.held
        self.special = True

    # -- taking out ------------------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether the user queue, with what is held, is at its bound."""
        return len(self.user) + self.held >= self.policy.capacity

    @property
    def exit_due(self) -> bool:
        """Whether the supervisor's shutdown comes next, as far as calls and casts are concerned."""
        return self._exit is not None and self._before_exit <= 0

    def take(self) -> Taken | None:
        """Remove and return what to handle next, or None when there is nothing that may be handled now."""
        taken = None if self._stopped else self._next()
        self.special = bool(
            self._again
            or self._space
            or self._stopped
            or self._watched
            or self.suspended
            or self._exit is not None
            or self._by_key is not None
        )
        return taken

    def stop(self) -> None:
        """Give out nothing any more: the actor is being ended."""
        self._stopped = self.special = True
        self.wake()

    def suspend(self, *, on: bool) -> None:
        """Give out only requests to the process and its end, or everything again."""
        self.suspended = on
        self.special = True

    def watch(self, *, on: bool) -> None:
        """Say whether somebody watches each message, so that none may take the hot path."""
        self._watched = on
        self.special = True

    def close(self) -> list[object]:
        """Wake every sender and return the calls, casts and requests to the process that nobody will serve."""
        left = [item for kind, item in self._again if kind != "info"] + list(self.user)
        left += [item for item in self.system if isinstance(item, SystemRequest)]
        self._again.clear()
        self.user.clear()
        self.system.clear()
        self._by_key = None
        while self._space:
            self._space.popleft().set()
        return left

    # -- waiting ---------------------------------------------------------------------------------------------------

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
        event = anyio.Event()
        self._space.append(event)
        self.special = True
        try:
            await event.wait()
        except BaseException:
            if event.is_set():
                self._tell_sender()
            else:
                self._space.remove(event)
            raise

    # -- inside ----------------------------------------------------------------------------------------------------

    def _cast_keyed(self, message: object, by_key: dict[Hashable, Keyed]) -> bool:
        assert isinstance(self.policy.overflow, Conflate)  # noqa: S101 - it has keys
        key = self.policy.overflow.key(message)
        if key is None:
            return self._put(message)
        queued = by_key.get(key)
        if queued is not None:
            queued.message = message
            self.conflated += 1
            return True
        keyed = Keyed(message, key)
        if not self._put(keyed):
            return False
        by_key[key] = keyed
        return True

    def _put(self, item: object) -> bool:
        if self.full:
            self.dropped += 1
            if self.policy.overflow != "drop_oldest" or not self.user:
                self._on_loss(item)
                return False
            self._on_loss(self._pop_user())
        self.user.append(item)
        self.wake()
        return True

    def _next(self) -> Taken | None:
        if self.suspended:
            return self._next_while_suspended()
        if self.system:
            return _sorted(self.system.popleft())
        if self._again:
            self.hold(-1)
            self._tell_sender()
            return self._again.popleft()
        if self.exit_due:
            return "exit", self._exit
        if not self.user:
            return None
        item = self._pop_user()
        if type(item) is Call:
            return "call", item
        return "cast", item.message if type(item) is Keyed else item

    def _next_while_suspended(self) -> Taken | None:
        for position, item in enumerate(self.system):
            if isinstance(item, (SystemRequest, StopRequest)):
                del self.system[position]
                return _sorted(item)
        return None if self._exit is None else ("exit", self._exit)

    def _pop_user(self) -> object:
        item = self.user.popleft()
        if self._exit is not None:
            self._before_exit -= 1
        if type(item) is Keyed and self._by_key is not None:
            del self._by_key[item.key]
        self._tell_sender()
        return item

    def _tell_sender(self) -> None:
        if self._space:
            self._space.popleft().set()


def _sorted(item: object) -> Taken:
    if isinstance(item, SystemRequest):
        return "request", item
    if isinstance(item, StopRequest):
        return "exit", item.reason
    return "info", item
