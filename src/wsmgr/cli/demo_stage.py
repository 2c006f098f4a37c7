"""Stage: the two processes that the demonstration runs, a simulated venue and a daemon, in a directory of their own.

Leaving the stage ends both and removes the directory, however it is left. Where this process is killed and cannot, a warden
does it: a shell that waits for the end of a pipe, which only this process holds.
"""

from __future__ import annotations

import http.client
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from attrs import frozen

from wsmgr.cli.errors import CommandError
from wsmgr.cli.settings import OWN_COMMAND, Backend
from wsmgr.manager.daemon.discovery import find_daemon
from wsmgr.manager.daemon.unix_client import DaemonClient

PREFIX: Final = "wsmgr-demo-"
"""How the name of its directory begins, among those for temporary files."""
PATIENCE: Final = 15.0
"""Seconds that each process has to be ready."""
_STOP_PATIENCE: Final = 5.0
_LOOK_INTERVAL: Final = 0.05
_LOG_LINES: Final = 15
_WARDEN: Final = 'while read -r pid; do pids="$pids $pid"; done; kill -9 $pids; rm -rf "$1"'


@frozen(kw_only=True)
class Stage:
    """What the demonstration plays on.

    Attributes:
        url: The simulated venue's address.
        client: The daemon's API.
        daemon_pid: The daemon's process id.
    """

    url: str
    client: DaemonClient
    daemon_pid: int

    def open_sockets(self) -> list[dict[str, Any]]:
        """Return the simulated venue's open sockets, each with its number and what is subscribed on it."""
        log = self._ask("GET", "/sim/log", None)
        return [socket for socket in log["connections"] if socket["closed_at"] is None]

    def kill(self, number: int) -> None:
        """Have the simulated venue reset the socket of this number."""
        self._ask("POST", "/sim/kill", {"connection": number})

    def _ask(self, method: str, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=PATIENCE)
        try:
            connection.request(method, path, None if body is None else msgspec.json.encode(body))
            return msgspec.json.decode(connection.getresponse().read())
        finally:
            connection.close()


@contextmanager
def stage(backend: Backend) -> Generator[Stage]:
    """Set the stage: start both processes and wait until they are ready.

    Args:
        backend: The daemon's event loop.

    Raises:
        CommandError: One of them did not start; what it said is in the message.
    """
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix=PREFIX)))
        watch = stack.enter_context(warden(directory))
        simulator = stack.enter_context(
            _process(["sim", "hyperliquid", "--rate", "10"], directory / "simulator.log", watch)
        )
        url = _address(simulator, directory / "simulator.log")
        options = ["--state-dir", str(directory / "state"), "--url", url, "--backend", backend]
        log = directory / "daemon.log"
        daemon = stack.enter_context(_process([*options, "daemon", "run"], log, watch))
        client = _client(daemon, directory / "state", log)
        yield Stage(url=url, client=client, daemon_pid=daemon.pid)


@contextmanager
def warden(directory: Path) -> Generator[Callable[[int], None]]:
    """Have processes killed and a directory removed as soon as this process has died without leaving the block.

    Args:
        directory: The directory.

    Yields:
        What takes the id of a process to kill.
    """
    shell = subprocess.Popen(  # noqa: S603 - a script of ours
        ["/bin/sh", "-c", _WARDEN, "wsmgr-demo-warden", str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def watch(pid: int) -> None:
        if shell.stdin is not None:
            shell.stdin.write(f"{pid}\n".encode())
            shell.stdin.flush()

    try:
        yield watch
    finally:
        shell.kill()
        shell.communicate()


@contextmanager
def _process(
    arguments: Sequence[str], log: Path, watch: Callable[[int], None]
) -> Generator[subprocess.Popen[bytes]]:
    """Run this interpreter's `wsmgr`, with stderr in a file; it is ended when the block is left.

    A session of its own keeps the terminal's Ctrl-C from it: it is ended here, in order.
    """
    with log.open("wb") as stderr:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, with arguments of ours
            [*OWN_COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
    try:
        watch(process.pid)
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process; a Ctrl-C meanwhile ends it at once instead of leaving it behind."""

    def at_once(_number: int, _frame: object) -> None:
        process.kill()

    before = signal.signal(signal.SIGINT, at_once)
    try:
        process.terminate()
        try:
            process.wait(_STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
        if process.stdout is not None:
            process.stdout.close()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return the address that the simulator prints as its first line."""
    if process.stdout is None or not select.select([process.stdout], [], [], PATIENCE)[0]:
        raise _not_ready("the simulator", log)
    line = process.stdout.readline()
    if not line:
        raise _not_ready("the simulator", log)
    return str(msgspec.json.decode(line)["url"])


def _client(process: subprocess.Popen[bytes], state: Path, log: Path) -> DaemonClient:
    """Return a client of the daemon as soon as that answers."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        socket = find_daemon(state, os.environ)
        if socket is not None:
            return DaemonClient(socket)
        time.sleep(_LOOK_INTERVAL)
    raise _not_ready("the daemon", log)


def _not_ready(what: str, log: Path) -> CommandError:
    last = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    return CommandError("\n".join([f"{what} did not come up; the last that it said:", *last]))
