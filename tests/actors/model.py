"""A supervisor as OTP describes it, in plain sequential Python: the naive model that the runtime is compared with.

There are no tasks, no clock and no references here. A process is a word in the record of its child, an exit reason is
a word too, and what OTP's supervisor finds in its mailbox is a deque: `EXIT` when a child has ended by itself,
`try_again` when an attempt to restart one has failed. One message is handled at a time; requests of other processes
come between two messages. Two things go beyond OTP: a child may have a backoff, so that a restart is put off, and
meanwhile its group is down; and too many restarts in a row are given up like too many in the window.

What happens is written down: `life` is what the processes go through, `reports` is what the supervisor says, `ended` is
with what it ended itself.
"""

from __future__ import annotations

from collections import Counter, deque
from copy import deepcopy
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    # attrs keeps annotations as text: a name is all that is needed here.
    from wsmgr.actors import Backoff  # noqa: TC004

Start = Literal["runs", "fails", "ignores", "stops", "breaks"]
"""What comes of one start: it runs; `init` raises, answers `Ignore()`, answers `Stop(Normal())`; `start` raises."""
Restart = Literal["permanent", "transient", "temporary"]
Pid = Literal["running", "restarting", "stopped"]
Entry: TypeAlias = tuple[object, ...]

NORMAL, SHUTDOWN, KILLED = "normal", "shutdown", "killed"
GAVE_UP, ROW_TOO_LONG = "reached_max_restart_intensity", "reached_max_consecutive"
FAILED_TO_START = "shutdown: failed to start"


@frozen(kw_only=True)
class Spec:
    """What a supervisor is told about a child. A child of type `supervisor` ends when its only child does."""

    id: str
    restart: Restart = "permanent"
    type: Literal["worker", "supervisor"] = "worker"
    significant: bool = False
    traps: bool = True
    brutal_kill: bool = False
    backoff: Backoff | None = None


@frozen(kw_only=True)
class Flags:
    """What a supervisor is told about itself."""

    strategy: Literal["one_for_one", "one_for_all", "rest_for_one"] = "one_for_one"
    max_restarts: int = 3
    max_seconds: float = 5.0
    auto_shutdown: Literal["never", "any_significant", "all_significant"] = "never"
    max_children: int | None = None


@define(eq=False)
class Child:
    """The record of one child; `exit` is the reason of its `EXIT` while that is in the mailbox."""

    spec: Spec
    pid: Pid = "stopped"
    exit: str | None = None
    reason: str | None = None
    restarts: int = 0
    row: int = 0
    started_at: float = 0.0
    healthy: bool = False
    due: float | None = None
    incarnation: int = 0
    """The number of its last process that ran, counted for its id."""


@define
class World:
    """What outlives a supervisor: what the next starts of each id come to, and what has been written down."""

    starts: dict[str, list[Start]] = field(factory=dict[str, list[Start]])
    incarnations: Counter[str] = field(factory=Counter[str])
    life: list[Entry] = field(factory=list[Entry])
    reports: list[Entry] = field(factory=list[Entry])
    ended: list[str] = field(factory=list[str])

    def start_of(self, child_id: str) -> Start:
        """Take what the next start of this child comes to."""
        coming = self.starts.get(child_id)
        return coming.pop(0) if coming else "runs"

    def take(self) -> dict[str, Any]:
        """Take what has been written down."""
        taken: dict[str, Any] = {"life": self.life, "reports": self.reports, "ended": self.ended}
        self.life, self.reports, self.ended = [], [], []
        return taken


