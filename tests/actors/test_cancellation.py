"""A cancellation from outside stops a tree in order, whatever the tree is doing, and never hangs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest
from attrs import define, field, frozen
from tests.actors.children import HOT, LONG, Journal, SlowGoodbye, crash, until

from wsmgr.actors import (
    Actor,
    Backoff,
    CallExitError,
    ChildSpec,
    ChildStatus,
    Continue,
    Crash,
    DynamicSupervisor,
    ForeignCancellationError,
    NoProc,
    Reply,
    Shutdown,
    Started,
    Stop,
    Supervisor,
    introspection,
)
from wsmgr.actors.testing import EventRecorder, Probe, TrappingProbe, VirtualTimeLoop

if TYPE_CHECKING:
    from wsmgr.actors import ActorRef, ReplyTo

pytestmark = pytest.mark.anyio

EAGER = ["asyncio-eager-virtual"] if sys.version_info >= (3, 12) else []
VIRTUAL_ASYNCIO = pytest.mark.parametrize(
    "anyio_backend", ["asyncio-virtual", "uvloop-virtual", *EAGER], indirect=True
)


class Goodbye(SlowGoodbye):
    """Says good-bye after some seconds, and tells when it begins to."""

    def __init__(self, name: str, world: World, seconds: float) -> None:
        super().__init__(name, world.journal, seconds)
        self.world = world

    async def terminate(self, reason: Any) -> None:
        if self.seconds >= 3.0:
            self.world.reached.set()
        await super().terminate(reason)


class SlowStart(Probe):
    """Needs some seconds for its `init`."""

    def __init__(self, name: str, world: World, seconds: float, *, shielded: bool) -> None:
        super().__init__(name, world.journal)
        self.world = world
        self.seconds = seconds
        self.shielded = shielded

    async def init(self) -> Any:
        await super().init()
        if self.seconds:
            self.world.reached.set()
            with anyio.CancelScope(shield=self.shielded):
                await anyio.sleep(self.seconds)


class TrappingSlowStart(SlowStart):
    """The same, and it traps exits."""

    trap_exit = True


class FailingStart(Probe):
    """Its `init` fails from the second incarnation on."""

    def __init__(self, name: str, world: World) -> None:
        super().__init__(name, world.journal)
        self.world = world

    async def init(self) -> Any:
        await super().init()
        starts = self.journal.count((self.name, "init"))
        if starts == 20:
            self.world.reached.set()
        if 1 < starts < HOT:
            raise OSError("not yet")


@frozen(kw_only=True)
class State:
    """What a tree is doing when its host is cancelled, and how it must end.

    Attributes:
        specs: Its children.
        begin: What leads the running tree into the state; None when its start does.
        goodbyes: Whose `terminate` is done after the cancellation, in order.
        seconds: How long the end takes.
        strategy: Of the supervisor.
        refused: How many requests are refused because of it.
    """

    specs: Callable[[World], list[ChildSpec]]
    begin: Callable[[World], Awaitable[None]] | None = None
    goodbyes: list[str]
    seconds: float
    strategy: Any = "one_for_one"
    refused: int = 0


@define
class World:
    """A tree that is brought into a state, and what happens in it."""

    state: State
    side: anyio.abc.TaskGroup
    journal: Journal = field(factory=Journal)
    reached: anyio.Event = field(factory=anyio.Event)
    refused: list[object] = field(factory=list[object])
    dynamic: DynamicSupervisor = field(factory=DynamicSupervisor)
    supervisor: Supervisor = field(factory=Supervisor)
    mark: int = 0
    began: float = 0.0

    def __attrs_post_init__(self) -> None:
        specs = self.state.specs(self)
        self.supervisor = Supervisor(specs, strategy=self.state.strategy, max_restarts=10 * HOT)

    # -- children --------------------------------------------------------------------------------------------------

    def child(self, name: str, seconds: float = 0.5) -> ChildSpec:
        """Return a child that says good-bye after some seconds."""
        return ChildSpec(name, lambda: Goodbye(name, self, seconds), shutdown=10.0)

    def starting(
        self,
        name: str,
        seconds: float,
        *,
        kind: type[SlowStart] = SlowStart,
        shielded: bool = False,
        quick: int = 0,
        **options: Any,
    ) -> ChildSpec:
        """Return a child whose `init` takes some seconds, after as many `quick` ones."""
        made: list[None] = []

        def start() -> SlowStart:
            made.append(None)
            return kind(name, self, seconds if len(made) > quick else 0.0, shielded=shielded)

        return ChildSpec(name, start, **options)

    def nested(self, name: str, *specs: ChildSpec) -> ChildSpec:
        """Return a supervisor of these."""
        return ChildSpec(name, lambda: Supervisor(specs), type="supervisor")

    # -- what is done ----------------------------------------------------------------------------------------------

    def ref(self, name: str) -> ActorRef[Any]:
        """Return the reference of a child that runs."""
        ref = next(child.ref for child in self.supervisor.which_children() if child.id == name)
        assert ref is not None
        return ref

    async def ask_for_slow_child(self) -> None:
        """Ask for a child whose start takes long, and be refused in the end."""
        try:
            await self.supervisor.start_child(self.starting("slow", LONG))
        except CallExitError as error:
            self.refused.append(error.reason)

    async def ask_for_the_end_of_b(self) -> None:
        """Ask for the end of a child, and get an answer in any case."""
        with suppress(CallExitError):
            await self.supervisor.terminate_child("b")

    async def host(self, form: str) -> None:
        """Be the task around the tree."""
        if form == "run":
            await self.supervisor.run()
        else:
            async with self.supervisor:
                await anyio.sleep(LONG)

    async def bring_about(self, cancel: Callable[[], object]) -> None:
        """Lead the tree into the state, then cancel its host."""
        if self.state.begin is not None:
            await until(lambda: self.supervisor.tree().status is ChildStatus.RUNNING)
            await self.state.begin(self)
        await self.reached.wait()
        self.mark = len(self.journal)
        self.began = anyio.current_time()
        cancel()

    def check(self, goodbyes: list[str], seconds: float) -> None:
        """Who ran said good-bye in that order, in the time that this takes, and nothing is left."""
        assert goodbyes == [entry[0] for entry in self.journal[self.mark :] if entry[1] == "terminate"]
        assert pytest.approx(seconds, abs=0.01) == anyio.current_time() - self.began
        assert self.supervisor.count_children().active == 0
        assert ChildStatus.STOPPED is self.supervisor.tree().status
        assert [NoProc()] * self.state.refused == self.refused


async def at_once(world: World) -> None:
    world.reached.set()


async def crash_b(world: World) -> None:
    world.ref("b").cast(crash)


async def crash_b_and_wait(world: World) -> None:
    world.ref("b").cast(crash)
    await until(lambda: world.supervisor.which_children()[1].status is ChildStatus.RESTARTING)
    world.reached.set()


async def ask_twice(world: World) -> None:
    for _ in range(2):
        world.side.start_soon(world.ask_for_slow_child)


async def terminate_b(world: World) -> None:
    world.side.start_soon(world.ask_for_the_end_of_b)


async def fill_dynamic(world: World) -> None:
    for name, seconds in (("x", 0.75), ("y", 0.25)):
        await world.dynamic.start_child(world.child(name, seconds))
    world.reached.set()


async def suspend_b(world: World) -> None:
    ref = world.ref("b")
    await introspection.suspend(ref)
    ref.cast(crash)
    world.reached.set()


STATES = {
    "all children run": State(
        specs=lambda w: [w.child(name) for name in "abc"],
        begin=at_once,
        goodbyes=["c", "b", "a"],
        seconds=1.5,
    ),
    "the init of a child is slow": State(
        specs=lambda w: [w.child("a"), w.starting("slow", LONG), w.child("never")],
        goodbyes=["a"],
        seconds=0.5,
    ),
    "the init of a child that traps exits is slow": State(
        specs=lambda w: [
            w.child("a"),
            w.starting("slow", 1.0, kind=TrappingSlowStart, shutdown=2.0),
            w.child("never"),
        ],
        goodbyes=["slow", "a"],
        seconds=1.5,
    ),
    "the init of a child that traps exits never ends": State(
        specs=lambda w: [w.child("a"), w.starting("slow", LONG, kind=TrappingSlowStart, shutdown=2.0)],
        goodbyes=["a"],
        seconds=2.5,
    ),
    "the init of a child that is waited for without limit never ends": State(
        specs=lambda w: [
            w.child("a"),
            w.starting("slow", LONG, kind=TrappingSlowStart, shutdown="infinity", start_timeout=6.0),
        ],
        goodbyes=["a"],
        seconds=6.5,
    ),
    "the init of a child is shielded": State(
        specs=lambda w: [w.child("a"), w.starting("slow", 3.0, shielded=True)],
        goodbyes=["a"],
        seconds=3.5,
    ),
    "the init of a child that traps exits is shielded": State(
        specs=lambda w: [
            w.child("a"),
            w.starting("slow", 3.0, kind=TrappingSlowStart, shielded=True, shutdown=10.0),
        ],
        goodbyes=["slow", "a"],
        seconds=3.5,
    ),
    "a child is being started on request, and another request waits": State(
        specs=lambda w: [w.child("a")],
        begin=ask_twice,
        goodbyes=["a"],
        seconds=0.5,
        refused=2,
    ),
    "a child waits for its next attempt": State(
        specs=lambda w: [
            w.child("a"),
            ChildSpec(
                "b",
                lambda: Probe("b", w.journal),
                backoff=Backoff(initial=1000, maximum=1000, immediate_first=False),
            ),
            w.child("c"),
        ],
        begin=crash_b_and_wait,
        goodbyes=["c", "a"],
        seconds=1.0,
    ),
    "the init of a child fails again and again": State(
        specs=lambda w: [w.child("a"), ChildSpec("b", lambda: FailingStart("b", w)), w.child("c")],
        begin=crash_b,
        goodbyes=["c", "a"],
        seconds=1.0,
    ),
    "the restart of a group is half done": State(
        specs=lambda w: [
            w.child("a", 0.25),
            w.child("b", 0.25),
            w.starting("slow", LONG, quick=1),
            w.child("d", 0.25),
        ],
        strategy="one_for_all",
        begin=crash_b,
        goodbyes=["b", "a"],
        seconds=0.5,
    ),
    "a child of a group says good-bye for the restart": State(
        specs=lambda w: [w.child("a"), w.child("b"), w.child("c", 3.0), w.child("d")],
        strategy="one_for_all",
        begin=crash_b,
        goodbyes=["c", "a"],
        seconds=3.5,
    ),
    "a child says good-bye after a crash": State(
        specs=lambda w: [w.child("a"), w.child("b", 4.0), w.child("c")],
        begin=crash_b,
        goodbyes=["c", "b", "a"],
        seconds=4.5,
    ),
    "a child says good-bye on request": State(
        specs=lambda w: [w.child("a"), w.child("b", 4.0), w.child("c")],
        begin=terminate_b,
        goodbyes=["b", "c", "a"],
        seconds=5.0,
    ),
    "supervisors below run": State(
        specs=lambda w: [
            w.child("a"),
            w.nested("x", w.child("b"), w.nested("y", w.child("c"), w.child("d"))),
            w.child("e"),
        ],
        begin=at_once,
        goodbyes=["e", "d", "c", "b", "a"],
        seconds=2.5,
    ),
    "a supervisor below starts": State(
        specs=lambda w: [
            w.child("a"),
            w.nested("x", w.child("b"), w.starting("slow", LONG), w.child("never")),
        ],
        goodbyes=["b", "a"],
        seconds=1.0,
    ),
    "a dynamic supervisor below has children": State(
        specs=lambda w: [
            w.child("a"),
            ChildSpec("dynamic", lambda: w.dynamic, type="supervisor"),
            w.child("c"),
        ],
        begin=fill_dynamic,
        goodbyes=["c", "y", "x", "a"],
        seconds=0.5 + 0.75 + 0.5,
    ),
    "a child is suspended": State(
        specs=lambda w: [w.child(name) for name in "abc"],
        begin=suspend_b,
        goodbyes=["c", "b", "a"],
        seconds=1.5,
    ),
}

STATE = pytest.mark.parametrize("state", STATES)
FORMS = ("run", "async with")
FORM = pytest.mark.parametrize("form", FORMS)


@STATE
@pytest.mark.parametrize("way", ["deadline", "task group"])
async def test_cancelled_scope_around_a_tree_ends_it_in_order(way: str, state: str) -> None:
    """A timeout around it, or a task group that is cancelled, whatever the tree is doing; `run` or `async with`."""
    for form in FORMS:
        async with anyio.create_task_group() as side:
            world = World(STATES[state], side)
            await (end_by_deadline if way == "deadline" else end_by_task_group)(world, form)
            world.check(STATES[state].goodbyes, STATES[state].seconds)


async def end_by_deadline(world: World, form: str) -> None:
    """Be the host under a deadline that comes when the tree is in its state."""
    with anyio.move_on_after(2 * LONG) as scope:
        world.side.start_soon(world.bring_about, lambda: setattr(scope, "deadline", anyio.current_time()))
        await world.host(form)
        pytest.fail("the cancellation was lost")
    assert scope.cancelled_caught


async def end_by_task_group(world: World, form: str) -> None:
    """Be the host in a task group that is cancelled when the tree is in its state."""
    async with anyio.create_task_group() as around:
        world.side.start_soon(world.bring_about, around.cancel_scope.cancel)
        await world.host(form)
        pytest.fail("the cancellation was lost")


@STATE
@VIRTUAL_ASYNCIO
@pytest.mark.parametrize("way", ["cancel", "timeout"])
async def test_native_cancellation_of_the_host_ends_the_tree_in_order(
    way: str, state: str, anyio_backend: object
) -> None:
    """`Task.cancel` (so also Ctrl-C under `asyncio.run`) and `asyncio.timeout` know no shields."""
    for form in FORMS:
        async with anyio.create_task_group() as side:
            world = World(STATES[state], side)
            await end_natively(world, form, way)
            if (form, state) == ("run", "a child says good-bye on request"):
                # It hits the supervisor's own task, which leaves what it was doing and ends all, from the last.
                world.check(["c", "b", "a"], 4.5)
            else:
                world.check(STATES[state].goodbyes, STATES[state].seconds)


async def end_natively(world: World, form: str, way: str) -> None:
    """Have a host task that asyncio cancels when the tree is in its state."""

    async def host() -> None:
        async with asyncio.timeout(None) as timeout:
            # A task may run before who starts it has it in hand.
            here = asyncio.current_task()
            assert here is not None
            cancel = (
                here.cancel
                if way == "cancel"
                else lambda: timeout.reschedule(asyncio.get_running_loop().time())
            )
            world.side.start_soon(world.bring_about, cancel)
            await world.host(form)

    task = asyncio.ensure_future(host())
    with pytest.raises(asyncio.CancelledError if way == "cancel" else TimeoutError):
        await task


# -- at every step -----------------------------------------------------------------------------------------------------


class Stepwise(Actor[Any]):
    """Starts and ends in several steps, and writes down both by its reference."""

    trap_exit = True

    def __init__(self, ended: list[ActorRef[Any]]) -> None:
        self.ended = ended

    async def init(self) -> Continue:
        for _ in range(2):
            await anyio.lowlevel.checkpoint()
        return Continue()

    async def handle_continue(self, token: object) -> None:
        await anyio.lowlevel.checkpoint()

    async def handle_cast(self, message: object) -> None:
        raise ValueError("crash")

    async def terminate(self, reason: object) -> None:
        for _ in range(2):
            await anyio.lowlevel.checkpoint()
        self.ended.append(self.ref)


class Steps:
    """A tree of two levels that starts, restarts a group, and then runs."""

    NAMES = ("a", "b", "c", "d", "e")

    def __init__(self) -> None:
        self.ended: list[ActorRef[Any]] = []
        self.recorder = EventRecorder()
        self.crashed = False
        inner = ChildSpec(
            "inner",
            lambda: Supervisor([self.child("b"), self.child("c")], strategy="rest_for_one"),
            type="supervisor",
        )
        self.supervisor = Supervisor(
            [self.child("a"), inner, self.child("d"), self.child("e")],
            strategy="one_for_all",
            on_event=self.on_event,
        )

    def child(self, name: str) -> ChildSpec:
        return ChildSpec(name, lambda: Stepwise(self.ended), shutdown=10.0)

    def on_event(self, event: Any) -> None:
        self.recorder(event)
        if isinstance(event, Started) and event.child_id == "e" and not self.crashed:
            self.crashed = True
            event.ref.cast("crash")

    async def host(self, form: str) -> None:
        if form == "run":
            await self.supervisor.run()
        else:
            async with self.supervisor:
                await anyio.sleep(LONG)

    def check(self) -> None:
        """Whoever had started has ended, once, and those that were stopped went in reverse order."""
        started = [event.ref for event in self.recorder.of(Started) if event.child_id in self.NAMES]
        assert set(started) == set(self.ended)
        assert len(self.ended) == len(set(self.ended))
        for generation in (0, 1):
            stopped = [
                ref
                for ref in self.ended
                if ref.exit_reason == Shutdown() and self.generation(started, ref) == generation
            ]
            names = [ref.name for ref in stopped]
            assert sorted(names, reverse=True) == names
        assert self.supervisor.count_children().active == 0

    def generation(self, started: list[ActorRef[Any]], ref: ActorRef[Any]) -> int:
        return [each for each in started if each.name == ref.name].index(ref)


STEPS = (*range(70), 80, 100)
"""After how many turns of the loop the cancellation comes; the tree has settled before the last."""


@FORM
async def test_cancelled_scope_ends_the_tree_in_order_at_every_step_of_its_life(form: str) -> None:
    """Boot, crash, restart of a group on two levels: nobody who has started is forgotten, whenever it comes."""
    settled = 0
    for steps in STEPS:
        tree = Steps()
        over = False
        with anyio.fail_after(LONG):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(cancel_after, steps, tasks.cancel_scope.cancel)
                await tree.host(form)
                over = True
        assert not over
        tree.check()
        settled += len([event for event in tree.recorder.of(Started) if event.restarts]) >= 4
    assert settled > 0


@FORM
@VIRTUAL_ASYNCIO
async def test_native_cancellation_ends_the_tree_in_order_at_every_step_of_its_life(
    form: str, anyio_backend: object
) -> None:
    """It may hit the host in the middle of a start, a wait, or an end."""
    settled = 0
    for steps in STEPS:
        tree = Steps()
        task = asyncio.ensure_future(tree.host(form))
        await cancel_after(steps, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        if steps > 0:
            tree.check()
        settled += len([event for event in tree.recorder.of(Started) if event.restarts]) >= 4
    assert settled > 0


@FORM
@VIRTUAL_ASYNCIO
async def test_second_native_cancellation_does_not_leave_the_tree_behind(
    form: str, anyio_backend: object
) -> None:
    """A timeout and a cancelled group at once, or an impatient caller: the end goes on, and is waited for."""
    await cancel_twice(form, lambda _, task: task.cancel(), 0.25)


@FORM
@VIRTUAL_ASYNCIO
@pytest.mark.parametrize("later", [0.0, 0.6])
async def test_native_cancellation_after_that_of_a_scope_does_not_leave_the_tree_behind(
    later: float, form: str, anyio_backend: object
) -> None:
    """Ctrl-C while a timeout ends the tree."""
    await cancel_twice(form, lambda scope, _: scope.cancel(), later)


async def cancel_twice(
    form: str, first: Callable[[anyio.CancelScope, asyncio.Task[None]], object], later: float
) -> None:
    """Cancel a tree, then its host natively; it ends in order, and before its host."""
    async with anyio.create_task_group() as side:
        world = World(STATES["all children run"], side)
        scope = anyio.CancelScope()

        async def host() -> None:
            with scope:
                await world.host(form)

        ends: list[tuple[int, float]] = []

        def note_end(_: object) -> None:
            seconds = round(anyio.current_time() - world.began, 3)
            ends.append((world.supervisor.count_children().active, seconds))

        task = asyncio.ensure_future(host())
        task.add_done_callback(note_end)
        side.start_soon(world.bring_about, lambda: first(scope, task))
        await world.reached.wait()
        for _ in range(2):
            await anyio.sleep(later)
            task.cancel()
        await anyio.sleep(10)
        assert [(0, 1.5)] == ends
        assert ["c", "b", "a"] == [entry[0] for entry in world.journal if entry[1] == "terminate"]


@VIRTUAL_ASYNCIO
async def test_native_cancellations_that_go_on_do_not_keep_a_child_from_being_killed(
    anyio_backend: object,
) -> None:
    """A cancelled scope around `await task` cancels the task at every turn of the loop: each deadline stands."""

    class Hanging(TrappingProbe):
        async def terminate(self, reason: Any) -> None:
            await anyio.sleep(LONG)

    supervisor = Supervisor([ChildSpec(name, Hanging, shutdown=1.0) for name in "ab"])
    task = asyncio.ensure_future(supervisor.run())
    await until(lambda: supervisor.tree().status is ChildStatus.RUNNING)
    began = anyio.current_time()
    ended: list[float] = []
    task.add_done_callback(lambda _: ended.append(round(anyio.current_time() - began, 3)))
    for _ in range(40):
        task.cancel()
        await anyio.sleep(0.25)
    await asyncio.wait([task])
    assert [2.0] == ended


@pytest.mark.parametrize("form", FORMS)
def test_loop_that_cancels_all_of_its_tasks_hangs_on_no_tree(form: str) -> None:
    """`asyncio.run`, when a tree is left in a task of its own: all say good-bye, without an order."""
    journal: Journal = []
    supervisor = Supervisor(
        [
            ChildSpec("a", lambda: TrappingProbe("a", journal)),
            ChildSpec(
                "inner",
                lambda: Supervisor([ChildSpec("b", lambda: TrappingProbe("b", journal))]),
                type="supervisor",
            ),
            ChildSpec("c", lambda: TrappingProbe("c", journal)),
        ]
    )
    left: list[asyncio.Task[None]] = []

    async def host() -> None:
        if form == "run":
            await supervisor.run()
        else:
            async with supervisor:
                await anyio.sleep(LONG)

    async def main() -> None:
        left.append(asyncio.create_task(host()))
        await anyio.sleep(1)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())
    assert left[0].cancelled()
    assert ["a", "b", "c"] == sorted(str(entry[0]) for entry in journal if entry[1] == "terminate")
    assert supervisor.count_children().active == 0


async def cancel_after(steps: int, cancel: Callable[[], object]) -> None:
    """Let the loop turn some times, then cancel."""
    for _ in range(steps):
        await anyio.lowlevel.checkpoint()
    cancel()


# -- a cancellation that a library throws ------------------------------------------------------------------------------


class Everywhere(Probe):
    """Awaits a future in one of its callbacks."""

    def __init__(self, where: str, future: asyncio.Future[None], journal: Journal) -> None:
        super().__init__("everywhere", journal)
        self.where = where
        self.future = future

    async def init(self) -> Any:
        if self.where == "info":
            self.send_after(0, "go")
        return Continue() if self.where == "continue" else None

    async def handle_continue(self, token: object) -> None:
        await self.future

    async def handle_info(self, message: object) -> Stop | None:
        await self.future
        return None

    async def handle_cast(self, message: object) -> Stop | None:
        await self.wait_in_tasks() if self.where == "task group" else await self.future
        return None

    async def handle_call(self, request: object, reply_to: ReplyTo) -> Any:
        await self.future
        return Reply()

    async def wait_in_tasks(self) -> None:
        async def wait() -> None:
            await self.future

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep, LONG)
            tasks.start_soon(wait)
            await self.future


class TrappingEverywhere(Everywhere):
    """The same, and it traps exits."""

    trap_exit = True


@VIRTUAL_ASYNCIO
@pytest.mark.parametrize("kind", [Everywhere, TrappingEverywhere])
@pytest.mark.parametrize("where", ["continue", "info", "cast", "call", "task group"])
async def test_cancellation_that_a_library_throws_is_the_crash_of_that_actor_only(
    where: str, kind: type[Everywhere], journal: Journal, recorder: EventRecorder, anyio_backend: object
) -> None:
    """In each callback: it is restarted like after any crash, its caller is told, and nobody else notices."""
    futures: list[asyncio.Future[None]] = []

    def make() -> Everywhere:
        futures.append(asyncio.get_running_loop().create_future())
        return kind(where, futures[-1], journal)

    specs = [ChildSpec("before", Probe), ChildSpec("a", make), ChildSpec("after", Probe)]
    async with Supervisor(specs, on_event=recorder) as supervisor:
        before, ref, after = (child.ref for child in supervisor.which_children())
        assert before is not None
        assert ref is not None
        assert after is not None
        told: list[object] = []

        async def ask(ref: ActorRef[Any] = ref) -> None:
            try:
                await ref.call("x")
            except CallExitError as error:
                told.append(error.reason)

        async with anyio.create_task_group() as tasks:
            if where == "call":
                tasks.start_soon(ask)
            else:
                ref.cast("x")
            await anyio.sleep(0.01)
            futures[0].cancel()
            await anyio.sleep(0.01)
        reason = ref.exit_reason
        assert isinstance(reason, Crash)
        assert isinstance(reason.root_causes()[0], ForeignCancellationError)
        assert ([reason] if where == "call" else []) == told
        assert [("everywhere", "terminate", reason)] == journal
        assert [0, 1, 0] == [child.restarts for child in supervisor.which_children()]
        assert ["alive", "alive"] == [await before.call("alive"), await after.call("alive")]


@VIRTUAL_ASYNCIO
async def test_handler_that_cancels_its_own_task_crashes_its_actor_only(
    journal: Journal, anyio_backend: object
) -> None:
    """What was not asked for from outside is nobody's shutdown."""

    async def cancel_oneself(probe: Probe) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await anyio.sleep(LONG)

    async with Supervisor([ChildSpec(n, Probe) for n in "ab"]) as supervisor:
        first, second = (child.ref for child in supervisor.which_children())
        assert first is not None
        assert second is not None
        first.cast(cancel_oneself)
        reason = await first.monitor().wait()
        assert isinstance(reason, Crash)
        assert isinstance(reason.error, ForeignCancellationError)
        await anyio.sleep(0.01)
        assert [1, 0] == [child.restarts for child in supervisor.which_children()]
        assert await second.call("alive") == "alive"


async def test_handler_that_cancels_a_scope_of_its_own_goes_on(journal: Journal) -> None:
    """Its timeouts and task groups are its own business."""

    async def use_scopes(probe: Probe) -> str:
        with anyio.move_on_after(1):
            await anyio.sleep(LONG)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep, LONG)
            tasks.cancel_scope.cancel()
        return "done"

    async with Supervisor([ChildSpec("a", Probe)]) as supervisor:
        ref = supervisor.which_children()[0].ref
        assert ref is not None
        assert await ref.call(use_scopes) == "done"
        assert supervisor.which_children()[0].restarts == 0
