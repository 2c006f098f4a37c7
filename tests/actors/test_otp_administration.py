"""OTP's contract of looking and asking: dynamic supervisors, administration, reports."""

from __future__ import annotations

import gc
import logging
import weakref
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from tests.actors.children import LONG, Journal, crash, quiet, ref_of, stop_normally

from wsmgr.actors import (
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
    DeadLetter,
    DynamicSupervisor,
    Exited,
    GaveUp,
    Ignore,
    Killed,
    MaxChildrenError,
    NoProc,
    NotAnActorError,
    Restarting,
    Shutdown,
    ShutdownError,
    Started,
    StartError,
    Supervisor,
    SupervisorError,
)
from wsmgr.actors.testing import EventRecorder, Probe, TrappingProbe

if TYPE_CHECKING:
    from wsmgr.actors import ActorRef

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]


class Failing(Probe):
    """Its `init` fails while `broken` holds something."""

    def __init__(self, broken: list[object], journal: Journal | None = None) -> None:
        super().__init__("failing", journal)
        self.broken = broken

    async def init(self) -> Any:
        await super().init()
        if self.broken:
            raise OSError("no")


class TestDynamicSupervisor:
    """Children by reference: how many, for how long, and what is kept of them."""

    async def test_start_blocks_the_supervisor_until_the_childs_init_is_done(self, journal: Journal) -> None:
        """Starts are carried out one after the other, in the order in which they were asked for."""

        class Slow(Probe):
            async def init(self) -> Any:
                await anyio.sleep(2)
                await super().init()

        async with DynamicSupervisor() as supervisor, anyio.create_task_group() as tasks:
            before = anyio.current_time()
            tasks.start_soon(supervisor.start_child, ChildSpec("slow", lambda: Slow("slow", journal)))
            await quiet()
            await supervisor.start_child(ChildSpec("quick", lambda: Probe("quick", journal)))
            assert pytest.approx(2.0) == anyio.current_time() - before
            assert [("slow", "init"), ("quick", "init")] == journal

    @pytest.mark.parametrize("how", ["exit", "init"])
    async def test_restarting_children_count_against_the_maximum(self, how: str) -> None:
        """Whether it has ended or could not come back: its place is kept until it is terminated."""
        broken: list[object] = []
        backoff = Backoff(initial=10, jitter=0, immediate_first=how == "init")
        async with DynamicSupervisor(max_children=2) as supervisor:
            ref = await supervisor.start_child(ChildSpec("a", lambda: Failing(broken), backoff=backoff))
            await supervisor.start_child(ChildSpec("b", Probe))
            if how == "init":
                broken.append("yes")
            ref.cast(crash)
            await quiet()
            assert (2, 1) == (supervisor.count_children().specs, supervisor.count_children().active)
            for _ in range(2):
                with pytest.raises(MaxChildrenError):
                    await supervisor.start_child(ChildSpec("c", Probe))
            broken.clear()
            await anyio.sleep(20)
            assert (2, 2) == (supervisor.count_children().specs, supervisor.count_children().active)
            assert supervisor.which_children()[0].status is ChildStatus.RUNNING
            again = ref_of(supervisor, "a")
            if how == "init":
                broken.append("yes")
            again.cast(crash)
            await quiet()
            await supervisor.terminate_child(again)
            assert (await supervisor.start_child(ChildSpec("c", Probe))).alive

    async def test_child_that_fails_or_ignores_its_start_takes_no_place(self) -> None:
        """What never ran is not counted."""

        class Ignoring(Probe):
            async def init(self) -> Any:
                return Ignore()

        async with DynamicSupervisor(max_children=1) as supervisor:
            for _ in range(3):
                await supervisor.start_child(ChildSpec("a", Ignoring))
                with pytest.raises(StartError):
                    await supervisor.start_child(ChildSpec("a", lambda: Failing(["yes"])))
            assert await (await supervisor.start_child(ChildSpec("a", Probe))).call("fine") == "fine"

    @pytest.mark.parametrize("how", ["exit", "init"])
    async def test_child_between_two_attempts_is_still_known_by_the_reference_that_its_starter_has(
        self, how: str
    ) -> None:
        """`{restarting, OldPid}`: it can be terminated, which cancels the next attempt; then it is not found."""
        broken: list[object] = []
        backoff = Backoff(initial=10, jitter=0, immediate_first=how == "init")
        async with DynamicSupervisor() as supervisor:
            ref = await supervisor.start_child(ChildSpec("a", lambda: Failing(broken), backoff=backoff))
            if how == "init":
                broken.append("yes")
            ref.cast(crash)
            await quiet()
            assert [ChildStatus.RESTARTING] == [child.status for child in supervisor.which_children()]
            await supervisor.terminate_child(ref)
            assert supervisor.which_children() == []
            with pytest.raises(ChildNotFoundError):
                await supervisor.terminate_child(ref)
            broken.clear()
            await anyio.sleep(20)
            assert supervisor.which_children() == []

    async def test_restarted_child_is_known_by_its_new_reference_only(self, recorder: EventRecorder) -> None:
        """The one before is dead and no child."""
        async with DynamicSupervisor(on_event=recorder) as supervisor:
            before = await supervisor.start_child(ChildSpec("a", Probe))
            before.cast(crash)
            await quiet()
            with pytest.raises(ChildNotFoundError):
                await supervisor.terminate_child(before)
            await supervisor.terminate_child(ref_of(supervisor, "a"))
            assert supervisor.which_children() == []

    @pytest.mark.parametrize("make", [Supervisor, DynamicSupervisor])
    async def test_nothing_is_kept_of_a_temporary_child_that_has_ended(self, make: Any) -> None:
        """`do_not_save_start_parameters`: neither its spec nor what that holds on to."""

        class Heavy:
            """What a start function closes over."""

        async def start(supervisor: Any) -> tuple[ActorRef[Any], weakref.ref[Heavy]]:
            heavy = Heavy()

            def make_actor(heavy: Heavy = heavy) -> Probe:
                return Probe(repr(heavy))

            return await supervisor.start_child(ChildSpec("a", make_actor, restart="temporary")), weakref.ref(
                heavy
            )

        async with make() as supervisor:
            ref, heavy = await start(supervisor)
            assert heavy() is not None
            ref.cast(stop_normally)
            await quiet()
            gc.collect()
            assert heavy() is None
            assert not ref.alive

    async def test_many_temporary_children_come_and_go_and_leave_nothing(self) -> None:
        """`scale_many_temporary_children`: no spec, no restart, no report but their own."""
        async with DynamicSupervisor(max_restarts=0) as supervisor:
            for number in range(300):
                ref = await supervisor.start_child(ChildSpec(number, Probe, restart="temporary"))
                ref.exit(Killed())
            await quiet()
            assert supervisor.which_children() == []
            assert supervisor.count_children().specs == 0


