"""How long to wait before a child is started again. Pure: numbers in, numbers out.

Delays are drawn from [d * (1 - jitter), d] with d = min(initial * factor**n, maximum): the jitter survives the cap, so
that a thousand children that failed together do not come back together, and no delay is longer than `maximum`.
"""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Literal

from attrs import field, frozen

from .validation import check_bool, check_choice, check_positive_int, check_seconds

if TYPE_CHECKING:
    from collections.abc import Callable


@frozen(kw_only=True)
class Backoff:
    """Waits between the restarts of a child, growing while it keeps failing.

    Attributes:
        initial: The first wait in seconds.
        maximum: The longest.
        factor: By what each is longer than the one before, at least 1.
        jitter: The share of a wait that is random, 0 to 1.
        immediate_first: Whether the first restart in a row does not wait.
        reset: What ends the row. `healthy`: the child said so (`Actor.healthy()`), or was up for `maximum` seconds. A
            number: it was up for so many seconds.
        max_consecutive: Restarts in a row after which the supervisor gives up, or None. The restart intensity alone
            never stops a child whose waits are longer than its window.
    """

    initial: float = field(default=1.0)
    maximum: float = field(default=60.0)
    factor: float = field(default=2.0)
    jitter: float = field(default=0.5)
    immediate_first: bool = field(default=True)
    reset: Literal["healthy"] | float = field(default="healthy")
    max_consecutive: int | None = field(default=None)

    def __attrs_post_init__(self) -> None:
        check_seconds("initial", self.initial, zero=False)
        check_seconds("maximum", self.maximum, zero=False)
        if self.maximum < self.initial:
            raise ValueError(f"maximum must be at least initial ({self.initial!r}), not {self.maximum!r}")
        if not 1.0 <= self.factor < math.inf:
            raise ValueError(f"factor must be a finite number of at least 1, not {self.factor!r}")
        if not 0.0 <= self.jitter <= 1.0:
            raise ValueError(f"jitter must be between 0 and 1, not {self.jitter!r}")
        check_bool("immediate_first", self.immediate_first)
        if isinstance(self.reset, str):
            check_choice("reset", self.reset, ("healthy",))
        else:
            check_seconds("reset", self.reset)
        if self.max_consecutive is not None:
            check_positive_int("max_consecutive", self.max_consecutive)

    def delay(self, attempt: int, *, uniform: Callable[[float, float], float] = random.uniform) -> float:
        """Return the seconds to wait before restart number `attempt` in a row, counted from 1."""
        step = attempt - 1
        if self.immediate_first:
            if step == 0:
                return 0.0
            step -= 1
        longest = self._base(step)
        return uniform(longest * (1.0 - self.jitter), longest)

    def starts_anew(self, *, uptime: float, healthy: bool) -> bool:
        """Return whether a child that was up for `uptime` seconds begins a new row of failures."""
        if self.reset == "healthy":
            return healthy or uptime >= self.maximum
        return uptime >= self.reset

    def exhausted(self, attempt: int) -> bool:
        """Return whether restart number `attempt` in a row is one too many."""
        return self.max_consecutive is not None and attempt > self.max_consecutive

    def _base(self, step: int) -> float:
        try:
            return min(self.initial * float(self.factor) ** step, self.maximum)
        except OverflowError:
            return self.maximum
