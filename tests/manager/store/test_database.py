"""Opening a database: what is refused, what is promised."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from contextlib import closing
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from wsmgr.manager.model.errors import StateDirectoryError
from wsmgr.manager.store import schema
from wsmgr.manager.store.changes import AddEvent, PutSubscription, apply
from wsmgr.manager.store.database import Database
from wsmgr.manager.store.errors import CorruptDatabaseError, DatabaseVersionError, MissingDatabaseError
from wsmgr.manager.store.queries import list_events, list_subscriptions
from wsmgr.manager.store.rows import EventRow

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import MakeSubscription


def pragma(database: Database, name: str) -> object:
    return database.tables.execute(f"PRAGMA {name}").fetchone()[0]


def test_a_commit_waits_for_the_disk(database: Database) -> None:
    """Write-ahead log with synchronous=FULL (2): a commit that returned survives a loss of power."""
    assert ("wal", 2) == (pragma(database, "journal_mode"), pragma(database, "synchronous"))


def test_the_file_is_its_owners_alone(database: Database, path: Path) -> None:
    """Accounts and addresses are in it."""
    modes = {stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.glob("wsmgr.db*")}

    assert {0o600} == modes


def test_a_transaction_that_fails_leaves_nothing(database: Database, subscription: MakeSubscription) -> None:
    """An error in the middle takes back what came before it."""
    twice = [
        PutSubscription(subscription("a")),
        PutSubscription(subscription("b", key=subscription("a").key)),
    ]

    with pytest.raises(sqlite3.IntegrityError), database.transaction():
        apply(database, twice)

    assert [] == list_subscriptions(database)


def test_a_file_of_a_newer_version_is_refused_untouched(database: Database, path: Path) -> None:
    """An old binary must not damage what it does not understand: not one byte changes, and no file is added."""
    database.tables.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    database.close()
    before = path.read_bytes()

    with pytest.raises(DatabaseVersionError, match=f"has version {schema.VERSION + 1}"):
        Database.open(path)

    assert (before, [path]) == (path.read_bytes(), list(path.parent.iterdir()))


def test_a_newer_file_that_was_killed_is_refused_untouched(
    database: Database, path: Path, tmp_path: Path
) -> None:
    """The newer version may be in the write-ahead log only; neither the file nor the log is changed."""
    database.tables.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    killed = tmp_path / "killed"
    killed.mkdir()
    for name in ("wsmgr.db", "wsmgr.db-wal"):
        shutil.copy(path.with_name(name), killed / name)
    before = {name: (killed / name).read_bytes() for name in ("wsmgr.db", "wsmgr.db-wal")}

    with pytest.raises(DatabaseVersionError):
        Database.open(killed / "wsmgr.db")

    assert before == {name: (killed / name).read_bytes() for name in before}


def test_a_file_whose_making_was_killed_is_taken_up(database: Database, path: Path, tmp_path: Path) -> None:
    """SQLite takes back the half of a transaction that a crash left in a rollback journal."""
    database.close()
    killed = tmp_path / "killed"
    killed.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as making:
        making.executescript("PRAGMA journal_mode = DELETE; PRAGMA cache_size = 1; BEGIN;")
        making.executemany("INSERT INTO marks VALUES (?, 1)", [(f"{number:0500}",) for number in range(200)])
        for name in ("wsmgr.db", "wsmgr.db-journal"):
            shutil.copy(path.with_name(name), killed / name)
        making.execute("ROLLBACK")

    taken_up = Database.open(killed / "wsmgr.db")

    assert 0 == taken_up.tables.execute("SELECT count(*) FROM marks").fetchone()[0]
    taken_up.close()


def test_another_programs_database_is_refused_untouched(path: Path) -> None:
    """A path given by mistake costs nobody their data."""
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (a)")
    other.commit()
    other.close()
    before = path.read_bytes()

    with pytest.raises(StateDirectoryError, match="another program's database"):
        Database.open(path)

    assert before == path.read_bytes()


@pytest.mark.parametrize("damage", ["no database", "a page"])
def test_a_damaged_file_is_refused_untouched(
    database: Database, path: Path, subscription: MakeSubscription, damage: str
) -> None:
    """Damage is found when the file is opened, not when the row is needed."""
    with database.transaction():
        apply(database, [PutSubscription(subscription(f"id{number:04}")) for number in range(200)])
    database.close()
    content = bytearray(path.read_bytes())
    if damage == "a page":
        content[8192:-4096] = os.urandom(len(content) - 8192 - 4096)
    else:
        content[:100] = b"x" * 100
    path.write_bytes(content)

    with pytest.raises(CorruptDatabaseError, match="damaged"):
        Database.open(path)

    assert bytes(content) == path.read_bytes()


def test_a_file_that_cannot_be_opened_is_an_error_with_its_name(tmp_path: Path) -> None:
    """A directory in the place of the file is not damage, and is not moved aside."""
    with pytest.raises(StateDirectoryError, match="cannot be opened") as caught:
        Database.open(tmp_path)

    assert not isinstance(caught.value, CorruptDatabaseError)


def test_reading_where_nothing_was_written_says_so(tmp_path: Path) -> None:
    """`wsmgr list` on a machine where no daemon ran."""
    (tmp_path / "empty.db").touch()

    for name in ("missing.db", "empty.db"):
        with pytest.raises(MissingDatabaseError, match=name):
            Database.read_only(tmp_path / name)


def test_a_reader_does_not_wait_for_a_writer_and_sees_only_whole_commits(
    database: Database, path: Path, subscription: MakeSubscription
) -> None:
    """`wsmgr list` answers while a daemon is in the middle of a transaction, with what was committed before."""
    with database.transaction():
        apply(database, [PutSubscription(subscription("before"))])
    reader = Database.read_only(path)

    with database.transaction():
        apply(database, [PutSubscription(subscription("during"))])
        seen_during = [row.id for row in list_subscriptions(reader)]
    seen_after = [row.id for row in list_subscriptions(reader)]

    assert (["before"], ["before", "during"]) == (seen_during, seen_after)
    reader.close()


def test_a_reader_answers_while_another_thread_writes_without_pause(database: Database, path: Path) -> None:
    """Each answer is a prefix of what was written: no row is missing in the middle, none is torn."""
    stop = Event()

    def write() -> None:
        while not stop.is_set():
            with database.transaction():
                apply(
                    database, [AddEvent(EventRow(at=1.0, kind="one")), AddEvent(EventRow(at=1.0, kind="two"))]
                )

    with database.transaction():
        apply(database, [AddEvent(EventRow(at=1.0, kind="one")), AddEvent(EventRow(at=1.0, kind="two"))])
    thread = Thread(target=write)
    thread.start()
    try:
        seen = []
        for _ in range(50):
            reader = Database.read_only(path)
            seen.append([event.id for event in list_events(reader, limit=None)])
            reader.close()
    finally:
        stop.set()
        thread.join()

    assert seen == [list(range(len(ids), 0, -1)) for ids in seen]
    assert {0} == {len(ids) % 2 for ids in seen}


def test_a_reader_cannot_write(database: Database, path: Path) -> None:
    """Reading a daemon's database can never change it."""
    reader = Database.read_only(path)

    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.tables.execute("DELETE FROM subscriptions")
    reader.close()


def test_reading_a_file_of_another_version_is_refused(database: Database, path: Path) -> None:
    """Columns that this version does not know are not guessed."""
    database.tables.execute(f"PRAGMA user_version = {schema.VERSION + 1}")

    with pytest.raises(DatabaseVersionError, match="or a newer one"):
        Database.read_only(path)


def test_reconnecting_keeps_a_database_in_memory(subscription: MakeSubscription) -> None:
    """A database in memory is its connection: a new writer goes on with it."""
    database = Database.open(":memory:")
    with database.transaction():
        apply(database, [PutSubscription(subscription())])

    database.reconnect()

    assert ["a"] == [row.id for row in list_subscriptions(database)]
    database.close()