class TestAdministration:
    """Each request, for a child in each status."""

    async def test_children_are_shown_with_id_process_and_type(self, journal: Journal) -> None:
        """`which_children` and `count_children`: a supervisor among workers, one that is stopped, one that restarts."""
        specs = [
            ChildSpec("worker", Probe),
            ChildSpec("inner", lambda: Supervisor([ChildSpec("leaf", Probe)]), type="supervisor"),
            ChildSpec("dynamic", DynamicSupervisor, type="supervisor"),
            ChildSpec("stopped", Probe),
            ChildSpec("restarting", Probe, backoff=Backoff(initial=10, jitter=0, immediate_first=False)),
        ]
        async with Supervisor(specs) as supervisor:
            await supervisor.terminate_child("stopped")
            ref_of(supervisor, "restarting").cast(crash)
            await quiet()
            assert [
                ("worker", "worker", ChildStatus.RUNNING, True),
                ("inner", "supervisor", ChildStatus.RUNNING, True),
                ("dynamic", "supervisor", ChildStatus.RUNNING, True),
                ("stopped", "worker", ChildStatus.STOPPED, False),
                ("restarting", "worker", ChildStatus.RESTARTING, False),
            ] == [
                (child.id, child.type, child.status, child.ref is not None)
                for child in supervisor.which_children()
            ]
            counts = supervisor.count_children()
            assert (5, 3, 2, 3) == (counts.specs, counts.active, counts.supervisors, counts.workers)

    @pytest.mark.parametrize("kind", ["worker", "supervisor"])
    async def test_results_of_each_request_for_a_running_a_stopped_and_an_unknown_child(
        self, kind: Any, journal: Journal
    ) -> None:
        """The table, column by column, and the same for a child that is a supervisor."""

        def leaf() -> TrappingProbe:
            return TrappingProbe("leaf", journal)

        def inner() -> Supervisor:
            return Supervisor([ChildSpec("leaf", leaf)])

        spec = ChildSpec("a", inner if kind == "supervisor" else leaf, type=kind)
        async with Supervisor([spec]) as supervisor:
            ref = ref_of(supervisor, "a")
            with pytest.raises(AlreadyStartedError) as caught:
                await supervisor.start_child(spec)
            assert caught.value.ref is ref
            for request in (supervisor.restart_child, supervisor.delete_child):
                with pytest.raises(ChildRunningError):
                    await request("a")
            await supervisor.terminate_child("a")
            assert Shutdown() == ref.exit_reason
            assert [("leaf", "init"), ("leaf", "terminate", Shutdown())] == journal
            await supervisor.terminate_child("a")
            with pytest.raises(AlreadyPresentError):
                await supervisor.start_child(spec)
            assert (await supervisor.restart_child("a")).alive
            assert ("leaf", "init") == journal[-1]
            await supervisor.terminate_child("a")
            await supervisor.delete_child("a")
            assert supervisor.which_children() == []
            for ask in (supervisor.terminate_child, supervisor.restart_child, supervisor.delete_child):
                with pytest.raises(ChildNotFoundError):
                    await ask("a")
            ref = await supervisor.start_child(spec)
            assert ref_of(supervisor, "a") is ref

    async def test_temporary_child_is_forgotten_when_it_is_terminated(self) -> None:
        """Its spec has no further use."""
        async with Supervisor([ChildSpec("a", Probe, restart="temporary")]) as supervisor:
            await supervisor.terminate_child("a")
            assert supervisor.which_children() == []

    async def test_transient_child_that_ended_well_is_stopped_for_every_request(self) -> None:
        """Its spec is kept, its process is not: `undefined`."""
        spec = ChildSpec("a", Probe, restart="transient")
        async with Supervisor([spec]) as supervisor:
            ref_of(supervisor, "a").cast(stop_normally)
            await quiet()
            with pytest.raises(AlreadyPresentError):
                await supervisor.start_child(spec)
            await supervisor.terminate_child("a")
            assert (await supervisor.restart_child("a")).alive
            await supervisor.terminate_child("a")
            await supervisor.delete_child("a")
            assert (await supervisor.start_child(spec)).alive

    async def test_child_that_was_terminated_by_hand_stays_down_when_a_sibling_crashes(self) -> None:
        """Of its own accord nobody but its group starts it again."""
        async with Supervisor([ChildSpec(name, Probe) for name in "ab"]) as supervisor:
            await supervisor.terminate_child("a")
            ref_of(supervisor, "b").cast(crash)
            await anyio.sleep(100)
            assert [ChildStatus.STOPPED, ChildStatus.RUNNING] == [
                child.status for child in supervisor.which_children()
            ]

    @pytest.mark.parametrize("make", [Supervisor, DynamicSupervisor])
    async def test_request_to_a_dead_supervisor_exits_with_noproc(self, make: Any) -> None:
        """Nested or root, whoever ended it; to look still shows what was known last."""
        inner = make()
        async with Supervisor([ChildSpec("inner", lambda: inner, type="supervisor")]) as supervisor:
            ref = await inner.start_child(ChildSpec("a", Probe))
            await supervisor.terminate_child("inner")
            for request, argument in (
                (inner.start_child, ChildSpec("b", Probe)),
                (inner.terminate_child, ref if make is DynamicSupervisor else "a"),
            ):
                with pytest.raises(CallExitError) as caught:
                    await request(argument)
                assert NoProc() == caught.value.reason
            # A dynamic supervisor forgets who has ended.
            left = [] if make is DynamicSupervisor else [ChildStatus.STOPPED]
            assert left == [child.status for child in inner.which_children()]

    @pytest.mark.parametrize("whose", ["its own", "the one above"])
    @pytest.mark.parametrize("kind", [Probe, TrappingProbe])
    async def test_child_that_asks_for_its_own_end_is_not_waited_for_by_itself(
        self, kind: type[Probe], whose: str
    ) -> None:
        """OTP's documented deadlock (a trapping child that waits for who waits for it) is told instead of suffered."""
        told: list[object] = []
        inner = Supervisor([ChildSpec("a", kind, shutdown=50.0)])

        async def ask(probe: Probe) -> None:
            try:
                if whose == "its own":
                    await inner.terminate_child("a")
                else:
                    await supervisor.terminate_child("inner")
            except CallExitError as error:
                told.append(error.reason)

        async with Supervisor([ChildSpec("inner", lambda: inner, type="supervisor")]) as supervisor:
            ref = ref_of(inner, "a")
            before = anyio.current_time()
            ref.cast(ask)
            monitor = ref.monitor()
            await monitor.wait()
            assert before == anyio.current_time()
            assert Shutdown() == monitor.reason
            # One that does not trap exits may be gone before it is told.
            assert [NoProc()] == told or (kind is Probe and told == [])

    async def test_requests_are_carried_out_in_the_order_in_which_they_were_made(
        self, journal: Journal
    ) -> None:
        """One task of the supervisor decides everything."""
        async with Supervisor() as supervisor, anyio.create_task_group() as tasks:
            specs = [ChildSpec(n, lambda n=n: Probe(n, journal)) for n in ("a", "b", "c")]  # type: ignore[misc]
            for spec in specs:
                tasks.start_soon(supervisor.start_child, spec)
                await quiet()
            tasks.start_soon(supervisor.terminate_child, "b")
            await quiet()
            with pytest.raises(ChildRunningError):
                await supervisor.delete_child("a")
            await supervisor.delete_child("b")
            assert [("a", "init"), ("b", "init"), ("c", "init")] == journal
            assert ["a", "c"] == [child.id for child in supervisor.which_children()]

    async def test_restarting_child_of_a_group_is_seen_with_its_siblings_down(self, journal: Journal) -> None:
        """Each is what it is: the failed one restarts, those that wait for it are stopped."""
        broken: list[object] = []
        specs = [
            ChildSpec("a", Probe),
            ChildSpec(
                "b",
                lambda: Failing(broken),
                backoff=Backoff(initial=10, jitter=0, immediate_first=False),
            ),
            ChildSpec("c", Probe),
        ]
        async with Supervisor(specs, strategy="rest_for_one") as supervisor:
            broken.append("yes")
            ref_of(supervisor, "a").cast(crash)
            await quiet()
            assert [ChildStatus.RUNNING, ChildStatus.RESTARTING, ChildStatus.STOPPED] == [
                child.status for child in supervisor.which_children()
            ]
            with pytest.raises(ChildRunningError):
                await supervisor.restart_child("a")
            with pytest.raises(ChildRestartingError):
                await supervisor.restart_child("b")
            assert (await supervisor.restart_child("c")).alive
            broken.clear()
            await anyio.sleep(20)
            assert {ChildStatus.RUNNING} == {child.status for child in supervisor.which_children()}


