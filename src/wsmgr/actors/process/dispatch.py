"""One message at a time: which callback of an actor it is for, and what the answer of the callback means.

Keeps what follows from answers: the calls that are owed one, the reply that is given after `terminate`, and the
messages that a state machine postponed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio

from wsmgr.actors.errors import BadReturnError, OutsideActorError, RejectError
from wsmgr.actors.messages import NOTHING, Down, NoReply, Reply, Stop

from .calls import Call
from .context import call_chain
from .system import SystemRequest
from .timers import Timer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from wsmgr.actors.actor import Actor
    from wsmgr.actors.reasons import ExitReason
    from wsmgr.actors.ref import ActorRef

    from .calls import ReplyTo
    from .mailbox import Kind, Mailbox, Taken
    from .watch import Watch

T = TypeVar("T")

_MAIL: Final = ("call", "cast")


class Dispatcher:
    """Gives the messages of `mailbox` to the callbacks of `actor`.

    Attributes:
        current: What is being handled, or was when a callback raised: the message of a cast or of the runtime, or a
            `Call`; `NOTHING` in between.
        drained: Whether the last batch left nothing that may be handled now.
        watch: Who looks at each callback, or None.
    """

    def __init__(
        self,
        actor: Actor[Any],
        ref: ActorRef[Any],
        mailbox: Mailbox,
        carry_out: Callable[[SystemRequest], None],
    ) -> None:
        self.current: object = NOTHING
        self.drained = False
        self.watch: Watch | None = None
        self._actor = actor
        self._ref = ref
        self._mailbox = mailbox
        self._carry_out = carry_out
        self._owed: dict[ReplyTo, None] = {}
        self._last_reply: tuple[ReplyTo, object] | None = None
        self._noted = False
        self._postpones = False
        self._changed_state = False
        self._postponed: list[Taken] = []

    async def run_batch(  # noqa: C901 - the hot path is one loop in one coroutine
        self, most: int, timers: Sequence[tuple[float, int, Timer]]
    ) -> ExitReason | None:
        """Handle what is queued, until a timer is due, and at most `most` messages.

        Returns:
            With what the actor ends, or None if it goes on.
        """
        mailbox = self._mailbox
        user, system = mailbox.user, mailbox.system
        handle_cast = self._actor.handle_cast
        taken: Taken
        for _ in range(most):
            if user and not system and not mailbox.special:
                # The hot path, in no other coroutine than the callback's.
                item = self.current = user.popleft()
                if type(item) is not Call:
                    answer = await handle_cast(item)
                    if answer is None and not self._noted:
                        if timers and timers[0][0] <= anyio.current_time():
                            break
                        continue
                    taken = ("cast", item)
                    stop = self.checked("handle_cast", answer)
                else:
                    taken = ("call", item)
                    stop = await self._handle_call(item)
            else:
                self.current = NOTHING
                found = mailbox.take()
                if found is None:
                    self.drained = True
                    return None
                taken = found
                if taken[0] == "exit":
                    reason: ExitReason = taken[1]
                    return reason
                stop = await self._handle(*taken)
            if self._noted:
                self._follow_up(taken)
            if stop is not None:
                return stop.reason
            if timers and taken[0] in _MAIL and timers[0][0] <= anyio.current_time():
                break
        self.current, self.drained = NOTHING, False
        return None

    def postpone(self) -> None:
        """Let the message that is being handled come again after the next change of state.

        Raises:
            OutsideActorError: None is being handled.
        """
        if self.current is NOTHING:
            raise OutsideActorError(
                f"{self._ref}: postpone() is for the message that is being handled; there is none"
            )
        self._postpones = self._noted = True

    def state_changed(self) -> None:
        """Let what was postponed come again, once the message that is being handled is done."""
        if self.current is NOTHING:
            self._release_postponed()
        else:
            self._changed_state = self._noted = True

    def watch_by(self, watch: Watch) -> None:
        """Let `watch` look at each callback for as long as it is on."""
        self.watch = watch if watch.on else None
        self._mailbox.watch(on=watch.on)

    def checked(self, callback: str, answer: object) -> Stop | None:
        """Return the answer of a callback that may answer None or `Stop`.

        Raises:
            BadReturnError: It is something else.
        """
        if answer is None or isinstance(answer, Stop):
            return answer
        raise self.bad_return(callback, answer, "None or Stop")

    def bad_return(self, callback: str, answer: object, allowed: str) -> BadReturnError:
        """Return the error for an answer that the contract does not allow."""
        return BadReturnError(
            f"{type(self._actor).__qualname__}.{callback} must return {allowed}, not {_shape(answer)}"
        )

    def close(self, reason: ExitReason) -> int:
        """Give the last reply, fail every other call, and return the number of casts that nobody will read."""
        if self._last_reply is not None:
            self._last_reply[0].reply(self._last_reply[1])
        postponed = [item for kind, item in self._postponed if kind != "info"]
        self._postponed.clear()
        left = [*postponed, *self._mailbox.close()]
        if type(self.current) is Call:
            self.current.reply_to.fail_exit(self._ref, reason)
        for reply_to in list(self._owed):
            reply_to.fail_exit(self._ref, reason)
        casts = 0
        for item in left:
            if isinstance(item, (Call, SystemRequest)):
                item.reply_to.fail_exit(self._ref, reason)
            else:
                casts += 1
        return casts

    async def _handle(self, kind: Kind, item: Any) -> Stop | None:  # noqa: ANN401 - mail is Any by nature
        if kind == "request":
            self._carry_out(item)
            return None
        if kind == "call":
            self.current = item
            return await self._handle_call(item)
        if kind == "cast":
            self.current = item
            answer: object = await self._watched("handle_cast", item, self._actor.handle_cast(item))
            return self.checked("handle_cast", answer)
        self.current = message = _news(item)
        if message is NOTHING:
            return None
        answer = await self._watched("handle_info", message, self._actor.handle_info(message))
        return self.checked("handle_info", answer)

    async def _handle_call(self, call: Call) -> Stop | None:
        reply_to = call.reply_to
        if reply_to.chain:
            call_chain.set((*reply_to.chain, self._ref))
        running = self._actor.handle_call(call.request, reply_to)
        answer: object
        try:
            answer = await self._watched("handle_call", call.request, running)
        except RejectError as error:
            reply_to.reject(error)
            return None
        finally:
            if reply_to.chain:
                call_chain.set((self._ref,))
        if type(answer) is Reply:
            reply_to.reply(answer.value)
            return None
        if isinstance(answer, NoReply):
            self._owe(reply_to)
            return None
        if isinstance(answer, Stop):
            if answer.reply is not NOTHING:
                self._last_reply = (reply_to, answer.reply)
            return answer
        raise self.bad_return("handle_call", answer, "Reply, NoReply or Stop")

    def _watched(self, callback: str, message: object, running: Awaitable[T]) -> Awaitable[T]:
        return running if self.watch is None else self.watch.run(callback, message, running)

    def _owe(self, reply_to: ReplyTo) -> None:
        if reply_to.waiting:
            self._owed[reply_to] = None
            reply_to.when_done(self._settled)

    def _settled(self, reply_to: ReplyTo) -> None:
        self._owed.pop(reply_to, None)

    def _follow_up(self, taken: Taken) -> None:
        self._noted = False
        if self._postpones:
            self._postpones = False
            self._postponed.append(taken)
            self._mailbox.hold(1)
        if self._changed_state:
            self._release_postponed()

    def _release_postponed(self) -> None:
        self._changed_state = False
        self._mailbox.put_again(self._postponed)
        self._postponed.clear()


def _news(item: object) -> object:
    """Return what `handle_info` is given for `item`, or `NOTHING` when it was cancelled after it was queued."""
    if isinstance(item, Timer):
        return NOTHING if item.cancelled else item.delivered
    if isinstance(item, Down) and item.monitor is not None and item.monitor.cancelled:
        return NOTHING
    return item


def _shape(answer: object) -> str:
    """Return what an answer is, without what it says: it goes to the log."""
    return f"the class {answer.__name__}" if isinstance(answer, type) else type(answer).__name__
