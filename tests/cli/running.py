"""Running `wsmgr` as people run it: as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping
    from pathlib import Path

PATIENCE = 20.0
NOWHERE = "ws://127.0.0.1:9/ws"
"""An address that answers nobody: what a test forgets to name must not be dialled in the world."""


class Outcome:
    """What became of a process: its exit code and what it wrote."""

    def __init__(self, code: int, out: bytes, err: bytes) -> None:
        self.code = code
        self.out = out
        self.err = err.decode()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The JSON lines on stdout; one that is torn fails the test."""
        assert self.out.endswith(b"\n") or not self.out
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def document(self) -> Any:
        """The JSON document on stdout."""
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"exit code {self.code}, stdout {self.out[:500]!r}, stderr {self.err!r}"


class Process:
    """A `wsmgr` that runs."""

    def __init__(self, *arguments: str, environ: Mapping[str, str], patience: float = PATIENCE) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "wsmgr", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
        )
        # A process that says nothing more is killed: whoever reads from it sees its end, and no test waits for ever.
        self._watchdog = threading.Timer(patience, self._process.kill)
        self._watchdog.daemon = True
        self._watchdog.start()
        assert self._process.stdout
        assert self._process.stderr
        self.stdout = self._process.stdout
        self.stderr = self._process.stderr
        self.pid = self._process.pid

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def outcome(self) -> Outcome:
        """Wait for its end; what has been read from it already is not in the outcome."""
        said: list[bytes] = []
        listener = threading.Thread(target=lambda: said.append(self.stderr.read()))
        listener.start()
        out = self.stdout.read()
        listener.join()
        self._watchdog.cancel()
        return Outcome(self._process.wait(), out, said[0])

    def code(self) -> int:
        """Wait for its end, without reading on."""
        return self._process.wait()

    def end(self) -> None:
        """Leave nothing behind."""
        self._watchdog.cancel()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self.stdout.close()
        self.stderr.close()


def environment(state_dir: Path) -> dict[str, str]:
    """An environment with nothing of this machine's own wsmgr in it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("WSMGR_", "NO_COLOR"))}
    return {**own, "WSMGR_STATE_DIR": str(state_dir), "WSMGR_HYPERLIQUID_URL": NOWHERE, "COLUMNS": "120"}


def run(*arguments: str, environ: Mapping[str, str]) -> Outcome:
    """Run `wsmgr` to its end."""
    process = Process(*arguments, environ=environ)
    try:
        return process.outcome()
    finally:
        process.end()
