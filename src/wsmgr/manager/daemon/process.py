"""The daemon's process: starting it in the background, stopping it, and looking at it.

The daemon of a state directory is whoever holds its lock. It is told from its socket that it serves: a process that holds the lock
may be starting or ending.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from wsmgr.manager.daemon.errors import DaemonError, DaemonStartError, DaemonStopError, DaemonUnreachableError
from wsmgr.manager.daemon.unix_client import DaemonClient
from wsmgr.manager.model.showing import forgetful
from wsmgr.manager.store.state_directory import StateDirectory

START_TIMEOUT = 10.0
STOP_TIMEOUT = 30.0
END_TIMEOUT = 3.0
"""Seconds that a daemon which did not come up is given to end by itself."""
LOG_LINES = 20
PRIVATE = 0o077
"""The umask of a daemon: what it makes is its owner's alone, whatever the caller's umask."""
_POLL = 0.02
_ANSWER = 2.0
_LOG_TAIL_BYTES = 64 * 1024


@frozen(kw_only=True)
class Started:
    """What became of a start.

    Attributes:
        pid: The daemon's process.
        socket: Where it answers.
        already: Whether it had been running before.
    """

    pid: int
    socket: Path
    already: bool


@frozen(kw_only=True)
class DaemonStatus:
    """How the daemon of a state directory is.

    Attributes:
        state_dir: The directory.
        socket: Where it listens.
        pid: The process that holds the directory, or None where none does.
        health: What it says of itself (`/v1/health`), or None where it does not answer.
    """

    state_dir: Path
    socket: Path
    pid: int | None
    health: Mapping[str, Any] | None

    @property
    def running(self) -> bool:
        """Whether it runs and answers."""
        return self.pid is not None and self.health is not None


@forgetful  # of the environment
def start(
    state_dir: str | Path,
    command: Sequence[str],
    *,
    environ: Mapping[str, str] = os.environ,
    timeout: float = START_TIMEOUT,
) -> Started:
    """Start a daemon in the background, unless one runs; returns when it answers.

    It gets a session of its own, nothing to read, and the directory's `wsmgr.log` to write to.

    Args:
        state_dir: The state directory; it is made where it is missing.
        command: The command line of a daemon in the foreground on this directory: `wsmgr ... daemon run`.
        environ: Its environment.
        timeout: Seconds within which it must answer.

    Raises:
        StateDirectoryError: The directory cannot be used.
        DaemonStartError: It ended, or did not answer in time; the message has the last lines of its log.
    """
    directory = StateDirectory(Path(state_dir))
    directory.prepare(environ)
    deadline = time.monotonic() + timeout
    running = _await_holder(directory, environ, deadline)
    if running is not None:
        return running
    log_begins = _size(directory.log)
    process = _spawn(directory, command, environ)
    while not _serves(directory, environ, process.pid):
        if process.poll() is not None:
            # Another start, at the same time, may have been the faster.
            running = _await_holder(directory, environ, deadline)
            if running is not None:
                return running
            raise DaemonStartError(
                f"the daemon ended with the exit code {process.returncode}{_log_tail(directory, log_begins)}"
            )
        if time.monotonic() >= deadline:
            _end(process)
            raise DaemonStartError(
                f"the daemon (process {process.pid}) did not answer within {timeout} s and was ended"
                + _log_tail(directory, log_begins)
            )
        time.sleep(_POLL)
    # A child that has ended stays in the process table until it is waited for, and would look as if it ran.
    threading.Thread(target=process.wait, name=f"wait-{process.pid}", daemon=True).start()
    return Started(pid=process.pid, socket=directory.socket(environ), already=False)


def stop(state_dir: str | Path, *, timeout: float = STOP_TIMEOUT) -> int | None:
    """Stop the daemon of a state directory; returns when its process is gone and the directory is free.

    Args:
        state_dir: The state directory.
        timeout: Seconds within which it must be gone.

    Returns:
        The process that was stopped, or None where none ran.

    Raises:
        DaemonStopError: It may not be told to stop, or was still there when the time was up.
    """
    directory = StateDirectory(Path(state_dir))
    pid = directory.holder()
    if pid is None:
        return None
    deadline = time.monotonic() + timeout
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        # It ended by itself since its lock was looked at.
        return pid
    except PermissionError as error:
        raise DaemonStopError(
            f"the daemon (process {pid}) belongs to another user; stop it as that user"
        ) from error
    while directory.holder() == pid or runs(pid):
        if time.monotonic() >= deadline:
            raise DaemonStopError(
                f"the daemon (process {pid}) was told to stop and is still there after {timeout} s; its log is"
                f" {directory.log}; `kill -9 {pid}` ends it by force and loses at most 5 s of counters"
            )
        time.sleep(_POLL)
    return pid


def status(state_dir: str | Path, *, environ: Mapping[str, str] = os.environ) -> DaemonStatus:
    """Return how the daemon of a state directory is; it never raises for one that does not run or answer."""
    directory = StateDirectory(Path(state_dir))
    pid = directory.holder()
    return DaemonStatus(
        state_dir=directory.path,
        socket=directory.socket(environ),
        pid=pid,
        health=None if pid is None else _health(directory, environ),
    )


def runs(pid: int) -> bool:
    """Return whether a process runs; one that has ended and that its parent has not waited for yet does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _spawn(
    directory: StateDirectory, command: Sequence[str], environ: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    try:
        descriptor = os.open(directory.log, flags, 0o600)
    except OSError as error:
        raise DaemonStartError(f"the log {directory.log} cannot be opened: {error.strerror}") from error
    try:
        return subprocess.Popen(  # noqa: S603 - the command is the caller's own
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            cwd=directory.path,
            env=dict(environ),
            start_new_session=True,
            umask=PRIVATE,
        )
    except OSError as error:
        raise DaemonStartError(f"{command[0]} cannot be run: {error}") from error
    finally:
        os.close(descriptor)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await_holder(directory: StateDirectory, environ: Mapping[str, str], deadline: float) -> Started | None:
    """Wait for a daemon that holds the directory until it answers; None where none holds it, or as soon as it has gone."""
    while (holder := directory.holder()) is not None:
        health = _health(directory, environ)
        if health is not None and health["status"] == "ok":
            return Started(pid=holder, socket=directory.socket(environ), already=True)
        if time.monotonic() >= deadline:
            raise DaemonStartError(
                f"the process {holder} holds {directory.path} and does not answer on"
                f" {directory.socket(environ)}; stop it (`wsmgr daemon stop`), and start again"
            )
        time.sleep(_POLL)
    return None


def _serves(directory: StateDirectory, environ: Mapping[str, str], pid: int) -> bool:
    return directory.holder() == pid and _health(directory, environ) is not None


def _health(directory: StateDirectory, environ: Mapping[str, str]) -> Mapping[str, Any] | None:
    try:
        health: Mapping[str, Any] = DaemonClient(directory.socket(environ), timeout=_ANSWER).get("/v1/health")
    except (DaemonUnreachableError, DaemonError):
        return None
    return health


def _is_zombie(pid: int) -> bool:
    """Return whether a process has ended and only its entry is left: in a container nobody may ever remove it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        # It has gone, or this system has no /proc and an init that removes what has ended.
        return False
    return stat.rpartition(b")")[2].split()[:1] == [b"Z"]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _log_tail(directory: StateDirectory, begins: int) -> str:
    """Return the last lines that the daemon wrote since its start, in words."""
    with directory.log.open("rb") as log:
        log.seek(max(begins, _size(directory.log) - _LOG_TAIL_BYTES))
        lines = log.read().decode(errors="replace").splitlines()[-LOG_LINES:]
    if not lines:
        return f"; it wrote nothing to {directory.log}"
    return f"; the end of {directory.log}:\n" + "\n".join(f"  {line}" for line in lines)
