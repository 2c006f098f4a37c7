"""Requests: what a venue was asked, and what became of it.

Each goes out at most once, on the venue's first connection, inside the quotas of its origin. Three things can happen to one
that was written: the venue answers, the venue refuses, or nothing is known (the socket was lost, or the time was up). One that was
not written yet survives the loss of a socket and goes out on the next, until its time is up.

Plain objects and decisions: they outlive the actor that carries them out, so its crash loses no request.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from attrs import define, field, frozen

from wsmgr.manager.model.errors import QuotaError
from wsmgr.manager.model.outcome import Outcome, Unknown
from wsmgr.manager.model.placement import can_open

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection  # noqa: TC004 - the connection's registry holds these: a cycle
    from wsmgr.manager.model.frame import Answer
    from wsmgr.manager.model.registry import Origin, Venue

RequestKind = Literal["info", "action"]
"""What a request is: a question, or something that changes an account."""

URGENT_PLACES = 10
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


_NOT_WRITTEN = frozenset({Progress.WAITING, Progress.HANDED})


@define(eq=False)
class Request:
    """One request.

    Attributes:
        number: Its number: the venue's answer names it.
        frame: The frame that makes it.
        urgent: Whether it goes before those that are not, into places that are kept for it.
        progress: How far it has come.
        connection: The id of the connection that it was handed to, or None.
        outcome: What became of it, or None while nothing has.
        forget_at: When it stops counting as in flight though it was never answered (monotonic).
        on_end: Called once, when the outcome is known.
    """

    number: int
    frame: bytes = field(repr=False)
    urgent: bool
    on_end: Callable[[], None] = field(repr=False)
    progress: Progress = Progress.WAITING
    connection: str | None = None
    outcome: Outcome[Any] | None = None
    forget_at: float = math.inf

    def begin_writing(self, connection: str) -> bool:
        """Note that its bytes are about to be written on a connection: from now on only the venue knows.

        False: its caller has given up, or it was handed to another connection meanwhile.
        """
        if self.progress is not Progress.HANDED or self.connection != connection:
            return False
        self.progress = Progress.WRITTEN
        return True

    def end(self, outcome: Outcome[Any] | None) -> None:
        """Note its outcome, None where it was not written and never will be, and tell who waits for it."""
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
        number: The number of the newest one. Where the count begins is anybody's guess, so that an answer to nobody hits nobody.
        waiting: Those that were not handed to a session, by number: the urgent ones first, and of those alike the oldest.
        in_flight: Those that were, by number.
        used_at: When the newest request was made (monotonic); -inf before the first.
    """

    number: int = 0
    waiting: dict[int, Request] = field(factory=dict[int, Request])
    in_flight: dict[int, Request] = field(factory=dict[int, Request])
    used_at: float = -math.inf

    def add(
        self, encode: Callable[[int], bytes], *, urgent: bool, now: float, on_end: Callable[[], None]
    ) -> Request:
        """Add a request; it is written when `due` says so.

        Args:
            encode: Makes the frame of a number; what it raises is raised here, and nothing is added.
            urgent: Whether it goes before those that are not: an action never waits behind questions.
            now: The monotonic time.
            on_end: Called once, when the outcome is known.
        """
        self.number += 1
        request = Request(self.number, encode(self.number), urgent, on_end)
        self._line_up([request])
        self.used_at = now
        return request

    def take_back(self, request: Request) -> None:
        """Take back a request that could not be handed to a session: it waits again, in its old place."""
        if self.in_flight.pop(request.number, None) is not None and request.progress is Progress.HANDED:
            self._line_up([request])

    def take_back_handed(self) -> None:
        """Take back all that was handed over and not written: whoever was to carry it to a session may be gone.

        A copy that reaches a session all the same changes nothing: what was written once is not written again.
        """
        handed = [each for each in self.in_flight.values() if each.progress is Progress.HANDED]
        for request in handed:
            del self.in_flight[request.number]
        self._line_up(handed)

    def answered(self, answer: Answer, connection: Connection) -> bool:
        """Take the venue's answer; returns whether it is one of ours.

        Only what was written on this very connection can be answered there, and once. The answer to a caller that has given up is
        ours, and late.
        """
        request = self.in_flight.get(answer.number)
        if request is None or request.connection != connection.id or request.progress in _NOT_WRITTEN:
            return False
        del self.in_flight[answer.number]
        if request.progress is Progress.WRITTEN:
            request.end(answer.outcome)
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
                request.end(Unknown(why))
            case Progress.ENDED:
                pass

    def lost(self, connection: str, why: str) -> None:
        """A socket is gone: what was written on it has no known outcome, the rest goes out on the next."""
        gone = [each for each in self.in_flight.values() if each.connection == connection]
        for request in gone:
            del self.in_flight[request.number]
            if request.progress is Progress.WRITTEN:
                request.end(Unknown(why))
        self._line_up([each for each in gone if each.progress is Progress.HANDED])

    def forget(self, now: float) -> float:
        """Forget the requests that were never answered and that nobody waits for; returns when the next is to be forgotten."""
        for request in [each for each in self.in_flight.values() if each.forget_at <= now]:
            del self.in_flight[request.number]
        return min((each.forget_at for each in self.in_flight.values()), default=math.inf)

    def refuse_waiting(self) -> None:
        """End those that wait, for the end of the manager: they were not written, and never will be."""
        for request in self.waiting.values():
            request.end(None)
        self.waiting.clear()

    def close(self) -> None:
        """End all of them, after the end of the manager's sockets."""
        self.take_back_handed()
        self.refuse_waiting()
        for request in self.in_flight.values():
            if request.progress is Progress.WRITTEN:
                request.end(Unknown("the manager was left"))
        self.in_flight.clear()

    def used_until(self, connection: Connection) -> float:
        """Return until when a connection is needed for what was handed to it and not answered; -inf where there is nothing."""
        return max(
            (each.forget_at for each in self.in_flight.values() if each.connection == connection.id),
            default=-math.inf,
        )

    def _line_up(self, requests: list[Request]) -> None:
        """Let requests wait, each in its place: what is urgent first, then by age."""
        for request in requests:
            request.progress, request.connection = Progress.WAITING, None
        if any(request.urgent or request.number < self.number for request in requests):
            found = sorted(
                (*self.waiting.values(), *requests), key=lambda each: (not each.urgent, each.number)
            )
            self.waiting = {each.number: each for each in found}
        else:
            # The newest, and not urgent: behind all others.
            self.waiting |= {each.number: each for each in requests}


