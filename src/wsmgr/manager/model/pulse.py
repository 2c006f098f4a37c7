"""The pulse: whether the loop turns, so that nobody is judged for a time in which nobody listened.

While a program's own code blocks the loop, or the process is stopped, what the network brings waits in the sockets' buffers.
When the loop turns again every deadline of that time is over at once, and some loops run their timers before they read. So
whoever judges a deadline asks here first:

1. Everybody who runs by a timer says that the loop turns (`beat`), and a judge says so by asking: whoever is the first to run after
   a stall sees it, in whatever order the loop runs them.
2. The loop stood still when nobody said so for longer than the interval and `STALL`. Somebody says so in each interval.
3. After that nothing is judged until the loop has turned for `GRACE` seconds. Of the time between two beats at most one interval
   counts, so this takes two beats at least, and every socket is read between them.
4. Each stall is reported once, whoever saw it.
5. A loop that never turns for so long without another stall is judged all the same, once in `CHAIN` seconds and one turn later: else a
   program that blocks it again and again would never hear of a dead socket.
6. While nobody keeps the beat nothing is known, and everything may be judged.

Pure: all times are the caller's, on the loop's own clock. On virtual time, which jumps from deadline to deadline, nothing is ever late.
"""

from __future__ import annotations

from attrs import define, field

INTERVAL = 0.5
"""Seconds between two beats of the one who keeps the pulse."""

STALL = 1.0
"""Seconds by which a beat may be late."""

GRACE = 1.0
"""Seconds of turning after a stall before anything is judged."""

CHAIN = 10.0
"""Seconds for which one stall after another keeps everything from being judged."""

TURN = 0.01
"""The least that counts as a turn of the loop, after which each socket has been read."""

_NEGLIGIBLE = 0.001


@define(eq=False)
class Pulse:
    """Says whether the loop turns, and whether it has turned for long enough to judge a deadline."""

    _interval: float = field(default=INTERVAL, init=False)
    _turned_at: float | None = field(default=None, init=False)
    _owed: float = field(default=0.0, init=False)
    _chain_since: float = field(default=0.0, init=False)
    _unreported: float = field(default=0.0, init=False)

    def begin(self, now: float, *, interval: float = INTERVAL) -> None:
        """Begin to keep the pulse: from now on somebody beats every `interval` seconds. What was before is no stall."""
        self._interval = interval
        self._turned_at = now

    def end(self) -> None:
        """Keep the pulse no longer: nobody beats from now on."""
        self._turned_at = None
        self._owed = 0.0

    def beat(self, now: float) -> float:
        """Take it that the loop turns; returns by how many seconds that was late."""
        turned_at = self._turned_at
        if turned_at is None:
            # Nobody keeps it yet.
            return 0.0
        passed = now - turned_at
        if passed <= 0:
            return 0.0
        self._turned_at = now
        late = passed - self._interval
        if late > STALL:
            self._unreported += late
            self.doubt(now)
        elif self._owed:
            owed = self._owed - min(passed, self._interval)
            self._owed = owed if owed > _NEGLIGIBLE else 0.0
        return max(0.0, late)

    def doubt(self, now: float) -> None:
        """Let nothing be judged for a while: the loop, or the machine, stood still until now."""
        if not self._owed:
            self._chain_since = now
        self._owed = GRACE if now - self._chain_since < CHAIN else TURN

    def may_judge(self, now: float) -> bool:
        """Return whether a deadline may be judged: each socket was read since the loop last stood still."""
        self.beat(now)
        return not self._owed

    def judge_at(self, now: float) -> float:
        """Return when a deadline may be judged at the soonest: now, or when the loop will have turned for long enough."""
        self.beat(now)
        return now + self._owed

    def take_stall(self) -> float:
        """Return for how many seconds at least the loop stood still since this was last asked; 0 where it did not."""
        stalled, self._unreported = self._unreported, 0.0
        return stalled
