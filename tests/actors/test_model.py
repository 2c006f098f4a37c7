"""Supervisors against a naive model: random ends, requests and waits, on both backends, in virtual time.

After every step the runtime and the model must agree on what the processes went through, in which order, on what the
supervisor reported, on the result of a request, on the children and their counts, and on whether the supervisor still
runs. What is right is said by the model alone.
"""

from __future__ import annotations

import logging
import math
import os
from collections import Counter
from functools import partial
from itertools import chain, product
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import anyio
import pytest
from attrs import asdict, evolve, frozen
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.actors.model import (
    FAILED_TO_START,
    GAVE_UP,
    KILLED,
    NORMAL,
    ROW_TOO_LONG,
    SHUTDOWN,
    DynamicModel,
    Entry,
    Flags,
    Model,
    Restart,
    Spec,
    Start,
    World,
    escalate,
    orders,
)

from wsmgr.actors import (
    Actor,
    ActorError,
    ActorRef,
    AlreadyStartedError,
    Backoff,
    CallExitError,
    ChildSpec,
    ChildStatus,
    Crash,
    DynamicSupervisor,
    Exited,
    FailedToStart,
    GaveUp,
    Ignore,
    Killed,
    NoProc,
    Normal,
    Restarting,
    Shutdown,
    ShutdownError,
    Started,
    StartFailed,
    Stop,
    Supervisor,
)
from wsmgr.actors.testing import Probe, check_leaks, run_virtually

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from wsmgr.actors import Event, ExitReason

EXAMPLES = int(os.environ.get("WSMGR_MODEL_EXAMPLES", "0"))
"""How many examples to try, others in each run; 0 is what the suite does: few, and the same in each run."""

GRID = 0.25
"""Waits end on this grid, so that two crashes can be exactly one window apart."""
INSTANT = 2.0**-20
"""How long everything is given to happen that can happen now. Sums of such numbers are exact."""
FAR = 10_000.0
"""Longer than anything takes: what is not done by then never will be."""
ODD = 2.0**-12
"""A part of every backoff, so that no attempt is due in the very instant of a step."""

# -- what is done ----------------------------------------------------------------------------------------------------

Request = Literal["start_child", "terminate_child", "restart_child", "delete_child"]
How = Literal["crash", "normal", "shutdown", "custom", "kill"]


@frozen
class Ends:
    """Children end by themselves, all in one instant. Each is the n-th of those that run, counted round and round."""

    of: tuple[tuple[int, How], ...]


@frozen
class Ask:
    """A request; a start brings the spec."""

    request: Request
    child: str
    spec: Spec


@frozen
class Race:
    """A request right after the end of the n-th child that runs, perhaps before its supervisor has looked."""

    nth: int
    how: How
    ask: Ask


@frozen
class Coming:
    """What the next starts of a child come to."""

    child: str
    starts: tuple[Start, ...]


@frozen
class Health:
    """The n-th child that runs says that it is healthy."""

    nth: int


@frozen
class Wait:
    """Time passes."""

    seconds: float


Step: TypeAlias = Ends | Ask | Race | Coming | Health | Wait


@frozen(kw_only=True)
class Plan:
    """One example: a supervisor, what is done to it, and how its root is ended if that has not ended by itself."""

    flags: Flags
    specs: tuple[Spec, ...]
    above: Literal["nothing", "permanent", "transient", "temporary"]
    boot: tuple[Coming, ...]
    steps: tuple[Step, ...]
    ending: Literal["stop", "cancel", "kill"]


# -- the children ----------------------------------------------------------------------------------------------------


class BoomError(Exception):
    """What children fail with."""


class Child(Probe):
    """A worker whose start comes to what it is told."""

    def __init__(self, name: str, journal: list[Entry], start: Start) -> None:
        super().__init__(name, journal)
        self.start = start

    async def init(self) -> Any:
        await super().init()
        if self.start == "fails":
            raise BoomError("init")
        return {"ignores": Ignore(), "stops": Stop(Normal())}.get(self.start)


class TrappingChild(Child):
    trap_exit = True


