"""One message at a time: which callback of an actor it is for, and what the answer of the callback means.

Keeps what follows from answers: the calls that are owed one, the reply that is given after `terminate`, and the
messages that a state machine postponed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsmgr.actors.errors import BadReturnError, OutsideActorError, RejectError
from wsmgr.actors.messages import NOTHING, Down, NoReply, ParentExit, Reply, Stop, StopRequest

from .context import call_chain
from .mailbox import Envelope, Mailbox
from .timers import Timer

if TYPE_CHECKING:
    from wsmgr.actors.actor import Actor
    from wsmgr.actors.reasons import ExitReason
    from wsmgr.actors.ref import ActorRef

    from .calls import ReplyTo


class Dispatcher:
    """Gives messages to the callbacks of `actor`."""

    def __init__(self, actor: Actor[Any], ref: ActorRef[Any], mailbox: Mailbox) -> None:
        self._handling = False
        self._postpone_item = False
        self._state_changed = False
        self._actor = actor
        self._ref = ref
        self._mailbox = mailbox
        self._owed: dict[ReplyTo, None] = {}
        self._last_reply: tuple[ReplyTo, object] | None = None
        self._postponed: list[object] = []

    async def handle(self, item: object) -> ExitReason | None:
        """Handle one item of the mailbox and return with what the actor ends, or None if it goes on."""
        self._handling = True
        if isinstance(item, Envelope):
            if item.reply_to is not None:
                stop = await self._handle_call(item.payload, item.reply_to)
            else:
                stop = self.checked("handle_cast", await self._actor.handle_cast(item.payload))
        elif isinstance(item, (ParentExit, StopRequest)):
            return item.reason
        else:
            message = _news(item)
            stop = None
            if message is not None:
                stop = self.checked("handle_info", await self._actor.handle_info(message))
        self._handling = False
        if self._postpone_item:
            self._postpone_item = False
            self._postponed.append(item)
            self._mailbox.held += 1
        if self._state_changed:
            self._release_postponed()
        return None if stop is None else stop.reason

    def postpone(self) -> None:
        """Let the message that is being handled come again after the next change of state.

        Raises:
            OutsideActorError: None is being handled.
        """
        if not self._handling:
            raise OutsideActorError(
                f"{self._ref}: postpone() is for the message that is being handled; there is none"
            )
        self._postpone_item = True

    def state_changed(self) -> None:
        """Let what was postponed come again, once the message that is being handled is done."""
        self._state_changed = True
        if not self._handling:
            self._release_postponed()
            self._mailbox.wake()

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
            f"{type(self._actor).__qualname__}.{callback} must return {allowed}, not {answer!r}"
        )

    def close(self, reason: ExitReason) -> int:
        """Give the last reply, fail every other call, and return the number of casts that nobody will read."""
        if self._last_reply is not None:
            self._last_reply[0].reply(self._last_reply[1])
        left = [item for item in self._postponed if isinstance(item, Envelope)] + self._mailbox.close()
        for reply_to in [*self._owed, *(envelope.reply_to for envelope in left)]:
            if reply_to is not None:
                reply_to.fail_exit(self._ref, reason)
        return sum(envelope.reply_to is None for envelope in left)

    async def _handle_call(self, request: object, reply_to: ReplyTo) -> Stop | None:
        self._owe(reply_to)
        if reply_to.chain:
            call_chain.set((*reply_to.chain, self._ref))
        try:
            answer: object = await self._actor.handle_call(request, reply_to)
        except RejectError as error:
            reply_to.reject(error)
            return None
        finally:
            if reply_to.chain:
                call_chain.set((self._ref,))
        match answer:
            case Reply(value):
                reply_to.reply(value)
                return None
            case NoReply():
                return None
            case Stop(_, reply):
                if reply is not NOTHING:
                    self._last_reply = (reply_to, reply)
                return answer
            case _:
                raise self.bad_return("handle_call", answer, "Reply, NoReply or Stop")

    def _owe(self, reply_to: ReplyTo) -> None:
        if reply_to.waiting:
            self._owed[reply_to] = None
            reply_to.when_done(self._settled)

    def _settled(self, reply_to: ReplyTo) -> None:
        self._owed.pop(reply_to, None)

    def _release_postponed(self) -> None:
        self._state_changed = False
        self._mailbox.again.extendleft(reversed(self._postponed))
        self._postponed.clear()


def _news(item: object) -> object | None:
    """Return what `handle_info` is given for `item`, or None when it was cancelled after it was queued."""
    if isinstance(item, Timer):
        return None if item.cancelled else item.delivered
    if isinstance(item, Down) and item.monitor is not None and item.monitor.cancelled:
        return None
    return item
