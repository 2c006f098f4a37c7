"""The writer, under a supervisor, on a real file."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest

from wsmgr.actors import ActorRef, CallExitError, ChildSpec, Started, Supervisor
from wsmgr.manager.store import desired, sql, writer
from wsmgr.manager.store.changes import (
    AddEvent,
    AddGap,
    Change,
    CloseSubscription,
    PutMetrics,
    PutSubscription,
    apply,
)
from wsmgr.manager.store.committer import Commit, Read
from wsmgr.manager.store.database import Database
from wsmgr.manager.store.desired import read_desired
from wsmgr.manager.store.errors import StoreError
from wsmgr.manager.store.queries import flushed_at, get_metrics, list_events, list_gaps, list_subscriptions
from wsmgr.manager.store.rows import EventRow, GapRow, MetricsRow
from wsmgr.manager.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Sequence
    from pathlib import Path

    from wsmgr.actors import Event

    from .conftest import MakeSubscription

pytestmark = pytest.mark.anyio
Ref = ActorRef[Any]
NOW = 5000.0


class Running:
    """A writer under a supervisor that starts another when it crashes."""

    def __init__(self, database: Database, **options: Any) -> None:
        self.started: list[Ref] = []
        self._changed = anyio.Event()
        spec = ChildSpec(
            "writer", lambda: Writer(database, **{"flush_interval": 1000.0, **options}), shutdown=30.0
        )
        self.supervisor = Supervisor([spec], on_event=self._listen)

    def _listen(self, event: Event) -> None:
        if isinstance(event, Started) and event.ref.name == "writer":
            self.started.append(event.ref)
            self._changed.set()
            self._changed = anyio.Event()

    async def incarnation(self, number: int) -> Ref:
        """Wait for the writer that was started as the `number`-th."""
        while len(self.started) < number:
            await self._changed.wait()
        return self.started[number - 1]


@asynccontextmanager
async def running(database: Database, **options: Any) -> AsyncGenerator[Ref]:
    """A writer that nothing happens to; each test ends in time."""
    with anyio.fail_after(20):
        tree = Running(database, **options)
        async with tree.supervisor:
            yield await tree.incarnation(1)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "desired.json"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock fails at once, and is tried again soon."""
    monkeypatch.setattr(sql, "BUSY_TIMEOUT", 0.0)
    monkeypatch.setattr(writer, "BUSY_TIMEOUT", 0.0)
    monkeypatch.setattr(writer, "RETRY_DELAYS", (0.005,))


@pytest.fixture
def lock(database: Database, path: Path, impatient: None) -> Generator[sqlite3.Connection]:
    """Another program's connection that holds the write lock of the file until it commits."""
    database.reconnect()
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


def on_disk(path: Path) -> list[str]:
    """What another process would read now."""
    with closing(Database.read_only(path)) as reader:
        return [row.id for row in list_subscriptions(reader)]


def ids(copy: Path) -> list[str]:
    return [one.id for one in read_desired(copy) or ()]


def kinds(database: Database) -> list[str]:
    return [event.kind for event in list_events(database)]


def remove(path: Path) -> None:
    path.unlink()


def event(kind: str) -> Commit:
    return Commit([AddEvent(EventRow(at=1.0, kind=kind))])


async def test_a_call_returns_when_it_is_on_the_disk_and_in_the_copy(
    database: Database, path: Path, copy: Path, subscription: MakeSubscription
) -> None:
    """Desired state is on disk before the caller is told, and once more in desired.json."""
    async with running(database, desired=copy) as ref:
        await ref.call(Commit([PutSubscription(subscription("a")), PutSubscription(subscription("b"))]))
        assert (["a", "b"], ["a", "b"]) == (on_disk(path), ids(copy))

        await ref.call(Commit([CloseSubscription(id="a", at=2.0)]))
        assert (["b"], ["b"]) == (on_disk(path), ids(copy))


async def test_only_kept_subscriptions_are_in_the_copy(
    database: Database, copy: Path, subscription: MakeSubscription
) -> None:
    """A held one is not brought back; one that is kept no longer leaves the copy."""
    async with running(database, desired=copy) as ref:
        await ref.call(
            Commit([PutSubscription(subscription("a")), PutSubscription(subscription("b", kept=False))])
        )
        assert ["a"] == ids(copy)

        await ref.call(Commit([PutSubscription(subscription("a", kept=False))]))
        assert [] == ids(copy)


