"""Hub: the schedule of all streams, and who gets their frames. Pure: the time is a parameter.

One stream for all who subscribed to the same thing, so that two sockets see the same frames. Tick `n` of a stream is
due at `n * interval + phase` on the simulator's clock: what a stream sends is a matter of the clock, not of who
listens. A stream ticks only while somebody listens. When somebody comes back to a stream of events, the ticks of the
absence (at most `MISSED` of them) are made up for in the journal, sent to no one, as at the venue.

Under load a stream is late and never skips: its ticks follow each other as fast as its slowest reader takes them.
"""

from __future__ import annotations

import heapq
import math
import zlib
from collections import deque
from itertools import count
from typing import TYPE_CHECKING, Protocol

from wsmgr.manager.venues.hyperliquid.simulator.sources import Frame, Source, Tick

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.venues.hyperliquid.simulator.journal import Witness
    from wsmgr.manager.venues.hyperliquid.simulator.replay import Recording
    from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import Subscription

MISSED = 2000
KEPT_EVENTS = 5000
_GRID = 0.01
_CATCH_UP = 0.25
_CONGESTED_DELAY = 0.002
_BATCH = 128


class Subscriber(Protocol):
    """A socket, as the hub sees it."""

    def deliver(self, subscription: Subscription, frame: Frame, n: int) -> None:
        """Take a data frame of a stream's tick `n`."""
        ...

    def is_congested(self, now: float) -> bool:
        """Whether the socket takes no more for the moment."""
        ...


class Membership:
    """One stay of a subscriber in a stream: whoever leaves and comes back has another."""

    __slots__ = ("subscription",)

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription


class Stream:
    """One stream: everybody who subscribed to one thing.

    Attributes:
        key: The subscription's key.
        source: What it sends.
        interval: Seconds between two ticks.
        n: The newest tick made, None before the first.
        generated: How many frames its ticks made, sent to somebody or not.
        events: The newest ticks of a stream of events: its number, its time, what identifies its events.
        subscribers: Who gets it.
    """

    def __init__(
        self, key: str, source: Source, interval: float, phase: float, witness: Witness | None = None
    ) -> None:
        self.key = key
        self.source = source
        self.interval = interval
        self.n: int | None = None
        self.generated = 0
        self.events: deque[tuple[int, float, tuple[object, ...]]] = deque(maxlen=KEPT_EVENTS)
        self.subscribers: dict[Subscriber, Membership] = {}
        self.scheduled = False
        self._phase = phase
        self._witness = witness

    def due(self, n: int) -> float:
        """When tick `n` is due."""
        return n * self.interval + self._phase

    def wake(self, now: float) -> int:
        """Bring a stream that nobody listened to up to now; returns its newest tick."""
        current = math.floor((now - self._phase) / self.interval + 1e-9)
        if self.n is not None and self.source.events:
            for n in range(max(self.n + 1, current - MISSED + 1), current + 1):
                self._make(n)
        self.n = current if self.n is None else max(current, self.n)
        return self.n

    def tick(self) -> int:
        """Make the next tick and hand its frames to everybody; returns its number."""
        n = self.n = 0 if self.n is None else self.n + 1
        for frame in self._make(n):
            for subscriber, membership in list(self.subscribers.items()):
                subscriber.deliver(membership.subscription, frame, n)
        return n

    def at(self, n: int) -> Tick:
        """Tick `n` as a source takes it."""
        return Tick(n, n * self.interval)

    def _make(self, n: int) -> list[Frame]:
        at = self.at(n)
        frames = list(self.source.tick(at))
        self.generated += len(frames)
        if self._witness is not None:
            self._witness.made(self.key, n, self.due(n), frames)
        if self.source.events:
            self.events.extend((n, at.time, frame.ids) for frame in frames)
        return frames