class Leaf(Actor[str]):
    """The only child of a child that is a supervisor."""

    def __init__(self, start: Start) -> None:
        self.start = start

    async def init(self) -> None:
        if self.start != "runs":
            raise BoomError("init")

    async def handle_cast(self, message: str) -> None:
        raise BoomError(message)


async def crash(probe: Probe) -> None:
    raise BoomError("crash")


async def end_normally(probe: Probe) -> Stop:
    return Stop(Normal())


async def shut_down(probe: Probe) -> Stop:
    return Stop(Shutdown("done"))


async def end_with_reason(probe: Probe) -> Stop:
    return Stop(Crash(BoomError("custom")))


async def be_healthy(probe: Probe) -> None:
    probe.healthy()


ENDS: dict[How, tuple[str, Any]] = {
    "crash": ("crash: crash", crash),
    "normal": (NORMAL, end_normally),
    "shutdown": ("shutdown: done", shut_down),
    "custom": ("crash: custom", end_with_reason),
}
"""The reason in the model's words, and what makes a worker end with it."""


def worded(reason: ExitReason | None) -> str | None:
    """Return `reason` in the model's words."""
    match reason:
        case Normal():
            return NORMAL
        case Shutdown(None):
            return SHUTDOWN
        case Shutdown(FailedToStart()):
            return FAILED_TO_START
        case Shutdown(detail):
            return f"{SHUTDOWN}: {detail}"
        case Killed():
            return KILLED
        case Crash(error):
            return f"crash: {error}"
        case NoProc():
            return "noproc"
        case None:
            return None


# -- the tree --------------------------------------------------------------------------------------------------------