async def test_the_copy_is_left_alone_where_nothing_in_it_changed(
    database: Database, copy: Path, subscription: MakeSubscription
) -> None:
    """A subscription that goes live and stale and live again costs no second file."""
    async with running(database, desired=copy) as ref:
        await ref.call(Commit([PutSubscription(subscription(epoch=1))]))
        remove(copy)

        await ref.call(Commit([PutSubscription(subscription(epoch=1, state="live"))]))
        assert None is read_desired(copy)
        await ref.call(Commit([PutSubscription(subscription(epoch=2, state="live"))]))
        assert ["a"] == ids(copy)


async def test_a_thousand_calls_are_a_few_transactions(
    database: Database, subscription: MakeSubscription
) -> None:
    """What queues up while the disk is waited for is written together."""
    statements: list[str] = []
    async with running(database) as ref:
        await ref.call(Read(lambda db: db.tables.conn.set_trace_callback(statements.append)))
        async with anyio.create_task_group() as group:
            for number in range(1000):
                group.start_soon(ref.call, Commit([PutSubscription(subscription(f"id{number}"))]))
        await ref.call(Read(lambda db: db.tables.conn.set_trace_callback(None)))
        found = await ref.call(Read(list_subscriptions))

    assert 1000 == len(found)
    assert statements.count("BEGIN IMMEDIATE") == statements.count("COMMIT") <= 4


async def test_commits_are_written_in_the_order_in_which_they_were_sent(
    database: Database, subscription: MakeSubscription
) -> None:
    """The last word about a subscription is the one that stays, casts and calls alike."""
    async with running(database) as ref:
        for number in range(100):
            ref.cast(Commit([PutSubscription(subscription(epoch=number, state=f"state {number}"))]))
        await ref.call(Commit([PutSubscription(subscription(epoch=100, state="last"))]))
        (row,) = await ref.call(Read(list_subscriptions))

    assert (100, "last") == (row.epoch, row.state)


async def test_what_the_schema_refuses_fails_alone(
    database: Database, subscription: MakeSubscription
) -> None:
    """One caller's mistake costs neither its neighbours in the batch nor the writer."""
    errors: list[StoreError] = []
    good = subscription("good")
    wrong = [PutSubscription(subscription("other")), PutSubscription(subscription("second", key=good.key))]

    async def send(ref: Ref, commit: Commit) -> None:
        try:
            await ref.call(commit)
        except StoreError as error:
            errors.append(error)

    async with running(database) as ref:
        await ref.call(Commit([PutSubscription(good)]))
        async with anyio.create_task_group() as group:
            group.start_soon(send, ref, Commit(wrong))
            group.start_soon(send, ref, Commit([PutSubscription(subscription("third"))]))
        found = await ref.call(Read(list_subscriptions))
        assert ref.alive

    assert ["good", "third"] == [row.id for row in found]
    assert ["refused"] == [str(error).split()[2] for error in errors]
    assert isinstance(errors[0].__cause__, sqlite3.IntegrityError)


async def test_a_call_returns_the_numbers_that_its_rows_got(database: Database) -> None:
    """Whoever opens a gap can close it."""
    gap = GapRow(subscription_id="a", started_at=1.0, reason="lost")
    async with running(database) as ref:
        numbers = await ref.call(Commit([AddGap(gap), PutMetrics([]), AddGap(gap)]))
        found = await ref.call(Read(list_gaps))

    assert ((1, None, 2), [2, 1]) == (numbers, [one.id for one in found])


async def test_a_question_that_fails_harms_nobody(database: Database) -> None:
    """The asker is told; the writer lives."""
    async with running(database) as ref:
        with pytest.raises(StoreError, match="no such table: missing"):
            await ref.call(Read(lambda db: db.tables.execute("SELECT * FROM missing")))
        with pytest.raises(StoreError, match="it takes Commit and Read"):
            await ref.call("something else")

        assert [] == await ref.call(Read(list_events))


async def test_a_lock_is_waited_out(
    lock: sqlite3.Connection, database: Database, subscription: MakeSubscription
) -> None:
    """A backup that holds the file for a moment costs a moment; questions are answered meanwhile."""
    async with running(database) as ref, anyio.create_task_group() as group:
        group.start_soon(ref.call, Commit([PutSubscription(subscription())]))
        ref.cast(event("cast"))
        meanwhile = await ref.call(Read(list_events))
        lock.execute("COMMIT")
        await ref.call(event("after"))
        found = await ref.call(Read(lambda db: (kinds(db), list_subscriptions(db))))

        assert ([], ["after", "cast"], 1) == (meanwhile, found[0], len(found[1]))


