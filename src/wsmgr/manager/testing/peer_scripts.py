"""What a scripted peer does on one connection: the scripts, and frames of their own making.

    /echo                       answers texts and pings; says `close <code> <reason>` when it gets a close frame
    /burst/<count>/<size>       sends numbered texts of that size at once, then as /echo
    /early/<count>              numbered texts of 5 bytes in the same segment as the upgrade's response
    /tell                       on a text: sends `told`, then says `told`
    /ping                       pings, and tells the pong's payload in a text
    /close/<code>/<reason>      a text, then a close frame; says `answered <code>`
    /bare-close                 a close frame without a code
    /fragments                  a text in three pieces with a ping between, then a whole one
    /frame/<name>               a text, then a bad frame (`BAD_FRAMES`); says `close <code> <reason>`
    /big/<size>                 one text of that size
    /wide/<count>               on a text: a text, then one of that many characters of two bytes
    /half                       on a text: half a text; on another: the rest
    /flood/<count>/<size>       on a text: sends numbered texts; says `blocked` each time that nobody reads, `finished` at the end
    /vanish/<fin|rst>           on a text: ends TCP without a close frame
    /mute                       reads nothing after the upgrade and sends a close frame when told by `proceed()`
    /refuse/<status>/<how>      refuses; how: `length` (with a body), `open` (without Content-Length, connection kept open)
    /answer/<name>              answers the upgrade with something else (`BAD_ANSWERS`)
    /stall                      never answers; says `stalled`, then `gone` when the client has left

Every script ends by saying `gone` when the client's end of the connection is closed.
"""

from __future__ import annotations

import base64
import hashlib
import select
import socket
import struct
import threading
from collections.abc import Callable, Mapping

from attrs import frozen

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 0x1, 0x2, 0x0, 0x8, 0x9, 0xA

BAD_FRAMES: Mapping[str, tuple[int, bytes]] = {
    "not-utf8": (1007, b"\x81\x02\xff\xfe"),
    "binary": (1003, b"\x82\x02ab"),
    "reserved-bits": (1002, b"\xc1\x02ab"),
    "stray-continuation": (1002, b"\x80\x02ab"),
    "nested-message": (1002, b"\x01\x01a\x81\x01b"),
    "unknown-opcode": (1002, b"\x83\x02ab"),
    "close-code-0": (1002, b"\x88\x02\x00\x00"),
    "close-code-1006": (1002, b"\x88\x02\x03\xee"),
    "half-a-close-code": (1002, b"\x88\x01\x03"),
    "close-not-utf8": (1007, b"\x88\x03\x03\xe8\xff"),
    "masked": (1002, b"\x81\x82\x00\x00\x00\x00ab"),
}
"""Frames that a peer must not send, and the code that they are answered with."""

BAD_ANSWERS: Mapping[str, bytes] = {
    "garbage": b"SSH-2.0-server\r\n\r\n",
    "nothing": b"",
    "half": b"HTTP/1.1 101 Switching Proto",
    "wrong-accept": (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: bm90IHRoZSBrZXk=\r\n\r\n"
    ),
    "endless-head": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000,
}
"""Answers to an upgrade that are no upgrade and no refusal; the connection is closed after all but `wrong-accept`."""

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_STALLED_AFTER = 0.2
PEER_TIMEOUT = 20.0
"""Seconds that a script waits for anything."""


