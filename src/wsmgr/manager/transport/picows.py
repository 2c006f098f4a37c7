"""The transport for asyncio, on whatever loop runs: picows. Here is the dialling; `picows_socket` is the connection.

Three things of picows 2.3 are worked around. A dial that is cancelled leaves its socket open: it is shut down, which makes the
loop close it. A peer that hangs up before it answers the upgrade looks like success without a listener. And picows writes
ordinary ends of a connection to its log: its logger is a silent one, what happened is in `Closed`.

The loop's own transports are used, not those of aiofastnet, picows' default: with them a peer that breaks off the TLS handshake
is reported to the loop's exception handler, which writes to stderr. What they save was measured once, on uvloop: nothing
clear on plain TCP, some 15 % of the time per frame where each TLS record holds one frame.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import anyio
import picows

from wsmgr.manager.transport.attempt import DIALLING_ERRORS, Attempt, client_context
from wsmgr.manager.transport.picows_socket import LEAVE_TIMEOUT, PicowsSocket
from wsmgr.manager.transport.racing import open_tcp
from wsmgr.manager.transport.tunnel import open_tunnel, proxy_library

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

    from picows import WSListener, WSTransport

    from wsmgr.manager.transport.protocol import Dial, OnBatch

_SILENT = logging.Logger("picows", logging.CRITICAL + 1)  # noqa: LOG001 (registered nowhere: nobody's to configure)

# picows' own annotations leave the options for the loop open, and say nothing of a connection without a listener.
_ws_connect = cast(
    "Callable[..., Awaitable[tuple[WSTransport, WSListener | None]]]", cast(Any, picows).ws_connect
)


@asynccontextmanager
async def connect(dial: Dial, on_batch: OnBatch) -> AsyncGenerator[PicowsSocket, None]:
    """Dial with picows. See `wsmgr.manager.transport.protocol` for what every transport promises."""
    connection = await _dial(dial, on_batch)
    try:
        connection.woken()
        yield connection
    finally:
        await connection.leave()


class _OwnedSocket(socket.socket):
    """A socket that tells when the loop has let go of it: asyncio closes it, uvloop detaches it and closes what it held."""

    released: asyncio.Event | None = None

    def close(self) -> None:
        super().close()
        self._tell()

    def detach(self) -> int:
        self._tell()
        return super().detach()

    def _tell(self) -> None:
        if self.released is not None:
            self.released.set()


async def _dial(dial: Dial, on_batch: OnBatch) -> PicowsSocket:
    attempt = Attempt(dial)
    opened: list[_OwnedSocket] = []
    upgraded: PicowsSocket | None = None
    try:
        with anyio.move_on_after(dial.timeout):
            upgraded = await _upgrade(attempt, on_batch, opened)
            return upgraded
    finally:
        if upgraded is None:
            await _discard(opened)
    raise attempt.timed_out()


async def _upgrade(attempt: Attempt, on_batch: OnBatch, opened: list[_OwnedSocket]) -> PicowsSocket:
    dial = attempt.dial

    async def open_socket(_url: object) -> socket.socket:
        opened.append(await (_open_tcp(attempt) if dial.proxy is None else _open_tunnel(attempt, dial.proxy)))
        attempt.phase = "tls" if dial.secure else "upgrade"
        return opened[0]

    def headers() -> Iterator[tuple[str, str]]:
        # picows asks for the headers when it writes the request, so TLS is done.
        attempt.phase = "upgrade"
        yield from dial.headers

    try:
        _, listener = await _ws_connect(
            lambda: PicowsSocket(on_batch, dial.max_frame_bytes),
            dial.url,
            ssl_context=(dial.ssl_context or client_context()) if dial.secure else None,
            websocket_handshake_timeout=None,
            logger_name=_SILENT,
            enable_auto_pong=False,
            max_frame_size=dial.max_frame_bytes,
            extra_headers=headers(),
            max_redirects=0,
            socket_factory=open_socket,
            use_aiofastnet=False,
        )
    except picows.WSHandshakeError as error:
        raise _refused(attempt, error) from error
    except DIALLING_ERRORS as error:
        raise attempt.failed_with(error) from error
    if listener is None:
        raise attempt.failed("the peer hung up before it answered the upgrade")
    return cast(PicowsSocket, listener)


def _refused(attempt: Attempt, error: picows.WSHandshakeError) -> Exception:
    return attempt.answered(error.raw_header) if error.raw_header else attempt.failed(str(error))


async def _open_tcp(attempt: Attempt) -> _OwnedSocket:
    sock = await open_tcp(attempt, asyncio.get_running_loop().sock_connect, _OwnedSocket)
    return cast(_OwnedSocket, sock)


async def _open_tunnel(attempt: Attempt, proxy: str) -> _OwnedSocket:
    with proxy_library():
        from python_socks.async_.asyncio import Proxy  # noqa: PLC0415
    sock = await open_tunnel(attempt, Proxy.from_url(proxy))
    return _OwnedSocket(fileno=sock.detach())


async def _discard(opened: list[_OwnedSocket]) -> None:
    """End the connection of a dial that failed. picows keeps its transport to itself, so the loop is made to end it."""
    for sock in opened:
        if sock.fileno() < 0:
            continue
        sock.released = asyncio.Event()
        # Where it is not connected any more, the loop sees that without help.
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        with anyio.CancelScope(shield=True), anyio.move_on_after(LEAVE_TIMEOUT) as deadline:
            await sock.released.wait()
        if deadline.cancelled_caught:
            sock.close()
