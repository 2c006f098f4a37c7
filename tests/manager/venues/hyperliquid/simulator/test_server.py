"""The server, over real sockets: two client libraries, HTTP on the same port, and every way to end."""

from __future__ import annotations

import http.client
import json
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from wsmgr.manager.venues.hyperliquid.simulator import (
    Limits,
    SimulatorOptions,
    SimulatorThread,
    parse_faults,
    serve,
)
from wsmgr.manager.venues.hyperliquid.simulator.coins import universe
from wsmgr.manager.venues.hyperliquid.simulator.thread import SimulatorStartError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from wsmgr.manager.venues.hyperliquid.simulator.options import Address

DEADLINE = 10.0
on_trio = pytest.mark.parametrize("anyio_backend", ["trio"])
on_asyncio = pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True})])


@pytest.fixture
def start() -> Iterator[Callable[..., SimulatorThread]]:
    """Starts simulators: `start("late=1", rate=10)`; they end with the test."""
    running: list[SimulatorThread] = []

    def begin(*faults: str, **options: Any) -> SimulatorThread:
        simulator = SimulatorThread(SimulatorOptions(faults=parse_faults(faults), **options))
        simulator.start()
        running.append(simulator)
        return simulator

    yield begin
    for simulator in running:
        simulator.stop()


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[WebSocketConnection]:
    """A client whose TCP stream is closed in any case: trio-websocket leaves it open when the other side cut it."""
    parts = urlsplit(url)
    stream = await trio.open_tcp_stream(str(parts.hostname), int(parts.port or 0))
    async with trio.open_nursery() as nursery:
        try:
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            with anyio.fail_after(DEADLINE):
                ws = await wrap_client_stream(nursery, stream, parts.netloc, target)
            yield ws
            with anyio.move_on_after(1):
                await ws.aclose()
        finally:
            await trio.aclose_forcefully(stream)
            nursery.cancel_scope.cancel()


def ask(
    simulator: SimulatorThread, method: str, path: str, body: bytes | None = None
) -> tuple[int, Any, bytes]:
    """A plain HTTP request: status, headers, body."""
    connection = http.client.HTTPConnection(simulator.address.host, simulator.address.port, timeout=DEADLINE)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def subscribe(type_: str, **fields: Any) -> str:
    return json.dumps({"method": "subscribe", "subscription": {"type": type_, **fields}})


async def read_until(ws: Any, channel: str) -> Any:
    """The next frame of a channel."""
    with anyio.fail_after(DEADLINE):
        while True:
            frame = json.loads(await ws.get_message())
            if frame["channel"] == channel:
                return frame


async def end_of(ws: WebSocketConnection) -> int | None:
    """Reads until the socket ends; the code of its end."""
    with anyio.fail_after(DEADLINE):
        while True:
            try:
                await ws.get_message()
            except ConnectionClosed as error:
                return error.reason.code if error.reason is not None else None


@pytest.mark.anyio
@on_trio
@pytest.mark.parametrize("path", ["/ws", "/", "/ws?token=1"])
async def test_trio_websocket_client_subscribes_and_reads(
    start: Callable[..., SimulatorThread], path: str
) -> None:
    """On the venue's path, on the bare host, and with a query."""
    simulator = start(rate=50)
    url = f"ws://{simulator.address.authority}{path}"
    async with connect(url) as ws:
        await ws.send_message(subscribe("l2Book", coin="BTC"))
        acknowledgement = await read_until(ws, "subscriptionResponse")
        assert "subscribe" == acknowledgement["data"]["method"]
        for _ in range(5):
            frame = await read_until(ws, "l2Book")
            assert "BTC" == frame["data"]["coin"]
        with anyio.fail_after(DEADLINE):
            await ws.ping()


