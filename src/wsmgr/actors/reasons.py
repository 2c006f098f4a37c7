"""Why a process ended: OTP's exit reasons, as values.

A reason is computed where a process ends and is then handed on as it is: to monitors, links, callers and the
supervisor. It is never guessed from an exception that left a task group. The classes match by position::

    match reason:
        case Normal() | Shutdown():
            ...
        case Crash(error):
            ...

No clock, no loop and no anyio here: everything is a plain value.
"""

from __future__ import annotations

from typing import Final, TypeAlias, cast

from attrs import frozen

_CANCELLATIONS = frozenset({"CancelledError", "Cancelled"})


REACHED_MAX_RESTART_INTENSITY: Final = "reached_max_restart_intensity"
"""The detail of the `Shutdown` with which a supervisor ends that has used up its restarts."""


@frozen
class Normal:
    """The process finished its work. Nobody is alarmed; linked processes live on."""


@frozen
class Shutdown:
    """The process was asked to end, or ended on purpose. Expected, hence never logged as an error.

    Attributes:
        detail: What led to it, for people; None when a supervisor simply stops its children.
    """

    detail: object = None


@frozen
class Killed:
    """The process was ended by force: no callback of it ran any more."""


@frozen
class NoProc:
    """There was no such process (any more) when it was asked for."""


@frozen
class Crash:
    """The process ended by an exception: a bug, or a failure that it let happen.

    Attributes:
        error: The exception as it was raised; an exception group stays a group.
    """

    error: BaseException

    def root_causes(self) -> tuple[BaseException, ...]:
        """Return the exceptions that are at the bottom of nested groups, without cancellations.

        Cancellations inside of a group are the consequence of the other members, so they explain nothing. Where
        there is nothing but cancellations, the error itself is returned: the result is never empty.
        """
        leaves = tuple(leaf for leaf in _leaves(self.error) if not is_cancellation(leaf))
        return leaves or (self.error,)


ExitReason: TypeAlias = Normal | Shutdown | Killed | NoProc | Crash


def check_reason(reason: object) -> None:
    """Raise TypeError unless `reason` is an exit reason; the usual mistake is the class instead of a value."""
    if not isinstance(reason, (Normal, Shutdown, Killed, NoProc, Crash)):
        raise TypeError(
            f"an exit reason is Normal(), Shutdown(...), Killed() or Crash(error), not {reason!r}"
        )


def is_expected(reason: ExitReason) -> bool:
    """Return whether `reason` is one that nobody needs to look at (`Normal`, `Shutdown`)."""
    return isinstance(reason, (Normal, Shutdown))


def error_of(reason: ExitReason) -> BaseException | None:
    """Return the exception of a crash, None for any other reason."""
    return reason.error if isinstance(reason, Crash) else None


def is_cancellation(error: BaseException) -> bool:
    """Return whether `error` is asyncio's or trio's cancellation, or a group of nothing else, importing neither."""
    members = _members(error)
    if members:
        return all(is_cancellation(member) for member in members)
    return not isinstance(error, Exception) and type(error).__name__ in _CANCELLATIONS


def fatal_error(error: BaseException) -> BaseException | None:
    """Return the exception in `error` that ends programs (`SystemExit`, `KeyboardInterrupt`), or None."""
    for leaf in _leaves(error):
        if not isinstance(leaf, Exception) and not is_cancellation(leaf):
            return leaf
    return None


def masked_error(error: BaseException | None) -> BaseException | None:
    """Return the first real exception behind a cancellation, following `__context__`.

    A `finally` that awaits while its task is being cancelled replaces the exception that was on its way; the
    exception is still there, as the context of the cancellation.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, Exception):
            return error
        seen.add(id(error))
        error = error.__context__
    return None


def describe(reason: ExitReason) -> str:
    """Return `reason` in a few words, without locals or tracebacks."""
    match reason:
        case Crash(error):
            causes = Crash(error).root_causes()
            return "crash: " + "; ".join(f"{type(cause).__name__}: {_text(cause)}" for cause in causes)
        case Shutdown(None):
            return "shutdown"
        case Shutdown(detail):
            return f"shutdown: {detail}"
        case Killed():
            return "killed"
        case NoProc():
            return "no such process"
        case Normal():
            return "normal"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the crash boundary: an exception's own code, when it is described
        return "(its text cannot be made)"


def _leaves(error: BaseException) -> list[BaseException]:
    members = _members(error)
    return [leaf for member in members for leaf in _leaves(member)] if members else [error]


def _members(error: BaseException) -> tuple[BaseException, ...]:
    if isinstance(error, BaseExceptionGroup):
        return cast(BaseExceptionGroup[BaseException], error).exceptions
    return ()
