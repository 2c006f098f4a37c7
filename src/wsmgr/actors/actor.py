"""What people write: a class with callbacks, of which one runs at a time.

`Actor` is OTP's gen_server. A callback that raises ends the actor (`Crash`), its callers are told, and its supervisor
decides what happens next: no state survives an exception that its author did not foresee.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from .errors import OutsideActorError
from .mailbox_policy import MailboxPolicy
from .process.helper_tasks import name_of
from .process.state import shown
from .ref import ActorRef, Monitor
from .validation import check_seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from .messages import Continue, Ignore, NoReply, Reply, Stop
    from .process.calls import ReplyTo
    from .process.runner import ActorProcess
    from .process.timers import Timer
    from .reasons import ExitReason

_log = logging.getLogger("wsmgr.actors")

Msg = TypeVar("Msg")


class Actor(Generic[Msg]):
    """A process with state and a mailbox: derive from it, override the callbacks that are needed.

    `Msg` is what `cast` and `send` carry. An instance is made by the `start` of a `ChildSpec` and used for one
    incarnation. `__init__` belongs to the derived class and need not call the base's.

    Attributes:
        trap_exit: True turns exit signals into `ExitSignal` messages and lets `terminate` run on every end but
            `Killed`. False, as in OTP: a signal ends the actor at its next await, without `terminate`.
        mailbox: How much mail it holds, and what happens then.
    """

    trap_exit: ClassVar[bool] = False
    mailbox: ClassVar[MailboxPolicy] = MailboxPolicy()

    ref_class: ClassVar[type[ActorRef[Any]]] = ActorRef
    """For the runtime: the class of its references."""

    actor_process: ActorProcess | None = None
    """For the runtime: what runs this actor, or None before it is started."""

    # -- callbacks -------------------------------------------------------------------------------------------------

    async def init(self) -> Continue | Ignore | Stop | None:
        """Prepare; the supervisor waits for it, so it must be short and not wait for the network.

        Returns:
            None to run, `Continue(token)` to do more before the first message, `Ignore()` when there is nothing to
            run, `Stop(reason)` (or raise) to fail.
        """
        return None

    async def handle_call(self, request: Any, reply_to: ReplyTo, /) -> Reply | NoReply | Stop:  # noqa: ANN401 - what callers and `Continue` carry is Any by nature
        """Answer a call.

        Args:
            request: What the caller gave to `call`.
            reply_to: Where the answer goes, for `NoReply` and an answer later.

        Returns:
            `Reply(value)`, `NoReply()`, or `Stop(reason, reply)`.

        Raises:
            RejectError: To refuse: the caller gets it, the actor lives on. Anything else ends the actor.
        """
        raise NotImplementedError(
            f"{type(self).__qualname__} has no handle_call, and was called with {type(request).__name__}"
        )

    async def handle_cast(self, message: Msg, /) -> Stop | None:
        """Handle a message of `cast` or `send`."""
        raise NotImplementedError(
            f"{type(self).__qualname__} has no handle_cast, and was sent {type(message).__name__}"
        )

    async def handle_info(self, message: object, /) -> Stop | None:
        """Handle what the runtime tells: `Down`, `ExitSignal`, `Timer`, `StateTimeout`. By default it is logged."""
        _log.warning("%s has no handle_info, and was told %s", self.ref, type(message).__name__)
        return None

    async def handle_continue(self, token: Any, /) -> Stop | None:  # noqa: ANN401 - what callers and `Continue` carry is Any by nature
        """Go on after `init` answered `Continue(token)`, before any message."""
        raise NotImplementedError(
            f"{type(self).__qualname__} has no handle_continue, and continues with {type(token).__name__}"
        )

    async def terminate(self, reason: ExitReason, /) -> None:
        """Clean up.

        Once `init` has succeeded it runs after `Stop`, `ActorRef.stop` and a crash; with `trap_exit` at every end but
        `Killed`. It may await. When the supervisor ends the actor, the `shutdown` of its spec is the deadline.
        """

    def format_status(self) -> Mapping[str, object]:
        """Return what may be seen of the state: by `get_status`, and in the log of a crash. Override it to redact.

        By default attributes, those with a leading underscore as the name of their class only. A crash is logged
        with it only where a class has its own.
        """
        return shown(self)

    # -- for the callbacks -----------------------------------------------------------------------------------------

    @property
    def ref(self) -> ActorRef[Msg]:
        """The reference to this incarnation.

        Raises:
            OutsideActorError: It was not started yet.
        """
        return running(self).ref

    def send_after(self, delay: float, message: object) -> Timer:
        """Let `handle_info` get a `Timer` with `message` in `delay` seconds. It ends with the actor."""
        check_seconds("delay", delay)
        return running(self).arm(message, delay)

    def send_interval(self, interval: float, message: object) -> Timer:
        """Let `handle_info` get a `Timer` with `message` every `interval` seconds, the first time after one.

        The times are on a fixed grid: they do not drift, and ticks that a busy actor missed are skipped.
        """
        check_seconds("interval", interval, zero=False)
        return running(self).arm(message, interval, interval=interval)

    def monitor(self, ref: ActorRef[Any]) -> Monitor:
        """Let `handle_info` get one `Down(ref, reason)` when the process of `ref` has ended."""
        return Monitor(ref, running(self))

    def link(self, ref: ActorRef[Any]) -> None:
        """Link with the process of `ref`: when one ends, but for `Normal`, the other gets its reason as a signal."""
        running(self).link(ref)

    def unlink(self, ref: ActorRef[Any]) -> None:
        """Undo `link`."""
        running(self).unlink(ref)

    def start_soon(
        self, fn: Callable[..., Awaitable[object]], *args: object, name: str | None = None
    ) -> None:
        """Run `await fn(*args)` beside the callbacks, as a helper task linked with this actor.

        When it raises, the actor crashes with that exception: what a callback is doing is cancelled, and `terminate`
        runs. The same holds for a cancellation that nobody asked for. That it returns is no news. When the actor ends
        the helper is cancelled after `terminate`, which may still use what it serves, and has ended before anyone is
        told of the actor's end.

        Args:
            fn: An async function. It may `call` this actor.
            args: Its arguments.
            name: For people; by default the function's.
        """
        running(self).start_helper(fn, args, name or name_of(fn))

    def healthy(self) -> None:
        """Say that this incarnation does what it is for: the backoff of its spec starts anew at the next failure."""
        running(self).healthy = True


def running(actor: Actor[Any]) -> ActorProcess:
    """Return what runs `actor`; for the runtime.

    Raises:
        OutsideActorError: It was not started yet.
    """
    if actor.actor_process is None:
        raise OutsideActorError(
            f"{type(actor).__qualname__} is not started; a supervisor starts it from a spec"
        )
    return actor.actor_process
