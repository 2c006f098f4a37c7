"""OTP's contract of ending by oneself: significant children and automatic shutdown."""

from __future__ import annotations

from contextlib import asynccontextmanager
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
    starts,
    statuses,
    stop_normally,
    trapping,
)

from wsmgr.actors import (
    Backoff,
    ChildSpec,
    ChildStatus,
    Exited,
    Killed,
    Shutdown,
    Stop,
    Supervisor,
)
from wsmgr.actors.testing import EventRecorder, Probe, TrappingProbe

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]


async def exit_killed(probe: Probe) -> None:
    probe.ref.exit(Killed())
    await anyio.sleep(LONG)


@asynccontextmanager
async def living(supervisor: Supervisor) -> AsyncGenerator[Supervisor, None]:
    """Run a root that must outlive its body: one that ends by itself would just cancel it."""
    outlived = False
    async with supervisor:
        yield supervisor
        outlived = True
    assert outlived


class TestAutomaticShutdown:
    """Whose end is the end of the supervisor, and whose is not."""

    @pytest.mark.parametrize(
        ("restart", "how", "over"),
        [
            ("transient", stop_normally, True),
            ("transient", shut_down, True),
            ("transient", crash, False),
            ("transient", exit_killed, False),
            ("temporary", stop_normally, True),
            ("temporary", shut_down, True),
            ("temporary", crash, True),
            ("temporary", exit_killed, True),
        ],
    )
    @pytest.mark.parametrize("mode", ["any_significant", "all_significant"])
    async def test_only_an_end_that_is_final_counts(
        self, restart: Any, how: Any, over: bool, mode: Any, journal: Journal
    ) -> None:
        """A transient child that crashes is restarted; a temporary one is gone, whatever it ended with."""
        specs = [
            trapping("helper", journal),
            trapping("main", journal, restart=restart, significant=True),
            trapping("last", journal),
        ]
        ended = True
        async with Supervisor(specs, auto_shutdown=mode) as supervisor:
            ref_of(supervisor, "main").cast(how)
            await anyio.sleep(1)
            ended = False
        assert over is ended
        assert ["last", "helper"] == [name for name in ends(journal) if name != "main"]

    async def test_end_of_a_child_that_is_not_significant_is_none_of_its_business(
        self, journal: Journal
    ) -> None:
        """Whatever its type."""
        specs = [
            trapping("transient", journal, restart="transient"),
            trapping("temporary", journal, restart="temporary"),
            trapping("main", journal, restart="transient", significant=True),
        ]
        async with living(Supervisor(specs, auto_shutdown="any_significant")) as supervisor:
            for name in ("transient", "temporary"):
                ref_of(supervisor, name).cast(stop_normally)
            await quiet()
            assert {"transient": ChildStatus.STOPPED, "main": ChildStatus.RUNNING} == statuses(supervisor)

    @pytest.mark.parametrize("mode", ["any_significant", "all_significant"])
    async def test_end_that_was_asked_for_is_not_by_itself(self, mode: Any, journal: Journal) -> None:
        """`terminate_child`, also of the last one, and also when it is deleted after that."""
        spec = trapping("main", journal, restart="transient", significant=True)
        async with living(Supervisor([spec], auto_shutdown=mode)) as supervisor:
            await supervisor.terminate_child("main")
            await quiet()
            assert {"main": ChildStatus.STOPPED} == statuses(supervisor)
            await supervisor.delete_child("main")
            await quiet()
            assert supervisor.tree().status is ChildStatus.RUNNING

    async def test_never_is_the_default(self, journal: Journal) -> None:
        """Without children a supervisor waits for more."""
        async with living(Supervisor([trapping("a", journal, restart="temporary")])) as supervisor:
            ref_of(supervisor, "a").cast(stop_normally)
            await quiet()
            assert supervisor.tree().status is ChildStatus.RUNNING

    @pytest.mark.parametrize("mode", ["any_significant", "all_significant"])
    @pytest.mark.parametrize("strategy", ["one_for_all", "rest_for_one"])
    @pytest.mark.parametrize("restart", ["transient", "temporary"])
    async def test_end_by_a_siblings_restart_is_not_by_itself(
        self, restart: Any, strategy: Any, mode: Any, journal: Journal
    ) -> None:
        """`significant_bystander`: it was ended, it did not end."""
        specs = [
            trapping("a", journal),
            trapping("significant", journal, restart=restart, significant=True),
        ]
        async with living(Supervisor(specs, strategy=strategy, auto_shutdown=mode)) as supervisor:
            ref_of(supervisor, "a").cast(crash)
            await quiet()
            assert ChildStatus.RUNNING is statuses(supervisor)["a"]
            assert (restart == "transient") == ("significant" in statuses(supervisor))

    async def test_all_counts_only_those_that_are_left(self, journal: Journal) -> None:
        """One that was terminated by hand fires nothing, and is not waited for."""
        specs = [trapping(name, journal, restart="transient", significant=True) for name in "abc"]
        ended = True
        async with Supervisor(specs, auto_shutdown="all_significant") as supervisor:
            await supervisor.terminate_child("b")
            ref_of(supervisor, "a").cast(stop_normally)
            await quiet()
            assert ChildStatus.RUNNING is statuses(supervisor)["c"]
            await supervisor.restart_child("b")
            ref_of(supervisor, "c").cast(stop_normally)
            await quiet()
            assert ChildStatus.RUNNING is statuses(supervisor)["b"]
            ref_of(supervisor, "b").cast(stop_normally)
            await anyio.sleep(1)
            ended = False
        assert ended

    async def test_all_waits_for_one_that_is_being_restarted(self, journal: Journal) -> None:
        """Between two attempts it has not ended for good."""
        backoff = Backoff(initial=10, jitter=0, immediate_first=False)
        specs = [
            trapping("a", journal, restart="transient", significant=True, backoff=backoff),
            trapping("b", journal, restart="transient", significant=True),
        ]
        async with living(Supervisor(specs, auto_shutdown="all_significant")) as supervisor:
            ref_of(supervisor, "a").cast(crash)
            await quiet()
            assert ChildStatus.RESTARTING is statuses(supervisor)["a"]
            ref_of(supervisor, "b").cast(stop_normally)
            await anyio.sleep(20)
            assert ChildStatus.RUNNING is statuses(supervisor)["a"]

    @pytest.mark.parametrize("significant", [True, False])
    async def test_end_goes_up_as_far_as_supervisors_are_significant(
        self, significant: bool, journal: Journal, recorder: EventRecorder
    ) -> None:
        """`significant_escalation`: the reason is a good one, so that a transient supervisor is not restarted."""
        inner = ChildSpec(
            "inner",
            lambda: Supervisor(
                [
                    trapping("a", journal),
                    trapping("main", journal, restart="transient", significant=True),
                ],
                auto_shutdown="any_significant",
            ),
            type="supervisor",
            restart="transient",
            significant=significant,
        )
        ended = True
        async with Supervisor(
            [trapping("top", journal), inner], auto_shutdown="any_significant", on_event=recorder
        ) as supervisor:
            main = supervisor.tree().children[1].children[1].ref
            assert main is not None
            main.cast(stop_normally)
            await anyio.sleep(1)
            assert {"top": ChildStatus.RUNNING, "inner": ChildStatus.STOPPED} == statuses(supervisor)
            ended = False
        assert significant is ended
        assert [Shutdown()] == [event.reason for event in recorder.of(Exited) if event.child_id == "inner"]
        assert ["main", "a", "top"] == ends(journal)

    async def test_permanent_supervisor_that_ended_by_itself_is_started_again(self, journal: Journal) -> None:
        """It was meant to run for ever: that counts as a restart."""
        inner = ChildSpec(
            "inner",
            lambda: Supervisor(
                [trapping("main", journal, restart="temporary", significant=True)],
                auto_shutdown="all_significant",
            ),
            type="supervisor",
        )
        async with living(Supervisor([inner])) as supervisor:
            main = supervisor.tree().children[0].children[0].ref
            assert main is not None
            main.cast(stop_normally)
            await quiet()
            assert supervisor.which_children()[0].restarts == 1
            assert ["main", "main"] == starts(journal)

    async def test_root_that_ends_by_itself_is_no_error_for_who_waits(self, journal: Journal) -> None:
        """`run` returns: the work is done."""

        class Leaving(TrappingProbe):
            async def init(self) -> Any:
                self.send_after(5, "done")

            async def handle_info(self, message: object) -> Stop:
                return Stop()

        specs = [
            trapping("helper", journal),
            ChildSpec("main", lambda: Leaving("main", journal), restart="temporary", significant=True),
        ]
        before = anyio.current_time()
        with anyio.fail_after(100):
            await Supervisor(specs, auto_shutdown="any_significant").run()
        assert pytest.approx(5.0) == anyio.current_time() - before
        assert ["main", "helper"] == ends(journal)
