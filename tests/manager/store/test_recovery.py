"""Recovery: what a manager starts from, whatever happened to the files."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from wsmgr.manager.model.errors import StateDirectoryError
from wsmgr.manager.store import rebuilding, schema
from wsmgr.manager.store import recovery as recovery_module
from wsmgr.manager.store.changes import PutMetrics, PutSubscription, apply
from wsmgr.manager.store.desired import DesiredSubscription, read_desired, write_desired
from wsmgr.manager.store.errors import DatabaseVersionError
from wsmgr.manager.store.queries import get_metrics, list_subscriptions
from wsmgr.manager.store.recovery import Found, Recovery, Source, decide, in_memory, recover, start_fresh
from wsmgr.manager.store.rows import MetricsRow
from wsmgr.manager.store.state_directory import StateDirectory

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from .conftest import MakeSubscription

NAMES = ("wsmgr.db", "desired.json", "state.json")


@pytest.fixture
def used(directory: StateDirectory, subscription: MakeSubscription) -> StateDirectory:
    """A directory that a manager used: a kept, a held and a closed subscription, with counters."""
    rows = [
        subscription("kept", epoch=4),
        subscription("held", kept=False),
        subscription("ended", state="closed"),
    ]
    recovery = recover(directory, now=1.0)
    with recovery.database.transaction():
        apply(recovery.database, [*map(PutSubscription, rows)])
        apply(recovery.database, [PutMetrics([MetricsRow(subscription_id="kept", message_count=7)])])
    recovery.database.close()
    write_desired(directory.desired, [DesiredSubscription.of(rows[0])])
    return directory


def ids(recovery: Recovery) -> list[str]:
    found = [row.id for row in list_subscriptions(recovery.database)]
    recovery.database.close()
    return found


def contents(directory: StateDirectory) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in directory.path.iterdir()}


def damage(path: Path) -> None:
    path.write_bytes(b"x" * 5000)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def test_the_first_start_is_empty_and_leaves_its_mark(directory: StateDirectory) -> None:
    """From then on a missing database is a loss, not a beginning."""
    recovery = recover(directory, now=0.0)

    assert (Source.NEW, 0, None, None) == (
        recovery.source,
        recovery.restored,
        recovery.moved_aside,
        recovery.why,
    )
    assert [] == ids(recovery)
    assert {"wsmgr.db", "desired.json", "state.json"} == set(contents(directory))
    assert b'{"created_at":"1970-01-01T00:00:00Z"}\n' == directory.marker.read_bytes()


def test_a_whole_database_is_used_with_all_its_history(used: StateDirectory) -> None:
    """Old ids, old counts, also of what nobody keeps."""
    recovery = recover(used)

    found = get_metrics(recovery.database, "kept")
    assert found is not None
    assert (Source.DATABASE, 7, None) == (recovery.source, found[1].message_count, recovery.moved_aside)
    assert ["held", "kept"] == ids(recovery)


def test_a_whole_database_wins_over_the_copy_and_renews_it(used: StateDirectory) -> None:
    """The copy follows the database; one that is behind, missing or damaged is written anew."""
    for spoil in (lambda path: write_desired(path, ()), Path.unlink, damage):
        spoil(used.desired)

        recovery = recover(used)

        copy = read_desired(used.desired)
        assert copy is not None
        assert (["held", "kept"], ["kept"]) == (ids(recovery), [one.id for one in copy])


@pytest.mark.parametrize("loss", [Path.unlink, damage, empty])
def test_without_a_database_the_copy_decides(used: StateDirectory, loss: Callable[[Path], None]) -> None:
    """Every kept subscription is back under its id, and the damaged file is there to be looked at."""
    loss(used.database)

    recovery = recover(used, now=0.0)

    (row,) = list_subscriptions(recovery.database)
    recovery.database.close()
    assert (Source.COPY, 1, "kept", 4, "pending", True) == (
        recovery.source,
        recovery.restored,
        row.id,
        row.epoch,
        row.state,
        row.kept,
    )
    assert recovery.why is not None
    if loss is damage:
        aside = used.path / "wsmgr.db.damaged-19700101T000000Z"
        assert (aside, b"x" * 5000) == (recovery.moved_aside, aside.read_bytes())


@pytest.mark.parametrize(
    ("module", "step"),
    [
        (rebuilding, "apply"),
        (rebuilding, "move_aside"),
        (rebuilding, "sync_directory"),
        (recovery_module, "write_desired"),
    ],
)
def test_a_recovery_that_dies_halfway_is_done_again(
    used: StateDirectory, monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str
) -> None:
    """A second crash during a start, wherever it comes, never leaves a whole and empty database behind."""

    def die(*_: object) -> None:
        raise OSError(28, "No space left on device")

    damage(used.database)
    with monkeypatch.context() as patch:
        patch.setattr(module, step, die)
        with pytest.raises(StateDirectoryError, match=r"cannot be written: .*No space"):
            recover(used)

    assert ["kept"] == ids(recover(used))
    assert 1 == len([name for name in contents(used) if name.startswith("wsmgr.db.damaged")])


def test_what_a_killed_recovery_left_is_not_in_the_way(used: StateDirectory) -> None:
    """The half of a new database is made anew, never taken up."""
    damage(used.database)
    damage(used.path / "wsmgr.db.new")

    assert ["kept"] == ids(recover(used))
    assert not (used.path / "wsmgr.db.new").exists()


def test_what_was_moved_aside_keeps_its_log(used: StateDirectory) -> None:
    """The write-ahead log of the lost database must not be played into the new one."""
    used.database.unlink()
    wal = used.path / "wsmgr.db-wal"
    wal.write_bytes(b"theirs")

    recovery = recover(used, now=0.0)

    assert ["kept"] == ids(recovery)
    assert b"theirs" == (used.path / "wsmgr.db.missing-19700101T000000Z-wal").read_bytes()


@pytest.mark.parametrize(
    ("database_loss", "copy_loss"),
    list(itertools.product([Path.unlink, damage], repeat=2)),
    ids=lambda loss: loss.__name__,
)
def test_with_neither_the_start_is_refused_and_nothing_is_changed(
    used: StateDirectory, database_loss: Callable[[Path], None], copy_loss: Callable[[Path], None]
) -> None:
    """A manager never starts empty over a directory that was not, and says how to begin anew."""
    database_loss(used.database)
    copy_loss(used.desired)
    before = contents(used)

    with pytest.raises(StateDirectoryError, match="wsmgr db init --fresh"):
        recover(used)

    assert before == contents(used)


def test_a_newer_database_is_refused_though_there_is_a_copy(used: StateDirectory) -> None:
    """It is whole: taking the copy instead would throw its history away."""
    recovery = recover(used)
    recovery.database.tables.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    recovery.database.close()
    before = contents(used)

    with pytest.raises(DatabaseVersionError):
        recover(used)

    assert before == contents(used)


@pytest.mark.parametrize("marker", [True, False])
@pytest.mark.parametrize("copy", Found)
@pytest.mark.parametrize("database", Found)
def test_a_start_is_empty_only_where_nothing_was(database: Found, copy: Found, marker: bool) -> None:
    """The whole table: the database where it is good, else the copy where it is good, else empty or refused."""
    nothing = database is copy is Found.MISSING and not marker
    expected = (
        Source.DATABASE
        if database is Found.GOOD
        else Source.COPY
        if copy is Found.GOOD
        else Source.NEW
        if nothing
        else None
    )

    assert expected == decide(database=database, copy=copy, marker=marker)


def test_a_fresh_start_keeps_what_was(used: StateDirectory) -> None:
    """`wsmgr db init --fresh` renames; whoever regrets it renames back."""
    damage(used.database)
    damage(used.desired)

    moved = start_fresh(used, now=0.0)

    assert [f"{name}.before-fresh-19700101T000000Z" for name in NAMES] == [path.name for path in moved]
    assert {path.name for path in moved} == set(contents(used))
    assert Source.NEW is recover_and_close(used)


def recover_and_close(directory: StateDirectory) -> Source:
    recovery = recover(directory)
    recovery.database.close()
    return recovery.source


def test_two_moves_in_one_second_do_not_meet(used: StateDirectory) -> None:
    """The second name has a number."""
    first = start_fresh(used, now=0.0)
    recover_and_close(used)

    second = start_fresh(used, now=0.0)

    assert [f"{path.name}-2" for path in first] == [path.name for path in second]


def test_a_state_in_memory_is_empty_and_writable(subscription: MakeSubscription) -> None:
    """The embedded manager without a state directory runs the same code."""
    recovery = in_memory()
    with recovery.database.transaction():
        apply(recovery.database, [PutSubscription(subscription())])

    assert ["a"] == ids(recovery)


def tear_log(directory: StateDirectory) -> None:
    """Cut the write-ahead log of a killed manager in the middle of its last commit."""
    log = directory.database.with_name("wsmgr.db-wal")
    os.truncate(log, log.stat().st_size - 2000)


@pytest.fixture
def killed(used: StateDirectory, tmp_path: Path, subscription: MakeSubscription) -> StateDirectory:
    """The directory as a manager leaves it that is killed: its last two commits are in the write-ahead log alone."""
    recovery = recover(used, now=2.0)
    for name in ("second", "third"):
        with recovery.database.transaction():
            apply(recovery.database, [PutSubscription(subscription(name))])
    left = StateDirectory(tmp_path / "killed")
    left.prepare()
    for name in (*NAMES, "wsmgr.db-wal"):
        shutil.copy(used.path / name, left.path / name)
    recovery.database.close()
    return left


def test_what_is_in_the_log_of_a_killed_manager_is_there(killed: StateDirectory) -> None:
    """An acknowledged commit is in the log, and in the file later."""
    assert ["held", "kept", "second", "third"] == ids(recover(killed))


def test_a_log_that_is_torn_costs_the_commit_that_was_never_acknowledged(killed: StateDirectory) -> None:
    """Everything before it is whole: the database is used, and nothing is moved aside."""
    tear_log(killed)

    recovery = recover(killed)

    assert (Source.DATABASE, None) == (recovery.source, recovery.moved_aside)
    assert ["held", "kept", "second"] == ids(recovery)


@pytest.mark.parametrize("name", ["wsmgr.db", "desired.json", "state.json"])
def test_a_directory_in_the_place_of_a_file_is_refused_and_left_alone(
    used: StateDirectory, name: str
) -> None:
    """Not ours to move; where the database can do without it, it is said that it cannot be written."""
    path = used.path / name
    path.unlink()
    (path / "somebodys").mkdir(parents=True)

    if name == "state.json":
        # It stands, and that is all that it is for.
        assert ["held", "kept"] == ids(recover(used))
    else:
        with pytest.raises(StateDirectoryError, match=name):
            recover(used)
    assert (path / "somebodys").is_dir()


def test_an_empty_file_under_a_marker_without_a_copy_is_refused(used: StateDirectory) -> None:
    """It is what a crash of the file system leaves, and no first start."""
    empty(used.database)
    used.desired.unlink()
    before = contents(used)

    with pytest.raises(StateDirectoryError, match=r"missing.*`wsmgr db init --fresh`"):
        recover(used)

    assert before == contents(used)


@pytest.mark.parametrize("spoil", [damage, empty, Path.unlink])
def test_both_damaged_is_refused_with_the_way_out(
    used: StateDirectory, spoil: Callable[[Path], None]
) -> None:
    """Nothing is changed, and the message says what can be done; after it the next start is empty."""
    spoil(used.database)
    damage(used.desired)
    before = contents(used)

    with pytest.raises(StateDirectoryError, match=r"desired\.json.*`wsmgr db init --fresh`"):
        recover(used)

    assert before == contents(used)
    start_fresh(used)
    assert Source.NEW is recover_and_close(used)


def test_a_copy_of_an_older_wsmgr_is_read(used: StateDirectory) -> None:
    """It does not say on how many sockets, nor whether on its own: one, shared."""
    used.database.unlink()
    document = json.loads(used.desired.read_bytes())
    for one in document["subscriptions"]:
        del one["redundancy"], one["dedicated"]
    used.desired.write_text(json.dumps(document))

    recovery = recover(used)

    (row,) = list_subscriptions(recovery.database)
    recovery.database.close()
    assert ("kept", 4, 1, False) == (row.id, row.epoch, row.redundancy, row.dedicated)
