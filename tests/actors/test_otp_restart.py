"""OTP's contract of restarting: restart types, strategies, and the time between two attempts."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest
from tests.actors.children import (
    HOT,
    Journal,
    crash,
    ends,
    failing,
    give_up,
    quiet,
    ref_of,
    shut_down,
    starts,
    statuses,
    stop_normally,
    trapping,
    until,
)

from wsmgr.actors import (
    AlreadyPresentError,
    Backoff,
    ChildNotFoundError,
    ChildRestartingError,
    ChildSpec,
    ChildStatus,
    Crash,
    DynamicSupervisor,
    Exited,
    GaveUp,
    Killed,
    MaxChildrenError,
    Restarting,
    Shutdown,
    ShutdownError,
    Supervisor,
)
from wsmgr.actors.testing import EventRecorder, Probe, TrappingProbe

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]


class TestRestartTypes:
    """Which end of which child leads to a restart, and what a restart is."""

    @pytest.mark.parametrize(
        ("restart", "how", "restarted", "kept"),
        [
            ("permanent", stop_normally, True, True),
            ("permanent", shut_down, True, True),
            ("permanent", crash, True, True),
            ("transient", stop_normally, False, True),
            ("transient", shut_down, False, True),
            ("transient", crash, True, True),
            ("temporary", stop_normally, False, False),
            ("temporary", shut_down, False, False),
            ("temporary", crash, False, False),
        ],
    )
    async def test_restart_type_and_reason_decide(
        self, restart: Any, how: Any, restarted: bool, kept: bool
    ) -> None:
        """OTP's table, cell by cell."""
        async with Supervisor([ChildSpec("a", Probe, restart=restart)]) as supervisor:
            before = ref_of(supervisor, "a")
            before.cast(how)
            await quiet()
            assert not before.alive
            children = supervisor.which_children()
            assert kept == bool(children)
            assert restarted == (bool(children) and children[0].ref not in (None, before))
            assert int(restarted) == supervisor.count_children().active

    @pytest.mark.parametrize("kind", [Probe, TrappingProbe])
    @pytest.mark.parametrize(
        ("restart", "restarted"), [("permanent", True), ("transient", True), ("temporary", False)]
    )
    async def test_killed_child_is_restarted_like_one_that_crashed(
        self, restart: Any, restarted: bool, kind: type[Probe]
    ) -> None:
        """The row `killed, any other` of the table: only temporary children stay away."""
        async with Supervisor([ChildSpec("a", kind, restart=restart)]) as supervisor:
            before = ref_of(supervisor, "a")
            before.exit(Killed())
            await quiet()
            assert Killed() == before.exit_reason
            assert restarted == bool(supervisor.which_children())
            assert supervisor.count_children().active == int(restarted)

    async def test_restart_is_a_new_incarnation_with_an_empty_mailbox(self, journal: Journal) -> None:
        """Mail dies with its actor; the old reference stays dead."""
        async with Supervisor([ChildSpec("a", lambda: Probe("a", journal))]) as supervisor:
            before = ref_of(supervisor, "a")
            before.cast(crash)
            before.cast("lost")
            await quiet()
            await ref_of(supervisor, "a").call("new")
            assert not before.alive
        assert [("a", "init"), ("a", "terminate"), ("a", "init"), ("a", "new")] == [
            entry[:2] for entry in journal
        ]

    @pytest.mark.parametrize("how", [stop_normally, shut_down, crash])
    async def test_every_end_of_a_permanent_child_counts(self, how: Any) -> None:
        """Also a good one: it was meant to run for ever."""
        supervisor = Supervisor([ChildSpec("a", Probe)], max_restarts=2)

        async def end_three_times() -> None:
            for _ in range(3):
                ref_of(supervisor, "a").cast(how)
                await quiet()

        assert "a" == (await give_up(supervisor, end_three_times)).child_id

    async def test_transient_child_counts_only_when_it_is_restarted(self) -> None:
        """A good end costs nothing, however often it is started again by hand; one crash does."""
        supervisor = Supervisor([ChildSpec("a", Probe, restart="transient")], max_restarts=1)

        async def end_often() -> None:
            for how in (stop_normally, shut_down, stop_normally, crash, stop_normally):
                ref_of(supervisor, "a").cast(how)
                await quiet()
                if statuses(supervisor)["a"] is ChildStatus.STOPPED:
                    await supervisor.restart_child("a")
            ref_of(supervisor, "a").cast(crash)

        error = await give_up(supervisor, end_often)
        assert isinstance(error.reason, Crash)

    async def test_temporary_child_never_counts(self) -> None:
        """It costs no budget to fail for good."""
        async with Supervisor(max_restarts=0) as supervisor:
            for _ in range(10):
                ref = await supervisor.start_child(ChildSpec("a", Probe, restart="temporary"))
                ref.cast(crash)
                await quiet()
                assert supervisor.which_children() == []

    @pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
    async def test_restart_reports_the_crash_and_a_good_end_is_none(
        self, restart: Any, recorder: EventRecorder
    ) -> None:
        """`Restarting` says why; where nothing is restarted there is none, and the crash is reported all the same."""
        async with Supervisor([ChildSpec("a", Probe, restart=restart)], on_event=recorder) as supervisor:
            ref = ref_of(supervisor, "a")
            ref.cast(crash)
            await quiet()
            reason = ref.exit_reason
            assert isinstance(reason, Crash)
            assert [reason] == [event.reason for event in recorder.of(Exited) if event.ref is ref]
            expected = [] if restart == "temporary" else [("a", reason)]
            assert expected == [(event.child_id, event.reason) for event in recorder.of(Restarting)]


