"""The demonstration, played as people play it: it passes, and it leaves nothing behind, however it ends."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.cli.running import PATIENCE
from wsmgr.cli.demo import unwinding
from wsmgr.cli.demo_stage import PREFIX
from wsmgr.manager.daemon.process import runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Spawn
    from tests.cli.running import Process


STAGED = """
import subprocess, sys
from pathlib import Path
from wsmgr.cli.demo_stage import warden

with warden(Path(sys.argv[1])) as watch:
    child = subprocess.Popen(["sleep", "60"])
    watch(child.pid)
    print("started", flush=True)
    child.wait()
"""


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
    assert [False] * 2 == [runs(pid) for pid in daemons]
    assert [] == list(directory.iterdir())


def test_a_demonstration_that_is_killed_leaves_nothing_behind_either(tmp_path: Path) -> None:
    """`kill -9` ends what it had started, and its directory goes."""
    directory = tmp_path / "stage"
    directory.mkdir()
    command = [sys.executable, "-c", STAGED, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as demonstration:
        assert demonstration.stdout
        assert b"started\n" == demonstration.stdout.readline()
        deadline = time.monotonic() + PATIENCE
        demonstration.kill()
        # The process that it had started holds the other end: it is the last to close it.
        assert b"" == demonstration.stdout.read()
    assert time.monotonic() < deadline
    while directory.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_closed_terminal_and_a_termination_unwind_like_ctrl_c(number: signal.Signals, code: int) -> None:
    """What was started is ended, also where a second signal comes meanwhile; the former handlers come back."""
    before = signal.getsignal(number)
    ended: list[str] = []

    @contextmanager
    def started() -> Iterator[None]:
        try:
            yield
        finally:
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGTERM)
            ended.append("in order")

    with pytest.raises(SystemExit) as left, unwinding(), started():
        signal.raise_signal(number)
    assert (code, ["in order"]) == (left.value.code, ended)
    assert before == signal.getsignal(number)


def test_a_demonstration_that_shall_outlive_its_terminal_does() -> None:
    """`nohup wsmgr demo`: a SIGHUP that is ignored stays ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with unwinding():
            signal.raise_signal(signal.SIGHUP)
        assert signal.SIG_IGN is signal.getsignal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
