"""OTP's contract of starting: the child specification and the start protocol."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from tests.actors.children import LONG, Journal, crash, quiet, ref_of, statuses

from wsmgr.actors import (
    Actor,
    BadReturnError,
    CallExitError,
    ChildSpec,
    ChildStatus,
    Crash,
    DynamicSupervisor,
    Exited,
    FailedToStart,
    Ignore,
    NoProc,
    Normal,
    NotAnActorError,
    Registry,
    Restarting,
    Shutdown,
    Started,
    StartError,
    StartTimeoutError,
    Stop,
    Supervisor,
    SupervisorError,
    SupervisorGaveUpError,
)
from wsmgr.actors.testing import EventRecorder, Probe, TrappingProbe

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]

REFUSED = ValueError("no")


class Scripted(TrappingProbe):
    """Its `init` takes the next answer of a script that all incarnations share; None runs."""

    def __init__(self, name: str, journal: Journal, script: list[object]) -> None:
        super().__init__(name, journal)
        self.script = script

    async def init(self) -> Any:
        await super().init()
        answer = self.script.pop(0) if self.script else None
        if isinstance(answer, BaseException):
            raise answer
        return answer


def scripted(name: str, journal: Journal, *answers: object, **options: Any) -> ChildSpec:
    script = list(answers)
    return ChildSpec(name, lambda: Scripted(name, journal, script), **options)


class TestChildSpecification:
    """What a child is made of, and what is refused."""

    def test_defaults_are_those_of_otp_and_the_limits_those_of_elixir(self, anyio_backend: object) -> None:
        """Permanent worker, five seconds, one for one, three restarts in five seconds."""
        spec = ChildSpec("a", Probe)
        assert ("permanent", "worker", 5.0, False) == (
            spec.restart,
            spec.type,
            spec.shutdown,
            spec.significant,
        )
        supervisor = Supervisor()
        assert (3, 5.0) == (supervisor._window.max_restarts, supervisor._window.max_seconds)
        assert "one_for_one" == supervisor._strategy

    def test_unknown_keys_are_refused(self, anyio_backend: object) -> None:
        """Stricter than OTP: a key that is misspelt is not ignored."""
        for make in (
            lambda: ChildSpec("a", Probe, modules=[]),  # type: ignore[call-arg]
            lambda: Supervisor(intensity=1),  # type: ignore[call-arg]
            lambda: DynamicSupervisor(strategy="one_for_all"),  # type: ignore[call-arg]
        ):
            with pytest.raises(TypeError):
                make()

    async def test_any_term_is_an_id(self) -> None:
        """Names are for people: a tuple, a number or None serves as well."""
        ids: list[object] = [("venue", 7), 0, None, "text"]
        async with Supervisor([ChildSpec(each, Probe) for each in ids]) as supervisor:
            assert ids == [child.id for child in supervisor.which_children()]
            await supervisor.terminate_child(None)
            await supervisor.delete_child(None)
            assert ids != [child.id for child in supervisor.which_children()]

    async def test_significant_child_needs_a_supervisor_that_can_end_by_itself(self) -> None:
        """`significant_simple` and `bad_combination`: refused where it is given, and nothing is started."""
        spec = ChildSpec("a", Probe, restart="temporary", significant=True)
        for make in (Supervisor, DynamicSupervisor):
            async with make() as supervisor:
                with pytest.raises(ValueError, match="auto_shutdown"):
                    await supervisor.start_child(spec)
                assert supervisor.which_children() == []

    async def test_start_that_is_no_spec_harms_nobody(self) -> None:
        """`simple_one_for_one_corruption`: the error is the caller's, the children live on."""
        for make in (Supervisor, DynamicSupervisor):
            async with make() as supervisor:
                ref = await supervisor.start_child(ChildSpec("a", Probe))
                with pytest.raises(TypeError, match="ChildSpec"):
                    await supervisor.start_child("b")  # type: ignore[arg-type]
                assert await ref.call("alive") == "alive"
                assert supervisor.count_children().specs == 1

    async def test_actor_that_runs_already_is_not_started_again(self) -> None:
        """`already_started_outside_supervisor`: one instance is one incarnation."""
        actor = Probe()
        async with DynamicSupervisor() as supervisor:
            first = await supervisor.start_child(ChildSpec("a", lambda: actor))
            with pytest.raises(StartError) as caught:
                await supervisor.start_child(ChildSpec("again", lambda: actor))
            assert isinstance(caught.value.__cause__, NotAnActorError)
            assert await first.call("alive") == "alive"

    async def test_supervisor_that_was_used_is_not_started_again(self, recorder: EventRecorder) -> None:
        """A spec whose start gives the same object twice cannot restart: that uses up the budget."""
        inner = Supervisor([ChildSpec("leaf", Probe)], max_restarts=0)
        supervisor = Supervisor([ChildSpec("inner", lambda: inner, type="supervisor")], on_event=recorder)
        with pytest.raises(SupervisorGaveUpError) as caught:  # noqa: PT012 - the block is the body of the tree
            async with supervisor:
                ref_of(inner, "leaf").cast(crash)
                await anyio.sleep(LONG)
        assert isinstance(caught.value.__cause__, SupervisorError)
        assert supervisor.count_children().active == 0


