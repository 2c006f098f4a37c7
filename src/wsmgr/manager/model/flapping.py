"""Flapping: sockets that are accepted and end at once, of one connection or of a whole origin.

Each connection that flaps has a sequence of delays that only grow. An origin has one as well: where the sockets of several connections
end at once and none stays up, it is *on trial*, and one connection at a time has to show that a socket stays up.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field, frozen

FLAP_CEILING = 30.0
HEALTHY_AFTER = 10.0

Uniform = Callable[[float, float], float]


def retry_delay(count: int, ceiling: float, uniform: Uniform) -> float:
    """Return the delay before retry number `count`: none before the first, then a draw from [d/2, d], d = 1, 2, 4, ... s."""
    if count <= 1:
        return 0.0
    longest = min(2.0 ** min(count - 2, 16), ceiling)
    return uniform(longest / 2, longest)


@define
class Sequence:
    """Delays that only grow.

    Attributes:
        steps: How many there were.
        ends: How many of them were ends of accepted sockets, not refusals.
        delay: The present one, in seconds.
    """

    steps: int = 0
    ends: int = 0
    delay: float = 0.0

    def step(self, uniform: Uniform, ceiling: float = FLAP_CEILING) -> None:
        """Lengthen the delay, up to a ceiling; it never shrinks."""
        self.steps += 1
        self.delay = max(self.delay, min(retry_delay(self.steps, FLAP_CEILING, uniform), ceiling))


@frozen
class _Open:
    since: float
    steps: int


@define(eq=False)
class Trial:
    """Whether an origin is on trial, and which of its sockets may end that.

    Attributes:
        sequence: The delays between its scouts, or None while it is not on trial.
    """

    uniform: Uniform = field(repr=False)
    sequence: Sequence | None = None
    _open: dict[str, _Open] = field(factory=dict[str, _Open])
    _false_starts: set[str] = field(factory=set[str])

    def opened(self, connection: str, now: float) -> None:
        """Note that a connection has a socket."""
        self._open[connection] = _Open(now, self.sequence.steps if self.sequence is not None else 0)

    def gone(self, connection: str) -> None:
        """Note that it has none, for whatever reason."""
        self._open.pop(connection, None)

    def keep(self, ready: set[str]) -> None:
        """Forget the sockets of all but these connections."""
        self._open = {name: opened for name, opened in self._open.items() if name in ready}

    def forget(self, connection: str) -> None:
        """Forget a connection that has ended for good."""
        self.gone(connection)
        self._false_starts.discard(connection)

    def ended(self, connection: str, now: float, *, uptime: float, false_start: bool) -> bool:
        """Note that a socket ended; return whether the next scout has to wait for longer.

        Sockets that were open together lengthen the delay by one step only.
        """
        opened = self._open.pop(connection, None)
        if uptime >= HEALTHY_AFTER or self._settled(now):
            self._acquit()
            return False
        if not false_start:
            return False
        self._false_starts.add(connection)
        if self.sequence is None:
            if len(self._false_starts) > 1:
                self.sequence = Sequence()
                self.sequence.step(self.uniform)
            return False
        if opened is not None and opened.steps != self.sequence.steps:
            return False
        self.sequence.step(self.uniform)
        return True

    def judge(self, now: float) -> None:
        """End the trial once a socket has been up for long enough."""
        if self._settled(now):
            self._acquit()

    def on_watch(self) -> tuple[str, float] | None:
        """Return whose socket has to stay up until when, or None where no socket decides."""
        if self.sequence is None or not self._open:
            return None
        eldest = min(self._open, key=lambda each: self._open[each].since)
        return eldest, self._open[eldest].since + HEALTHY_AFTER

    def _settled(self, now: float) -> bool:
        return any(now >= each.since + HEALTHY_AFTER for each in self._open.values())

    def _acquit(self) -> None:
        self.sequence = None
        self._false_starts.clear()
