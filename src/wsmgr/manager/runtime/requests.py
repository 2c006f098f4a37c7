"""Requests: carries out what `model.requests` decides.

The actor hands requests to the session of the venue's first connection and sleeps until more may go out. What is in flight lives
in the registry's plain objects, so a crash of the actor loses no request and no outcome. Callers wait in their own tasks.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import anyio

from wsmgr.actors import Actor, Continue, MailboxPolicy, Timer
from wsmgr.manager.model.errors import ManagerClosedError, RequestNotSentError
from wsmgr.manager.model.requests import Progress, due, obstacle, refusal
from wsmgr.manager.runtime.context import LOOK
from wsmgr.manager.runtime.session import Send
from wsmgr.manager.venues.dialect import REQUEST_TIMEOUT, read_timeout

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
        """Go on with what an earlier one left, also with what it had taken up and not handed on."""
        self._venue.model.requests.take_back_handed()
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
        session = self._venue.sessions.get(write.connection.id)
        if session is None or not session.cast(Send(request.frame, request)):
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
            UsageError: The payload cannot be written, or the timeout is no number of seconds above 0.
            QuotaError: It needs a socket that only the end of something else frees.
            RequestNotSentError: It could not be written in time.
            ManagerClosedError: The manager is ending.
        """
        timeout = read_timeout(timeout)
        if self._context.draining:
            raise ManagerClosedError("the manager is ending: nothing new is taken")
        refused = refusal(self._venue.model)
        if refused is not None:
            raise refused
        clock, requests = self._context.clock, self._venue.model.requests
        ended = anyio.Event()
        encode = self._venue.dialect.request
        request = requests.add(
            lambda number: encode(number, kind, payload),
            urgent=kind == "action",
            now=clock.monotonic(),
            on_end=ended.set,
        )
        self._context.serve(self._venue)
        why = "its caller gave up"
        try:
            with anyio.move_on_after(timeout):
                await ended.wait()
            await self._until_read(ended)
            if request.outcome is None and request.progress is Progress.ENDED:
                raise ManagerClosedError("the manager was left before the request was written")
            if request.outcome is None and request.progress is not Progress.WRITTEN:
                why = obstacle(self._venue.model, clock.monotonic())
                raise RequestNotSentError(f"{timeout:g} s were over, and {why}")
            why = f"no answer came within {timeout:g} s"
        except anyio.get_cancelled_exc_class() as error:
            if request.outcome is None and request.progress is not Progress.WRITTEN:
                # Whoever notes what became of it can tell that nothing was sent.
                error.__cause__ = RequestNotSentError(why)
            raise
        finally:
            requests.give_up(request, why, clock.monotonic())
            self._context.serve_origin(self._venue.origin)
        assert request.outcome is not None  # noqa: S101 - a written request that is given up has an outcome
        return request.outcome

    async def _until_read(self, ended: anyio.Event) -> None:
        """Wait, after a stall of the loop, until each socket was read: the answer may have come in time."""
        now, pulse = self._context.clock.monotonic(), self._context.registry.pulse
        if not ended.is_set() and not pulse.may_judge(now):
            with anyio.move_on_after(pulse.judge_at(now) - now):
                await ended.wait()
