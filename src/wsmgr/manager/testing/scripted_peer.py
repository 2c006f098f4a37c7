"""A WebSocket server that does what the path of the URL says: good manners and bad ones, byte for byte.

It runs in threads with plain sockets and frames of its own making, so it can send what no library would, and it
depends on neither of the libraries under test. The paths are listed in `peer_scripts`; what a script saw is read with `take()`.
"""

from __future__ import annotations

import queue
import socket
import threading
import urllib.parse
from typing import TYPE_CHECKING, Self

from wsmgr.manager.testing.peer_scripts import PEER_TIMEOUT, SCRIPTS, Session

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType


class ScriptedPeer:
    """Listens on a free port of 127.0.0.1 for as long as the block lasts.

    Attributes:
        url: `ws://127.0.0.1:<port>`; add a path.
        scenarios: The first words of the paths that it knows.
    """

    def __init__(self, ssl_context: ssl.SSLContext | None = None) -> None:
        """Bind; the threads start with the block.

        Args:
            ssl_context: A server's context, to speak TLS; the URL is then `wss://localhost:<port>`.
        """
        self.scenarios = frozenset(SCRIPTS)
        self._ssl_context = ssl_context
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}" if ssl_context is None else f"wss://localhost:{port}"
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._proceed = threading.Event()
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []

    def __enter__(self) -> Self:
        """Begin to accept."""
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything and wait for the threads."""
        self._proceed.set()
        for sock in (self._listener, *self._connections):
            _shut(sock)
        for thread in self._threads:
            thread.join(PEER_TIMEOUT)
        for sock in (self._listener, *self._connections):
            sock.close()

    def take(self, timeout: float = 5.0) -> str:
        """Return the next thing that it said, waiting for it (blocks: call it in a worker thread).

        Raises:
            TimeoutError: It said nothing.
        """
        try:
            return self._said.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError(f"the peer said nothing within {timeout:g} s") from None

    def proceed(self) -> None:
        """Let scripts that wait for it go on."""
        self._proceed.set()

    def _start(self, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, daemon=True, name="scripted-peer")
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(PEER_TIMEOUT)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.append(sock)
            self._start(lambda sock=sock: self._serve(sock))  # type: ignore[misc]

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self._ssl_context is not None:
                sock = self._ssl_context.wrap_socket(sock, server_side=True)
                self._connections.append(sock)
            request = _read_head(sock)
            target = urllib.parse.urlsplit(request.split(b" ", 2)[1].decode())
            words = target.path.strip("/").split("/")
            query = dict(urllib.parse.parse_qsl(target.query))
            SCRIPTS[words[0]](Session(sock, request, query, self._said.put, self._proceed), *words[1:])
        except (OSError, EOFError):
            # The client has left before its script was over.
            self._said.put("gone")
        finally:
            _shut(sock)


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        # Never connected, or gone already.
        return


def _read_head(sock: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            raise EOFError
        data += piece
    return data
