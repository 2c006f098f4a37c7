"""Limits: how large and how slow what comes in may be, on either listener; every figure has its reason beside it.

The head of a request is bounded by hypercorn while it is incomplete, and here when it has come in one piece. The body's limits
are in `bodies`, the number of connections is bounded where they are accepted, in `connections`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import anyio
from attrs import frozen

from wsmgr.manager.daemon.answers import refusal
from wsmgr.manager.daemon.bodies import heard_out
from wsmgr.manager.daemon.problem import BUSY, problem_of_http, problem_of_refusal

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from wsmgr.manager.daemon.connections import Connection, Connections

MAX_HEAD_BYTES: Final = 16 * 1024
"""Request line and headers: a cursor, a filter and a token are some hundred bytes."""
MAX_HEADERS: Final = 100
MAX_TARGET_BYTES: Final = 8 * 1024
"""Path and query."""
HEAD_TIMEOUT: Final = 5.0
"""Seconds for the head of a request, from the connection or the end of the request before it."""
WRITE_TIMEOUT: Final = 30.0
"""Seconds that a client may leave a document untaken. Of a stream the consumer's policy decides instead."""
RETRY_AFTER: Final = 1
"""What a client is told to wait, in seconds, where there are too many."""
_NO_STREAM: Final = frozenset({"0", "false", "off", "no", "n", "f"})
_BODIES: Final = frozenset({"POST", "PUT", "PATCH"})


@frozen(kw_only=True)
class Bounds:
    """How many at once.

    Attributes:
        connections: Connections to one listener; one more is answered 503 and closed.
        streams: Streams among them: the rest stays free for requests.
    """

    connections: int
    streams: int


def bounds(share: int, descriptors: int) -> Bounds:
    """Return the bounds of a listener.

    Args:
        share: How many connections it may have where descriptors are plenty.
        descriptors: How many files this process may open: sockets to venues come first, so a listener takes a quarter at most.
    """
    connections = max(8, min(share, descriptors // 4))
    return Bounds(connections=connections, streams=connections * 3 // 4)


class Limited:
    """An application whose requests are within the limits.

    Args:
        app: The application.
        connection: The connection that it serves.
        connections: All of the listener's.
    """

    def __init__(self, app: ASGIApp, connection: Connection, connections: Connections) -> None:
        """Wrap an application, for one connection."""
        self._app = app
        self._connection = connection
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse what is too large, or serve it."""
        if scope["type"] != "http":
            # hypercorn answers 403 where an upgrade to WebSocket is not accepted.
            await send({"type": "websocket.close"})
            return
        if _has_body(scope["headers"]):
            receive, send = heard_out(receive, send)
        complaint = _complaint(scope)
        if complaint is not None:
            await self._answer(complaint, scope, receive, send)
        elif not _is_stream(scope):
            await self._app(scope, receive, self._timed(send))
        elif self._connections.streams >= self._connections.bounds.streams:
            await self._answer(busy("streams", self._connections.bounds.streams), scope, receive, send)
        else:
            self._connections.streams += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._connections.streams -= 1

    async def _answer(self, response: Response, scope: Scope, receive: Receive, send: Send) -> None:
        await response(scope, receive, self._timed(send))

    def _timed(self, send: Send) -> Send:
        async def timed(message: Message) -> None:
            self._connection.writing_since = anyio.current_time()
            try:
                await send(message)
            finally:
                self._connection.writing_since = None

        return timed


def busy(what: str, most: int) -> Response:
    """Return the answer to one client too many."""
    detail = f"there are {most} {what} already, which is the most; close one, or try again"
    response = refusal(problem_of_refusal(BUSY, detail))
    response.headers["retry-after"] = str(RETRY_AFTER)
    return response


def _complaint(scope: Scope) -> Response | None:
    if scope["http_version"] not in {"1.0", "1.1"}:
        return refusal(problem_of_http(505, "the API speaks HTTP/1.1"))
    target = len(scope["raw_path"]) + len(scope["query_string"])
    if target > MAX_TARGET_BYTES:
        return refusal(
            problem_of_http(414, f"the path and query have {target} bytes; {MAX_TARGET_BYTES} is the most")
        )
    headers = scope["headers"]
    size = target + sum(len(name) + len(value) for name, value in headers)
    if size > MAX_HEAD_BYTES or len(headers) > MAX_HEADERS:
        return refusal(
            problem_of_http(
                431,
                f"the head has {size} bytes in {len(headers)} headers; {MAX_HEAD_BYTES} in {MAX_HEADERS} is the most",
            )
        )
    if scope["method"] not in _BODIES and _has_body(headers):
        return refusal(problem_of_http(400, f"{scope['method']} takes no body"))
    return None


def _has_body(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
        for name, value in headers
    )


def _is_stream(scope: Scope) -> bool:
    if scope["path"].endswith("/stream"):
        return True
    query = parse_qsl(scope["query_string"].decode("latin-1"))
    return any(name == "stream" and value.lower() not in _NO_STREAM for name, value in query)
