"""OTP's contract of ending: the shutdown protocol, its races, and `terminate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest
from tests.actors.children import (
    LONG,
    Journal,
    crash,
    ends,
    quiet,
    ref_of,
    shut_down,
    slow,
    starts,
    statuses,
    stop_normally,
    trapping,
    wait_long,
)

from wsmgr.actors import (
    CallExitError,
    ChildSpec,
    ChildStatus,
    Continue,
    Crash,
    DynamicSupervisor,
    Exited,
    ExitSignal,
    Ignore,
    Killed,
    Normal,
    RejectError,
    Restarting,
    Shutdown,
    ShutdownError,
    Started,
    Stop,
    Supervisor,
    Zombie,
)
from wsmgr.actors.testing import EventRecorder, Probe, TrappingProbe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wsmgr.actors import ActorRef, ReplyTo

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]


class Clock:
    """Notes after how many seconds each process ended."""

    def __init__(self) -> None:
        self.begin = anyio.current_time()
        self.ended: dict[object, float] = {}

    def __call__(self, event: object) -> None:
        if isinstance(event, Exited):
            self.ended[event.child_id] = round(anyio.current_time() - self.begin, 6)


class TestBudgets:
    """A shutdown, a deadline, a kill."""

    async def test_static_children_with_mixed_budgets_end_one_by_one_in_reverse(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """Each gets its own time, and nobody begins before the one after it is gone: the sum."""
        clock = Clock()

        def both(event: Any) -> None:
            clock(event)
            recorder(event)

        specs = [
            slow("brutal", journal, LONG, shutdown="brutal_kill"),
            slow("too slow", journal, LONG, shutdown=2.0),
            slow("patient", journal, 80_000.0, shutdown="infinity"),
            slow("no time", journal, LONG, shutdown=0),
            slow("in time", journal, 1.0, shutdown=1.5),
            slow("quick", journal, 0.0),
        ]
        async with Supervisor(specs, on_event=both):
            clock.begin = anyio.current_time()
        assert {
            "quick": 0.0,
            "in time": 1.0,
            "no time": 1.0,
            "patient": 80_001.0,
            "too slow": 80_003.0,
            "brutal": 80_003.0,
            "Supervisor": 80_003.0,
        } == clock.ended
        assert ["quick", "in time", "no time", "patient", "too slow", "brutal", "Supervisor"] == list(
            clock.ended
        )
        assert ["quick", "in time", "patient"] == ends(journal)
        assert [("no time", Killed()), ("too slow", Killed())] == [
            (event.child_id, event.reason) for event in recorder.of(ShutdownError)
        ]

    async def test_dynamic_children_end_at_the_same_time_each_at_its_own_deadline(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """`sup_stop_timeout_dynamic`, `sup_stop_brutal_kill_dynamic`: the longest, not the sum."""
        clock = Clock()

        def both(event: Any) -> None:
            clock(event)
            recorder(event)

        async with DynamicSupervisor(on_event=both) as supervisor:
            for spec in (
                slow("one", journal, LONG, shutdown=1.0),
                slow("three", journal, LONG, shutdown=3.0),
                slow("brutal", journal, LONG, shutdown="brutal_kill"),
                slow("two", journal, LONG, shutdown=2),
                slow("infinity", journal, 2.5, shutdown="infinity"),
                slow("quick", journal, 0.5, shutdown=3.0),
            ):
                await supervisor.start_child(spec)
            clock.begin = anyio.current_time()
        assert [
            ("brutal", 0.0),
            ("quick", 0.5),
            ("one", 1.0),
            ("two", 2.0),
            ("infinity", 2.5),
            ("three", 3.0),
            ("DynamicSupervisor", 3.0),
        ] == list(clock.ended.items())
        assert dict.fromkeys(("one", "two", "three"), Killed()) == {
            event.child_id: event.reason for event in recorder.of(ShutdownError)
        }

    async def test_child_that_is_terminated_on_request_has_the_same_time(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """`shutdown=2.0`: two seconds, then `Killed`, and a `ShutdownError`."""
        spec = slow("a", journal, LONG, shutdown=2.0)
        async with Supervisor([spec], on_event=recorder) as supervisor:
            before = anyio.current_time()
            await supervisor.terminate_child("a")
            assert pytest.approx(2.0) == anyio.current_time() - before
        assert [Killed()] == [event.reason for event in recorder.of(ShutdownError)]

    async def test_supervisor_is_busy_while_it_ends_a_child_and_requests_wait(self, journal: Journal) -> None:
        """Strictly sequential; to look asks nobody."""
        async with (
            Supervisor([slow("slow", journal, 3.0)]) as supervisor,
            anyio.create_task_group() as tasks,
        ):
            before = anyio.current_time()
            tasks.start_soon(supervisor.terminate_child, "slow")
            await anyio.lowlevel.checkpoint()
            await quiet()
            assert {"slow": ChildStatus.STOPPING} == statuses(supervisor)
            await supervisor.start_child(trapping("next", journal))
            assert pytest.approx(3.0) == anyio.current_time() - before

    async def test_brutal_kill_does_not_wait_for_earlier_mail_and_is_no_error(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """Nor for the callback that runs, nor for a good-bye: it was asked for."""
        spec = trapping("a", journal, shutdown="brutal_kill")
        async with Supervisor([spec], on_event=recorder) as supervisor:
            ref = ref_of(supervisor, "a")
            ref.cast(wait_long)
            ref.cast("never read")
            await quiet()
            before = anyio.current_time()
            await supervisor.terminate_child("a")
            assert before == anyio.current_time()
        assert [("a", "init")] == journal
        assert [Killed()] == [event.reason for event in recorder.of(Exited) if event.child_id == "a"]
        assert recorder.of(ShutdownError) == []

    async def test_child_that_unlinks_and_catches_everything_cannot_hang_its_supervisor(
        self, journal: Journal
    ) -> None:
        """`child_unlink`: the supervisor watches by itself, and does not ask the child."""

        async def naughty(probe: Probe) -> None:
            supervisor.ref.unlink()
            for _ in range(50):
                try:
                    await anyio.sleep(LONG)
                except BaseException:  # noqa: BLE001 - what is tested
                    probe.journal.append((probe.name, "caught"))

        async with Supervisor([ChildSpec("a", lambda: Probe("a", journal))]) as supervisor:
            ref = ref_of(supervisor, "a")
            ref.cast(naughty)
            await quiet()
            before = anyio.current_time()
            await supervisor.terminate_child("a")
            assert before == anyio.current_time()
            assert (Shutdown(), 50) == (ref.exit_reason, journal.count(("a", "caught")))

    async def test_trapping_child_serves_the_mail_that_was_queued_before(self, journal: Journal) -> None:
        """The shutdown waits its turn; what comes after it is not read."""

        async def pause(probe: Probe) -> None:
            await anyio.sleep(1)

        async with Supervisor([trapping("a", journal)]) as supervisor, anyio.create_task_group() as tasks:
            ref = ref_of(supervisor, "a")
            for message in (pause, 0, 1, 2):
                ref.cast(message)
            tasks.start_soon(supervisor.terminate_child, "a")
            await quiet()
            assert {"a": ChildStatus.STOPPING} == statuses(supervisor)
            ref.cast("after the shutdown")
        assert [("a", 0), ("a", 1), ("a", 2), ("a", "terminate", Shutdown())] == journal[1:]

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
            await quiet()
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


class TestRaces:
    """A shutdown always completes."""

    @pytest.mark.parametrize("make", [Supervisor, DynamicSupervisor])
    @pytest.mark.parametrize("kind", [Probe, TrappingProbe])
    async def test_child_that_crashes_at_the_moment_of_the_shutdown_delays_nothing(
        self, kind: type[Probe], make: Any, journal: Journal
    ) -> None:
        """`sup_stop_race`: whoever is faster, everything ends, and nobody is started once the end has begun."""
        for turns in range(8):
            recorder = EventRecorder()
            supervisor: Supervisor | DynamicSupervisor = make(on_event=recorder)
            async with supervisor:
                for name in "abc":
                    spec = ChildSpec(name, lambda name=name: kind(name, journal))  # type: ignore[misc]
                    (await supervisor.start_child(spec)).cast(crash)
                for _ in range(turns):
                    await anyio.lowlevel.checkpoint()
                before = anyio.current_time()
            assert before == anyio.current_time()
            assert supervisor.count_children().active == 0
            exited = [event.ref for event in recorder.of(Exited)]
            assert supervisor.ref is exited[-1]
            assert len(exited) == len(set(exited))
            assert {event.ref for event in recorder.of(Started)} <= set(exited)

    async def test_crash_in_terminate_is_reported_and_the_shutdown_completes(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """Nothing stops a stop."""
        error = OSError("disk")

        class FailsInTerminate(TrappingProbe):
            async def terminate(self, reason: object) -> None:
                raise error

        specs = [trapping("a", journal), ChildSpec("b", FailsInTerminate)]
        async with Supervisor(specs, on_event=recorder):
            pass
        assert [Crash(error)] == [event.reason for event in recorder.of(ShutdownError)]
        assert ["a"] == ends(journal)

    async def test_crash_in_earlier_mail_is_what_a_trapping_child_ends_with(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """It is told to end, serves what came before, and crashes over it: reported, not restarted."""
        async with Supervisor([trapping("a", journal), trapping("b", journal)], on_event=recorder) as s:
            ref_of(s, "b").cast(crash)
        assert ["b", "a"] == ends(journal)
        assert [("b", Crash)] == [
            (event.child_id, type(event.reason)) for event in recorder.of(ShutdownError)
        ]
        assert recorder.of(Restarting) == []

    @pytest.mark.parametrize("make", [Supervisor, DynamicSupervisor])
    @pytest.mark.parametrize(
        ("restart", "how", "reported"),
        [
            ("permanent", stop_normally, True),
            ("permanent", shut_down, True),
            ("transient", stop_normally, False),
            ("transient", shut_down, False),
            ("temporary", stop_normally, False),
            ("temporary", crash, True),
        ],
    )
    async def test_other_reason_than_shutdown_is_reported_where_otp_reports_it(
        self, restart: Any, how: Any, reported: bool, make: Any, recorder: EventRecorder
    ) -> None:
        """`sup_stop_non_shutdown_exit_dynamic`: a good end of a permanent child is an unexpected one."""
        supervisor: Supervisor | DynamicSupervisor = make(on_event=recorder)
        async with supervisor:
            ref = await supervisor.start_child(ChildSpec("a", TrappingProbe, restart=restart))
            ref.cast(how)
        assert reported == bool(recorder.of(ShutdownError))
        assert ref.exit_reason != Shutdown()

    async def test_terminate_of_a_child_that_ends_by_itself_meanwhile_is_no_error(
        self, journal: Journal
    ) -> None:
        """Both want the same."""
        async with Supervisor([trapping("a", journal, restart="transient")]) as supervisor:
            for turns in range(6):
                ref = ref_of(supervisor, "a")
                ref.cast(stop_normally)
                for _ in range(turns):
                    await anyio.lowlevel.checkpoint()
                await supervisor.terminate_child("a")
                assert {"a": ChildStatus.STOPPED} == statuses(supervisor)
                await supervisor.restart_child("a")
        assert 7 == len(ends(journal))


class Everywhere(Probe):
    """Does in each of its callbacks what it is told for that callback."""

    def __init__(
        self, name: str, journal: Journal, where: str, do: Callable[[Probe], Awaitable[Any]]
    ) -> None:
        super().__init__(name, journal)
        self.where = where
        self.do = do

    async def init(self) -> Any:
        if self.where == "info":
            self.send_after(1, "go")
        if self.where == "helper":
            self.start_soon(self.do, self)
        return Continue() if self.where == "continue" else None

    async def handle_continue(self, token: object) -> Any:
        await anyio.sleep(1)
        return await self.do(self)

    async def handle_info(self, message: object) -> Any:
        return await self.do(self)

    async def handle_cast(self, message: object) -> Any:
        return await self.do(self)

    async def handle_call(self, request: object, reply_to: ReplyTo) -> Any:
        return await self.do(self)


class TrappingEverywhere(Everywhere):
    """The same, and it traps exits."""

    trap_exit = True


async def answer_badly(probe: Probe) -> object:
    return "nonsense"


async def exit_itself(probe: Probe) -> None:
    probe.ref.exit(Shutdown("itself"))
    await anyio.sleep(1)


class TestTerminate:
    """When `terminate` is called, and when it is not."""

    @pytest.mark.parametrize("kind", [Everywhere, TrappingEverywhere])
    @pytest.mark.parametrize("where", ["continue", "info", "cast", "call"])
    @pytest.mark.parametrize(
        ("do", "reason"),
        [(stop_normally, Normal), (shut_down, Shutdown), (crash, Crash), (answer_badly, Crash)],
    )
    async def test_called_once_for_stop_a_raise_and_a_bad_answer_of_any_callback(
        self, do: Any, reason: Any, where: str, kind: Any, journal: Journal
    ) -> None:
        """Trapping or not, with what the actor then ends with."""
        async with DynamicSupervisor() as supervisor:
            ref = await supervisor.start_child(
                ChildSpec("a", lambda: kind("a", journal, where, do), restart="temporary")
            )
            monitor = ref.monitor()
            if where == "cast":
                ref.cast("go")
            elif where == "call":
                with pytest.raises(CallExitError):
                    await ref.call("go")
            with anyio.fail_after(100):
                ended = await monitor.wait()
            assert reason is type(ended)
            assert [("a", "terminate", ended)] == [entry for entry in journal if entry[1] == "terminate"]

    @pytest.mark.parametrize("kind", [Probe, TrappingProbe])
    async def test_called_for_an_orderly_stop_and_not_for_a_kill(self, kind: Any, journal: Journal) -> None:
        """`gen_server:stop`, and `exit(Pid, kill)`."""
        async with DynamicSupervisor() as supervisor:
            for end, called in (
                (lambda ref: ref.stop(Shutdown("x")), True),
                (kill, False),
            ):
                journal.clear()
                ref = await supervisor.start_child(
                    ChildSpec("a", lambda: kind("a", journal), restart="temporary")
                )
                await end(ref)
                assert called == bool(ends(journal))

    @pytest.mark.parametrize(("kind", "called"), [(Probe, False), (TrappingProbe, True)])
    async def test_called_at_the_supervisors_shutdown_only_for_those_that_trap(
        self, kind: Any, called: bool, journal: Journal
    ) -> None:
        """Not trapping, it dies at once."""
        async with Supervisor([ChildSpec("a", lambda: kind("a", journal))]) as supervisor:
            ref_of(supervisor, "a").cast(quick)
        assert called == bool(ends(journal))

    async def test_signal_of_others_is_the_end_of_who_does_not_trap_and_mail_for_who_does(
        self, journal: Journal
    ) -> None:
        """Neither runs `terminate` for it."""
        async with DynamicSupervisor() as supervisor:
            plain = await supervisor.start_child(
                ChildSpec("plain", lambda: Probe("plain", journal), restart="temporary")
            )
            trapper = await supervisor.start_child(trapping("trapper", journal, restart="temporary"))
            for ref in (plain, trapper):
                ref.exit(Shutdown("others"))
            await quiet()
            assert Shutdown("others") == plain.exit_reason
            assert await trapper.call("alive") == "alive"
            assert ends(journal) == []
            assert ("trapper", ExitSignal(None, Shutdown("others"))) in journal

    async def test_not_called_for_an_actor_that_exits_itself(self, journal: Journal) -> None:
        """A signal is a signal, whoever sends it."""
        async with DynamicSupervisor() as supervisor:
            ref = await supervisor.start_child(
                ChildSpec("a", lambda: Probe("a", journal), restart="temporary")
            )
            ref.cast(exit_itself)
            assert Shutdown("itself") == await ref.monitor().wait()
            assert ends(journal) == []

    @pytest.mark.parametrize("answer", [Stop(Normal()), Ignore(), ValueError("no"), "nonsense"])
    async def test_not_called_when_init_did_not_run_to_a_good_end(
        self, answer: Any, journal: Journal
    ) -> None:
        """What was not started is not terminated."""

        class Unready(TrappingProbe):
            async def init(self) -> Any:
                if isinstance(answer, Exception):
                    raise answer
                return answer

        async with DynamicSupervisor() as supervisor:
            try:
                await supervisor.start_child(ChildSpec("a", lambda: Unready("a", journal)))
            except Exception:  # noqa: BLE001 - the start's result is tested elsewhere
                assert not isinstance(answer, Ignore)
        assert journal == []

    async def test_not_called_for_a_refusal(self, journal: Journal) -> None:
        """`RejectError` is an answer."""

        async def refuse(probe: Probe) -> None:
            raise RejectError("no")

        async with DynamicSupervisor() as supervisor:
            ref = await supervisor.start_child(trapping("a", journal))
            with pytest.raises(RejectError):
                await ref.call(refuse)
            assert ref.alive
            assert ends(journal) == []

    async def test_called_with_the_failure_of_a_helper_task(self, journal: Journal) -> None:
        """Our addition: a helper belongs to its actor, so that its failure is a raise of the actor's own."""
        async with DynamicSupervisor() as supervisor:
            ref = await supervisor.start_child(
                ChildSpec("a", lambda: Everywhere("a", journal, "helper", crash), restart="temporary")
            )
            await quiet()
            assert isinstance(ref.exit_reason, Crash)
            assert [("a", "terminate", ref.exit_reason)] == journal

    async def test_reply_of_a_stop_is_given_after_terminate_even_if_that_fails(
        self, journal: Journal
    ) -> None:
        """`{stop, Reason, Reply, State}`."""

        class FailsInTerminate(Probe):
            async def terminate(self, reason: Any) -> None:
                await super().terminate(reason)
                raise OSError("on the way out")

        async def stop(probe: Probe) -> Stop:
            return Stop(Normal(), reply="bye")

        async with DynamicSupervisor() as supervisor:
            ref = await supervisor.start_child(
                ChildSpec("a", lambda: FailsInTerminate("a", journal), restart="temporary")
            )
            assert await ref.call(stop) == "bye"
            assert [("a", "terminate", Normal())] == journal[1:]
            assert isinstance(ref.exit_reason, Crash)


async def quick(probe: Probe) -> None:
    probe.journal.append((probe.name, "quick"))


async def kill(ref: ActorRef[Any]) -> None:
    ref.exit(Killed())
    await ref.monitor().wait()