class TestStrategies:
    """Who is restarted together with the child that failed, in which order, and at what cost."""

    async def test_one_for_one_restarts_the_failed_child_alone(self, journal: Journal) -> None:
        """The others never notice."""
        specs = [
            trapping("a", journal),
            trapping("b", journal),
            trapping("c", journal),
            trapping("bystander", journal, restart="temporary"),
        ]
        async with Supervisor(specs, max_restarts=1) as supervisor:
            journal.clear()
            ref_of(supervisor, "b").cast(crash)
            await quiet()
            assert ["b"] == ends(journal)
            assert ["b"] == starts(journal)
            assert dict.fromkeys(("a", "b", "c", "bystander"), ChildStatus.RUNNING) == statuses(supervisor)

    @pytest.mark.parametrize("times", [0, 1, 2, 5])
    async def test_one_for_all_begins_again_as_often_as_a_sibling_fails_to_come_back(
        self, times: int, journal: Journal, recorder: EventRecorder
    ) -> None:
        """`one_for_all_other_child_fails_restart`: all end in reverse and start in order, and again each time that one fails."""
        failures = [0]
        specs = [trapping("a", journal), failing("b", journal, failures), trapping("c", journal)]
        async with Supervisor(
            specs, strategy="one_for_all", max_restarts=times + 1, on_event=recorder
        ) as supervisor:
            journal.clear()
            failures[0] = times
            ref_of(supervisor, "c").cast(crash)
            await quiet()
            assert {ChildStatus.RUNNING} == set(statuses(supervisor).values())
            assert ["c", "b", "a", *["a"] * times] == ends(journal)
            assert [*["a", "b"] * times, "a", "b", "c"] == starts(journal)
        assert ["c", *["b"] * times] == [event.child_id for event in recorder.of(Restarting)]
        assert recorder.of(ShutdownError) == []

    @pytest.mark.parametrize("times", [0, 1, 2, 5])
    async def test_rest_for_one_resumes_from_the_sibling_that_fails_to_come_back(
        self, times: int, journal: Journal, recorder: EventRecorder
    ) -> None:
        """`rest_for_one_other_child_fails_restart`: what came back before it stays, what is before never knew."""
        failures = [0]
        specs = [
            trapping("before", journal),
            trapping("a", journal),
            trapping("b", journal),
            failing("c", journal, failures),
            trapping("d", journal),
        ]
        async with Supervisor(
            specs, strategy="rest_for_one", max_restarts=times + 1, on_event=recorder
        ) as supervisor:
            journal.clear()
            failures[0] = times
            ref_of(supervisor, "a").cast(crash)
            await quiet()
            assert {ChildStatus.RUNNING} == set(statuses(supervisor).values())
            assert ["a", "d", "c", "b"] == ends(journal)
            assert ["a", "b", *["c"] * times, "c", "d"] == starts(journal)
        assert ["a", *["c"] * times] == [event.child_id for event in recorder.of(Restarting)]

    @pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
    async def test_each_attempt_is_one_unit_and_one_too_many_ends_all(
        self, strategy: Any, journal: Journal, recorder: EventRecorder
    ) -> None:
        """A budget of four: the crash and three failed attempts are within it, a fourth failure is not."""
        failures = [0]
        specs = [trapping("a", journal), trapping("b", journal), failing("c", journal, failures)]
        supervisor = Supervisor(specs, strategy=strategy, max_restarts=4, on_event=recorder)

        async def begin() -> None:
            failures[0] = HOT
            ref_of(supervisor, "c" if strategy == "one_for_one" else "b").cast(crash)

        error = await give_up(supervisor, begin)
        assert ("c", "reached_max_restart_intensity") == (error.child_id, error.why)
        assert 1 + 4 == starts(journal).count("c")
        assert starts(journal).count("a") == ends(journal).count("a")
        assert starts(journal).count("b") == ends(journal).count("b")
        assert len(recorder.of(GaveUp)) == 1

    @pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
    async def test_temporary_bystander_goes_and_costs_nothing(self, strategy: Any, journal: Journal) -> None:
        """`temporary_bystander`: otherwise the supervisor would hit its limit."""
        specs = [
            trapping("a", journal),
            trapping("bystander", journal, restart="temporary"),
            trapping("z", journal),
        ]
        async with Supervisor(specs, strategy=strategy, max_restarts=1) as supervisor:
            ref_of(supervisor, "a").cast(crash)
            await quiet()
            assert {"a": ChildStatus.RUNNING, "z": ChildStatus.RUNNING} == statuses(supervisor)
            assert ["a", "z", "bystander"] == ends(journal)
        assert 1 == starts(journal).count("bystander")
        assert ("bystander", "terminate", Shutdown()) in journal

    async def test_group_restart_starts_children_that_had_been_stopped_by_hand(
        self, journal: Journal
    ) -> None:
        """As in OTP: a group restart starts every spec of the group."""
        async with Supervisor(
            [trapping(name, journal) for name in "ab"], strategy="one_for_all"
        ) as supervisor:
            await supervisor.terminate_child("b")
            ref_of(supervisor, "a").cast(crash)
            await quiet()
            assert {"a": ChildStatus.RUNNING, "b": ChildStatus.RUNNING} == statuses(supervisor)

    @pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
    async def test_end_of_a_temporary_child_or_a_good_end_touches_no_sibling(
        self, strategy: Any, journal: Journal
    ) -> None:
        """Only a restart is a restart of the group."""
        specs = [
            trapping("temporary", journal, restart="temporary"),
            trapping("transient", journal, restart="transient"),
            trapping("z", journal),
        ]
        async with Supervisor(specs, strategy=strategy, max_restarts=0) as supervisor:
            journal.clear()
            ref_of(supervisor, "temporary").cast(crash)
            ref_of(supervisor, "transient").cast(stop_normally)
            await quiet()
            assert {"transient": ChildStatus.STOPPED, "z": ChildStatus.RUNNING} == statuses(supervisor)
            assert ["temporary", "transient"] == sorted(map(str, ends(journal)))
            assert starts(journal) == []

    async def test_two_children_that_crash_in_one_tick_are_one_restart_of_the_group(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """The second is ended with the group already: what it ended with is reported, not restarted twice."""
        specs = [trapping(name, journal) for name in "abc"]
        async with Supervisor(specs, strategy="one_for_all", max_restarts=1, on_event=recorder) as supervisor:
            journal.clear()
            for name in "ac":
                ref_of(supervisor, name).cast(crash)
            await quiet()
            assert ["a", "b", "c"] == starts(journal)
            assert supervisor.count_children().active == 3
        assert len(recorder.of(Restarting)) == 1
        assert [Crash] == [type(event.reason) for event in recorder.of(ShutdownError)]


class TestRestarting:
    """A child between two attempts, each request of the administration, loops that do not end."""

    @pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
    async def test_between_two_attempts_the_child_is_restarting_for_every_request(
        self, strategy: Any, journal: Journal
    ) -> None:
        """Also when it is a sibling that could not come back, and with the group half done."""
        failures = [0]
        backoff = Backoff(initial=10, jitter=0, immediate_first=False)
        specs = [
            trapping("a", journal),
            failing("b", journal, failures, backoff=backoff),
            trapping("c", journal),
        ]
        async with Supervisor(specs, strategy=strategy, max_restarts=9) as supervisor:
            failures[0] = 1
            crashed_at = anyio.current_time()
            ref_of(supervisor, "b" if strategy == "one_for_one" else "a").cast(crash)
            await quiet()
            failures[0] = 0
            info = supervisor.which_children()[1]
            assert ("b", ChildStatus.RESTARTING, None) == (info.id, info.status, info.ref)
            assert crashed_at + 10 == info.next_attempt_at
            expected_active = {"one_for_one": 2, "one_for_all": 0, "rest_for_one": 1}[strategy]
            assert expected_active == supervisor.count_children().active
            with pytest.raises(AlreadyPresentError):
                await supervisor.start_child(trapping("b", journal))
            with pytest.raises(ChildRestartingError):
                await supervisor.restart_child("b")
            with pytest.raises(ChildRestartingError):
                await supervisor.delete_child("b")
            await supervisor.terminate_child("b")
            assert ChildStatus.STOPPED is statuses(supervisor)["b"]
            started = len(starts(journal))
            await anyio.sleep(100)
            assert started == len(starts(journal))
            await supervisor.restart_child("b")
            await supervisor.terminate_child("b")
            await supervisor.delete_child("b")
            assert "b" not in statuses(supervisor)

    @pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
    async def test_hot_loop_of_restarts_leaves_the_supervisor_answering(
        self, strategy: Any, journal: Journal
    ) -> None:
        """`hanging_restart_loop`: without any wait between attempts, requests are carried out, one after the other."""
        failures = [0]
        specs = [trapping("a", journal), failing("b", journal, failures), trapping("c", journal)]
        async with Supervisor(specs, strategy=strategy, max_restarts=10 * HOT) as supervisor:
            failures[0] = HOT
            ref_of(supervisor, "b").cast(crash)
            await run_for(20)
            await supervisor.start_child(trapping("z", journal))
            assert "z" in starts(journal)
            assert supervisor.count_children().specs == 4
            with pytest.raises(AlreadyPresentError):
                await supervisor.start_child(trapping("b", journal))
            await supervisor.terminate_child("z")
            await supervisor.delete_child("z")
            await supervisor.terminate_child("b")
            attempts = starts(journal).count("b")
            await run_for(20)
            assert attempts == starts(journal).count("b") < HOT
            assert ChildStatus.STOPPED is statuses(supervisor)["b"]

    @pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
    async def test_supervisor_is_shut_down_in_order_in_the_middle_of_a_hot_loop(
        self, strategy: Any, journal: Journal
    ) -> None:
        """`hanging_restart_loop_rest_for_one`: and at once, not when the loop is over."""
        failures = [0]
        specs = [trapping("a", journal), failing("b", journal, failures), trapping("c", journal)]
        async with Supervisor(specs, strategy=strategy, max_restarts=10 * HOT) as supervisor:
            failures[0] = HOT
            ref_of(supervisor, "b").cast(crash)
            await run_for(20)
        assert starts(journal).count("b") < HOT
        assert starts(journal).count("a") == ends(journal).count("a")
        assert starts(journal).count("c") == ends(journal).count("c")
        assert supervisor.count_children().active == 0

    async def test_dynamic_supervisor_answers_in_the_middle_of_a_hot_loop_and_can_be_shut_down(
        self, journal: Journal
    ) -> None:
        """`hanging_restart_loop_simple`."""
        failures = [0]
        async with DynamicSupervisor(max_restarts=10 * HOT, max_children=2) as supervisor:
            ref = await supervisor.start_child(failing("a", journal, failures))
            failures[0] = HOT
            ref.cast(crash)
            await run_for(20)
            other = await supervisor.start_child(trapping("b", journal))
            assert await other.call("alive") == "alive"
            assert supervisor.count_children().specs == 2
            with pytest.raises(MaxChildrenError):
                await supervisor.start_child(trapping("c", journal))
            await supervisor.terminate_child(other)
            with pytest.raises(ChildNotFoundError):
                await supervisor.terminate_child(other)
            assert supervisor.count_children().specs == 1
        assert starts(journal).count("a") < HOT

    @pytest.mark.parametrize("make", [Supervisor, DynamicSupervisor])
    async def test_hot_loop_of_a_start_function_that_raises_leaves_room_for_others(self, make: Any) -> None:
        """Nothing in it awaits: the supervisor lets others run between two attempts all the same."""
        calls: list[None] = []

        def start() -> Probe:
            calls.append(None)
            if 1 < len(calls) < HOT:
                raise OSError("not yet")
            return Probe()

        supervisor: Supervisor | DynamicSupervisor = make(max_restarts=10 * HOT)
        async with supervisor:
            ref = await supervisor.start_child(ChildSpec("a", start))
            ref.cast(crash)
            await until(lambda: len(calls) >= 20)
            await supervisor.start_child(ChildSpec("b", Probe))
        assert 20 <= len(calls) < HOT

    async def test_nested_supervisor_in_a_hot_loop_is_ended_by_its_own_supervisor(
        self, journal: Journal
    ) -> None:
        """A request from above is a request like any other."""
        failures = [0]
        inner = Supervisor([trapping("a", journal), failing("b", journal, failures)], max_restarts=10 * HOT)
        async with Supervisor([ChildSpec("inner", lambda: inner, type="supervisor")]) as supervisor:
            failures[0] = HOT
            ref_of(inner, "b").cast(crash)
            await run_for(20)
            await supervisor.terminate_child("inner")
            assert ["a"] == ends(journal)[-1:]
        assert starts(journal).count("b") < HOT


async def run_for(turns: int) -> None:
    """Let others run for some turns of the loop, whatever the time."""
    for _ in range(turns):
        await anyio.lowlevel.checkpoint()