class Tree:
    """The supervisor that is tested, called `tested`: the root, or the child of one that never gives up."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.starts: dict[str, list[Start]] = {}
        self.life: list[Entry] = []
        self.reports: list[Entry] = []
        self.ended: list[str | None] = []
        self.refs: dict[str, ActorRef[Any]] = {}
        self.incarnations: Counter[str] = Counter()
        self.started: Counter[ActorRef[Any]] = Counter()
        self.exited: Counter[ActorRef[Any]] = Counter()
        self.scope = anyio.CancelScope()
        self.outcome: str | None = None
        self.tested: Supervisor | DynamicSupervisor
        self.make_tested()
        self.root: Supervisor | DynamicSupervisor = self.tested
        if plan.above != "nothing":
            spec = ChildSpec("tested", self.make_tested, type="supervisor", restart=plan.above)
            self.root = Supervisor([spec], max_restarts=10_000, on_event=self.note, name="above")

    def make_tested(self) -> Supervisor | DynamicSupervisor:
        flags = self.plan.flags
        common: dict[str, Any] = {
            "max_restarts": flags.max_restarts,
            "max_seconds": flags.max_seconds,
            "name": "tested",
            "on_event": self.note,
        }
        if flags.max_children is not None:
            self.tested = DynamicSupervisor(max_children=flags.max_children, **common)
        else:
            children = [self.child_spec(spec) for spec in self.plan.specs]
            self.tested = Supervisor(
                children, strategy=flags.strategy, auto_shutdown=flags.auto_shutdown, **common
            )
        return self.tested

    def child_spec(self, spec: Spec) -> ChildSpec:
        gently: Any = "infinity" if spec.type == "supervisor" else 5.0
        return ChildSpec(
            spec.id,
            partial(self.make_child, spec),
            restart=spec.restart,
            type=spec.type,
            shutdown="brutal_kill" if spec.brutal_kill else gently,
            significant=spec.significant,
            backoff=spec.backoff,
        )

    def make_child(self, spec: Spec) -> Actor[Any] | Supervisor:
        coming = self.starts.get(spec.id)
        start: Start = coming.pop(0) if coming else "runs"
        if start == "breaks":
            raise BoomError("start")
        if spec.type == "supervisor":
            return Supervisor([ChildSpec("leaf", lambda: Leaf(start))], max_restarts=0)
        return (TrappingChild if spec.traps else Child)(spec.id, self.life, start)

    async def live(self) -> None:
        with self.scope:
            try:
                await self.root.run()
            except ActorError as error:
                self.outcome = type(error).__name__
            else:
                self.outcome = "returned"
        self.outcome = self.outcome or "cancelled"

    def note(self, event: Event) -> None:
        match event:
            case Started(ref=ref, child_id=child_id, restarts=restarts):
                self.started[ref] += 1
                if is_tested(ref.parent):
                    self.refs[str(child_id)] = ref
                    self.incarnations[str(child_id)] += 1
                    self.life.append((child_id, "started", restarts))
            case Exited(ref=ref, child_id=child_id, reason=reason):
                self.exited[ref] += 1
                if is_tested(ref.parent):
                    self.life.append((child_id, "exited", worded(reason)))
                elif is_tested(ref):
                    self.ended.append(worded(reason))
            case ShutdownError(ref=ref, child_id=child_id, reason=reason) if is_tested(ref.parent):
                self.life.append((child_id, "shutdown error", worded(reason)))
            case StartFailed(supervisor=ref, child_id=child_id, reason=reason) if is_tested(ref):
                self.life.append((child_id, "start failed", worded(reason)))
            case Restarting(supervisor=ref, child_id=child_id, reason=reason) if is_tested(ref):
                self.reports.append(("restarting", child_id, worded(reason), event.delay, event.attempt))
            case GaveUp(supervisor=ref, child_id=child_id, reason=reason, why=why) if is_tested(ref):
                self.reports.append(("gave up", child_id, worded(reason), why))
            case _:
                pass

    def end(self, child_id: str, how: How) -> None:
        """Let a child end by itself; nothing happens before somebody waits."""
        ref = self.refs[child_id]
        below = [leaf for c in self.tested.tree().children if c.id == child_id for leaf in c.children]
        if how == "kill":
            ref.exit(Killed())
        elif below:
            assert below[0].ref is not None
            below[0].ref.cast("crash")
        else:
            ref.cast(ENDS[how][1])

    async def ask(self, ask: Ask) -> str | None:
        """Make a request and return its result in a word."""
        try:
            ref = await self.request(ask)
        except AlreadyStartedError as error:
            return type(error).__name__ if error.ref is self.refs[ask.child] else "another one"
        except CallExitError as error:
            return worded(error.reason)
        except ActorError as error:
            return type(error).__name__
        if ref is None:
            return "ok"
        # What has ended already when the answer comes was not started, but ignored.
        return "started" if ref.exit_reason is None else "ignored"

    async def request(self, ask: Ask) -> ActorRef[Any] | None:
        tested = self.tested
        if ask.request == "start_child":
            return await tested.start_child(self.child_spec(ask.spec))
        if isinstance(tested, DynamicSupervisor):
            # Its children are known by the reference that their users have.
            await tested.terminate_child(self.refs.get(ask.child, tested.ref))
        elif ask.request == "restart_child":
            return await tested.restart_child(ask.child)
        elif ask.request == "terminate_child":
            await tested.terminate_child(ask.child)
        else:
            await tested.delete_child(ask.child)
        return None

    def observe(self) -> dict[str, Any]:
        """Return what can be seen, and what has happened since the last time."""
        up = self.tested.tree().status is ChildStatus.RUNNING
        children = [
            (c.id, c.type, c.status.value, c.restarts, c.next_attempt_at, worded(c.reason))
            for c in self.tested.which_children()
        ]
        seen = {
            "life": [(*e[:2], worded(e[2])) if e[1] == "terminate" else e for e in self.life],  # type: ignore[arg-type]
            "reports": list(self.reports),
            "ended": list(self.ended),
            "outcome": self.outcome,
            "children": children if up else [child for child in children if child[2] != "stopped"],
            "counts": asdict(self.tested.count_children()) if up else None,
        }
        for log in (self.life, self.reports, self.ended):
            log.clear()
        return seen


def is_tested(ref: ActorRef[Any] | None) -> bool:
    return ref is not None and ref.name == "tested"


# -- the model beside it ---------------------------------------------------------------------------------------------

OUTCOMES = {
    FAILED_TO_START: "StartError",
    f"{SHUTDOWN}: {GAVE_UP}": "SupervisorGaveUpError",
    f"{SHUTDOWN}: {ROW_TOO_LONG}": "SupervisorGaveUpError",
    SHUTDOWN: "returned",
    "cancel": "cancelled",
    "kill": "SupervisorKilledError",
    "stop": "returned",
}
"""What becomes of a root that ends by itself for these reasons, or is ended in these ways."""

Result: TypeAlias = str | None


class Comparison:
    """Does each step to the tree and to the model, until they differ."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.dynamic = plan.flags.max_children is not None
        self.tree = Tree(plan)
        self.model: Model = (DynamicModel if self.dynamic else Model)(plan.flags, World())
        self.booted = False
        self.ending: str | None = None
        self.expected: list[dict[str, Any]] = []
        self.seen: dict[str, Any] = {}

    async def run(self) -> None:
        """Do everything, and fail at the first difference."""
        agreed = False
        async with check_leaks(), anyio.create_task_group() as tasks:
            tasks.start_soon(self.tree.live)
            with anyio.fail_after(FAR):
                agreed = await self.boot()
                for step in (*self.first_requests(), *self.plan.steps):
                    agreed = agreed and await self.do(step)
                agreed = agreed and await self.finish()
            self.tree.scope.cancel()
        if not agreed:
            assert self.expected[-1] == self.seen
        assert dict.fromkeys(self.tree.exited, 1) == self.tree.exited
        assert self.tree.started.keys() <= self.tree.exited.keys()

    async def boot(self) -> bool:
        for coming in self.plan.boot:
            self.prepare(coming)
        self.model.boot(self.static)
        agreed = await self.compare("boot", None, [(self.model, None)])
        self.booted = self.model.ended is None
        return agreed

    @property
    def static(self) -> Sequence[Spec]:
        return () if self.dynamic else self.plan.specs

    def first_requests(self) -> list[Step]:
        """A dynamic supervisor has no children when it starts."""
        return [Ask("start_child", spec.id, spec) for spec in self.plan.specs] if self.dynamic else []

    async def do(self, step: Step) -> bool:
        self.model.advance(anyio.current_time())
        result: Result = None
        allowed: list[tuple[Model, Result]] = [(self.model, None)]
        running = self.model.running_ids()
        if self.model.ended is not None and not isinstance(step, Ask):
            return True
        match step:
            case Ends(of) if running:
                ending: dict[str, How] = {running[nth % len(running)]: how for nth, how in of}
                await self.end(ending)
            case Ask() if self.can_ask(step):
                asked = self.asked(step)
                result = await self.tree.ask(step)
                allowed = [(self.model, asked(self.model))]
            case Race(nth, how, ask) if running and self.can_ask(ask):
                result, allowed = await self.race(running[nth % len(running)], how, ask)
            case Coming():
                self.prepare(step)
            case Health(nth) if running:
                self.make_healthy(running[nth % len(running)])
            case Wait(seconds):
                await anyio.sleep_until(math.floor(anyio.current_time() / GRID) * GRID + seconds)
            case _:
                # There is nobody to do it to.
                return True
        return await self.compare(step, result, allowed)

    async def finish(self) -> bool:
        """End the root, if it has not ended by itself."""
        if self.tree.outcome is not None:
            return True
        self.model.advance(anyio.current_time())
        self.ending = self.plan.ending
        match self.plan.ending:
            case "stop":
                await self.tree.root.ref.stop(Shutdown())
                self.model.stop()
            case "cancel":
                self.tree.scope.cancel()
                self.model.stop()
            case "kill":
                self.tree.root.ref.exit(Killed())
                self.model.kill()
        return await self.compare(self.ending, None, [(self.model, None)])

    # -- the steps that take more than a line ------------------------------------------------------------------------

    def prepare(self, coming: Coming) -> None:
        for starts in (self.tree.starts, self.model.world.starts):
            starts[coming.child] = list(coming.starts)

    def make_healthy(self, child_id: str) -> None:
        if self.is_a("worker", child_id):
            self.tree.refs[child_id].cast(be_healthy)
            self.model.be_healthy(child_id)

    async def end(self, of: Mapping[str, How]) -> None:
        """Let children end together. In which order they did is for the scheduler: the model is told."""
        # A child that is a supervisor takes longer to end, so it ends alone.
        together: dict[str, How] = {
            each: how for each, how in of.items() if len(of) == 1 or self.is_a("worker", each)
        }
        for child_id, how in together.items():
            self.tree.end(child_id, how)
        await anyio.sleep(INSTANT)
        order = [entry[0] for entry in self.tree.life if entry[1] == "exited"]
        for child_id in sorted(together, key=order.index):
            self.tell(child_id, together[child_id])
        self.model.handle_all()

    async def race(self, child_id: str, how: How, ask: Ask) -> tuple[Result, list[tuple[Model, Result]]]:
        """Let a child end and make a request as soon as it has; return the result and what the model allows."""
        with self.tree.refs[child_id].monitor() as monitor:
            self.tree.end(child_id, how)
            await monitor.wait()
        asked = self.asked(ask)
        result = await self.tree.ask(ask)
        self.tell(child_id, how)
        return result, list(orders(self.model, asked))

    def asked(self, ask: Ask) -> Callable[[Model], Result]:
        """Return the request as one to the model: about the incarnation that is known now."""
        incarnation = self.tree.incarnations[ask.child]

        def carry_out(model: Model) -> Result:
            match ask.request:
                case "start_child":
                    return model.start_child(ask.spec)
                case "restart_child":
                    return model.restart_child(ask.child)
                case "delete_child":
                    return model.delete_child(ask.child)
                case "terminate_child" if isinstance(model, DynamicModel):
                    return model.terminate_incarnation(ask.child, incarnation)
                case "terminate_child":
                    return model.terminate_child(ask.child)

        return carry_out

    def tell(self, child_id: str, how: How) -> None:
        """Tell the model that a child has ended."""
        if how == "kill":
            self.model.end_by_itself(child_id, KILLED, says_goodbye=False)
        elif self.is_a("supervisor", child_id):
            self.model.end_by_itself(child_id, f"{SHUTDOWN}: {GAVE_UP}", says_goodbye=False)
        else:
            self.model.end_by_itself(child_id, ENDS[how][0], says_goodbye=True)

    def can_ask(self, ask: Ask) -> bool:
        """Ids need not be unique under a dynamic supervisor, but here they tell the children apart."""
        return not (self.dynamic and ask.request == "start_child" and self.model.knows(ask.child))

    def is_a(self, kind: str, child_id: str) -> bool:
        child = self.model.running(child_id)
        return child is not None and child.spec.type == kind

    # -- comparing ---------------------------------------------------------------------------------------------------

    async def compare(self, step: object, result: Result, allowed: Sequence[tuple[Model, Result]]) -> bool:
        """Let everything happen that can happen now; return whether the model allows what is seen then."""
        await anyio.sleep(INSTANT)
        self.seen = self.in_any_order({"step": step, "result": result, **self.tree.observe()})
        self.expected.clear()
        for model, its_result in allowed:
            model.advance(anyio.current_time())
            if self.plan.above == "permanent" and self.booted and self.ending is None:
                model = escalate(model, self.static)  # noqa: PLW2901 - it stands for the one that ended
            expected = {"step": step, "result": its_result, **self.expect(model)}
            self.expected.append(self.in_any_order(expected))
            if self.expected[-1] == self.seen:
                self.model = model
                return True
        return False

    def expect(self, model: Model) -> dict[str, Any]:
        """Return what must be seen."""
        happened = model.world.take()
        up = model.ended is None
        alone = self.plan.above == "nothing" or not self.booted
        outcome = self.ending or (model.ended if alone else None)
        return {
            **happened,
            "outcome": None if outcome is None else OUTCOMES[outcome],
            "children": model.which_children() if up else [],
            "counts": model.count_children() if up else None,
        }

    def in_any_order(self, picture: dict[str, Any]) -> dict[str, Any]:
        """Forget the order where none is promised: among children that are dynamic, or are killed together."""
        if self.dynamic:
            picture["children"].sort()
        if picture["ended"] and (self.dynamic or self.ending == "kill"):
            picture["life"].sort(key=repr)
        return picture


