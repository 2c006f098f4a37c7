"""Hearing: until when each stream was heard, as marks in the store.

After a `kill -9` nothing but the store says where the gap of a stream begins. It begins at the mark `FLUSHED`: until then the
process was alive, and what had come was given out. But a socket may have been silent before that, and what the venue sent
meanwhile may never have come. So a stream that was not heard for a while has a `SILENT` mark of its own, at the last byte of its
socket. The marks are true of one moment, all together, and are written in one transaction; a later `FLUSHED` alone would claim
to have heard what was silent.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from attrs import define, field

from wsmgr.manager.store.changes import FLUSHED, SILENT, Change, Mark, Unmark

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wsmgr.manager.model.subscription import Entry

SILENCE: Final = 1.0
"""Seconds without a byte after which a stream has a mark of its own; also how much later a new mark must be to be written."""


@define(eq=False)
class Hearing:
    """The marks that the store has, or will have, of streams that are silent."""

    _silent: dict[str, float] = field(factory=dict[str, float], init=False)

    def marks(self, entries: Iterable[Entry], wall: float) -> list[Change]:
        """Return what makes the store say until when each stream was heard, as it is now.

        Args:
            entries: All subscriptions. Those that deliver count; of the others the store has the open gap.
            wall: The wall time.
        """
        flushed = wall
        silent: dict[str, float] = {}
        for entry in entries:
            heard_at = _heard_at(entry)
            if heard_at is None:
                continue
            if wall - heard_at > SILENCE:
                silent[entry.id] = heard_at
            else:
                flushed = min(flushed, heard_at)
        changes: list[Change] = [Mark(FLUSHED, flushed)]
        changes += [Unmark(SILENT + id_) for id_ in self._silent if id_ not in silent]
        for id_, heard_at in silent.items():
            known = self._silent.get(id_, -math.inf)
            if known <= heard_at <= known + SILENCE:
                # The older one stands: a gap may begin a little early.
                silent[id_] = known
            else:
                changes.append(Mark(SILENT + id_, heard_at))
        self._silent = silent
        return changes

    def adopt(self, marks: Mapping[str, float]) -> None:
        """Take the marks that an earlier process left.

        They go with the next ones of this process, when the gaps that begin at them are on the disk.
        """
        self._silent = dict(marks)

    def again(self, subscription_ids: Iterable[str]) -> None:
        """Take nothing for granted of what the store has of these: what was given may not have been written."""
        self._silent = dict.fromkeys([*self._silent, *subscription_ids], -math.inf)


def _heard_at(entry: Entry) -> float | None:
    """Return until when a subscription that delivers was heard, or None where it does not: when the last byte came on a socket of it.

    Where it went on from a side that is not proved yet to have been whole, it was heard until then only.
    """
    if not entry.delivers:
        return None
    second = entry.second
    sides = (entry.connection, second.connection if second is not None and second.joined else None)
    heard = [side.inbound.last.wall for side in sides if side is not None and side.inbound is not None]
    heard_at = max(heard, default=None)
    # Of a primary whose second side is on trial nothing is in doubt: it still delivers itself.
    primary = (
        entry.connection.id
        if entry.connection is not None and second is not None and not second.joined
        else None
    )
    unproved = [since for connection, since in entry.unproved.items() if connection != primary]
    return heard_at if heard_at is None else min([heard_at, *unproved])
