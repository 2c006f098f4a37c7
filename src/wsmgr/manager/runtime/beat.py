"""The beat: an actor that does what is to be done twice a second, and once a second.

Twice a second the pulse is kept and the clocks are compared: what stood still, was suspended or was set is an event. Once a second
each subscription is looked at for a microsecond: its rate, its lag, its silence. Of many subscriptions each turn of the loop takes
some, so that no message waits for all of them.

All this only measures and reminds, so a crash of it costs nothing but that: nobody keeps the pulse until the next one beats. It beats
in a task of its own beside the mailbox: it is late when the loop was.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import anyio
from anyio.lowlevel import checkpoint
from attrs import define, field

from wsmgr.actors import Actor, Continue, Crash
from wsmgr.manager.model import repairing, sides
from wsmgr.manager.model.clocks import Clocks
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.lag import VenueClock, sample_lag, skip_lag
from wsmgr.manager.model.pulse import INTERVAL
from wsmgr.manager.runtime.stall_events import StallEvents
from wsmgr.manager.runtime.stalls import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsmgr.actors import ExitReason
    from wsmgr.manager.model.subscription import Entry
    from wsmgr.manager.runtime.context import Context

BEAT = INTERVAL
SECOND = 1.0
PORTION = 250
"""Subscriptions that are looked at in one turn of the loop."""

SETTLED = 60.0
"""Seconds after which the offset of a venue's clock is worth telling."""

MOVED = 0.1
"""Seconds by which it must have changed to be told again."""


@define(eq=False)
class _VenueTime:
    """An origin's clock, and what was told of it."""

    clock: VenueClock = field(factory=VenueClock)
    told: float | None = None
    due_at: float | None = None


class Beat(Actor[Any]):
    """Keeps the beat of one manager.

    Args:
        context: What the actors share.
        each_second: Called once a second.
    """

    def __init__(self, context: Context, each_second: Callable[[], None]) -> None:
        """Know nothing of any clock yet."""
        self._context = context
        self._each_second = each_second
        self._clocks = Clocks()
        self._times: dict[str, _VenueTime] = {}
        self._stalls = StallEvents(context.note)

    async def init(self) -> Continue:
        """Start at once."""
        return Continue()

    async def handle_continue(self, token: object) -> None:
        """Begin to beat."""
        self.start_soon(self.keep, BEAT)

    async def terminate(self, reason: ExitReason) -> None:
        """Tell of a crash: until the next one beats, nobody measures."""
        if isinstance(reason, Crash):
            self._note("beat_failed", "error", {"error": f"{type(reason.error).__name__}: {reason.error}"})

    async def keep(self, interval: float) -> None:
        """Beat every `interval` seconds until it is cancelled; then the watchdog's thread has ended too."""
        monotonic = self._context.clock.monotonic
        beats, beats_a_second = 0, max(1, round(SECOND / interval))
        due = monotonic() + interval
        pulse = self._context.registry.pulse
        for entry in self._context.registry.entries.values():
            # What came while nobody beat did not come within one second.
            entry.counters.resume_sampling()
        pulse.begin(monotonic(), interval=interval)
        try:
            with Watchdog(interval) as watchdog:
                while True:
                    await anyio.sleep(max(0.0, due - monotonic()))
                    now = monotonic()
                    due = due + interval if due + interval > now else now + interval
                    self._turn(watchdog, now)
                    beats += 1
                    if beats % beats_a_second == 0:
                        await self._second(now)
        finally:
            pulse.end()
            self._stalls.beat(math.inf)

    def _turn(self, watchdog: Watchdog, now: float) -> None:
        """Note what stood still, was suspended or was set."""
        pulse = self._context.registry.pulse
        pulse.beat(now)
        found = watchdog.turned()
        stalled = pulse.take_stall()
        if stalled:
            self._stalls.take(stalled, found, now)
        self._stalls.beat(now)
        reading = self._context.clock.read()
        if reading is None:
            return
        jump = self._clocks.look(reading)
        if jump.suspended:
            pulse.doubt(now)
            self._note("suspended", "warning", {"seconds": round(jump.suspended, 3)})
        if jump.stepped:
            self._forget_offsets()
            self._note("clock_stepped", "warning", {"seconds": round(jump.stepped, 3)})

    async def _second(self, now: float) -> None:
        """Look at every subscription, a portion in each turn of the loop."""
        self._each_second()
        # Gaps that end are looked into some seconds later, so this is soon enough to tell of them.
        self._context.heal()
        entries = list(self._context.registry.entries.values())
        for begin in range(0, len(entries), PORTION):
            if begin:
                await checkpoint()
            self._look_at(entries[begin : begin + PORTION], now)
        self._tell_offsets(now)
        await checkpoint()
        self._keep_bounds(entries)

    def _keep_bounds(self, entries: Sequence[Entry]) -> None:
        """Let go of messages that are too old for readers that return, and keep all consumers' buffers within their bound."""
        registry, wall = self._context.registry, self._context.clock.wall()
        registry.recents.prune((entry.recent for entry in entries if entry.recent is not None), wall)
        buffers = self._context.buffers
        if buffers.look(buffer for entry in entries for buffer in entry.buffers):
            detail: dict[str, object] = {"bytes": buffers.bytes, "limit": buffers.limit}
            if buffers.squeezed:
                self._note("buffers_full", "warning", detail)
            else:
                self._note("buffers_recovered", "info", detail)

    def _look_at(self, entries: Sequence[Entry], now: float) -> None:
        registry = self._context.registry
        may_judge = registry.pulse.may_judge(now)
        clocks = {name: self._time_of(name).clock for name in self._context.venues}
        for entry in entries:
            counters = entry.counters
            counters.sample()
            sample_lag(counters, entry.last, clocks[entry.venue], now)
            entry.watch.beat(now, counters.messages)
            if may_judge and (
                sides.watch_second(registry, entry, now=now) or repairing.listen(registry, entry, now)
            ):
                self._context.look(entry.venue)

    def _time_of(self, venue: str) -> _VenueTime:
        return self._times.setdefault(self._context.venues[venue].origin.origin.name, _VenueTime())

    def _forget_offsets(self) -> None:
        """Begin anew: differences of before and after a step of our clock have nothing to do with one another."""
        self._times.clear()
        for entry in self._context.registry.entries.values():
            skip_lag(entry.counters, entry.last)

    def _tell_offsets(self, now: float) -> None:
        """Tell each origin's offset once it is settled, and again when it has changed."""
        for origin, time in self._times.items():
            offset = time.clock.offset
            if offset is None:
                continue
            self._context.origins[origin].origin.clock_ahead = -offset
            if time.due_at is None:
                time.due_at = now + SETTLED
            if now < time.due_at or (time.told is not None and abs(offset - time.told) < MOVED):
                continue
            time.told = offset
            time.due_at = now + SETTLED
            self._note("venue_clock", "info", {"origin": origin, "offset_ms": round(offset * 1000.0, 1)})

    def _note(self, kind: str, level: Literal["info", "warning", "error"], detail: dict[str, object]) -> None:
        self._context.note(Fact(kind=kind, level=level, actor="beat", detail=detail))
