"""Servers made with the two libraries, each in a thread with a loop of its own: what one speaks, the other must understand.

They know the good-mannered scenarios of the scripted peer; what no library sends is left to that.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import picows
import trio
import trio_websocket
from attrs import define, field
from picows import WSMsgType

from wsmgr.manager.testing.peer_scripts import numbered
from wsmgr.manager.transport.protocol import ABNORMAL

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_CLOSE_TIMEOUT = 0.2
_START_TIMEOUT = 5.0

SCENARIOS = frozenset({"echo", "burst", "ping", "close", "big"})


@define
class LibraryPeer:
    """What a check sees of a server."""

    url: str = ""
    scenarios: frozenset[str] = SCENARIOS
    said: queue.SimpleQueue[str] = field(factory=queue.SimpleQueue[str])

    def take(self, timeout: float = 5.0) -> str:
        """Return the next thing that the server said; blocks."""
        return self.said.get(timeout=timeout)

    def proceed(self) -> None:
        """Do nothing: none of its scenarios waits."""


def _script(target: str) -> list[str]:
    return target.strip("/").split("/")


class _Listener(picows.WSListener):
    def __init__(self, peer: LibraryPeer, words: list[str]) -> None:
        self.peer, self.words = peer, words
        self.told_to_close = False

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        match self.words:
            case ["burst", count, size]:
                for text in numbered(int(count), int(size)):
                    transport.send(WSMsgType.TEXT, text)
            case ["big", size]:
                transport.send(WSMsgType.TEXT, b"last")
                transport.send(WSMsgType.TEXT, b"x" * int(size))
            case ["ping"]:
                transport.send_ping(b"abc")
            case ["close", code, *reason]:
                transport.send(WSMsgType.TEXT, b"last")
                self.told_to_close = True
                transport.send_close(cast(Any, int(code)), "".join(reason))
            case _:  # echo: waits for the client
                pass

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        match frame.msg_type:
            case WSMsgType.TEXT:
                transport.send(WSMsgType.TEXT, payload)
            case WSMsgType.PONG:
                transport.send(WSMsgType.TEXT, b"10 " + payload)
            case WSMsgType.CLOSE:
                code = int.from_bytes(payload[:2], "big")
                said = (
                    f"answered {code}"
                    if self.told_to_close
                    else f"close {code} {payload[2:].decode()}".rstrip()
                )
                self.peer.said.put(said)
                transport.send_close(cast(Any, code))
                transport.disconnect()
            case _:  # pings are answered by picows
                pass

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:  # noqa: ARG002 (picows' signature)
        self.peer.said.put("gone")


@contextmanager
def picows_peer() -> Generator[LibraryPeer, None, None]:
    """A picows server on an asyncio loop."""
    peer, loop, stop = LibraryPeer(), asyncio.new_event_loop(), asyncio.Event()

    async def serve(ready: Callable[[], None]) -> None:
        def listener(request: picows.WSUpgradeRequest) -> _Listener:
            return _Listener(peer, _script(request.path.decode()))

        create_server = cast(Any, picows).ws_create_server  # its options have no types
        server = await create_server(listener, "127.0.0.1", 0)
        peer.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready()
        await stop.wait()
        server.close()
        await server.wait_closed()

    with _thread(lambda ready: loop.run_until_complete(serve(ready))):
        try:
            yield peer
        finally:
            loop.call_soon_threadsafe(stop.set)
    loop.close()


async def _handle(peer: LibraryPeer, request: trio_websocket.WebSocketRequest) -> None:
    socket = await request.accept()
    try:
        await _play(peer, socket, _script(request.path))
    except trio_websocket.ConnectionClosed as closed:
        if closed.reason is not None and closed.reason.code != ABNORMAL:
            peer.said.put(f"close {int(closed.reason.code)} {closed.reason.reason or ''}".rstrip())
    peer.said.put("gone")


async def _play(peer: LibraryPeer, socket: trio_websocket.WebSocketConnection, words: list[str]) -> None:
    match words:
        case ["burst", count, size]:
            for text in numbered(int(count), int(size)):
                await socket.send_message(text.decode())
        case ["big", size]:
            await socket.send_message("last")
            await socket.send_message("x" * int(size))
        case ["ping"]:
            await socket.ping(b"abc")
            await socket.send_message("10 abc")
        case ["close", code, *reason]:
            await socket.send_message("last")
            await socket.aclose(int(code), "".join(reason) or None)
            peer.said.put(f"answered {socket.closed.code if socket.closed else 0}")
            return
        case _:  # echo: waits for the client
            pass
    while True:
        await socket.send_message(await socket.get_message())


@contextmanager
def trio_websocket_peer() -> Generator[LibraryPeer, None, None]:
    """A trio-websocket server on a trio loop."""
    peer = LibraryPeer()
    control: list[tuple[trio.lowlevel.TrioToken, trio.CancelScope]] = []

    async def serve(ready: Callable[[], None]) -> None:
        async with trio.open_nursery() as nursery:
            start = partial(
                trio_websocket.serve_websocket,
                partial(_handle, peer),
                "127.0.0.1",
                0,
                None,
                connect_timeout=_CLOSE_TIMEOUT,
                disconnect_timeout=_CLOSE_TIMEOUT,
            )
            server: trio_websocket.WebSocketServer = await nursery.start(start)
            peer.url = f"ws://127.0.0.1:{server.port}"
            control.append((trio.lowlevel.current_trio_token(), nursery.cancel_scope))
            ready()

    with _thread(lambda ready: trio.run(serve, ready)):
        try:
            yield peer
        finally:
            token, scope = control[0]
            token.run_sync_soon(scope.cancel)


@contextmanager
def _thread(run: Callable[[Callable[[], None]], None]) -> Generator[None, None, None]:
    ready = threading.Event()
    thread = threading.Thread(target=run, args=(ready.set,), daemon=True)
    thread.start()
    if not ready.wait(_START_TIMEOUT):
        raise TimeoutError("the server did not start")
    try:
        yield
    finally:
        thread.join(_START_TIMEOUT)
