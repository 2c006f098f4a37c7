"""Requests: carries out what `model.requests` decides.

The actor hands requests to the session of the venue's first connection and sleeps until more may go out. What is in flight lives
in the registry's plain objects, so a crash of the actor loses no request and no outcome. Callers wait in their own tasks.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import anyio

from wsmgr.actors import Actor, Continue, MailboxPolicy, Timer
from wsmgr.manager.model.errors import ManagerClosedError, RequestNotSentError, UsageError
from wsmgr.manager.model.requests import Progress, due, obstacle
from wsmgr.manager.runtime.context import LOOK
from wsmgr.manager.runtime.session import Send
from wsmgr.manager.venues.dialect import REQUEST_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsmgr.manager.model.outcome import Outcome
    from wsmgr.manager.model.requests import RequestKind, Write
    from wsmgr.manager.runtime.context import Context, VenueContext


class Requests(Actor[Any]):
    """Hands the requests of one venue to its first connection.

    Args:
        context: What the actors share.
        venue: The venue.
    """

    mailbox = MailboxPolicy(capacity=1024, overflow="reject")

    def __init__(self, context: Context, venue: VenueContext) -> None:
        """Bind what the actor works with."""
        self._context = context
        self._venue = venue
        self._timer: Timer | None = None

    async def init(self) -> Continue:
        """Take the venue's place."""
        self._venue.requests = self.ref
        self._venue.serve_pending = False
        return Continue()

    async def handle_continue(self, token: object) -> None:
        """Go on with what an earlier one left."""
        self._serve()

    async def handle_cast(self, message: object) -> None:
        """Write what may be written."""
        self._serve()

    async def handle_info(self, message: object) -> None:
        """Write what has fallen due."""
        self._serve()

    def _serve(self) -> None:
        self._venue.serve_pending = False
        now = self._context.clock.monotonic()
        writes, wake_at = due(self._venue.model, now)
        for write in writes:
            self._hand(write)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if wake_at < math.inf:
            self._timer = self.send_after(max(0.0, wake_at - now), LOOK)

    def _hand(self, write: Write) -> None:
        """Hand a request to the socket; where that is gone, its loss brings the request back."""
        request = write.request
        frame = self._venue.dialect.request(request.number, request.kind, request.payload)
        session = self._venue.sessions.get(write.connection.id)
        if session is None or not session.cast(Send(frame, request)):
            self._venue.model.requests.take_back(request)


class VenueRequester:
    """Sends the requests of one venue: the `Requester` that dialects' clients work with.

    Args:
        context: What the actors share.
        venue: The venue.
    """

    def __init__(self, context: Context, venue: VenueContext) -> None:
        """Bind the venue."""
        self._context = context
        self._venue = venue

    async def request(
        self, kind: RequestKind, payload: Mapping[str, Any], *, timeout: float = REQUEST_TIMEOUT
    ) -> Outcome[Any]:
        """Send one request, exactly as it is given, at most once, and return what became of it.

        Cancelling it before it was written sends nothing; cancelling it afterwards gives up the answer, not the request.

        Raises:
            UsageError: The timeout is no number of seconds above 0.
            RequestNotSentError: It could not be written in time.
            ManagerClosedError: The manager is ending.
        """
        if not timeout > 0:
            raise UsageError(f"timeout is {timeout!r}; give seconds, more than 0")
        if self._context.draining:
            raise ManagerClosedError("the manager is ending: nothing new is taken")
        clock, requests = self._context.clock, self._venue.model.requests
        ended = anyio.Event()
        request = requests.add(kind, payload, now=clock.monotonic(), on_end=ended.set)
        self._context.serve(self._venue)
        why = "its caller gave up"
        try:
            with anyio.move_on_after(timeout):
                await ended.wait()
            if request.outcome is None and request.progress is not Progress.WRITTEN:
                why = obstacle(self._venue.model, clock.monotonic())
                raise RequestNotSentError(f"{timeout:g} s were over, and {why}")
            why = f"no answer came within {timeout:g} s"
        finally:
            requests.give_up(request, why, clock.monotonic())
        assert request.outcome is not None  # noqa: S101 - a written request that is given up has an outcome
        return request.outcome
