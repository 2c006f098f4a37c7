"""The source: what the writer asks for that nobody waits for, as the writer sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from wsmgr.manager.store.changes import Change
    from wsmgr.manager.store.desired import DesiredSubscription


class Source(Protocol):
    """Where that comes from for which nobody waits. It is asked on the loop, for one collection at a time."""

    @property
    def waits(self) -> bool:
        """Whether there are facts to be written."""
        ...

    def facts(self) -> Sequence[Change]:
        """Return what is to be written soon: gaps and events."""
        ...

    def counters(self) -> Sequence[Change]:
        """Return what is to be written now and then: the counters that changed since this was last asked."""
        ...

    def written(self) -> None:
        """All that was returned is on the disk."""
        ...

    def collect_all(self) -> None:
        """What was returned may not be on the disk, or the disk is a new one: return everything that is known again."""
        ...

    def desired(self) -> Iterable[DesiredSubscription]:
        """Return what must be made live again, where nothing on the disk says it any more. Called on another thread."""
        ...


@frozen
class Flush:
    """There is something at the source."""


FLUSH = Flush()
"""Cast to a writer: something waits at its source."""
