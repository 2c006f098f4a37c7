"""What goes wrong between a daemon and those who use it.

::

    WsmgrError
    ├── DaemonError               the daemon answered with a problem document
    ├── DaemonUnreachableError    nothing answers on the socket, or the daemon went away in the middle of an answer
    ├── DaemonStartError          the daemon did not come up
    ├── DaemonStopError           the daemon did not go away
    └── MissingExtraError         the API's dependencies are not installed
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wsmgr.manager.model.errors import WsmgrError

PROBLEM_PREFIX = "urn:wsmgr:problem:"


class DaemonError(WsmgrError):
    """The daemon refused a request, or failed at it.

    Args:
        problem: The problem document (RFC 9457).

    Attributes:
        problem: The same; members beside the standard's, such as `quota`, `limit`, `words`, stand in it.
        status: The HTTP status.
        kind: What kind of problem: `usage`, `not-found`, `rejected`, `quota`, `subscribe-timeout`, `subscription-failed`,
            `subscription-closed`, `action-forbidden`, `request-refused`, `request-not-sent`, `outcome-unknown`, `store`,
            `manager-closed`, `internal`, `http`; before a path is looked at: `token-needed`, `scope-needed`, `host-refused`,
            `origin-refused`, `busy`.
    """

    def __init__(self, problem: Mapping[str, Any]) -> None:
        """Take the daemon's own words as the message."""
        super().__init__(str(problem.get("detail") or problem.get("title") or "the daemon gave no reason"))
        self.problem = problem
        self.status = int(problem.get("status", 500))
        self.kind = str(problem.get("type", "")).removeprefix(PROBLEM_PREFIX)


class DaemonUnreachableError(WsmgrError):
    """No daemon answers on a socket, or it went away before its answer was complete.

    Args:
        socket: The path of the socket.
        why: What happened, in half a sentence.
        sent: Whether the request may have reached the daemon, which may then have carried it out.
    """

    def __init__(self, socket: Path, why: str, *, sent: bool = True) -> None:
        """Name the socket and what to do."""
        super().__init__(
            f"the daemon at {socket} cannot be reached: {why}; `wsmgr daemon status` says whether it runs"
        )
        self.socket = socket
        self.why = why
        self.sent = sent


class DaemonStartError(WsmgrError):
    """The daemon did not answer in time, or ended at once; the message carries the last lines of its log."""


class DaemonStopError(WsmgrError):
    """The daemon could not be told to stop, or had not stopped in time; the message names its process."""


class MissingExtraError(WsmgrError):
    """Something needs packages that are not installed.

    Args:
        what: What needs them.
        extra: The extra that brings them.
        missing: The module that was not found.
    """

    def __init__(self, what: str, extra: str, missing: str) -> None:
        """Name the command that installs them."""
        super().__init__(
            f"{what} needs {missing}, which is not installed: python3 -m pip install 'wsmgr[{extra}]'"
        )
        self.extra = extra
        self.missing = missing
