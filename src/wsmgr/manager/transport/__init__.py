"""WebSocket connections that hand over text frames in batches: one transport per event loop, one interface.

`select()` returns the transport of the running loop: picows on asyncio, trio-websocket on trio. Neither library is imported
before it is needed. A transport knows nothing of venues, subscriptions or actors.
"""

from __future__ import annotations

import sniffio

from wsmgr.manager.transport.errors import (
    DialError,
    FrameError,
    SocketClosedError,
    TransportError,
    TransportUnavailableError,
)
from wsmgr.manager.transport.protocol import Closed, Connect, Dial, OnBatch, Socket, redact

__all__ = [
    "Closed",
    "Connect",
    "Dial",
    "DialError",
    "FrameError",
    "OnBatch",
    "Socket",
    "SocketClosedError",
    "TransportError",
    "TransportUnavailableError",
    "redact",
    "select",
]


def select() -> Connect:
    """Return the transport of the running event loop.

    Raises:
        TransportUnavailableError: No loop runs, or one that no transport is made for.
    """
    try:
        library = sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError as error:
        raise TransportUnavailableError("no event loop is running; call this from async code") from error
    match library:
        case "asyncio":
            from wsmgr.manager.transport.picows import connect  # noqa: PLC0415 (only what this loop needs)

            return connect
        case "trio":
            from wsmgr.manager.transport.trio_websocket import connect as trio_connect  # noqa: PLC0415 (see above)

            return trio_connect
        case _:
            raise TransportUnavailableError(
                f"there is no transport for the event loop {library!r}; use asyncio or trio"
            )
