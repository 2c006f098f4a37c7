"""`Actor.start_soon`: tasks beside the callbacks that share the actor's fate."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from tests.actors.children import LONG

from wsmgr.actors import (
    ChildSpec,
    Crash,
    DynamicSupervisor,
    ForeignCancellationError,
    Killed,
    Normal,
    OutsideActorError,
    Shutdown,
    StartError,
    Stop,
    Supervisor,
    Zombie,
)
from wsmgr.actors.testing import EventRecorder, Probe, TrappingProbe, settle

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.actors.children import Journal

    from wsmgr.actors import ActorRef

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]


async def start_with(
    tree: DynamicSupervisor,
    journal: Journal,
    helper: Callable[[], Awaitable[object]],
    kind: type[Probe] = Probe,
) -> ActorRef[Any]:
    ref = await tree.start_child(ChildSpec("p", lambda: kind("p", journal), restart="temporary"))

    async def begin(probe: Probe) -> None:
        probe.start_soon(helper)

    await ref.call(begin)
    return ref


@pytest.mark.parametrize("kind", [Probe, TrappingProbe])
async def test_failure_of_a_helper_is_the_crash_of_its_actor_with_terminate(
    kind: type[Probe], tree: DynamicSupervisor, journal: Journal
) -> None:
    """The reader of a socket fails: the session fails, and says good-bye."""
    error = OSError("connection lost")

    async def helper() -> None:
        await anyio.sleep(1)
        raise error

    ref = await start_with(tree, journal, helper, kind)
    assert Crash(error) == await ref.monitor().wait()
    assert ("p", "terminate", Crash(error)) in journal


async def test_failure_of_a_helper_interrupts_the_callback_that_runs(
    tree: DynamicSupervisor, journal: Journal
) -> None:
    """Nobody waits for an answer that cannot come any more."""
    error = OSError("connection lost")
    go = anyio.Event()

    async def helper() -> None:
        await go.wait()
        raise error

    async def hang(probe: Probe) -> None:
        go.set()
        await anyio.sleep(LONG)

    ref = await start_with(tree, journal, helper)
    ref.cast(hang)
    assert Crash(error) == await ref.monitor().wait()


async def test_helper_that_returns_is_no_news(tree: DynamicSupervisor, journal: Journal) -> None:
    """Its work is done; the actor lives on."""
    done = anyio.Event()

    async def helper() -> None:
        done.set()

    ref = await start_with(tree, journal, helper)
    await done.wait()
    await anyio.sleep(1)
    assert await ref.call("alive") == "alive"


async def test_helper_is_cancelled_after_terminate_and_gone_before_anyone_is_told(
    tree: DynamicSupervisor, journal: Journal
) -> None:
    """`terminate` may still use what the helper serves."""
    questions: list[anyio.Event] = []

    async def helper() -> None:
        try:
            while True:
                await anyio.sleep(0.1)
                for question in questions:
                    question.set()
        finally:
            journal.append(("helper", "cancelled"))

    class Asking(TrappingProbe):
        async def terminate(self, reason: Any) -> None:
            questions.append(anyio.Event())
            await questions[0].wait()
            await super().terminate(reason)

    ref = await start_with(tree, journal, helper, Asking)
    monitor = ref.monitor()
    await tree.terminate_child(ref)
    assert monitor.reason == Shutdown()
    assert [("p", "terminate", Shutdown()), ("helper", "cancelled")] == journal[-2:]


async def test_helper_of_a_killed_actor_is_cancelled_too(tree: DynamicSupervisor, journal: Journal) -> None:
    """Nothing of an actor survives it."""

    async def helper() -> None:
        try:
            await anyio.sleep(LONG)
        finally:
            journal.append(("helper", "cancelled"))

    ref = await start_with(tree, journal, helper)
    ref.exit(Killed())
    assert Killed() == await ref.monitor().wait()
    assert ("helper", "cancelled") == journal[-1]


async def test_helper_may_call_its_own_actor(tree: DynamicSupervisor, journal: Journal) -> None:
    """It is another task: this is no self-call."""
    answers: list[object] = []

    async def begin(probe: Probe) -> None:
        async def helper() -> None:
            answers.append(await probe.ref.call("from the helper"))

        probe.start_soon(helper)

    ref = await tree.start_child(ChildSpec("p", Probe))
    await ref.call(begin)
    await settle(lambda: bool(answers))
    assert ["from the helper"] == answers


async def test_helper_started_in_init_that_fails_before_the_start_is_a_start_error(
    tree: DynamicSupervisor,
) -> None:
    """The linked failure counts from the first moment."""
    error = OSError("at once")

    class Impatient(Probe):
        async def init(self) -> Any:
            async def helper() -> None:
                raise error

            self.start_soon(helper)
            await anyio.sleep(LONG)

    with pytest.raises(StartError) as caught:
        await tree.start_child(ChildSpec("p", Impatient))
    assert Crash(error) == caught.value.reason


async def test_failure_of_a_helper_during_terminate_does_not_change_the_reason(
    tree: DynamicSupervisor, journal: Journal
) -> None:
    """Closing the socket ends its reader with an error: that is no crash of the session."""
    closed = anyio.Event()

    async def helper() -> None:
        await closed.wait()
        raise OSError("closed")

    class Closing(TrappingProbe):
        async def terminate(self, reason: Any) -> None:
            closed.set()
            await anyio.sleep(1)

    ref = await start_with(tree, journal, helper, Closing)
    assert Normal() == await ref.stop()


async def test_helper_cannot_be_started_by_an_actor_that_has_ended(
    tree: DynamicSupervisor, journal: Journal
) -> None:
    """It would outlive what it belongs to."""
    errors: list[Exception] = []

    async def begin(probe: Probe) -> Stop:
        async def helper() -> None:
            try:
                await anyio.sleep(LONG)
            finally:
                try:
                    probe.start_soon(anyio.sleep_forever)
                except OutsideActorError as error:
                    errors.append(error)

        probe.start_soon(helper)
        await anyio.sleep(0.1)
        return Stop()

    ref = await tree.start_child(ChildSpec("p", Probe, restart="temporary"))
    ref.cast(begin)
    await ref.monitor().wait()
    assert len(errors) == 1


async def test_helper_that_does_not_end_makes_its_actor_a_zombie(
    recorder: EventRecorder, journal: Journal
) -> None:
    """The actor has not ended while something of it runs; the report says where."""
    release = anyio.Event()

    async def stubborn() -> None:
        with anyio.CancelScope(shield=True):
            await release.wait()

    async with Supervisor(
        [ChildSpec("p", lambda: Probe("p", journal), shutdown=1.0)], on_event=recorder
    ) as s:
        ref = s.which_children()[0].ref
        assert ref is not None

        async def begin(probe: Probe) -> None:
            probe.start_soon(stubborn)

        await ref.call(begin)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(s.terminate_child, "p")
            zombie = await recorder.wait_for(Zombie)
            assert ref.alive
            release.set()
            assert any("stubborn" in line for line in zombie.stack)


@pytest.mark.parametrize("anyio_backend", [("asyncio", {}), ("asyncio", {"use_uvloop": True})])
async def test_foreign_cancellation_of_a_helper_is_a_crash(
    tree: DynamicSupervisor, journal: Journal, anyio_backend: object
) -> None:
    """A library cancels the future that the reader awaits: that is a failure, not an end in order."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def helper() -> None:
        await future

    ref = await start_with(tree, journal, helper)
    future.cancel()
    reason = await ref.monitor().wait()
    assert isinstance(reason, Crash)
    assert isinstance(reason.error, ForeignCancellationError)


async def test_actor_without_helpers_has_nothing_for_them(tree: DynamicSupervisor) -> None:
    """The cost of what is not used is zero."""
    ref = await tree.start_child(ChildSpec("p", Probe))
    assert getattr(ref.process, "_helpers", "absent") is None
