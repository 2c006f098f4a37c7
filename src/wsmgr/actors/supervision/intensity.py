"""The restart budget of a supervisor: OTP's sliding log. Pure: the time is an argument.

Not a token bucket, not a window anchored at the first failure, not a counter for life: of the restarts in the last
`max_seconds` (the edge counts) there may be `max_restarts`. One budget per supervisor; one restart of a group is one
unit; a restart that fails is one too.
"""

from __future__ import annotations

from collections import deque

from attrs import define, field


@define
class RestartWindow:
    """The restarts of the last `max_seconds`.

    Attributes:
        max_restarts: How many there may be; 0 gives up on the first.
        max_seconds: The length of the window.
    """

    max_restarts: int
    max_seconds: float
    _log: deque[float] = field(factory=deque[float], init=False)

    def admit(self, now: float) -> bool:
        """Count a restart at `now` (monotonic seconds) and return whether it is within the budget."""
        while self._log and self._log[0] < now - self.max_seconds:
            self._log.popleft()
        self._log.append(now)
        return len(self._log) <= self.max_restarts
