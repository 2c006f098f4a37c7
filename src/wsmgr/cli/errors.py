"""Errors: the one place where what went wrong becomes a message on stderr and an exit code.

========  =====================================================================================
code      meaning
========  =====================================================================================
0         done; also when the reader of a pipe has had enough and closed it
1         failed
2         wrong usage
3         no daemon where one is needed
4         the venue, its quota or its settings refused
130       interrupted by Ctrl-C
========  =====================================================================================
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import Final

from wsmgr.cli import cells

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
NO_DAEMON: Final = 3
REFUSED: Final = 4
INTERRUPTED: Final = 130
_BY_STATUS: Final = {
    400: USAGE,
    401: REFUSED,
    403: REFUSED,
    413: USAGE,
    409: REFUSED,
    422: USAGE,
    429: REFUSED,
}
"""Exit codes by the status of a daemon's problem document; 1 for any other."""


class CommandError(Exception):
    """A command cannot be done.

    Args:
        message: What happened, to what, and what to do.
        code: The exit code.
    """

    def __init__(self, message: str, code: int = FAILED) -> None:
        """Keep the exit code beside the message."""
        super().__init__(message)
        self.code = code


class NoDaemonError(CommandError):
    """A command needs a daemon, and none runs.

    Args:
        directory: The state directory in which one was looked for.
        what: The command that needs it.
    """

    def __init__(self, directory: object, what: str) -> None:
        """Say where it was looked for and how to start one."""
        super().__init__(
            f"{what} needs a running daemon, and none runs for {directory}; start one: wsmgr daemon start",
            NO_DAEMON,
        )


def say(message: str) -> None:
    """Tell people something on stderr, in lines; where nobody listens any more that is no error."""
    try:
        print(cells.printable_lines(message), file=sys.stderr, flush=True)
    except OSError:  # a closed pipe, or a terminal that has been closed
        _discard(2)


def guarded(body: Callable[[], int | None], *, verbose: bool, whole: bool = False) -> int:
    """Run a command; return its exit code, after a message where it failed.

    Args:
        body: The command.
        verbose: Whether a bug shows its traceback.
        whole: Whether a message has all that a venue said.
    """
    try:
        code = body()
        sys.stdout.flush()
    except BrokenPipeError:
        _discard(1)
        return DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the boundary: an error becomes a message and an exit code
        message, code = explained(error, whole=whole)
        if message is not None:
            say(f"wsmgr: {message}")
        else:
            _report_bug(error, verbose=verbose)
        return code
    return DONE if code is None else code


def explained(error: Exception, *, whole: bool = False) -> tuple[str | None, int]:
    """Return the message and the exit code of an error; without a message it is a bug.

    Args:
        error: The error.
        whole: Whether the message has all that a venue said; else at most 500 characters.
    """
    from wsmgr.manager.daemon.errors import DaemonError, DaemonStartError
    from wsmgr.manager.model.errors import (
        ActionForbiddenError,
        QuotaError,
        RejectedError,
        RequestRefusedError,
        UsageError,
        WsmgrError,
    )

    match error:
        case CommandError():
            return cells.printable(str(error)), error.code
        case UsageError():
            return cells.printable(str(error)), USAGE
        case DaemonStartError():
            # Of several lines: the last ones of the daemon's log.
            return cells.printable_lines(str(error)), FAILED
        case DaemonError():
            return cells.words(str(error), whole=whole), _BY_STATUS.get(error.status, FAILED)
        case RejectedError() | QuotaError() | RequestRefusedError() | ActionForbiddenError():
            return cells.words(str(error), whole=whole), REFUSED
        case WsmgrError() | OSError():
            return cells.words(str(error), whole=whole), FAILED
        case _:
            return None, FAILED


def _report_bug(error: Exception, *, verbose: bool) -> None:
    say(f"wsmgr: this is a bug in wsmgr: {type(error).__name__}: {cells.words(str(error))}")
    if verbose:
        say("".join(traceback.format_exception(error)).rstrip())
    else:
        say("wsmgr: run it again with -v for the traceback, which belongs into a report")


def _discard(descriptor: int) -> None:
    """Let what is still buffered for whoever has left go nowhere, so that the interpreter's own flush at exit is quiet."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
