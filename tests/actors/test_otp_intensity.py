"""OTP's contract of giving up: the restart intensity, and what happens from level to level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from tests.actors.children import (
    Journal,
    crash,
    ends,
    failing,
    give_up,
    quiet,
    ref_of,
    starts,
    statuses,
    trapping,
    until,
)

from wsmgr.actors import (
    Backoff,
    ChildSpec,
    ChildStatus,
    Crash,
    DynamicSupervisor,
    Exited,
    GaveUp,
    Killed,
    Shutdown,
    Started,
    Supervisor,
    SupervisorGaveUpError,
)
from wsmgr.actors.testing import EventRecorder, Probe

if TYPE_CHECKING:
    from wsmgr.actors import ActorRef

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]


class TestIntensity:
    """How many restarts in how many seconds are too many, and what that ends."""

    @pytest.mark.parametrize(("pause", "too_many"), [(4.0, True), (5.0, True), (5.125, False)])
    async def test_edge_of_the_window_counts(
        self, pause: float, too_many: bool, recorder: EventRecorder
    ) -> None:
        """A restart exactly `max_seconds` ago is still in the log; a moment more, and it is not."""
        supervisor = Supervisor([ChildSpec("a", Probe)], max_restarts=1, max_seconds=5.0, on_event=recorder)

        async def crash_twice() -> None:
            for _ in range(2):
                await anyio.sleep(pause)
                ref_of(supervisor, "a").cast(crash)
            await anyio.sleep(1.0)
            await supervisor.ref.stop()

        try:
            async with supervisor:
                await crash_twice()
        except SupervisorGaveUpError:
            assert too_many
        else:
            assert not too_many
        assert int(too_many) == len(recorder.of(GaveUp))

    @pytest.mark.parametrize(
        ("at", "survives"),
        [
            ((0, 1, 2), False),
            ((0, 4, 6, 10, 12), True),
            ((0, 4, 6, 9), False),
            ((4, 5, 6), False),
            ((0, 0, 6, 6, 12, 12), True),
        ],
    )
    async def test_log_slides(self, at: tuple[int, ...], survives: bool) -> None:
        """Two in any five seconds: no bucket that refills, no window anchored at the first, no count for life."""
        supervisor = Supervisor([ChildSpec("a", Probe)], max_restarts=2, max_seconds=5.0)
        survived = False
        try:
            async with supervisor:
                begin = anyio.current_time()
                for seconds in at:
                    await anyio.sleep_until(begin + seconds)
                    await until(lambda: ref_of(supervisor, "a") is not None and ref_of(supervisor, "a").alive)
                    ref_of(supervisor, "a").cast(crash)
                await anyio.sleep(1)
                survived = True
        except SupervisorGaveUpError:
            pass
        assert survives is survived

    async def test_budget_is_one_for_all_children(self) -> None:
        """Three children that crash once each are three."""
        supervisor = Supervisor([ChildSpec(name, Probe) for name in "abc"], max_restarts=2)

        async def crash_each() -> None:
            for name in "abc":
                ref_of(supervisor, name).cast(crash)
                await quiet()

        assert "c" == (await give_up(supervisor, crash_each)).child_id

    @pytest.mark.parametrize("allowed", [0, 1, 3])
    async def test_one_failure_more_than_allowed_is_not_restarted_and_ends_all_in_reverse_order(
        self, allowed: int, journal: Journal, recorder: EventRecorder
    ) -> None:
        """The root raises what a process manager can see: who, and why; `max_restarts=0` restarts nobody."""
        supervisor = Supervisor(
            [trapping(name, journal) for name in "abc"], max_restarts=allowed, on_event=recorder
        )

        async def crash_b() -> None:
            for _ in range(allowed + 1):
                ref_of(supervisor, "b").cast(crash)
                await quiet()

        error = await give_up(supervisor, crash_b)
        assert ("b", "reached_max_restart_intensity") == (error.child_id, error.why)
        assert isinstance(error.reason, Crash)
        assert isinstance(error.__cause__, ValueError)
        assert ["a", "b", "c", *["b"] * allowed] == starts(journal)
        assert ["b", *["b"] * allowed, "c", "a"] == ends(journal)
        assert 1 == len(recorder.of(GaveUp))

    async def test_restart_that_waits_enters_the_window_when_it_is_made(self) -> None:
        """With a backoff the log holds attempts, not crashes: waits longer than the window never fill it."""
        backoff = Backoff(initial=6, maximum=6, jitter=0, immediate_first=False)
        failures = [0]
        async with Supervisor([failing("a", [], failures, backoff=backoff)], max_restarts=1) as supervisor:
            failures[0] = 10
            ref_of(supervisor, "a").cast(crash)
            await anyio.sleep(100)
            assert ChildStatus.RUNNING is statuses(supervisor)["a"]


class TestEscalation:
    """What the level above does when one below has given up."""

    def nested(self, journal: Journal, restart: Any, *, inner_restarts: int) -> ChildSpec:
        return ChildSpec(
            "inner",
            lambda: Supervisor(
                [trapping("leaf", journal), trapping("sibling", journal)], max_restarts=inner_restarts
            ),
            type="supervisor",
            restart=restart,
        )

    async def test_budgets_multiply_through_the_levels(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """Two and one: the leaf runs (2 + 1) * (1 + 1) times before the root gives up."""
        top = Supervisor(
            [trapping("first", journal), self.nested(journal, "permanent", inner_restarts=2)],
            max_restarts=1,
            max_seconds=60,
            on_event=recorder,
        )

        async def crash_for_ever() -> None:
            while True:
                leaf = top.tree().children[1].children[0].ref
                assert leaf is not None
                leaf.cast(crash)
                await quiet()

        error = await give_up(top, crash_for_ever)
        assert 3 * 2 == starts(journal).count("leaf")
        assert ("inner", Shutdown("reached_max_restart_intensity")) == (error.child_id, error.reason)
        assert ["inner", "inner"] == [
            event.child_id
            for event in recorder.of(Exited)
            if event.reason == Shutdown("reached_max_restart_intensity") and event.child_id == "inner"
        ]
        assert ["leaf", "leaf", "inner"] == [event.child_id for event in recorder.of(GaveUp)]
        assert ["sibling", "first"] == ends(journal)[-2:]

    @pytest.mark.parametrize("restart", ["transient", "temporary"])
    async def test_supervisor_that_gave_up_and_is_not_permanent_stays_down(
        self, restart: Any, journal: Journal
    ) -> None:
        """Its reason is a good one: the trap of OTP that newcomers fall into, kept. The level above lives on."""
        inner = self.nested(journal, restart, inner_restarts=0)
        async with Supervisor([trapping("first", journal), inner], max_restarts=0) as top:
            leaf = top.tree().children[1].children[0].ref
            assert leaf is not None
            leaf.cast(crash)
            await quiet()
            down: dict[object, ChildStatus] = {"inner": ChildStatus.STOPPED} if restart == "transient" else {}
            assert {"first": ChildStatus.RUNNING, **down} == statuses(top)
            assert ["leaf", "sibling"] == ends(journal)

    async def test_middle_level_that_is_transient_stops_the_chain(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """Three levels: the permanent innermost gives up its supervisor, the transient middle one ends for good."""
        middle = ChildSpec(
            "middle",
            lambda: Supervisor([self.nested(journal, "permanent", inner_restarts=0)], max_restarts=0),
            type="supervisor",
            restart="transient",
        )
        async with Supervisor([middle], max_restarts=0, on_event=recorder) as top:
            leaf = top.tree().children[0].children[0].children[0].ref
            assert leaf is not None
            leaf.cast(crash)
            await quiet()
            assert {"middle": ChildStatus.STOPPED} == statuses(top)
        assert ["leaf", "inner"] == [event.child_id for event in recorder.of(GaveUp)]

    async def test_dynamic_supervisor_escalates_in_the_same_way(self, recorder: EventRecorder) -> None:
        """`simple_one_for_one_escalation`: its children are gone with it, and are not started again."""
        made: list[DynamicSupervisor] = []

        def make() -> DynamicSupervisor:
            made.append(DynamicSupervisor(max_restarts=0))
            return made[-1]

        async with Supervisor([ChildSpec("inner", make, type="supervisor")], on_event=recorder) as top:
            refs = [await made[0].start_child(ChildSpec(number, Probe)) for number in range(3)]
            refs[1].cast(crash)
            await quiet()
            assert [False] * 3 == [ref.alive for ref in refs]
            assert {"inner": ChildStatus.RUNNING} == statuses(top)
            assert made[1].which_children() == []
            assert await survives(await made[1].start_child(ChildSpec("new", Probe)))

    async def test_restart_of_a_supervisor_loses_what_was_added_and_brings_back_what_was_deleted(
        self, journal: Journal
    ) -> None:
        """`tree`: the specs that it was made with are what it is."""
        made: list[Supervisor] = []

        def make() -> Supervisor:
            made.append(Supervisor([trapping("static", journal), trapping("deleted", journal)]))
            return made[-1]

        async with Supervisor([ChildSpec("inner", make, type="supervisor")]) as top:
            await made[0].start_child(trapping("added", journal))
            await made[0].terminate_child("deleted")
            await made[0].delete_child("deleted")
            assert ["static", "added"] == list(statuses(made[0]))
            ref_of(top, "inner").exit(Killed())
            await quiet()
            assert {"static": ChildStatus.RUNNING, "deleted": ChildStatus.RUNNING} == statuses(made[1])

    async def test_group_restart_of_supervisors_is_deep(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """`one_for_all` above restarts whole subtrees: ended depth first in reverse, started in order."""

        def inner(name: str, *leaves: str) -> ChildSpec:
            return ChildSpec(
                name, lambda: Supervisor([trapping(leaf, journal) for leaf in leaves]), type="supervisor"
            )

        async with Supervisor(
            [inner("x", "a", "b"), trapping("m", journal), inner("y", "c", "d")],
            strategy="one_for_all",
            on_event=recorder,
        ) as top:
            journal.clear()
            ref_of(top, "m").cast(crash)
            await quiet()
            assert ["m", "d", "c", "b", "a"] == ends(journal)
            assert ["a", "b", "m", "c", "d"] == starts(journal)
            assert {1} == {
                event.restarts for event in recorder.of(Started)[-3:] if str(event.child_id) in "xmy"
            }


async def survives(ref: ActorRef[Any]) -> bool:
    return bool(await ref.call("alive") == "alive")