# -- examples --------------------------------------------------------------------------------------------------------

BACKOFFS = [
    Backoff(initial=1 + ODD, maximum=4 + ODD, jitter=0, immediate_first=False),
    Backoff(initial=1 + ODD, maximum=1 + ODD, jitter=0),
    Backoff(initial=0.5 + ODD, maximum=4 + ODD, jitter=0, immediate_first=False, reset=2.0),
    Backoff(
        initial=0.5 + ODD, maximum=4 + ODD, jitter=0, immediate_first=False, reset=0.5, max_consecutive=2
    ),
    Backoff(initial=2 + ODD, maximum=2 + ODD, jitter=0, reset=2.0, max_consecutive=1),
]
RESTARTS: list[Restart] = ["permanent", "transient", "permanent", "temporary", "permanent", "transient"]
WORKERS = [
    Spec(id="", restart=restart, backoff=backoff, traps=traps, brutal_kill=brutal, significant=significant)
    for significant, brutal, traps, backoff, restart in product(
        (False, True), (False, True), (True, False), [None, *BACKOFFS, None, None], RESTARTS
    )
]
SUPERVISORS = [
    Spec(
        id="",
        type="supervisor",
        restart=restart,
        backoff=backoff,
        brutal_kill=brutal,
        significant=significant,
    )
    for significant, brutal, backoff, restart in product(
        (False, True), (False, True), [None, *BACKOFFS[:2]], RESTARTS
    )
]
HOWS: list[How] = ["crash", "normal", "shutdown", "custom", "kill"]
ENDINGS: list[tuple[int, How]] = [(nth, how) for how in HOWS for nth in range(3)]
STARTS: list[Start] = ["fails", "runs", "ignores", "stops", "breaks"]
REQUESTS: list[Request] = ["terminate_child", "restart_child", "delete_child", "start_child"]


