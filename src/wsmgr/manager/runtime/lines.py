"""Stream lines: a message or a continuity event as one line of JSON.

`wsmgr subscribe --json` prints the same bytes with a daemon and without one, because both make them here. The payload is
spliced out of the venue's frame as the bytes that came: it is neither decoded nor encoded again. Times are UTC, RFC 3339.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from wsmgr.manager.model.continuity import (
    Closed,
    Event,
    Failed,
    Gap,
    Healed,
    Interrupted,
    Lagged,
    Live,
    Rejected,
    Resumed,
    Snapshot,
    Stale,
)
from wsmgr.manager.model.errors import LaggedError, WsmgrError
from wsmgr.manager.model.message import Message

if TYPE_CHECKING:
    from wsmgr.manager.model.delivery import Item

PayloadBytes = Callable[[bytes], bytes]
"""Gives the payload of a frame as the JSON text that came: a dialect's `payload_bytes`."""

STOPPING = "the end of the daemon"
"""By whom a stream was closed that ended because the daemon did; the `by` of its last line."""

_EVENT_MEMBER = b'"event":'
_encode = msgspec.json.Encoder().encode
_utc = datetime.fromtimestamp


class GapDocument(msgspec.Struct, kw_only=True):
    """A gap, as a line shows it: times in UTC, `duration` in seconds by the monotonic clock."""

    started_at: datetime
    ended_at: datetime
    duration: float
    reason: str
    connection: str | None
    missing: int | None
    attempts: int
    healed_by: str | None
    proof: str | None
    open_because: str | None
    venue_seq_from: int | None
    venue_seq_to: int | None


class MessageLine(msgspec.Struct, gc=False):
    """A message, as a line shows it.

    `unreadable` stands only where the payload could not be read: then it says why, and `data` is null.
    """

    id: str
    venue: str
    type: str
    key: str
    seq: int
    epoch: int
    received_at: datetime
    venue_time: datetime | None
    venue_seq: int | None
    snapshot: bool
    replayed: bool
    healed: bool
    duplicates: int
    gap: GapDocument | None
    data: msgspec.Raw
    unreadable: str | msgspec.UnsetType = msgspec.UNSET


def message_line(message: Message, payload_bytes: PayloadBytes) -> bytes:
    """Return a message as one line of JSON, with its line feed.

    Args:
        message: The message.
        payload_bytes: The dialect's.
    """
    unreadable: str | msgspec.UnsetType = msgspec.UNSET
    try:
        data = _data(message, payload_bytes)
    except WsmgrError as error:
        data, unreadable = b"null", str(error)
    source, gap, venue_time = message.source, message.gap, message.venue_time
    line = MessageLine(
        source.subscription_id,
        source.venue,
        source.type,
        source.key,
        message.seq,
        message.epoch,
        _utc(message.received_at, UTC),
        None if venue_time is None else _utc(venue_time, UTC),
        message.venue_seq,
        message.snapshot,
        message.replayed,
        message.healed,
        message.duplicates,
        None if gap is None else gap_document(gap),
        msgspec.Raw(data),
        unreadable,
    )
    return _encode(line) + b"\n"


def event_line(subscription_id: str, event: Event) -> bytes:
    """Return a continuity event as one line of JSON, with its line feed."""
    name, members = _event(event)
    return _encode({"id": subscription_id, "event": name, **members}) + b"\n"


def item_line(subscription_id: str, item: Item, payload_bytes: PayloadBytes) -> bytes:
    """Return what a consumer got, a message or an event, as one line of JSON with its line feed."""
    if isinstance(item, Message):
        return message_line(item, payload_bytes)
    return event_line(subscription_id, item)


def subscribed_line(subscription: Any) -> bytes:  # noqa: ANN401 - any row Struct with an id
    """Return the line that a stream begins with when it was asked for together with its subscription.

    Args:
        subscription: The view of the subscription.
    """
    return _encode({"id": subscription.id, "event": "subscribed", "subscription": subscription}) + b"\n"


def ending_lines(subscription_id: str, error: WsmgrError | None, *, by: str) -> bytes:
    """Return the lines that say why a stream ends.

    Args:
        subscription_id: The subscription's id.
        error: What ended the consumer, or None where its end was orderly.
        by: Who ended it, where it was orderly.
    """
    if error is None:
        return event_line(subscription_id, Closed(by=by))
    failed = event_line(subscription_id, Failed(error=str(error)))
    if isinstance(error, LaggedError):
        return event_line(subscription_id, Lagged(dropped=error.dropped)) + failed
    return failed


def is_event(line: bytes) -> bool:
    """Return whether a line is an event; reads no more than its beginning."""
    return line[7:].partition(b'",')[2].startswith(_EVENT_MEMBER)


def ends_stream(items: Iterable[Item]) -> bool:
    """Return whether one of these events says already that nothing more will come."""
    return any(isinstance(item, Closed | Failed | Rejected) for item in items)


def gap_document(gap: Gap) -> GapDocument:
    """Return a gap as lines show it."""
    return GapDocument(
        started_at=_utc(gap.started_at, UTC),
        ended_at=_utc(gap.ended_at, UTC),
        duration=gap.duration,
        reason=gap.reason,
        connection=gap.connection,
        missing=gap.missing,
        attempts=gap.attempts,
        healed_by=gap.healed_by,
        proof=gap.proof,
        open_because=gap.open_because,
        venue_seq_from=gap.venue_seq_from,
        venue_seq_to=gap.venue_seq_to,
    )


def _data(message: Message, payload_bytes: PayloadBytes) -> bytes:
    if message.duplicates:
        # Items that had been delivered were taken out of `data`; they still stand in the frame.
        return _encode(message.data)
    data = payload_bytes(message.raw)
    return msgspec.json.format(data, indent=-1) if b"\n" in data else data


def _event(event: Event) -> tuple[str, Mapping[str, Any]]:  # noqa: C901 - a case for each event
    match event:
        case Live():
            return "live", {"at": _utc(event.at, UTC), "quiet": event.quiet}
        case Interrupted():
            return "interrupted", {
                "since": _utc(event.since, UTC),
                "cause": event.cause,
                "next_attempt_at": None
                if event.next_attempt_at is None
                else _utc(event.next_attempt_at, UTC),
            }
        case Gap():
            return "gap", msgspec.structs.asdict(gap_document(event))
        case Resumed():
            gap = None if event.gap is None else gap_document(event.gap)
            return "resumed", {"epoch": event.epoch, "exact": event.exact, "gap": gap}
        case Snapshot():
            return "snapshot", {"at": _utc(event.at, UTC)}
        case Stale():
            return "stale", {"since": _utc(event.since, UTC)}
        case Healed():
            return "healed", {"gap": gap_document(event.gap), "items": event.items}
        case Lagged():
            return "lagged", {"dropped": event.dropped}
        case Rejected():
            return "rejected", {"error": event.error}
        case Failed():
            return "failed", {"error": event.error}
        case Closed():
            return "closed", {"by": event.by}
