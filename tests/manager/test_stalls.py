"""A loop that its own program blocks: no socket is declared dead, no answer too late, and the culprit is named."""

from __future__ import annotations

import threading
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from wsmgr.actors import Killed
from wsmgr.actors.testing import settle
from wsmgr.manager.manager import Manager

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import StartSimulator
    from wsmgr.manager.runtime.history_views import EventView
    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

BLOCKED = 1.6
"""Longer than the probe's 13 ticks, and than the deadline of an answer, as these tests have them."""
USER = "0x" + "a1" * 20


@pytest.fixture(
    params=[
        pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param(("trio", {}), id="trio"),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Each loop has an order of its own in which it runs timers and reads sockets after a stall."""
    backend: tuple[str, dict[str, Any]] = request.param
    return backend


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a second and a half be what is 13 s else."""
    monkeypatch.setattr("wsmgr.manager.runtime.beat.BEAT", 0.1)
    monkeypatch.setattr("wsmgr.manager.model.pulse.STALL", 0.3)
    monkeypatch.setattr("wsmgr.manager.model.pulse.GRACE", 0.3)
    monkeypatch.setattr("wsmgr.manager.runtime.stalls.PATIENCE", 0.1)
    monkeypatch.setattr("wsmgr.manager.runtime.session.PROBE_TICK", 0.1)
    monkeypatch.setattr("wsmgr.manager.model.asking.ACK_DEADLINE", 1.0)


@asynccontextmanager
async def running(simulator: SimulatorThread) -> AsyncIterator[Manager]:
    """Run a manager against the simulator; no test waits longer than this."""
    with anyio.fail_after(30):
        async with Manager(url=simulator.address.url) as manager:
            yield manager
    assert [] == watchdogs()


def watchdogs() -> list[threading.Thread]:
    """Return the watchdogs' threads that run."""
    return [thread for thread in threading.enumerate() if thread.name == "wsmgr-watchdog"]


def crunch() -> None:
    time.sleep(BLOCKED)


async def strategy() -> None:
    """Be a program's coroutine that does not know what it does."""
    await checkpoint()
    crunch()


async def told(manager: Manager, kind: str) -> list[EventView]:
    """Return the events of a kind."""
    return [event for event in await manager.events() if event.kind == kind]


def sent(simulator: SimulatorThread, text: str) -> int:
    """Return how many frames of the client held a text."""
    return sum(
        text in frame["text"]
        for connection in simulator.log()["connections"]
        for frame in connection["received"]
    )


async def test_a_blocked_loop_costs_no_socket_and_the_culprit_is_named(simulator: SimulatorThread) -> None:
    """Whatever waited in the sockets meanwhile is read before anything is judged."""
    async with running(simulator) as manager:
        book = await manager.subscribe("l2Book", coin="BTC")
        fills = await manager.subscribe("userFills", user=USER)
        await book.wait_live(timeout=10)
        await fills.wait_live(timeout=10)
        async with anyio.create_task_group() as group:
            group.start_soon(strategy)
        await book.next(timeout=10)
        # Long enough for a probe that was wrong to end a socket.
        await anyio.sleep(BLOCKED)
        where = f"test_stalls.py:{crunch.__code__.co_firstlineno + 1} in crunch"
        named = [event for event in await told(manager, "loop_blocked") if event.detail["where"] == where]
        (event,) = named
        assert BLOCKED - 0.3 <= event.detail["seconds"] <= 2 * BLOCKED
        assert where == event.detail["stack"][0]
        assert event.detail["stack"][1].endswith("in strategy")
        assert [1, 1] == [view.socket for view in manager.connection_info()]
        assert [0, 0] == [view.gaps for view in manager.list_subscriptions()]
        assert ["live", "live"] == [view.state for view in manager.list_subscriptions()]
        for kind in ("connection_lost", "overdue", "suspended", "clock_stepped"):
            assert [] == await told(manager, kind), kind
    assert 2 == simulator.log()["dials"]


async def test_an_answer_that_came_while_the_loop_stood_still_is_in_time(
    start_simulator: StartSimulator,
) -> None:
    """It waits in the socket; nobody says that it is overdue, and nothing is asked twice."""
    simulator = start_simulator("slow_ack=0.6", rate=50)
    async with running(simulator) as manager:
        await manager.subscribe("l2Book", coin="BTC", timeout=10)
        trades = await manager.subscribe("trades", coin="ETH", wait="none")
        await settle(lambda: sent(simulator, '"trades"') == 1)
        assert "subscribing" == trades.state
        crunch()
        await trades.wait_live(timeout=10)
        assert [] == await told(manager, "overdue")
    assert 1 == sent(simulator, '"trades"')


async def test_a_manager_on_a_quiet_loop_has_one_thread_more_and_no_event(simulator: SimulatorThread) -> None:
    """The watchdog runs while the manager does, and holds nobody up."""
    async with running(simulator) as manager:
        book = await manager.subscribe("l2Book", coin="BTC")
        for _ in range(50):
            await book.next(timeout=10)
        assert [True] == [thread.daemon for thread in watchdogs()]
        assert [] == await told(manager, "loop_blocked")


async def test_a_beat_that_was_killed_leaves_no_watchdog_behind(simulator: SimulatorThread) -> None:
    """The one that follows has its own."""
    async with running(simulator) as manager:
        node = manager.engine.root.tree()
        for name in ("core", "pulse", "beat"):
            (node,) = [child for child in node.children if child.id == name]
        assert node.ref is not None
        before = watchdogs()
        node.ref.exit(Killed())
        await node.ref.monitor().wait()
        assert not before[0].is_alive()
        await settle(lambda: len(watchdogs()) == 1)
        assert before != watchdogs()


async def test_lag_is_measured_against_the_venue(
    simulator: SimulatorThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one machine the clocks are one, so that a message lags by no more than its way through both programs."""
    monkeypatch.setattr("wsmgr.manager.runtime.beat.SECOND", 0.1)
    async with running(simulator) as manager:
        book = await manager.subscribe("l2Book", coin="BTC")
        assert None is manager.get_metrics(book.id).lag_p50_ms
        with anyio.fail_after(10):
            while manager.get_metrics(book.id).lag_p50_ms is None:
                await book.next(timeout=10)
        shown = manager.get_metrics(book.id)
        assert shown.lag_p50_ms is not None
        assert shown.lag_p99_ms is not None
        assert 1.0 <= shown.lag_p50_ms <= shown.lag_p99_ms < 5_000.0
