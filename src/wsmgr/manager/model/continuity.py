"""Continuity: what a consumer is told so that it always knows whether its view is whole.

A gap is a period in which messages of a subscription may have been missed. It starts at the last proof that the stream
was whole (the last byte that came in), never at the moment of detection, and it ends at the first proof after.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from attrs import field, frozen

Proof: TypeAlias = Literal["empty", "filled"]
"""What is proved of a gap: that nothing was missed in it, or that what was missed has been delivered since."""


@frozen(kw_only=True)
class Gap:
    """A period in which messages may have been missed.

    Attributes:
        started_at: The last proof before it, in unix seconds.
        ended_at: The first proof after it, in unix seconds.
        duration: Its length in seconds, by the monotonic clock (for a gap over a restart of the process: by the wall clock).
        reason: What caused it.
        connection: The id of the connection that was lost, or None.
        missing: How many messages were missed, where the venue numbers them; else None.
        attempts: How many dials it took to come back.
        healed_by: What filled it or proved it empty (`snapshot`, `query userFillsByTime`), or None.
        proof: What is proved of it, or None while nothing is.
        open_because: Why it could be neither filled nor proved empty, where that was tried; else None.
        venue_seq_from: The first of the venue's numbers that are missing, or None.
        venue_seq_to: The last of them, or None.
    """

    started_at: float
    ended_at: float
    duration: float
    reason: str
    connection: str | None = None
    missing: int | None = None
    attempts: int = 0
    healed_by: str | None = None
    proof: Proof | None = None
    open_because: str | None = None
    venue_seq_from: int | None = None
    venue_seq_to: int | None = None

    @property
    def whole(self) -> bool:
        """Whether it is proved that nothing of it is missing any more."""
        return self.proof is not None

    def joined(self, later: Gap) -> Gap:
        """Return one gap over this one and a later one that no message lay between."""
        counted = self.missing is not None and later.missing is not None
        return Gap(
            started_at=self.started_at,
            ended_at=later.ended_at,
            duration=self.duration + later.duration,
            reason=self.reason if self.reason == later.reason else f"{self.reason}; {later.reason}",
            connection=self.connection,
            missing=(self.missing or 0) + (later.missing or 0) if counted else None,
            attempts=self.attempts + later.attempts,
            venue_seq_from=self.venue_seq_from if later.venue_seq_to is not None else None,
            venue_seq_to=later.venue_seq_to if self.venue_seq_from is not None else None,
        )


@frozen(kw_only=True)
class Interruption:
    """An open gap: when the last proof came and why there is no newer one.

    Attributes:
        since: The last proof, in unix seconds.
        since_monotonic: The same on the monotonic clock, or None where the process was not running then.
        reason: What caused it.
        connection: The id of the connection that was lost, or None.
        dials: How many sockets that connection had opened or tried to open when it was lost.
    """

    since: float
    since_monotonic: float | None
    reason: str
    connection: str | None = None
    dials: int = 0

    def close(self, *, at: float, monotonic: float, attempts: int) -> Gap:
        """Return the gap that ends with a proof at `at` (unix seconds) and `monotonic`."""
        known = self.since_monotonic
        duration = max(0.0, at - self.since if known is None else monotonic - known)
        return Gap(
            started_at=self.since,
            ended_at=self.since + duration,
            duration=duration,
            reason=self.reason,
            connection=self.connection,
            attempts=max(0, attempts),
        )


@frozen(kw_only=True)
class Live:
    """The stream delivers: its first proof has come.

    Attributes:
        at: When, in unix seconds.
        quiet: Whether the proof was an acknowledgement, and no message has come yet.
    """

    at: float
    quiet: bool = False


@frozen(kw_only=True)
class Interrupted:
    """The stream was interrupted; said at the moment of knowledge.

    Attributes:
        since: The last proof, in unix seconds.
        cause: What happened.
        next_attempt_at: When it is tried again, in unix seconds, or None where that is not known yet.
    """

    since: float
    cause: str
    next_attempt_at: float | None = None


@frozen(kw_only=True)
class Resumed:
    """The stream goes on after an interruption.

    Attributes:
        epoch: The numbering that it goes on in.
        exact: Whether it is proved that nothing was missed.
        gap: The period in which messages may have been missed; None where it went from one socket to another without one.
    """

    epoch: int
    exact: bool
    gap: Gap | None


@frozen(kw_only=True)
class Snapshot:
    """The next message is a whole state: what was built from the messages before it is to be thrown away.

    Attributes:
        at: When it came, in unix seconds.
    """

    at: float


@frozen(kw_only=True)
class Stale:
    """The stream is open and has been silent for longer than it may.

    Attributes:
        since: The last message, in unix seconds.
    """

    since: float


@frozen(kw_only=True)
class Healed:
    """A gap that had ended was looked into: what is known of it now.

    Attributes:
        gap: The gap, with its proof, or with the reason why it stays open.
        items: How many items it was filled with; they came as messages marked `healed`.
    """

    gap: Gap
    items: int = 0


@frozen(kw_only=True)
class Lagged:
    """The consumer was too slow and lost messages.

    Attributes:
        dropped: How many, since it was last told.
    """

    dropped: int


@frozen(kw_only=True)
class Rejected:
    """The venue refused the subscription.

    Attributes:
        error: Its words.
    """

    error: str


@frozen(kw_only=True)
class Failed:
    """The subscription was parked.

    Attributes:
        error: The failure's text.
    """

    error: str


@frozen(kw_only=True)
class Closed:
    """The subscription has ended.

    Attributes:
        by: Who ended it.
    """

    by: str = field(default="unsubscribe")


Event = Live | Interrupted | Gap | Resumed | Snapshot | Stale | Healed | Lagged | Rejected | Failed | Closed
