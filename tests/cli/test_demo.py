"""The demonstration, played as people play it: it passes, and it leaves nothing behind, however it ends."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

from tests.cli.running import Process, gone
from wsmgr.cli.demo_stage import PREFIX

if TYPE_CHECKING:
    import pytest

    from tests.cli.conftest import Spawn


def daemon_of(process: Process) -> int:
    """The process id of its daemon, as soon as it is told; by then both processes and the directory are there."""
    for line in process.stderr:
        if found := re.search(rb"the daemon is process (\d+)", line):
            return int(found[1])
    raise AssertionError(f"no daemon was started: {process.outcome()}")


def test_the_demonstration_passes_and_whatever_ends_it_leaves_nothing_behind(
    spawn: Spawn, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """To its end and by Ctrl-C: no process, no file."""
    directory = tmp_path_factory.mktemp("d")
    monkeypatch.setenv("TMPDIR", str(directory))
    played, ended = spawn("demo", "--duration", "3"), spawn("demo")
    daemons = [daemon_of(process) for process in (played, ended)]
    assert 2 == len(list(directory.glob(f"{PREFIX}*")))
    ended.signal(signal.SIGINT)
    assert 130 == ended.outcome().code
    outcome = played.outcome()
    assert 0 == outcome.code, outcome
    *blocks, verdict = outcome.out.decode().splitlines()
    assert verdict.startswith("demo passed: 4 subscriptions live"), verdict
    assert "was killed and came back" in verdict
    assert any("l2Book?coin=BTC&nSigFigs=3" in line for line in blocks)
    assert [True] * 2 == [gone(pid) for pid in daemons]
    assert [] == list(directory.iterdir())
