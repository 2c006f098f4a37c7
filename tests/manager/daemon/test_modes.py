"""Modes: what a daemon makes is its owner's alone, and what others have made is not believed."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.running import NOWHERE, environment

from wsmgr.manager.daemon import process, unix_client
from wsmgr.manager.daemon.errors import DaemonStartError, DaemonUnreachableError
from wsmgr.manager.daemon.listeners import listen
from wsmgr.manager.daemon.unix_client import DaemonClient

SOMEBODY_ELSE = 54321
TRAP = """
import os, socket, sys
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print(flush=True)
sys.stdin.read()
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")


def wsmgr(state: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command with a umask that lets everybody do everything."""
    return subprocess.run(
        [sys.executable, "-m", "wsmgr", *arguments],
        env=environment(state),
        capture_output=True,
        check=True,
        umask=0,
        timeout=60,
    )


def test_whatever_the_umask_a_daemons_files_are_its_owners_alone(directory: Path) -> None:
    """Database, its log and its memory, copies, lock, socket, log, tokens: nobody else may look into any of them."""
    state = directory / "made" / "state"
    directory.chmod(0o755)
    wsmgr(state, "daemon", "token", "create", "desk", "--scope", "read")
    wsmgr(state, "daemon", "start", "--http", "127.0.0.1:0")
    try:
        wish = {"type": "l2Book", "params": {"coin": "BTC"}, "keep": True, "wait": "none"}
        DaemonClient(state / "wsmgr.sock").subscribe(wish)
        modes = {path.name: path.lstat().st_mode for path in state.iterdir()}
    finally:
        wsmgr(state, "daemon", "stop")
    assert 0o700 == stat.S_IMODE(state.stat().st_mode)
    assert {
        "wsmgr.db", "wsmgr.db-wal", "wsmgr.db-shm", "desired.json", "state.json", "wsmgr.pid", "wsmgr.sock", "wsmgr.log",
        "tokens.json", "tokens.lock",
    } <= set(modes)  # fmt: skip
    assert {0o600} == {stat.S_IMODE(mode) for mode in modes.values()}, modes


def test_a_daemon_in_the_background_has_a_umask_of_its_own(directory: Path) -> None:
    """What a library makes without asking for a mode is private too."""
    made = directory / "made"
    umask = os.umask(0)
    try:
        with pytest.raises(DaemonStartError):
            process.start(directory / "state", [sys.executable, "-c", f"open({str(made)!r}, 'w')"])
    finally:
        os.umask(umask)
    assert 0o600 == stat.S_IMODE(made.stat().st_mode)


@pytest.mark.skipif(sys.platform != "linux", reason="a process's umask is told by Linux alone")
def test_a_daemon_in_the_foreground_has_a_umask_of_its_own(directory: Path) -> None:
    """Whatever a service manager gave it."""
    command = [sys.executable, "-m", "wsmgr", "daemon", "run"]
    environ = environment(directory / "state")
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, umask=0) as daemon:
        assert daemon.stderr is not None
        while b"daemon_ready" not in (line := daemon.stderr.readline()):
            assert line
        status = Path(f"/proc/{daemon.pid}/status").read_text()
        daemon.terminate()
        daemon.stderr.read()
    assert "Umask:\t0077" in status


def test_a_log_that_is_a_link_is_not_written_through(directory: Path) -> None:
    """What a link in the directory points to stays as it is."""
    state = directory / "state"
    state.mkdir(mode=0o700)
    precious = directory / "precious"
    precious.write_text("mine")
    (state / "wsmgr.log").symlink_to(precious)
    with pytest.raises(DaemonStartError, match=r"wsmgr\.log cannot be opened"):
        process.start(state, [sys.executable, "-c", "print('written')"])
    assert "mine" == precious.read_text()


@pytest.mark.parametrize(
    ("own", "server", "shared", "believed"),
    [
        (1000, 1000, True, True),
        (1000, 0, True, True),
        (1000, 1001, True, False),
        (1000, 1001, False, False),
        (1000, None, False, False),
        (0, 0, True, True),
        (0, 1001, False, True),
        (0, 1001, True, False),
        (0, None, True, False),
    ],
)
def test_whose_daemon_a_client_believes(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    own: int,
    server: int | None,
    shared: bool,
    believed: bool,
) -> None:
    """One's own and root's. Root uses anybody's, but not one where anybody could have made the directory (as in /tmp)."""
    directory.chmod(0o1777 if shared else 0o755)
    monkeypatch.setattr(os, "geteuid", lambda: own)
    monkeypatch.setattr(unix_client, "user_at", lambda _connection: server)
    path = directory / "state"
    path.mkdir()
    with listen(path / "s"):
        assert believed == DaemonClient(path / "s").answers()


@as_root
def test_a_socket_that_somebody_else_has_put_there_is_a_trap(directory: Path) -> None:
    """No command is sent to it, and the error says whose it is."""
    directory.chmod(0o1777)
    path = directory / "planted" / "s"
    path.parent.mkdir()
    os.chown(path.parent, SOMEBODY_ELSE, -1)
    command = [sys.executable, "-c", TRAP, str(path), str(SOMEBODY_ELSE)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as trap:
        assert trap.stdout is not None
        trap.stdout.readline()
        with pytest.raises(DaemonUnreachableError, match=f"the user {SOMEBODY_ELSE} listens there") as caught:
            DaemonClient(path).request({"kind": "action", "payload": {}})
        trap.kill()
    assert not caught.value.sent


def test_the_address_of_a_venue_is_on_no_command_line(directory: Path) -> None:
    """An address may hold a credential, and everybody can see the command line of a process; the daemon uses it all the same."""
    state = directory / "state"
    wsmgr(state, "--url", f"{NOWHERE}?api_key=CANARY", "daemon", "start")
    try:
        health = DaemonClient(state / "wsmgr.sock").get("/v1/health")
        shown = subprocess.run(
            ["ps", "-o", "args=", "-ww", "-p", str(health["pid"])], capture_output=True, check=True
        ).stdout
    finally:
        wsmgr(state, "daemon", "stop")
    assert b"daemon run" in shown
    assert b"CANARY" not in shown
    assert NOWHERE == health["venues"]["hyperliquid"]["url"]
