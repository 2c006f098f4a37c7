"""Counters of one subscription, and what is computed from them.

Counting happens on the hot path, so the fields are plain slots that the dispatcher adds to. Durations are monotonic,
points in time are unix seconds. `uptime` runs from the first subscribe; `live` only while the stream was live.
"""

from __future__ import annotations

from array import array

from attrs import define, field

from wsmgr.manager.model.lag import Lags

RATE_WINDOW = 10
HISTORY = 900
SIDES = 8
"""Of how many connections it is remembered how often they were first."""


@define(eq=False)
class Counters:
    """What is counted about one subscription.

    Attributes:
        messages: Messages delivered to the subscription, over all its sockets and restarts.
        bytes: Their bytes.
        first_at: When the first came, in unix seconds, or None.
        last_at: When the newest came, in unix seconds, or None.
        live_seconds: Seconds for which it was live, up to `live_since`.
        live_since: When it became live on the monotonic clock, or None while it is not.
        reconnects: How often it came back after an interruption.
        gaps: How many gaps there were.
        gap_seconds: Their length together.
        dropped: Messages that a consumer was too slow for.
        conflated: Messages that a newer one replaced before a consumer read them.
        duplicates: Items removed because they had been delivered.
        lags: How late messages came, sampled once a second; None while none had a venue time.
        firsts: For each of the two connections of a redundant stream, how many frames it brought first; of the newest ones.
        changed: Whether anything but messages was counted since the counters were last stored.
        stored: How many messages the store knows of.
        stored_bytes: How many bytes the store knows of.
        stored_dropped: How many drops the store knows of.
    """

    messages: int = 0
    bytes: int = 0
    first_at: float | None = None
    last_at: float | None = None
    live_seconds: float = 0.0
    live_since: float | None = None
    reconnects: int = 0
    gaps: int = 0
    gap_seconds: float = 0.0
    dropped: int = 0
    conflated: int = 0
    duplicates: int = 0
    lags: Lags | None = None
    firsts: dict[str, int] = field(factory=dict[str, int], repr=False)
    changed: bool = True
    stored: int = 0
    stored_bytes: int = 0
    stored_dropped: int = 0
    _per_second: array[int] = field(factory=lambda: array("L"), repr=False)
    _sampled: int = field(default=0, repr=False)

    @property
    def dirty(self) -> bool:
        """Whether anything was counted since the counters were last stored."""
        return self.changed or self.messages != self.stored

    def mark_stored(self, dropped: int) -> None:
        """Note that the store knows the present counts; `dropped` is what it was told of drops."""
        self.changed = False
        self.stored = self.messages
        self.stored_bytes = self.bytes
        self.stored_dropped = dropped

    def note_side(self, connection: str, *, first: bool) -> None:
        """Note that one of two sides brought a frame, and whether before the other one."""
        self.firsts[connection] = self.firsts.get(connection, 0) + first
        if len(self.firsts) > SIDES:
            del self.firsts[next(iter(self.firsts))]

    def begin_live(self, now: float) -> None:
        """Note that the stream became live."""
        if self.live_since is None:
            self.live_since = now
            self.changed = True

    def end_live(self, now: float) -> None:
        """Note that the stream is live no more."""
        if self.live_since is not None:
            self.live_seconds += max(0.0, now - self.live_since)
            self.live_since = None
            self.changed = True

    def live(self, now: float) -> float:
        """Return the seconds for which it was live until now."""
        return self.live_seconds + (max(0.0, now - self.live_since) if self.live_since is not None else 0.0)

    def sample(self) -> None:
        """Close one second: keep how many messages came in it. Call it once a second."""
        self._per_second.append(self.messages - self._sampled)
        self._sampled = self.messages
        if len(self._per_second) > HISTORY + RATE_WINDOW:
            del self._per_second[:-HISTORY]

    def resume_sampling(self) -> None:
        """Start the samples at the present count, after it was restored from the store."""
        self._sampled = self.messages

    @property
    def rate(self) -> float:
        """Messages a second, over the last ten whole seconds (or as many as there were)."""
        recent = self._per_second[-RATE_WINDOW:]
        return sum(recent) / len(recent) if recent else 0.0

    @property
    def history(self) -> list[int]:
        """Messages in each of the last whole seconds, at most 15 minutes of them, oldest first."""
        return self._per_second[-HISTORY:].tolist()

    def messages_per_minute(self, now: float) -> float:
        """Return the mean rate over the time for which it was live."""
        live = self.live(now)
        return self.messages * 60.0 / live if live > 0 else 0.0

    @property
    def lag_ms(self) -> tuple[float | None, float | None]:
        """What half, and 99 of 100, of the lags sampled in the last 15 minutes did not exceed, in milliseconds."""
        found = None if self.lags is None else self.lags.at_most(0.5, 0.99)
        return (None, None) if found is None else (found[0] * 1000.0, found[1] * 1000.0)
