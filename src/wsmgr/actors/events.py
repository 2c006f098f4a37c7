"""What supervisors report, as data: to listeners, and to the log `wsmgr.actors`.

Listeners are for programs (`Supervisor(..., on_event=...)`, inherited by nested supervisors), the log is for people.
Ends that are expected (`Normal`, `Shutdown`) are not errors in it, and tracebacks carry no local variables.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import field, fields, frozen

from .reasons import Crash, ExitReason, describe, is_expected

if TYPE_CHECKING:
    from collections.abc import Iterable

    # ref imports this module: an annotation is all that is needed here.
    from .ref import ActorRef  # noqa: TC004

_log = logging.getLogger("wsmgr.actors")


@frozen(kw_only=True)
class Started:
    """A process has acknowledged its start.

    Attributes:
        ref: The process.
        child_id: Its id in the spec.
        restarts: How often this child had been restarted.
    """

    ref: ActorRef[Any]
    child_id: object
    restarts: int = 0


@frozen(kw_only=True)
class Exited:
    """A process has ended, and whatever belonged to it is gone.

    Attributes:
        ref: The process.
        child_id: Its id in the spec.
        reason: Why.
        masked: An exception that the process met while it was being ended, and that its reason does not show.
    """

    ref: ActorRef[Any]
    child_id: object
    reason: ExitReason
    masked: BaseException | None = None


@frozen(kw_only=True)
class Restarting:
    """A child will be started again.

    Attributes:
        supervisor: Who does it.
        child_id: Whom.
        reason: Why the child ended, or could not be started.
        delay: Seconds until the attempt; 0.0 at once.
        attempt: Its number in a row, from 1, where the child has a backoff; else 1.
    """

    supervisor: ActorRef[Any]
    child_id: object
    reason: ExitReason
    delay: float
    attempt: int


@frozen(kw_only=True)
class GaveUp:
    """A supervisor has used up its budget and ends.

    Attributes:
        supervisor: Who.
        child_id: The child whose end was one too many.
        reason: Why that child ended.
        why: `reached_max_restart_intensity` or `reached_max_consecutive`.
    """

    supervisor: ActorRef[Any]
    child_id: object
    reason: ExitReason
    why: str


@frozen(kw_only=True)
class ShutdownError:
    """A child was told to end and ended otherwise: killed at its deadline, or by an exception.

    Attributes:
        ref: The child.
        child_id: Its id in the spec.
        reason: With what it ended.
    """

    ref: ActorRef[Any]
    child_id: object
    reason: ExitReason


@frozen(kw_only=True)
class Zombie:
    """A child was killed and has not ended within the grace; its supervisor goes on waiting.

    Attributes:
        ref: The child.
        child_id: Its id in the spec.
        stack: Where its tasks stand: `file:line function`, outermost first.
    """

    ref: ActorRef[Any]
    child_id: object
    stack: tuple[str, ...]


@frozen(kw_only=True)
class DeadLetter:
    """Mail that nobody read. Reported when the count passes a power of two.

    Attributes:
        ref: For whom it was.
        count: How many so far.
        why: `exited`: the process had ended, or ended with mail in its box. `overflow`: the mailbox was full.
    """

    ref: ActorRef[Any]
    count: int
    why: str


Event: TypeAlias = Started | Exited | Restarting | GaveUp | ShutdownError | Zombie | DeadLetter


@frozen
class Reporter:
    """Hands events to the log and to listeners; a listener that raises harms nobody."""

    listeners: tuple[Callable[[Event], None], ...] = field(default=())

    def joined(self, more: Iterable[Callable[[Event], None]]) -> Reporter:
        """Return a reporter with these listeners and `more`, each once."""
        return Reporter(tuple(dict.fromkeys((*self.listeners, *more))))

    def __call__(self, event: Event) -> None:
        """Report `event`."""
        _write(event)
        for listener in self.listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - a listener is somebody else's code
                _log.exception(
                    "a listener for supervision events failed", extra={"event": type(event).__name__}
                )


def _write(event: Event) -> None:
    level, error = _level(event)
    if _log.isEnabledFor(level):
        detail = {each.name: getattr(event, each.name) for each in fields(type(event))}
        _log.log(
            level,
            "%s",
            _sentence(event),
            exc_info=None if error is None else (type(error), error, error.__traceback__),
            extra={"event": type(event).__name__, "detail": detail},
        )


def _level(event: Event) -> tuple[int, BaseException | None]:
    match event:
        case Exited(reason=reason, masked=masked):
            if is_expected(reason):
                return (logging.DEBUG if masked is None else logging.INFO), masked
            if isinstance(reason, Crash) and getattr(reason.error, "expected", False):
                # Its author says that this end is part of the work, such as a connection that was lost.
                return logging.INFO, None
            return logging.ERROR, reason.error if isinstance(reason, Crash) else masked
        case GaveUp() | ShutdownError() | Zombie():
            return logging.ERROR, None
        case DeadLetter(why="exited", ref=ref) if ref.exit_reason is not None and is_expected(
            ref.exit_reason
        ):
            # It ended in an orderly way, and so nobody waits for what it left.
            return logging.DEBUG, None
        case Restarting() | DeadLetter():
            return logging.WARNING, None
        case Started():
            return logging.DEBUG, None


def _sentence(event: Event) -> str:
    match event:
        case Started(ref=ref, restarts=restarts):
            return f"{ref} started" + (f" (restart {restarts})" if restarts else "")
        case Exited(ref=ref, reason=reason, masked=masked):
            return f"{ref} ended: {describe(reason)}" + (f"; on the way it met {masked!r}" if masked else "")
        case Restarting(supervisor=ref, child_id=child_id, delay=delay, attempt=attempt):
            return f"{ref} restarts {child_id!r} in {delay:.3g} s (attempt {attempt})"
        case GaveUp(supervisor=ref, child_id=child_id, reason=reason, why=why):
            return f"{ref} gave up ({why}); last was {child_id!r}: {describe(reason)}"
        case ShutdownError(ref=ref, reason=reason):
            return f"{ref} did not end as it was told to: {describe(reason)}"
        case Zombie(ref=ref, stack=stack):
            return f"{ref} was killed and still runs: {' < '.join(reversed(stack)) or 'no stack'}"
        case DeadLetter(ref=ref, count=count, why=why):
            return f"{ref}: {count} messages so far were not read ({why})"
