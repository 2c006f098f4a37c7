"""The daemon's process: real processes, started and stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from wsmgr.manager.daemon import process
from wsmgr.manager.daemon.discovery import candidates, find_daemon
from wsmgr.manager.daemon.errors import DaemonStartError, DaemonStopError
from wsmgr.manager.daemon.process import Started, runs, start, status, stop
from wsmgr.manager.store.state_directory import StateDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAEMON = """
import signal, sys
import anyio
from wsmgr.manager.daemon.edge import edge
from wsmgr.manager.manager import Manager
from wsmgr.manager.store.state_directory import StateDirectory

async def main(path):
    async with Manager(url="ws://127.0.0.1:9/ws", state_dir=path, edge=edge(StateDirectory(path).socket())):
        with anyio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                return

print("hello from the daemon", flush=True)
anyio.run(main, sys.argv[1])
"""
IGNORES_SIGTERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"


def daemon_on(path: Path, before: str = "") -> list[str]:
    return [sys.executable, "-c", before + DAEMON, str(path)]


def code(text: str) -> list[str]:
    return [sys.executable, "-c", text]


@pytest.fixture
def state(directory: Path) -> Iterator[Path]:
    """A state directory; what still holds it after the test is killed."""
    yield directory
    holder = StateDirectory(directory).holder()
    if holder is not None and holder != os.getpid():
        os.kill(holder, signal.SIGKILL)


def start_twice(state: Path) -> list[Started]:
    """Start a daemon from two threads at once."""
    started: list[Started] = []
    threads = [
        threading.Thread(target=lambda: started.append(start(state, daemon_on(state)))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(started, key=lambda each: each.already)


def test_a_daemon_is_started_found_killed_started_again_and_stopped(state: Path) -> None:
    """Starts at once are one daemon that both answer for, `kill -9` is in nobody's way, `stop` leaves nothing behind."""
    first, second = start_twice(state)
    again = start(state, code("raise SystemExit('not started')"))
    shown = status(state)
    assert [False, True, True] == [first.already, second.already, again.already]
    assert {first.pid} == {second.pid, again.pid, shown.pid}
    assert shown.running
    assert shown.health is not None
    assert first.pid == shown.health["pid"]
    assert StateDirectory(state).socket() == find_daemon(state, {}) == first.socket
    assert first.pid == os.getsid(first.pid)
    assert "hello from the daemon" in StateDirectory(state).log.read_text()
    assert 0o600 == StateDirectory(state).log.stat().st_mode & 0o777

    os.kill(first.pid, signal.SIGKILL)
    after = start(state, daemon_on(state))
    assert not after.already
    assert first.pid != after.pid

    assert after.pid == stop(state)
    assert not runs(after.pid)
    assert (None, None, False) == (status(state).pid, status(state).health, status(state).running)
    assert find_daemon(state, {}) is None
    assert stop(state) is None


def test_a_daemon_that_ends_at_once_says_why(state: Path) -> None:
    """The last lines of this start's log are in the error, not those of an earlier one."""
    state.chmod(0o700)
    StateDirectory(state).log.write_text("yesterday\n")
    with pytest.raises(DaemonStartError, match=r"exit code 3(.|\n)*no such venue") as caught:
        start(state, code("import sys; print('no such venue', file=sys.stderr); sys.exit(3)"))
    assert "yesterday" not in str(caught.value)


def test_a_daemon_that_does_not_answer_is_not_left_behind(state: Path) -> None:
    """A start that failed leaves no half-started process."""
    with pytest.raises(DaemonStartError, match=r"did not answer within 0\.3 s.*wrote nothing"):
        start(state, code("import time; time.sleep(60)"), timeout=0.3)


def test_a_command_that_cannot_be_run_is_said(state: Path) -> None:
    """A missing interpreter is an error of ours, with its name."""
    with pytest.raises(DaemonStartError, match="no-such-program"):
        start(state, ["/no-such-program"])


def test_a_holder_that_does_not_answer_is_named(state: Path) -> None:
    """A manager that holds the directory without an API is not waited for without end."""
    directory = StateDirectory(state)
    directory.prepare()
    with directory.locked(), pytest.raises(DaemonStartError, match=f"process {os.getpid()} holds"):
        start(state, code(""), timeout=0.1)


def test_a_daemon_that_is_ending_is_not_taken_for_one_that_runs(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start right after a stop waits for the end rather than answer for a daemon that is about to be gone."""
    said = iter([{"status": "ending"}, None, {"status": "ok"}])
    monkeypatch.setattr(process, "_health", lambda *_: next(said))
    directory = StateDirectory(state)
    directory.prepare()
    with directory.locked():
        started = start(state, code(""))
    assert (os.getpid(), True) == (started.pid, started.already)
    assert next(said, "all said") == "all said"


def test_a_daemon_that_does_not_stop_is_named(state: Path) -> None:
    """`stop` does not wait for ever, and says which process to look at."""
    holding = code(
        IGNORES_SIGTERM
        + "import time\nfrom wsmgr.manager.store.state_directory import StateDirectory\n"
        + f"with StateDirectory({str(state)!r}).locked(): print(flush=True); time.sleep(60)"
    )
    directory = StateDirectory(state)
    directory.prepare()
    with subprocess.Popen(holding, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(DaemonStopError, match=f"process {holder.pid}.*kill -9 {holder.pid}"):
            stop(state, timeout=0.1)
        holder.kill()


def test_a_process_that_nobody_waited_for_does_not_run() -> None:
    """In a container without an init an ended daemon stays in the process table; `stop` does not wait for that."""
    with subprocess.Popen(code("import time; time.sleep(60)")) as child:
        assert process.runs(child.pid)
        child.terminate()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        os.kill(child.pid, 0)
        assert not process.runs(child.pid)


def test_a_directory_that_was_named_is_the_only_one_looked_at(directory: Path) -> None:
    """Whoever names a daemon does not want to talk to another."""
    home = {"HOME": str(directory)}
    named = {"WSMGR_STATE_DIR": str(directory / "named"), **home}
    users = directory / ".local" / "state" / "wsmgr"
    assert [directory / "given"] == [each.path for each in candidates(directory / "given", named)]
    assert [directory / "named"] == [each.path for each in candidates(None, named)]
    assert [str(users), "/run/wsmgr"] == [str(each.path) for each in candidates(None, home)]
