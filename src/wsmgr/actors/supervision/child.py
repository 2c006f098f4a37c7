"""A supervisor's record of one child, and the picture of it that others get."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from attrs import define, frozen

from wsmgr.actors.reasons import ExitReason, describe

if TYPE_CHECKING:
    # The classes of this module are made before those: annotations are all that is needed here.
    from wsmgr.actors.process.base import Process  # noqa: TC004
    from wsmgr.actors.ref import ActorRef  # noqa: TC004
    from wsmgr.actors.spec import ChildSpec, ChildType  # noqa: TC004

    from .nursery import Nursery  # noqa: TC004


class ChildStatus(Enum):
    """Where a child is in its life."""

    STARTING = "starting"
    """Its `init` runs."""
    RUNNING = "running"
    """It has acknowledged its start."""
    RESTARTING = "restarting"
    """It ended, and will be started again at `next_attempt_at`."""
    STOPPING = "stopping"
    """It was told to end."""
    STOPPED = "stopped"
    """It does not run, and nobody but `restart_child` (or the restart of its group) will start it."""


@frozen(kw_only=True)
class ChildInfo:
    """A child as it is now; with `children`, a tree.

    Attributes:
        id: The id in its spec; for a root its name.
        type: `worker` or `supervisor`.
        status: Where it is in its life.
        ref: Its process, or None when there is none.
        restarts: How often it was restarted.
        next_attempt_at: When it is started again, on the loop's monotonic clock, or None.
        reason: Why its last incarnation ended, or None.
        children: For a supervisor in a tree: its children, in start order.
    """

    id: object
    type: ChildType
    status: ChildStatus
    ref: ActorRef[Any] | None = None
    restarts: int = 0
    next_attempt_at: float | None = None
    reason: ExitReason | None = None
    children: tuple[ChildInfo, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Return it as data for JSON: `id, type, status, restarts, next_attempt_at, reason, queued, children`."""
        return {
            "id": str(self.id),
            "type": self.type,
            "status": self.status.value,
            "restarts": self.restarts,
            "next_attempt_at": self.next_attempt_at,
            "reason": None if self.reason is None else describe(self.reason),
            "queued": 0 if self.ref is None else self.ref.queued,
            "children": [child.as_dict() for child in self.children],
        }


@frozen(kw_only=True)
class ChildCounts:
    """How many children a supervisor has: known, running, and by type."""

    specs: int
    active: int
    supervisors: int
    workers: int


@define(eq=False)
class Child:
    """What a supervisor knows of one child; only the supervisor's own task changes it.

    Attributes:
        ref: The reference by which others know it: of the last process that had acknowledged its start.
    """

    spec: ChildSpec
    status: ChildStatus = ChildStatus.STARTING
    process: Process | None = None
    ref: ActorRef[Any] | None = None
    supervisor: Nursery | None = None
    ignored: bool = False
    restarts: int = 0
    started_at: float = 0.0
    next_attempt_at: float | None = None
    reason: ExitReason | None = None
    failures: int = 0

    def plan_restart(self, now: float, ended: Process | None) -> tuple[int, float]:
        """Count one more failure and return its number in the row, and the seconds to wait.

        Args:
            now: Monotonic seconds.
            ended: The process that ended, or None when the child could not be started.
        """
        backoff = self.spec.backoff
        if backoff is None:
            return 1, 0.0
        if ended is not None and backoff.starts_anew(uptime=now - self.started_at, healthy=ended.healthy):
            self.failures = 0
        self.failures += 1
        return self.failures, backoff.delay(self.failures)

    @property
    def ended(self) -> bool:
        """Whether there is no process, and none is planned."""
        return self.process is None and self.status is not ChildStatus.RESTARTING

    def stopped(self, reason: ExitReason | None) -> None:
        """Note that there is no process, and none is planned."""
        self.status = ChildStatus.STOPPED
        self.process = self.supervisor = None
        self.next_attempt_at = None
        self.reason = reason or self.reason

    def info(self, *, deep: bool) -> ChildInfo:
        """Return its picture, with everything below it if `deep`."""
        nested = self.supervisor.tree().children if deep and self.supervisor is not None else ()
        return ChildInfo(
            id=self.spec.id,
            type=self.spec.type,
            status=self.status,
            ref=None if self.process is None else self.process.ref,
            restarts=self.restarts,
            next_attempt_at=self.next_attempt_at,
            reason=self.reason,
            children=nested,
        )