@pytest.mark.anyio
@on_asyncio
async def test_picows_client_subscribes_and_reads(start: Callable[..., SimulatorThread]) -> None:
    """The library of the other backend, which shares no code with the server's."""
    import asyncio

    from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

    class Listener(WSListener):
        def __init__(self) -> None:
            self.frames: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type == WSMsgType.TEXT:
                self.frames.put_nowait(json.loads(frame.get_payload_as_bytes()))

    listener = Listener()
    transport, _ = await ws_connect(lambda: listener, start(rate=50).address.url)
    transport.send(WSMsgType.TEXT, subscribe("trades", coin="ETH").encode())
    with anyio.fail_after(DEADLINE):
        channels = [(await listener.frames.get())["channel"] for _ in range(5)]
    assert ["subscriptionResponse", *["trades"] * 4] == channels
    transport.send_close()
    with anyio.fail_after(DEADLINE):
        await transport.wait_disconnected()


def test_http_and_websocket_share_the_port(start: Callable[..., SimulatorThread]) -> None:
    """SDKs take one base URL for both."""
    simulator = start()
    status, headers, body = ask(simulator, "POST", "/info", b'{"type":"meta"}')
    assert (200, "application/json") == (status, headers["Content-Type"])
    assert {"szDecimals": 5, "name": "BTC", "maxLeverage": 40, "marginTableId": 40} == json.loads(body)[
        "universe"
    ][0]
    spot = json.loads(ask(simulator, "POST", "/info", b'{"type":"spotMeta"}')[2])
    pair = spot["universe"][0]
    assert ("PURR/USDC", "PURR", "USDC") == (
        pair["name"],
        *(spot["tokens"][index]["name"] for index in pair["tokens"]),
    )
    assert 494 == len(json.loads(ask(simulator, "POST", "/info", b'{"type":"allMids"}')[2]))
    book = json.loads(ask(simulator, "POST", "/info", b'{"type":"l2Book","coin":"BTC","nSigFigs":4}')[2])
    assert [20, 20] == [len(side) for side in book["levels"]]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "answer"),
    [
        ("POST", "/info", b"nonsense", 422, b"Failed to deserialize the JSON body into the target type"),
        (
            "POST",
            "/info",
            b'{"type":"nothing"}',
            422,
            b"Failed to deserialize the JSON body into the target type",
        ),
        ("POST", "/info", b'{"type":"l2Book","coin":"NOBODY"}', 200, b"null"),
        ("POST", "/exchange", b"{}", 422, b"Failed to deserialize the JSON body into the target type"),
        (
            "POST",
            "/exchange",
            b'{"action":{"type":"scheduleCancel"},"nonce":1,"signature":{"r":"0x0","s":"0x0","v":27}}',
            200,
            b'{"status":"err","response":"Invalid nonce: nonce too low 1 < ',
        ),
        ("GET", "/info", None, 405, b"Method Not Allowed"),
        ("HEAD", "/info", None, 405, b""),
        ("CONNECT", "/ws", None, 404, b"Not Found"),
        ("GET", "/nowhere", None, 404, b"Not Found"),
        ("GET", "/ws", None, 426, b"this path speaks WebSocket: ask for an upgrade"),
        (
            "POST",
            "/sim/kill",
            b'{"connection":"x"}',
            422,
            b"Failed to deserialize the JSON body into the target type",
        ),
    ],
)
def test_plain_requests_get_the_venues_errors(
    start: Callable[..., SimulatorThread],
    method: str,
    path: str,
    body: bytes | None,
    status: int,
    answer: bytes,
) -> None:
    """Status and text; nothing ends the server."""
    simulator = start()
    seen = ask(simulator, method, path, body)
    assert (status, answer) == (seen[0], seen[2][: len(answer)])
    assert 200 == ask(simulator, "GET", "/sim/log")[0]


