"""A message: one frame of one subscription, as consumers see it.

Made once per frame on the hot path, so it is a msgspec Struct that holds the venue's bytes and decodes them only when
`data` is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from attrs import frozen

from wsmgr.manager.model.continuity import Gap


@frozen(kw_only=True, eq=False)
class Source:
    """What all messages of a subscription have in common."""

    venue: str
    type: str
    key: str
    subscription_id: str
    decode: Callable[[bytes], Any]


class Message(msgspec.Struct, eq=False, gc=False):
    """One frame of a subscription.

    Attributes:
        source: The subscription's constants; read them as `venue`, `type`, `key` and `subscription_id`.
        channel: The channel that the venue sent it under (its wire key's first part).
        seq: Its number within the subscription, from 1, without holes. A replayed message carries the number of the
            newest message in it.
        epoch: How often that numbering has started again.
        connection: The id of the connection that it came on.
        received_at: When its bytes came, in unix seconds (UTC).
        raw: The venue's whole frame, untouched; where `composed`, a frame that wsmgr made in the venue's format.
        venue_time: The venue's own time for it in unix seconds, or None.
        venue_seq: The venue's own number for it, or None.
        snapshot: Whether it is a whole state rather than a change.
        replayed: Whether it was given to a late consumer from memory.
        healed: Whether it came from a healing query.
        composed: Whether wsmgr made it.
        duplicates: How many items were removed from it because they had been delivered.
        gap: What was lost directly before it, or None.
    """

    source: Source
    channel: str
    seq: int
    epoch: int
    connection: str
    received_at: float
    raw: bytes
    venue_time: float | None = None
    venue_seq: int | None = None
    snapshot: bool = False
    replayed: bool = False
    healed: bool = False
    composed: bool = False
    duplicates: int = 0
    gap: Gap | None = None
    _data: Any = msgspec.UNSET

    @property
    def data(self) -> Any:  # noqa: ANN401 - the payload's shape is the venue's
        """The payload, decoded on first use (for Hyperliquid: the frame's `data` member)."""
        found = self._data
        if found is msgspec.UNSET:
            found = self._data = self.source.decode(self.raw)
        return found

    def keep_only(self, frame: bytes) -> None:
        """Let `data` be the payload of another frame: of this one without the items that had been delivered."""
        self._data = self.source.decode(frame)

    @property
    def venue(self) -> str:
        """The venue's name."""
        return self.source.venue

    @property
    def type(self) -> str:
        """The subscription type."""
        return self.source.type

    @property
    def key(self) -> str:
        """The subscription key."""
        return self.source.key

    @property
    def subscription_id(self) -> str:
        """The subscription's id."""
        return self.source.subscription_id
