"""Confirming: nothing that changes an account is sent before somebody has said yes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final

from wsmgr.cli import cells, output
from wsmgr.cli.errors import FAILED, REFUSED, USAGE, CommandError, say
from wsmgr.cli.shown_action import shown, verdict

QUESTION: Final = "Send it? [y/N] "
YES: Final = frozenset({"y", "yes"})
NOTHING_SENT: Final = "nothing was sent"
LEFT_OPEN: Final = (
    "interrupted before the answer came: the action may have been sent, and its outcome is unknown;"
    " ask the venue what is so before you send it again"
)


def check_terminal() -> None:
    """Refuse to begin where nobody could be asked.

    Raises:
        CommandError: stdin or stderr is no terminal.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise CommandError(
            "exchange asks on the terminal before it sends, and here is none; give --yes to send without being asked,"
            " or --dry-run to see what would be sent",
            USAGE,
        )


def confirm(preview: Mapping[str, Any], venue: str) -> None:
    """Show what would be sent and ask; returns when the answer is yes.

    Args:
        preview: What would be signed and sent.
        venue: The venue's name.

    Raises:
        CommandError: It is forbidden, or the answer is not yes; nothing was sent.
    """
    if preview["forbidden"] is not None:
        raise CommandError(str(preview["forbidden"]), REFUSED)
    say(shown(preview, venue))
    sys.stderr.write(QUESTION)
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        say("")
    if answer.strip().lower() not in YES:
        raise CommandError(NOTHING_SENT, FAILED)


def conclude(response: object) -> int:
    """Print the answer to an action, tell what of it was refused, and return the exit code."""
    output.write_json(response)
    code, refused = verdict(response)
    for words in refused:
        say(f"the venue refused: {cells.words(words)}")
    return code
