"""Interrupts: Ctrl-C in a command that reads in a blocking way.

It interrupts waiting, never the writing of what has come, so that no reader of stdout sees half a line. A second one ends the
process at once.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Final, TypeVar

from wsmgr.cli.errors import INTERRUPTED

Item = TypeVar("Item")
_END: Final = object()


class Interrupts:
    """Tells when Ctrl-C may interrupt. Use `handled()` around the work."""

    def __init__(self) -> None:
        """Install nothing yet."""
        self._waiting = False
        self._asked = False

    @contextmanager
    def handled(self) -> Generator[None]:
        """Handle SIGINT this way while inside."""
        before = signal.signal(signal.SIGINT, self._on_signal)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def between(self, items: Iterable[Item]) -> Generator[Item]:
        """Yield items; only the wait for the next one is interrupted.

        Raises:
            KeyboardInterrupt: Ctrl-C came while waiting, or while the last item was worked on.
        """
        iterator = iter(items)
        while True:
            self._waiting = True
            try:
                if self._asked:
                    raise KeyboardInterrupt
                item = next(iterator, _END)
            finally:
                self._waiting = False
            if item is _END:
                return
            yield item  # type: ignore[misc]  # the sentinel is not an item

    def _on_signal(self, _number: int, _frame: object) -> None:
        if self._asked:
            os._exit(INTERRUPTED)
        self._asked = True
        if self._waiting:
            raise KeyboardInterrupt
