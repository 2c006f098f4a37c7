"""What `/openapi.json` says of requests and answers; the schemas are those of the msgspec Structs that are really sent."""

from __future__ import annotations

from typing import Any, Final, get_args

import msgspec
from fastapi import FastAPI

from wsmgr.manager.daemon.health import Health
from wsmgr.manager.daemon.problem import MEDIA_TYPE
from wsmgr.manager.daemon.records import FRAMES
from wsmgr.manager.daemon.requesting import OutcomeView, VenueRequest
from wsmgr.manager.daemon.stream import LINES
from wsmgr.manager.daemon.subscribing import SubscribeRequest
from wsmgr.manager.runtime.connection_views import ConnectionView
from wsmgr.manager.runtime.history_views import EventView, GapView
from wsmgr.manager.runtime.lines import MessageLine
from wsmgr.manager.runtime.subscription_views import MetricsView, SubscriptionView
from wsmgr.manager.runtime.tree_views import TreeView
from wsmgr.manager.runtime.type_views import TypeView
from wsmgr.manager.runtime.why import WhyView

Responses = dict[int | str, dict[str, Any]]

PROBLEM: Final = {
    "type": "object",
    "description": "RFC 9457. Beside these members: key, words, quota, limit, held_by, state, why, next_attempt_at.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}
_REFUSALS: Final = {
    400: "The request is not JSON.",
    403: "The settings, or who asks, forbid the action; nothing was signed.",
    404: "There is no subscription, or no connection, with this id.",
    408: "The body did not come in time.",
    409: "The venue refused; its `words` are in the problem.",
    410: "The subscription was ended in the meantime.",
    413: "The body is too large.",
    422: "The type, a parameter or an option is wrong.",
    429: "A `quota` of the venue is used up; nothing was sent.",
    503: "The database cannot be written, the request could not be sent in time, or the daemon is ending.",
    504: "It did not come so far in time.",
}


_TOKEN: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "Over TCP. On the Unix socket none is needed. A request without a token that counts is answered 401, and one that"
    " its token's scope (read, manage, trade) does not allow, 403.",
}


class Ended(msgspec.Struct):
    """The subscriptions that were ended."""

    ended: list[str]


class Reconnecting(msgspec.Struct):
    """The connections that get a new socket."""

    reconnecting: list[str]


class Rebalancing(msgspec.Struct):
    """The connections that are given up as soon as their streams are on others."""

    rebalancing: list[str]


class Draining(msgspec.Struct):
    """The process that ends; it is gone when the daemon has."""

    pid: int


_DOCUMENTS: Final = (
    SubscriptionView,
    MetricsView,
    ConnectionView,
    TreeView,
    TypeView,
    GapView,
    EventView,
    WhyView,
    SubscribeRequest,
    VenueRequest,
    OutcomeView,
    MessageLine,
    Health,
    Ended,
    Reconnecting,
    Rebalancing,
    Draining,
)


def document(name: str, *refusals: int) -> Responses:
    """Return the answers of a path that gives one document."""
    return {200: _answer("The document.", _ref(name)), **_refused(422, *refusals)}


def listing(name: str, *refusals: int) -> Responses:
    """Return the answers of a path that gives a list."""
    schema = {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": _ref(name)},
            "next": {
                "anyOf": [{"type": "string"}, {"type": "null"}],
                "description": "Give it back as `after`.",
            },
        },
        "required": ["items", "next"],
    }
    return {200: _answer("A part of the list.", schema), **_refused(422, *refusals)}


def subscribed() -> Responses:
    """Return the answers of subscribing."""
    return {
        201: _answer(
            "It is acknowledged, or live. With `stream=1`: 200 and the stream.", _ref("SubscriptionView")
        ),
        202: _answer("It is pending.", _ref("SubscriptionView")),
        **streamed(),
        **_refused(400, 408, 409, 410, 413, 429, 503, 504),
    }


def requested() -> Responses:
    """Return the answers of a request to a venue."""
    views = [_ref(view.__name__) for view in get_args(OutcomeView)]
    described = _answer(
        "What became of it; of an action that was only to be shown, its preview.", {"oneOf": views}
    )
    return {200: described, **_refused(400, 403, 408, 413, 422, 429, 503)}


def streamed() -> Responses:
    """Return the answers of a stream."""
    content: dict[str, Any] = {LINES: {"schema": _ref("MessageLine")}, FRAMES: {"schema": {"type": "string"}}}
    return {200: {"description": "The stream.", "content": content}, **_refused(404, 422)}


def draining() -> Responses:
    """Return the answers of the end of the daemon."""
    return {202: _answer("It ends.", _ref("Draining"))}


def last() -> Responses:
    """Return the answers of the newest message."""
    return {
        200: _answer("The newest message.", _ref("MessageLine")),
        204: {"description": "There is none yet."},
        **_refused(404, 422),
    }


def body(name: str) -> dict[str, Any]:
    """Return how a request's body is described."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _ref(name)}}}}


def describe(app: FastAPI) -> None:
    """Make the description once, now: building it takes longer than a request may hold the loop."""
    described = app.openapi()
    schemas = described.setdefault("components", {}).setdefault("schemas", {})
    _, components = msgspec.json.schema_components(_DOCUMENTS, ref_template="#/components/schemas/{name}")
    schemas.update(components)
    schemas["Problem"] = PROBLEM
    described["components"]["securitySchemes"] = {"token": _TOKEN}
    described["security"] = [{}, {"token": []}]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _refused(*statuses: int) -> Responses:
    content = {MEDIA_TYPE: {"schema": _ref("Problem")}}
    return {status: {"description": _REFUSALS[status], "content": content} for status in statuses}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}
