"""The static supervisor: order, restart types, strategies, intensity, shutdown, administration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from wsmgr.actors import (
    Actor,
    AlreadyPresentError,
    AlreadyStartedError,
    Backoff,
    CallExitError,
    ChildNotFoundError,
    ChildRestartingError,
    ChildRunningError,
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
    StartError,
    StartTimeoutError,
    Stop,
    Supervisor,
    SupervisorGaveUpError,
    Zombie,
)
from wsmgr.actors.testing import EventRecorder, Probe, TrappingProbe, settle

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]

Journal = list[tuple[object, ...]]


async def crash(probe: Probe) -> None:
    raise ValueError("crash")


async def stop_normally(probe: Probe) -> Stop:
    return Stop(Normal())


async def shut_down(probe: Probe) -> Stop:
    return Stop(Shutdown("on purpose"))


async def hang(probe: Probe) -> None:
    await anyio.sleep_forever()


async def for_long() -> None:
    """Wait for something that cancels or raises; when nothing does, time runs out at once."""
    with anyio.fail_after(100_000):
        await anyio.sleep_forever()


def trapping(name: str, journal: Journal, **options: Any) -> ChildSpec:
    return ChildSpec(name, lambda: TrappingProbe(name, journal), **options)


def ref_of(supervisor: Supervisor | DynamicSupervisor, child_id: object) -> Any:
    return next(child.ref for child in supervisor.which_children() if child.id == child_id)


def status_of(supervisor: Supervisor, child_id: object) -> ChildStatus:
    return next(child.status for child in supervisor.which_children() if child.id == child_id)


def starts(journal: Journal) -> list[object]:
    return [entry[0] for entry in journal if entry[1:] == ("init",)]


def ends(journal: Journal) -> list[object]:
    return [entry[0] for entry in journal if entry[1] == "terminate"]


class FailingStarts(Probe):
    """Its `init` fails as long as `failures` says so."""

    def __init__(self, name: str, journal: Journal, failures: list[int]) -> None:
        super().__init__(name, journal)
        self.failures = failures

    async def init(self) -> Any:
        await super().init()
        if self.failures[0] > 0:
            self.failures[0] -= 1
            raise ValueError("not yet")


class TestOrder:
    async def test_children_start_in_order_and_end_in_reverse(self, journal: Journal) -> None:
        """What started first is there for the others, until they are gone."""
        async with Supervisor([trapping(name, journal) for name in "abc"]):
            assert ["a", "b", "c"] == starts(journal)
        assert ["c", "b", "a"] == ends(journal)

    async def test_each_child_starts_when_the_one_before_has_acknowledged(self, journal: Journal) -> None:
        """Starting is synchronous: a slow `init` delays the next."""

        class Slow(TrappingProbe):
            async def init(self) -> Any:
                await anyio.sleep(2)
                await super().init()

        async with Supervisor([ChildSpec("slow", lambda: Slow("slow", journal)), trapping("b", journal)]):
            assert ["slow", "b"] == starts(journal)

    async def test_child_that_cannot_start_ends_those_before_it_and_is_not_retried(
        self, journal: Journal
    ) -> None:
        """A boot that fails is an error of the boot, not a restart."""
        specs = [
            trapping("a", journal),
            ChildSpec("b", lambda: FailingStarts("b", journal, [1])),
            trapping("c", journal),
        ]
        with pytest.raises(StartError) as caught:
            async with Supervisor(specs):
                pytest.fail("the body must not run")
        assert caught.value.child_id == "b"
        assert isinstance(caught.value.__cause__, ValueError)
        assert ["a", "b"] == starts(journal)
        assert ["a"] == ends(journal)

    async def test_nested_boot_failure_is_told_with_its_path(self, journal: Journal) -> None:
        """A supervisor whose child cannot start ends with `Shutdown(FailedToStart)`."""
        inner = ChildSpec(
            "inner",
            lambda: Supervisor([ChildSpec("b", lambda: FailingStarts("b", journal, [1]))]),
            type="supervisor",
        )
        with pytest.raises(StartError) as caught:
            await Supervisor([inner]).run()
        assert isinstance(caught.value.reason, Shutdown)
        assert isinstance(caught.value.reason.detail, FailedToStart)
        assert caught.value.reason.detail.child_id == "b"

    async def test_init_that_hangs_is_ended_at_start_timeout(self) -> None:
        """Nobody waits for ever for a start."""

        class Hanging(Probe):
            async def init(self) -> Any:
                await anyio.sleep_forever()

        before = anyio.current_time()
        with pytest.raises(StartError) as caught:
            await Supervisor([ChildSpec("hangs", Hanging, start_timeout=3.0)]).run()
        assert isinstance(caught.value.__cause__, StartTimeoutError)
        assert pytest.approx(3.0) == anyio.current_time() - before

    async def test_start_function_that_raises_or_returns_no_actor_is_a_start_error(self) -> None:
        """The user's factory is inside the crash boundary."""

        def broken() -> Actor[Any]:
            raise KeyError("no config")

        for start in (broken, lambda: "not an actor", Supervisor):
            with pytest.raises(StartError):
                await Supervisor([ChildSpec("x", start)]).run()  # type: ignore[arg-type]  # what is tested

    async def test_ignored_child_keeps_its_spec_unless_it_is_temporary(self) -> None:
        """`Ignore` is no error: a later `restart_child` may find something to run."""

        class Ignoring(Probe):
            async def init(self) -> Any:
                return Ignore()

        specs = [ChildSpec("kept", Ignoring), ChildSpec("gone", Ignoring, restart="temporary")]
        async with Supervisor(specs) as supervisor:
            assert [("kept", None)] == [(child.id, child.ref) for child in supervisor.which_children()]
            assert status_of(supervisor, "kept") is ChildStatus.STOPPED
            ref = await supervisor.restart_child("kept")
            assert Normal() == ref.exit_reason


