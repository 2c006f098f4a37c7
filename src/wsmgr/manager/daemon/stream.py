"""A stream: an HTTP response that goes on until its client disconnects, its source ends, or the API does.

What is written is never cut off by the end of the API: only waiting for more is. So a reader has all that there was for it
when it is told that nothing more will come. One that does not read cannot keep the daemon: its connection is shut down then.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

import anyio
from anyio.lowlevel import checkpoint
from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

LINES: Final = "application/x-ndjson"
"""Lines of JSON, one for each thing that comes."""


class StreamResponse(Response, ABC):
    """A response whose body is written as it comes.

    Args:
        media_type: What the body is.
    """

    def __init__(self, media_type: str) -> None:
        """Bind the response; nothing is written yet. It has no content-length: the base's `__init__` would set one."""
        self.status_code = 200
        self.background = None
        self.media_type = media_type
        self.init_headers({"cache-control": "no-store"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Write the body until the client disconnects, or there is no more."""
        client = _Client()
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            async with anyio.create_task_group() as group:
                group.start_soon(_watch, receive, client, group.cancel_scope)
                await self.pump(send)
                group.cancel_scope.cancel()
        finally:
            self.release()
        if not client.gone:
            # Nobody watches any more: the server reports a disconnect of its own while it takes the last part.
            await self.farewell(send)

    @abstractmethod
    async def pump(self, send: Send) -> None:
        """Write what comes; returns when nothing more will."""

    @abstractmethod
    def release(self) -> None:
        """Give back what the response holds."""

    async def farewell(self, send: Send) -> None:
        """Write what is to be said at the end to a client that is still there, and end the body."""
        await end(send)


class _Client:
    """Who reads a response; `gone` as soon as it has disconnected."""

    def __init__(self) -> None:
        self.gone = False


async def write(send: Send, body: bytes) -> None:
    """Write a part of a body."""
    await send({"type": "http.response.body", "body": body, "more_body": True})
    # A server whose buffer has room does not wait in `send`; others get their turn here.
    await checkpoint()


async def end(send: Send) -> None:
    """End a body in order: the client knows that it has all of it."""
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _watch(receive: Receive, client: _Client, scope: anyio.CancelScope) -> None:
    await gone(receive)
    client.gone = True
    scope.cancel()


async def gone(receive: Receive) -> None:
    """Return when the client of a request has disconnected; what is left of the request's body is passed over."""
    while (await receive())["type"] != "http.disconnect":
        pass