def plans(flags: st.SearchStrategy[Flags], requests: Sequence[Request]) -> st.SearchStrategy[Plan]:
    """Return what can be done to a supervisor with these flags."""
    # One choice from a list, rather than one for each detail: making examples takes most of the time.
    ids = st.sampled_from("abc")
    shapes = st.sampled_from([*WORKERS, *SUPERVISORS])
    specs = st.builds(lambda child, spec: evolve(spec, id=child), ids, shapes)
    ends = st.sampled_from(ENDINGS)
    asks = st.builds(lambda name, spec: Ask(name, spec.id, spec), st.sampled_from(requests), specs)
    together = st.lists(ends, min_size=2, max_size=3)
    coming = st.builds(Coming, ids, st.lists(st.sampled_from(STARTS), min_size=1, max_size=4).map(tuple))
    waits = st.sampled_from([Wait(1.0), Wait(GRID), Wait(2.0), Wait(5.0)])
    steps = st.one_of(
        ends.map(lambda end: (Ends((end,)),)),
        waits.map(lambda wait: (wait,)),
        asks.map(lambda ask: (ask,)),
        together.map(lambda each: (Ends(tuple(each)),)),
        st.integers(0, 2).map(lambda nth: (Health(nth),)),
        # What leads into the rare states: a start that will fail, the end that brings it about, a request meanwhile.
        st.builds(lambda soon, end: (soon, Ends((end,))), coming, ends),
        st.builds(lambda soon, end, ask: (soon, Race(end[0], end[1], about(soon, ask))), coming, ends, asks),
        st.builds(
            lambda soon, end, wait, ask: (soon, Ends((end,)), wait, about(soon, ask)),
            coming,
            ends,
            waits,
            asks,
        ),
    )
    many = st.lists(steps, max_size=10)
    return st.builds(
        Plan,
        flags=flags,
        specs=st.lists(specs, min_size=2, max_size=3, unique_by=lambda spec: spec.id).map(tuple),
        above=st.sampled_from(["nothing", "permanent", "transient", "temporary"]),
        boot=st.just(()) | st.just(()) | st.just(()) | coming.map(lambda soon: (soon,)),
        # Several lists: one alone is short most of the time.
        steps=st.tuples(many, many, many).map(lambda lists: tuple(chain(*chain(*lists)))),
        ending=st.sampled_from(["stop", "cancel", "kill"]),
    ).map(without_what_is_refused)


