"""What supervisors report, as data: to listeners, and to the log `wsmgr.actors`.

These are the values; `supervision.report` hands them on. Listeners are for programs (`Supervisor(...,
on_event=...)`, inherited by nested supervisors).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import field, frozen

from .reasons import ExitReason

if TYPE_CHECKING:
    # ref imports this module: an annotation is all that is needed here.
    from .ref import ActorRef  # noqa: TC004


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
        started: Whether it had acknowledged its start.
        last_message: What the callback that crashed was handling; None else.
        status: What `format_status` showed of an actor that crashed, if its class has one of its own; else None.
    """

    ref: ActorRef[Any]
    child_id: object
    reason: ExitReason
    masked: BaseException | None = None
    started: bool = True
    last_message: object = field(default=None, repr=False)
    status: Mapping[str, object] | None = None


@frozen(kw_only=True)
class StartFailed:
    """A start function raised, or made no actor: there is no process that could tell of it.

    Attributes:
        supervisor: Who called it.
        child_id: For whom.
        reason: What happened: a `Crash`.
    """

    supervisor: ActorRef[Any]
    child_id: object
    reason: ExitReason


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
            `crashed`: the key of its `conflate` raised. `supervisor`, `task`: neither reads mail. `late`: a thread
            gave up before the loop took its cast.
    """

    ref: ActorRef[Any]
    count: int
    why: str


Event: TypeAlias = Started | Exited | StartFailed | Restarting | GaveUp | ShutdownError | Zombie | DeadLetter