class TestRestartTypes:
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
        self, restart: Any, how: Any, restarted: bool, kept: bool, recorder: EventRecorder
    ) -> None:
        """OTP's table, cell by cell."""
        async with Supervisor([ChildSpec("child", Probe, restart=restart)], on_event=recorder) as supervisor:
            before = ref_of(supervisor, "child")
            before.cast(how)
            await recorder.wait_for(Exited)
            await settle(lambda: status_is_settled(supervisor))
            children = supervisor.which_children()
            assert kept == bool(children)
            assert restarted == (bool(children) and children[0].ref not in (None, before))

    async def test_restart_is_a_new_incarnation_with_an_empty_mailbox(self, journal: Journal) -> None:
        """Mail dies with its actor; the old reference stays dead."""
        async with Supervisor([ChildSpec("child", lambda: Probe("p", journal))]) as supervisor:
            before = ref_of(supervisor, "child")
            before.cast(crash)
            before.cast("lost")
            await settle(lambda: ref_of(supervisor, "child") not in (None, before))
            await ref_of(supervisor, "child").call("new")
            assert not before.alive
        assert ("p", "lost") not in journal
        assert ("p", "new") in journal


def status_is_settled(supervisor: Supervisor) -> bool:
    return all(
        child.status in (ChildStatus.RUNNING, ChildStatus.STOPPED) and (child.ref is None or child.ref.alive)
        for child in supervisor.which_children()
    )


