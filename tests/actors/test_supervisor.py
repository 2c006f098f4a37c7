"""The static supervisor: order, administration, requests at the end, backoff, validation; the rest is in `test_otp_*`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest
from tests.actors.children import LONG, Journal, crash, ends, ref_of, starts, statuses, trapping, wait_long

from wsmgr.actors import (
    Backoff,
    CallExitError,
    ChildSpec,
    ChildStatus,
    DynamicSupervisor,
    NoProc,
    Restarting,
    StartError,
    Supervisor,
    SupervisorGaveUpError,
)
from wsmgr.actors.testing import EventRecorder, Probe, TrappingProbe, settle

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]


class TestOrder:
    async def test_children_start_in_order_and_end_in_reverse(self, journal: Journal) -> None:
        """What started first is there for the others, until they are gone."""
        async with Supervisor([trapping(name, journal) for name in "abc"]):
            assert ["a", "b", "c"] == starts(journal)
        assert ["c", "b", "a"] == ends(journal)


def status_is_settled(supervisor: Supervisor) -> bool:
    return all(
        child.status in (ChildStatus.RUNNING, ChildStatus.STOPPED) and (child.ref is None or child.ref.alive)
        for child in supervisor.which_children()
    )


class TestAdministration:
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
            ref_of(supervisor, "b").cast(wait_long)
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
                    await anyio.sleep(LONG)
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
            await settle(lambda: statuses(supervisor)["slow"] is ChildStatus.STOPPING)
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
            await settle(lambda: statuses(supervisor)["slow"] is ChildStatus.RUNNING)
            await supervisor.terminate_child("slow")
        assert starts(journal) == []

    async def test_requests_that_wait_when_the_supervisor_is_stopped_fail(self) -> None:
        """All of them, each with an error of its own: the one that is being carried out and those behind it."""

        class Slow(Probe):
            async def init(self) -> Any:
                await anyio.sleep(LONG)

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
                await anyio.sleep(LONG)

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
            await settle(lambda: statuses(supervisor)["a"] is ChildStatus.RESTARTING and "b" in ends(journal))
            assert statuses(supervisor)["b"] is ChildStatus.STOPPED
            await settle(
                lambda: status_is_settled(supervisor) and statuses(supervisor)["b"] is ChildStatus.RUNNING,
                timeout=20,
            )
        assert ["a", "b", "a", "b"] == starts(journal)

    async def test_supervisor_can_be_stopped_while_a_child_waits(self) -> None:
        """A wait is not a block."""
        backoff = Backoff(initial=1000, maximum=1000, jitter=0, immediate_first=False)
        before = anyio.current_time()
        async with Supervisor([ChildSpec("a", Probe, backoff=backoff)]) as supervisor:
            ref_of(supervisor, "a").cast(crash)
            await settle(lambda: statuses(supervisor)["a"] is ChildStatus.RESTARTING)
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
