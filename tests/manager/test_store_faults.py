"""The manager while the disk under its store is not well: streams go on, nothing is forgotten, and it heals."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import to_thread

from wsmgr.actors import Killed
from wsmgr.manager.daemon.health import Pulse, StoreHealth
from wsmgr.manager.manager import Manager
from wsmgr.manager.model.errors import StateDirectoryError
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.runtime import scribe
from wsmgr.manager.runtime.store_client import list_events, list_gaps
from wsmgr.manager.store import history, outage, queries, sql, writer
from wsmgr.manager.store.changes import AddEvent, apply
from wsmgr.manager.store.committer import Read
from wsmgr.manager.store.database import Database
from wsmgr.manager.store.desired import read_desired
from wsmgr.manager.store.errors import StoreError
from wsmgr.manager.store.history import EventsAsked, GapsAsked
from wsmgr.manager.store.recovery import recover
from wsmgr.manager.store.rows import EventRow
from wsmgr.manager.store.state_directory import StateDirectory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator

    from tests.conftest import StartSimulator
    from wsmgr.manager.runtime.handle import Subscription
    from wsmgr.manager.store.rows import GapRow
    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

DEADLINE = 15.0
LATE = 1.0
"""Seconds after which a message would be late; the disk under these tests is out for much longer."""
FACT = Fact(kind="action", venue="hyperliquid", detail={"outcome": "answered"})
HOLD = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


def may_mount() -> bool:
    """Whether file systems can be mounted here."""
    return sys.platform == "linux" and os.geteuid() == 0 and shutil.which("mount") is not None


needs_mount = pytest.mark.skipif(not may_mount(), reason="only root may mount a small disk")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer looks, gives up and tries again sooner, so that a test is short."""
    monkeypatch.setattr(scribe, "FLUSH_INTERVAL", 0.1)
    monkeypatch.setattr(writer, "PATIENCE", 0.5)
    monkeypatch.setattr(writer, "BUSY_TIMEOUT", 0.05)
    monkeypatch.setattr(sql, "BUSY_TIMEOUT", 0.05)
    monkeypatch.setattr(outage, "LOCK_PATIENCE", 0.2)
    monkeypatch.setattr(outage, "RETRY_DELAYS", (0.02,))


