"""What a terminal is shown, and what `NO_COLOR` does."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.cli.running import PATIENCE, environment

if TYPE_CHECKING:
    from pathlib import Path


class Terminal:
    """A terminal that a command writes to."""

    def __init__(self, *arguments: str, environ: dict[str, str]) -> None:
        self._controller, terminal = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "wsmgr", *arguments],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environ,
        )
        os.close(terminal)

    def seen(self) -> str:
        """All that it was given by the command, which must succeed."""
        seen = b""
        while piece := self._read():
            seen += piece
        os.close(self._controller)
        assert 0 == self._process.wait(PATIENCE), seen
        return seen.decode()

    def _read(self) -> bytes:
        try:
            return os.read(self._controller, 65536)
        except OSError:
            # The other side is closed: on Linux that is an error, not an end.
            return b""


def test_a_terminal_gets_a_table_and_no_color_is_honoured(state_dir: Path) -> None:
    """Lines under the titles, in colour only where colour is wanted."""
    environ = {**environment(state_dir), "TERM": "xterm-256color"}
    terminals = [Terminal("types", environ=environ), Terminal("types", environ={**environ, "NO_COLOR": "1"})]
    coloured, plain = (terminal.seen() for terminal in terminals)
    assert "───" in coloured
    assert "\x1b[1m" in coloured
    assert "l2Book" in plain
    assert "\x1b[3" not in plain
