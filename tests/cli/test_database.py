"""`wsmgr db`: whether the state is whole, a copy of it, a newer version of it, and the way out where it cannot be used."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from wsmgr.manager.store import schema
from wsmgr.manager.store.changes import AddGap, PutSubscription, apply
from wsmgr.manager.store.database import Database
from wsmgr.manager.store.desired import DesiredSubscription, write_desired
from wsmgr.manager.store.queries import list_desired
from wsmgr.manager.store.recovery import Source, recover
from wsmgr.manager.store.rows import GapRow, SubscriptionRow
from wsmgr.manager.store.state_directory import StateDirectory

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli

FILES = ("desired.json", "state.json", "wsmgr.db")
DAMAGED = b"neither SQLite nor JSON" * 100


ROW = SubscriptionRow(
    id="abcdefghij",
    venue="hyperliquid",
    type="trades",
    key="hyperliquid/trades?coin=BTC",
    params={"coin": "BTC"},
    connection_class="shared",
    kept=True,
    subscribed_at=1.0,
    updated_at=1.0,
)


@pytest.fixture
def whole(state_dir: Path) -> StateDirectory:
    """A state directory that a manager has left in order, with one kept subscription."""
    directory = StateDirectory(state_dir)
    directory.prepare()
    recovery = recover(directory)
    with recovery.database.transaction():
        apply(recovery.database, [PutSubscription(ROW)])
    recovery.database.close()
    write_desired(directory.desired, [DesiredSubscription.of(ROW)])
    return directory


def make_old(directory: StateDirectory) -> None:
    """Let the database be as version 1 made it."""
    for end in ("", "-wal", "-shm"):
        directory.database.with_name(directory.database.name + end).unlink(missing_ok=True)
    first = schema.MIGRATIONS[0]
    with closing(sqlite3.connect(directory.database)) as old:
        old.executescript(first.sql)
        old.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        old.execute("PRAGMA user_version = 1")
        values = (ROW.id, ROW.venue, ROW.type, ROW.key, '{"coin":"BTC"}', "shared", 1, "live", 4, 1.0, 1.0)
        old.execute(
            "INSERT INTO subscriptions (id, venue, type, key, params, connection_class, kept, state, epoch,"
            " subscribed_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        old.commit()


@pytest.fixture
def damaged(state_dir: Path) -> StateDirectory:
    """A state directory of which nothing can be read."""
    directory = StateDirectory(state_dir)
    directory.prepare()
    for name in FILES:
        (state_dir / name).write_bytes(DAMAGED)
    return directory


def contents(directory: StateDirectory) -> list[bytes]:
    return [(directory.path / name).read_bytes() for name in FILES]


def test_the_way_out_that_a_refused_start_names_is_there(damaged: StateDirectory, cli: Cli) -> None:
    """Exit code 0, each file is told where it is now, none is lost, and the next start is empty."""
    refused = cli("daemon", "run")
    assert 1 == refused.code
    assert "`wsmgr db init --fresh`" in refused.err
    outcome = cli("db", "init", "--fresh")
    assert (0, b"") == (outcome.code, outcome.out), outcome
    moved = sorted(damaged.path.glob("*.before-fresh-*"))
    assert [*FILES] == [path.name.partition(".before-fresh-")[0] for path in moved]
    assert {f"moved aside: {path}" for path in moved} == set(outcome.err.splitlines())
    assert [DAMAGED] * 3 == [path.read_bytes() for path in moved]
    recovery = recover(damaged)
    recovery.database.close()
    assert Source.NEW is recovery.source


def test_without_fresh_it_says_what_it_would_do_and_does_nothing(damaged: StateDirectory, cli: Cli) -> None:
    """Nobody loses what is subscribed by trying out a command."""
    outcome = cli("db", "init")
    assert (2, b"") == (outcome.code, outcome.out)
    assert all(word in outcome.err for word in (*FILES, str(damaged.path), "--fresh"))
    assert [DAMAGED] * 3 == contents(damaged)


def test_where_there_is_no_state_nothing_is_made(state_dir: Path, cli: Cli) -> None:
    """A directory that is named by mistake is not there afterwards; an empty one is left empty of state."""
    absent = cli("db", "init", "--fresh")
    assert (0, b"", False) == (absent.code, absent.out, state_dir.exists())
    assert str(state_dir) in absent.err
    state_dir.mkdir()
    empty = cli("db", "init", "--fresh")
    assert 0 == empty.code
    assert "nothing to move aside" in empty.err


def test_a_daemon_that_runs_keeps_its_state(damaged: StateDirectory, cli: Cli) -> None:
    """Whoever holds the directory is named, and no file under it is moved."""
    with damaged.locked():
        outcome = cli("db", "init", "--fresh")
    assert (1, b"") == (outcome.code, outcome.out)
    assert f"held by the process {os.getpid()}" in outcome.err
    assert [DAMAGED] * 3 == contents(damaged)


def test_a_whole_state_is_said_to_be_whole(whole: StateDirectory, cli: Cli) -> None:
    """Exit code 0, the numbers that matter, and not a file more than before."""
    before = sorted(path.name for path in whole.path.iterdir())
    outcome = cli("db", "check", "--json")
    assert (0, "") == (outcome.code, outcome.err), outcome
    expected = {
        "ok": True,
        "state_dir": str(whole.path),
        "daemon": None,
        "database": "good",
        "version": schema.VERSION,
        "known_version": schema.VERSION,
        "kept": 1,
        "as_of": None,
        "copy": "agrees",
        "marker": True,
        "next_start": "database",
        "problems": [],
        "notes": [],
    }
    found = outcome.document
    assert found.pop("bytes") > 0
    assert expected == found
    assert before == sorted(path.name for path in whole.path.iterdir())
    text = cli("db", "check").out.decode()
    assert "result:        whole" in text.splitlines()


def test_where_nothing_was_there_is_nothing_wrong(state_dir: Path, cli: Cli) -> None:
    """A check before the first start makes nothing and finds nothing."""
    outcome = cli("db", "check", "--json")
    assert (0, False) == (outcome.code, state_dir.exists())
    assert ("missing", "missing", "new") == tuple(
        outcome.document[key] for key in ("database", "copy", "next_start")
    )


def test_damage_is_found_and_what_a_start_would_do_is_said(whole: StateDirectory, cli: Cli) -> None:
    """Exit code 1; the kept subscriptions would come from the copy."""
    whole.database.write_bytes(DAMAGED)
    outcome = cli("db", "check", "--json")
    assert 1 == outcome.code
    found = outcome.document
    assert (False, "damaged", "agrees", "copy") == tuple(
        found[key] for key in ("ok", "database", "copy", "next_start")
    )
    (problem,) = found["problems"]
    assert str(whole.database) in problem
    text = cli("db", "check")
    assert 1 == text.code
    assert "result:        not whole" in text.out.decode().splitlines()


def write_into_index(path: Path, at: int, content: bytes) -> None:
    """Write into a page that is needed neither to open the file nor to read what is kept."""
    with closing(sqlite3.connect(path)) as database:
        size = database.execute("PRAGMA page_size").fetchone()[0]
        page = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'gaps_by_end'").fetchone()[0]
    with path.open("r+b") as file:
        file.seek(size * (page - 1) + at)
        file.write(content)


def test_a_page_that_is_damaged_is_found(whole: StateDirectory, tmp_path: Path, cli: Cli) -> None:
    """By a check, and before it is called a backup."""
    write_into_index(whole.database, 0, b"\xa5" * 4096)
    found = cli("db", "check", "--json")
    assert (1, "damaged") == (found.code, found.document["database"])
    snapshot = cli("db", "snapshot", str(tmp_path / "backup.db"))
    assert (1, []) == (snapshot.code, list(tmp_path.iterdir()))


def test_an_index_that_has_lost_a_row_is_found(whole: StateDirectory, cli: Cli) -> None:
    """Every page can be read, and together they are not whole: SQLite's own words say what is wrong."""
    with closing(Database.open(whole.database)) as database, database.transaction():
        apply(database, [AddGap(GapRow(subscription_id=ROW.id, started_at=1.0, ended_at=2.0, reason="lost"))])
    # How many entries the page has.
    write_into_index(whole.database, 3, b"\x00\x00")
    found = cli("db", "check", "--json")
    assert (1, "damaged") == (found.code, found.document["database"])
    assert any("gaps_by_end" in problem for problem in found.document["problems"])


