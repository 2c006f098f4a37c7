"""A repair: the steps by which a stream that fell silent is brought back, each only where the one before did not help.

::

    probe -> resubscribe -> move or recycle -> wait -> probe ...

Only the stream itself is touched first. Then it moves, away from a connection on which others deliver; a connection that carries nothing else that
delivers by promise gets a new socket instead: one mute stream among fifty costs the other forty-nine nothing.
"""

from __future__ import annotations

from enum import Enum

from attrs import define

PROBE_PATIENCE = 5.0
"""Seconds that a stream has to deliver after the venue said that it has the subscription."""
STEP_PATIENCE = 15.0
"""Seconds that a step has in which the stream is asked for anew: for its acknowledgement, and then its first frame."""
MOVE_PATIENCE = 30.0
"""The same where a connection may have to be opened for it."""
WAITS = (60.0, 300.0, 600.0)
"""Seconds until a repair that did not help is begun again; the last one from then on."""


class RepairStep(Enum):
    """What is being tried."""

    PROBE = "probe"
    """The venue is asked whether it has the subscription."""
    RESUBSCRIBE = "resubscribe"
    """The subscription alone is ended and asked for again, where it is."""
    MOVE = "move"
    """It is asked for on another connection."""
    RECYCLE = "recycle"
    """Its connection gets a new socket."""
    WAIT = "wait"
    """Nothing helped: it is tried again later."""

    @property
    def ends_with_its_socket(self) -> bool:
        """Whether it is of no use once the socket is gone: a new one begins anew."""
        return self in {RepairStep.PROBE, RepairStep.RESUBSCRIBE, RepairStep.MOVE}


@define(eq=False)
class Repair:
    """How far the repair of one stream has come.

    Attributes:
        why: What is wrong, in half a sentence.
        since: When the stream was heard last (monotonic), or when the repair began.
        step: What is being tried.
        deadline: When the next step is taken (monotonic); None until this one was begun.
        rounds: How often all steps were tried in vain.
    """

    why: str
    since: float
    step: RepairStep = RepairStep.PROBE
    deadline: float | None = None
    rounds: int = 0

    @property
    def pause(self) -> float:
        """Seconds to wait after a round that did not help."""
        return WAITS[min(self.rounds, len(WAITS)) - 1]