class Model:
    """A static supervisor. The methods named like OTP's do what those do."""

    def __init__(self, flags: Flags, world: World) -> None:
        self.flags = flags
        self.world = world
        self.now = 0.0
        self.children: list[Child] = []
        self.ended: str | None = None
        self.mailbox: deque[tuple[Literal["EXIT", "try_again"], Child]] = deque()
        self.timers: list[tuple[float, Child]] = []
        self._killed = False
        self._restarts: list[float] = []

    # -- what is done to it ------------------------------------------------------------------------------------------

    def boot(self, specs: Iterable[Spec]) -> None:
        """Start all in order; the first that fails ends it, and nothing is tried again."""
        self.children = [Child(spec) for spec in specs]
        for child in list(self.children):
            if self._start(child) == "failed":
                self._end(FAILED_TO_START)
                return

    def end_by_itself(self, child_id: str, reason: str, *, says_goodbye: bool) -> None:
        """Let the process of a child end; the supervisor finds out when it handles the message."""
        child = self.running(child_id)
        assert child is not None
        if says_goodbye:
            self.world.life.append((child_id, "terminate", reason))
        self.world.life.append((child_id, "exited", reason))
        child.exit = reason
        self.mailbox.append(("EXIT", child))

    def be_healthy(self, child_id: str) -> None:
        """Let a child say that it is."""
        child = self.running(child_id)
        assert child is not None
        child.healthy = True

    def handle_one(self) -> None:
        """Handle the oldest message."""
        kind, child = self.mailbox.popleft()
        if kind == "EXIT":
            reason, child.exit, child.pid = child.exit, None, "stopped"
            assert reason is not None
            child.reason = reason
            self._do_restart(child, reason)
        elif child.pid == "restarting" and child.due is None:
            self._restart(child)

    def handle_all(self) -> None:
        """Handle messages until there is none."""
        while self.mailbox and self.ended is None:
            self.handle_one()

    def advance(self, now: float) -> None:
        """Let time pass: restarts that were put off happen when they are due."""
        while self.timers and self.timers[0][0] <= now and self.ended is None:
            due, child = self.timers.pop(0)
            self.now = due
            if child.pid == "restarting" and child.due == due:
                child.due = None
                self._restart(child)
                self.handle_all()
        self.now = now

    def stop(self) -> None:
        """End everything in order, because whoever runs it says so."""
        if self.ended is None:
            self._end(SHUTDOWN)

    def kill(self) -> None:
        """End everything by force."""
        if self.ended is None:
            self._killed = True
            self._end(KILLED)

    # -- requests ----------------------------------------------------------------------------------------------------

    def start_child(self, spec: Spec) -> str:
        if self.ended is not None:
            return "noproc"
        present = self._find(spec.id)
        if present is not None:
            return "AlreadyStartedError" if present.pid == "running" else "AlreadyPresentError"
        child = Child(spec)
        self.children.append(child)
        started = self._start(child)
        if started == "failed":
            self.children.remove(child)
            return "StartError"
        return started

    def terminate_child(self, child_id: str) -> str:
        if self.ended is not None:
            return "noproc"
        child = self._find(child_id)
        if child is None:
            return "ChildNotFoundError"
        self._terminate([child])
        return "ok"

    def restart_child(self, child_id: str) -> str:
        child = self._stopped(child_id)
        if isinstance(child, str):
            return child
        started = self._start(child)
        return "StartError" if started == "failed" else started

    def delete_child(self, child_id: str) -> str:
        child = self._stopped(child_id)
        if isinstance(child, str):
            return child
        self.children.remove(child)
        return "ok"

    def _stopped(self, child_id: str) -> Child | str:
        """Return the child if it is stopped, or what the request is answered."""
        if self.ended is not None:
            return "noproc"
        child = self._find(child_id)
        if child is None:
            return "ChildNotFoundError"
        refusals = {"running": "ChildRunningError", "restarting": "ChildRestartingError"}
        return refusals.get(child.pid, child)

    # -- what can be seen of it --------------------------------------------------------------------------------------

    def which_children(self) -> list[Entry]:
        return [(c.spec.id, c.spec.type, c.pid, c.restarts, c.due, c.reason) for c in self.children]

    def count_children(self) -> dict[str, int]:
        types = [child.spec.type for child in self.children]
        return {
            "specs": len(types),
            "active": sum(child.pid == "running" for child in self.children),
            "supervisors": types.count("supervisor"),
            "workers": types.count("worker"),
        }

    def knows(self, child_id: str) -> bool:
        """Return whether it has a child with this id."""
        return self._find(child_id) is not None

    def running_ids(self) -> list[str]:
        return [child.spec.id for child in self.children if child.pid == "running"]

    def running(self, child_id: str) -> Child | None:
        """Return the child if its process is alive."""
        child = self._find(child_id)
        return child if child is not None and child.pid == "running" and child.exit is None else None

    # -- a child has ended by itself ---------------------------------------------------------------------------------

    def _do_restart(self, child: Child, reason: str) -> None:
        expected = reason == NORMAL or reason.startswith(SHUTDOWN)
        match child.spec.restart:
            case "permanent":
                self._plan(child, after_exit=True)
            case "transient" if not expected:
                self._plan(child, after_exit=True)
            case _:
                self._del_child(child)
                self._do_auto_shutdown(child)

    def _do_auto_shutdown(self, child: Child) -> None:
        if not child.spec.significant or self.flags.auto_shutdown == "never":
            return
        left = [other for other in self.children if other.spec.significant and other.pid != "stopped"]
        if self.flags.auto_shutdown == "any_significant" or not left:
            self._end(SHUTDOWN)

    # -- restarts ----------------------------------------------------------------------------------------------------

    def _plan(self, child: Child, *, after_exit: bool) -> None:
        """Restart now; after an attempt that failed, let other messages come first; with a backoff, later."""
        child.pid = "restarting"
        backoff = child.spec.backoff
        delay = 0.0
        if backoff is not None:
            if after_exit and self._row_is_over(child, backoff):
                child.row = 0
            child.row += 1
            if backoff.max_consecutive is not None and child.row > backoff.max_consecutive:
                self._give_up(child, ROW_TOO_LONG)
                return
            delay = delay_of(backoff, child.row)
        if delay > 0.0:
            self._report_restart(child, delay)
            child.due = self.now + delay
            self.timers.append((child.due, child))
            self.timers.sort(key=lambda timer: timer[0])
            self._terminate([other for other in self._group(child) if other is not child])
        elif after_exit:
            self._restart(child)
        else:
            self.mailbox.append(("try_again", child))

    def _row_is_over(self, child: Child, backoff: Backoff) -> bool:
        uptime = self.now - child.started_at
        if backoff.reset == "healthy":
            return child.healthy or uptime >= backoff.maximum
        return uptime >= backoff.reset

    def _restart(self, child: Child) -> None:
        if not self._add_restart():
            self._give_up(child, GAVE_UP)
            return
        self._report_restart(child, 0.0)
        self._terminate([other for other in self._group(child) if other is not child])
        for member in self._group(child):
            member.restarts += 1
            if self._start(member) == "failed":
                self._plan(member, after_exit=False)
                return

    def _add_restart(self) -> bool:
        threshold = self.now - self.flags.max_seconds
        self._restarts = [self.now, *takewhile(lambda at: at >= threshold, self._restarts)]
        return len(self._restarts) <= self.flags.max_restarts

    def _give_up(self, child: Child, why: str) -> None:
        self.world.reports.append(("gave up", child.spec.id, child.reason, why))
        self._del_child(child)
        self._end(f"shutdown: {why}")

    def _group(self, child: Child) -> list[Child]:
        """Return who is restarted with `child`, itself included, in start order."""
        match self.flags.strategy:
            case "one_for_one":
                return [child]
            case "one_for_all":
                return list(self.children)
            case "rest_for_one":
                return self.children[self.children.index(child) :]

    def _report_restart(self, child: Child, delay: float) -> None:
        self.world.reports.append(("restarting", child.spec.id, child.reason, delay, max(child.row, 1)))

    # -- processes ---------------------------------------------------------------------------------------------------

    def _start(self, child: Child) -> Literal["started", "ignored", "failed"]:
        spec, life = child.spec, self.world.life
        start = self.world.start_of(spec.id)
        child.pid, child.due = "stopped", None
        if start == "breaks":
            child.reason = "crash: start"
            life.append((spec.id, "start failed", child.reason))
            return "failed"
        child.started_at, child.healthy = self.now, False
        if spec.type == "worker":
            life.append((spec.id, "init"))
        if start == "runs":
            child.pid = "running"
            self.world.incarnations[spec.id] += 1
            child.incarnation = self.world.incarnations[spec.id]
            life.append((spec.id, "started", child.restarts))
            return "started"
        if spec.type == "supervisor":
            child.reason = FAILED_TO_START
        else:
            child.reason = "crash: init" if start == "fails" else NORMAL
        life.append((spec.id, "exited", child.reason))
        if start == "ignores" and spec.type == "worker":
            self._del_child(child)
            return "ignored"
        return "failed"

    def _terminate(self, children: Sequence[Child]) -> None:
        """End these, the last first; no restart of them is tried any more, and temporary ones are forgotten."""
        for child in list(children)[::-1]:
            if child.pid == "running":
                brutally = child.spec.brutal_kill or self._killed
                child.reason = self._shut_down(child, brutally=brutally)
                if not ended_as_told(child.spec, child.reason, brutally=brutally):
                    self.world.life.append((child.spec.id, "shutdown error", child.reason))
            child.due = None
            self._del_child(child)

    def _shut_down(self, child: Child, *, brutally: bool) -> str:
        if child.exit is not None:
            # It has ended already: its EXIT is taken out of the mailbox.
            self.mailbox.remove(("EXIT", child))
            reason, child.exit = child.exit, None
            return reason
        spec = child.spec
        reason = KILLED if brutally else SHUTDOWN
        if spec.traps and spec.type == "worker" and not brutally:
            self.world.life.append((spec.id, "terminate", reason))
        self.world.life.append((spec.id, "exited", reason))
        return reason

    def _del_child(self, child: Child) -> None:
        child.pid = "stopped"
        if child.spec.restart == "temporary":
            self.children.remove(child)

    def _end(self, reason: str) -> None:
        self.ended = reason
        self.world.ended.append(reason)
        self._terminate(self.children)
        self.mailbox.clear()
        self.timers.clear()

    def _find(self, child_id: str) -> Child | None:
        return next((child for child in self.children if child.spec.id == child_id), None)