def test_a_copy_that_contradicts_the_database_is_told(whole: StateDirectory, cli: Cli) -> None:
    """It would bring back the wrong subscriptions on the day on which the database cannot be read."""
    write_desired(whole.desired, [])
    differs = cli("db", "check", "--json")
    whole.desired.write_bytes(DAMAGED)
    broken = cli("db", "check", "--json")
    whole.desired.unlink()
    missing = cli("db", "check", "--json")
    found = [
        (outcome.code, outcome.document["copy"], len(outcome.document["problems"]))
        for outcome in (differs, broken, missing)
    ]
    assert [(1, "differs", 1), (1, "damaged", 1), (1, "missing", 1)] == found


@pytest.mark.parametrize(
    ("lose", "next_start"), [(["wsmgr.db"], "copy"), (["wsmgr.db", "desired.json"], "refused")]
)
def test_what_is_missing_is_told(whole: StateDirectory, cli: Cli, lose: list[str], next_start: str) -> None:
    """The marker says that there was something."""
    for name in lose:
        (whole.path / name).unlink()
    outcome = cli("db", "check", "--json")
    assert (1, "missing", next_start) == (
        outcome.code,
        outcome.document["database"],
        outcome.document["next_start"],
    )


def test_a_newer_database_is_a_problem_and_an_older_one_is_not(whole: StateDirectory, cli: Cli) -> None:
    """The older one is migrated by the next start; the newer one cannot be used."""
    with closing(sqlite3.connect(whole.database)) as database:
        database.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    newer = cli("db", "check", "--json")
    assert (1, "unusable", "refused") == (
        newer.code,
        newer.document["database"],
        newer.document["next_start"],
    )
    make_old(whole)
    older = cli("db", "check", "--json")
    assert (0, "good", 1, "database") == (
        older.code,
        older.document["database"],
        older.document["version"],
        older.document["next_start"],
    )
    assert "wsmgr db migrate" in older.document["notes"][0]


