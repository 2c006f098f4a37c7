"""An outage of the store: since when it goes on in memory, why, and what it took to end it.

Plain state, no loop. A fault that passes within a moment is nobody's business: a lock is told of when it has lasted for
`LOCK_PATIENCE`, everything else at once, and each kind of fault once in an outage.
"""

from __future__ import annotations

from typing import Final

from attrs import define, field, frozen

from wsmgr.manager.store.faults import PASSES, Fault, FaultKind
from wsmgr.manager.store.rebuilding import Rebuilt

LOCK_PATIENCE: Final = 4.0
"""Seconds for which another program may hold the database's lock before that is told."""
RETRY_DELAYS: Final = (0.1, 0.2, 0.4, 0.8, 1.0)
"""Seconds before each further attempt; the last one from then on."""


@frozen(kw_only=True)
class Healed:
    """The end of an outage.

    Attributes:
        duration: Seconds for which nothing could be written.
        rebuilt: How the database was made anew, or None where it was not.
    """

    duration: float
    rebuilt: Rebuilt | None


@define
class Outage:
    """The time in which nothing can be written.

    Attributes:
        since: When it began (monotonic).
        to_mend: What has to be mended before anything can be written again, or None where it passes by itself.
    """

    since: float
    to_mend: Fault | None = field(default=None, init=False)
    _attempts: int = field(default=0, init=False)
    _told: set[FaultKind] = field(factory=set[FaultKind], init=False)
    _rebuilt: Rebuilt | None = field(default=None, init=False)
    _sound: bool = field(default=False, init=False)

    @property
    def delay(self) -> float:
        """Seconds until the next attempt."""
        return RETRY_DELAYS[min(max(0, self._attempts - 1), len(RETRY_DELAYS) - 1)]

    @property
    def told(self) -> bool:
        """Whether anybody was told that it began."""
        return bool(self._told)

    def contradicts(self, fault: Fault) -> bool:
        """Whether a fault cannot be: the file was examined and found whole, and is said to be damaged again."""
        return self._sound and fault.kind is FaultKind.DAMAGED

    def go_on(self, fault: Fault) -> None:
        """Take what somebody else has met, and has told of."""
        self._have_mended(fault)
        self._told.add(fault.kind)

    def meet(self, fault: Fault, now: float) -> bool:
        """Take what the newest attempt met; returns whether that is to be told now."""
        self._attempts += 1
        self._have_mended(fault)
        if fault.kind in self._told:
            return False
        if fault.kind is FaultKind.LOCKED and now - self.since < LOCK_PATIENCE:
            return False
        self._told.add(fault.kind)
        return True

    def mended(self, rebuilt: Rebuilt | None) -> None:
        """The database was opened anew, or made anew (`rebuilt`)."""
        assert self.to_mend is not None  # noqa: S101 - there was something to mend
        self._sound = rebuilt is None and self.to_mend.kind is FaultKind.DAMAGED
        self._rebuilt = rebuilt or self._rebuilt
        self.to_mend = None

    def heal(self, now: float) -> Healed:
        """Return how it ended."""
        return Healed(duration=now - self.since, rebuilt=self._rebuilt)

    def _have_mended(self, fault: Fault) -> None:
        if fault.kind not in PASSES and (self.to_mend is None or self.to_mend.kind is not FaultKind.DAMAGED):
            self.to_mend = fault