def about(soon: Coming, ask: Ask) -> Ask:
    """Return the same request about the child that `soon` is about."""
    return evolve(ask, child=soon.child, spec=evolve(ask.spec, id=soon.child))


def without_what_is_refused(plan: Plan) -> Plan:
    """Return `plan` with significant children only where they are allowed."""

    def fit(spec: Spec) -> Spec:
        allowed = spec.restart != "permanent" and plan.flags.auto_shutdown != "never"
        return evolve(spec, significant=spec.significant and allowed)

    def fit_step(step: Step) -> Step:
        match step:
            case Ask():
                return evolve(step, spec=fit(step.spec))
            case Race():
                return evolve(step, ask=evolve(step.ask, spec=fit(step.ask.spec)))
            case _:
                return step

    return evolve(plan, specs=tuple(map(fit, plan.specs)), steps=tuple(map(fit_step, plan.steps)))


MAX_RESTARTS = st.sampled_from([3, 10, 5, 20, 2, 1, 0])
MAX_SECONDS = st.sampled_from([5.0, 2.0, 1.0])
static_plans = plans(
    st.builds(
        Flags,
        strategy=st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"]),
        max_restarts=MAX_RESTARTS,
        max_seconds=MAX_SECONDS,
        auto_shutdown=st.sampled_from(["never", "all_significant", "never", "any_significant"]),
    ),
    REQUESTS,
)
dynamic_plans = plans(
    st.builds(Flags, max_restarts=MAX_RESTARTS, max_seconds=MAX_SECONDS, max_children=st.integers(1, 3)),
    ["terminate_child", "start_child"],
)


