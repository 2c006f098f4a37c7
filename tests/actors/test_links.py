"""Links and monitors beside what OTP promises: flushing, order, waiters outside, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from wsmgr.actors import (
    ChildSpec,
    Down,
    DynamicSupervisor,
    Killed,
    NoProc,
    Normal,
    OutsideActorError,
)
from wsmgr.actors.testing import Probe, settle

if TYPE_CHECKING:
    from tests.actors.children import Journal

    from wsmgr.actors import ActorRef, Monitor

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("no_leaks")]


async def start(tree: DynamicSupervisor, journal: Journal, kind: type[Probe] = Probe) -> ActorRef[Any]:
    return await tree.start_child(ChildSpec("probe", lambda: kind("p", journal), restart="temporary"))


def news(journal: Journal) -> list[object]:
    return [entry[1] for entry in journal if entry[1] not in ("init", "terminate")]


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


async def test_link_outside_of_an_actor_is_refused(tree: DynamicSupervisor, journal: Journal) -> None:
    """There is nobody to link with."""
    ref = await start(tree, journal)
    with pytest.raises(OutsideActorError):
        ref.link()
    with pytest.raises(OutsideActorError):
        Probe().send_after(1, "x")
