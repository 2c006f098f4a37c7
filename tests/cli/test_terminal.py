"""What a terminal is shown, and what `NO_COLOR` does."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.cli.running import PATIENCE, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def terminal(*arguments: str, environ: dict[str, str]) -> Iterator[Callable[[], str]]:
    """Run a command on a terminal; what it gives inside returns all that the terminal was given, at the end."""
    controller, device = pty.openpty()
    command = [sys.executable, "-m", "wsmgr", *arguments]
    with subprocess.Popen(command, stdin=device, stdout=device, stderr=device, env=environ) as process:
        os.close(device)

        def seen() -> str:
            pieces = b"".join(iter(lambda: read(controller), b""))
            assert 0 == process.wait(PATIENCE), pieces
            return pieces.decode()

        try:
            yield seen
        finally:
            process.kill()
            os.close(controller)


def read(controller: int) -> bytes:
    try:
        return os.read(controller, 65536)
    except OSError:
        # The other side is closed: on Linux that is an error, not an end.
        return b""


def test_a_terminal_gets_a_table_and_no_color_is_honoured(state_dir: Path) -> None:
    """Lines under the titles, in colour only where colour is wanted."""
    environ = {**environment(state_dir), "TERM": "xterm-256color"}
    without = {**environ, "NO_COLOR": "1"}
    with terminal("types", environ=environ) as first, terminal("types", environ=without) as second:
        coloured, plain = first(), second()
    assert "───" in coloured
    assert "\x1b[1m" in coloured
    assert "l2Book" in plain
    assert "\x1b[3" not in plain
