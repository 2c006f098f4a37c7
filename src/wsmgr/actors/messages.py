"""What callbacks return, and what the runtime sends to `handle_info`.

Plain frozen values that match by position, such as `case Down(ref, reason)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from .reasons import ExitReason, Normal, check_reason

if TYPE_CHECKING:
    # ref imports this module: annotations are all that is needed here.
    from .ref import ActorRef, Monitor  # noqa: TC004


class _Nothing:
    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Final = _Nothing()
"""Stands for "no reply was given", since None is a reply."""


@frozen
class Reply:
    """Returned by `handle_call`: the caller gets `value` now."""

    value: object = None


@frozen
class NoReply:
    """Returned by `handle_call`: the answer comes later, by `reply_to.reply(value)`."""


@frozen
class Stop:
    """Returned by any callback: end this actor; `terminate` runs.

    Attributes:
        reason: With what it ends.
        reply: From `handle_call` only: the caller's answer, given after `terminate`.
    """

    reason: ExitReason = field(factory=Normal)
    reply: object = NOTHING

    def __attrs_post_init__(self) -> None:
        check_reason(self.reason)


@frozen
class Continue:
    """Returned by `init`: call `handle_continue(token)` after the start is acknowledged, before any message."""

    token: object = None


@frozen
class Ignore:
    """Returned by `init`: there is nothing to run, and that is not an error."""


@frozen
class Down:
    """A monitored process ended. Delivered exactly once per monitor, ahead of queued mail.

    Attributes:
        ref: The process.
        reason: Why it ended; `NoProc()` when it was gone before the monitor was set up.
        monitor: The monitor that this answers.
    """

    ref: ActorRef[Any]
    reason: ExitReason
    monitor: Monitor | None = field(default=None, eq=False, repr=False)

    @property
    def result(self) -> object:
        """What a task returned that ended with `Normal()`; None for every other process."""
        return self.ref.result


@frozen
class ExitSignal:
    """A process that traps exits was told to end, or a linked process ended.

    Attributes:
        ref: Who sent the signal, or None when it came from outside of every actor.
        reason: The reason in it.
    """

    ref: ActorRef[Any] | None
    reason: ExitReason


@frozen
class StateTimeout:
    """A state machine stayed in `state` for as long as `next_state(state, timeout=...)` allowed."""

    state: object


@frozen
class FailedToStart:
    """The detail of the `Shutdown` with which a supervisor ends whose child could not be started."""

    child_id: object
    reason: ExitReason
