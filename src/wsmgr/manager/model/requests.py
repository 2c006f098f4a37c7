"""Requests: what a venue was asked, and what became of it.

Each goes out at most once, on the venue's first connection, inside the quotas of its origin. Three things can happen to one
that was written: the venue answers, the venue refuses, or nothing is known (the socket was lost, or the time was up). One that was
not written yet survives the loss of a socket and goes out on the next, until its time is up.

Plain objects and decisions: they outlive the actor that carries them out, so its crash loses no request.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from attrs import define, field, frozen

from wsmgr.manager.model.outcome import Outcome, Unknown

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection  # noqa: TC004 - the connection's registry holds these: a cycle
    from wsmgr.manager.model.frame import Answer
    from wsmgr.manager.model.registry import Origin, Venue

RequestKind = Literal["info", "action"]
"""What a request is: a question, or something that changes an account."""

HOST = "api"
"""The host that takes requests."""
FORGOTTEN_AFTER = 60.0
"""Seconds after its caller gave up for which a request that was written still counts as in flight."""


class Progress(Enum):
    """How far a request has come."""

    WAITING = "waiting"
    """It waits for a connection or for a quota."""
    HANDED = "handed"
    """It was handed to a session, which has not written it yet."""
    WRITTEN = "written"
    """It was written; the venue has not answered."""
    ENDED = "ended"
    """Its outcome is known, or its caller has given up."""


@define(eq=False)
class Request:
    """One request.

    Attributes:
        number: Its number: the venue's answer names it.
        kind: What it is.
        payload: Its wire form.
        progress: How far it has come.
        connection: The id of the connection that it was handed to, or None.
        outcome: What became of it, or None while nothing has.
        forget_at: When it stops counting as in flight though it was never answered (monotonic).
        on_end: Called once, when the outcome is known.
    """

    number: int
    kind: RequestKind
    payload: Mapping[str, Any] = field(repr=False)
    on_end: Callable[[], None] = field(repr=False)
    progress: Progress = Progress.WAITING
    connection: str | None = None
    outcome: Outcome[Any] | None = None
    forget_at: float = math.inf

    def begin_writing(self) -> bool:
        """Note that its bytes are about to be written: from now on only the venue knows. False: its caller has given up."""
        if self.progress is not Progress.HANDED:
            return False
        self.progress = Progress.WRITTEN
        return True

    def _end(self, outcome: Outcome[Any]) -> None:
        self.progress = Progress.ENDED
        self.outcome = outcome
        self.on_end()


@frozen
class Write:
    """Hand a request to a connection's session."""

    connection: Connection
    request: Request


