"""The newest messages of each subscription: what a reader that returns with its cursor can reach.

Per subscription the messages of the last 60 s, at most 256 KiB of frames; of all subscriptions together 32 MiB, where the oldest
go first. Appending is on the hot path, so only the subscription's own bytes are looked after there. Age and the common limit are
looked after once a second: in between, the common limit can be passed by what came in that second.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from typing import TYPE_CHECKING, Final

from attrs import define, field
from msgspec.structs import replace as _copy

from wsmgr.manager.model.message import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_AGE: Final = 60.0
"""Seconds for which a message is kept."""
MAX_BYTES: Final = 256 * 2**10
"""How many bytes of frames are kept of one subscription."""
MAX_POOL_BYTES: Final = 32 * 2**20
"""How many bytes of frames are kept of all subscriptions together."""


@define(eq=False)
class Recent:
    """The newest messages of one subscription, in their order.

    Attributes:
        bytes: How many bytes their frames have.
    """

    bytes: int = field(default=0, init=False)
    _messages: deque[Message] = field(factory=deque[Message], init=False, repr=False)
    _last: tuple[int, int] | None = field(default=None, init=False, repr=False)

    def __len__(self) -> int:
        """Return how many messages there are."""
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        """Iterate over the messages, oldest first."""
        return iter(self._messages)

    @property
    def oldest_at(self) -> float:
        """When the oldest of them came, in unix seconds; infinite where there is none."""
        return self._messages[0].received_at if self._messages else math.inf

    def append(self, message: Message) -> None:
        """Keep a message; the oldest go where there are too many bytes."""
        messages = self._messages
        # A copy: what a consumer decodes of the message is kept in it, and is many times as large as the frame.
        messages.append(_copy(message))
        kept = self.bytes + len(message.raw)
        while kept > MAX_BYTES:
            kept -= len(messages.popleft().raw)
        self.bytes = kept
        if not messages:
            self._last = message.epoch, message.seq

    def prune(self, now: float) -> None:
        """Forget what is too old; `now` is in unix seconds."""
        before = now - MAX_AGE
        while self.oldest_at < before:
            self.drop_oldest()

    def drop_oldest(self) -> None:
        """Forget the oldest message; there must be one."""
        message = self._messages.popleft()
        self.bytes -= len(message.raw)
        if not self._messages:
            self._last = message.epoch, message.seq

    def after(self, epoch: int, seq: int) -> list[Message] | None:
        """Return the messages after a cursor; none for that of the newest message.

        Returns:
            None where some of them may be missing: they were forgotten, or the cursor is of another numbering or ahead of it.
        """
        newest = (self._messages[-1].epoch, self._messages[-1].seq) if self._messages else self._last
        if newest is None or newest[0] != epoch:
            return None
        found = [message for message in self._messages if message.epoch == epoch and message.seq > seq]
        first = found[0].seq if found else newest[1] + 1
        return found if first == seq + 1 else None


@define(eq=False)
class RecentPool:
    """The limit that all subscriptions share. It is given them each time, so they come and go without telling it.

    Attributes:
        max_bytes: How many bytes of frames they may keep together.
        bytes: How many they kept when it last looked.
    """

    max_bytes: int = MAX_POOL_BYTES
    bytes: int = field(default=0, init=False)

    def prune(self, recents: Iterable[Recent], now: float) -> None:
        """Forget what is too old, then the oldest of all until the limit holds.

        To be called about once a second: it looks at every subscription, and costs no more for a message than to forget it.

        Args:
            recents: Those of all subscriptions.
            now: Unix seconds.
        """
        members = list(recents)
        for recent in members:
            recent.prune(now)
        self.bytes = sum(recent.bytes for recent in members)
        if self.bytes <= self.max_bytes:
            return
        oldest = [(recent.oldest_at, number) for number, recent in enumerate(members)]
        heapq.heapify(oldest)
        while self.bytes > self.max_bytes:
            number = oldest[0][1]
            recent = members[number]
            self.bytes -= recent.bytes
            recent.drop_oldest()
            self.bytes += recent.bytes
            heapq.heapreplace(oldest, (recent.oldest_at, number))
