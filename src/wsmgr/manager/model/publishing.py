"""Publishing: a frame of a subscription becomes a message, with its number, in the buffers of its consumers.

The dispatcher does the same in line for the frames of one socket, because a call for each would cost a tenth of its time; everything else
that delivers (two sides that are merged, frames that were held, healing) comes here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.model.message import Message
from wsmgr.manager.model.subscription_type import Join

if TYPE_CHECKING:
    from wsmgr.manager.model.merging import Verdict
    from wsmgr.manager.model.subscription import Entry


def publish(
    entry: Entry,
    raw: bytes,
    *,
    connection: str,
    wall: float,
    venue_time: float | None = None,
    venue_seq: int | None = None,
    snapshot: bool = False,
    verdict: Verdict | None = None,
    healed: bool = False,
) -> None:
    """Number a frame and give it to every consumer; they are woken by the caller.

    Args:
        entry: The subscription.
        raw: The frame.
        connection: The id of the connection on which it came.
        wall: When it came, in unix seconds.
        venue_time: The venue's time for it, or None.
        venue_seq: The venue's number for it, or None.
        snapshot: Whether it is a whole state.
        verdict: What of it is new, where that was asked; None: all of it.
        healed: Whether it comes from a healing query; it was composed then.
    """
    counters = entry.counters
    counters.messages += 1
    counters.bytes += len(raw)
    if not healed:
        # What is healed is past: it proves nothing of the stream's present.
        counters.last_at = wall
    if counters.first_at is None:
        counters.first_at = wall
    kept = None if verdict is None else verdict.kept
    entry.seq += 1
    message = Message(
        entry.source,
        entry.channel,
        entry.seq,
        entry.epoch,
        connection,
        wall,
        raw,
        venue_time,
        venue_seq,
        snapshot and kept is None,
        False,
        healed,
        healed,
        0 if verdict is None else verdict.duplicates,
    )
    if kept is not None:
        counters.duplicates += message.duplicates
        message.keep_only(kept)
    if entry.gap is not None:
        message.gap, entry.gap = entry.gap, None
    if entry.log is not None:
        entry.log.record(raw if snapshot or kept is None else kept, snapshot=snapshot)
    if not healed or entry.type.join is not Join.LAST:
        entry.last = message
    if entry.recent is not None:
        entry.recent.append(message)
    for buffer in entry.buffers:
        buffer.put(message)
