"""Dialling through TLS and through proxies: which phase failed, and that nothing is left open."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest

from wsmgr.manager.testing import ScriptedPeer
from wsmgr.manager.testing.transport_check import Sink
from wsmgr.manager.transport import Dial, DialError, TransportUnavailableError, select

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent


@contextmanager
def proxy(scheme: str, *, refuse: bool = False) -> Iterator[str]:
    """A proxy for one connection at a time, in a thread; yields its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    opened: list[socket.socket] = []

    def serve() -> None:
        try:
            while True:
                client, _ = listener.accept()
                opened.append(client)
                target = (_http if scheme == "http" else _socks5)(client, refuse)
                if target is None:
                    client.close()
                    continue
                upstream = socket.create_connection(target)
                opened.append(upstream)
                pumps = [
                    threading.Thread(target=_pump, args=pair)
                    for pair in ((client, upstream), (upstream, client))
                ]
                for pump in pumps:
                    pump.start()
                for pump in pumps:
                    pump.join()
        except OSError:
            return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"{scheme}://user:secret@127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        for sock in (listener, *opened):
            sock.close()


def _http(client: socket.socket, refuse: bool) -> tuple[str, int] | None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += client.recv(4096)
    client.sendall(b"HTTP/1.1 407 Denied\r\n\r\n" if refuse else b"HTTP/1.1 200 OK\r\n\r\n")
    host, _, port = data.split(b" ")[1].decode().rpartition(":")
    return None if refuse else (host, int(port))


def _socks5(client: socket.socket, refuse: bool) -> tuple[str, int] | None:
    client.recv(64)
    client.sendall(b"\x05\x02")
    client.recv(64)
    client.sendall(b"\x01\x01" if refuse else b"\x01\x00")
    if refuse:
        return None
    request = client.recv(256)
    host = socket.inet_ntoa(request[4:8]) if request[3] == 1 else request[5:-2].decode()
    client.sendall(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
    return host, int.from_bytes(request[-2:], "big")


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@contextmanager
def one_answer(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A plain server that answers whatever comes with `answer`; yields its port and what it received."""
    received: list[bytes] = []

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            received.append(client.recv(65536))
            client.sendall(answer)
            client.shutdown(socket.SHUT_WR)
            client.recv(65536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], received
        thread.join(5)


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HERE / "localhost-cert.pem", HERE / "localhost-key.pem")
    return context


async def failure(dial: Dial) -> DialError:
    with anyio.fail_after(10), pytest.raises(DialError) as caught:
        async with select()(dial, Sink()):
            pass
    assert "secret" not in f"{caught.value}"
    return caught.value


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_dial_goes_through_a_proxy(scheme: str) -> None:
    """The tunnel carries the connection as if it were none."""
    sink = Sink()
    with ScriptedPeer() as peer, proxy(scheme) as url, anyio.fail_after(10):
        async with select()(Dial(url=f"{peer.url}/echo", proxy=url), sink) as connection:
            await connection.send("through the tunnel")
            assert [b"through the tunnel"] == await sink.wait_for(1)


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_dial_goes_through_a_proxy_with_tls_inside(scheme: str) -> None:
    """TLS is spoken with the peer, not with the proxy; the peer's name is checked."""
    sink = Sink()
    context = ssl.create_default_context(cafile=str(HERE / "localhost-cert.pem"))
    with ScriptedPeer(server_context()) as peer, proxy(scheme) as url, anyio.fail_after(10):
        async with select()(Dial(url=f"{peer.url}/echo", proxy=url, ssl_context=context), sink) as connection:
            await connection.send("sealed")
            assert [b"sealed"] == await sink.wait_for(1)


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_refusal_of_the_proxy_is_not_the_venues(scheme: str) -> None:
    """A proxy's 407 must not look like a refused credential at the venue: phase `proxy`, no status."""
    with proxy(scheme, refuse=True) as url:
        error = await failure(Dial(url="ws://127.0.0.1:1/", proxy=url))
    assert ("proxy", None) == (error.phase, error.status)


async def test_unreachable_proxy_names_its_phase() -> None:
    """Whose fault it is stands in the error."""
    error = await failure(Dial(url="ws://127.0.0.1:1/", proxy="socks5://127.0.0.1:1"))
    assert error.phase == "proxy"


async def test_proxy_without_its_library_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing library is no network problem: another error, which says what to do."""
    loop_module = "asyncio" if select().__module__.endswith("picows") else "trio"
    monkeypatch.setitem(sys.modules, f"python_socks.async_.{loop_module}", None)
    with pytest.raises(TransportUnavailableError, match="pip install python-socks"):
        async with select()(Dial(url="ws://127.0.0.1:1/", proxy="socks5://127.0.0.1:1"), Sink()):
            pass


async def test_certificate_that_is_not_trusted_fails_in_the_tls_phase(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The reason is in the error, and nothing else is said about it anywhere."""
    with ScriptedPeer(server_context()) as peer:
        error = await failure(Dial(url=f"{peer.url}/echo"))
    assert ("tls", True) == (error.phase, "certificate" in str(error))
    assert [] == caplog.records


async def test_tls_with_a_peer_that_speaks_none_fails_in_the_tls_phase() -> None:
    """`wss://` on a plain port is told apart from a refused upgrade."""
    with one_answer(b"HTTP/1.1 400 Bad Request\r\n\r\n") as (port, _):
        error = await failure(Dial(url=f"wss://127.0.0.1:{port}/"))
    assert error.phase == "tls"


async def test_deadline_during_tls_names_its_phase() -> None:
    """A listener that accepts and says nothing is found out by the one deadline."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = await failure(Dial(url=f"wss://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.5))
    assert ("tls", True) == (error.phase, "within 0.5 s" in str(error))


async def test_given_headers_reach_the_peer() -> None:
    """Credentials in headers arrive as they were given, once."""
    with one_answer(b"HTTP/1.1 401 No\r\n\r\n") as (port, received):
        url = f"ws://127.0.0.1:{port}/ws?a=1"
        error = await failure(Dial(url=url, headers=(("X-Key", "one"), ("x-other", "two"))))
    lines = received[0].split(b"\r\n")
    assert error.status == 401
    assert lines[0] == b"GET /ws?a=1 HTTP/1.1"
    assert [1, 1] == [
        len([line for line in lines if line.lower() == name]) for name in (b"x-key: one", b"x-other: two")
    ]