def test_one_http_connection_takes_request_after_request(start: Callable[..., SimulatorThread]) -> None:
    """Keep-alive, and an upgrade may still follow."""
    simulator = start()
    connection = http.client.HTTPConnection(simulator.address.host, simulator.address.port, timeout=DEADLINE)
    for _ in range(3):
        connection.request("POST", "/info", b'{"type":"meta"}')
        assert 200 == connection.getresponse().read().count(b'"name":"BTC"') * 200
    connection.request("GET", "/ws", headers=HANDSHAKE)
    assert 101 == connection.getresponse().status
    connection.close()


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.mark.parametrize(
    ("fault", "path", "status", "retry_after"),
    [
        ("http_429=7", "/ws", 429, "7"),
        ("http_503=1.5", "/ws", 503, "1.5"),
        ("http_403", "/ws", 403, None),
        ("late=0", "/nowhere", 404, None),
    ],
)
def test_refused_upgrade_has_status_retry_after_and_length(
    start: Callable[..., SimulatorThread], fault: str, path: str, status: int, retry_after: str | None
) -> None:
    """A refusal without a length would keep some clients waiting; `/info` goes on meanwhile."""
    simulator = start(fault)
    connection = http.client.HTTPConnection(simulator.address.host, simulator.address.port, timeout=DEADLINE)
    connection.request("GET", path, headers=HANDSHAKE)
    response = connection.getresponse()
    assert (status, retry_after) == (response.status, response.headers["Retry-After"])
    assert len(response.read()) == int(response.headers["Content-Length"])
    connection.close()
    log = simulator.log()
    assert (1, 1, 0) == (log["dials"], log["refused"], log["most_open"])


@pytest.mark.anyio
@on_trio
async def test_upgrade_that_is_none_ends_only_itself(start: Callable[..., SimulatorThread]) -> None:
    """No key, garbage for a head, and silence: each connection is ended, the next is served."""
    simulator = start()
    address = (simulator.address.host, simulator.address.port)
    for request in (
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\r\n\r\n",
        b"GET " + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
    ):
        async with await trio.open_tcp_stream(*address) as stream:
            with anyio.fail_after(DEADLINE):
                await stream.send_all(request)
                answer = await stream.receive_some(100)
            assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))
    assert 0 == simulator.log()["open"]


@pytest.mark.anyio
@on_trio
async def test_kill_resets_the_socket_and_the_journal_says_what_was_missed(
    start: Callable[..., SimulatorThread],
) -> None:
    """A client that comes back finds an empty connection; the ticks between are known."""
    simulator = start(rate=50)
    user = "0x" + "a" * 40
    async with connect(simulator.address.url) as ws:
        await ws.send_message(subscribe("orderUpdates", user=user))
        await read_until(ws, "orderUpdates")
        killed = await trio.to_thread.run_sync(simulator.kill)
        assert [1] == killed
        assert 1006 == await end_of(ws)
    async with connect(simulator.address.url) as ws:
        await ws.send_message(json.dumps({"method": "ping"}))
        assert {"channel": "pong"} == json.loads(await ws.get_message())
        await ws.send_message(subscribe("orderUpdates", user=user))
        await read_until(ws, "orderUpdates")
    log = simulator.log()
    first, second = log["connections"]
    assert "killed on demand" == first["why"]
    assert [subscribe("orderUpdates", user=user)] == [frame["text"] for frame in first["received"]]
    [before], [after] = first["subscriptions"], second["subscriptions"]
    assert before["until"] is not None
    assert after["first_n"] > before["last_n"]
    [stream] = simulator.events()
    missed = [event["n"] for event in stream["events"] if before["last_n"] < event["n"] < after["first_n"]]
    assert list(range(before["last_n"] + 1, after["first_n"])) == missed
    assert (2, 1) == (log["dials"], log["most_open"])


@pytest.mark.anyio
@on_trio
async def test_idle_socket_ends_without_a_close_frame(start: Callable[..., SimulatorThread]) -> None:
    """A client sees 1006, as users of the venue report."""
    simulator = start(idle_timeout=0.2)
    async with connect(simulator.address.url) as ws:
        assert 1006 == await end_of(ws)