class TestStrategies:
    async def run_crash_of_b(self, strategy: Any, journal: Journal, recorder: EventRecorder) -> None:
        specs = [
            trapping("a", journal),
            trapping("b", journal),
            trapping("c", journal),
            trapping("bystander", journal, restart="temporary"),
        ]
        async with Supervisor(specs, strategy=strategy, on_event=recorder) as supervisor:
            first = ref_of(supervisor, "b")
            journal.clear()
            first.cast(crash)
            await settle(
                lambda: ref_of(supervisor, "b") not in (None, first) and status_is_settled(supervisor)
            )
            self.left = [child.id for child in supervisor.which_children()]
            self.journal = list(journal)

    async def test_one_for_one_restarts_the_failed_child_alone(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """The others never notice."""
        await self.run_crash_of_b("one_for_one", journal, recorder)
        assert ["b"] == starts(self.journal)
        assert ["b"] == ends(self.journal)
        assert ["a", "b", "c", "bystander"] == self.left

    async def test_one_for_all_restarts_all_in_order(self, journal: Journal, recorder: EventRecorder) -> None:
        """All others end in reverse, all start in order; a temporary bystander is gone."""
        await self.run_crash_of_b("one_for_all", journal, recorder)
        assert ["b", "bystander", "c", "a"] == ends(self.journal)
        assert ["a", "b", "c"] == starts(self.journal)
        assert ["a", "b", "c"] == self.left

    async def test_rest_for_one_restarts_it_and_those_after_it(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """Those before are what it stood on, and stay."""
        await self.run_crash_of_b("rest_for_one", journal, recorder)
        assert ["b", "bystander", "c"] == ends(self.journal)
        assert ["b", "c"] == starts(self.journal)
        assert ["a", "b", "c"] == self.left

    async def test_group_restart_is_one_unit_of_the_budget(self, journal: Journal) -> None:
        """However many siblings it touches."""
        specs = [trapping(name, journal) for name in "abc"]
        async with Supervisor(specs, strategy="one_for_all", max_restarts=2, max_seconds=60) as supervisor:
            for _ in range(2):
                before = ref_of(supervisor, "a")
                before.cast(crash)
                await settle(
                    lambda ref=before: (
                        ref_of(supervisor, "a") not in (None, ref)  # type: ignore[misc]
                        and status_is_settled(supervisor)
                    )
                )
            assert supervisor.count_children().active == 3

    async def test_sibling_that_fails_in_a_group_restart_of_all_begins_it_again(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """`one_for_all`: what had been restarted is ended and started once more."""
        failures = [0]
        specs = [
            trapping("a", journal),
            ChildSpec("b", lambda: FailingStarts("b", journal, failures)),
            trapping("c", journal),
        ]
        async with Supervisor(specs, strategy="one_for_all", on_event=recorder) as supervisor:
            journal.clear()
            failures[0] = 1
            ref_of(supervisor, "a").cast(crash)
            await settle(lambda: starts(journal).count("c") == 1 and status_is_settled(supervisor))
        assert ["a", "b", "a", "b", "c"] == starts(journal)
        assert ["a", "b"] == [event.child_id for event in recorder.of(Restarting)]

    async def test_sibling_that_fails_in_rest_for_one_is_resumed_from(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """`rest_for_one`: those that came back before it stay."""
        failures = [0]
        specs = [
            trapping("a", journal),
            ChildSpec("b", lambda: FailingStarts("b", journal, failures)),
            trapping("c", journal),
        ]
        async with Supervisor(specs, strategy="rest_for_one", on_event=recorder) as supervisor:
            journal.clear()
            failures[0] = 1
            ref_of(supervisor, "a").cast(crash)
            await settle(lambda: starts(journal).count("c") == 1 and status_is_settled(supervisor))
        assert ["a", "b", "b", "c"] == starts(journal)

    async def test_group_restart_starts_children_that_had_been_stopped_by_hand(
        self, journal: Journal
    ) -> None:
        """As in OTP: a group restart starts every spec of the group."""
        specs = [trapping("a", journal), trapping("b", journal)]
        async with Supervisor(specs, strategy="one_for_all") as supervisor:
            await supervisor.terminate_child("b")
            before = ref_of(supervisor, "a")
            before.cast(crash)
            await settle(lambda: ref_of(supervisor, "b") is not None)


class TestIntensity:
    async def test_one_restart_too_many_ends_everything_in_reverse_order(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """The root raises what a process manager can see: who, and why."""
        error: SupervisorGaveUpError | None = None
        specs = [trapping("a", journal), trapping("b", journal), trapping("c", journal)]
        try:
            async with Supervisor(specs, max_restarts=1, max_seconds=5, on_event=recorder) as supervisor:
                before = ref_of(supervisor, "b")
                before.cast(crash)
                await settle(lambda: ref_of(supervisor, "b") not in (None, before))
                ref_of(supervisor, "b").cast(crash)
                await for_long()
        except SupervisorGaveUpError as caught:
            error = caught
        assert error is not None
        assert (error.child_id, error.why) == ("b", "reached_max_restart_intensity")
        assert isinstance(error.reason, Crash)
        assert isinstance(error.__cause__, ValueError)
        assert ["b", "b", "c", "a"] == ends(journal)
        assert len(recorder.of(GaveUp)) == 1

    async def test_window_slides(self) -> None:
        """As many restarts as allowed, again and again, as long as no window holds one more."""
        async with Supervisor([ChildSpec("a", Probe)], max_restarts=1, max_seconds=5) as supervisor:
            for _ in range(5):
                before = ref_of(supervisor, "a")
                before.cast(crash)
                await settle(lambda ref=before: ref_of(supervisor, "a") not in (None, ref))  # type: ignore[misc]
                await anyio.sleep(5.1)

    async def test_failed_restarts_count(self, journal: Journal) -> None:
        """A child whose `init` keeps failing burns the budget."""
        failures = [0]
        with pytest.raises(SupervisorGaveUpError):  # noqa: PT012 - the block is the body of the tree
            async with Supervisor(
                [ChildSpec("a", lambda: FailingStarts("a", journal, failures))], max_restarts=3
            ) as supervisor:
                failures[0] = 1000
                ref_of(supervisor, "a").cast(crash)
                await for_long()
        assert 1 + 3 == len(starts(journal))

    async def test_nested_supervisor_gives_up_with_a_benign_reason(self, recorder: EventRecorder) -> None:
        """A transient supervisor that gave up is not restarted: OTP's trap, kept."""
        inner = ChildSpec(
            "inner",
            lambda: Supervisor([ChildSpec("a", Probe)], max_restarts=0),
            type="supervisor",
            restart="transient",
        )
        async with Supervisor([inner], on_event=recorder) as supervisor:
            leaf = supervisor.tree().children[0].children[0].ref
            assert leaf is not None
            leaf.cast(crash)
            ended = await recorder.wait_for(Exited, where=lambda event: event.child_id == "inner")
            assert Shutdown("reached_max_restart_intensity") == ended.reason
            await settle(lambda: status_of(supervisor, "inner") is ChildStatus.STOPPED)

    async def test_permanent_supervisor_that_gave_up_is_started_anew(self, recorder: EventRecorder) -> None:
        """Escalation: the level above restarts the whole subtree, on its own budget."""
        inner = ChildSpec(
            "inner", lambda: Supervisor([ChildSpec("a", Probe)], max_restarts=0), type="supervisor"
        )
        async with Supervisor([inner], on_event=recorder) as supervisor:
            leaf = supervisor.tree().children[0].children[0].ref
            assert leaf is not None
            leaf.cast(crash)
            await recorder.wait_for(Restarting, where=lambda event: event.child_id == "inner")
            await settle(
                lambda: status_is_settled(supervisor) and bool(supervisor.tree().children[0].children)
            )
            assert supervisor.tree().children[0].restarts == 1


class TestShutdown:
    async def test_child_that_does_not_end_in_time_is_killed_and_reported(
        self, recorder: EventRecorder
    ) -> None:
        """`shutdown=2.0`: two seconds, then `Killed`, and a `ShutdownError`."""

        class Hanging(TrappingProbe):
            async def terminate(self, reason: object) -> None:
                await anyio.sleep_forever()

        async with Supervisor([ChildSpec("h", Hanging, shutdown=2.0)], on_event=recorder) as supervisor:
            before = anyio.current_time()
            await supervisor.terminate_child("h")
            assert pytest.approx(2.0) == anyio.current_time() - before
        assert [Killed()] == [event.reason for event in recorder.of(ShutdownError)]

    async def test_brutal_kill_runs_no_terminate_and_is_no_error(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """It was asked for."""
        async with Supervisor([trapping("a", journal, shutdown="brutal_kill")], on_event=recorder):
            pass
        assert ends(journal) == []
        assert recorder.of(ShutdownError) == []
        assert [Killed()] == [event.reason for event in recorder.of(Exited) if event.child_id == "a"]

    async def test_infinity_waits_for_as_long_as_it_takes(self, journal: Journal) -> None:
        """No deadline means none."""

        class Slow(TrappingProbe):
            async def terminate(self, reason: object) -> None:
                await anyio.sleep(80_000)
                self.journal.append((self.name, "terminated"))

        async with Supervisor([ChildSpec("s", lambda: Slow("s", journal), shutdown="infinity")]):
            pass
        assert ("s", "terminated") in journal

    async def test_trapping_child_serves_the_mail_that_was_queued_before(self, journal: Journal) -> None:
        """OTP: the shutdown waits its turn; what comes after it is not read."""

        async def pause(probe: Probe) -> None:
            await anyio.sleep(1)

        async with Supervisor([trapping("a", journal)]) as supervisor, anyio.create_task_group() as tasks:
            ref = ref_of(supervisor, "a")
            for message in (pause, 0, 1, 2):
                ref.cast(message)
            tasks.start_soon(supervisor.terminate_child, "a")
            await settle(lambda: status_of(supervisor, "a") is ChildStatus.STOPPING)
            ref.cast("after the shutdown")
        assert [("a", 0), ("a", 1), ("a", 2), ("a", "terminate", Shutdown())] == journal[1:]

    async def test_crash_during_shutdown_is_reported_and_shutdown_completes(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """Nothing stops a stop."""
        error = OSError("disk")

        class Failing(TrappingProbe):
            async def terminate(self, reason: object) -> None:
                raise error

        async with Supervisor([trapping("a", journal), ChildSpec("b", Failing)], on_event=recorder):
            pass
        assert [Crash(error)] == [event.reason for event in recorder.of(ShutdownError)]
        assert ["a"] == ends(journal)

    async def test_child_that_survives_a_kill_is_reported_as_a_zombie(self, recorder: EventRecorder) -> None:
        """It cannot be abandoned, so at least it is named, with where it stands."""
        release = anyio.Event()

        class Stubborn(Probe):
            async def handle_cast(self, message: Any) -> Stop | None:
                with anyio.CancelScope(shield=True):
                    await release.wait()
                return None

        async with Supervisor([ChildSpec("z", Stubborn, shutdown=1.0)], on_event=recorder) as supervisor:
            ref_of(supervisor, "z").cast("hold on")
            await settle(lambda: ref_of(supervisor, "z").queued == 0)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(supervisor.terminate_child, "z")
                zombie = await recorder.wait_for(Zombie)
                release.set()
                assert any("handle_cast" in line for line in zombie.stack)
                assert zombie.child_id == "z"

    async def test_killed_supervisor_takes_everything_below_with_it(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """`brutal_kill` of a supervisor: no child says good-bye, none is left."""
        inner = ChildSpec(
            "inner",
            lambda: Supervisor([trapping("a", journal), trapping("b", journal)]),
            type="supervisor",
            shutdown="brutal_kill",
        )
        async with Supervisor([inner], on_event=recorder):
            pass
        assert ["a", "b"] == starts(journal)
        assert ends(journal) == []
        reasons = {event.child_id: event.reason for event in recorder.of(Exited)}
        assert {Killed()} == {reasons[name] for name in ("a", "b", "inner")}
        assert recorder.of(ShutdownError) == []
        assert recorder.of(Zombie) == []


class TestAutoShutdown:
    async def test_any_significant_child_that_ends_by_itself_ends_the_supervisor(
        self, journal: Journal
    ) -> None:
        """`any_significant`: the work is done."""
        specs = [
            trapping("helper", journal),
            ChildSpec("main", lambda: Probe("main"), restart="transient", significant=True),
        ]
        supervisor = Supervisor(specs, auto_shutdown="any_significant")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.run)
            await settle(lambda: supervisor.tree().status is ChildStatus.RUNNING)
            ref_of(supervisor, "main").cast(stop_normally)
        assert ["helper"] == ends(journal)

    async def test_all_significant_waits_for_the_last(self) -> None:
        """`all_significant`: and a significant child that crashes is restarted instead."""
        specs = [ChildSpec(name, Probe, restart="transient", significant=True) for name in "ab"]
        supervisor = Supervisor(specs, auto_shutdown="all_significant")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.run)
            await settle(lambda: supervisor.tree().status is ChildStatus.RUNNING)
            first = ref_of(supervisor, "a")
            first.cast(crash)
            await settle(lambda: ref_of(supervisor, "a") not in (None, first))
            ref_of(supervisor, "a").cast(stop_normally)
            await settle(lambda: status_of(supervisor, "a") is ChildStatus.STOPPED)
            await anyio.sleep(1)
            assert supervisor.tree().status is ChildStatus.RUNNING
            ref_of(supervisor, "b").cast(stop_normally)

    async def test_body_is_cancelled_when_the_supervisor_ends_by_itself(self) -> None:
        """A root with a body: the body cannot outlive what it uses, and this end is no error."""
        spec = ChildSpec("a", Probe, restart="temporary", significant=True)
        async with Supervisor([spec], auto_shutdown="any_significant") as supervisor:
            ref_of(supervisor, "a").cast(stop_normally)
            await for_long()


class TestAdministration:
    async def test_results_for_a_running_child(self) -> None:
        """OTP's table, column `running`."""
        async with Supervisor([ChildSpec("a", Probe)]) as supervisor:
            ref = ref_of(supervisor, "a")
            with pytest.raises(AlreadyStartedError) as caught:
                await supervisor.start_child(ChildSpec("a", Probe))
            assert caught.value.ref is ref
            with pytest.raises(ChildRunningError):
                await supervisor.restart_child("a")
            with pytest.raises(ChildRunningError):
                await supervisor.delete_child("a")
            await supervisor.terminate_child("a")
            assert Shutdown() == ref.exit_reason

    async def test_results_for_a_stopped_child(self) -> None:
        """OTP's table, column `stopped`."""
        async with Supervisor([ChildSpec("a", Probe)]) as supervisor:
            await supervisor.terminate_child("a")
            await supervisor.terminate_child("a")
            with pytest.raises(AlreadyPresentError):
                await supervisor.start_child(ChildSpec("a", Probe))
            ref = await supervisor.restart_child("a")
            assert await ref.call("back") == "back"
            await supervisor.terminate_child("a")
            await supervisor.delete_child("a")
            assert supervisor.which_children() == []

    async def test_results_for_a_restarting_child(self, journal: Journal) -> None:
        """OTP's table, column `restarting`: visible, with the time of the next attempt; terminate cancels it."""
        backoff = Backoff(initial=10, jitter=0, immediate_first=False)
        spec = ChildSpec("a", lambda: Probe("a", journal), backoff=backoff)
        async with Supervisor([spec]) as supervisor:
            crashed_at = anyio.current_time()
            ref_of(supervisor, "a").cast(crash)
            await settle(lambda: status_of(supervisor, "a") is ChildStatus.RESTARTING)
            info = supervisor.which_children()[0]
            assert info.ref is None
            assert info.next_attempt_at == pytest.approx(crashed_at + 10, abs=0.1)
            assert supervisor.count_children().active == 0
            with pytest.raises(AlreadyPresentError):
                await supervisor.start_child(spec)
            with pytest.raises(ChildRestartingError):
                await supervisor.restart_child("a")
            with pytest.raises(ChildRestartingError):
                await supervisor.delete_child("a")
            await supervisor.terminate_child("a")
            await anyio.sleep(20)
            assert ["a"] == starts(journal)
            assert status_of(supervisor, "a") is ChildStatus.STOPPED

    async def test_results_for_an_unknown_child(self) -> None:
        """OTP's table, column `unknown`."""
        async with Supervisor() as supervisor:
            for request in (
                supervisor.terminate_child,
                supervisor.restart_child,
                supervisor.delete_child,
            ):
                with pytest.raises(ChildNotFoundError):
                    await request("nobody")
            ref = await supervisor.start_child(ChildSpec("new", Probe))
            assert ref_of(supervisor, "new") is ref

    async def test_temporary_child_is_forgotten_when_it_is_terminated(self) -> None:
        """Its spec has no further use."""
        async with Supervisor([ChildSpec("a", Probe, restart="temporary")]) as supervisor:
            await supervisor.terminate_child("a")
            assert supervisor.which_children() == []

    async def test_child_that_fails_to_start_on_request_is_not_kept(self, journal: Journal) -> None:
        """The caller gets the reason; the supervisor goes on."""
        async with Supervisor() as supervisor:
            with pytest.raises(StartError):
                await supervisor.start_child(ChildSpec("a", lambda: FailingStarts("a", journal, [1])))
            assert supervisor.which_children() == []

    async def test_manual_operations_do_not_count_as_restarts(self) -> None:
        """Only what fails burns the budget."""
        async with Supervisor([ChildSpec("a", Probe)], max_restarts=0) as supervisor:
            for _ in range(5):
                await supervisor.terminate_child("a")
                await supervisor.restart_child("a")

    async def test_added_children_end_first(self, journal: Journal) -> None:
        """Start order is also the order in which they were added."""
        async with Supervisor([trapping("a", journal)]) as supervisor:
            await supervisor.start_child(trapping("b", journal))
        assert ["b", "a"] == ends(journal)

    async def test_tree_answers_while_a_child_hangs(self) -> None:
        """Looking asks nobody."""
        inner = ChildSpec("inner", lambda: Supervisor([ChildSpec("leaf", Probe)]), type="supervisor")
        async with Supervisor(
            [inner, ChildSpec("b", Probe, shutdown="brutal_kill")], name="top"
        ) as supervisor:
            ref_of(supervisor, "b").cast(hang)
            tree = supervisor.tree().as_dict()
            assert {"id", "type", "status", "restarts", "children"} <= tree.keys()
            assert (tree["id"], tree["status"]) == ("top", "running")
            inner_info = supervisor.tree().children[0]
            assert (inner_info.id, inner_info.type) == ("inner", "supervisor")
            assert ["leaf"] == [child.id for child in inner_info.children]
            assert inner_info.children[0].ref is not None
            assert inner_info.children[0].ref.path == "top/inner/leaf"


class TestRequestsAtTheEnd:
    async def test_request_to_a_supervisor_that_does_not_run_answers_noproc(self) -> None:
        """Before and after: never a hang."""
        supervisor = Supervisor()
        with pytest.raises(CallExitError) as caught:
            await supervisor.start_child(ChildSpec("a", Probe))
        assert NoProc() == caught.value.reason
        async with supervisor:
            pass
        with pytest.raises(CallExitError) as caught:
            await supervisor.terminate_child("a")
        assert NoProc() == caught.value.reason

    @pytest.mark.parametrize("where", ["helper", "terminate"])
    async def test_request_by_a_child_that_is_being_ended_fails_at_once(
        self, where: str, journal: Journal
    ) -> None:
        """The supervisor waits for this child: carrying the request out would be a deadlock."""

        class Asking(TrappingProbe):
            async def init(self) -> Any:
                if where == "helper":
                    self.start_soon(self.ask_on_the_way_out)

            async def ask_on_the_way_out(self) -> None:
                try:
                    await anyio.sleep_forever()
                finally:
                    with anyio.CancelScope(shield=True):
                        await self.ask()

            async def terminate(self, reason: object) -> None:
                if where == "terminate":
                    await self.ask()

            async def ask(self) -> None:
                try:
                    await supervisor.start_child(ChildSpec("b", Probe))
                except CallExitError as error:
                    self.journal.append(("asked", error.reason))

        spec = ChildSpec("a", lambda: Asking("a", journal), shutdown="infinity")
        async with Supervisor([spec]) as supervisor:
            await supervisor.terminate_child("a")
            assert [("asked", NoProc())] == journal
            await supervisor.restart_child("a")
        assert [("asked", NoProc())] * 2 == journal

    async def test_request_that_waits_when_its_asker_is_ended_fails(self, journal: Journal) -> None:
        """It was queued before the supervisor turned to the asker."""
        go = anyio.Event()

        class Asking(TrappingProbe):
            async def init(self) -> Any:
                self.start_soon(self.ask)

            async def ask(self) -> None:
                await go.wait()
                try:
                    await supervisor.start_child(ChildSpec("b", Probe))
                except CallExitError as error:
                    self.journal.append(("asked", error.reason))

            async def terminate(self, reason: object) -> None:
                await settle(lambda: bool(self.journal))

        class Slow(TrappingProbe):
            async def terminate(self, reason: object) -> None:
                await anyio.sleep(1)

        specs = [ChildSpec("a", lambda: Asking("a", journal)), ChildSpec("slow", Slow)]
        async with Supervisor(specs) as supervisor, anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.terminate_child, "slow")
            await settle(lambda: status_of(supervisor, "slow") is ChildStatus.STOPPING)
            tasks.start_soon(supervisor.terminate_child, "a")
            await anyio.sleep(0.1)
            go.set()
        assert [("asked", NoProc())] == journal

    async def test_request_of_an_init_to_its_own_supervisor_fails_at_once(self, journal: Journal) -> None:
        """OTP's documented deadlock, told instead of suffered."""

        class Asking(Probe):
            async def init(self) -> Any:
                await supervisor.start_child(ChildSpec("b", Probe))

        async with Supervisor() as supervisor:
            with pytest.raises(StartError) as caught:
                await supervisor.start_child(ChildSpec("a", Asking))
            assert isinstance(caught.value.__cause__, CallExitError)

    async def test_cancelled_request_that_still_waits_is_not_carried_out(self, journal: Journal) -> None:
        """A caller that has gone does not get a child."""

        class Slow(Probe):
            async def init(self) -> Any:
                await anyio.sleep(2)

        async with Supervisor() as supervisor, anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.start_child, ChildSpec("slow", Slow))
            await settle(lambda: bool(supervisor.which_children()))
            with anyio.move_on_after(1):
                await supervisor.start_child(trapping("late", journal))
            await settle(lambda: status_of(supervisor, "slow") is ChildStatus.RUNNING)
            await supervisor.terminate_child("slow")
        assert starts(journal) == []

    async def test_requests_that_wait_when_the_supervisor_is_stopped_fail(self) -> None:
        """All of them, each with an error of its own: the one that is being carried out and those behind it."""

        class Slow(Probe):
            async def init(self) -> Any:
                await anyio.sleep_forever()

        errors: list[CallExitError] = []

        async def ask(supervisor: Supervisor, name: str) -> None:
            try:
                await supervisor.start_child(ChildSpec(name, Slow, start_timeout=1000))
            except CallExitError as error:
                errors.append(error)

        with anyio.fail_after(100):
            async with anyio.create_task_group() as tasks, Supervisor() as supervisor:
                for name in "abc":
                    tasks.start_soon(ask, supervisor, name)
                await anyio.sleep(1)
        assert [NoProc()] * 3 == [error.reason for error in errors]
        assert 3 == len({id(error) for error in errors})

    async def test_stop_during_a_start_does_not_wait_for_it(self, journal: Journal) -> None:
        """A child in `init` is ended like any other; the one who asked for it is told."""

        class Slow(Probe):
            async def init(self) -> Any:
                await anyio.sleep_forever()

        reasons: list[object] = []

        async def ask(supervisor: Supervisor) -> None:
            try:
                await supervisor.start_child(ChildSpec("slow", Slow))
            except CallExitError as error:
                reasons.append(error.reason)

        async with anyio.create_task_group() as tasks, Supervisor([trapping("a", journal)]) as supervisor:
            tasks.start_soon(ask, supervisor)
            await settle(lambda: len(supervisor.which_children()) == 2)
        assert [NoProc()] == reasons
        assert ["a"] == ends(journal)


class TestBackoff:
    async def test_waits_grow_and_a_healthy_child_starts_a_new_row(self, recorder: EventRecorder) -> None:
        """The first restart is immediate, then 1, 2, 4 s; health ends the row."""
        spec = ChildSpec("a", Probe, backoff=Backoff(initial=1, maximum=60, jitter=0))

        async def be_healthy(probe: Probe) -> None:
            probe.healthy()

        async with Supervisor([spec], max_restarts=100, max_seconds=1000, on_event=recorder) as supervisor:
            for healthy in (False, False, False, True):
                before = ref_of(supervisor, "a")
                if healthy:
                    await before.call(be_healthy)
                before.cast(crash)
                await settle(lambda ref=before: ref_of(supervisor, "a") not in (None, ref))  # type: ignore[misc]
        delays = [event.delay for event in recorder.of(Restarting) if event.delay or event.attempt == 1]
        assert [0.0, 1.0, 2.0, 0.0] == delays

    async def test_too_many_in_a_row_is_given_up_although_the_window_never_fills(self) -> None:
        """With waits longer than the window only `max_consecutive` ends it."""
        spec = ChildSpec(
            "a", Probe, backoff=Backoff(initial=100, maximum=100, jitter=0, reset=1000.0, max_consecutive=3)
        )
        with pytest.raises(SupervisorGaveUpError) as caught:  # noqa: PT012 - the block is the body of the tree
            async with Supervisor([spec]) as supervisor:
                while True:
                    before = ref_of(supervisor, "a")
                    before.cast(crash)
                    await settle(lambda ref=before: ref_of(supervisor, "a") not in (None, ref), timeout=200)  # type: ignore[misc]
        assert caught.value.why == "reached_max_consecutive"

    async def test_group_is_down_while_its_failed_member_waits(self, journal: Journal) -> None:
        """Siblings that depend on it do not run without it."""
        backoff = Backoff(initial=10, jitter=0, immediate_first=False)
        specs = [trapping("a", journal, backoff=backoff), trapping("b", journal)]
        async with Supervisor(specs, strategy="rest_for_one") as supervisor:
            ref_of(supervisor, "a").cast(crash)
            await settle(
                lambda: status_of(supervisor, "a") is ChildStatus.RESTARTING and "b" in ends(journal)
            )
            assert status_of(supervisor, "b") is ChildStatus.STOPPED
            await settle(
                lambda: status_is_settled(supervisor) and status_of(supervisor, "b") is ChildStatus.RUNNING,
                timeout=20,
            )
        assert ["a", "b", "a", "b"] == starts(journal)

    async def test_supervisor_can_be_stopped_while_a_child_waits(self) -> None:
        """A wait is not a block."""
        backoff = Backoff(initial=1000, maximum=1000, jitter=0, immediate_first=False)
        before = anyio.current_time()
        async with Supervisor([ChildSpec("a", Probe, backoff=backoff)]) as supervisor:
            ref_of(supervisor, "a").cast(crash)
            await settle(lambda: status_of(supervisor, "a") is ChildStatus.RESTARTING)
        assert anyio.current_time() - before < 10


class TestValidation:
    @pytest.mark.parametrize(
        ("make", "error"),
        [
            (lambda: Supervisor(strategy="two_for_one"), ValueError),  # type: ignore[arg-type]
            (lambda: Supervisor(max_restarts=-1), ValueError),
            (lambda: Supervisor(max_restarts=float("inf")), TypeError),  # type: ignore[arg-type]
            (lambda: Supervisor(max_seconds=0), ValueError),
            (lambda: Supervisor(max_seconds=float("inf")), ValueError),
            (lambda: Supervisor(auto_shutdown="sometimes"), ValueError),  # type: ignore[arg-type]
            (lambda: Supervisor([ChildSpec("a", Probe), ChildSpec("a", Probe)]), ValueError),
            (lambda: Supervisor([ChildSpec("a", Probe, restart="transient", significant=True)]), ValueError),
            (lambda: DynamicSupervisor(max_children=0), ValueError),
        ],
    )
    def test_wrong_options_are_refused_when_they_are_given(
        self, make: Callable[[], object], error: type[Exception], anyio_backend: object
    ) -> None:
        """Not when they first matter."""
        with pytest.raises(error):
            make()

    async def test_supervisor_is_used_once(self) -> None:
        """A restart needs a new object: the old one's state is history."""
        from wsmgr.actors import SupervisorError

        supervisor = Supervisor()
        async with supervisor:
            pass
        with pytest.raises(SupervisorError):
            await supervisor.run()
