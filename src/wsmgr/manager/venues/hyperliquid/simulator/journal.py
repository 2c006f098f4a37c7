"""Journal: what the simulator saw and did, for tests that must know exactly what a client was owed.

Times are seconds on the simulator's clock, from its start. All lists are bounded; the oldest entries go first.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsmgr.manager.venues.hyperliquid.simulator.sources import Frame

KEPT_FRAMES = 20_000
KEPT_CONNECTIONS = 2_000
_MINUTE = 60.0


class Witness(Protocol):
    """Is told of everything that the venue makes, sent to somebody or not: the truth of a long test, unbounded."""

    def made(self, stream: str, n: int, due: float, frames: Sequence[Frame]) -> None:
        """A tick of a stream was made.

        Args:
            stream: The subscription's key.
            n: The tick's number.
            due: When it was due, on the simulator's clock.
            frames: What everybody who listens gets; empty where nothing happened.
        """
        ...


@attrs.define
class SubscriptionRecord:
    """One subscription on one socket.

    Attributes:
        subscription: Its key, JSON.
        since: When it was acknowledged.
        until: When it ended, None while it lives.
        sent: Data frames handed to the socket.
        first_n: The tick of the first frame.
        last_n: The tick of the newest frame.
    """

    subscription: str
    since: float
    until: float | None = None
    sent: int = 0
    first_n: int | None = None
    last_n: int | None = None


@attrs.define
class ConnectionRecord:
    """One socket.

    Attributes:
        connection: Its number, from 1.
        path: The path of its upgrade.
        opened_at: When its upgrade was accepted.
        closed_at: When it ended, None while it is open.
        why: Why it ended.
        sent: Frames written to it.
        sent_bytes: Bytes of those frames.
        received: Frames from the client: when and what.
        subscriptions: Every subscription that it ever had, in order.
    """

    connection: int
    path: str
    opened_at: float
    closed_at: float | None = None
    why: str | None = None
    sent: int = 0
    sent_bytes: int = 0
    received: deque[tuple[float, str]] = attrs.field(
        factory=lambda: deque[tuple[float, str]](maxlen=KEPT_FRAMES)
    )
    subscriptions: list[SubscriptionRecord] = attrs.field(factory=list[SubscriptionRecord])

    def as_json(self) -> dict[str, object]:
        """The record as `/sim/log` shows it."""
        fields = attrs.asdict(self, recurse=False)
        fields["received"] = [{"at": at, "text": text} for at, text in self.received]
        fields["subscriptions"] = [attrs.asdict(record) for record in self.subscriptions]
        return fields


class Journal:
    """All sockets since the start.

    Attributes:
        dials: Upgrades asked for.
        refused: Upgrades refused.
        open: Sockets open now.
        most_open: The most sockets that were open at once.
        posts: Posts that wait for their answer.
        most_posts: The most posts that waited at once.
        most_messages_a_minute: The most frames that came from clients within 60 seconds.
        most_dials_a_minute: The most upgrades that were asked for within 60 seconds.
        connections: A record of each socket.
    """

    def __init__(self) -> None:
        self.dials = 0
        self.refused = 0
        self.open = 0
        self.most_open = 0
        self.posts = 0
        self.most_posts = 0
        self.most_messages_a_minute = 0
        self.most_dials_a_minute = 0
        self._minute: deque[float] = deque()
        self._dials: deque[float] = deque()
        self.connections: deque[ConnectionRecord] = deque(maxlen=KEPT_CONNECTIONS)
        self._numbers = 0

    def dialled(self, now: float) -> None:
        """Count an upgrade that is asked for."""
        self.dials += 1
        self._dials.append(now)
        _forget_before(self._dials, now - _MINUTE)
        self.most_dials_a_minute = max(self.most_dials_a_minute, len(self._dials))

    def opened(self, path: str, now: float) -> ConnectionRecord:
        """Begin the record of a socket."""
        self._numbers += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        record = ConnectionRecord(self._numbers, path, now)
        self.connections.append(record)
        return record

    def received(self, now: float) -> None:
        """Count a frame from a client."""
        self._minute.append(now)
        _forget_before(self._minute, now - _MINUTE)
        self.most_messages_a_minute = max(self.most_messages_a_minute, len(self._minute))

    def asked(self) -> None:
        """Count a post as in flight; whoever answers it takes it out of :attr:`posts`."""
        self.posts += 1
        self.most_posts = max(self.most_posts, self.posts)

    def closed(self, record: ConnectionRecord, why: str, now: float) -> None:
        """End the record of a socket."""
        self.open -= 1
        record.closed_at = now
        record.why = why
        for subscription in record.subscriptions:
            if subscription.until is None:
                subscription.until = now

    def as_json(self, now: float) -> dict[str, object]:
        """The journal as `/sim/log` shows it, without the streams."""
        _forget_before(self._minute, now - _MINUTE)
        live = [
            {"connection": record.connection, "subscription": subscription.subscription}
            for record in self.connections
            for subscription in record.subscriptions
            if subscription.until is None
        ]
        return {
            "dials": self.dials,
            "refused": self.refused,
            "open": self.open,
            "most_open": self.most_open,
            "messages_last_minute": len(self._minute),
            "most_messages_a_minute": self.most_messages_a_minute,
            "most_dials_a_minute": self.most_dials_a_minute,
            "posts": self.posts,
            "most_posts": self.most_posts,
            "live": live,
            "connections": [record.as_json() for record in self.connections],
        }


def _forget_before(times: deque[float], first: float) -> None:
    while times and times[0] <= first:
        times.popleft()