class TestReports:
    """What listeners and the log are told."""

    @pytest.mark.parametrize("when", ["boot", "request", "restart"])
    async def test_init_that_fails_is_a_start_error(
        self, when: str, recorder: EventRecorder, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Told apart from the end of a child that ran, at each way to start one."""
        broken: list[object] = ["yes"] if when == "boot" else []
        specs = [] if when == "request" else [ChildSpec("a", lambda: Failing(broken))]
        supervisor = Supervisor(specs, max_restarts=1, on_event=recorder)
        try:
            async with supervisor:
                broken.append("yes")
                if when == "request":
                    await supervisor.start_child(ChildSpec("a", lambda: Failing(broken)))
                ref_of(supervisor, "a").cast(crash)
                await anyio.sleep(1)
        except SupervisorError:
            # Whether it could not start or gave up is tested elsewhere.
            pass
        failed = [event for event in recorder.of(Exited) if event.child_id == "a" and not event.started]
        assert [("a", OSError)] == [
            (event.child_id, type(event.reason.error) if isinstance(event.reason, Crash) else None)
            for event in failed
        ]
        contexts = [getattr(record, "error_context", None) for record in caplog.records]
        assert 1 == contexts.count("start_error")

    async def test_start_function_that_raises_is_reported_with_its_error(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """`start_error`, also where nobody else hears of it: in the restarts below a nested supervisor."""
        error = OSError("no configuration")
        made: list[object] = []

        def start() -> Probe:
            made.append(None)
            if len(made) == 2:
                raise error
            return Probe()

        async with Supervisor([ChildSpec("a", start)]) as supervisor:
            ref_of(supervisor, "a").cast(crash)
            await quiet()
            assert len(made) == 3
        errors = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert any(record.exc_info is not None and record.exc_info[1] is error for record in errors)

    async def test_report_names_supervisor_context_reason_and_offender(
        self, journal: Journal, caplog: pytest.LogCaptureFixture
    ) -> None:
        """`child_terminated`, `shutdown` and `shutdown_error`, each with who it is about."""

        class Hanging(TrappingProbe):
            async def terminate(self, reason: Any) -> None:
                await anyio.sleep(LONG)

        inner = ChildSpec(
            "inner",
            lambda: Supervisor(
                [ChildSpec("slow", Hanging, shutdown=1.0), ChildSpec("a", Probe)], max_restarts=0
            ),
            type="supervisor",
            restart="temporary",
        )
        async with Supervisor([inner], name="top") as supervisor:
            ref = supervisor.tree().children[0].children[1].ref
            assert ref is not None
            ref.cast(crash)
            await anyio.sleep(5)
        reports = [
            (
                record.__dict__["supervisor"],
                record.__dict__["error_context"],
                record.__dict__["offender"]["id"],
                record.__dict__["offender"].get("restart"),
            )
            for record in caplog.records
            if record.__dict__.get("error_context") is not None
        ]
        assert [
            ("top/inner", "child_terminated", "a", "permanent"),
            ("top/inner", "shutdown", "a", "permanent"),
            ("top/inner", "child_terminated", "slow", "permanent"),
            ("top/inner", "shutdown_error", "slow", "permanent"),
        ] == reports

    async def test_unexpected_mail_is_counted_and_the_supervisor_survives_it(
        self, recorder: EventRecorder
    ) -> None:
        """Casts, calls and signals that are not from its own supervisor: it goes on."""
        async with Supervisor([ChildSpec("a", Probe)], on_event=recorder) as supervisor:
            assert supervisor.ref.cast("hello") is False
            for ask in (supervisor.ref.call, supervisor.ref.send):
                with pytest.raises(NotAnActorError):
                    await ask("hello")
            supervisor.ref.exit(Shutdown("please"))
            await quiet()
            assert supervisor.ref.alive
            assert await ref_of(supervisor, "a").call("alive") == "alive"
        assert [1] == [event.count for event in recorder.of(DeadLetter)]

    async def test_whole_life_is_told_in_order_to_the_level_above(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """Each start, end, restart and the giving up, in the order in which they happen."""
        inner = ChildSpec(
            "inner",
            lambda: Supervisor([ChildSpec("a", Probe), ChildSpec("b", TrappingProbe)], max_restarts=1),
            type="supervisor",
            restart="temporary",
        )
        async with Supervisor([inner], on_event=recorder, name="top") as supervisor:
            for _ in range(2):
                ref = supervisor.tree().children[0].children[0].ref
                assert ref is not None
                ref.cast(crash)
                await quiet()
        assert [
            (Started, "a"),
            (Started, "b"),
            (Started, "inner"),
            (Started, "top"),
            (Exited, "a"),
            (Restarting, "a"),
            (Started, "a"),
            (Exited, "a"),
            (GaveUp, "a"),
            (Exited, "b"),
            (Exited, "inner"),
            (Exited, "top"),
        ] == [(type(event), getattr(event, "child_id", None)) for event in recorder.events]
        assert recorder.of(ShutdownError) == []
