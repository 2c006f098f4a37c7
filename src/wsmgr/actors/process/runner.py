"""The life of one actor: `init`, its messages one at a time, `terminate`, and the crash boundary around them.

Two scopes, entered in the first step of the task so that an end can reach it at any time::

    kill scope( work scope( init -> acknowledge -> messages ) -> terminate ) -> helper tasks end -> finish

The *work* scope is cancelled when the actor has to stop what it is doing: an exit signal that it does not trap, or
the failure of a helper task. `terminate` runs outside of it, so that it may await. The *kill* scope is cancelled by
`Killed`, and by a signal that meets an actor that does not trap exits in its `terminate`.

A cancellation that arrives when neither was cancelled was not asked for by anyone here: it is a crash
(`ForeignCancellationError`), never a shutdown.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

import anyio
from anyio.lowlevel import checkpoint

from wsmgr.actors.actor import Actor
from wsmgr.actors.errors import ForeignCancellationError, MailboxFullError, OutsideActorError
from wsmgr.actors.mailbox_policy import Conflate
from wsmgr.actors.messages import NOTHING, Continue, ExitSignal, Ignore, StateTimeout, Stop
from wsmgr.actors.reasons import (
    Crash,
    ExitReason,
    Killed,
    Normal,
    error_of,
    fatal_error,
    is_cancellation,
    masked_error,
)

from .base import Process
from .calls import Call
from .context import call_chain
from .dispatch import Dispatcher
from .helper_tasks import HelperTasks
from .mailbox import Mailbox
from .system import StopRequest
from .timers import Timer, TimerQueue

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from wsmgr.actors.ref import ActorRef

    from .base import Owner
    from .calls import ReplyTo
    from .system import SystemRequest

_log = logging.getLogger("wsmgr.actors")

BATCH = 64
"""Messages that an actor handles before it lets others run: timers are then about 0.05 ms late, not 12."""


class ActorProcess(Process):
    """The process of one actor."""

    def __init__(
        self, actor: Actor[Any], ref: ActorRef[Any], owner: Owner, child_id: object, restarts: int
    ) -> None:
        super().__init__(ref, owner, child_id, restarts)
        self.mailbox = Mailbox(actor.mailbox, self._lost)
        self.timers = TimerQueue()
        self.dispatcher = Dispatcher(actor, ref, self.mailbox, self._carry_out)
        self._conflates = isinstance(actor.mailbox.overflow, Conflate)
        self.accept_cast = self._cast_by_key if self._conflates else self.mailbox.cast
        self.actor = actor
        self._traps = actor.trap_exit
        self._work_scope = anyio.CancelScope()
        self._kill_scope = anyio.CancelScope()
        self._cause: ExitReason | None = None
        self._cause_is_crash = False
        self._kill_reason: ExitReason | None = None
        self._terminating = False
        self._masked: BaseException | None = None
        self._helpers: HelperTasks | None = None
        self.state: object = None
        """Of a state machine: its state."""
        self._state_timer: Timer | None = None
        actor.actor_process = self

    # -- mail ------------------------------------------------------------------------------------------------------

    @property
    def queued(self) -> int:
        """Calls and casts that wait."""
        return len(self.mailbox.user) + self.mailbox.held

    def accept_send(self, message: object) -> bool:
        """Queue a cast if there is space."""
        return not self.mailbox.full and self.accept_cast(message)

    def accept_call(self, request: object, reply_to: ReplyTo) -> None:
        """Queue a call by the policy.

        Raises:
            MailboxFullError: It was not accepted.
        """
        if not self.mailbox.call(Call(request, reply_to)):
            raise MailboxFullError(self.ref, self.mailbox.policy.capacity)

    def accept_info(self, message: object) -> None:
        """Queue a message of the runtime: beyond the bound, served first."""
        self.mailbox.put_system(message)

    async def wait_for_space(self) -> None:
        """Wait until a message was taken, or the actor has ended."""
        await self.mailbox.wait_for_space()

    async def abandon(self) -> None:
        """End what runs beside the actor, after an interruption."""
        if self._helpers is not None:
            await self._helpers.end()

    def discard_mail(self, reason: ExitReason) -> None:
        """Fail the calls that wait for an answer and count the rest as dead letters."""
        casts = self.dispatcher.close(reason)
        if casts:
            self.ref.count_dead_letter("exited", casts)

    def _cast_by_key(self, message: object) -> bool:
        try:
            return self.mailbox.cast(message)
        except Exception as error:  # noqa: BLE001 - the crash boundary: the key of `conflate`
            # The key of `conflate` is the actor's own code: its failure is the actor's, never the sender's.
            self._interrupt(Crash(error), crash=True)
            self.ref.count_dead_letter("crashed", silently=True)
            return False

    def _lost(self, item: object) -> None:
        if type(item) is Call:
            item.reply_to.fail_full(self.ref, self.mailbox.policy.capacity)
        # What the policy lets an actor drop is its own wish, and no news.
        wished = not self._conflates and self.mailbox.policy.overflow != "reject"
        self.ref.count_dead_letter("overflow", silently=wished)

    def _carry_out(self, request: SystemRequest) -> None:
        request.carry_out(self)

    @property
    def helpers(self) -> int:
        """Helper tasks that run."""
        return 0 if self._helpers is None else self._helpers.running

    def post_mortem(self, reason: ExitReason) -> tuple[object, Mapping[str, object] | None]:
        """Return what was being handled and what the actor shows of itself, if it crashed."""
        if not isinstance(reason, Crash):
            return None, None
        current = self.dispatcher.current
        message = current.request if isinstance(current, Call) else current
        return None if message is NOTHING else message, _own_status(self.actor)

    # -- ends ------------------------------------------------------------------------------------------------------

    def shutdown(self, reason: ExitReason) -> None:
        """Obey the supervisor: a trapping actor serves its earlier mail first, any other stops at once."""
        if self._traps:
            self.mailbox.exit_after_queued(reason)
        else:
            self._interrupt(reason, crash=False)

    def kill(self) -> None:
        """Cancel everything, `terminate` included."""
        self._kill(Killed())

    def exit_signal(self, sender: ActorRef[Any] | None, reason: ExitReason, *, kill: bool) -> None:
        """React as OTP does: trapped, ignored (`Normal` of others), or the end."""
        if kill:
            self._kill(Killed())
        elif self._traps:
            self.accept_info(ExitSignal(sender, reason))
        elif not isinstance(reason, Normal) or sender is self.ref:
            self._interrupt(reason, crash=False)

    def request_stop(self, reason: ExitReason) -> None:
        """End between two callbacks, ahead of queued mail."""
        self.accept_info(StopRequest(reason))

    def _interrupt(self, reason: ExitReason, *, crash: bool) -> None:
        if self._terminating:
            if not crash and not self._traps:
                self._kill(reason)
        elif self._cause is None:
            self._cause = reason
            self._cause_is_crash = crash
            self._work_scope.cancel()
            self.mailbox.stop()

    def _kill(self, reason: ExitReason) -> None:
        if self._kill_reason is None:
            self._kill_reason = reason
            self._kill_scope.cancel()
            self.mailbox.stop()

    # -- for the actor's own methods -------------------------------------------------------------------------------

    def arm(
        self, message: object, delay: float, *, interval: float | None = None, payload: object = None
    ) -> Timer:
        """Add a timer that is due in `delay` seconds."""
        timer = self.timers.add(message, anyio.current_time() + delay, interval=interval, payload=payload)
        self.mailbox.wake()
        return timer

    def next_state(self, state: object, timeout: float | None) -> None:
        """Go to `state` of a state machine; see `StateMachine.next_state`."""
        changed = state != self.state
        if self._state_timer is not None and (changed or timeout is not None):
            self._state_timer.cancel()
            self._state_timer = None
        self.state = state
        if changed:
            self.dispatcher.state_changed()
        if timeout is not None:
            self._state_timer = self.arm(None, timeout, payload=StateTimeout(state))

    def start_helper(self, fn: Callable[..., Awaitable[object]], args: tuple[object, ...], name: str) -> None:
        """Run `fn(*args)` beside the actor; its failure is the actor's crash.

        Raises:
            OutsideActorError: The actor has ended.
        """
        if self.reason is not None:
            raise OutsideActorError(f"{self.ref} has ended and starts no helper task {name!r} any more")
        if self._helpers is None:
            self._helpers = HelperTasks(self.ref, self.owner.spawn, self._helper_failed)
        self._helpers.start(fn, args, name)

    def _helper_failed(self, error: BaseException, *, cancelled: bool) -> None:
        crash = self._crash(error)
        if cancelled or (self._cause is not None and not self._terminating):
            self._masked = self._masked or crash.error
        elif self._terminating:
            # `terminate` closes what the helper serves, so that it fails now is no news.
            _log.debug("%s: a helper task failed during terminate", self.ref, exc_info=crash.error)
        else:
            self._interrupt(crash, crash=True)

    # -- life ------------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """Live from `init` to the end."""
        call_chain.set((self.ref,))
        outcome: ExitReason | None = None
        try:
            with self._kill_scope:
                reason, failed = await self._work()
                if self._says_goodbye(failed=failed):
                    self._terminating = True
                    reason = await self._terminate(reason)
                outcome = reason
        except anyio.get_cancelled_exc_class() as error:
            # A native cancellation that coincides with ours passes through the scope.
            self._note_masked(error)
        self._terminating = True
        if self._helpers is not None:
            foreign = await self._helpers.end()
            self._masked = self._masked or (None if foreign is None else self._foreign(foreign))
        if isinstance(self._kill_reason, Killed):
            # Whatever a callback returned in the same step; a crash is not lost with it.
            self._masked = self._masked or (None if outcome is None else error_of(outcome))
            outcome = self._kill_reason
        self.finish(outcome or self._kill_reason or Crash(self._foreign(None)), self._masked)

    async def _work(self) -> tuple[ExitReason, bool]:
        try:
            with self._work_scope:
                try:
                    return await self._init_and_serve(), False
                except GeneratorExit:
                    raise
                except BaseException as error:
                    if is_cancellation(error) and self._asked_for:
                        self._note_masked(error)
                        raise
                    crash = self._crash(error)
                    if self._cause is None:
                        return crash, True
                    self._masked = self._masked or crash.error
        except anyio.get_cancelled_exc_class():
            if self._cause is None:
                raise
        assert self._cause is not None  # noqa: S101 - nothing else leaves the scope
        return self._kill_reason or self._cause, self._cause_is_crash

    @property
    def _asked_for(self) -> bool:
        return self._cause is not None or self._kill_reason is not None

    async def _init_and_serve(self) -> ExitReason:
        if self._asked_for:
            await anyio.sleep_forever()
        answer: object = await self.actor.init()
        match answer:
            case Ignore():
                self.ignored = True
                self.acknowledge()
                return Normal()
            case Stop(reason):
                return reason
            case None:
                self.acknowledge()
            case Continue(token):
                self.acknowledge()
                stop = self.dispatcher.checked("handle_continue", await self.actor.handle_continue(token))
                if stop is not None:
                    return stop.reason
            case _:
                raise self.dispatcher.bad_return("init", answer, "None, Continue, Ignore or Stop")
        return await self._serve()

    async def _serve(self) -> ExitReason:
        mailbox, timers = self.mailbox, self.timers
        while True:
            if self._asked_for:
                await anyio.sleep_forever()
            if timers and not mailbox.exit_due and not mailbox.suspended:
                # Once a batch, in which at least one call or cast is served: neither a chain of timers nor a flood of
                # mail starves the other.
                mailbox.system.extend(timers.take_due(anyio.current_time()))
            reason = await self.dispatcher.run_batch(BATCH, timers.heap)
            if reason is not None:
                return reason
            if self.dispatcher.drained:
                await mailbox.wait(math.inf if mailbox.suspended else timers.next_due)
            else:
                await checkpoint()

    def _says_goodbye(self, *, failed: bool) -> bool:
        if not self.acknowledged or self.ignored or self._kill_reason is not None:
            return False
        return failed or self._traps or self._cause is None

    async def _terminate(self, reason: ExitReason) -> ExitReason:
        try:
            await self.actor.terminate(reason)
        except GeneratorExit:
            raise
        except BaseException as error:
            if is_cancellation(error) and self._kill_reason is not None:
                self._masked = self._masked or error_of(reason)
                self._note_masked(error)
                raise
            if isinstance(reason, Crash) and error.__context__ is None:
                error.__context__ = reason.error
            return self._crash(error)
        return reason

    # -- reasons ---------------------------------------------------------------------------------------------------

    def _crash(self, error: BaseException) -> Crash:
        if is_cancellation(error):
            return Crash(self._foreign(error))
        fatal = fatal_error(error)
        if fatal is not None:
            self.owner.fatal(fatal)
        return Crash(error)

    def _foreign(self, error: BaseException | None) -> ForeignCancellationError:
        foreign = ForeignCancellationError(f"{self.ref} was cancelled, and nobody had asked for that")
        foreign.__cause__ = error
        return foreign

    def _note_masked(self, cancellation: BaseException) -> None:
        self._masked = self._masked or masked_error(cancellation.__context__)


def _own_status(actor: Actor[Any]) -> Mapping[str, object] | None:
    """Return what the class of `actor` wants to be seen; None when it has not said what."""
    if type(actor).format_status is Actor[Any].format_status:
        return None
    try:
        return actor.format_status()
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:  # noqa: BLE001 - the crash boundary: it describes an actor that crashed already
        return {"format_status": f"raised {error!r}"}
