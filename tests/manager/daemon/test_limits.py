"""Limits: everything that comes in has one, and who goes over it is told which."""

from __future__ import annotations

import errno
import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from tests.manager.daemon.conftest import PATIENCE, eventually
from tests.manager.daemon.http_kit import answered, runner, said, unix, until

from wsmgr.manager.daemon import bodies, connections, listeners
from wsmgr.manager.daemon.bodies import MAX_BODY_BYTES, MAX_DEPTH, MAX_HEARD_BYTES
from wsmgr.manager.daemon.connections import Connection, Connections
from wsmgr.manager.daemon.limits import (
    HEAD_TIMEOUT,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_TARGET_BYTES,
    RETRY_AFTER,
    WRITE_TIMEOUT,
    Bounds,
    Limited,
    bounds,
)
from wsmgr.manager.daemon.paging import PAGE
from wsmgr.manager.daemon.settings import MAX_CONFIGURATION_BYTES
from wsmgr.manager.daemon.tokens import MAX_FILE_BYTES, MAX_TOKEN_CHARACTERS, MAX_TOKENS
from wsmgr.manager.transport.protocol import Dial

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.manager.daemon.conftest import RunDaemon, RunningDaemon
    from tests.manager.daemon.http_kit import Answer, RunHttp

pytestmark = pytest.mark.anyio

NOWHERE = "ws://127.0.0.1:9/ws"
BODIES = ["/v1/requests", "/v1/subscriptions"]


@pytest.fixture
def run_http(directory: Path) -> RunHttp:
    return runner(directory)


async def heard(daemon: RunningDaemon, *parts: bytes) -> Answer:
    """Send parts over the Unix socket, and read the answer."""

    def ask() -> Answer:
        with unix(daemon.path) as client:
            with suppress(BrokenPipeError):  # it was refused already
                for part in parts[:-1]:
                    client.sendall(part)
            return said(client, parts[-1])

    return await daemon.ask(ask)


def head(method: str, target: str, **headers: object) -> bytes:
    given = {"host": "localhost", "connection": "close", **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items())
    return f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode()


async def test_a_target_has_a_most(run_daemon: RunDaemon) -> None:
    """Path and query together, to the byte."""
    async with run_daemon(NOWHERE) as daemon:
        query = "/healthz?" + "x" * (MAX_TARGET_BYTES - len("/healthz"))
        fits = await heard(daemon, head("GET", query))
        over = await heard(daemon, head("GET", query + "x"))
        path = await heard(daemon, head("GET", "/" + "x" * MAX_TARGET_BYTES))
    assert (200, 414, 414) == (fits.status, over.status, path.status)
    assert f"{MAX_TARGET_BYTES} is the most" in over.document["detail"]


@pytest.mark.parametrize("pieces", [1, 20])
async def test_a_head_has_a_most(run_daemon: RunDaemon, pieces: int) -> None:
    """Whether it comes in one piece or little by little."""
    async with run_daemon(NOWHERE) as daemon:
        value = "y" * MAX_HEAD_BYTES
        data = head("GET", "/healthz", x=value, x_more=value)
        size = len(data) // pieces + 1
        refused = await heard(daemon, *(data[at : at + size] for at in range(0, len(data), size)))
        many = await heard(daemon, head("GET", "/healthz", **{f"x{n}": 1 for n in range(MAX_HEADERS)}))
        fits = await heard(daemon, head("GET", "/healthz", **{f"x{n}": 1 for n in range(MAX_HEADERS - 2)}))
    assert (431, 431, 200) == (refused.status, many.status, fits.status)
    assert f"{MAX_HEAD_BYTES} in {MAX_HEADERS} is the most" in many.document["detail"]


async def test_a_head_without_an_end_is_refused_as_soon_as_it_is_too_long(run_daemon: RunDaemon) -> None:
    """It is not collected until its time is over."""
    async with run_daemon(NOWHERE) as daemon:
        refused = await heard(daemon, b"GET /healthz HTTP/1.1\r\nhost: x\r\nx: ", b"y" * 2 * MAX_HEAD_BYTES)
    assert 431 == refused.status


