"""Requesting over HTTP: the body of `POST /v1/requests`, its answers, and the wait for a venue's outcome.

An action is signed for the daemon's own user, for root, and for who shows a token that allows it, and for nobody else: file modes let
others in by mistake, and whoever may look is not yet one who may trade. Who asks and goes away before the answer gives the request up, exactly as a caller that
is cancelled: what was not sent is not sent any more. So does the end of the daemon, and whoever waits is told which of both it
was: the daemon is closed and nothing was sent, or it was sent and nothing more is known.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, Generic, TypeVar

import anyio
import msgspec
from starlette.requests import Request

from wsmgr.manager.daemon.bodies import decoded, read_body
from wsmgr.manager.daemon.caller import caller_of
from wsmgr.manager.daemon.closing import Closing
from wsmgr.manager.daemon.stream import gone
from wsmgr.manager.model.errors import (
    ActionForbiddenError,
    ManagerClosedError,
    RequestNotSentError,
    UsageError,
    WsmgrError,
)
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.outcome import Answered, Outcome, Refused, Unknown
from wsmgr.manager.model.requests import RequestKind
from wsmgr.manager.model.showing import NOT_SHOWN, looks_like_secret_key
from wsmgr.manager.runtime.engine import Engine
from wsmgr.manager.venues.dialect import REQUEST_TIMEOUT

_NOTHING_SENT: Final = "the daemon is ending: nothing was sent"
GIVEN_UP: Final = "the daemon ended, or its client went away, before the answer came"
_MAX_NAME: Final = 64

Result = TypeVar("Result")


class VenueRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a venue is asked.

    Attributes:
        kind: `info` for a question, `action` for something that changes an account.
        payload: `type`, and its parameters beside it. Numbers of an action are read exactly.
        venue: The venue's name; null for the only one, or `hyperliquid`.
        timeout: Seconds for sending it and its answer.
        preview: Only for actions: return what would be signed and sent, and send nothing.
    """

    kind: RequestKind
    payload: dict[str, Any]
    venue: str | None = None
    timeout: Annotated[float, msgspec.Meta(gt=0)] = REQUEST_TIMEOUT
    preview: bool = False


class AnsweredView(msgspec.Struct, tag_field="outcome", tag="answered"):
    """The venue answered."""

    data: Any


class RefusedView(msgspec.Struct, tag_field="outcome", tag="refused"):
    """The venue refused, in these words: nothing was changed."""

    words: str


class UnknownView(msgspec.Struct, tag_field="outcome", tag="unknown"):
    """It was sent, or may have been, and no answer came, or none that says what became of it: it may have been carried out.

    It is not sent again.
    """

    why: str


class PreviewView(msgspec.Struct, tag_field="outcome", tag="preview"):
    """What would be signed and sent; nothing was."""

    data: dict[str, Any]


OutcomeView = AnsweredView | RefusedView | UnknownView | PreviewView

_decode = msgspec.json.Decoder(VenueRequest).decode
_decode_exactly = msgspec.json.Decoder(VenueRequest, float_hook=Decimal).decode


async def read_request(request: Request) -> VenueRequest:
    """Return what a request asks for.

    Raises:
        BadRequestError: The body is not JSON, or too large.
        UsageError: It is JSON of another shape, or wants a preview of a question.
    """
    body = await read_body(request)
    wish = decoded(body, _decode)
    if wish.kind == "action":
        return decoded(body, _decode_exactly)
    if wish.preview:
        raise UsageError("preview is for actions: a question changes nothing, so ask it")
    return wish


async def carry_out(engine: Engine, wish: VenueRequest, request: Request, closing: Closing) -> OutcomeView:
    """Carry out a client's request, or show what it would send.

    Raises:
        WsmgrError: What `Engine.request` and `Engine.preview` raise.
        RequestNotSentError: A preview could not be made in time.
        ActionForbiddenError: It is an action, and the client may not act.
    """
    if closing.begun:
        raise ManagerClosedError("the daemon is ending: nothing new is taken")
    caller = caller_of(request)
    who, complaint = caller.name, caller.complaint
    if wish.preview:
        shown = await _given_up_with(request, closing, lambda: _preview(engine, wish))
        if shown is None:
            raise ManagerClosedError(_NOTHING_SENT)
        return PreviewView({**shown, "forbidden": complaint or shown.get("forbidden")})
    if wish.kind == "action" and complaint is not None:
        engine.context.note(_forbidden(engine.venue(wish.venue).model.name, wish.payload, who, complaint))
        raise ActionForbiddenError(complaint)
    outcome = await _given_up_with(
        request,
        closing,
        lambda: engine.request(wish.kind, wish.payload, venue=wish.venue, who=who, timeout=wish.timeout),
    )
    return _view(outcome or Unknown(GIVEN_UP))


async def _preview(engine: Engine, wish: VenueRequest) -> Mapping[str, Any]:
    """Return what would be sent; the venue may have to be asked for that, within the request's time."""
    try:
        with anyio.fail_after(wish.timeout):
            return await engine.preview(wish.payload, venue=wish.venue)
    except TimeoutError as error:
        raise RequestNotSentError(
            f"what is to be known of the venue for a preview did not come within {wish.timeout:g} s"
        ) from error


def _forbidden(venue: str, payload: Mapping[str, Any], who: str, complaint: str) -> Fact:
    name = str(payload.get("type"))[:_MAX_NAME]
    detail = {
        "action": NOT_SHOWN if looks_like_secret_key(name) else name,
        "outcome": "forbidden",
        "words": complaint,
    }
    return Fact(kind="action", level="warning", venue=venue, actor=who, detail=detail)


def _view(outcome: Outcome[Any]) -> OutcomeView:
    match outcome:
        case Answered(data):
            return AnsweredView(data)
        case Refused(words):
            return RefusedView(words)
        case Unknown(why):
            return UnknownView(why)


class _Course(Generic[Result]):
    """What came of what was asked, and its error."""

    def __init__(self) -> None:
        self.result: Result | None = None
        self.error: WsmgrError | None = None


async def _given_up_with(
    request: Request, closing: Closing, ask: Callable[[], Awaitable[Result]]
) -> Result | None:
    """Return what is asked for; None where it was given up because its client has gone, or the API is ending.

    Raises:
        ManagerClosedError: It was given up before anything was sent.
        WsmgrError: What asking raises.
    """
    course = _Course[Result]()
    async with anyio.create_task_group() as group:
        group.start_soon(_watch, request, group.cancel_scope)
        with closing.ended_by_closing():
            try:
                course.result = await ask()
            except WsmgrError as error:
                course.error = error
            except anyio.get_cancelled_exc_class() as error:
                if isinstance(error.__cause__, RequestNotSentError):
                    course.error = ManagerClosedError(_NOTHING_SENT)
                raise
        group.cancel_scope.cancel()
    if course.error is not None:
        raise course.error
    return course.result


async def _watch(request: Request, scope: anyio.CancelScope) -> None:
    await gone(request.receive)
    scope.cancel()
