"""Merging: the frames of two sides of a subscription become one stream.

Two sockets bring the same stream cut differently, one later than the other. What was delivered is remembered by its keys, and
what comes again is left out. What a key is depends on the type's `merge`:

* `items`: each item has one, and a frame is cut down to its new items. At most once.
* `time`: a whole frame has one, its venue time and its bytes. A frame older than the newest that was delivered is left out,
  one of equal time only if the same bytes were delivered. Monotonic.

Whatever is in doubt is delivered: a frame whose items cannot be read, or without a time, passes whole. So does one without any
items, because a snapshot of nothing is news. Nothing is lost by merging, at worst something comes twice.

A `Merger` exists only while something may come twice, and begins with the frames that are kept anyway. Its memory is bounded,
the oldest keys go first: a side that is further behind than the memory reaches brings things twice.

A second side is not trusted at once. A venue may serve only the newest of two sockets, or give each socket a share or a cut of
its own; a side that joined then would leave holes. So it is first on `Trial`: its frames are held until both sides have brought
one key. From there it is known to go on where the first one is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from enum import Enum
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec
from attrs import define, field, frozen

from wsmgr.manager.model.subscription_type import Merge

if TYPE_CHECKING:
    from wsmgr.manager.model.items import Item, ReadItems, WithItems
    from wsmgr.manager.model.message import Message

MAX_KEYS: Final = 65_536
"""How many keys are remembered."""
MAX_HELD_FRAMES: Final = 4096
MAX_HELD_BYTES: Final = 4 * 2**20

FAR: Final = 30.0
"""Seconds by which no side is behind the other one; times further apart than that are not of one clock."""

_DIGEST_BYTES: Final = 16


@define(eq=False)
class Seen:
    """A bounded memory of keys: the oldest is forgotten first. Seeing a key again does not make it younger.

    Args:
        limit: How many keys it holds.
    """

    limit: int = MAX_KEYS
    _keys: set[Hashable] = field(factory=set[Hashable], init=False, repr=False)
    _order: deque[Hashable] = field(factory=deque[Hashable], init=False, repr=False)

    def __len__(self) -> int:
        """Return how many keys it holds."""
        return len(self._order)

    def __contains__(self, key: Hashable) -> bool:
        """Return whether it holds a key."""
        return key in self._keys

    def add(self, key: Hashable) -> bool:
        """Remember a key; returns whether it is new."""
        keys = self._keys
        if key in keys:
            return False
        keys.add(key)
        self._order.append(key)
        if len(keys) > self.limit:
            keys.remove(self._order.popleft())
        return True


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What of a frame is to be delivered.

    Attributes:
        fresh: Whether anything is.
        duplicates: How many of its items (of a frame without items: 1) are not.
        kept: A frame with only the new items, or None where the whole frame is new, or nothing of it.
    """

    fresh: bool
    duplicates: int = 0
    kept: bytes | None = None


_WHOLE: Final = Verdict(fresh=True)
_OUTDATED: Final = Verdict(fresh=False, duplicates=1)


class Merger:
    """What was delivered of a subscription, and what of the next frame is new.

    Args:
        merge: How the type is merged: `items` or `time`.
        read_items: Returns the items of a frame, for `items`.
        with_items: Returns a frame cut down to some of its items, for `items`.
        limit: How many keys are remembered.

    Attributes:
        merge: How the type is merged.
        unreadable: How many frames were passed whole because their items could not be read.
    """

    def __init__(
        self, merge: Merge, read_items: ReadItems, with_items: WithItems, *, limit: int = MAX_KEYS
    ) -> None:
        """Begin without having delivered anything."""
        if merge is Merge.NONE:
            raise ValueError("a type without keys cannot be merged")
        self.merge = merge
        self.unreadable = 0
        self._read_items = read_items
        self._with_items = with_items
        self._seen = Seen(limit)
        self._newest = float("-inf")

    def __len__(self) -> int:
        """Return how many keys it remembers."""
        return len(self._seen)

    def take(self, raw: bytes, venue_time: float | None) -> Verdict:
        """Say what of a frame is new, and remember it as delivered. Never raises."""
        return self._take_items(raw) if self.merge is Merge.ITEMS else self._take_frame(raw, venue_time)

    def seed(self, messages: Iterable[Message]) -> None:
        """Remember messages that were delivered, oldest first."""
        for message in messages:
            self.remember(message.raw, message.venue_time)

    def remember(self, raw: bytes, venue_time: float | None = None) -> list[Hashable]:
        """Remember a frame that was delivered; returns its keys. One that cannot be read has none."""
        keys = self.keys(raw, venue_time)
        self.remember_keys(keys)
        if venue_time is not None and not self._newest - FAR < venue_time <= self._newest:
            self._newest = venue_time
        return keys

    def remember_keys(self, keys: Iterable[Hashable]) -> None:
        """Remember what was delivered by its keys."""
        for key in keys:
            self._seen.add(key)

    def knows(self, raw: bytes, venue_time: float | None) -> bool:
        """Return whether anything of a frame was delivered already."""
        return any(map(self.delivered, self.keys(raw, venue_time)))

    def delivered(self, key: Hashable) -> bool:
        """Return whether what has this key was delivered."""
        return key in self._seen

    def keys(self, raw: bytes, venue_time: float | None) -> list[Hashable]:
        """Return the keys of a frame; none where it has no items or no time, or cannot be read."""
        if self.merge is Merge.ITEMS:
            return [item.key for item in self.items(raw) or ()]
        return [] if venue_time is None else [_frame_key(raw, venue_time)]

    def items(self, raw: bytes) -> list[Item] | None:
        """Return the items of a frame, or None where it cannot be read. Never raises."""
        try:
            return self._read_items(raw)
        except Exception:  # noqa: BLE001 - whatever a dialect stumbles over: nothing is known of this frame's items
            return None

    def _take_items(self, raw: bytes) -> Verdict:
        add = self._seen.add
        try:
            items = self._read_items(raw)
            fresh = [item for item in items if add(item.key)]
            duplicates = len(items) - len(fresh)
            if not duplicates:
                return _WHOLE
            return Verdict(bool(fresh), duplicates, self._with_items(raw, fresh) if fresh else None)
        except Exception:  # noqa: BLE001 - whatever a dialect stumbles over: what cannot be judged is delivered
            self.unreadable += 1
            return _WHOLE

    def _take_frame(self, raw: bytes, venue_time: float | None) -> Verdict:
        if venue_time is None:
            return _WHOLE
        if self._newest - FAR < venue_time < self._newest:
            return _OUTDATED
        # One so much older is no late frame of the other side: the newest time was none, as one odd frame may bring.
        self._newest = venue_time
        return _WHOLE if self._seen.add(_frame_key(raw, venue_time)) else _OUTDATED