@pytest.mark.parametrize(
    "sent", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nhost: x\r\n", b"PRI * HTTP/2.0\r\n"]
)
async def test_a_head_that_does_not_come_is_not_waited_for(
    run_daemon: RunDaemon, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """A client that says nothing, or a byte a second (slowloris), holds its connection for seconds only."""
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", 0.2)
    async with run_daemon(NOWHERE) as daemon:

        def ask() -> bytes:
            with unix(daemon.path) as client:
                client.sendall(sent)
                return b"".join(iter(lambda: client.recv(65536), b""))

        assert b"HTTP/1.1 2" not in await daemon.ask(ask)


async def test_a_dribbled_head_gets_no_more_time_for_each_byte(
    run_daemon: RunDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deadline is for the whole."""
    monkeypatch.setattr(connections, "HEAD_TIMEOUT", 0.3)
    async with run_daemon(NOWHERE) as daemon:

        def dribble() -> int:
            with unix(daemon.path) as client:
                client.settimeout(0.05)
                for count in range(200):
                    try:
                        client.send(b"G")
                        if not client.recv(1):
                            return count
                    except TimeoutError:
                        continue
                    except OSError:
                        return count
            raise AssertionError("it was listened to for ten seconds")

        assert await daemon.ask(dribble) < 100


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_has_a_most_whatever_it_declares(
    run_daemon: RunDaemon, path: str, chunked: bool
) -> None:
    """With a length or in chunks; who sends several times too much is heard out and told, not cut off while sending."""
    excess = 3 * MAX_BODY_BYTES
    async with run_daemon(NOWHERE) as daemon:
        if chunked:
            chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
            parts = [
                head("POST", path, transfer_encoding="chunked"),
                *[chunk] * (excess // 0x10000),
                b"0\r\n\r\n",
            ]
        else:
            parts = [head("POST", path, content_length=excess), b" " * excess]
        over = await heard(daemon, *parts)
        exact = await heard(daemon, head("POST", path, content_length=MAX_BODY_BYTES), b" " * MAX_BODY_BYTES)
    assert (413, 400) == (over.status, exact.status)
    assert f"larger than {MAX_BODY_BYTES} bytes" in over.document["detail"]


async def test_who_sends_without_end_is_cut_off(run_daemon: RunDaemon) -> None:
    """A body that goes on and on is read so far and no further, and not kept."""
    async with run_daemon(NOWHERE) as daemon:

        def send() -> int:
            with unix(daemon.path) as client:
                client.sendall(head("POST", "/v1/requests", transfer_encoding="chunked"))
                chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
                for count in range(10 * MAX_HEARD_BYTES // 0x10000):
                    try:
                        client.sendall(chunk)
                    except (BrokenPipeError, ConnectionResetError):
                        return count * 0x10000
            raise AssertionError("all of it was read")

        assert await daemon.ask(send) < 2 * MAX_HEARD_BYTES


@pytest.mark.parametrize("path", BODIES)
async def test_a_body_that_does_not_come_is_not_waited_for(
    run_daemon: RunDaemon, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """The deadline is for the whole, and the answer says so."""
    monkeypatch.setattr(bodies, "BODY_TIMEOUT", 0.2)
    async with run_daemon(NOWHERE) as daemon:
        answer = await heard(daemon, head("POST", path, content_length=100), b"{")
    assert 408 == answer.status
    assert "did not come within 0.2 s" in answer.document["detail"]


@pytest.mark.parametrize("path", BODIES)
async def test_a_body_is_nested_so_deeply_and_no_deeper(run_daemon: RunDaemon, path: str) -> None:
    """What walks through it later has no depth to fear; brackets in a text are no nesting."""
    member = {"/v1/requests": '{"kind":"info","payload":', "/v1/subscriptions": '{"type":"l2Book","params":'}[
        path
    ]

    async def nested(levels: int, inner: str = "1") -> Answer:
        value = '{"a":' * levels + inner + "}" * levels
        body = f"{member}{value}}}".encode()
        return await heard(daemon, head("POST", path, content_length=len(body)), body)

    async with run_daemon(NOWHERE) as daemon:
        fits = await nested(MAX_DEPTH - 1)
        over = await nested(MAX_DEPTH)
        listed = await nested(1, "[" * MAX_DEPTH + "]" * MAX_DEPTH)
        text = await nested(1, '"' + "[{" * 5000 + '"')
    assert (422, 400, 400, 422) == (fits.status, over.status, listed.status, text.status)
    assert f"nested too deeply; {MAX_DEPTH} levels" in over.document["detail"]


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
async def test_only_what_takes_a_body_is_sent_one(run_daemon: RunDaemon, method: str) -> None:
    """A body that nobody reads would hold its connection; an empty one is none."""
    async with run_daemon(NOWHERE) as daemon:
        sized = await heard(daemon, head(method, "/v1/subscriptions/nobody", content_length=3), b"abc")
        chunked = await heard(
            daemon, head(method, "/v1/subscriptions/nobody", transfer_encoding="chunked"), b"0\r\n\r\n"
        )
        empty = await heard(daemon, head(method, "/v1/subscriptions/nobody", content_length=0))
    assert (400, 400) == (sized.status, chunked.status)
    assert f"{method} takes no body" == sized.document["detail"]
    assert empty.status in {404, 405}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/reconnect", 200),
        ("POST", "/v1/connections/v-9/reconnect", 404),
        ("POST", "/v1/nowhere", 404),
        ("PUT", "/v1/rebalance", 405),
        ("DELETE", "/v1/subscriptions/nobody", 400),
    ],
)
async def test_who_sends_a_body_that_nobody_reads_has_the_answer_all_the_same(
    run_daemon: RunDaemon, method: str, path: str, status: int
) -> None:
    """What was sent is passed over; closed with it unread, the connection would be reset, and the answer with it."""
    size = MAX_BODY_BYTES - 1

    def ask(daemon: RunningDaemon) -> list[int]:
        with unix(daemon.path) as client:
            statuses: list[int] = []
            # The second one on the same connection: it is as good as new.
            for _ in range(2):
                client.sendall(head(method, path, content_length=size, connection="keep-alive") + b" " * size)
                statuses.append(answered(client).status)
            return statuses

    async with run_daemon(NOWHERE) as daemon:
        assert [status, status] == await daemon.ask(ask, daemon)


async def test_an_answer_does_not_wait_for_a_body_that_nobody_reads(run_daemon: RunDaemon) -> None:
    """It is there at once; its connection stays for as long as a body may take, and no longer."""
    async with run_daemon(NOWHERE) as daemon:
        answer = await heard(daemon, head("POST", "/v1/reconnect", content_length=100), b"{")
    assert 200 == answer.status


async def test_a_body_that_nobody_reads_is_passed_over_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """In its time, and up to its size: then its client is left."""
    monkeypatch.setattr(bodies, "BODY_TIMEOUT", 0.05)
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append((message["body"], message["more_body"]))

    async def never() -> Any:
        await anyio.sleep_forever()

    async def endless() -> Any:
        sizes.append(MAX_BODY_BYTES // 4)
        return {"type": "http.request", "body": b" " * sizes[-1], "more_body": True}

    sizes: list[int] = []
    with anyio.fail_after(PATIENCE):
        for receive in (never, endless):
            _, answering = bodies.heard_out(receive, send)
            await answering({"type": "http.response.body", "body": b"yes"})
    assert [(b"yes", True), (b"", False)] * 2 == told
    assert 5 == len(sizes)


def test_a_listener_takes_a_quarter_of_the_descriptors_at_most() -> None:
    """Sockets to venues come first, also where a process may open few files."""
    assert Bounds(connections=384, streams=288) == bounds(384, 1_000_000)
    assert Bounds(connections=64, streams=48) == bounds(384, 256)
    assert Bounds(connections=8, streams=6) == bounds(384, 10)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """As few connections at once as there can be: 8, and 6 streams among them."""
    monkeypatch.setattr(listeners, "UNIX_CONNECTIONS", 8)
    monkeypatch.setattr(listeners, "HTTP_CONNECTIONS", 8)


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("tcp", [False, True])
async def test_one_connection_too_many_is_told_to_come_again(run_http: RunHttp, tcp: bool) -> None:
    """503 with Retry-After, at once, also without a token; the other listener does not notice; who comes later is served."""
    async with run_http(NOWHERE) as daemon:

        def connect() -> socket.socket:
            return socket.create_connection(daemon.place, PATIENCE) if tcp else unix(daemon.path)

        def served(client: socket.socket) -> bool:
            token = f"Bearer {daemon.tokens['read']}"
            data = head("GET", "/healthz", connection="keep-alive", authorization=token)
            return said(client, data).status == 200

        def fill() -> list[socket.socket]:
            clients = [connect() for _ in range(8)]
            assert all(served(client) for client in clients)
            return clients

        def turned_away() -> Answer:
            with connect() as one_more:
                one_more.sendall(head("GET", "/healthz"))
                return answered(one_more)

        clients = await daemon.ask(fill)
        refused = await daemon.ask(turned_away)
        if tcp:
            assert "ok" == (await daemon.get("/v1/health"))["status"]
        else:
            assert 200 == (await daemon.http("GET", "/healthz", token="read")).status
        for client in clients:
            client.close()
        await until(lambda: daemon.ask(turned_away), 200 if not tcp else 401)
    assert (503, "busy", "1") == (refused.status, refused.kind, refused.headers["retry-after"])
    assert "8 connections already" in refused.document["detail"]


@pytest.mark.usefixtures("few")
async def test_streams_leave_room_for_requests(run_daemon: RunDaemon) -> None:
    """One stream too many is told to come again, by either path to one; a request is answered all the same; one that ends makes room."""
    async with run_daemon(NOWHERE) as daemon:
        row = await daemon.subscribe("bbo", params={"coin": "BTC"}, keep=True, wait="none")
        path = f"/v1/subscriptions/{row['id']}/stream"
        wish = json.dumps({"type": "bbo", "params": {"coin": "BTC"}, "wait": "none"}).encode()

        def opened() -> socket.socket:
            client = unix(daemon.path)
            client.sendall(head("GET", path))
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
            return client

        clients = [await daemon.ask(opened) for _ in range(6)]
        read = await heard(daemon, head("GET", path))
        posted = [
            await heard(
                daemon, head("POST", f"/v1/subscriptions?stream={value}", content_length=len(wish)), wish
            )
            for value in ("1", "true", "YES")
        ]
        # Whoever was answered is gone a moment later.
        with anyio.fail_after(10):
            while True:
                plain = await heard(
                    daemon, head("POST", "/v1/subscriptions?stream=0", content_length=len(wish)), wish
                )
                if "connections already" not in plain.document.get("detail", ""):
                    break
        assert 6 == len(daemon.entry(row["id"]).buffers)
        clients.pop().close()
        await eventually(lambda: 5 == len(daemon.entry(row["id"]).buffers))
        clients.append(await daemon.ask(opened))
        for client in clients:
            client.close()
    assert [(503, "busy", "1")] * 4 == [
        (each.status, each.kind, each.headers["retry-after"]) for each in (read, *posted)
    ]
    assert "6 streams already" in read.document["detail"]
    assert 202 == plain.status


async def test_a_document_that_is_not_taken_is_given_up(
    run_daemon: RunDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that asks and asks and reads nothing does not hold its connection for ever."""
    monkeypatch.setattr(connections, "BEAT", 0.02)
    monkeypatch.setattr(connections, "WRITE_TIMEOUT", 0.2)
    async with run_daemon(NOWHERE) as daemon:

        def ask_until_it_is_given_up() -> None:
            with unix(daemon.path) as client:
                request = head("GET", "/openapi.json", connection="keep-alive")
                for _ in range(100_000):
                    try:
                        client.sendall(request)
                    except (BrokenPipeError, ConnectionResetError):
                        return
            raise AssertionError("everything was written")

        await daemon.ask(ask_until_it_is_given_up)
        assert "ok" == (await daemon.get("/v1/health"))["status"]


@pytest.mark.parametrize(
    ("path", "query", "timed"),
    [
        ("/v1/subscriptions/x/stream", b"", False),
        ("/v1/subscriptions", b"stream=1", False),
        ("/v1/subscriptions", b"stream=0", True),
        ("/v1/metrics", b"", True),
    ],
)
async def test_how_long_a_stream_is_not_taken_is_its_policys_matter(
    path: str, query: bytes, timed: bool
) -> None:
    """A reader that pauses (`wsmgr tail | less`) keeps its stream; who does not take a document loses it."""
    here, there = socket.socketpair()
    seen: list[float | None] = []

    async def send(_message: Any) -> None:
        seen.append(connection.writing_since)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({})

    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "path": path, "raw_path": path.encode(),
        "query_string": query, "headers": [],
    }  # fmt: skip
    with here, there:
        connection = Connection(here)
        await Limited(app, connection, Connections(Bounds(connections=1, streams=1)))(scope, receive, send)
    assert [timed] == [each is not None for each in seen]
    assert connection.writing_since is None


async def test_a_connection_that_fails_is_no_other_ones_matter(
    run_daemon: RunDaemon, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What goes wrong inside the server for one client is logged, folded, and the next client is served."""
    asked: list[Any] = []
    real: Callable[..., Any] = connections._Http.speak

    async def broken(self: Any, app: Any, accepted: socket.socket) -> None:
        asked.append(app)
        if len(asked) <= 3:
            raise RuntimeError("boom")
        await real(self, app, accepted)

    monkeypatch.setattr(connections._Http, "speak", broken)
    async with run_daemon(NOWHERE) as daemon:

        def hung_up() -> bool:
            with unix(daemon.path) as client:
                return client.recv(1) == b""

        assert [True] * 3 == [await daemon.ask(hung_up) for _ in range(3)]
        assert "ok" == (await daemon.get("/v1/health"))["status"]
    logged = [record for record in caplog.records if record.name == "wsmgr.manager.daemon"]
    assert 1 == len(logged)
    assert logged[0].exc_info is not None


async def test_where_no_descriptor_is_left_connections_wait_until_there_is_one(
    run_daemon: RunDaemon, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The listener neither dies nor spins, and does not say so at each attempt."""
    monkeypatch.setattr(connections, "_NO_MORE_DELAY", 0.02)
    refused: list[int] = []

    class Full(socket.socket):
        def accept(self) -> Any:
            if len(refused) < 3:
                refused.append(1)
                raise OSError(errno.EMFILE, "Too many open files")
            return super().accept()

    listen = listeners.listen

    def full(path: Path) -> socket.socket:
        made = listen(path)
        return Full(fileno=made.detach())

    monkeypatch.setattr(listeners, "listen", full)
    async with run_daemon(NOWHERE) as daemon:
        assert "ok" == (await daemon.get("/v1/health"))["status"]
    assert 3 == len(refused)
    logged = [record.getMessage() for record in caplog.records if record.name == "wsmgr.manager.daemon"]
    assert ["attempts to accept a connection to the API that failed: 1 (Too many open files)"] == logged


def test_the_page_about_security_has_the_limits() -> None:
    """A figure that is changed is changed there too."""
    page = (Path(__file__).parents[3] / "docs" / "explanation" / "security.md").read_text()
    rows = [
        f"| path and query | {MAX_TARGET_BYTES:,} bytes | 414 |",
        f"| request line and headers | {MAX_HEAD_BYTES:,} bytes in {MAX_HEADERS} headers | 431 |",
        f"| the time for them | {HEAD_TIMEOUT:g} s,",
        f"| body of a `POST` | {MAX_BODY_BYTES:,} bytes,",
        f"after {MAX_HEARD_BYTES:,} bytes",
        f"| the time for a body | {bodies.BODY_TIMEOUT:g} s | 408 |",
        f"| {MAX_DEPTH} levels | 400 |",
        f"leave a document untaken | {WRITE_TIMEOUT:g} s |",
        f"| connections at once | {listeners.UNIX_CONNECTIONS} on the Unix socket, {listeners.HTTP_CONNECTIONS} over TCP;",
        f"503 with `Retry-After: {RETRY_AFTER}`",
        f"| rows of an answer | {PAGE} |",
        f"| `Authorization` | {MAX_TOKEN_CHARACTERS} characters",
        f"| `tokens.json` | {MAX_FILE_BYTES:,} bytes, {MAX_TOKENS} tokens;",
        f"| the configuration file | {MAX_CONFIGURATION_BYTES:,} bytes |",
        f"| a message of a venue | {Dial(url=NOWHERE).max_frame_bytes // 2**20} MiB,",
    ]
    assert [] == [row for row in rows if row not in page]
