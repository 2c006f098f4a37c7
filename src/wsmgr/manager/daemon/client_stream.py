"""The reading end of a stream, blocking: batches of lines or frames, as the daemon wrote them.

One read takes what has come, at most 64 KiB, and gives whatever is complete in it: there is no system call for each line.

Each stream knows its cursor: the place of the last thing in the batches that it gave. Whoever lost a stream opens another one behind
that place (`after`), and misses nothing that is still held.
"""

from __future__ import annotations

import http.client
import re
import socket as sockets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from wsmgr.manager.daemon.errors import DaemonUnreachableError
from wsmgr.manager.daemon.records import LENGTH_BYTES, Record, split

READ_BYTES = 64 * 1024
_PLACE = re.compile(rb'"seq":(\d+),"epoch":(\d+)')
"""The place in a message line, where its first members stand before all that a venue sent, and in the line `cursor`."""
_CURSOR = b'","event":"cursor","'
_NUMBER = re.compile(rb'\{(?:"event":"cursor",)?"id":(\d+)')
"""The number of an event, and of the line `cursor` among events."""

Part = TypeVar("Part")


class Stream(ABC, Generic[Part]):
    """An open stream: iterate over it for batches, and leave `with` to close it.

    Iterating ends when the daemon ends the stream in order: the subscription was ended, or the daemon was stopped; with
    events, the last line says which. It ends, too, when `stop` was called.

    Args:
        connection: The connection that it came on; it is closed with the stream.
        sock: Its socket.
        response: The response whose body it is.
        socket: The socket's path, for words.
        deadline: When iterating raises TimeoutError, by `time.monotonic`; None for never.

    Attributes:
        cursor: The place of the last thing that was given, as `after` takes it; None where that is not known.
    """

    def __init__(
        self,
        connection: http.client.HTTPConnection,
        sock: sockets.socket,
        response: http.client.HTTPResponse,
        socket: Path,
        *,
        deadline: float | None,
    ) -> None:
        """Take the response over."""
        self._connection = connection
        self._sock = sock
        self._response = response
        self._socket = socket
        self._deadline = deadline
        self._stopped = threading.Event()
        self._rest: list[bytes] = []
        self.cursor: str | None = None

    def __iter__(self) -> Iterator[list[Part]]:
        """Yield batches: all that was complete after one read.

        Raises:
            TimeoutError: The deadline has passed; the stream cannot be read any further.
            DaemonUnreachableError: The daemon went away, or broke the stream off because this consumer was too slow.
        """
        while True:
            data = self._read()
            if not data:
                return
            batch = self._split(data)
            if batch:
                self._note_place(batch)
                yield batch

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the stream; the daemon takes this consumer's hold back."""
        self.close()

    def stop(self) -> None:
        """End the iteration, also a read that waits in another thread; `close` it there."""
        self._stopped.set()
        with suppress(OSError):  # raised where the daemon has closed it already
            self._sock.shutdown(sockets.SHUT_RDWR)

    def close(self) -> None:
        """Close the stream; belongs to the thread that reads."""
        self.stop()
        self._response.close()
        self._connection.close()
        self._sock.close()

    @abstractmethod
    def _split(self, data: bytes) -> list[Part]:
        """Return what is complete; the beginning of more is kept for later."""

    @abstractmethod
    def _note_place(self, batch: list[Part]) -> None:
        """Move the cursor to the end of a batch."""

    def _read(self) -> bytes:
        if self._stopped.is_set():
            return b""
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the stream's deadline has passed")
            self._sock.settimeout(left)
        try:
            return self._response.read1(READ_BYTES)
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException) as error:
            if self._stopped.is_set():
                return b""
            raise DaemonUnreachableError(self._socket, "the stream broke off before its end") from error


class LineStream(Stream[bytes]):
    """A stream of lines: each batch is a list of lines, without their line feeds."""

    def _split(self, data: bytes) -> list[bytes]:
        complete, feed, rest = data.rpartition(b"\n")
        if not feed:
            self._rest.append(data)
            return []
        lines = b"".join((*self._rest, complete)).split(b"\n")
        self._rest = [rest] if rest else []
        return lines

    def _note_place(self, batch: list[bytes]) -> None:
        for line in reversed(batch):
            if found := _PLACE.search(line):
                self.cursor = f"{int(found[2])}:{int(found[1])}"
                return


class EventLines(LineStream):
    """The stream of the daemon's events; its cursor is the number of the last one."""

    def _note_place(self, batch: list[bytes]) -> None:
        for line in reversed(batch):
            if found := _NUMBER.match(line):
                self.cursor = found[1].decode()
                return


class RecordStream(Stream[Record]):
    """A stream of frames: each batch is a list of records. It has a cursor where events were asked for."""

    _needed = LENGTH_BYTES
    """How many bytes there must be before the next record can be complete."""
    _place: tuple[int, int] | None = None
    """Epoch and number of the last frame, or None where no line has told a place yet."""

    def _split(self, data: bytes) -> list[Record]:
        self._rest.append(data)
        if sum(map(len, self._rest)) < self._needed:
            return []
        records, rest, self._needed = split(b"".join(self._rest))
        self._rest = [rest] if rest else []
        return records

    def _note_place(self, batch: list[Record]) -> None:
        for record in batch:
            if not record.told:
                if self._place is not None:
                    self._place = self._place[0], self._place[1] + 1
            elif record.data.find(_CURSOR) > 0 and (found := _PLACE.search(record.data)):
                self._place = int(found[2]), int(found[1])
        if self._place is not None:
            self.cursor = f"{self._place[0]}:{self._place[1]}"
