"""Pings that wait for their pong: round-trip times from the answers."""

from __future__ import annotations

from collections import OrderedDict

MAX_WAITING = 16
"""More unanswered pings than this are not remembered: the oldest is forgotten."""


class Pings:
    """The pings of one socket. Times are seconds of one monotonic clock, given by the caller."""

    __slots__ = ("_number", "_sent_at")

    def __init__(self) -> None:
        self._number = 0
        self._sent_at: OrderedDict[bytes, float] = OrderedDict()

    def begin(self, now: float) -> bytes:
        """Return the payload of a new ping that is sent now."""
        self._number += 1
        payload = self._number.to_bytes(8, "big")
        self._sent_at[payload] = now
        if len(self._sent_at) > MAX_WAITING:
            self._sent_at.popitem(last=False)
        return payload

    def answered(self, payload: bytes, now: float) -> float | None:
        """Return the round-trip time that a pong shows, or None for one that nobody asked for.

        A pong answers the pings before it too: a peer may answer only the newest (RFC 6455, 5.5.3).
        """
        sent_at = self._sent_at.get(payload)
        if sent_at is None:
            return None
        while self._sent_at.popitem(last=False)[0] != payload:
            pass
        return now - sent_at