@pytest.mark.anyio
@on_trio
async def test_speed_scales_cadence_timeout_and_window_together(
    start: Callable[..., SimulatorThread],
) -> None:
    """A minute of the venue in half a second: the idle socket is cut, a window is over, the book comes twelve times."""
    simulator = start(rate="real", speed=120.0, limits=Limits(dials_per_minute=1))
    async with connect(simulator.address.url) as idle:
        assert 1006 == await end_of(idle)
    async with connect(simulator.address.url) as ws:
        assert (429, "0.5") == upgrade(simulator)
        await ws.send_message(subscribe("l2Book", coin="BTC"))
        times = [(await read_until(ws, "l2Book"))["data"]["time"] for _ in range(14)]
    assert 60_000 == times[-1] - times[1]
    closed = simulator.log()["connections"][0]
    assert 60 <= closed["closed_at"] - closed["opened_at"] < 120


def upgrade(simulator: SimulatorThread, path: str = "/ws") -> tuple[int, str | None]:
    """Ask for an upgrade and leave; its status and `Retry-After`."""
    connection = http.client.HTTPConnection(simulator.address.host, simulator.address.port, timeout=DEADLINE)
    try:
        connection.request("GET", path, headers=HANDSHAKE)
        response = connection.getresponse()
        return response.status, response.headers["Retry-After"]
    finally:
        connection.close()


def test_slow_upgrade_is_answered_late(start: Callable[..., SimulatorThread]) -> None:
    """In the simulator's seconds."""
    simulator = start("slow_upgrade=5", speed=10.0)
    begun = time.monotonic()
    assert 101 == upgrade(simulator)[0]
    assert 0.5 <= time.monotonic() - begun < DEADLINE / 2


def test_reset_upgrade_has_no_answer(start: Callable[..., SimulatorThread]) -> None:
    """The connection is reset; `/info` goes on, and the dial counts."""
    simulator = start("reset_upgrade")
    with pytest.raises(ConnectionResetError):
        upgrade(simulator)
    log = simulator.log()
    assert (1, 1, 0) == (log["dials"], log["refused"], log["most_open"])


@pytest.mark.anyio
@on_trio
@pytest.mark.parametrize("code", [1000, 1001, 1006])
async def test_socket_ends_with_the_code_that_was_asked_for(
    start: Callable[..., SimulatorThread], code: int
) -> None:
    """1006 stands for an end without a close frame."""
    simulator = start("drop_every=0.1", f"close_code={code}")
    async with connect(simulator.address.url) as ws:
        assert code == await end_of(ws)