class Hub:
    """All streams and everything else that has a time.

    Attributes:
        streams: Every stream that was ever subscribed, by key.
        speed: Its seconds in a real one: what waits for a reader waits in real time.
    """

    def __init__(
        self,
        make: Callable[[Subscription, float], Source],
        rate: float | None,
        witness: Witness | None = None,
    ) -> None:
        """Make an empty hub.

        Args:
            make: The source of a subscription whose ticks are an interval (seconds) apart.
            rate: Ticks a second of every stream; None: each type's own cadence.
            witness: Told of every tick that is made, or None.
        """
        self.streams: dict[str, Stream] = {}
        self.speed = 1.0
        self._make = make
        self._rate = rate
        self._witness = witness
        self._heap: list[tuple[float, int, Callable[[float], float | None]]] = []
        self._order = count()

    def join(self, subscription: Subscription, subscriber: Subscriber, now: float) -> None:
        """Send a stream to a subscriber: its first frames at once, then each tick after them."""
        stream = self._stream(subscription)
        n = stream.wake(now) if not stream.subscribers or stream.n is None else stream.n
        stream.subscribers[subscriber] = Membership(subscription)
        for frame in stream.source.first(stream.at(n)):
            subscriber.deliver(subscription, frame, n)
        if not stream.scheduled:
            stream.scheduled = True
            self._push(stream.due(n + 1), lambda now: self._run(stream, now))

    def leave(self, subscription: Subscription, subscriber: Subscriber) -> None:
        """Send a stream no longer; harmless when the subscriber has none of it."""
        stream = self.streams.get(subscription.key)
        if stream is not None:
            stream.subscribers.pop(subscriber, None)

    def play(
        self, recording: Recording, subscription: Subscription, subscriber: Subscriber, now: float
    ) -> None:
        """Play recorded frames to one subscriber, from now, until it leaves."""
        stream = self._stream(subscription)
        joined = stream.subscribers[subscriber] = Membership(subscription)
        numbers = count()
        times = recording.times(now)

        def run(now: float) -> float | None:
            if stream.subscribers.get(subscriber) is not joined:
                return None
            if subscriber.is_congested(now):
                return now + _CONGESTED_DELAY * self.speed
            n = next(numbers)
            stream.generated += 1
            subscriber.deliver(subscription, Frame(recording.frame(n)), n)
            return next(times, None)

        first = next(times, None)
        if first is not None:
            self._push(first, run)

    def call_at(self, when: float, run: Callable[[], object]) -> None:
        """Do something once, at a time."""

        def once(_: float) -> float | None:
            run()
            return None

        self._push(when, once)

    def run(self, now: float) -> float | None:
        """Do what is due, at most a batch of it; returns when the next is due, None when nothing is planned."""
        done = 0
        while self._heap and self._heap[0][0] <= now and done < _BATCH:
            _, _, run = heapq.heappop(self._heap)
            again = run(now)
            if again is not None:
                self._push(again, run)
            done += 1
        return self.next_due

    @property
    def next_due(self) -> float | None:
        """When the next thing is due."""
        return self._heap[0][0] if self._heap else None

    def _run(self, stream: Stream, now: float) -> float | None:
        if not stream.subscribers:
            stream.scheduled = False
            return None
        due = stream.due(0 if stream.n is None else stream.n + 1)
        if due > now:
            return due  # it was left and joined again since this was planned
        if any(subscriber.is_congested(now) for subscriber in stream.subscribers):
            return now + _CONGESTED_DELAY * self.speed
        return max(stream.due(stream.tick() + 1), now - _CATCH_UP * self.speed)

    def _stream(self, subscription: Subscription) -> Stream:
        stream = self.streams.get(subscription.key)
        if stream is None:
            interval = 1 / self._rate if self._rate is not None else subscription.real_interval
            source = self._make(subscription, interval)
            phase = _phase(subscription, interval)
            stream = self.streams[subscription.key] = Stream(
                subscription.key, source, interval, phase, self._witness
            )
        return stream

    def _push(self, due: float, run: Callable[[float], float | None]) -> None:
        heapq.heappush(self._heap, (due, next(self._order), run))


def _phase(subscription: Subscription, interval: float) -> float:
    """Spreads the streams over the interval, those of one coin or user together, on a grid so that writes are batched."""
    slots = int(interval / _GRID)
    anchor = subscription.text("coin") or subscription.user or subscription.type
    return zlib.crc32(anchor.encode()) % slots * _GRID if slots else 0.0
