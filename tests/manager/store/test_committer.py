"""The committer: what it finds out about the disk, and how it mends it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from wsmgr.manager.store import rebuilding
from wsmgr.manager.store.changes import FLUSHED, AddEvent, CloseSubscription, Mark, PutSubscription, apply
from wsmgr.manager.store.committer import Commit, Committer
from wsmgr.manager.store.database import Database
from wsmgr.manager.store.desired import DesiredSubscription, read_desired
from wsmgr.manager.store.errors import CorruptDatabaseError, MovedDatabaseError
from wsmgr.manager.store.faults import Fault, FaultKind
from wsmgr.manager.store.queries import flushed_at, list_desired, list_events
from wsmgr.manager.store.recovery import Source, recover
from wsmgr.manager.store.rows import EventRow

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from wsmgr.manager.store.state_directory import StateDirectory

    from .conftest import MakeSubscription

NOW = 2_000.0
GONE = Fault(FaultKind.GONE, "it is gone")
DAMAGED = Fault(FaultKind.DAMAGED, "it is damaged")


@pytest.fixture
def committer(directory: StateDirectory, subscription: MakeSubscription) -> Generator[Committer]:
    """One that has written: two kept subscriptions, of which one has ended, and an event."""
    recovery = recover(directory)
    committer = Committer(recovery.database, directory)
    committer.connect()
    committer.commit(
        [Commit([PutSubscription(subscription("kept", epoch=3, redundancy=2, dedicated=True))])], NOW
    )
    committer.commit([Commit([PutSubscription(subscription("ended"))])], NOW)
    event = EventRow(id=7, at=1.0, kind="old")
    committer.commit([Commit([CloseSubscription(id="ended", at=2.0), AddEvent(event)])], NOW)
    committer.write_copy(NOW)
    yield committer
    recovery.database.close()


def kept(database: Database) -> list[tuple[str, int, int, bool]]:
    return [(row.id, row.epoch, row.redundancy, row.dedicated) for row in list_desired(database)]


def as_others_see_it(path: Path) -> tuple[list[tuple[str, int, int, bool]], list[int | None]]:
    with closing(Database.read_only(path)) as database:
        return kept(database), [event.id for event in list_events(database)]


WHOLE = [("kept", 3, 2, True)]


@pytest.mark.parametrize("end", ["", "-wal", "-shm"])
def test_a_file_that_is_not_under_its_name_any_more_takes_no_commit(
    committer: Committer, directory: StateDirectory, subscription: MakeSubscription, end: str
) -> None:
    """A removed file can be written without an error, and nobody would ever read it."""
    directory.database.with_name(f"wsmgr.db{end}").unlink()

    with pytest.raises(MovedDatabaseError):
        committer.commit([Commit([PutSubscription(subscription("lost"))])], NOW)
    with pytest.raises(MovedDatabaseError):
        committer.look()
    rebuilt = committer.mend(GONE, NOW)

    assert rebuilt is not None
    assert rebuilt.history_kept
    assert (WHOLE, [7]) == as_others_see_it(directory.database)
    assert NOW == flushed_at(committer.database)
    committer.commit([Commit([PutSubscription(subscription("new"))])], NOW + 1.0)
    assert ["kept", "new"] == [row[0] for row in as_others_see_it(directory.database)[0]]


def test_only_who_knows_what_was_heard_marks_a_later_time(
    committer: Committer, directory: StateDirectory
) -> None:
    """A commit that moved the mark would claim that every socket had been heard until then; the first one has no other."""
    assert NOW == flushed_at(committer.database)
    committer.commit([Commit([AddEvent(EventRow(at=1.0, kind="later"))])], NOW + 10.0)
    assert NOW == flushed_at(committer.database)
    committer.commit([Commit([Mark(FLUSHED, NOW + 9.0)])], NOW + 20.0)
    assert NOW + 9.0 == flushed_at(committer.database)
    directory.database.unlink()
    committer.mend(GONE, NOW + 30.0)
    assert NOW + 9.0 == flushed_at(committer.database)


def test_looking_at_an_emptied_file_does_not_remove_its_log(
    committer: Committer, directory: StateDirectory
) -> None:
    """SQLite removes the log of an empty database that it opens; here it holds the newest commits."""
    os.truncate(directory.database, 0)

    with pytest.raises(MovedDatabaseError):
        committer.look()

    assert directory.database.with_name("wsmgr.db-wal").stat().st_size > 0


def test_a_file_that_stands_in_its_place_is_kept_aside(
    committer: Committer, directory: StateDirectory
) -> None:
    """Somebody put a backup there, under a manager that runs: what is subscribed now wins, and the backup is not lost."""
    backup = directory.path / "backup"
    Database.open(backup).close()
    content = backup.read_bytes()
    backup.rename(directory.database)

    rebuilt = committer.mend(GONE, 0.0)

    assert rebuilt is not None
    aside = directory.path / "wsmgr.db.replaced-19700101T000000Z"
    assert (aside, content) == (rebuilt.moved_aside, aside.read_bytes())
    assert (WHOLE, [7]) == as_others_see_it(directory.database)


def test_what_was_never_acknowledged_is_not_kept_by_the_copy(
    committer: Committer, directory: StateDirectory, subscription: MakeSubscription
) -> None:
    """A commit that failed after it had reached the file: its caller heard no, and no it is."""
    with committer.database.transaction():
        apply(committer.database, [PutSubscription(subscription("refused"))])
    directory.database.unlink()

    rebuilt = committer.mend(GONE, NOW)

    assert rebuilt is not None
    assert rebuilt.history_kept
    assert WHOLE == as_others_see_it(directory.database)[0]


def test_a_damaged_file_is_made_anew_from_what_was_acknowledged(
    committer: Committer, directory: StateDirectory
) -> None:
    """Exactly the kept subscriptions, as they were asked for; an ended one does not come back."""
    with closing(sqlite3.connect(directory.database)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with directory.database.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(os.fstat(file.fileno()).st_size - 4096))
    with pytest.raises(CorruptDatabaseError):
        committer.look()

    rebuilt = committer.mend(DAMAGED, 0.0)

    assert rebuilt is not None
    assert not rebuilt.history_kept
    assert "wsmgr.db.damaged-19700101T000000Z" == (rebuilt.moved_aside or directory.path).name
    assert (WHOLE, []) == as_others_see_it(directory.database)
    committer.look()


def test_a_file_that_is_whole_is_opened_anew_and_nothing_else(
    committer: Committer, directory: StateDirectory
) -> None:
    """Somebody's error is not a reason to throw a database away."""
    before = directory.database.stat().st_ino
    committer.database.tables.execute("PRAGMA query_only = 1")

    assert None is committer.mend(DAMAGED, NOW)

    assert before == directory.database.stat().st_ino
    committer.commit([Commit([CloseSubscription(id="kept", at=3.0)])], NOW)
    assert ([], [7]) == as_others_see_it(directory.database)