class Overlap(Enum):
    """What a trial has shown of two sides."""

    MATCHED = "matched"
    """Both brought the same: the second one goes on where the first one is."""
    QUIET = "quiet"
    """Neither sent anything, but for the second one's first frame: there was nothing to compare."""
    NEWEST_ONLY = "newest_only"
    """The first one fell silent while the second one sent two frames or more: the venue serves only the newest socket."""
    DISJOINT = "disjoint"
    """Both sent items and have none in common: each gets a share of its own."""
    INCOMPARABLE = "incomparable"
    """Both sent whole frames and none was the same: each gets a cut of its own."""
    SECOND_SILENT = "second_silent"
    """The first one delivers, and of the second one came its first frame at most."""


class Held(msgspec.Struct, frozen=True, gc=False):
    """A frame of a second side on trial.

    Attributes:
        raw: The frame.
        venue_time: The venue's time for it, or None.
        wall: When it came, in unix seconds.
        snapshot: Whether it is a whole state.
    """

    raw: bytes
    venue_time: float | None
    wall: float
    snapshot: bool


@frozen
class Orphans:
    """Frames of a second side on trial whose socket was lost.

    Attributes:
        connection: The id of its connection.
        frames: The frames, in the order in which they came.
        due_at: When the primary side has had the time to bring them too (monotonic).
    """

    connection: str
    frames: list[Held]
    due_at: float


@define(eq=False)
class Trial:
    """A second side whose frames are held until it is known how they go on from those of the first.

    Args:
        merger: What the first side has delivered.
        max_frames: How many frames are held; then the oldest are let go.
        max_bytes: The same in bytes.

    Attributes:
        matched: Whether both sides have brought one key, in whichever order.
        overflowed: How many frames were let go.
    """

    _merger: Merger = field(repr=False)
    _max_frames: int = field(default=MAX_HELD_FRAMES, kw_only=True)
    _max_bytes: int = field(default=MAX_HELD_BYTES, kw_only=True)
    matched: bool = field(default=False, init=False)
    overflowed: int = field(default=0, init=False)
    _primary_frames: int = field(default=0, init=False)
    _second_frames: int = field(default=0, init=False)
    _second_keys: Seen = field(factory=Seen, init=False, repr=False)
    _held: deque[Held] = field(factory=deque[Held], init=False, repr=False)
    _held_bytes: int = field(default=0, init=False)

    @property
    def both_deliver(self) -> bool:
        """Whether both sides have brought something since it began, and the same: a snapshot alone shows what was, not what comes."""
        return self.matched and self._primary_frames > 0

    def primary(self, raw: bytes, venue_time: float | None) -> None:
        """Note a frame that the first side delivered since the trial began; the merger remembers it too."""
        self._primary_frames += 1
        keys = self._merger.remember(raw, venue_time)
        if not self.matched:
            self.matched = any(map(self._second_keys.__contains__, keys))

    def second(self, raw: bytes, venue_time: float | None, wall: float, snapshot: bool) -> None:
        """Hold a frame of the second side."""
        self._second_frames += 1
        if not self.matched:
            self._compare(self._merger.keys(raw, venue_time))
        self._held.append(Held(raw, venue_time, wall, snapshot))
        self._held_bytes += len(raw)
        while len(self._held) > self._max_frames or self._held_bytes > self._max_bytes:
            self._held_bytes -= len(self._held.popleft().raw)
            self.overflowed += 1

    def held(self) -> list[Held]:
        """Return the frames that are held, in the order in which they came."""
        return list(self._held)

    def judge(self) -> Overlap:
        """Say what the trial has shown so far."""
        if self.matched:
            return Overlap.MATCHED
        if self._second_frames <= 1:
            return Overlap.SECOND_SILENT if self._primary_frames else Overlap.QUIET
        if not self._primary_frames:
            return Overlap.NEWEST_ONLY
        return Overlap.DISJOINT if self._merger.merge is Merge.ITEMS else Overlap.INCOMPARABLE

    def _compare(self, keys: Sequence[Hashable]) -> None:
        self.matched = any(map(self._merger.delivered, keys))
        for key in keys:
            self._second_keys.add(key)


def _frame_key(raw: bytes, venue_time: float) -> Hashable:
    return venue_time, blake2b(raw, digest_size=_DIGEST_BYTES).digest()
