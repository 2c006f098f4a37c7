"""`wsmgr db init --fresh`: the way out of a state that cannot be used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from wsmgr.manager.store.recovery import Source, recover
from wsmgr.manager.store.state_directory import StateDirectory

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli

FILES = ("desired.json", "state.json", "wsmgr.db")
DAMAGED = b"neither SQLite nor JSON" * 100


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
