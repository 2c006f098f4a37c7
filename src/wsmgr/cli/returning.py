"""Returning: a stream of the daemon that broke off is opened again, behind the last thing that it gave.

A daemon that is restarted, or a connection to it that is lost, ends no reader: it goes on without a hole, or is told the gap by
the daemon. It tries for a bounded time, and says so on stderr. Waiting can be interrupted by Ctrl-C like the stream itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from wsmgr.cli.errors import say
from wsmgr.manager.daemon.errors import DaemonError, DaemonUnreachableError

if TYPE_CHECKING:
    from wsmgr.manager.daemon.client_stream import Stream

PATIENCE: Final = 30.0
"""Seconds within which the daemon must be back."""
INTERVAL: Final = 0.1
UNDER_WAY: Final = 1.0
"""Seconds that a message may take from the daemon to the reader."""
UNAVAILABLE: Final = 503
"""The status of a daemon that is ending, or that cannot read its database."""

Part = TypeVar("Part")


class Returning(Generic[Part]):
    """A stream that is opened again when it breaks off. Iterate over it for batches.

    Args:
        first: Opens the stream.
        again: Opens another one behind a cursor; None where nothing had been given.
        ended: Whether enough was given, or the stream has said that nothing more will come: its end is one then.
        deadline: When iterating raises TimeoutError, by `time.monotonic`; None for never.
        dated: Whether cursors are of messages, and say when the last one came: a gap that the daemon tells begins then.
    """

    def __init__(
        self,
        first: Callable[[], Stream[Part]],
        again: Callable[[str | None], Stream[Part]],
        *,
        ended: Callable[[], bool] = lambda: False,
        deadline: float | None = None,
        dated: bool = False,
    ) -> None:
        """Open nothing yet."""
        self._first = first
        self._again = again
        self._ended = ended
        self._deadline = deadline
        self._dated = dated
        self._cursor: str | None = None
        self._heard_at = 0.0

    def batches(self) -> Generator[list[Part]]:
        """Yield what each stream gives, one after the other; what is open is closed at the end.

        Raises:
            TimeoutError: The deadline has passed.
            DaemonError: The daemon refused; or it is back, and does not have it any more.
            DaemonUnreachableError: There was no daemon, or it was not back in time.
        """
        stream = self._first()
        while True:
            why = "the daemon ended the stream"
            with closing(stream):
                try:
                    for batch in stream:
                        self._cursor = stream.cursor or self._cursor
                        self._heard_at = time.time() - UNDER_WAY
                        yield batch
                except DaemonUnreachableError as error:
                    why = error.why
            if self._ended():
                return
            stream = self._return(why)

    def _return(self, why: str) -> Stream[Part]:
        say(f"{why}; the daemon has {PATIENCE:g} s to be back")
        gives_up = time.monotonic() + PATIENCE
        while True:
            try:
                stream = self._again(self._place())
            except (DaemonError, DaemonUnreachableError) as error:
                if isinstance(error, DaemonError) and error.status != UNAVAILABLE:
                    raise
                self._check(gives_up, error)
            else:
                say("attached to the daemon again")
                return stream
            time.sleep(INTERVAL)

    def _place(self) -> str | None:
        """Return the cursor of the last thing that was given, with when that was, where the daemon wants to know."""
        if self._cursor is None or not self._dated:
            return self._cursor
        return f"{self._cursor}@{self._heard_at:.3f}"

    def _check(self, gives_up: float, error: DaemonError | DaemonUnreachableError) -> None:
        now = time.monotonic()
        if self._deadline is not None and now >= self._deadline:
            raise TimeoutError("the stream's deadline has passed") from error
        if now < gives_up:
            return
        if isinstance(error, DaemonUnreachableError):
            raise DaemonUnreachableError(error.socket, f"it was not back within {PATIENCE:g} s") from error
        raise error