def test_a_check_and_a_snapshot_beside_a_daemon(daemon: Path, tmp_path: Path, cli: Cli) -> None:
    """The daemon goes on; the snapshot is whole, its owner's alone, and one file."""
    kept = cli("subscribe", "trades", "--coin", "SOL", "--detach", state_dir=daemon)
    assert 0 == kept.code
    id_ = kept.out.decode().strip()
    checked = cli("db", "check", "--json", state_dir=daemon)
    assert (0, True, "agrees") == (checked.code, checked.document["ok"], checked.document["copy"]), checked
    assert isinstance(checked.document["daemon"], int)
    target = tmp_path / "backup.db"
    taken = cli("db", "snapshot", str(target), state_dir=daemon)
    assert (0, b"") == (taken.code, taken.out), taken
    assert 0o600 == stat.S_IMODE(target.stat().st_mode)
    assert [target] == list(tmp_path.iterdir())
    with closing(sqlite3.connect(target)) as database:
        assert (id_,) in database.execute("SELECT id FROM subscriptions WHERE kept = 1").fetchall()
        # A database with a write-ahead log would have it beside it now.
        assert [target] == list(tmp_path.iterdir())
    assert 0 == cli("unsubscribe", id_, state_dir=daemon).code


def test_a_snapshot_replaces_nothing_unless_it_is_told_to(
    whole: StateDirectory, tmp_path: Path, cli: Cli
) -> None:
    """A backup is never lost by a second one; the database itself is never replaced."""
    target = tmp_path / "backup.db"
    target.write_bytes(b"precious")
    refused = cli("db", "snapshot", str(target))
    assert (1, b"precious") == (refused.code, target.read_bytes())
    assert "--force" in refused.err
    assert 0 == cli("db", "snapshot", str(target), "--force").code
    with closing(Database.inspect(target)) as database:
        assert [ROW.id] == [row.id for row in list_desired(database)]
    itself = cli("db", "snapshot", str(whole.database), "--force")
    assert 1 == itself.code
    assert "the database itself" in itself.err
    assert [target] == list(tmp_path.iterdir())


