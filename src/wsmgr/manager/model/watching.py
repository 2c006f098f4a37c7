"""Watching: how long a stream has been silent, and how long it may be.

Only data counts: pongs, acknowledgements and other streams of the socket say nothing of this one. Two kinds of streams:

* The type names a *cadence*: the venue sends a frame at least that often while subscribed. Silence of three cadences (at least
  `FLOOR`) means that something is wrong with this stream, and it is repaired.
* The type names none: silence may be right, so it alone proves nothing. After a silence that is long for this very stream (five times the
  99th percentile of its observed intervals, at least `LEARNED_FLOOR`), or after `PROBE_INTERVAL` where nothing is known of it, the venue is
  asked whether it still has the subscription; at most once in `PROBE_INTERVAL`.

A watch is told once a second how many messages have come, so it sees intervals to the second and costs a message nothing. Its deadline
is absolute: only data, or a proof, moves it.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from attrs import define, field

if TYPE_CHECKING:
    from wsmgr.manager.model.subscription_type import SubscriptionType

FLOOR = 5.0
CADENCES = 3.0
LEARNED_FLOOR = 30.0
LEARNED_FACTOR = 5.0
LEARNED_FROM = 100
PROBE_INTERVAL = 600.0
_PERCENTILE = 0.99
_BUCKETS = 16


def _no_intervals() -> array[int]:
    return array("L", bytes(_BUCKETS * array("L").itemsize))


@define(eq=False)
class Watch:
    """What is known of a stream's silences.

    Attributes:
        heard_at: When its newest message was noticed, or its last proof came (monotonic); None while it is not live.
        proved_at: When the venue last said that it has the subscription (monotonic), or None.
        probed_at: When the venue was last asked whether it still has it (monotonic), or None.
    """

    heard_at: float | None = None
    proved_at: float | None = None
    probed_at: float | None = None
    _messages: int = 0
    _intervals: array[int] = field(factory=_no_intervals, repr=False)

    def begin(self, now: float, messages: int) -> None:
        """Begin to watch: the stream is live from now on."""
        self.heard_at = self.proved_at = now
        self._messages = messages

    def end(self) -> None:
        """Watch no longer: the stream is not live."""
        self.heard_at = None

    def beat(self, now: float, messages: int) -> None:
        """Take the number of messages that have come until now; call it once a second."""
        if messages == self._messages:
            return
        self._messages = messages
        if self.heard_at is not None:
            self._intervals[_bucket(now - self.heard_at)] += 1
            self.heard_at = now

    def proved(self, now: float) -> None:
        """Note a proof other than a message: the venue said that it has the subscription."""
        if self.heard_at is not None:
            self.heard_at = self.proved_at = now

    def excuse(self, now: float) -> None:
        """Leave a time out of account in which nobody listened: reading is paused."""
        if self.heard_at is not None:
            self.heard_at = now

    @property
    def learned(self) -> float | None:
        """The 99th percentile of the observed intervals in seconds (rounded up to a power of two), or None while too few are known."""
        total = sum(self._intervals)
        if total < LEARNED_FROM:
            return None
        seen = 0
        for bucket, count in enumerate(self._intervals):
            seen += count
            if seen >= _PERCENTILE * total:
                return 2.0**bucket
        return 2.0 ** (_BUCKETS - 1)

    def silent(self, now: float) -> float:
        """Return for how many seconds nothing has come; 0 while it is not watched."""
        return 0.0 if self.heard_at is None else now - self.heard_at

    def due_at(self, subscription_type: SubscriptionType) -> float | None:
        """Return when the silence will have been too long (monotonic), or None while it is not watched."""
        if self.heard_at is None:
            return None
        at = self.heard_at + threshold(subscription_type, self.learned)
        if subscription_type.cadence is None and self.probed_at is not None:
            at = max(at, self.probed_at + PROBE_INTERVAL)
        return at


def threshold(subscription_type: SubscriptionType, learned: float | None) -> float:
    """Return the silence in seconds after which a stream of a type is looked into.

    Args:
        subscription_type: The type.
        learned: What is known of this stream's own intervals; counts only where the type names no cadence.
    """
    if subscription_type.cadence is not None:
        return max(FLOOR, CADENCES * subscription_type.cadence)
    if learned is None:
        return PROBE_INTERVAL
    return min(PROBE_INTERVAL, max(LEARNED_FLOOR, LEARNED_FACTOR * learned))


def _bucket(interval: float) -> int:
    """Return the power of two, from 1 s on, that an interval is not longer than."""
    return min(_BUCKETS - 1, max(0, int(interval + 0.999) - 1).bit_length())
