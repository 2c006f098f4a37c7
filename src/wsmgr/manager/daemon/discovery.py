"""Discovery: which daemon a command talks to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from wsmgr.manager.daemon.unix_client import DaemonClient
from wsmgr.manager.store.state_directory import StateDirectory, default_state_directory

SYSTEM = Path("/run/wsmgr")
"""Where a daemon of the machine, rather than of a user, keeps its state."""


def find_daemon(state_dir: str | Path | None = None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the socket of the daemon that runs, or None where none does.

    A directory that was named, by the option or by `WSMGR_STATE_DIR`, is the only one that is looked at: whoever names a
    daemon does not want to talk to another. Else it is the user's, then the machine's.

    Args:
        state_dir: The value of `--state-dir`, or None.
        environ: The environment.
    """
    for directory in candidates(state_dir, environ):
        socket = directory.socket(environ)
        if DaemonClient(socket).answers():
            return socket
    return None


def candidates(state_dir: str | Path | None, environ: Mapping[str, str]) -> list[StateDirectory]:
    """Return the state directories in which a daemon is looked for, in order."""
    if state_dir is not None:
        return [StateDirectory(Path(state_dir))]
    users = StateDirectory(default_state_directory(environ))
    return [users] if environ.get("WSMGR_STATE_DIR") else [users, StateDirectory(SYSTEM)]
