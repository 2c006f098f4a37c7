"""Requests over Hyperliquid's WebSocket: what the venue calls posts.

`{"method":"post","id":N,"request":{"type":"info"|"action","payload":{...}}}`. The answer names the id again. The payload of
an answered question has one level more than over HTTP: `{"type": ..., "data": <what HTTP answers>}`; that of an action has
not, and may say inside it that the action was refused: the exchange reads that. A refusal is a text that mirrors the HTTP status
and its description; what a status says of an action, the exchange reads too. An answer of another form says nothing.
Source: the venue's page on post requests, and frames recorded of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from wsmgr.manager.model.errors import UsageError
from wsmgr.manager.model.outcome import Answered, Outcome, Refused, Unknown
from wsmgr.manager.model.showing import shown
from wsmgr.manager.venues.dialect import Answer, Frame, Unroutable
from wsmgr.manager.venues.hyperliquid.frames import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsmgr.manager.venues.dialect import RequestKind


class _Response(msgspec.Struct):
    type: str
    payload: Any = None


class _Post(msgspec.Struct):
    id: int
    response: _Response


class _Frame(msgspec.Struct):
    data: _Post


_read: Final = msgspec.json.Decoder(_Frame).decode


def request(number: int, kind: RequestKind, payload: Mapping[str, Any]) -> bytes:
    """Return the frame of a request.

    Raises:
        UsageError: The payload cannot be written as JSON.
    """
    try:
        return msgspec.json.encode(
            {"method": "post", "id": number, "request": {"type": kind, "payload": payload}}
        )
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise UsageError(f"the {kind} request cannot be written as JSON: {error}") from error


def answer(raw: bytes) -> Frame:
    """Read what the venue answered to a request."""
    try:
        post = _read(raw).data
    except UNREADABLE:
        return Unroutable("unparsed", "post")
    return Answer(post.id, _outcome(post.response))


def unreadable(found: object) -> Unknown:
    """Return the outcome of a request whose answer has another form than the venue's."""
    return Unknown(f"the venue's answer cannot be read: {shown(found)}")


def _outcome(response: _Response) -> Outcome[Any]:
    match response:
        case _Response("error", str(words)):
            return Refused(words)
        case _Response("info", {"data": data}):
            return Answered(data)
        case _Response("action", payload):
            return Answered(payload)
        case _Response(kind, payload):
            return unreadable({kind: payload})
