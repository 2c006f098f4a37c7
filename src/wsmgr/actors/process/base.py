"""What every process is, whether an actor or a supervisor runs in it: its links, its monitors and its end.

The order of an end is a promise (`Process.finish`):

1. names are freed, so that whoever is told can take them;
2. nothing reaches the process any more: its reference answers `NoProc`;
3. calls that it owes an answer fail with its reason, unread mail is counted;
4. linked processes, then monitors are told;
5. its supervisor is told last, and may start a successor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

from wsmgr.actors.events import Exited, Started
from wsmgr.actors.reasons import Crash, ExitReason

from .context import current_actor

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from wsmgr.actors.events import Event
    from wsmgr.actors.ref import ActorRef, Monitor

    from .calls import ReplyTo


class Owner(Protocol):
    """What a process needs from the supervisor that runs it."""

    def spawn(self, fn: Callable[..., Coroutine[Any, Any, None]], *args: object, name: str) -> None:
        """Run `fn(*args)` as a task that ends before the supervisor does."""

    def child_started(self, process: Process) -> None:
        """Take note that `process` is done with its start."""

    def child_ended(self, process: Process) -> None:
        """Take note that `process` has ended."""

    def fatal(self, error: BaseException) -> None:
        """Stop the whole tree and let its root raise `error` (`SystemExit`, `KeyboardInterrupt`)."""

    def emit(self, event: Event) -> None:
        """Report `event`."""


class Process(ABC):
    """One incarnation: made by a supervisor, run once, never again.

    Attributes:
        ref: The handle that others have.
        child_id: The id in the child's spec.
        begun: Whether its task runs.
        acknowledged: Whether the start is done.
        ignored: Whether `init` answered `Ignore`.
        healthy: Whether it said that it does what it is for.
        reason: Why it ended, or None while it runs.
        watching: The monitors whose `Down` is for this process.
        monitors: The monitors on this process, in the order in which they were made.
        links: The processes that hear of its end as a signal.
        accept_cast: Queues a cast; False when it is not accepted. Bound once, since it is called most.
        at_exit: What to undo before anyone is told of the end (names).
    """

    accept_cast: Callable[[object], bool]

    def __init__(self, ref: ActorRef[Any], owner: Owner, child_id: object, restarts: int) -> None:
        self.ref = ref
        self.owner = owner
        self.child_id = child_id
        self.begun = False
        self.acknowledged = False
        self.ignored = False
        self.healthy = False
        self.reason: ExitReason | None = None
        self.watching: set[Monitor] = set()
        self.monitors: dict[Monitor, None] = {}
        self.at_exit: dict[Callable[[], None], None] = {}
        self.links: dict[ActorRef[Any], None] = {}
        self._restarts = restarts
        ref.process = self

    async def run(self) -> None:
        """Live, and end by `finish`.

        On trio a Ctrl-C is raised in whatever code it finds, the runtime's own included: it ends the program in order,
        and only another one at this very place is passed on.
        """
        self.begun = True
        current_actor.set(self.ref)
        try:
            await self.live()
        except (KeyboardInterrupt, SystemExit) as error:
            self.owner.fatal(error)
            await self.abandon()
            self.finish(self.reason or Crash(error))

    @abstractmethod
    async def live(self) -> None:
        """Live, and end by `finish`."""

    @abstractmethod
    async def abandon(self) -> None:
        """End what runs beside the process, after an interruption."""

    @abstractmethod
    def shutdown(self, reason: ExitReason) -> None:
        """End because the supervisor says so: in good order, with `reason`."""

    @abstractmethod
    def kill(self) -> None:
        """End now."""

    @abstractmethod
    def exit_signal(self, sender: ActorRef[Any] | None, reason: ExitReason, *, kill: bool) -> None:
        """React to an exit signal from `sender`; `kill` makes it one that cannot be trapped."""

    @abstractmethod
    def request_stop(self, reason: ExitReason) -> None:
        """End between two callbacks."""

    @abstractmethod
    def accept_send(self, message: object) -> bool:
        """Queue a cast if there is space."""

    @abstractmethod
    def accept_call(self, request: object, reply_to: ReplyTo) -> None:
        """Queue a call, or raise."""

    @abstractmethod
    def accept_info(self, message: object) -> None:
        """Queue a message of the runtime."""

    @abstractmethod
    async def wait_for_space(self) -> None:
        """Wait until `accept_send` may succeed, or the process has ended."""

    @property
    def queued(self) -> int:
        """Calls and casts that wait."""
        return 0

    def link(self, other: ActorRef[Any]) -> None:
        """Link both processes; one that is gone already answers with a signal: `NoProc()`, a task how it ended."""
        peer = other.process
        if peer is self:
            return
        if peer is None:
            self.exit_signal(other, other.late_reason, kill=False)
            return
        self.links[other] = None
        peer.links[self.ref] = None

    def unlink(self, other: ActorRef[Any]) -> None:
        """Undo `link`."""
        self.links.pop(other, None)
        if other.process is not None:
            other.process.links.pop(self.ref, None)

    def acknowledge(self) -> None:
        """Tell the supervisor that the start is done."""
        self.acknowledged = True
        if not self.ignored:
            self.owner.emit(Started(ref=self.ref, child_id=self.child_id, restarts=self._restarts))
        self.owner.child_started(self)

    def finish(self, reason: ExitReason, masked: BaseException | None = None) -> None:
        """End with `reason`, in the order that the module promises. Synchronous: nothing comes between.

        When it was interrupted it can be called again, and goes on; `Exited` may then be reported twice.
        """
        for undo in list(self.at_exit):
            undo()
        self.reason = self.ref.exit_reason = reason
        self.ref.process = None
        for monitor in list(self.watching):
            monitor.cancel()
        self.discard_mail(reason)
        last_message, status = self.post_mortem(reason)
        self.owner.emit(
            Exited(
                ref=self.ref,
                child_id=self.child_id,
                reason=reason,
                masked=masked,
                started=self.acknowledged,
                last_message=last_message,
                status=status,
            )
        )
        for ref in list(self.links):
            del self.links[ref]
            peer = ref.process
            if peer is not None:
                peer.links.pop(self.ref, None)
                peer.exit_signal(self.ref, reason, kill=False)
        for monitor in list(self.monitors):
            del self.monitors[monitor]
            monitor.fire(reason)
        self.owner.child_ended(self)

    def post_mortem(self, reason: ExitReason) -> tuple[object, Mapping[str, object] | None]:  # noqa: ARG002
        """Return what was being handled when it crashed, and what it shows of itself."""
        return None, None

    @abstractmethod
    def discard_mail(self, reason: ExitReason) -> None:
        """Fail the calls that wait for an answer and count the rest."""
