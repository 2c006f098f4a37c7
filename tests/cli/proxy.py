"""A proxy on a Unix socket that cuts the streams that run through it, each after so many bytes of the daemon's answer."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

STREAMS = (b"/stream", b"stream=1", b"follow=1")


class CuttingProxy:
    """Stands between readers and a daemon. Use it with `with`.

    Args:
        path: Where it listens.
        daemon: The daemon's socket.
        cuts: After how many bytes the first stream is cut, the second, ...; later ones run on.
    """

    def __init__(self, path: Path, daemon: Path, cuts: Sequence[int]) -> None:
        self._daemon = daemon
        self._cuts = list(reversed(cuts))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._open: set[socket.socket] = {self._listener}
        self._threads = [threading.Thread(target=self._accept)]

    @property
    def left(self) -> int:
        """How many streams are still to be cut."""
        return len(self._cuts)

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for each in tuple(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in tuple(self._threads):
            thread.join()
        for each in tuple(self._open):
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                reader, _ = self._listener.accept()
            except OSError:
                return
            daemon = socket.socket(socket.AF_UNIX)
            self._open |= {reader, daemon}
            daemon.connect(str(self._daemon))
            thread = threading.Thread(target=self._carry, args=(reader, daemon))
            self._threads.append(thread)
            thread.start()

    def _carry(self, reader: socket.socket, daemon: socket.socket) -> None:
        """Carry one request and its answer; our readers send a request at once and nothing after it."""
        request = _all_of(reader)
        if request:
            daemon.sendall(request)
            is_stream = any(word in request.split(b"\r\n", 1)[0] for word in STREAMS)
            self._answer(reader, daemon, self._cuts.pop() if is_stream and self._cuts else None)
        for each in (reader, daemon):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _answer(self, reader: socket.socket, daemon: socket.socket, left: int | None) -> None:
        with suppress(OSError):
            while data := daemon.recv(4096):
                reader.sendall(data if left is None else data[:left])
                if left is not None:
                    left -= len(data)
                    if left <= 0:
                        return


def _all_of(reader: socket.socket) -> bytes:
    """Return a request: its head and as much of a body as that names."""
    request = b""
    with suppress(OSError):
        while data := reader.recv(65536):
            request += data
            head, found, body = request.partition(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if b"content-length:" in line
                ),
                0,
            )
            if found and len(body) >= length:
                return request
    return b""
