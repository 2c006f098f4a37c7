"""The manager when something of its own, or of its caller's, goes wrong."""

from __future__ import annotations

import logging
import sqlite3
import threading
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from wsmgr.actors import Killed
from wsmgr.manager.manager import Manager
from wsmgr.manager.model.errors import (
    ConfigurationError,
    ManagerClosedError,
    QuotaError,
    RejectedError,
    StateDirectoryError,
    SubscribeTimeoutError,
    SubscriptionFailedError,
)
from wsmgr.manager.runtime.drain import Drain
from wsmgr.manager.runtime.link import Link
from wsmgr.manager.store import queries
from wsmgr.manager.store.database import Database
from wsmgr.manager.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.conftest import StartSimulator
    from wsmgr.manager.runtime.handle import Subscription
    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

DEADLINE = 15.0
ALICE = "0x" + "a1" * 20


@asynccontextmanager
async def running(simulator: SimulatorThread, **options: Any) -> AsyncIterator[Manager]:
    """Run a manager against the simulator; no test waits longer than this."""
    with anyio.fail_after(40):
        async with Manager(url=simulator.address.url, **options) as manager:
            yield manager


async def advance(handle: Subscription, count: int = 1) -> None:
    """Wait for messages."""
    for _ in range(count):
        await handle.next(timeout=DEADLINE)


async def test_one_callers_timeout_does_not_end_what_another_keeps(start_simulator: StartSimulator) -> None:
    """A wish is withdrawn for its own caller only."""
    simulator = start_simulator("slow_ack=0.8")
    async with running(simulator) as manager, anyio.create_task_group() as group:

        async def impatient() -> None:
            with pytest.raises(SubscribeTimeoutError):
                await manager.subscribe("trades", coin="BTC", timeout=0.3)

        group.start_soon(impatient)
        await anyio.wait_all_tasks_blocked()
        kept = await manager.subscribe("trades", coin="BTC", keep=True, wait="none")
        await kept.wait_live(timeout=DEADLINE)
        assert [kept.id] == [view.id for view in manager.list_subscriptions()]


async def test_a_refused_keep_is_not_kept(simulator: SimulatorThread, tmp_path: Path) -> None:
    """Its caller was told, so it must not come back with the next start."""
    async with running(simulator, state_dir=tmp_path) as manager:
        with pytest.raises(RejectedError):
            await manager.subscribe("trades", coin="NOPE", keep=True)
        assert [] == manager.list_subscriptions()
    async with running(simulator, state_dir=tmp_path) as manager:
        assert [] == manager.list_subscriptions()


async def test_a_callback_gets_what_was_buffered_when_its_subscription_ended(
    start_simulator: StartSimulator,
) -> None:
    """Nothing that came before the end is lost, however much it is."""
    simulator = start_simulator(rate=500)
    seen: list[int] = []
    enough = anyio.Event()
    gate = anyio.Event()

    async def slow(message: Any) -> None:
        await gate.wait()
        seen.append(message.seq)
        if message.seq == last:
            enough.set()

    last = -1
    async with running(simulator) as manager:
        book = await manager.subscribe("l2Book", coin="BTC", policy="drop_oldest")
        await manager.subscribe("l2Book", coin="BTC", callback=slow, policy="drop_oldest")
        await advance(book, 150)
        await manager.unsubscribe(book.id)
        last = book.last.seq if book.last is not None else 0
        gate.set()
        await enough.wait()
    assert list(range(seen[0], last + 1)) == seen


async def test_a_callback_that_lags_is_told_in_the_events(simulator: SimulatorThread) -> None:
    """A consumer that nobody iterates over cannot raise; its end by `fail` is an event."""
    gate = anyio.Event()

    async def stuck(_message: Any) -> None:
        await gate.wait()

    async with running(simulator) as manager:
        fills = await manager.subscribe("userFills", user=ALICE)
        stuck_handle = await manager.subscribe("userFills", user=ALICE, callback=stuck)
        stuck_handle.buffer.max_messages = 5
        while not stuck_handle.buffer.failed:
            await advance(fills)
        gate.set()
        while manager.get_subscription(fills.id).consumers > 1:
            await advance(fills)
        (failed,) = [event for event in await manager.events(fills.id) if event.kind == "consumer_failed"]
        assert "LaggedError" in failed.detail["error"]
        assert failed.detail["dropped"] > 0


