"""OTP's contract of who is told of an end: links, monitors, exit signals, names."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from tests.actors.children import Journal, crash, quiet, slow

from wsmgr.actors import (
    Actor,
    AlreadyRegisteredError,
    CallExitError,
    ChildSpec,
    Crash,
    Down,
    DynamicSupervisor,
    Exited,
    ExitSignal,
    Killed,
    NoProc,
    Normal,
    Registry,
    Shutdown,
    StartError,
    Stop,
    Supervisor,
    introspection,
)
from wsmgr.actors.testing import EventRecorder, Probe, TrappingProbe

if TYPE_CHECKING:
    from wsmgr.actors import ActorRef, ExitReason

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]

Tree = DynamicSupervisor

REASONS: list[ExitReason] = [Normal(), Shutdown(), Shutdown("x"), Killed(), Crash(ValueError("crash"))]


class Signalled(TrappingProbe):
    """Writes down which signals and `Down`s it gets."""

    async def handle_info(self, message: object) -> Stop | None:
        self.journal.append((self.name, message))
        return None


async def start(
    tree: Tree, name: str = "p", journal: Journal | None = None, kind: type[Probe] = Probe
) -> ActorRef[Any]:
    return await tree.start_child(ChildSpec(name, lambda: kind(name, journal), restart="temporary"))


async def link(one: ActorRef[Any], *others: ActorRef[Any]) -> None:
    """Let `one` link itself with the others."""

    async def do(probe: Probe) -> None:
        for other in others:
            probe.link(other)

    await one.call(do)


async def unlink(one: ActorRef[Any], other: ActorRef[Any]) -> None:
    async def do(probe: Probe) -> None:
        probe.unlink(other)

    await one.call(do)


async def watch(one: ActorRef[Any], *others: ActorRef[Any]) -> None:
    async def do(probe: Probe) -> None:
        for other in others:
            probe.monitor(other)

    await one.call(do)


async def end(ref: ActorRef[Any], reason: ExitReason) -> None:
    """Let the process of `ref` end with `reason`, by itself."""

    async def leave(probe: Probe) -> Stop:
        return Stop(reason)

    if isinstance(reason, Killed):
        ref.exit(reason)
    else:
        ref.cast(leave)
    await quiet()
    assert reason == ref.exit_reason


def news(journal: Journal) -> list[object]:
    return [entry[1] for entry in journal if isinstance(entry[1], (Down, ExitSignal))]


class TestReasons:
    """The classes of reasons, and what each does to whoever is linked."""

    @pytest.mark.parametrize("reason", REASONS)
    async def test_link_carries_every_reason_but_normal_and_one_that_traps_gets_each_as_a_message(
        self, reason: ExitReason, tree: Tree, journal: Journal
    ) -> None:
        """Both directions, once, with the reason as it was."""
        victim = await start(tree)
        plain = await start(tree)
        trapper = await start(tree, "trapper", journal, Signalled)
        await link(victim, plain)
        await link(trapper, victim)
        await end(victim, reason)
        assert [ExitSignal(victim, reason)] == news(journal)
        if isinstance(reason, Normal):
            assert await plain.call("alive") == "alive"
        else:
            assert reason == plain.exit_reason
        assert await trapper.call("alive") == "alive"

    @pytest.mark.parametrize("reason", REASONS)
    async def test_monitor_tells_every_reason_and_harms_nobody(
        self, reason: ExitReason, tree: Tree, journal: Journal
    ) -> None:
        """One direction, once, trapping or not."""
        victim = await start(tree)
        plain = await start(tree, "plain", journal, Plain)
        await watch(plain, victim)
        await end(victim, reason)
        assert [Down(victim, reason)] == news(journal)
        assert await plain.call("alive") == "alive"

    async def test_kill_by_a_link_is_no_kill(self, tree: Tree, journal: Journal) -> None:
        """`exit(Pid, kill)` is observed as `killed`, and that can be trapped further on."""
        first, trapper = await start(tree), await start(tree, "t", journal, Signalled)
        await link(trapper, first)
        first.exit(Killed())
        await quiet()
        assert [ExitSignal(first, Killed())] == news(journal)
        assert trapper.alive


class Plain(Probe):
    """Writes down which `Down`s it gets, and traps nothing."""

    async def handle_info(self, message: object) -> Stop | None:
        self.journal.append((self.name, message))
        return None


class TestLinks:
    """Two fates that are one: chains, rings, the moment of an `unlink`."""

    @pytest.mark.parametrize("first", [0, 2, 5])
    async def test_chain_of_links_falls_as_a_whole_from_wherever_it_breaks(
        self, first: int, tree: Tree
    ) -> None:
        """Each is told by its neighbour, all end with the one reason."""
        chain = [await start(tree) for _ in range(6)]
        for one, other in itertools.pairwise(chain):
            await link(one, other)
        chain[first].cast(crash)
        await quiet()
        assert isinstance(chain[first].exit_reason, Crash)
        assert [chain[first].exit_reason] * 6 == [ref.exit_reason for ref in chain]

    async def test_chain_ends_where_somebody_traps(self, tree: Tree, journal: Journal) -> None:
        """The signal is a message there, and goes no further."""
        before, trapper, after = (
            await start(tree),
            await start(tree, "t", journal, Signalled),
            await start(tree),
        )
        await link(trapper, before, after)
        before.cast(crash)
        await quiet()
        assert [False, True, True] == [ref.alive for ref in (before, trapper, after)]
        assert 1 == len(news(journal))

    @pytest.mark.parametrize("size", [2, 3, 7])
    async def test_ring_of_links_falls_and_nobody_is_told_twice(
        self, size: int, tree: Tree, recorder: EventRecorder, journal: Journal
    ) -> None:
        """A cycle ends where it began."""
        observer = await start(tree, "observer", journal, Signalled)
        ring = [await start(tree) for _ in range(size)]
        for one, other in zip(ring, [*ring[1:], ring[0]], strict=True):
            await link(one, other)
        await watch(observer, *ring)
        ring[0].cast(crash)
        await quiet()
        assert [False] * size == [ref.alive for ref in ring]
        assert dict.fromkeys(ring, 1) == Counter(
            message.ref for message in news(journal) if isinstance(message, Down)
        )

    async def test_ring_of_those_that_trap_stands(self, tree: Tree, journal: Journal) -> None:
        """Each neighbour hears of it once."""
        ring = [await start(tree, str(number), journal, Signalled) for number in range(4)]
        for one, other in zip(ring, [*ring[1:], ring[0]], strict=True):
            await link(one, other)
        ring[0].cast(crash)
        await quiet()
        assert [False, True, True, True] == [ref.alive for ref in ring]
        told = [name for name, message, *_ in journal if isinstance(message, ExitSignal)]
        assert ["1", "3"] == sorted(map(str, told))

    async def test_second_link_is_the_same_link_and_one_unlink_undoes_it(
        self, tree: Tree, journal: Journal
    ) -> None:
        """From either side."""
        trapper, other = await start(tree, "t", journal, Signalled), await start(tree)
        await link(trapper, other, other)
        await link(other, trapper)
        await unlink(other, trapper)
        await end(other, Shutdown())
        assert news(journal) == []
        other = await start(tree)
        await link(trapper, other, other)
        await link(other, trapper)
        await end(other, Shutdown())
        assert [ExitSignal(other, Shutdown())] == news(journal)

    async def test_unlink_after_the_end_leaves_the_signal_that_is_there(
        self, tree: Tree, journal: Journal
    ) -> None:
        """`unlink` is no flush: what has arrived has arrived."""
        trapper, other = await start(tree, "t", journal, Signalled), await start(tree)

        async def too_late(probe: Probe) -> None:
            probe.link(other)
            other.exit(Killed())
            await other.monitor().wait()
            probe.unlink(other)

        await trapper.call(too_late)
        await quiet()
        assert [ExitSignal(other, Killed())] == news(journal)

    async def test_unlink_before_the_end_is_in_time_however_close(self, tree: Tree, journal: Journal) -> None:
        """Nothing of the other's end arrives any more."""
        one, other = await start(tree, "one", journal, Plain), await start(tree)

        async def just_in_time(probe: Probe) -> None:
            probe.link(other)
            other.exit(Killed())
            probe.unlink(other)

        await one.call(just_in_time)
        await quiet()
        assert (False, True) == (other.alive, one.alive)

    async def test_links_with_those_that_have_ended_are_forgotten(self, tree: Tree) -> None:
        """A process that lives long does not collect the dead."""
        trapper = await start(tree, "t", None, Signalled)
        others = [await start(tree) for _ in range(3)]
        await link(trapper, *others)
        await watch(others[2], trapper)
        status = await introspection.get_status(trapper)
        assert (3, 1) == (len(status.links), status.monitored_by)
        for other in others[1:]:
            await end(other, Shutdown())
        status = await introspection.get_status(trapper)
        assert ((others[0],), 0) == (status.links, status.monitored_by)

    async def test_link_with_oneself_is_nothing(self, tree: Tree, journal: Journal) -> None:
        """Nobody is told of his own end."""
        ref = await start(tree, "t", journal, Signalled)
        await link(ref, ref)
        assert await ref.call("alive") == "alive"
        await end(ref, Shutdown())
        assert news(journal) == []

    async def test_link_with_who_has_ended_is_the_signal_noproc(self, tree: Tree, journal: Journal) -> None:
        """It ends who does not trap."""
        dead, plain = await start(tree), await start(tree)
        trapper = await start(tree, "t", journal, Signalled)
        await end(dead, Normal())
        await link(trapper, dead)
        await quiet()
        assert [ExitSignal(dead, NoProc())] == news(journal)
        plain.cast(lambda probe: link_here(probe, dead))
        await quiet()
        assert NoProc() == plain.exit_reason

    async def test_linked_children_of_two_supervisors_fall_together_and_are_each_restarted_by_their_own(
        self, journal: Journal
    ) -> None:
        """A link knows no tree; a restart does not bring the link back."""
        first, second = (Supervisor([ChildSpec("p", Probe)]) for _ in range(2))
        async with Supervisor(
            [ChildSpec(n, lambda s=s: s, type="supervisor") for n, s in (("x", first), ("y", second))]  # type: ignore[misc]
        ):
            before = [supervisor.which_children()[0].ref for supervisor in (first, second)]
            assert before[0] is not None
            assert before[1] is not None
            await link(before[0], before[1])
            before[0].cast(crash)
            await quiet()
            after = [supervisor.which_children()[0] for supervisor in (first, second)]
            assert [1, 1] == [child.restarts for child in after]
            assert after[0].ref is not None
            after[0].ref.cast(crash)
            await quiet()
            assert [2, 1] == [s.which_children()[0].restarts for s in (first, second)]


