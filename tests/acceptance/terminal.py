"""Terminals: `wsmgr` processes whose output is read as it comes, so that none waits for its reader."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from queue import Empty, SimpleQueue
from typing import IO, TYPE_CHECKING, Any

from tests.cli.running import environment, run
from wsmgr.manager.store.state_directory import StateDirectory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.running import Outcome

DEADLINE = 15.0


class Lines:
    """The lines of one stream of a process, in order, as they come."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._queue: SimpleQueue[bytes] = SimpleQueue()
        self._seen: list[bytes] = []
        self._pump = threading.Thread(target=self._run, daemon=True)
        self._pump.start()

    def next(self) -> bytes:
        """Return the next line; b"" at the end of the stream."""
        try:
            line = self._queue.get(timeout=DEADLINE)
        except Empty:
            raise AssertionError(f"no line came for {DEADLINE} s, after {self._seen[-3:]!r}") from None
        self._seen.append(line)
        return line

    def until(self, wanted: Callable[[bytes], object]) -> bytes:
        """Read up to the first line that is wanted, and return that."""
        while not wanted(line := self.next()):
            assert line, f"the stream ended after {self._seen[-4:]!r}"
        return line

    def rest(self) -> list[bytes]:
        """Return the lines from here to the end of the stream."""
        lines: list[bytes] = []
        while line := self.next():
            lines.append(line)
        return lines

    def close(self) -> None:
        """Close the stream; its process has ended."""
        self._pump.join()
        self._stream.close()

    def _run(self) -> None:
        for line in self._stream:
            self._queue.put(line)
        self._queue.put(b"")


class Terminal:
    """A `wsmgr` that runs, with its stdout and its stderr."""

    def __init__(self, *arguments: str, state_dir: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "wsmgr", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(state_dir),
        )
        assert self._process.stdout
        assert self._process.stderr
        self.out = Lines(self._process.stdout)
        self.err = Lines(self._process.stderr)

    def message(self) -> dict[str, Any]:
        """Return the next stream line."""
        line = self.out.next()
        assert line, self.err.rest()
        message: dict[str, Any] = json.loads(line)
        return message

    def until(self, wanted: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Read up to the first stream line that is wanted, and return that."""
        while not wanted(message := self.message()):
            pass
        return message

    def signal(self, number: signal.Signals) -> int:
        """Send a signal, wait for the process's end, and return its exit code."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the process's end, and return its exit code."""
        return self._process.wait(DEADLINE)

    def end(self) -> None:
        """Leave nothing behind."""
        self._process.kill()
        self._process.wait()
        self.out.close()
        self.err.close()


class Venue:
    """A simulated venue in a process of its own, which can be killed and started again at the same address."""

    def __init__(self, *options: str, state_dir: Path) -> None:
        self._options = options
        self._state_dir = state_dir
        self._port = 0
        self.start()

    def start(self) -> None:
        """Start it, and wait for its address."""
        self._terminal = Terminal(
            "sim", "hyperliquid", "--port", str(self._port), *self._options, state_dir=self._state_dir
        )
        self.url: str = self._terminal.message()["url"]
        self._port = int(self.url.rpartition(":")[2].partition("/")[0])

    def kill(self) -> None:
        """End it without a goodbye."""
        self._terminal.end()

    def wire(self, method: str) -> list[dict[str, Any]]:
        """Return the subscriptions of the frames of one method that it has received, on all its sockets."""
        url = self.url.replace("ws:", "http:").replace("/ws", "/sim/log")
        with urllib.request.urlopen(url, timeout=DEADLINE) as answer:
            log = json.load(answer)
        frames = [json.loads(frame["text"]) for socket in log["connections"] for frame in socket["received"]]
        return [frame["subscription"] for frame in frames if frame["method"] == method]


class Daemon:
    """A daemon in the background, its state directory, and the command line on it."""

    def __init__(self, url: str, backend: str, state_dir: Path) -> None:
        self.url = url
        self.backend = backend
        self.state_dir = state_dir

    def __call__(self, *arguments: str) -> Outcome:
        """Run a command to its end; it must succeed."""
        outcome = run(*arguments, environ=environment(self.state_dir))
        assert 0 == outcome.code, outcome
        return outcome

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self("--backend", self.backend, "--url", self.url, "daemon", "start")

    def kill(self) -> None:
        """End it by `kill -9`, where it runs, and wait until it is gone."""
        directory = StateDirectory(self.state_dir)
        if (process := directory.holder()) is None:
            return
        os.kill(process, signal.SIGKILL)
        deadline = time.monotonic() + DEADLINE
        while directory.holder() == process:
            assert time.monotonic() < deadline, f"the process {process} is still there"

    def keep(self, *wish: str) -> str:
        """Have it keep a subscription, and return the id."""
        return self("subscribe", *wish, "--detach").out.decode().strip()

    def list(self) -> dict[str, dict[str, Any]]:
        """Return its subscriptions, by id."""
        return {row["id"]: row for row in self("list", "--json").document}

    def all_live(self, *, within: float = DEADLINE) -> dict[str, dict[str, Any]]:
        """Ask for the list until every subscription is live, and return it."""
        deadline = time.monotonic() + within
        rows = self.list()
        while states := {row["key"]: row["state"] for row in rows.values() if row["state"] != "live"}:
            assert time.monotonic() < deadline, states
            rows = self.list()
        return rows
