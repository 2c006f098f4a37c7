"""Dialling through TLS and through proxies: which phase failed, from which address, and that nothing is left open."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import pytest
from attrs import define, field

from wsmgr.manager.testing import ScriptedPeer
from wsmgr.manager.testing.transport_check import Sink
from wsmgr.manager.transport import Dial, DialError, TransportUnavailableError, select
from wsmgr.manager.transport.attempt import client_context

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


@define
class OneAnswer:
    """A server that answers once: where it listens, what it received, from whom."""

    port: int
    received: list[bytes] = field(factory=list)
    clients: list[str] = field(factory=list)


@contextmanager
def one_answer(answer: bytes) -> Iterator[OneAnswer]:
    """A plain server that answers whatever comes with `answer`."""

    def serve() -> None:
        client, address = listener.accept()
        with client:
            server.clients.append(address[0])
            server.received.append(client.recv(65536))
            with suppress(OSError):  # a client that read enough has hung up
                client.sendall(answer)
                client.shutdown(socket.SHUT_WR)
                client.recv(65536)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = OneAnswer(listener.getsockname()[1])
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server
        thread.join(5)


@contextmanager
def black_hole() -> Iterator[int]:
    """A port whose connections come to nothing, not even a refusal: its backlog is full; yields it."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting: list[socket.socket] = []
        try:
            for _ in range(8):
                waiting.append(socket.socket())
                waiting[-1].settimeout(0.2)
                waiting[-1].connect(address)
        except TimeoutError:
            yield address[1]
        else:
            pytest.skip("this system takes connections beyond the backlog")
        finally:
            for each in waiting:
                each.close()


@contextmanager
def mute() -> Iterator[int]:
    """A port that accepts and says nothing; yields it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def server_context(name: str = "localhost") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(HERE / f"{name}-cert.pem", HERE / f"{name}-key.pem")
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
    with one_answer(b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        error = await failure(Dial(url=f"wss://127.0.0.1:{server.port}/"))
    assert error.phase == "tls"


async def out_of_time(dial: Dial) -> str:
    """The phase in which a dial runs into its deadline."""
    error = await failure(attrs.evolve(dial, timeout=0.3))
    assert f"failed at {error.phase}: nothing came of it within 0.3 s" in str(error)
    return error.phase


async def test_deadline_while_the_name_is_looked_up_names_its_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that is out of reach is not a venue that is."""

    async def never(*_args: object, **_options: object) -> None:
        await anyio.sleep_forever()

    monkeypatch.setattr(anyio, "getaddrinfo", never)
    assert await out_of_time(Dial(url="ws://venue.example/")) == "dns"


async def test_deadline_during_tcp_names_its_phase() -> None:
    """Packets that vanish on the way are told apart from a peer that is there and says nothing."""
    with black_hole() as port:
        assert await out_of_time(Dial(url=f"ws://127.0.0.1:{port}/")) == "tcp"


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_deadline_at_a_proxy_names_its_phase(scheme: str) -> None:
    """Whether the proxy cannot be reached or says nothing."""
    with mute() as silent, black_hole() as unreachable:
        for port in (silent, unreachable):
            dial = Dial(url="wss://venue.example/", proxy=f"{scheme}://user:secret@127.0.0.1:{port}")
            assert await out_of_time(dial) == "proxy"


async def test_deadline_during_tls_names_its_phase() -> None:
    """A listener that accepts and says nothing is found out by the one deadline."""
    with mute() as port:
        assert await out_of_time(Dial(url=f"wss://127.0.0.1:{port}/")) == "tls"


async def test_deadline_during_the_upgrade_names_its_phase_inside_tls_as_well() -> None:
    """TLS is done, and the answer does not come."""
    context = client_context(str(HERE / "localhost-cert.pem"))
    with ScriptedPeer(server_context()) as peer:
        assert await out_of_time(Dial(url=f"{peer.url}/stall", ssl_context=context)) == "upgrade"