@define(eq=False)
class Requests:
    """The requests of one venue.

    Attributes:
        waiting: Those that were not handed to a session, oldest first, by number.
        in_flight: Those that were, by number.
        late: Answers that came for a request that nobody waited for any more, or that there never was.
        used_at: When the newest request was made (monotonic); -inf before the first.
    """

    waiting: dict[int, Request] = field(factory=dict[int, Request])
    in_flight: dict[int, Request] = field(factory=dict[int, Request])
    late: int = 0
    used_at: float = -math.inf
    _numbers: int = 0

    def add(
        self, kind: RequestKind, payload: Mapping[str, Any], *, now: float, on_end: Callable[[], None]
    ) -> Request:
        """Add a request; it is written when `due` says so."""
        self._numbers += 1
        request = Request(self._numbers, kind, payload, on_end)
        self.waiting[request.number] = request
        self.used_at = now
        return request

    def take_back(self, request: Request) -> None:
        """Take back a request that could not be handed to a session: it waits again, before the others."""
        if self.in_flight.pop(request.number, None) is not None and request.progress is Progress.HANDED:
            request.progress, request.connection = Progress.WAITING, None
            self.waiting = {request.number: request, **self.waiting}

    def answered(self, answer: Answer) -> bool:
        """Take the venue's answer; returns whether a request waited for it. A second one of the same request is late."""
        request = self.in_flight.pop(answer.number, None)
        if request is None or request.progress is Progress.ENDED:
            self.late += 1
            return request is not None
        request._end(answer.outcome)  # noqa: SLF001 - its record
        return True

    def give_up(self, request: Request, why: str, now: float) -> None:
        """Take note that the caller waits no more: what was not written never will be, the outcome of the rest is unknown."""
        match request.progress:
            case Progress.WAITING:
                self.waiting.pop(request.number, None)
                request.progress = Progress.ENDED
            case Progress.HANDED:
                # It is on its way to the socket, and the session passes over what has ended.
                self.in_flight.pop(request.number, None)
                request.progress = Progress.ENDED
            case Progress.WRITTEN:
                # The venue still counts it.
                request.forget_at = now + FORGOTTEN_AFTER
                request._end(Unknown(why))  # noqa: SLF001 - its record
            case Progress.ENDED:
                pass

    def lost(self, connection: str, why: str) -> None:
        """A socket is gone: what was written on it has no known outcome, the rest goes out on the next."""
        unsent: dict[int, Request] = {}
        for request in [each for each in self.in_flight.values() if each.connection == connection]:
            del self.in_flight[request.number]
            if request.progress is Progress.HANDED:
                request.progress, request.connection = Progress.WAITING, None
                unsent[request.number] = request
            elif request.progress is Progress.WRITTEN:
                request._end(Unknown(why))  # noqa: SLF001 - its record
        self.waiting = {**unsent, **self.waiting}

    def forget(self, now: float) -> float:
        """Forget the requests that were never answered and that nobody waits for; returns when the next is to be forgotten."""
        for request in [each for each in self.in_flight.values() if each.forget_at <= now]:
            del self.in_flight[request.number]
        return min((each.forget_at for each in self.in_flight.values()), default=math.inf)

    def uses(self, connection: Connection) -> bool:
        """Whether a request was handed to a connection and not answered yet."""
        return any(each.connection == connection.id for each in self.in_flight.values())


def due(venue: Venue, now: float) -> tuple[list[Write], float]:
    """Return the requests of a venue that may be written now, and when to look again.

    Each is in flight from this moment; the caller hands it to the session.

    Args:
        venue: The venue.
        now: The monotonic time.
    """
    origin, requests = venue.origin, venue.requests
    wake_at = requests.forget(now)
    connection = first_connection(venue)
    if connection is None or not connection.ready:
        return [], wake_at
    if origin.silent_until > now:
        return [], min(wake_at, origin.silent_until)
    found: list[Write] = []
    for request in list(requests.waiting.values()):
        if _gate_is_shut(origin):
            break
        if origin.messages.free(now, keep=origin.messages.reserve) <= 0:
            wake_at = min(wake_at, origin.messages.free_at(now, keep=origin.messages.reserve))
            break
        origin.messages.record(now)
        del requests.waiting[request.number]
        request.progress, request.connection = Progress.HANDED, connection.id
        requests.in_flight[request.number] = request
        found.append(Write(connection, request))
    return found, wake_at


def first_connection(venue: Venue) -> Connection | None:
    """Return the connection that carries a venue's requests: its oldest one, or None where there is none."""
    for connection in venue.connections:
        if connection.host == HOST and connection.usable and not connection.dedicated:
            return connection
    return None


def obstacle(venue: Venue, now: float) -> str:
    """Return what a request that was not written waits for, in half a sentence."""
    origin = venue.origin
    connection = first_connection(venue)
    if connection is None:
        return "the venue has no connection that takes requests, and none could be opened"
    if not connection.ready:
        return f"{connection.id} is {connection.state.value}" + (
            f" ({connection.reason})" if connection.reason else ""
        )
    if _gate_is_shut(origin):
        return f"{origin.quotas.requests_in_flight} requests are in flight, which is the quota 'requests_in_flight'"
    if origin.silent_until > now or origin.messages.free(now, keep=origin.messages.reserve) <= 0:
        return f"the quota 'messages_per_minute' ({origin.messages.limit}) is used up"
    return "it was on its way to the socket"


def _gate_is_shut(origin: Origin) -> bool:
    limit = origin.quotas.requests_in_flight
    return limit is not None and sum(len(venue.requests.in_flight) for venue in origin.venues) >= limit