@pytest.mark.anyio
@on_trio
async def test_text_that_is_no_utf8_ends_the_socket(start: Callable[..., SimulatorThread]) -> None:
    """Only that socket, and without a word."""
    simulator = start()
    stream = await trio.open_tcp_stream(simulator.address.host, simulator.address.port)
    async with stream:
        head = "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items())
        await stream.send_all(f"GET /ws HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
        with anyio.fail_after(DEADLINE):
            assert (await stream.receive_some(4096)).startswith(b"HTTP/1.1 101")
            await stream.send_all(b"\x81" + bytes([0x80 | 2]) + bytes(4) + b"\xff\xff")
            assert b"" == await stream.receive_some(4096)
    assert 101 == upgrade(simulator)[0]


@pytest.mark.anyio
@on_trio
async def test_flapping_server_closes_what_it_accepted(start: Callable[..., SimulatorThread]) -> None:
    """The upgrade succeeds, then a close frame comes."""
    simulator = start("flap")
    async with connect(simulator.address.url) as ws:
        assert 1000 == await end_of(ws)


@pytest.mark.anyio
@on_trio
async def test_binary_frame_ends_the_socket(start: Callable[..., SimulatorThread]) -> None:
    """The venue speaks text only: 1003."""
    simulator = start()
    async with connect(simulator.address.url) as ws:
        await ws.send_message(b"{}")
        assert 1003 == await end_of(ws)


@pytest.mark.anyio
@on_trio
async def test_half_open_socket_answers_no_protocol_ping(start: Callable[..., SimulatorThread]) -> None:
    """Nothing at all comes, and the connection stays: only a probe with a deadline finds it."""
    simulator = start("half_open")
    async with connect(simulator.address.url) as ws:
        await ws.send_message(subscribe("trades", coin="BTC"))
        with trio.move_on_after(0.3) as waited:
            await ws.ping()
        assert waited.cancelled_caught
        assert 1 == simulator.log()["open"]
        simulator.set_faults()
        with anyio.fail_after(DEADLINE):
            await ws.ping()


@pytest.mark.anyio
@on_trio
async def test_client_that_does_not_read_is_cut_off_and_others_go_on(
    start: Callable[..., SimulatorThread],
) -> None:
    """A write that hangs is given up when the socket is to end."""
    simulator = start(rate=200)
    stuck = await trio.open_tcp_stream(simulator.address.host, simulator.address.port)
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    head = "".join(f"{name}: {value}\r\n" for name, value in HANDSHAKE.items())
    await stuck.send_all(f"GET /ws HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
    with anyio.fail_after(DEADLINE):
        assert (await stuck.receive_some(4096)).startswith(b"HTTP/1.1 101")
    payload = subscribe("allDexsAssetCtxs").encode()
    await stuck.send_all(b"\x81" + bytes([0x80 | len(payload)]) + bytes(4) + payload)
    async with connect(simulator.address.url) as ws:
        await ws.send_message(subscribe("bbo", coin="BTC"))
        await read_until(ws, "bbo")
        with anyio.fail_after(DEADLINE):
            while not simulator.log()["connections"][0]["subscriptions"]:
                await read_until(ws, "bbo")
        assert [1] == simulator.kill(1)
        with anyio.fail_after(DEADLINE):
            while simulator.log()["open"] != 1:
                await read_until(ws, "bbo")
    await stuck.aclose()


def test_stopped_simulator_comes_back_on_the_same_port(start: Callable[..., SimulatorThread]) -> None:
    """What a test of reconnecting needs: the venue goes, and returns where it was."""
    simulator = start()
    port = simulator.address.port
    simulator.stop()
    with pytest.raises(ConnectionRefusedError):
        simulator.log()
    simulator.start()
    assert port == simulator.address.port
    assert 0 == simulator.log()["dials"]


def test_simulator_that_cannot_start_says_why(start: Callable[..., SimulatorThread]) -> None:
    """A port that is taken."""
    first = start()
    with pytest.raises(SimulatorStartError) as error:
        start(port=first.address.port)
    assert isinstance(error.value.__cause__, OSError)


@pytest.mark.anyio
@on_trio
async def test_serve_ends_when_it_is_told_and_says_goodbye() -> None:
    """Inside a trio program; sockets get a close frame, and nothing listens afterwards."""
    stop, ready = trio.Event(), trio.Event()
    addresses: list[Address] = []

    def on_ready(address: Address) -> None:
        addresses.append(address)
        ready.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: serve(SimulatorOptions(), on_ready=on_ready, stop=stop))
        await ready.wait()
        async with connect(addresses[0].url) as ws:
            stop.set()
            assert 1000 == await end_of(ws)
    with pytest.raises(OSError):
        await trio.open_tcp_stream(addresses[0].host, addresses[0].port)


@pytest.mark.anyio
@on_trio
async def test_five_hundred_subscriptions_at_once_are_all_served(
    start: Callable[..., SimulatorThread],
) -> None:
    """A burst of a whole universe: every acknowledgement comes, every stream sends, the socket stays."""
    simulator = start(rate=5)
    coins = list(universe())
    acknowledged: set[str] = set()
    sending: set[str] = set()
    async with connect(simulator.address.url) as ws, trio.open_nursery() as nursery:

        async def send() -> None:
            for coin in coins:
                await ws.send_message(subscribe("l2Book", coin=coin))

        nursery.start_soon(send)
        with anyio.fail_after(DEADLINE):
            while len(acknowledged) < len(coins) or len(sending) < len(coins):
                frame = json.loads(await ws.get_message())
                if frame["channel"] == "l2Book":
                    sending.add(frame["data"]["coin"])
                else:
                    acknowledged.add(frame["data"]["subscription"]["coin"])
    assert set(coins) == acknowledged == sending