@pytest.mark.parametrize("step", ["apply", "move_aside", "sync_directory"])
def test_mending_that_dies_halfway_leaves_what_a_start_can_use(
    committer: Committer, directory: StateDirectory, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Killed at any point of it, the next start has every kept subscription."""
    directory.database.unlink()

    def die(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(rebuilding, step, die)
        with pytest.raises(OSError, match="No space"):
            committer.mend(GONE, NOW)
    recovery = recover(directory)
    found = kept(recovery.database)
    recovery.database.close()

    assert WHOLE == found
    assert Source.NEW is not recovery.source


def test_mending_is_tried_again_until_it_works(
    committer: Committer, directory: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full while the database is made anew costs time, not history."""
    directory.database.unlink()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(rebuilding, "copy_database", full)
        for _ in range(3):
            with pytest.raises(OSError, match="No space"):
                committer.mend(GONE, NOW)
    rebuilt = committer.mend(GONE, NOW)

    assert rebuilt is not None
    assert rebuilt.history_kept
    assert (WHOLE, [7]) == as_others_see_it(directory.database)


@pytest.mark.parametrize("copy_is_there", [True, False])
def test_a_new_writer_on_a_broken_disk_learns_what_is_kept(
    committer: Committer, directory: StateDirectory, subscription: MakeSubscription, copy_is_there: bool
) -> None:
    """From the copy, and where that is gone as well, from the memory of the manager: never from nothing."""
    committer.database.close()
    directory.database.write_bytes(b"damaged " * 1000)
    if not copy_is_there:
        directory.desired.unlink()
    in_memory = DesiredSubscription.of(subscription("remembered"))
    following = Committer(committer.database, directory, lambda: [in_memory])
    with pytest.raises(CorruptDatabaseError):
        following.connect()

    following.mend(DAMAGED, NOW)

    expected = "kept" if copy_is_there else "remembered"
    assert [expected] == [row[0] for row in as_others_see_it(directory.database)[0]]
    following.write_copy(NOW)
    assert [expected] == [one.id for one in read_desired(directory.desired) or ()]


def remove_copy(directory: StateDirectory) -> None:
    directory.desired.unlink()


def change_copy(directory: StateDirectory) -> None:
    directory.desired.write_text("{}")


def remove_marker(directory: StateDirectory) -> None:
    directory.marker.unlink()


@pytest.mark.parametrize("spoil", [remove_copy, change_copy, remove_marker])
def test_what_stands_beside_the_database_is_written_again(
    committer: Committer, directory: StateDirectory, spoil: Callable[[StateDirectory], None]
) -> None:
    """A copy that somebody removed or changed, and the marker; what is as it was is left alone."""
    due = []
    for change in (lambda _: None, spoil):
        change(directory)
        committer.look()
        due.append(committer.copy_due)
    committer.write_copy(NOW)

    assert [False, True] == due
    assert ["kept"] == [one.id for one in read_desired(directory.desired) or ()]
    assert directory.marker.exists()


def test_a_copy_that_cannot_be_written_leaves_no_half_file(
    committer: Committer,
    directory: StateDirectory,
    monkeypatch: pytest.MonkeyPatch,
    subscription: MakeSubscription,
) -> None:
    """On a full disk it would take the space that the next attempt needs."""
    committer.commit([Commit([PutSubscription(subscription("more"))])], NOW)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            committer.write_copy(NOW)

    assert [] == list(directory.path.glob("*.new"))
    assert ["kept"] == [one.id for one in read_desired(directory.desired) or ()]
    assert committer.copy_due


def test_a_database_in_memory_has_nothing_to_mend(subscription: MakeSubscription) -> None:
    """It is its connection."""
    with closing(Database.open(":memory:")) as database:
        committer = Committer(database)
        committer.connect()
        committer.commit([Commit([PutSubscription(subscription())])], NOW)
        committer.look()
        assert None is committer.mend(DAMAGED, NOW)
        assert ["a"] == [row.id for row in list_desired(database)]
        committer.write_copy(NOW)
