"""Returning: a reader that comes back with its cursor gets what came since, as far as that is still held.

The cursor is `epoch:seq` of the last message that it had. Where every message after it is held, the reader misses nothing. Where some are
not, it is told a gap first, with their number as far as that is known, and gets the rest.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Self

from attrs import frozen

from wsmgr.manager.model.continuity import Gap
from wsmgr.manager.model.errors import UsageError
from wsmgr.manager.model.recent import Recent
from wsmgr.manager.model.showing import shown

if TYPE_CHECKING:
    from wsmgr.manager.model.delivery import Buffer
    from wsmgr.manager.model.subscription import Entry

NOT_HELD = "the reader returned too late: what came meanwhile is not held any more"
OTHER_NUMBERING = "the reader has been away over a restart, or over an end of the subscription"
_CURSOR = re.compile(r"([0-9]{1,15}):([0-9]{1,15})(?:@([0-9]{1,11}(?:\.[0-9]{1,9})?))?")


@frozen
class Cursor:
    """The last message that a reader had.

    Attributes:
        epoch: Its numbering.
        seq: Its number.
        at: When the reader had it, in unix seconds, or None where it does not say: a gap begins there.
    """

    epoch: int
    seq: int
    at: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `epoch:seq`, or `epoch:seq@unix seconds`.

        Raises:
            UsageError: It is something else.
        """
        found = _CURSOR.fullmatch(text)
        if found is None:
            raise UsageError(
                f"after={shown(text)} is no cursor; give <epoch>:<seq> of the last message, such as 0:1712"
            )
        return cls(int(found[1]), int(found[2]), None if found[3] is None else float(found[3]))


def is_anew(entry: Entry, cursor: Cursor) -> bool:
    """Whether a subscription has begun again since the reader had it, and has not delivered yet: its hole is open."""
    return cursor.epoch != entry.epoch and not entry.was_live and entry.interruption is None


def returned(entry: Entry, buffer: Buffer, cursor: Cursor, *, wall: float) -> bool:
    """Give a reader that returns what came since; returns whether it can go on from there without being shown the present state.

    Args:
        entry: The subscription.
        buffer: The reader's.
        cursor: The last message that it had.
        wall: Now, in unix seconds.
    """
    recent = Recent() if entry.recent is None else entry.recent
    messages = recent.after(cursor.epoch, cursor.seq)
    same_numbering = cursor.epoch == entry.epoch and cursor.seq <= entry.seq
    if messages is None and same_numbering:
        messages = [
            message for message in recent if message.epoch == cursor.epoch and message.seq > cursor.seq
        ]
        first = messages[0].seq if messages else entry.seq + 1
        if first > cursor.seq + 1:
            ended_at = messages[0].received_at if messages else wall
            buffer.miss(_gap(entry, cursor, ended_at, missing=first - cursor.seq - 1))
    elif messages is None and not is_anew(entry, cursor):
        buffer.miss(_gap(entry, cursor, wall, missing=None))
    buffer.refill(messages or ())
    buffer.wake()
    return messages is not None


def _gap(entry: Entry, cursor: Cursor, ended_at: float, *, missing: int | None) -> Gap:
    """Return the gap of a reader whose cursor is not reached: since it had its last message, or where it does not say, since the stream began."""
    since = cursor.at
    if since is None:
        since = entry.subscribed_at if entry.counters.first_at is None else entry.counters.first_at
    since = min(since, ended_at)
    reason = NOT_HELD if cursor.epoch == entry.epoch else OTHER_NUMBERING
    return Gap(started_at=since, ended_at=ended_at, duration=ended_at - since, reason=reason, missing=missing)