@frozen
class Session:
    """One connection, as a script sees it."""

    sock: socket.socket
    request: bytes
    query: Mapping[str, str]
    say: Callable[[str], None]
    proceed: threading.Event

    def upgrade(self, early: bytes = b"") -> None:
        """Accept the upgrade."""
        key = next(
            line.partition(b":")[2].strip()
            for line in self.request.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key:")
        )
        accept = base64.b64encode(hashlib.sha1(key + _MAGIC).digest())  # noqa: S324 (RFC 6455, 1.3)
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self.sock.sendall(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + early)

    def send(self, *frames: bytes) -> None:
        """Send frames in one write."""
        self.sock.sendall(b"".join(frames))

    def receive(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame."""
        first, second = self._exactly(2)
        size = second & 0x7F
        if size == 126:  # noqa: PLR2004 (RFC 6455, 5.2)
            (size,) = struct.unpack("!H", self._exactly(2))
        elif size == 127:  # noqa: PLR2004 (RFC 6455, 5.2)
            (size,) = struct.unpack("!Q", self._exactly(8))
        mask = self._exactly(4)
        payload = self._exactly(size)
        return first & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))

    def until_gone(self) -> None:
        """Behave well until the client has left: answer texts, pings and the close frame."""
        while True:
            opcode, payload = self.receive()
            if opcode == TEXT:
                self.send(frame(payload))
            elif opcode == PING:
                self.send(frame(payload, PONG))
            elif opcode == CLOSE:
                self.say(f"close {_code(payload)} {payload[2:].decode()}".rstrip())
                self.send(frame(payload, CLOSE))
                self.end()

    def end(self) -> None:
        """End our half of TCP and wait until the client has ended its own."""
        self.sock.shutdown(socket.SHUT_WR)
        while self.sock.recv(65536):
            pass
        raise EOFError

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = self.sock.recv(min(size - len(data), 1 << 20))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)


def frame(payload: bytes, opcode: int = TEXT, *, fin: bool = True) -> bytes:
    """Return a server's frame: not masked."""
    first = (0x80 if fin else 0) | opcode
    size = len(payload)
    if size <= 125:  # noqa: PLR2004 (RFC 6455, 5.2)
        return bytes((first, size)) + payload
    if size <= 0xFFFF:  # noqa: PLR2004 (RFC 6455, 5.2)
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def numbered(count: int, size: int) -> list[bytes]:
    """Return the texts of `/burst` and `/flood`: a number, filled up to `size` bytes."""
    return [b"%d:" % number + b"x" * (size - len(b"%d:" % number)) for number in range(count)]


def _code(payload: bytes) -> int:
    return int.from_bytes(payload[:2], "big")


def _echo(session: Session) -> None:
    session.upgrade()
    session.until_gone()


def _burst(session: Session, count: str, size: str) -> None:
    session.upgrade()
    session.send(*(frame(text) for text in numbered(int(count), int(size))))
    session.until_gone()


def _early(session: Session, count: str) -> None:
    session.upgrade(b"".join(frame(text) for text in numbered(int(count), 5)))
    session.until_gone()


def _tell(session: Session) -> None:
    session.upgrade()
    session.receive()
    session.send(frame(b"told"))
    session.say("told")
    session.until_gone()


def _ping(session: Session) -> None:
    session.upgrade()
    session.send(frame(b"abc", PING))
    opcode, payload = session.receive()
    session.send(frame(b"%d " % opcode + payload))
    session.until_gone()


def _close(session: Session, code: str, reason: str = "") -> None:
    session.upgrade()
    session.send(frame(b"last"), frame(struct.pack("!H", int(code)) + reason.encode(), CLOSE))
    opcode, answer = session.receive()
    session.say(f"answered {_code(answer)}" if opcode == CLOSE else f"opcode {opcode}")
    session.until_gone()


def _bare_close(session: Session) -> None:
    session.upgrade()
    session.send(frame(b"", CLOSE))
    session.until_gone()


def _fragments(session: Session) -> None:
    session.upgrade()
    pieces = "grüße".encode()
    session.send(
        frame(pieces[:3], fin=False),  # in the middle of a character
        frame(b"", PING),
        frame(pieces[3:5], CONTINUATION, fin=False),
        frame(pieces[5:], CONTINUATION),
        frame(b"whole"),
    )
    session.until_gone()


def _frame(session: Session, name: str) -> None:
    session.upgrade()
    session.send(frame(b"last"), BAD_FRAMES[name][1])
    session.until_gone()


def _big(session: Session, size: str) -> None:
    session.upgrade()
    session.send(frame(b"last"), frame(b"x" * int(size)))
    session.until_gone()


def _wide(session: Session, count: str) -> None:
    session.upgrade()
    session.receive()
    session.send(frame(b"last"), frame(("ü" * int(count)).encode()))
    session.until_gone()


def _half(session: Session) -> None:
    session.upgrade()
    whole = frame(b"x" * 1000)
    session.receive()
    session.send(whole[:500])
    session.receive()
    session.send(whole[500:])
    session.until_gone()


def _flood(session: Session, count: str, size: str) -> None:
    session.upgrade()
    session.receive()
    rest = memoryview(b"".join(frame(text) for text in numbered(int(count), int(size))))
    session.sock.setblocking(False)
    while rest:
        if not select.select([], [session.sock], [], _STALLED_AFTER)[1]:
            session.say("blocked")
            if not select.select([], [session.sock], [], PEER_TIMEOUT)[1]:
                raise EOFError
        rest = rest[session.sock.send(rest) :]
    session.sock.settimeout(PEER_TIMEOUT)
    session.say("finished")
    session.until_gone()


def _vanish(session: Session, how: str) -> None:
    session.upgrade()
    session.receive()
    if how == "rst":
        session.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        session.sock.close()
    else:
        session.end()


def _mute(session: Session) -> None:
    session.upgrade()
    session.proceed.wait(PEER_TIMEOUT)
    session.send(frame(struct.pack("!H", 1001), CLOSE))
    session.until_gone()


def _refuse(session: Session, status: str, how: str) -> None:
    lines = [f"HTTP/1.1 {status} Refused", *(f"{name}: {value}" for name, value in session.query.items())]
    body = "no" if how == "length" else ""
    if body:
        lines.append(f"Content-Length: {len(body)}")
    session.sock.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
    session.until_gone()


def _answer(session: Session, name: str) -> None:
    session.sock.sendall(BAD_ANSWERS[name])
    if name == "wrong-accept":
        session.until_gone()


def _stall(session: Session) -> None:
    session.say("stalled")
    session.until_gone()


SCRIPTS: Mapping[str, Callable[..., None]] = {
    "echo": _echo,
    "burst": _burst,
    "early": _early,
    "tell": _tell,
    "ping": _ping,
    "close": _close,
    "bare-close": _bare_close,
    "fragments": _fragments,
    "frame": _frame,
    "big": _big,
    "wide": _wide,
    "half": _half,
    "flood": _flood,
    "vanish": _vanish,
    "mute": _mute,
    "refuse": _refuse,
    "answer": _answer,
    "stall": _stall,
}
"""The scripts by the first word of the path; the other words are their arguments."""