async def test_address_that_leads_nowhere_does_not_hold_up_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Happy eyeballs with real sockets: a quarter of a second, not the deadline."""
    sink = Sink()
    with ScriptedPeer() as peer, black_hole() as port:
        good = Dial(url=f"{peer.url}/echo")

        async def both(*_args: object, **_options: object) -> list[Any]:
            stream = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*stream, ("127.0.0.1", each)) for each in (port, good.port)]

        monkeypatch.setattr(anyio, "getaddrinfo", both)
        dial = attrs.evolve(good, url="ws://venue.example/echo", timeout=5, source_address="127.0.0.1")
        async with select()(dial, sink) as connection:
            await connection.send("through")
            assert [b"through"] == await sink.wait_for(1)


async def test_certificate_of_a_given_authority_is_trusted_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The file's certificates stand in the place of the system's; the name is checked all the same."""
    own, other = (client_context(str(HERE / f"{name}-cert.pem")) for name in ("authority", "localhost"))
    assert own is client_context(str(HERE / "authority-cert.pem")), "a file is read once"
    with ScriptedPeer(server_context("signed")) as peer:
        sink = Sink()
        async with select()(Dial(url=f"{peer.url}/echo", ssl_context=own), sink) as connection:
            await connection.send("sealed")
            assert [b"sealed"] == await sink.wait_for(1)
        refused = await failure(Dial(url=f"{peer.url}/echo", ssl_context=other))
        elsewhere = f"wss://venue.example:{Dial(url=peer.url).port}/echo"

        async def here(*_args: object, **_options: object) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", Dial(url=peer.url).port))]

        monkeypatch.setattr(anyio, "getaddrinfo", here)
        misnamed = await failure(Dial(url=elsewhere, ssl_context=own))
    assert ("tls", "tls") == (refused.phase, misnamed.phase)
    assert "the certificate was not accepted" in refused.why
    assert "venue.example" in misnamed.why


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
async def test_dial_comes_from_its_source_address() -> None:
    """What the venue counts its quotas by is what was chosen."""
    with one_answer(b"HTTP/1.1 503 No\r\n\r\n") as server:
        await failure(Dial(url=f"ws://127.0.0.1:{server.port}/", source_address="127.0.0.2"))
    assert ["127.0.0.2"] == server.clients


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8")
@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_proxy_is_reached_from_the_source_address(scheme: str) -> None:
    """It holds for the first hop, whatever that is."""
    with one_answer(b"no proxy at all") as server:
        dial = Dial(
            url="ws://venue.example/",
            proxy=f"{scheme}://127.0.0.1:{server.port}",
            source_address="127.0.0.3",
        )
        assert (await failure(dial)).phase == "proxy"
    assert ["127.0.0.3"] == server.clients


async def test_source_address_that_this_machine_does_not_have_is_named() -> None:
    """As it may come back with its interface, this is a dial that failed, and is tried again."""
    error = await failure(Dial(url="ws://127.0.0.1:1/", source_address="192.0.2.7"))
    assert ("tcp", True) == (error.phase, "cannot dial from 192.0.2.7: " in error.why)


async def test_host_without_an_address_of_the_sources_family_is_named() -> None:
    """An IPv4 source reaches no IPv6 host."""
    error = await failure(Dial(url="ws://[::1]:1/", source_address="127.0.0.1"))
    assert error.phase == "dns"


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that was set for something else does not reroute market data, or an order."""
    for scheme in ("http", "https", "all", "ws", "wss", "socks"):
        for variable in (f"{scheme}_proxy", f"{scheme}_proxy".upper()):
            monkeypatch.setenv(variable, "http://127.0.0.1:1")
    sink = Sink()
    with ScriptedPeer() as peer:
        async with select()(Dial(url=f"{peer.url}/echo"), sink) as connection:
            await connection.send("directly")
            assert [b"directly"] == await sink.wait_for(1)


async def test_given_headers_reach_the_peer() -> None:
    """Credentials in headers arrive as they were given, once."""
    with one_answer(b"HTTP/1.1 401 No\r\n\r\n") as server:
        url = f"ws://127.0.0.1:{server.port}/ws?a=1"
        error = await failure(Dial(url=url, headers=(("X-Key", "one"), ("x-other", "two"))))
    lines = server.received[0].split(b"\r\n")
    assert error.status == 401
    assert lines[0] == b"GET /ws?a=1 HTTP/1.1"
    assert [1, 1] == [
        len([line for line in lines if line.lower() == name]) for name in (b"x-key: one", b"x-other: two")
    ]
