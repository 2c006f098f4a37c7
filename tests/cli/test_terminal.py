"""What a terminal is shown, and what `NO_COLOR` does."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.cli.running import PATIENCE, environment


def on_terminal(*arguments: str, environ: dict[str, str]) -> str:
    """What a terminal gets of a command that must succeed."""
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "wsmgr", *arguments], stdin=terminal, stdout=terminal, stderr=terminal, env=environ
    ) as process:
        os.close(terminal)
        seen = b""
        while piece := read(controller):
            seen += piece
        assert 0 == process.wait(PATIENCE), seen
    os.close(controller)
    return seen.decode()


def read(controller: int) -> bytes:
    try:
        return os.read(controller, 65536)
    except OSError:
        # The other side is closed: on Linux that is an error, not an end.
        return b""


def test_a_terminal_gets_a_table_and_no_color_is_honoured(state_dir: Path) -> None:
    """Lines under the titles, in colour only where colour is wanted."""
    environ = {**environment(state_dir), "TERM": "xterm-256color"}
    coloured = on_terminal("types", environ=environ)
    plain = on_terminal("types", environ={**environ, "NO_COLOR": "1"})
    assert "───" in coloured
    assert "\x1b[1m" in coloured
    assert "l2Book" in plain
    assert "\x1b[3" not in plain