async def test_a_caller_that_waited_too_long_is_told_and_nothing_is_written_later(
    lock: sqlite3.Connection,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    subscription: MakeSubscription,
) -> None:
    """`StoreError` means no: the commit does not appear behind the caller's back. What nobody waits for stays."""
    monkeypatch.setattr(writer, "PATIENCE", 0.02)
    async with running(database) as ref:
        ref.cast(event("kept"))
        with pytest.raises(StoreError, match="database is locked"):
            await ref.call(Commit([PutSubscription(subscription())]))
        lock.execute("COMMIT")
        monkeypatch.setattr(writer, "PATIENCE", 10.0)
        await ref.call(event("after"))
        found = await ref.call(Read(lambda db: (kinds(db), list_subscriptions(db))))

    assert (["after", "kept"], []) == found


async def test_a_full_disk_is_waited_out(database: Database, impatient: None) -> None:
    """What came while the disk was full is there when it has space again."""

    def limit(db: Database, pages: int) -> None:
        db.tables.execute(f"PRAGMA max_page_count = {pages}")

    big = Commit([AddEvent(EventRow(at=1.0, kind="big", detail={"text": "x" * 100_000}))])
    async with running(database) as ref:
        await ref.call(Read(lambda db: limit(db, 1)))
        ref.cast(big)
        ref.cast(event("small"))
        meanwhile = await ref.call(Read(kinds))
        await ref.call(Read(lambda db: limit(db, 100_000)))
        await ref.call(event("after"))

        assert ([], ["after", "small", "big"]) == (meanwhile, await ref.call(Read(kinds)))