@pytest.fixture
def state_dir(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 2 MiB of space."""
    disk = tmp_path / "disk"
    disk.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", disk)
    try:
        yield disk
    finally:
        run("umount", "-l", disk)


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, timeout=DEADLINE)


class Running:
    """A manager with one kept book, and what a test asks about it."""

    def __init__(self, manager: Manager, simulator: SimulatorThread, book: Subscription) -> None:
        self.manager = manager
        self.simulator = simulator
        self.book = book
        self.last = 0

    async def advance(self, count: int = 1) -> None:
        """Wait for messages of the book, without a hole among them."""
        for _ in range(count):
            message = await self.book.next(timeout=DEADLINE)
            assert self.last + 1 == message.seq
            assert time.time() - message.received_at < LATE
            self.last = message.seq

    async def until(self, kind: str) -> EventRow:
        """Wait for an event while the stream goes on, and return it."""
        while True:
            found = await self.events(kind)
            if found:
                return found[0]
            await self.advance()

    async def events(self, kind: str | None = None) -> list[EventRow]:
        return await list_events(self.manager.engine.context, EventsAsked(kind=kind))

    async def gaps(self) -> list[GapRow]:
        return await list_gaps(self.manager.engine.context, GapsAsked(subscription_id=self.book.id))

    async def interrupt(self) -> None:
        """Cut the socket and wait until the stream is back: one more gap."""
        self.simulator.kill(None)
        message = await self.book.next(timeout=DEADLINE, where=lambda found: found.gap is not None)
        self.last = message.seq

    async def refuse_to_keep(self) -> str:
        """Try to keep another subscription; returns why it was refused."""
        with pytest.raises(StoreError) as caught:
            await self.manager.subscribe("trades", coin="ETH", keep=True, wait="none")
        return str(caught.value)

    async def kept(self) -> list[str]:
        """Return the types that are kept, as the manager says it."""
        return [view.type for view in self.manager.list_subscriptions() if view.kept]


@asynccontextmanager
async def running(simulator: SimulatorThread, state_dir: Path) -> AsyncIterator[Running]:
    """Run a manager whose stream goes on; no test waits longer than this."""
    with anyio.fail_after(60):
        async with Manager(url=simulator.address.url, state_dir=state_dir) as manager:
            book = await manager.subscribe("l2Book", coin="BTC", keep=True, policy="drop_oldest")
            found = Running(manager, simulator, book)
            await found.advance(3)
            yield found


@pytest.fixture
def simulator(start_simulator: StartSimulator) -> SimulatorThread:
    return start_simulator(rate=100)


@contextmanager
def full(disk: Path) -> Generator[None]:
    """Leave no byte free on a disk while inside."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)
    assert 0 == shutil.disk_usage(disk).free
    yield
    filler.unlink()


@contextmanager
def held(database: Path) -> Generator[None]:
    """Let another process hold the database's lock while inside."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert b"held\n" == process.stdout.readline()
        yield
    finally:
        process.communicate(timeout=DEADLINE)


def overwrite(path: Path, start: int, end: int | None = None) -> None:
    """Overwrite bytes of a file in place, as a failing disk would."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(start)
        file.write(b"\xa5" * ((size if end is None else end) - start))


def checkpoint(database: Path) -> None:
    """Have the write-ahead log written into the file itself."""
    with closing(sqlite3.connect(database)) as other:
        assert (0, 0, 0) == other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def read_disk(state_dir: Path) -> tuple[list[str], int, list[str]]:
    """Return what another process reads: the kept types, how many gaps, and the kinds of events."""
    with closing(Database.read_only(state_dir / "wsmgr.db")) as database:
        kept = [row.type for row in queries.list_desired(database)]
        kinds = [event.kind for event in queries.list_events(database, limit=None)]
        return kept, len(queries.list_gaps(database)), kinds


async def on_disk(state_dir: Path) -> tuple[list[str], int, list[str]]:
    """Return the same, while the loop goes on."""
    return await to_thread.run_sync(read_disk, state_dir)


def copied(state_dir: Path) -> list[str]:
    """Return the kept types in the copy."""
    return [one.type for one in read_desired(state_dir / "desired.json") or ()]


async def check_outage_and_healing(
    found: Running, state_dir: Path, wrong: Any, fault: str, words: str
) -> dict[str, Any]:
    """Check what holds for every fault that lasts: inside `wrong` nothing can be written."""
    with wrong:
        degraded = await found.until("store_degraded")
        assert ("error", fault) == (degraded.level, degraded.detail["fault"])
        told = Pulse(found.manager.engine).health().store
        assert f"{degraded.detail['why']}; {degraded.detail['advice']}" == told.trouble
        assert told.since is not None
        assert abs(degraded.at - told.since.timestamp()) < 1.0
        assert degraded.detail["advice"]
        await found.interrupt()
        with anyio.fail_after(5):
            assert words in await found.refuse_to_keep()
        assert ["l2Book"] == await found.kept()
        assert [True] == [gap.ended_at is not None for gap in await found.gaps()]
        assert 1 == len([one for one in await found.events() if one.kind == "connection_lost"])
        await found.advance(30)
        assert 1 == len(await found.events("store_degraded"))
        assert [] == await found.events("loop_blocked")
    healed = await found.until("store_healed")
    assert healed.detail["seconds"] > 0
    assert StoreHealth(trouble=None, since=None) == Pulse(found.manager.engine).health().store
    assert (0, 0) == (healed.detail["events_lost"], healed.detail["gaps_lost"])
    while "store_healed" not in (await on_disk(state_dir))[2]:
        await found.advance()
    kept, gaps, kinds = await on_disk(state_dir)
    assert (["l2Book"], ["l2Book"], 1) == (kept, copied(state_dir), gaps)
    assert 1 == kinds.count("store_degraded") == kinds.count("connection_lost")
    await found.manager.subscribe("trades", coin="ETH", keep=True, wait="none")
    assert {"l2Book", "trades"} == set((await on_disk(state_dir))[0]) == set(copied(state_dir))
    return dict(healed.detail)


@needs_mount
async def test_a_full_disk(simulator: SimulatorThread, small_disk: Path) -> None:
    """What waited is written as soon as there is space; a small file system that is really full."""
    async with running(simulator, small_disk) as found:
        await check_outage_and_healing(found, small_disk, full(small_disk), "full", "make space")


async def test_a_lock_that_is_held_for_long(simulator: SimulatorThread, state_dir: Path) -> None:
    """By another process, as a backup or somebody's shell does."""
    async with running(simulator, state_dir) as found:
        lock = held(state_dir / "wsmgr.db")
        await check_outage_and_healing(found, state_dir, lock, "locked", "end the program that holds")


async def test_an_outage_in_which_the_writer_was_killed_ends_like_any_other(
    simulator: SimulatorThread, state_dir: Path
) -> None:
    """The next writer goes on with it: it is told once that it began, and once that it is over."""
    async with running(simulator, state_dir) as found:
        with held(state_dir / "wsmgr.db"):
            await found.until("store_degraded")
            killed = found.manager.engine.context.writer
            assert killed is not None
            killed.exit(Killed())
            await killed.monitor().wait()
        healed = await found.until("store_healed")
        assert healed.detail["seconds"] > 0
        assert 1 == len(await found.events("store_degraded")) == len(await found.events("store_healed"))
        assert None is found.manager.engine.context.store_trouble


@needs_mount
async def test_a_disk_that_became_read_only(simulator: SimulatorThread, state_dir: Path) -> None:
    """The file can be opened for reading only, as after the system has found errors on a disk."""

    @contextmanager
    def read_only(manager: Manager) -> Generator[None]:
        run("mount", "--bind", state_dir, state_dir)
        run("mount", "-o", "remount,ro,bind", state_dir)
        # Files that were open stay writable on such a mount, unlike on a disk with errors: open them anew.
        assert manager.engine.context.writer is not None
        manager.engine.context.writer.exit(Killed())
        try:
            yield
        finally:
            run("umount", "-l", state_dir)

    async with running(simulator, state_dir) as found:
        mount = read_only(found.manager)
        await check_outage_and_healing(found, state_dir, mount, "read-only", "writable again")


async def test_a_connection_that_may_not_write_is_opened_anew(
    simulator: SimulatorThread, state_dir: Path
) -> None:
    """The file is well, only the connection to it is not."""
    async with running(simulator, state_dir) as found:
        ref = found.manager.engine.context.writer
        assert ref is not None
        await ref.call(Read(lambda database: database.tables.execute("PRAGMA query_only = 1")))
        degraded = await found.until("store_degraded")
        await found.until("store_healed")
        await found.manager.subscribe("trades", coin="ETH", keep=True, wait="none")
    assert "read-only" == degraded.detail["fault"]
    assert {"l2Book", "trades"} == set((await on_disk(state_dir))[0])


def remove_database(state_dir: Path) -> None:
    (state_dir / "wsmgr.db").unlink()


def remove_all_of_the_database(state_dir: Path) -> None:
    for end in ("", "-wal", "-shm"):
        (state_dir / f"wsmgr.db{end}").unlink()


def remove_log(state_dir: Path) -> None:
    (state_dir / "wsmgr.db-wal").unlink()


def remove_directory(state_dir: Path) -> None:
    shutil.rmtree(state_dir)


def replace_database(state_dir: Path) -> None:
    other = state_dir / "other"
    Database.open(other).close()
    other.rename(state_dir / "wsmgr.db")


def empty_database(state_dir: Path) -> None:
    os.truncate(state_dir / "wsmgr.db", 0)


@pytest.mark.parametrize(
    ("lose", "history_kept"),
    [
        (remove_database, True),
        (remove_all_of_the_database, True),
        (remove_log, True),
        (remove_directory, True),
        (replace_database, True),
        (empty_database, False),
    ],
)
async def test_a_database_that_is_gone_is_made_anew(
    simulator: SimulatorThread, state_dir: Path, lose: Callable[[Path], None], history_kept: bool
) -> None:
    """A removed file goes on being written in vain: it is noticed, and what is still open is copied to a new one."""
    async with running(simulator, state_dir) as found:
        await found.interrupt()
        await found.manager.engine.context.record(FACT)
        numbers = [event.id for event in await found.events()]
        await to_thread.run_sync(lose, state_dir)
        healed = await found.until("store_healed")
        await found.until("store_degraded")
        ended = await found.manager.subscribe("trades", coin="ETH", keep=True, wait="none")
        await found.manager.unsubscribe(ended.id)
        await found.manager.subscribe("trades", coin="SOL", keep=True, wait="none")
        assert history_kept is healed.detail["history_kept"]
        if lose is remove_directory:
            await found.until("lock_lost")
        assert StateDirectory(state_dir).holder() == os.getpid()
        assert set(numbers) <= {event.id for event in await found.events()}
        gaps = len(await found.gaps())
    kept, _, kinds = await on_disk(state_dir)
    assert ({"l2Book", "trades"}, 1) == (set(kept), gaps)
    # The second connection was lost because the manager ended.
    assert (2, 1) == (kinds.count("connection_lost"), kinds.count("action"))
    assert (0o700, 0o600) == (mode(state_dir), mode(state_dir / "wsmgr.db"))
    assert {"l2Book", "trades"} == set(copied(state_dir))
    assert (state_dir / "state.json").exists()
    async with Manager(url=simulator.address.url, state_dir=state_dir) as manager:
        assert {"BTC", "SOL"} == {view.params["coin"] for view in manager.list_subscriptions()}


def fill(state_dir: Path) -> None:
    """Leave so much history that a manager does not know all of it by heart."""
    directory = StateDirectory(state_dir)
    directory.prepare()
    recovery = recover(directory)
    rows = [EventRow(at=4e9, kind="old", detail={"text": "x" * 3000}) for _ in range(3000)]
    with recovery.database.transaction():
        apply(recovery.database, map(AddEvent, rows))
    recovery.database.close()


async def read_all(manager: Manager) -> int:
    """Read every event, page by page, and return how many there are."""
    count, before = 0, None
    while True:
        page = await list_events(manager.engine.context, EventsAsked(before=before))
        if not page:
            return count
        count, before = count + len(page), page[-1].id


async def test_damage_that_is_met_while_reading(simulator: SimulatorThread, state_dir: Path) -> None:
    """The damaged file is moved aside; what is kept, and what this process knows, is in the new one."""
    fill(state_dir)
    async with running(simulator, state_dir) as found:
        await found.interrupt()
        while (await on_disk(state_dir))[1] < 1:
            await found.advance()
        checkpoint(state_dir / "wsmgr.db")
        size = (state_dir / "wsmgr.db").stat().st_size
        overwrite(state_dir / "wsmgr.db", size // 2, size // 2 + 1_000_000)
        known = [event.id for event in await found.events()]
        await read_all(found.manager)
        degraded = await found.until("store_degraded")
        healed = await found.until("store_healed")
        assert "damaged" == degraded.detail["fault"]
        assert False is healed.detail["history_kept"]
        assert Path(healed.detail["moved_aside"]).name.startswith("wsmgr.db.damaged-")
        assert 1 == len(await found.gaps())
        await found.manager.subscribe("trades", coin="ETH", keep=True, wait="none")
        assert {"l2Book", "trades"} == set((await on_disk(state_dir))[0]) == set(copied(state_dir))
        number = (await found.events())[0].id
        assert number is not None
        assert number > max(id_ or 0 for id_ in known)
        counted = found.manager.get_metrics(found.book.id).message_count
    with closing(Database.read_only(state_dir / "wsmgr.db")) as database:
        stored = queries.get_metrics(database, found.book.id)
    assert stored is not None
    assert stored[1].message_count >= counted
    aside = Path(healed.detail["moved_aside"])
    with closing(sqlite3.connect(aside)) as old, pytest.raises(sqlite3.DatabaseError, match="malformed"):
        old.execute("SELECT total(length(detail)) FROM events").fetchone()


@pytest.mark.parametrize(("start", "end"), [(0, 100), (0, 16), (16, 18)])
async def test_a_damaged_header_is_found_though_nothing_needs_it(
    simulator: SimulatorThread, state_dir: Path, start: int, end: int
) -> None:
    """A connection knows the first page by heart; the next start would find a file that is no database."""
    async with running(simulator, state_dir) as found:
        await found.interrupt()
        while (await on_disk(state_dir))[1] < 1:
            await found.advance()
        # Between the checkpoint and the next commit the file alone is the database.
        checkpoint(state_dir / "wsmgr.db")
        overwrite(state_dir / "wsmgr.db", start, end)
        await found.until("store_degraded")
        await found.until("store_healed")
        await found.advance(5)
    kept, gaps, kinds = await on_disk(state_dir)
    # The end of the manager is a gap too, and the end of a connection.
    assert (["l2Book"], 2, 2) == (kept, gaps, kinds.count("connection_lost"))
    assert ["l2Book"] == copied(state_dir)


async def test_what_stands_beside_the_database_is_put_back(
    simulator: SimulatorThread, state_dir: Path
) -> None:
    """The copy, the marker and the lock: each is there for the day on which something else fails."""
    async with running(simulator, state_dir) as found:
        (state_dir / "wsmgr.pid").unlink()
        (state_dir / "state.json").unlink()
        (state_dir / "desired.json").write_text("{}")
        lost = await found.until("lock_lost")
        while copied(state_dir) != ["l2Book"] or not (state_dir / "state.json").exists():
            await found.advance()
        assert "it was taken again" in lost.detail["why"]
        assert StateDirectory(state_dir).holder() == os.getpid()
        with pytest.raises(StateDirectoryError, match="is held by the process"):
            async with Manager(url=simulator.address.url, state_dir=state_dir):
                pass
        assert [] == await found.events("store_degraded")
    assert None is StateDirectory(state_dir).holder()


async def test_a_lock_that_another_manager_took_is_told_once(
    simulator: SimulatorThread, state_dir: Path
) -> None:
    """Two managers write one directory, because somebody removed the lock between them: the older one says so."""
    other = StateDirectory(state_dir)
    async with running(simulator, state_dir) as found:
        (state_dir / "wsmgr.pid").unlink()
        with other.locked():
            (state_dir / "wsmgr.pid").write_text("1\n")
            lost = await found.until("lock_lost")
            await found.advance(50)
            assert "held by the process 1" in lost.detail["why"]
            assert 1 == len(await found.events("lock_lost"))


async def test_a_record_does_not_wait_for_a_disk_that_is_known_to_be_full(
    simulator: SimulatorThread, state_dir: Path
) -> None:
    """An action is not held up by what cannot be written; it is written down when it can be."""
    async with running(simulator, state_dir) as found:
        with held(state_dir / "wsmgr.db"):
            await found.until("store_degraded")
            with anyio.fail_after(0.3):
                await found.manager.engine.context.record(FACT)
            assert 1 == len(await found.events("action")) == len(await found.events("recorded_late"))
        await found.until("store_healed")
        while "action" not in (await on_disk(state_dir))[2]:
            await found.advance()


async def test_what_is_given_up_is_counted_and_told(
    simulator: SimulatorThread, state_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory is bounded, the oldest goes first, and a gap is not given up for events."""
    monkeypatch.setattr(history, "WAITING", 5)
    async with running(simulator, state_dir) as found:
        with held(state_dir / "wsmgr.db"):
            await found.until("store_degraded")
            for number in range(20):
                found.manager.engine.context.note(Fact(kind="noise", detail={"number": number}))
            kept = [event.detail["number"] for event in await found.events("noise")]
            assert [19, 18, 17, 16, 15] == kept
            await found.interrupt()
            assert 1 == len(await found.gaps())
        healed = await found.until("store_healed")
        await found.until("events_lost")
        told = sum(event.detail["count"] for event in await found.events("events_lost"))
    assert healed.detail["events_lost"] >= 15
    assert told >= healed.detail["events_lost"]
    assert 0 == healed.detail["gaps_lost"]


async def test_a_fault_at_the_end_loses_no_kept_subscription(
    simulator: SimulatorThread, state_dir: Path
) -> None:
    """A manager that is left while nothing can be written ends in time; what was acknowledged is there."""
    with ExitStack() as until_after_the_end:
        async with running(simulator, state_dir) as found:
            until_after_the_end.enter_context(held(state_dir / "wsmgr.db"))
            await found.until("store_degraded")
            leaving = anyio.current_time()
        assert anyio.current_time() - leaving < 5
    async with Manager(url=simulator.address.url, state_dir=state_dir) as manager:
        assert ["l2Book"] == [view.type for view in manager.list_subscriptions()]
