"""Requests over Hyperliquid's WebSocket: what the venue calls posts.

`{"method":"post","id":N,"request":{"type":"info"|"action","payload":{...}}}`. The answer names the id again. The payload of
an answered question has one level more than over HTTP: `{"type": ..., "data": <what HTTP answers>}`; that of an action has
not, and may say inside it that the action was refused: the exchange reads that. A refusal is a text that mirrors the HTTP status
and its description. Source: the venue's page on post requests, and frames recorded of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from wsmgr.manager.model.outcome import Answered, Refused
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
    """Return the frame of a request."""
    return msgspec.json.encode(
        {"method": "post", "id": number, "request": {"type": kind, "payload": payload}}
    )


def answer(raw: bytes) -> Frame:
    """Read what the venue answered to a request."""
    try:
        post = _read(raw).data
    except UNREADABLE:
        return Unroutable("unparsed", "post")
    match post.response:
        case _Response("error", words):
            return Answer(post.id, Refused(str(words)))
        case _Response("info", {"data": data}):
            return Answer(post.id, Answered(data))
        case _Response(payload=payload):
            return Answer(post.id, Answered(payload))
