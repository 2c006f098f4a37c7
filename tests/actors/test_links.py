"""Links and monitors: who is told of an end, how, and exactly once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from wsmgr.actors import (
    ChildSpec,
    Crash,
    Down,
    DynamicSupervisor,
    ExitSignal,
    Killed,
    NoProc,
    Normal,
    OutsideActorError,
    Shutdown,
)
from wsmgr.actors.testing import Probe, TrappingProbe, settle

if TYPE_CHECKING:
    from wsmgr.actors import ActorRef, Monitor

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]

Journal = list[tuple[object, ...]]


async def start(tree: DynamicSupervisor, journal: Journal, kind: type[Probe] = Probe) -> ActorRef[Any]:
    return await tree.start_child(ChildSpec("probe", lambda: kind("p", journal), restart="temporary"))


async def crash(probe: Probe) -> None:
    raise ValueError("crash")


def news(journal: Journal) -> list[object]:
    return [entry[1] for entry in journal if entry[1] not in ("init", "terminate")]


async def test_monitor_delivers_down_exactly_once_with_the_reason(
    tree: DynamicSupervisor, journal: Journal
) -> None:
    """`Down(ref, reason)`, from one side only: the watcher lives on."""
    watcher, watched = await start(tree, journal), await start(tree, [])

    async def watch(probe: Probe) -> None:
        probe.monitor(watched)

    await watcher.call(watch)
    await watched.stop(Shutdown("x"))
    await watcher.call("alive")
    assert [Down(watched, Shutdown("x")), "alive"] == news(journal)


async def test_monitor_of_a_dead_process_says_noproc_at_once(
    tree: DynamicSupervisor, journal: Journal
) -> None:
    """In an actor as a message, outside as the result of `wait`."""
    watcher, watched = await start(tree, journal), await start(tree, [])
    await watched.stop()

    async def watch(probe: Probe) -> None:
        probe.monitor(watched)

    await watcher.call(watch)
    await watcher.call("after")
    assert [Down(watched, NoProc()), "after"] == news(journal)
    assert NoProc() == await watched.monitor().wait()


async def test_cancelled_monitor_delivers_nothing_even_if_it_fired(
    tree: DynamicSupervisor, journal: Journal
) -> None:
    """Flushed, as `demonitor` with `flush`."""
    watcher, watched = await start(tree, journal), await start(tree, [])

    async def watch_and_cancel(probe: Probe) -> None:
        monitor = probe.monitor(watched)
        watched.exit(Killed())
        await watched.monitor().wait()
        monitor.cancel()

    await watcher.call(watch_and_cancel)
    await watcher.call("after")
    assert ["after"] == news(journal)


async def test_down_is_served_ahead_of_queued_mail(tree: DynamicSupervisor, journal: Journal) -> None:
    """The system queue comes first: a flood of mail does not delay the news."""
    watcher, watched = await start(tree, journal), await start(tree, [])

    async def busy(probe: Probe) -> None:
        probe.monitor(watched)
        await anyio.sleep(1)

    watcher.cast(busy)
    await settle(lambda: watcher.queued == 0)
    watcher.cast("mail")
    await watched.stop()
    await watcher.call("last")
    assert [Down(watched, Normal()), "mail", "last"] == news(journal)


async def test_every_external_waiter_of_a_monitor_is_told(tree: DynamicSupervisor, journal: Journal) -> None:
    """`wait` may be called by several tasks, again, and after a cancellation."""
    watched = await start(tree, journal)
    monitor: Monitor = watched.monitor()
    reasons: list[object] = []

    async def wait() -> None:
        reasons.append(await monitor.wait())

    with anyio.move_on_after(1):
        await monitor.wait()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        tasks.start_soon(wait)
        watched.exit(Killed())
    assert [Killed(), Killed()] == reasons
    assert Killed() == await monitor.wait()


async def test_monitors_of_a_watcher_that_ends_leave_nothing_behind(
    tree: DynamicSupervisor, journal: Journal
) -> None:
    """A long-lived process does not collect its dead observers."""
    watcher, watched = await start(tree, journal), await start(tree, [])

    async def watch(probe: Probe) -> None:
        probe.monitor(watched)

    await watcher.call(watch)
    await watcher.stop()
    assert watched.process is not None
    assert not watched.process.monitors


async def test_crash_takes_a_linked_process_with_it(tree: DynamicSupervisor, journal: Journal) -> None:
    """The link goes both ways and carries the reason."""
    first, second = await start(tree, journal), await start(tree, [])

    async def link(probe: Probe) -> None:
        probe.link(second)

    await first.call(link)
    monitor = first.monitor()
    second.cast(crash)
    reason = await monitor.wait()
    assert isinstance(reason, Crash)
    assert reason == second.exit_reason


async def test_normal_end_leaves_a_linked_process_alone(tree: DynamicSupervisor, journal: Journal) -> None:
    """Only who traps exits hears of it."""
    first, second = await start(tree, journal), await start(tree, [])
    trapper = await start(tree, journal, TrappingProbe)

    async def link(probe: Probe) -> None:
        probe.link(second)

    await first.call(link)
    await trapper.call(link)
    await second.stop()
    assert await first.call("alive") == "alive"
    await trapper.call("alive too")
    assert ExitSignal(second, Normal()) in news(journal)


async def test_killed_process_tells_its_links_and_they_may_trap_it(
    tree: DynamicSupervisor, journal: Journal
) -> None:
    """`kill` is untrappable, the `killed` that a link carries is not."""
    trapper, victim = await start(tree, journal, TrappingProbe), await start(tree, [])

    async def link(probe: Probe) -> None:
        victim.link()

    await trapper.call(link)
    victim.exit(Killed())
    await settle(lambda: ExitSignal(victim, Killed()) in news(journal))
    assert await trapper.call("alive") == "alive"


async def test_unlink_and_link_to_a_dead_process(tree: DynamicSupervisor, journal: Journal) -> None:
    """Undone is undone; a link to nobody is the signal `NoProc`."""
    first, second = await start(tree, journal), await start(tree, [])
    trapper = await start(tree, journal, TrappingProbe)

    async def link_and_unlink(probe: Probe) -> None:
        second.link()
        second.unlink()

    async def link(probe: Probe) -> None:
        second.link()

    await first.call(link_and_unlink)
    second.cast(crash)
    await second.monitor().wait()
    assert await first.call("alive") == "alive"
    await trapper.call(link)
    await trapper.call("after")
    assert ExitSignal(second, NoProc()) in news(journal)


async def test_link_outside_of_an_actor_is_refused(tree: DynamicSupervisor, journal: Journal) -> None:
    """There is nobody to link with."""
    ref = await start(tree, journal)
    with pytest.raises(OutsideActorError):
        ref.link()
    with pytest.raises(OutsideActorError):
        Probe().send_after(1, "x")


async def test_child_that_unlinks_its_supervisor_cannot_hang_it(journal: Journal) -> None:
    """OTP's naughty child: the supervisor watches by itself, not by the link."""

    async def unlink(probe: Probe) -> None:
        supervisor.ref.unlink()

    async with DynamicSupervisor() as supervisor:
        ref = await start(supervisor, journal)
        await ref.call(unlink)
        await supervisor.terminate_child(ref)
    assert Shutdown() == ref.exit_reason
