"""A raw WebSocket sender that cannot be the bottleneck: it answers a subscribe and then writes ready-made frames.

Run it as a process of its own: `python bench/sender.py FRAMES`; its first line is the port. Each connection gets, after its
first subscribe, an acknowledgement and then FRAMES copies of one captured l2Book frame, with the time counted up.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import struct
import sys
from pathlib import Path

CAPTURE = Path(__file__).parent.parent / "tests" / "data" / "hyperliquid-testnet-2025-07.jsonl"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CHUNK = 256


def l2book() -> bytes:
    """Return one captured l2Book frame (1.6 KB), as the venue sent it."""
    marker = '"frame":'
    for line in CAPTURE.read_text().splitlines():
        if '"l2Book"' in line:
            start = line.index(marker) + len(marker)
            frame, _ = json.JSONDecoder().raw_decode(line[start:])
            return json.dumps(frame, separators=(",", ":")).encode()
    raise LookupError(f"no l2Book frame in {CAPTURE}")


def encode(payload: bytes) -> bytes:
    """Return an unmasked text frame (RFC 6455, 5.2)."""
    if len(payload) < 126:
        return bytes((0x81, len(payload))) + payload
    return b"\x81\x7e" + struct.pack("!H", len(payload)) + payload


def upgrade(connection: socket.socket) -> None:
    """Read the upgrade request and accept it."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += connection.recv(65536)
    key = next(
        line.split(b":", 1)[1].strip()
        for line in request.split(b"\r\n")
        if line.lower().startswith(b"sec-websocket-key:")
    )
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def serve(frames: int) -> None:
    """Serve one connection after the other, for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    frame = encode(l2book())
    chunk = frame * CHUNK
    ack = encode(
        b'{"channel":"subscriptionResponse","data":{"method":"subscribe","subscription":'
        b'{"type":"l2Book","coin":"BTC","nSigFigs":null,"mantissa":null}}}'
    )
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                upgrade(connection)
                connection.recv(65536)
                connection.sendall(ack)
                for _ in range(frames // CHUNK):
                    connection.sendall(chunk)
                connection.sendall(frame * (frames % CHUNK))
                while connection.recv(65536):
                    pass
            except OSError:
                continue


if __name__ == "__main__":
    serve(int(sys.argv[1]))
