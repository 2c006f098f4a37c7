"""Inbound: until when all that the venue sent on a socket is known to have come.

Bytes come in the order in which they were sent, so whatever comes, an answer to a ping too, shows that all before it has come. That is not so at the
end of a stall: what was held back on the way comes at once, and the venue may have given the socket up in the meantime. A socket that has brought nothing
more since is known to have been whole until the silence began.
"""

from __future__ import annotations

from attrs import define, frozen

SILENCE = 2.0
"""Seconds without a byte after which what comes may have been held back; and for which a socket has to go on before that is forgotten."""


@frozen
class Moment:
    """A moment on both clocks.

    Attributes:
        wall: In unix seconds.
        monotonic: In seconds of the monotonic clock.
    """

    wall: float
    monotonic: float


@define(eq=False)
class Inbound:
    """What is known of the bytes of one socket, from its opening on.

    Attributes:
        last: When the last byte came.
        held_from: Since when nothing had come, when something came again after a silence; None while there was none.
        resumed_at: When it came (monotonic).
    """

    last: Moment
    held_from: Moment | None = None
    resumed_at: float = 0.0

    def heard(self, now: Moment) -> None:
        """Note that a byte came; one of a moment before the last one says nothing new."""
        last = self.last
        if now.monotonic <= last.monotonic:
            return
        if now.monotonic - last.monotonic > SILENCE:
            self.held_from, self.resumed_at = last, now.monotonic
        self.last = now

    def whole_until(self) -> Moment:
        """Return until when all that was sent is known to have come: what came after a silence counts once the socket has gone on for a while."""
        if self.held_from is not None and self.last.monotonic - self.resumed_at < SILENCE:
            return self.held_from
        return self.last