class TestStartProtocol:
    """Who waits for whom, who is told what, and what a failed start leaves behind."""

    async def test_entering_returns_when_every_child_has_acknowledged(self, journal: Journal) -> None:
        """`start_link` of a tree returns when all of it runs, nested levels included."""

        class Slow(TrappingProbe):
            async def init(self) -> Any:
                await anyio.sleep(2)
                await super().init()

        def slow(name: str) -> ChildSpec:
            return ChildSpec(name, lambda: Slow(name, journal))

        inner = ChildSpec("inner", lambda: Supervisor([slow("b"), slow("c")]), type="supervisor")
        before = anyio.current_time()
        async with Supervisor([slow("a"), inner, slow("d")]):
            assert pytest.approx(8.0) == anyio.current_time() - before
            assert [("a", "init"), ("b", "init"), ("c", "init"), ("d", "init")] == journal

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            (Stop(Normal()), Normal()),
            (Stop(Shutdown("declined")), Shutdown("declined")),
            (REFUSED, Crash(REFUSED)),
        ],
    )
    async def test_child_that_returns_an_error_is_told_with_its_reason_and_leaves_no_spec(
        self, answer: object, reason: object, journal: Journal
    ) -> None:
        """`sup_start_child_returns_error`, static and dynamic."""
        for make in (Supervisor, DynamicSupervisor):
            async with make() as supervisor:
                with pytest.raises(StartError) as caught:
                    await supervisor.start_child(scripted("a", journal, answer))
                assert ("a", reason) == (caught.value.child_id, caught.value.reason)
                assert supervisor.which_children() == []
        assert [("a", "init")] * 2 == journal

    async def test_init_that_answers_anything_else_is_an_error(self, journal: Journal) -> None:
        """`bad_return_value`: a typing mistake must not start half an actor."""
        async with DynamicSupervisor() as supervisor:
            for answer in ("ok", 0, Stop):
                with pytest.raises(StartError) as caught:
                    await supervisor.start_child(scripted("a", journal, answer))
                assert isinstance(caught.value.__cause__, BadReturnError)

    async def test_restart_by_hand_that_fails_keeps_the_spec_and_costs_nothing(
        self, journal: Journal
    ) -> None:
        """`sup_start_restart_child_returns_error`: the caller is told, the budget is untouched."""
        spec = scripted("a", journal, None, *[ValueError("no")] * 9)
        async with Supervisor([spec], max_restarts=0) as supervisor:
            await supervisor.terminate_child("a")
            for _ in range(9):
                with pytest.raises(StartError):
                    await supervisor.restart_child("a")
                assert {"a": ChildStatus.STOPPED} == statuses(supervisor)
            ref = await supervisor.restart_child("a")
            assert await ref.call("back") == "back"

    async def test_start_function_that_raises_or_returns_no_actor_is_a_start_error(self) -> None:
        """The user's factory is inside the crash boundary."""

        def broken() -> Actor[Any]:
            raise KeyError("no config")

        for start in (broken, lambda: "not an actor", Supervisor):
            with pytest.raises(StartError):
                await Supervisor([ChildSpec("x", start)]).run()  # type: ignore[arg-type]  # what is tested

    async def test_failed_boot_ends_the_started_in_reverse_and_never_starts_the_rest(
        self, journal: Journal
    ) -> None:
        """Also across levels: the level above is told who it was, and goes no further either."""
        inner = ChildSpec(
            "inner",
            lambda: Supervisor(
                [scripted("b", journal), scripted("bad", journal, OSError("no")), scripted("never", journal)]
            ),
            type="supervisor",
        )
        with pytest.raises(StartError) as caught:
            async with Supervisor([scripted("a", journal), inner, scripted("never either", journal)]):
                pytest.fail("the body must not run")
        assert "inner" == caught.value.child_id
        assert isinstance(caught.value.reason, Shutdown)
        assert isinstance(caught.value.reason.detail, FailedToStart)
        assert "bad" == caught.value.reason.detail.child_id
        assert [
            ("a", "init"),
            ("b", "init"),
            ("bad", "init"),
            ("b", "terminate", Shutdown()),
            ("a", "terminate", Shutdown()),
        ] == journal

    async def test_failed_boot_is_no_restart(self, journal: Journal, recorder: EventRecorder) -> None:
        """The budget is for what ran before; a boot has one attempt."""
        with pytest.raises(StartError) as caught:
            await Supervisor(
                [scripted("a", journal, OSError("no"))], max_restarts=100, on_event=recorder
            ).run()
        assert isinstance(caught.value.__cause__, OSError)
        assert [("a", "init")] == journal
        assert recorder.of(Restarting) == []

    @pytest.mark.parametrize("failure", ["raise", "stop", "ignore", "too slow"])
    async def test_name_is_free_when_the_failure_of_init_is_told(self, failure: str) -> None:
        """An immediate retry takes the name: whoever is told first has already lost the claim to it."""
        registry = Registry()

        class Named(TrappingProbe):
            async def init(self) -> Any:
                registry.register("name", self.ref)
                match failure:
                    case "raise":
                        raise ValueError("no")
                    case "stop":
                        return Stop(Shutdown("no"))
                    case "ignore":
                        return Ignore()
                    case _:
                        await anyio.sleep(LONG)
                return None

        class Successor(Probe):
            async def init(self) -> Any:
                registry.register("name", self.ref)

        async with DynamicSupervisor() as supervisor:
            try:
                await supervisor.start_child(ChildSpec("a", Named, start_timeout=1.0))
            except StartError:
                assert failure != "ignore"
            assert registry.whereis("name") is None
            ref = await supervisor.start_child(ChildSpec("a", Successor))
            assert registry.whereis("name") is ref

    async def test_restart_takes_the_name_of_the_incarnation_whose_init_failed(self) -> None:
        """The supervisor's own immediate retry is such a retry."""
        registry = Registry()
        fails = [False, True, True, False]

        class Named(Probe):
            async def init(self) -> Any:
                registry.register("name", self.ref)
                if fails.pop(0):
                    raise ValueError("no")

        recorder = EventRecorder()
        async with Supervisor([ChildSpec("a", Named)], max_restarts=3, on_event=recorder) as supervisor:
            ref_of(supervisor, "a").cast(crash)
            await recorder.wait_for(Started, where=lambda event: event.restarts == 3)
            assert registry.whereis("name") is ref_of(supervisor, "a")

    @pytest.mark.parametrize("when", ["boot", "request"])
    async def test_start_that_is_too_slow_is_killed_with_what_it_had_begun(
        self, when: str, journal: Journal
    ) -> None:
        """`start_timeout`: no `terminate`, no helper task is left, and the caller hears why."""

        class Slow(TrappingProbe):
            async def init(self) -> Any:
                self.start_soon(self.help)
                await anyio.sleep(LONG)

            async def help(self) -> None:
                try:
                    await anyio.sleep(LONG)
                finally:
                    self.journal.append((self.name, "helper ended"))

        async def ask(supervisor: DynamicSupervisor, spec: ChildSpec) -> None:
            async with supervisor:
                await supervisor.start_child(spec)

        spec = ChildSpec("a", lambda: Slow("a", journal), start_timeout=3.0, shutdown="infinity")
        before = anyio.current_time()
        with pytest.raises(StartError) as caught:
            await (Supervisor([spec]).run() if when == "boot" else ask(DynamicSupervisor(), spec))
        assert isinstance(caught.value.__cause__, StartTimeoutError)
        assert pytest.approx(3.0) == anyio.current_time() - before
        assert [("a", "helper ended")] == journal

    async def test_start_timeout_bounds_a_restart_too(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """Each attempt has it, each is one unit of the budget."""
        slow = [False, True, True, True]

        class Slow(Probe):
            async def init(self) -> Any:
                if slow.pop(0):
                    await anyio.sleep(LONG)

        before = anyio.current_time()
        with pytest.raises(SupervisorGaveUpError) as caught:  # noqa: PT012 - the block is the body of the tree
            async with Supervisor(
                [ChildSpec("a", Slow, start_timeout=1.0)], max_restarts=3, max_seconds=60
            ) as supervisor:
                ref_of(supervisor, "a").cast(crash)
                await anyio.sleep(LONG)
        assert isinstance(caught.value.__cause__, StartTimeoutError)
        assert pytest.approx(3.0) == anyio.current_time() - before


class TestIgnore:
    """The seven cases of `sup_start_ignore_*`."""

    async def test_supervisor_itself_may_find_nothing_to_start(self) -> None:
        """No children are no error."""
        async with Supervisor() as supervisor:
            assert supervisor.which_children() == []

    @pytest.mark.parametrize(
        ("restart", "kept"), [("permanent", True), ("transient", True), ("temporary", False)]
    )
    async def test_ignored_at_boot_the_spec_is_kept_unless_it_is_temporary(
        self, restart: Any, kept: bool, journal: Journal
    ) -> None:
        """The boot goes on; a kept child can be started later."""
        specs = [scripted("a", journal, Ignore(), restart=restart), scripted("b", journal)]
        async with Supervisor(specs, max_restarts=0) as supervisor:
            assert [("a", "init"), ("b", "init")] == journal
            if kept:
                assert ref_of(supervisor, "a") is None
                assert {"a": ChildStatus.STOPPED, "b": ChildStatus.RUNNING} == statuses(supervisor)
                assert (await supervisor.restart_child("a")).alive
                assert supervisor.count_children().active == 2
            else:
                assert {"b": ChildStatus.RUNNING} == statuses(supervisor)

    @pytest.mark.parametrize(
        ("restart", "kept"), [("permanent", True), ("transient", True), ("temporary", False)]
    )
    async def test_ignored_on_request_the_caller_gets_a_reference_that_has_ended(
        self, restart: Any, kept: bool, journal: Journal
    ) -> None:
        """No error, no process: `{ok, undefined}`."""
        async with Supervisor() as supervisor:
            ref = await supervisor.start_child(scripted("a", journal, Ignore(), restart=restart))
            assert (False, Normal()) == (ref.alive, ref.exit_reason)
            with pytest.raises(CallExitError) as caught:
                await ref.call("anyone")
            assert NoProc() == caught.value.reason
            assert kept == bool(supervisor.which_children())

    async def test_ignored_restart_by_hand_leaves_the_child_stopped(self, journal: Journal) -> None:
        """Still nothing to run, still no error."""
        async with Supervisor([scripted("a", journal, None, Ignore(), None)]) as supervisor:
            await supervisor.terminate_child("a")
            assert Normal() == (await supervisor.restart_child("a")).exit_reason
            assert {"a": ChildStatus.STOPPED} == statuses(supervisor)
            assert (await supervisor.restart_child("a")).alive

    async def test_ignored_restart_after_a_crash_ends_the_attempts(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """A permanent child that finds nothing to do any more is stopped, not retried."""
        async with Supervisor([scripted("a", journal, None, Ignore())], on_event=recorder) as supervisor:
            ref_of(supervisor, "a").cast(crash)
            await recorder.wait_for(Exited, where=lambda event: event.reason == Normal())
            await anyio.sleep(100)
            assert {"a": ChildStatus.STOPPED} == statuses(supervisor)
        assert len(recorder.of(Restarting)) == 1

    async def test_ignored_in_a_group_restart_the_group_goes_on(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """One sibling has nothing to do: the others come back."""
        specs = [scripted("a", journal), scripted("b", journal, None, Ignore()), scripted("c", journal)]
        async with Supervisor(specs, strategy="one_for_all", on_event=recorder) as supervisor:
            ref_of(supervisor, "a").cast(crash)
            await quiet()
            assert 1 == len(recorder.of(Restarting))
            assert {
                "a": ChildStatus.RUNNING,
                "b": ChildStatus.STOPPED,
                "c": ChildStatus.RUNNING,
            } == statuses(supervisor)

    async def test_dynamic_supervisor_keeps_nothing_of_a_child_that_ignores(self, journal: Journal) -> None:
        """`sup_start_ignore_child_start_child_simple`: permanent or not."""
        async with DynamicSupervisor(max_children=1) as supervisor:
            for _ in range(3):
                ref = await supervisor.start_child(scripted("a", journal, Ignore()))
                assert Normal() == ref.exit_reason
            assert supervisor.count_children().specs == 0

    async def test_ignored_child_says_no_goodbye_and_is_not_reported_as_started(
        self, journal: Journal, recorder: EventRecorder
    ) -> None:
        """What never ran has nothing to clean up."""
        async with Supervisor([scripted("a", journal, Ignore())], on_event=recorder):
            pass
        assert [("a", "init")] == journal
        assert [event for event in recorder.of(Started) if event.child_id == "a"] == []
