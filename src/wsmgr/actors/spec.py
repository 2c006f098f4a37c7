"""What a supervisor is told about a child. Pure: checked when it is built, trusted afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import Factory, field, frozen

from .backoff import Backoff
from .supervision.restart import RESTARTS, AutoShutdown, Restart
from .validation import check_bool, check_choice, check_seconds

if TYPE_CHECKING:
    # The nursery knows specs: annotations are all that is needed here.
    from .actor import Actor  # noqa: TC004
    from .supervision.nursery import Nursery  # noqa: TC004

ShutdownBudget: TypeAlias = float | Literal["brutal_kill", "infinity"]
ChildType: TypeAlias = Literal["worker", "supervisor"]


def _default_shutdown(spec: ChildSpec) -> ShutdownBudget:
    return "infinity" if spec.type == "supervisor" else 5.0


@frozen
class ChildSpec:
    """How to start, restart and stop one child.

    Attributes:
        id: Names the child, uniquely under a static supervisor; a dynamic one only shows it.
        start: Called without arguments for each incarnation; returns a new `Actor`, or for the type `supervisor` a new
            `Supervisor`, `DynamicSupervisor` or `TaskSupervisor`. It runs in the supervisor and must not block.
        restart: `permanent`: always restarted. `transient`: only after a crash or kill. `temporary`: never.
        shutdown: Seconds it has to end when told to, then it is killed; `infinity`; or `brutal_kill`. By default 5.0,
            for a supervisor `infinity`, which it must be: its own children have their own deadlines.
        type: `worker` or `supervisor`.
        significant: Whether its end counts for the supervisor's `auto_shutdown`; not for permanent children.
        start_timeout: Seconds its `init` may take; `math.inf` for no limit.
        backoff: Waits between restarts, or None to restart at once.
    """

    id: object
    start: Callable[[], Actor[Any] | Nursery]
    restart: Restart = field(default="permanent", kw_only=True)
    type: ChildType = field(default="worker", kw_only=True)
    shutdown: ShutdownBudget = field(default=Factory(_default_shutdown, takes_self=True), kw_only=True)
    significant: bool = field(default=False, kw_only=True)
    start_timeout: float = field(default=30.0, kw_only=True)
    backoff: Backoff | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not callable(self.start):
            raise TypeError(f"start must be a callable that returns the actor, not {self.start!r}")
        check_choice("restart", self.restart, RESTARTS)
        check_choice("type", self.type, ("worker", "supervisor"))
        check_bool("significant", self.significant)
        check_seconds("start_timeout", self.start_timeout, zero=False, infinite=True)
        if isinstance(self.shutdown, str):
            check_choice("shutdown", self.shutdown, ("brutal_kill", "infinity"))
        else:
            check_seconds("shutdown", self.shutdown)
        if self.type == "supervisor" and self.shutdown not in ("infinity", "brutal_kill"):
            raise ValueError(
                f"child {self.id!r}: the shutdown of a supervisor must be 'infinity' (or 'brutal_kill'), not "
                f"{self.shutdown!r}: its children have their own deadlines, one after the other"
            )
        if self.significant and self.restart == "permanent":
            raise ValueError(
                f"child {self.id!r}: a permanent child is never significant; it is always restarted"
            )


def check_allowed(spec: object, auto_shutdown: AutoShutdown) -> None:
    """Raise when a supervisor with this `auto_shutdown` cannot have the child."""
    if not isinstance(spec, ChildSpec):
        raise TypeError(f"children are ChildSpec(id, start), not {spec!r}")
    if spec.significant and auto_shutdown == "never":
        raise ValueError(
            f"child {spec.id!r} is significant, so the supervisor needs another auto_shutdown than 'never'"
        )