class DynamicModel(Model):
    """A dynamic supervisor: each child is restarted alone, and forgotten when it is not."""

    def start_child(self, spec: Spec) -> str:
        most = self.flags.max_children
        if self.ended is None and most is not None and len(self.children) >= most:
            return "MaxChildrenError"
        return super().start_child(spec)

    def terminate_incarnation(self, child_id: str, incarnation: int) -> str:
        """Carry out `terminate_child`, which takes a reference: the child is known by its last one."""
        child = self._find(child_id)
        if self.ended is None and child is not None and child.incarnation != incarnation:
            return "ChildNotFoundError"
        return self.terminate_child(child_id)

    def _del_child(self, child: Child) -> None:
        child.pid = "stopped"
        self.children.remove(child)


def ended_as_told(spec: Spec, reason: str, *, brutally: bool) -> bool:
    """Return whether a child that was told to end did so, or is reported."""
    if reason == (KILLED if brutally else SHUTDOWN):
        return True
    return spec.restart != "permanent" and (reason == NORMAL or reason.startswith(SHUTDOWN))


def delay_of(backoff: Backoff, number: int) -> float:
    """Return the seconds before restart `number` in a row, without jitter."""
    delays = [0.0] if backoff.immediate_first else []
    delay = backoff.initial
    while len(delays) < number:
        delays.append(min(delay, backoff.maximum))
        delay *= backoff.factor
    return delays[number - 1]


def orders(model: Model, request: Callable[[Model], str | None]) -> Iterator[tuple[Model, str | None]]:
    """Yield what may come of a request that is made when the messages in the mailbox have arrived.

    It is carried out after these, and before or after each further attempt to restart a child that cannot be started.
    """
    before = len(model.mailbox)
    while True:
        each = deepcopy(model)
        for _ in range(before):
            if each.mailbox and each.ended is None:
                each.handle_one()
        last = not each.mailbox
        result = request(each)
        each.handle_all()
        yield each, result
        if last:
            return
        before += 1


def escalate(model: Model, specs: Sequence[Spec]) -> Model:
    """Return the supervisor that follows as a permanent child: begun anew, from the specs that it was made with."""
    while model.ended is not None:
        model, now = type(model)(model.flags, model.world), model.now
        model.now = now
        model.boot(specs)
    return model
