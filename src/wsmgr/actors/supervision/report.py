"""Where events go: to the log `wsmgr.actors`, to listeners, and into counters.

The log is for people, with the fields of OTP's supervisor reports (`supervisor`, `error_context`, `reason`,
`offender`) for programs that read logs. Ends that are expected (`Normal`, `Shutdown`) are no errors in it. It shows
neither messages nor state: of a message its class, of an actor what its own `format_status` shows, and tracebacks
carry no local variables.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

from wsmgr.actors.events import (
    DeadLetter,
    Exited,
    GaveUp,
    Restarting,
    ShutdownError,
    Started,
    StartFailed,
    Zombie,
)
from wsmgr.actors.reasons import Crash, describe, error_of, is_expected

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.actors.events import Event
    from wsmgr.actors.spec import ChildSpec

_OF_SUPERVISORS = (StartFailed, Restarting, GaveUp)

_log = logging.getLogger("wsmgr.actors")


class Reporter:
    """Reports the events of one supervisor; the reporters of the supervisors above it are told as well.

    Attributes:
        counts: How many events of each class there were below this supervisor.
    """

    def __init__(self, listener: Callable[[Event], None] | None) -> None:
        self.counts: Counter[str] = Counter()
        self._listener = listener
        self._above: Reporter | None = None

    def join(self, above: Reporter) -> None:
        """Tell `above` of everything, too."""
        self._above = above

    def __call__(self, event: Event, spec: ChildSpec | None, *, wished: bool) -> None:
        """Report `event`. A listener that raises harms nobody.

        Args:
            event: What happened.
            spec: That of the child that it is about, if any.
            wished: Whether it is an end by force that was asked for, which is no error.
        """
        _write(event, spec, logging.DEBUG if wished else None)
        told: list[Callable[[Event], None]] = []
        reporter: Reporter | None = self
        while reporter is not None:
            reporter.counts[type(event).__name__] += 1
            listener = reporter._listener  # noqa: SLF001 - its own class
            if listener is not None and listener not in told:
                told.append(listener)
                _tell(listener, event)
            reporter = reporter._above  # noqa: SLF001 - its own class


def _tell(listener: Callable[[Event], None], event: Event) -> None:
    try:
        listener(event)
    except Exception:  # noqa: BLE001 - a listener is somebody else's code
        _log.exception("a listener for supervision events failed", extra={"event": type(event).__name__})


def _write(event: Event, spec: ChildSpec | None, wanted_level: int | None) -> None:
    level, error = _level(event) if wanted_level is None else (wanted_level, None)
    if _log.isEnabledFor(level):
        exc_info = None if error is None else (type(error), error, error.__traceback__)
        _log.log(level, "%s", _sentence(event), exc_info=exc_info, extra=_fields(event, spec))


def _fields(event: Event, spec: ChildSpec | None) -> dict[str, object]:
    """Return the fields of OTP's report that says the same, and what else is to say."""
    above = event.supervisor if isinstance(event, _OF_SUPERVISORS) else event.ref.parent
    found: dict[str, object] = {
        "event": type(event).__name__,
        "supervisor": None if above is None else above.path,
    }
    if isinstance(event, DeadLetter):
        return found | {"actor": str(event.ref), "count": event.count, "why": event.why}
    pid = None if isinstance(event, _OF_SUPERVISORS) else str(event.ref)
    offender: dict[str, object] = {"id": str(event.child_id), "pid": pid}
    if spec is not None:
        offender |= {"restart": spec.restart, "shutdown": spec.shutdown, "type": spec.type}
    found["offender"] = offender
    match event:
        case Started(restarts=restarts):
            return found | {"restarts": restarts}
        case Zombie(stack=stack):
            return found | {"stack": stack}
        case StartFailed(reason=reason):
            return found | {"error_context": "start_error", "reason": describe(reason)}
        case ShutdownError(reason=reason):
            return found | {"error_context": "shutdown_error", "reason": describe(reason)}
        case GaveUp(reason=reason, why=why):
            return found | {"error_context": "shutdown", "reason": why, "last_reason": describe(reason)}
        case Restarting(reason=reason, delay=delay, attempt=attempt):
            return found | {"reason": describe(reason), "delay": delay, "attempt": attempt}
        case Exited(reason=reason, started=started, last_message=message, status=status):
            return found | {
                "error_context": "child_terminated" if started else "start_error",
                "reason": describe(reason),
                "last_message": None if message is None else type(message).__name__,
                "status": status,
            }


def _level(event: Event) -> tuple[int, BaseException | None]:
    match event:
        case Exited(reason=reason, masked=masked):
            if is_expected(reason):
                return (logging.DEBUG if masked is None else logging.INFO), masked
            if isinstance(reason, Crash) and getattr(reason.error, "expected", False):
                # Its author says that this end is part of the work, such as a connection that was lost.
                return logging.INFO, None
            return logging.ERROR, reason.error if isinstance(reason, Crash) else masked
        case StartFailed(reason=reason):
            return logging.ERROR, error_of(reason)
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
        case StartFailed(supervisor=ref, child_id=child_id, reason=reason):
            return f"{ref} cannot start {child_id!r}: {describe(reason)}"
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