async def link_here(probe: Probe, other: ActorRef[Any]) -> None:
    probe.link(other)
    await anyio.sleep(100)


class TestMonitors:
    """Who is told of an end, how often, and in which order."""

    async def test_each_monitor_fires_once(self, tree: Tree, journal: Journal) -> None:
        """Two monitors of one process are two messages, one of a dead one is `noproc`."""
        watcher, watched = await start(tree, "w", journal, Signalled), await start(tree)
        await watch(watcher, watched, watched)
        await end(watched, Shutdown("x"))
        await watch(watcher, watched)
        await quiet()
        assert [Down(watched, Shutdown("x"))] * 2 + [Down(watched, NoProc())] == news(journal)

    async def test_monitor_of_oneself_tells_nobody(self, tree: Tree, journal: Journal) -> None:
        """Who could hear of it has ended."""
        ref = await start(tree, "t", journal, Signalled)
        await watch(ref, ref)
        await end(ref, Shutdown())
        assert news(journal) == []

    async def test_supervisor_can_be_monitored_and_its_end_is_told_when_its_children_are_gone(
        self, tree: Tree, journal: Journal
    ) -> None:
        """A supervisor is a process like any other."""
        inner = Supervisor([slow("slow", journal, 1.0)])
        ref = await tree.start_child(
            ChildSpec("inner", lambda: inner, type="supervisor", restart="temporary")
        )
        watcher = await start(tree, "w", journal, Signalled)
        await watch(watcher, ref)
        await tree.terminate_child(ref)
        await quiet()
        assert [("slow", "terminate", Shutdown()), ("w", Down(ref, Shutdown()))] == journal[-2:]

    async def test_links_are_told_before_monitors_and_the_supervisor_last(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """The order of an end; when the successor starts everyone has been told."""

        class Successor(Probe):
            async def init(self) -> Any:
                journal.append(("successor", "init"))

        async with Supervisor([ChildSpec("a", Successor)], on_event=recorder) as supervisor:
            ref = supervisor.which_children()[0].ref
            assert ref is not None
            watcher = await supervisor.start_child(ChildSpec("w", lambda: Signalled("w", journal)))
            journal.clear()
            await watch(watcher, ref)
            await link(watcher, ref)
            await end(ref, Shutdown("x"))
            assert [
                ExitSignal(ref, Shutdown("x")),
                Down(ref, Shutdown("x")),
            ] == news(journal)
            assert ("successor", "init") in journal

    async def test_who_watches_and_is_linked_is_told_of_both(self, tree: Tree, journal: Journal) -> None:
        """And the cancelled monitor leaves the link."""
        watcher, watched = await start(tree, "w", journal, Signalled), await start(tree)

        async def both(probe: Probe) -> None:
            probe.link(watched)
            probe.monitor(watched)
            probe.monitor(watched).cancel()

        await watcher.call(both)
        await end(watched, Shutdown())
        assert {ExitSignal, Down} == {type(message) for message in news(journal)}
        assert 2 == len(news(journal))


class Named(Probe):
    def __init__(self, registry: Registry, keys: tuple[object, ...] = ("name",)) -> None:
        super().__init__("named")
        self.registry = registry
        self.keys = keys

    async def init(self) -> Any:
        for key in self.keys:
            self.registry.register(key, self.ref)


class TestNames:
    """A name ends with who has it, before anybody hears of that end."""

    async def test_nobody_who_is_told_of_an_end_finds_the_dead_by_its_name(self, journal: Journal) -> None:
        """Links, monitors, listeners, waiting callers and the supervisor: for all of them the name is free."""
        registry = Registry()
        found: list[tuple[str, object]] = []

        class Looking(Actor[Any]):
            trap_exit = True

            async def init(self) -> None:
                self.link(holder)
                self.monitor(holder)

            async def handle_info(self, message: object) -> None:
                found.append((type(message).__name__, registry.whereis("name")))

        def listen(event: object) -> None:
            if isinstance(event, Exited) and event.ref is holder:
                found.append(("Exited", registry.whereis("name")))

        async def ask() -> None:
            with pytest.raises(CallExitError):
                await holder.call(wait, timeout=float("inf"))
            found.append(("call", registry.whereis("name")))

        async def wait(probe: Probe) -> None:
            await anyio.sleep(1000)

        async with DynamicSupervisor(on_event=listen) as supervisor, anyio.create_task_group() as tasks:
            holder = await supervisor.start_child(
                ChildSpec("h", lambda: Named(registry), restart="temporary")
            )
            await supervisor.start_child(ChildSpec("looking", Looking))
            tasks.start_soon(ask)
            await quiet()
            holder.exit(Killed())
            await quiet()
            assert [("Exited", None), ("call", None), ("Down", None), ("ExitSignal", None)] == sorted(
                found, key=lambda entry: ["Exited", "call", "Down", "ExitSignal"].index(entry[0])
            )

    async def test_second_owner_of_a_unique_name_is_a_start_error_that_names_the_first(
        self, tree: Tree
    ) -> None:
        """Our `already_started`: and the names that the loser did take are free again."""
        registry = Registry()
        first = await tree.start_child(ChildSpec("a", lambda: Named(registry)))
        with pytest.raises(StartError) as caught:
            await tree.start_child(ChildSpec("b", lambda: Named(registry, ("other", "name"))))
        error = caught.value.__cause__
        assert isinstance(error, AlreadyRegisteredError)
        assert ("name", first) == (error.key, error.ref)
        assert registry.whereis("other") is None
        assert registry.whereis("name") is first

    async def test_via_reaches_nobody_between_two_incarnations_and_then_the_successor(
        self, tree: Tree
    ) -> None:
        """An address does not age; in between it says so at once."""
        registry = Registry()
        slow = [False, True]

        class SlowToReturn(Named):
            async def init(self) -> Any:
                if slow.pop(0):
                    await anyio.sleep(5)
                await super().init()

        await tree.start_child(ChildSpec("a", lambda: SlowToReturn(registry)))
        address = registry.via("name")
        first = address.whereis()
        assert address.cast(crash)
        await quiet()
        assert address.cast("lost") is False
        for ask in (address.call, address.send):
            with pytest.raises(CallExitError) as caught:
                await ask("nobody")
            assert NoProc() == caught.value.reason
        await anyio.sleep(6)
        assert await address.call("back") == "back"
        assert address.whereis() is not first

    async def test_all_names_of_a_process_are_freed_with_it_in_every_registry(self, tree: Tree) -> None:
        """However it ends."""
        registries = [Registry(), Registry(keys="duplicate")]

        class Everywhere(Probe):
            async def init(self) -> Any:
                for registry in registries:
                    for key in ("a", 1, ("venue", "book")):
                        registry.register(key, self.ref)

        for reason in REASONS:
            ref = await tree.start_child(ChildSpec("e", Everywhere, restart="temporary"))
            assert {ref} == {each.whereis(("venue", "book")) for each in registries}
            await end(ref, reason)
            assert [()] * 6 == [
                each.lookup(key) for each in registries for key in ("a", 1, ("venue", "book"))
            ]

    async def test_dispatch_reaches_who_has_the_name_now(self, tree: Tree, journal: Journal) -> None:
        """Those that ended are not counted, their successors are."""
        registry = Registry(keys="duplicate")

        class Subscriber(Probe):
            async def init(self) -> Any:
                registry.register("news", self.ref)

        for number in range(3):
            await tree.start_child(ChildSpec(number, lambda n=number: Subscriber(str(n), journal)))  # type: ignore[misc]
        registry.lookup("news")[0].cast(crash)
        await quiet()
        assert 3 == registry.dispatch("news", "extra")
        await quiet()
        assert ["0", "1", "2"] == sorted(str(name) for name, message, *_ in journal if message == "extra")
