"""Claims: what a venue was asked for on the present socket of a connection, and how far that has come.

A claim outlives its subscription until the venue has acknowledged its end and its late frames have passed: the *quarantine*.
"""

from __future__ import annotations

from enum import Enum

from attrs import define

from wsmgr.manager.model.subscription_type import Atom

QUARANTINE = 10.0
"""Seconds after an acknowledged end in which late frames of it may still come."""
ACK_DEADLINE = 10.0
"""Seconds that a venue has to acknowledge a request."""


class Phase(Enum):
    """What the venue was asked about a wire key on the present socket."""

    ASKED = "asked"
    """A subscribe was written and is not answered."""
    HELD = "held"
    """The venue has it."""
    ENDING = "ending"
    """It is to be ended, or its unsubscribe is not answered."""
    GONE = "gone"
    """Its end was acknowledged; late frames of it may still come."""


@define(kw_only=True)
class Claim:
    """What the venue was asked about one wire key on the present socket.

    A subscription may be ended and asked for again faster than the venue answers. Answers come in order, so the claim counts
    the unsubscribes that are not answered: only when none is, a frame of this wire key can be the new one's.

    Attributes:
        atom: What was asked for.
        key: Its subscription key.
        phase: How far that has come.
        acknowledged: Whether the venue said that it has it; a frame may prove it before.
        introduces: Whether its subscribe, not answered yet, is the origin's first that names its user.
        probe_due: When the answer of a subscribe that was written once more, to hear whether the venue still has it, is due
            (monotonic); None while none is.
        unanswered: How many unsubscribes were written and not answered.
        superseded: How many subscribes that those ended are not answered either: their acknowledgements come first.
        deadline: When the answer of the newest unsubscribe is due (monotonic), or None while none is due.
        attempts: How often this end was written.
        free_at: When a `GONE` wire key is free for another subscription (monotonic).
    """

    atom: Atom
    key: str
    phase: Phase = Phase.ASKED
    acknowledged: bool = False
    introduces: bool = False
    probe_due: float | None = None
    unanswered: int = 0
    superseded: int = 0
    deadline: float | None = None
    attempts: int = 0
    free_at: float = 0.0

    @property
    def to_be_written(self) -> bool:
        """Whether an unsubscribe is to be written."""
        return self.phase is Phase.ENDING and self.deadline is None
