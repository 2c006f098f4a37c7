"""The backlog: commits that are not on the disk yet, in order, within a bound.

Plain state, no loop: the writer adds to it, takes batches from its front, and removes them once they are written. When
the database cannot be written for long, a commit that a caller waits for is withdrawn in time for the caller to hear why.
"""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from attrs import define, field

from wsmgr.manager.store.committer import Commit

if TYPE_CHECKING:
    from wsmgr.actors.errors import RejectError


class Caller(Protocol):
    """Who waits for a commit."""

    def reply(self, value: object) -> bool:
        """Give the answer."""
        ...

    def reject(self, error: RejectError) -> bool:
        """Tell why there is none."""
        ...


@define(eq=False)
class Waiting:
    """A commit that waits to be written.

    Attributes:
        commit: What to write.
        since: When it came (monotonic).
        caller: Who waits for it, or None.
    """

    commit: Commit
    since: float
    caller: Caller | None = None


@define
class Backlog:
    """Commits in the order in which they came.

    Attributes:
        limit: How many may wait.
    """

    limit: int
    _entries: deque[Waiting] = field(factory=deque[Waiting], init=False)

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, entry: Waiting) -> bool:
        """Add a commit at the end; returns False, and leaves it out, where there is no room."""
        if len(self._entries) >= self.limit:
            return False
        self._entries.append(entry)
        return True

    def first(self, count: int) -> list[Waiting]:
        """Return the oldest commits, at most `count`; they stay."""
        return list(islice(self._entries, count))

    def remove_first(self, count: int) -> None:
        """Remove the oldest `count` commits: they were written."""
        for _ in range(count):
            self._entries.popleft()

    def withdraw(self, before: float | None = None) -> list[Waiting]:
        """Remove and return the commits that somebody waits for and that came before a time (None: all of them)."""
        gone = [one for one in self._entries if one.caller and (before is None or one.since < before)]
        for entry in gone:
            self._entries.remove(entry)
        return gone
