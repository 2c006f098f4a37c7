"""What others' code does at the edges of the runtime harms nobody else: listeners, exceptions, filters, late helpers."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from wsmgr.actors import (
    Actor,
    ActorRef,
    ChildSpec,
    Crash,
    DynamicSupervisor,
    Exited,
    Killed,
    OutsideActorError,
    Shutdown,
    StateMachine,
    Stop,
    Supervisor,
    Timer,
    get_status,
    resume,
    suspend,
)
from wsmgr.actors.testing import EventRecorder, Probe, settle

if TYPE_CHECKING:
    from wsmgr.actors import Event

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]


class WordlessError(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


async def crash_without_words(probe: Probe) -> None:
    raise WordlessError


async def stop_twice(probe: Probe) -> Stop:
    return Stop(Shutdown("done"))


async def ended(supervisor: Supervisor, ref: ActorRef[Any]) -> None:
    """Hold that the end of one child was told, and that the tree lives on."""
    with anyio.fail_after(10):
        await ref.monitor().wait()
        await settle(lambda: supervisor.child("a") is not ref and supervisor.child("a").alive)
    assert supervisor.child("b").alive


def two_children(**options: Any) -> Supervisor:
    return Supervisor([ChildSpec("a", Probe), ChildSpec("b", Probe)], **options)


async def test_exception_whose_text_cannot_be_made_is_a_crash_like_any_other() -> None:
    """The report says so, in place of failing."""
    async with two_children() as supervisor:
        ref = supervisor.child("a")
        ref.cast(crash_without_words)
        await ended(supervisor, ref)
    assert isinstance(ref.exit_reason, Crash)


async def test_listener_that_raises_what_is_no_exception_harms_nobody(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is told on stderr; the end of the process goes on."""

    def listener(event: Event) -> None:
        if isinstance(event, Exited):
            raise asyncio.CancelledError("of a listener")

    async with two_children(on_event=listener) as supervisor:
        ref = supervisor.child("a")
        ref.cast(stop_twice)
        await ended(supervisor, ref)
    assert "CancelledError: of a listener" in capsys.readouterr().err


async def test_listener_need_not_be_hashable() -> None:
    """Any callable will do."""

    class Listener(list[object]):
        def __call__(self, event: Event) -> None:
            self.append(event)

    listener = Listener()
    async with two_children(on_event=listener) as supervisor:
        ref = supervisor.child("a")
        ref.cast(stop_twice)
        await ended(supervisor, ref)
    assert ref in [event.ref for event in listener if isinstance(event, Exited)]


async def test_filter_of_the_log_that_raises_harms_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """Logging guards its handlers, not its filters."""

    def refuse(record: logging.LogRecord) -> bool:
        if "ended" in record.getMessage():
            raise ValueError("a filter")
        return True

    log = logging.getLogger("wsmgr.actors")
    log.addFilter(refuse)
    try:
        async with two_children() as supervisor:
            ref = supervisor.child("a")
            ref.cast(crash_without_words)
            await ended(supervisor, ref)
    finally:
        log.removeFilter(refuse)
    assert "ValueError: a filter" in capsys.readouterr().err


async def test_signal_that_comes_while_helpers_end_does_not_hide_the_crash(recorder: EventRecorder) -> None:
    """Its supervisor restarts a transient child that crashed, whatever it was told afterwards."""

    async def linger() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(1)

    async def crash_with_helper(probe: Probe) -> None:
        probe.start_soon(linger)
        await anyio.sleep(0.1)
        raise LookupError("lost")

    spec = ChildSpec("a", Probe, restart="transient")
    async with Supervisor([spec], on_event=recorder) as supervisor:
        ref = supervisor.child("a")
        ref.cast(crash_with_helper)
        await anyio.sleep(0.5)
        ref.exit(Shutdown("late"))
        reason = await ref.monitor().wait()
        assert isinstance(reason, Crash)
        await settle(lambda: supervisor.child("a") is not ref)


async def test_kill_that_comes_after_a_crash_keeps_it_in_the_report(recorder: EventRecorder) -> None:
    """As what the end hides."""
    error = LookupError("lost")

    async def crash_and_be_killed(probe: Probe) -> None:
        probe.ref.exit(Killed())
        raise error

    async with DynamicSupervisor(on_event=recorder) as supervisor:
        ref = await supervisor.start_child(ChildSpec("a", Probe, restart="temporary"))
        ref.cast(crash_and_be_killed)
        assert Killed() == await ref.monitor().wait()
    (exited,) = [event for event in recorder.of(Exited) if event.ref is ref]
    assert error is exited.masked


async def test_actor_that_has_ended_starts_no_helper(tree: DynamicSupervisor) -> None:
    """Also one that never had any: nobody would end it."""
    probe = Probe()
    ref = await tree.start_child(ChildSpec("a", lambda: probe, restart="temporary"))
    await ref.stop()
    with pytest.raises(OutsideActorError, match="has ended"):
        probe.start_soon(anyio.sleep_forever)


async def test_timers_that_fired_or_were_cancelled_are_not_counted(tree: DynamicSupervisor) -> None:
    """However often a state is left whose timeout has fired."""

    class Blinking(StateMachine[Any]):
        async def init(self) -> None:
            self.next_state(0, timeout=1.0)

        async def handle_info(self, message: object, /) -> None:
            assert isinstance(self.state, int)
            self.next_state(self.state + 1, timeout=1.0)

    ref = await tree.start_child(ChildSpec("a", Blinking))
    await anyio.sleep(100.5)
    assert (await get_status(ref)).timers == 1


async def test_suspended_actor_gets_one_tick_of_an_interval_afterwards(tree: DynamicSupervisor) -> None:
    """Ticks that it missed are skipped, as when it is busy."""
    probe = Probe()
    ref = await tree.start_child(ChildSpec("a", lambda: probe, restart="temporary"))

    async def arm(probe: Probe) -> None:
        probe.send_interval(0.1, "tick")

    await ref.call(arm)
    await suspend(ref)
    await anyio.sleep(600.05)
    await resume(ref)
    await anyio.sleep(0.01)
    assert 1 == sum(isinstance(entry[1], Timer) for entry in probe.journal)


async def test_timer_does_not_wait_for_all_the_mail_before_it(tree: DynamicSupervisor) -> None:
    """Slow messages delay it by one of them."""
    fired: list[float] = []

    class Slow(Actor[Any]):
        async def handle_cast(self, message: Any, /) -> None:
            if message == "arm":
                self.send_after(0.5, "late?")
            await anyio.sleep(1)

        async def handle_info(self, message: object, /) -> None:
            fired.append(anyio.current_time())

    ref = await tree.start_child(ChildSpec("a", Slow))
    began = anyio.current_time()
    ref.cast("arm")
    for _ in range(63):
        ref.cast("work")
    await settle(lambda: bool(fired), timeout=100)
    assert fired[0] - began < 1.5
