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
from wsmgr.manager.store import committer, desired, outage, sql, writer
from wsmgr.manager.store.changes import (
    FLUSHED,
    AddEvent,
    AddGap,
    Change,
    CloseSubscription,
    Mark,
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
from wsmgr.manager.store.source import FLUSH
from wsmgr.manager.store.state_directory import StateDirectory
from wsmgr.manager.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Sequence
    from pathlib import Path

    from wsmgr.actors import Event
    from wsmgr.manager.store.desired import DesiredSubscription

    from .conftest import MakeSubscription

pytestmark = pytest.mark.anyio
Ref = ActorRef[Any]
NOW = 5000.0


class Pile:
    """A source: facts that wait, and counters as a test makes them up."""

    def __init__(self, counters: Callable[[], Sequence[Change]] = tuple) -> None:
        self.counters = counters
        self.waiting: list[Change] = []
        self.given: list[Change] = []

    @property
    def waits(self) -> bool:
        return bool(self.waiting)

    def facts(self) -> Sequence[Change]:
        self.given, self.waiting = [*self.given, *self.waiting], []
        return self.given

    def written(self) -> None:
        self.given = []

    def collect_all(self) -> None:
        self.waiting, self.given = [*self.given, *self.waiting], []

    def desired(self) -> Sequence[DesiredSubscription]:
        return ()

    def put(self, ref: Ref, commit: Commit) -> None:
        """Let changes wait, and tell the writer."""
        self.waiting += commit.changes
        ref.cast(FLUSH)


class Pieces(Pile):
    """A source that gives one thing at a time."""

    def facts(self) -> Sequence[Change]:
        if not self.given and self.waiting:
            self.given = [self.waiting.pop(0)]
        return self.given


class Running:
    """A writer under a supervisor that starts another when it crashes."""

    def __init__(self, database: Database, pile: Pile | None = None, **options: Any) -> None:
        self.started: list[Ref] = []
        self._changed = anyio.Event()
        source = pile or Pile()
        spec = ChildSpec(
            "writer", lambda: Writer(database, source, **{"flush_interval": 1000.0, **options}), shutdown=30.0
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
async def running(database: Database, pile: Pile | None = None, **options: Any) -> AsyncGenerator[Ref]:
    """A writer that nothing happens to; each test ends in time."""
    with anyio.fail_after(20):
        tree = Running(database, pile, **options)
        async with tree.supervisor:
            yield await tree.incarnation(1)


@pytest.fixture
def home(tmp_path: Path) -> StateDirectory:
    """The directory that the database is in."""
    return StateDirectory(tmp_path)


@pytest.fixture
def copy(home: StateDirectory) -> Path:
    return home.desired


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock fails at once, and is tried again soon."""
    monkeypatch.setattr(sql, "BUSY_TIMEOUT", 0.0)
    monkeypatch.setattr(writer, "BUSY_TIMEOUT", 0.0)
    monkeypatch.setattr(outage, "RETRY_DELAYS", (0.005,))


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
    database: Database, path: Path, copy: Path, home: StateDirectory, subscription: MakeSubscription
) -> None:
    """Desired state is on disk before the caller is told, and once more in desired.json."""
    async with running(database, directory=home) as ref:
        await ref.call(Commit([PutSubscription(subscription("a")), PutSubscription(subscription("b"))]))
        assert (["a", "b"], ["a", "b"]) == (on_disk(path), ids(copy))

        await ref.call(Commit([CloseSubscription(id="a", at=2.0)]))
        assert (["b"], ["b"]) == (on_disk(path), ids(copy))


async def test_only_kept_subscriptions_are_in_the_copy(
    database: Database, copy: Path, home: StateDirectory, subscription: MakeSubscription
) -> None:
    """A held one is not brought back; one that is kept no longer leaves the copy."""
    async with running(database, directory=home) as ref:
        await ref.call(
            Commit([PutSubscription(subscription("a")), PutSubscription(subscription("b", kept=False))])
        )
        assert ["a"] == ids(copy)

        await ref.call(Commit([PutSubscription(subscription("a", kept=False))]))
        assert [] == ids(copy)


async def test_the_copy_is_left_alone_where_nothing_in_it_changed(
    database: Database, copy: Path, home: StateDirectory, subscription: MakeSubscription
) -> None:
    """A subscription that goes live and stale and live again costs no second file."""
    async with running(database, directory=home) as ref:
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
    pile = Pile()
    async with running(database, pile) as ref:
        for number in range(100):
            pile.put(ref, Commit([PutSubscription(subscription(epoch=number, state=f"state {number}"))]))
        await ref.call(Commit([PutSubscription(subscription(epoch=100, state="last"))]))
        (row,) = await ref.call(Read(list_subscriptions))

    assert (100, "last") == (row.epoch, row.state)


async def test_what_the_source_cannot_give_at_once_is_fetched_in_parts_and_once(database: Database) -> None:
    """One word to the writer is enough; what was written is not asked for again, and what is left follows."""
    pieces = Pieces()
    pieces.waiting = [AddEvent(EventRow(at=1.0, kind=f"event {number}")) for number in range(4)]
    async with running(database, pieces) as ref:
        ref.cast(FLUSH)
        while pieces.waits or pieces.given:
            await anyio.lowlevel.checkpoint()
        assert ["event 3", "event 2", "event 1", "event 0"] == await ref.call(Read(kinds))


async def test_an_end_fetches_all_the_parts(database: Database, path: Path) -> None:
    """Whatever is left at the source when the writer is stopped is written."""
    pieces = Pieces()
    async with running(database, pieces):
        pieces.waiting = [AddEvent(EventRow(at=1.0, kind=f"event {number}")) for number in range(4)]
    with closing(Database.read_only(path)) as reader:
        assert ["event 3", "event 2", "event 1", "event 0"] == kinds(reader)


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
    pile = Pile()
    async with running(database, pile) as ref, anyio.create_task_group() as group:
        group.start_soon(ref.call, Commit([PutSubscription(subscription())]))
        pile.put(ref, event("cast"))
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
    pile = Pile()
    async with running(database, pile) as ref:
        pile.put(ref, event("kept"))
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
    pile = Pile()
    async with running(database, pile) as ref:
        await ref.call(Read(lambda db: limit(db, 1)))
        pile.put(ref, big)
        pile.put(ref, event("small"))
        meanwhile = await ref.call(Read(kinds))
        await ref.call(Read(lambda db: limit(db, 100_000)))
        await ref.call(event("after"))

        assert ([], ["after", "small", "big"]) == (meanwhile, await ref.call(Read(kinds)))


async def test_a_lock_of_a_moment_is_told_to_nobody_and_a_long_one_once(
    lock: sqlite3.Connection,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Who reads the log at night is woken for what lasts, by one line, and hears of its end."""

    def lines() -> list[str]:
        return [record.levelname for record in caplog.records if record.name == "wsmgr.manager.store"]

    pile = Pile()
    async with running(database, pile) as ref:
        for patience, expected in ((1000.0, []), (0.0, ["ERROR", "WARNING"])):
            monkeypatch.setattr(outage, "LOCK_PATIENCE", patience)
            pile.put(ref, event("waiting"))
            tries = anyio.current_time() + 0.05
            while anyio.current_time() < tries:
                await ref.call(Read(kinds))
            lock.execute("COMMIT")
            await ref.call(event("after"))
            assert expected == lines()
            lock.execute("BEGIN IMMEDIATE")
        lock.execute("ROLLBACK")


async def test_where_too_many_wait_the_next_one_is_refused_at_once(
    lock: sqlite3.Connection, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait is bounded; who was there before is still served."""
    monkeypatch.setattr(writer, "MAX_WAITING", 2)
    async with running(database) as ref, anyio.create_task_group() as group:
        for number in range(2):
            group.start_soon(ref.call, event(f"waiting {number}"))
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(StoreError, match="2 commits wait already"):
            await ref.call(event("one too many"))
        lock.execute("COMMIT")

        while len(await ref.call(Read(kinds))) < 2:
            await anyio.lowlevel.checkpoint()
        assert {"waiting 1", "waiting 0"} == set(await ref.call(Read(kinds)))


async def test_a_question_that_has_another_source_is_answered_from_it(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets what the database says, or None where that cannot be read; a question that is wrong is refused."""

    def kinds_or_nothing(found: list[str] | None) -> str:
        return "nothing" if found is None else f"{len(found)} events"

    def unreadable(_database: Database) -> list[str]:
        raise OSError(5, "Input/output error")

    def wrong(_database: Database) -> list[str]:
        raise TypeError("a bug in the question")

    async with running(database) as ref:
        await ref.call(event("one"))
        assert "1 events" == await ref.call(Read(kinds, kinds_or_nothing))
        assert "nothing" == await ref.call(Read(unreadable, kinds_or_nothing))
        with pytest.raises(StoreError, match="a bug in the question"):
            await ref.call(Read(wrong, kinds_or_nothing))
        with pytest.raises(StoreError, match="Input/output error"):
            await ref.call(Read(unreadable))


async def test_a_database_that_cannot_be_opened_is_an_outage_and_no_crash(
    database: Database,
    path: Path,
    copy: Path,
    home: StateDirectory,
    impatient: None,
    subscription: MakeSubscription,
) -> None:
    """A writer that starts over a file that is gone makes it anew, with what the copy says."""
    desired.write_desired(copy, [desired.DesiredSubscription.of(subscription("kept"))])
    database.close()
    for end in ("", "-wal", "-shm"):
        path.with_name(f"wsmgr.db{end}").unlink(missing_ok=True)
    pile = Pile()
    async with running(database, pile, directory=home) as ref:
        pile.put(ref, Commit([AddEvent(EventRow(id=1, at=1.0, kind="after"))]))
        while (await ref.call(Read(kinds, lambda found: found or []))) != ["after"]:
            await anyio.lowlevel.checkpoint()
        assert (["kept"], True) == (on_disk(path), ref.alive)


async def test_a_copy_that_cannot_be_written_delays_no_caller_and_follows(
    database: Database,
    copy: Path,
    home: StateDirectory,
    monkeypatch: pytest.MonkeyPatch,
    subscription: MakeSubscription,
) -> None:
    """The database holds it; the copy is written as soon as the disk has space."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outage, "RETRY_DELAYS", (1000.0,))
    async with running(database, directory=home) as ref:
        await ref.call(event("first"))
        with monkeypatch.context() as patch:
            patch.setattr(desired, "replace_file", full)
            await ref.call(Commit([PutSubscription(subscription())]))
        before = ids(copy)
        await ref.call(event("next"))

    assert ([], ["a"]) == (before, ids(copy))


async def test_a_bug_crashes_the_writer_and_the_next_one_goes_on(
    database: Database,
    path: Path,
    copy: Path,
    home: StateDirectory,
    monkeypatch: pytest.MonkeyPatch,
    subscription: MakeSubscription,
) -> None:
    """Callers are told at once; the new writer opens the file anew and knows what is desired."""

    def misuse(*_: object) -> None:
        raise sqlite3.InterfaceError("a bug in a statement")

    with anyio.fail_after(20):
        tree = Running(database, directory=home)
        async with tree.supervisor:
            first = await tree.incarnation(1)
            await first.call(Commit([PutSubscription(subscription("a"))]))
            with monkeypatch.context() as patch:
                patch.setattr(committer, "mark_first", misuse)
                with pytest.raises(StoreError, match="a bug in a statement"):
                    await first.call(Commit([PutSubscription(subscription("lost"))]))
            second = await tree.incarnation(2)
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
        tree = Running(database, Pile(once), flush_interval=0.01)
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

    async with running(database, Pile(collect), flush_interval=0.01, now=lambda: NOW) as ref:
        await ref.call(Commit([PutSubscription(subscription())]))
        await collected.wait()
        found, at = await ref.call(Read(lambda db: (get_metrics(db, "a"), flushed_at(db))))

    assert (42, NOW) == (found[1].message_count, at)


async def test_an_idle_writer_still_proves_that_it_lives(database: Database) -> None:
    """A gap over a dead daemon starts at its last flush, also when nothing was to be counted."""
    times = iter(range(1, 1_000_000))

    def collect() -> Sequence[Change]:
        return [Mark(FLUSHED, NOW + next(times))]

    async with running(database, Pile(collect), flush_interval=0.01, now=lambda: NOW) as ref:
        while (await ref.call(Read(flushed_at)) or 0.0) < NOW + 3:
            await anyio.lowlevel.checkpoint()


async def test_counters_that_wait_for_a_lock_are_not_asked_for_again(
    lock: sqlite3.Connection, database: Database
) -> None:
    """What changed stays marked as changed until it can be written; nothing is collected and forgotten."""
    asked: list[int] = []
    thrice = anyio.Event()

    def collect() -> Sequence[Change]:
        asked.append(len(asked) + 1)
        if len(asked) == 3:
            thrice.set()
        return [PutMetrics([MetricsRow(subscription_id="a", message_count=len(asked))])]

    async with running(database, Pile(collect), flush_interval=0.01) as ref:
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
    pile = Pile(lambda: [metrics])
    async with running(database, pile, now=lambda: NOW) as ref:
        pile.put(ref, Commit([PutSubscription(subscription())]))

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
        pile = Pile()
        async with anyio.create_task_group() as group, running(database, pile) as ref:
            group.start_soon(send, ref)
            pile.put(ref, event("lost"))
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