def test_a_damaged_database_makes_no_snapshot(whole: StateDirectory, tmp_path: Path, cli: Cli) -> None:
    """What looks like a backup is one; the file that stood there stays."""
    target = tmp_path / "backup.db"
    target.write_bytes(b"the last good one")
    whole.database.write_bytes(DAMAGED)
    outcome = cli("db", "snapshot", str(target), "--force")
    assert (1, b"the last good one", [target]) == (
        outcome.code,
        target.read_bytes(),
        list(tmp_path.iterdir()),
    )
    whole.database.unlink()
    missing = cli("db", "snapshot", str(tmp_path / "other.db"))
    assert (1, [target]) == (missing.code, list(tmp_path.iterdir()))


def test_a_snapshot_can_be_put_in_the_place_of_the_database(
    whole: StateDirectory, tmp_path: Path, cli: Cli
) -> None:
    """That is what it is for."""
    target = tmp_path / "backup.db"
    assert 0 == cli("db", "snapshot", str(target)).code
    whole.database.write_bytes(DAMAGED)
    whole.desired.unlink()
    target.replace(whole.database)
    recovery = recover(whole)
    kept = [row.id for row in list_desired(recovery.database)]
    recovery.database.close()
    assert (Source.DATABASE, [ROW.id]) == (recovery.source, kept)


def test_an_older_database_is_migrated_after_a_copy(whole: StateDirectory, cli: Cli) -> None:
    """What was kept is as it was; the copy is the file of the version before."""
    make_old(whole)
    outcome = cli("db", "migrate")
    assert (0, b"") == (outcome.code, outcome.out), outcome
    (copy,) = whole.path.glob(f"wsmgr.db.before-{schema.VERSION}-*")
    assert f"from version 1 to {schema.VERSION}" in outcome.err
    assert str(copy) in outcome.err
    with closing(sqlite3.connect(copy)) as before:
        assert 1 == before.execute("PRAGMA user_version").fetchone()[0]
    with closing(Database.read_only(whole.database)) as database:
        (row,) = list_desired(database)
    assert (ROW.id, 4, 1, False) == (row.id, row.epoch, row.redundancy, row.dedicated)
    again = cli("db", "migrate")
    assert 0 == again.code
    assert "nothing to do" in again.err
    assert [copy] == list(whole.path.glob("wsmgr.db.before-*"))


def test_nothing_is_migrated_under_a_daemon_or_where_there_is_no_database(
    whole: StateDirectory, cli: Cli
) -> None:
    """Whoever holds the directory is named; a directory that is named by mistake stays as it is."""
    make_old(whole)
    before = whole.database.read_bytes()
    with whole.locked():
        outcome = cli("db", "migrate")
    assert (1, before) == (outcome.code, whole.database.read_bytes())
    assert f"held by the process {os.getpid()}" in outcome.err
    elsewhere = cli("db", "migrate", state_dir=whole.path.parent / "elsewhere")
    assert (1, False) == (elsewhere.code, (whole.path.parent / "elsewhere").exists())