def due(venue: Venue, now: float) -> tuple[list[Write], float]:
    """Return the requests of a venue that may be written now, and when to look again.

    Each is in flight from this moment; the caller hands it to the session.

    Args:
        venue: The venue.
        now: The monotonic time.
    """
    origin, requests = venue.origin, venue.requests
    # The gate is the origin's: a request that any of its venues forgets makes room here.
    wake_at = min(each.requests.forget(now) for each in origin.venues)
    connection = first_connection(venue)
    if connection is None or not connection.ready:
        return [], wake_at
    if origin.silent_until > now:
        return [], min(wake_at, origin.silent_until)
    found: list[Write] = []
    for request in list(requests.waiting.values()):
        if _gate_is_shut(origin, urgent=request.urgent):
            break
        keep = 0 if request.urgent else origin.messages.reserve
        if origin.messages.free(now, keep=keep) <= 0:
            wake_at = min(wake_at, origin.messages.free_at(now, keep=keep))
            break
        origin.messages.record(now)
        del requests.waiting[request.number]
        request.progress, request.connection = Progress.HANDED, connection.id
        requests.in_flight[request.number] = request
        found.append(Write(connection, request))
    return found, wake_at


def first_connection(venue: Venue) -> Connection | None:
    """Return the connection that carries a venue's requests, or None where one is to be opened for them.

    The oldest that is ready and stays, else the oldest; one that belongs to a single subscription only where no other may be
    opened.
    """
    found = [each for each in venue.connections if each.host == venue.request_host and each.usable]
    shared = [each for each in found if not each.dedicated]
    if not shared and not can_open(venue.origin.quotas, venue.origin.open_connections):
        shared = found
    return min(shared, key=lambda each: (not each.ready, each.leaving), default=None)


def refusal(venue: Venue) -> QuotaError | None:
    """Return why no request can be made at all, because only an end frees the socket that it needs; or None."""
    if first_connection(venue) is not None:
        return None
    limit, count = venue.origin.quotas.connections, venue.origin.open_connections
    if limit is None or can_open(venue.origin.quotas, count):
        return None
    held_by = [each.id for other in venue.origin.venues for each in other.connections]
    advice = f"none of them goes to the host that takes the requests of {venue.name}; end a subscription of another one"
    return QuotaError("connections", limit, held_by, advice=advice)


def obstacle(venue: Venue, now: float) -> str:
    """Return what a request that was not written waits for, in half a sentence."""
    origin = venue.origin
    connection = first_connection(venue)
    if connection is None:
        return "the venue has no connection that takes requests yet"
    if not connection.ready:
        return f"{connection.id} is {connection.state.value}" + (
            f" ({connection.reason})" if connection.reason else ""
        )
    if _gate_is_shut(origin, urgent=False):
        return f"the quota 'requests_in_flight' ({origin.quotas.requests_in_flight}) is used up, but for what is kept for actions"
    if origin.silent_until > now or origin.messages.free(now, keep=origin.messages.reserve) <= 0:
        return f"the quota 'messages_per_minute' ({origin.messages.limit}) is used up"
    return "it was on its way to the socket"


def _gate_is_shut(origin: Origin, *, urgent: bool) -> bool:
    """Whether no more may be in flight; a tenth of the places, at most ten, are kept for what is urgent."""
    limit = origin.quotas.requests_in_flight
    if limit is None:
        return False
    kept = 0 if urgent else min(URGENT_PLACES, limit // 10)
    return sum(len(venue.requests.in_flight) for venue in origin.venues) >= limit - kept