async def test_what_is_given_up_is_counted_and_told(
    lock: sqlite3.Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait is bounded: the oldest casts go first, and the ledger of events says how many."""
    monkeypatch.setattr(writer, "MAX_WAITING", 3)
    async with running(database) as ref:
        for number in range(5):
            ref.cast(event(f"cast {number}"))
        await ref.call(Read(kinds))
        lock.execute("COMMIT")
        await ref.call(event("after"))
        found = await ref.call(Read(list_events))

    told = {event.kind: event.detail for event in found}
    # The retry may come before the last commit does, which then pushes nothing out.
    kept = [f"cast {number}" for number in range(5) if f"cast {number}" in told]
    assert kept in (["cast 2", "cast 3", "cast 4"], ["cast 3", "cast 4"])
    assert {*kept, "after", "commits_lost"} == set(told)
    assert {"commits": 5 - len(kept)} == told["commits_lost"]


async def test_a_copy_that_cannot_be_written_delays_no_caller_and_follows(
    database: Database, copy: Path, monkeypatch: pytest.MonkeyPatch, subscription: MakeSubscription
) -> None:
    """The database holds it; the copy is written as soon as the disk has space."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "RETRY_DELAYS", (1000.0,))
    async with running(database, desired=copy) as ref:
        await ref.call(event("first"))
        with monkeypatch.context() as patch:
            patch.setattr(desired, "replace_file", full)
            await ref.call(Commit([PutSubscription(subscription())]))
        before = ids(copy)
        await ref.call(event("next"))

    assert ([], ["a"]) == (before, ids(copy))


async def test_any_other_failure_crashes_the_writer_and_the_next_one_goes_on(
    database: Database, path: Path, copy: Path, subscription: MakeSubscription
) -> None:
    """Callers are told at once; the new writer opens the file anew and knows what is desired."""
    with anyio.fail_after(20):
        tree = Running(database, desired=copy)
        async with tree.supervisor:
            first = await tree.incarnation(1)
            await first.call(Commit([PutSubscription(subscription("a"))]))
            with closing(sqlite3.connect(path)) as other:
                other.execute("ALTER TABLE marks RENAME TO elsewhere")
                with pytest.raises(StoreError, match="no such table"):
                    await first.call(Commit([PutSubscription(subscription("lost"))]))
                second = await tree.incarnation(2)
                other.execute("ALTER TABLE elsewhere RENAME TO marks")
            await second.call(Commit([PutSubscription(subscription("b"))]))

            assert (False, ["a", "b"], ["a", "b"]) == (first.alive, on_disk(path), ids(copy))


async def test_a_crash_keeps_a_database_in_memory(subscription: MakeSubscription) -> None:
    """The same code without a file: what was committed is there for the next writer."""

    def once() -> Sequence[Change]:
        if not crashed:
            crashed.append(True)
            raise RuntimeError("a bug in collecting")
        return ()

    crashed: list[bool] = []
    with closing(Database.open(":memory:")) as database, anyio.fail_after(20):
        with database.transaction():
            apply(database, [PutSubscription(subscription())])
        tree = Running(database, collect=once, flush_interval=0.01)
        async with tree.supervisor:
            second = await tree.incarnation(2)
            found = await second.call(Read(list_subscriptions))

            assert ["a"] == [row.id for row in found]


async def test_counters_are_written_every_interval(
    database: Database, subscription: MakeSubscription
) -> None:
    """`kill -9` loses at most one interval of counters; the time of the flush is the last proof of life."""
    collected = anyio.Event()

    def collect() -> Sequence[Change]:
        if collected.is_set():
            return ()
        collected.set()
        return [PutMetrics([MetricsRow(subscription_id="a", message_count=42)])]

    async with running(database, collect=collect, flush_interval=0.01, now=lambda: NOW) as ref:
        await ref.call(Commit([PutSubscription(subscription())]))
        await collected.wait()
        found, at = await ref.call(Read(lambda db: (get_metrics(db, "a"), flushed_at(db))))

    assert (42, NOW) == (found[1].message_count, at)


async def test_an_idle_writer_still_proves_that_it_lives(database: Database) -> None:
    """A gap over a dead daemon starts at its last flush, also when nothing was to be counted."""
    times = iter(range(1, 1_000_000))
    asked = anyio.Event()

    def collect() -> Sequence[Change]:
        asked.set()
        return ()

    async with running(database, collect=collect, flush_interval=0.01, now=lambda: float(next(times))) as ref:
        await asked.wait()
        before = await ref.call(Read(flushed_at))
        while await ref.call(Read(flushed_at)) == before:
            await anyio.lowlevel.checkpoint()

    assert before >= 1.0


async def test_counters_that_wait_for_a_lock_are_not_asked_for_again(
    lock: sqlite3.Connection, database: Database, subscription: MakeSubscription
) -> None:
    """What changed stays marked as changed until it can be written; nothing is collected and forgotten."""
    asked: list[int] = []
    thrice = anyio.Event()

    def collect() -> Sequence[Change]:
        asked.append(len(asked) + 1)
        if len(asked) == 3:
            thrice.set()
        return [PutMetrics([MetricsRow(subscription_id="a", message_count=len(asked))])]

    async with running(database, collect=collect, flush_interval=0.01) as ref:
        ref.cast(Commit([PutSubscription(subscription())]))
        while not asked:
            await ref.call(Read(kinds))
        five_intervals_later = anyio.current_time() + 0.05
        while anyio.current_time() < five_intervals_later:
            await ref.call(Read(kinds))
        while_locked = len(asked)
        lock.execute("COMMIT")
        await thrice.wait()

    assert 1 == while_locked


async def test_the_end_writes_counters_and_all_that_waits(
    database: Database, path: Path, subscription: MakeSubscription
) -> None:
    """An orderly stop loses nothing."""
    metrics = PutMetrics([MetricsRow(subscription_id="a", message_count=9)])
    async with running(database, collect=lambda: [metrics], now=lambda: NOW) as ref:
        ref.cast(Commit([PutSubscription(subscription())]))

    with closing(Database.read_only(path)) as reader:
        found = get_metrics(reader, "a")
        at = flushed_at(reader)
    assert found is not None
    assert (9, NOW) == (found[1].message_count, at)


async def test_an_end_that_cannot_write_tells_its_callers(
    lock: sqlite3.Connection,
    database: Database,
    subscription: MakeSubscription,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody waits for ever, and the log says how much was lost."""
    errors: list[Exception] = []

    async def send(ref: Ref) -> None:
        try:
            await ref.call(Commit([PutSubscription(subscription())]))
        except (StoreError, CallExitError) as error:
            errors.append(error)

    with caplog.at_level(logging.ERROR, logger="wsmgr.manager.store"):
        async with anyio.create_task_group() as group, running(database) as ref:
            group.start_soon(send, ref)
            ref.cast(event("lost"))
            await ref.call(Read(kinds))

    assert [StoreError] == [type(error) for error in errors]
    assert ["wsmgr.manager.store"] == [record.name for record in caplog.records]


async def test_history_is_purged_soon_after_the_start_and_then_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that is restarted every half hour purges too."""
    monkeypatch.setattr(writer, "MAINTENANCE_DELAY", 0.01)
    monkeypatch.setattr(writer, "MAINTENANCE_INTERVAL", 0.01)
    old = EventRow(at=0.0, kind="old")
    async with running(database) as ref:
        for _ in range(2):
            await ref.call(Commit([AddEvent(old), AddEvent(attrs.evolve(old, at=4e9, kind="young"))]))
            while "old" in await ref.call(Read(kinds)):
                await anyio.lowlevel.checkpoint()

        assert ["young", "young"] == await ref.call(Read(kinds))
