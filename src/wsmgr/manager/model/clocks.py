"""Clocks against one another: was the machine suspended, was the wall clock set.

Four clocks are read together. Between two readings they advance alike, but for two cases: while a machine is suspended the
monotonic clock stands and the one that counts suspends goes on; and when somebody sets the wall clock, it alone jumps. A clock
that is slewed (by at most 0.5 ms a second where the kernel does it, 83 ms where chrony does, by its default `maxslewrate`) moves by
too little between two readings to be a step.
"""

from __future__ import annotations

from attrs import define, field, frozen

SUSPEND = 1.0
"""Seconds that a suspend must have lasted to be one."""

STEP = 0.5
"""Seconds by which the wall clock must have been set to have been stepped."""


@frozen
class Reading:
    """What the clocks show at one moment, in seconds.

    Attributes:
        loop: The loop's clock, which may be a test's virtual one.
        steady: The operating system's monotonic clock.
        elapsed: The same with the time in which the machine was suspended; where no such clock is known, the same.
        wall: Unix seconds.
    """

    loop: float
    steady: float
    elapsed: float
    wall: float


@frozen
class Jump:
    """What happened between two readings.

    Attributes:
        suspended: Seconds for which the machine was suspended, or 0.
        stepped: Seconds by which the wall clock was set, forward or (negative) back, or 0.
    """

    suspended: float = 0.0
    stepped: float = 0.0


@define(eq=False)
class Clocks:
    """Compares each reading with the one before."""

    _before: Reading | None = field(default=None, init=False)

    def look(self, reading: Reading) -> Jump:
        """Take a reading; returns what happened since the last one. Each suspend and each step is returned once."""
        before, self._before = self._before, reading
        if before is None:
            return Jump()
        elapsed = reading.elapsed - before.elapsed
        suspended = elapsed - (reading.steady - before.steady)
        wall = reading.wall - before.wall
        # A test that has a virtual loop may have a wall clock that follows it: a step differs from both.
        stepped = min(wall - elapsed, wall - (reading.loop - before.loop), key=abs)
        return Jump(
            suspended=suspended if suspended > SUSPEND else 0.0,
            stepped=stepped if abs(stepped) > STEP else 0.0,
        )