def examples(number: int) -> settings:
    """Return the settings of the suite, or those that the environment asks for."""
    return settings(
        max_examples=EXAMPLES or number,
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


# -- tests -----------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Generator[None, None, None]:
    """Keep the reports out of the log: they are compared as events."""
    log = logging.getLogger("wsmgr.actors")
    before, log.disabled = log.disabled, True
    yield
    log.disabled = before


def known(flags: Flags, specs: Sequence[Spec], *steps: Step) -> Plan:
    """Return a plan that is always tried: it once showed a difference, or lies on an edge."""
    return Plan(flags=flags, specs=tuple(specs), above="nothing", boot=(), steps=steps, ending="stop")


A, B = Spec(id="a"), Spec(id="b")
SLOW_A = evolve(A, backoff=BACKOFFS[0])
LOSING_A = Ends(((0, "crash"),))
EXACTLY_ONE_WINDOW_APART = known(Flags(max_restarts=1), [A], LOSING_A, Wait(5.0), LOSING_A)
GROUP_AS_LARGE_AS_THE_BUDGET = known(
    Flags(strategy="one_for_all", max_restarts=2), [A, B], LOSING_A, LOSING_A
)
WAITING_WHEN_STOPPED = known(Flags(), [SLOW_A], LOSING_A)
LAST_SIGNIFICANT_WAITS = known(
    Flags(auto_shutdown="all_significant"),
    [evolve(each, restart="transient", significant=True) for each in (SLOW_A, B)],
    LOSING_A,
    Ends(((0, "normal"),)),
)
TERMINATED_BETWEEN_ATTEMPTS = known(
    Flags(strategy="one_for_all"),
    [A, B],
    Coming("b", ("fails",)),
    Race(0, "crash", Ask("terminate_child", "b", B)),
)
TERMINATED_AFTER_A_START_THAT_FAILED = known(
    Flags(max_children=1),
    [SLOW_A],
    Coming("a", ("fails",)),
    LOSING_A,
    Wait(2.0),
    Ask("terminate_child", "a", SLOW_A),
)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@examples(80)
@given(plan=static_plans)
@example(EXACTLY_ONE_WINDOW_APART)
@example(GROUP_AS_LARGE_AS_THE_BUDGET)
@example(WAITING_WHEN_STOPPED)
@example(LAST_SIGNIFICANT_WAITS)
@example(TERMINATED_BETWEEN_ATTEMPTS)
def test_supervisor_does_what_the_model_does(backend: str, plan: Plan) -> None:
    """Each strategy, restart type and administrative call, in any order."""
    run_virtually(lambda: Comparison(plan).run(), backend=backend)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@examples(50)
@given(plan=dynamic_plans)
@example(TERMINATED_AFTER_A_START_THAT_FAILED)
def test_dynamic_supervisor_does_what_the_model_does(backend: str, plan: Plan) -> None:
    """Children are known by reference, restarted alone, and forgotten when they are not."""
    run_virtually(lambda: Comparison(plan).run(), backend=backend)