async def test_a_callback_that_awaits_something_cancelled_lives_on(
    simulator: SimulatorThread, anyio_backend_name: str
) -> None:
    """A cancellation that nobody asked for is a failure of that callback, counted like any other."""
    if anyio_backend_name != "asyncio":
        pytest.skip("trio's cancellations cannot be foreign")
    import asyncio

    calls = 0
    enough = anyio.Event()

    async def awaits_a_cancelled_future(_message: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            enough.set()
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async with running(simulator) as manager:
        await manager.subscribe("l2Book", coin="BTC", callback=awaits_a_cancelled_future)
        await enough.wait()


async def test_leaving_does_not_wait_for_a_callback_that_never_returns(
    simulator: SimulatorThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread is left behind; the manager is not held by it for longer than its deadlines."""
    monkeypatch.setattr(Drain, "DEADLINE", 0.2)
    begun = anyio.Event()
    release = threading.Event()

    def never(_message: Any) -> None:
        anyio.from_thread.run_sync(begun.set)
        release.wait(DEADLINE * 2)

    try:
        with anyio.fail_after(DEADLINE):
            async with running(simulator) as manager:
                await manager.subscribe("l2Book", coin="BTC", callback=never)
                await begun.wait()
    finally:
        release.set()


def read_all(directory: Path) -> list[bytes]:
    """Return the content of every file of a directory."""
    return [file.read_bytes() for file in directory.iterdir() if file.is_file()]


async def test_secrets_of_an_address_are_shown_nowhere(
    simulator: SimulatorThread, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """A key in the query is dialled with, and is in no view, error, log line or table."""
    caplog.set_level(logging.DEBUG, logger="wsmgr")
    secret = "hunter2"
    async with Manager(url=f"{simulator.address.url}?api_key={secret}", state_dir=tmp_path) as manager:
        book = await manager.subscribe("l2Book", coin="BTC")
        await advance(book)
        simulator.set_faults("http_429=60")
        simulator.kill(None)
        with pytest.raises(SubscribeTimeoutError) as caught:
            await manager.subscribe("l2Book", coin="BTC", nSigFigs=3, timeout=0.5)
        shown = f"{manager.connection_info()} {manager.tree()} {await manager.events()} {caught.value} {await manager.gaps()}"
    stored = b"".join(read_all(tmp_path))
    assert secret not in shown
    assert secret not in caplog.text
    assert secret.encode() not in stored


async def test_an_address_that_cannot_be_dialled_is_refused_when_the_manager_is_made() -> None:
    """Not by a connection that is parked later."""
    for url in ("ws://user:password@127.0.0.1/ws", "ws://127.0.0.1/ws#part", "ws://127.0.0.1/a b"):
        with pytest.raises(ConfigurationError, match="cannot be used") as caught:
            Manager(url=url)
        assert "password" not in str(caught.value)


async def test_the_gap_over_a_restart_is_closed_in_the_ledger(
    simulator: SimulatorThread, tmp_path: Path
) -> None:
    """However soon the stream is live again: one row, with its end."""
    async with running(simulator, state_dir=tmp_path) as manager:
        await advance(await manager.subscribe("l2Book", coin="BTC", keep=True))
    async with running(simulator, state_dir=tmp_path) as manager:
        (view,) = manager.list_subscriptions()
        message = await manager.engine.join(view.id).next(timeout=DEADLINE)
        assert message.gap is not None
        (row,) = await manager.gaps(view.id)
        assert (True, "the manager was stopped") == (row.ended_at is not None, row.reason)


async def test_a_writer_that_is_killed_loses_no_gap(simulator: SimulatorThread, tmp_path: Path) -> None:
    """What it was given is given to the next one, and nothing is written twice."""
    async with running(simulator, state_dir=tmp_path) as manager:
        book = await manager.subscribe("l2Book", coin="BTC", keep=True)
        await advance(book)
        for _ in range(2):
            simulator.kill(None)
            await book.next(timeout=DEADLINE, where=lambda message: message.gap is not None)
            writer = manager.engine.context.writer
            assert writer is not None
            writer.exit(Killed())
            await writer.monitor().wait()
        gaps = await manager.gaps(book.id)
        assert 2 == manager.get_subscription(book.id).gaps
    with closing(Database.read_only(tmp_path / "wsmgr.db")) as database:
        rows = queries.list_gaps(database, subscription_id=book.id)
        kinds = [event.kind for event in queries.list_events(database, limit=1000)]
    assert 2 == len([gap for gap in gaps if gap.ended_at is not None])
    assert 3 == len(rows)
    assert 3 == kinds.count("connection_lost")


async def test_an_end_that_cannot_be_written_can_be_asked_for_again(
    simulator: SimulatorThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller that is told of the store's failure finds the subscription still there."""
    async with running(simulator, state_dir=tmp_path) as manager:
        book = await manager.subscribe("l2Book", coin="BTC", keep=True)
        with closing(sqlite3.connect(tmp_path / "wsmgr.db", isolation_level=None)) as other:
            monkeypatch.setattr("wsmgr.manager.store.writer.PATIENCE", 0.2)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError):
                await manager.unsubscribe(book.id)
            other.execute("ROLLBACK")
        assert [book.id] == [view.id for view in manager.list_subscriptions() if view.kept]
        await manager.unsubscribe(book.id)
    async with running(simulator, state_dir=tmp_path) as manager:
        assert [] == manager.list_subscriptions()


async def test_a_callback_consumer_that_is_killed_is_told_of(simulator: SimulatorThread) -> None:
    """It cannot say goodbye itself; its hold is given back, and an event says why it is never called again."""

    async def take(_message: Any) -> None:
        pass

    async with running(simulator) as manager:
        book = await manager.subscribe("l2Book", coin="BTC")
        await manager.subscribe("l2Book", coin="BTC", callback=take)
        (consumer,) = manager.engine.context.consumers
        consumer.exit(Killed())
        while manager.get_subscription(book.id).consumers > 1:
            await advance(book)
        kinds = [event.kind for event in await manager.events(book.id)]
    assert 1 == kinds.count("consumer_failed")


async def test_a_connection_that_cannot_be_started_is_parked_alone(
    simulator: SimulatorThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its venue and the other connections go on; its subscriptions fail with the text."""
    async with running(simulator) as manager:
        healthy = await manager.subscribe("l2Book", coin="BTC")

        async def broken(_link: Link) -> None:
            raise ZeroDivisionError("a bug in the start")

        monkeypatch.setattr(Link, "init", broken)
        with pytest.raises(SubscriptionFailedError, match="a bug in the start"):
            await manager.subscribe("l2Book", coin="BTC", nSigFigs=3)
        await advance(healthy, 2)
        assert ["ready", "parked"] == [view.state for view in manager.connection_info()]
        assert manager.engine.context.venues["hyperliquid"].model.error is None


async def test_a_quota_refuses_every_new_caller_at_once(simulator: SimulatorThread) -> None:
    """Also where the quota is used up by wishes that came with it; what waits on purpose waits."""
    config = {"venues": {"hyperliquid": {"quotas": {"users": 2}}}}
    users = ["0x" + f"{number:02x}" * 20 for number in range(4)]
    async with running(simulator, config=config) as manager:
        results = await manager.subscribe_many([("userFills", {"user": user}) for user in users])
        assert 2 == len([result for result in results if isinstance(result, QuotaError)])
        assert 2 == len(manager.list_subscriptions())


async def test_a_venue_that_is_full_refuses_a_new_caller_in_its_words(
    start_simulator: StartSimulator,
) -> None:
    """A capacity of the venue's is a refusal for who waits, and something to wait for for who does not."""
    simulator = start_simulator("refuse_users_over=1")
    async with running(simulator) as manager:
        await manager.subscribe("userFills", user=ALICE)
        with pytest.raises(RejectedError, match="Cannot track more than 1 total users"):
            await manager.subscribe("userFills", user="0x" + "b0" * 20)
        assert 1 == len(manager.list_subscriptions())
        waiting = await manager.subscribe("userFills", user="0x" + "b0" * 20, wait="none")
        assert waiting.state in {"pending", "subscribing"}


async def test_who_waits_for_a_manager_that_is_left_is_told(start_simulator: StartSimulator) -> None:
    """However long the caller was ready to wait."""
    simulator = start_simulator("http_429=60")
    told: list[type[Exception]] = []
    async with anyio.create_task_group() as group, running(simulator) as manager:
        handle = await manager.subscribe("l2Book", coin="BTC", wait="none")

        async def wait() -> None:
            with pytest.raises(ManagerClosedError) as caught:
                await handle.wait_live()
            told.append(caught.type)

        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
    assert [ManagerClosedError] == told


async def test_a_full_inbox_is_a_slow_consumer(simulator: SimulatorThread) -> None:
    """What it has no room for waits in the consumer's own buffer, whose policy counts and tells what is lost."""

    class Inbox:
        def __init__(self) -> None:
            self.items: list[Any] = []
            self.room = 3

        def put_nowait(self, item: Any) -> None:
            if len(self.items) >= self.room:
                raise anyio.WouldBlock
            self.items.append(item)

    inbox = Inbox()
    async with running(simulator) as manager:
        book = await manager.subscribe("l2Book", coin="BTC")
        await manager.subscribe("l2Book", coin="BTC", inbox=inbox, policy="drop_oldest")
        await advance(book, 20)
        assert 3 == len(inbox.items)
        inbox.room = 1000
        while len(inbox.items) < 15:
            await advance(book)
    numbers = [item.seq for item in inbox.items]
    assert list(range(numbers[0], numbers[0] + len(numbers))) == numbers


async def test_who_subscribes_while_an_end_is_being_written_begins_a_new_life(
    simulator: SimulatorThread, tmp_path: Path
) -> None:
    """An acknowledged subscribe is never swallowed by an unsubscribe that was asked for before it."""
    async with running(simulator, state_dir=tmp_path) as manager:
        old = await manager.subscribe("l2Book", coin="BTC", keep=True)
        async with anyio.create_task_group() as group:
            with closing(sqlite3.connect(tmp_path / "wsmgr.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                group.start_soon(manager.unsubscribe, old.id)
                await anyio.wait_all_tasks_blocked()

                async def subscribe_again() -> None:
                    await manager.subscribe("l2Book", coin="BTC", keep=True)

                group.start_soon(subscribe_again)
                await anyio.wait_all_tasks_blocked()
                other.execute("ROLLBACK")
        (view,) = manager.list_subscriptions()
        assert (old.id, True) == (view.id, view.kept)
    async with running(simulator, state_dir=tmp_path) as manager:
        assert [old.id] == [view.id for view in manager.list_subscriptions()]


async def test_counters_that_cannot_be_are_a_clear_error(simulator: SimulatorThread, tmp_path: Path) -> None:
    """Whoever edited the database, or whatever did, learns what is wrong and what can be done."""
    async with running(simulator, state_dir=tmp_path) as manager:
        await advance(await manager.subscribe("l2Book", coin="BTC", keep=True))
    with closing(sqlite3.connect(tmp_path / "wsmgr.db", isolation_level=None)) as other:
        other.execute("UPDATE metrics SET message_count = -1")
    with pytest.raises(StateDirectoryError, match=r"message_count=-1 is negative.*desired\.json"):
        async with Manager(url=simulator.address.url, state_dir=tmp_path):
            pass
