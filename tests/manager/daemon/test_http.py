"""The API over TCP: who is let in, for what, and what everybody else is told."""

from __future__ import annotations

import http.client
import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest
from tests.manager.daemon.conftest import PATIENCE, eventually
from tests.manager.daemon.http_kit import Answer, HttpDaemon, RunHttp, answered, runner, said, unix, until

from wsmgr.actors import Crash
from wsmgr.manager.daemon import connections
from wsmgr.manager.daemon.address import HttpAddress
from wsmgr.manager.daemon.api import make_app
from wsmgr.manager.daemon.edge import edge
from wsmgr.manager.daemon.listening import url_of
from wsmgr.manager.daemon.scopes import Scope
from wsmgr.manager.daemon.settings import HttpSettings
from wsmgr.manager.daemon.tokens import PREFIX
from wsmgr.manager.manager import Manager
from wsmgr.manager.venues.hyperliquid.signing import SecretKey

if TYPE_CHECKING:
    from pathlib import Path

    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

NOWHERE = "ws://127.0.0.1:9/ws"
KEY = "0x" + "5e" * 32
ADDRESS = SecretKey.parse(KEY).address
TRADING = {
    "venues": {
        "hyperliquid": {"trading": True, "network": "testnet", "secret_key_variable": "WSMGR_TEST_KEY"}
    }
}
ORDER = {
    "type": "place_order", "asset": "BTC", "is_buy": True, "size": "0.001", "limit_price": "50000", "order_type": "LIMIT_GTC",
}  # fmt: skip
HEALTH = "/v1/health"


@pytest.fixture
def run_http(directory: Path) -> RunHttp:
    """One daemon at a time that listens over TCP too."""
    return runner(directory)


def bearer(token: str) -> tuple[str, str]:
    return "authorization", f"Bearer {token}"


async def heard_or_cut_off(daemon: HttpDaemon, token: str) -> Answer:
    """Ask with a token that is just being revoked: what is under way at that moment is cut off."""
    try:
        return await daemon.http("GET", HEALTH, [bearer(token)])
    except (http.client.HTTPException, ConnectionError):
        return Answer(0, {}, b"")


async def events_of(daemon: HttpDaemon, kind: str) -> list[Any]:
    """Return the events of a kind, oldest first."""
    rows = (await daemon.get("/v1/events"))["items"]
    return [(row["actor"], row["level"], row["detail"]) for row in rows if row["kind"] == kind][::-1]


async def test_over_tcp_nobody_is_let_in_without_a_token_that_counts(
    run_http: RunHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every answer is the same, whether the token is missing, wrong, of another kind, revoked, or given twice."""
    monkeypatch.setattr(connections, "BEAT", 0.02)
    async with run_http(NOWHERE) as daemon:
        good = daemon.tokens["trade"]
        revoked = daemon.tokens["manage"]
        await daemon.ask(daemon.file.revoke, "manage")
        await until(lambda: heard_or_cut_off(daemon, revoked), 401)
        wrong: list[list[tuple[str, str]]] = [
            [],
            [bearer("")],
            [bearer(PREFIX + "A" * 43)],
            [bearer(good[:-1])],
            [bearer(good + "A")],
            [bearer("trade")],
            [bearer(f"{good} {good}")],
            [bearer("x" * 5000)],
            [bearer("\xff\xfe")],
            [bearer(revoked)],
            [("authorization", good)],
            [("authorization", f"Basic {good}")],
            [bearer(good), bearer(good)],
            [("x-token", good), ("cookie", f"token={good}")],
        ]
        answers = [await daemon.http("GET", HEALTH, headers) for headers in wrong]
        answers += [await daemon.http("GET", f"{HEALTH}?token={good}&authorization=Bearer+{good}")]
        answers += [await daemon.http("GET", path) for path in ("/healthz", "/openapi.json", "/", "/nowhere")]
        answers += [
            await daemon.http("POST", "/v1/requests", (), b"{}"),
            await daemon.http("OPTIONS", HEALTH),
        ]
        let_in = await daemon.http("GET", HEALTH, [("Authorization", f"bEaReR {good}")])
    assert {(401, "token-needed", 'Bearer realm="wsmgr"')} == {
        (answer.status, answer.kind, answer.headers["www-authenticate"]) for answer in answers
    }
    assert 1 == len({answer.body for answer in answers})
    assert 200 == let_in.status


async def test_every_path_needs_the_scope_that_fits_what_it_does(run_http: RunHttp) -> None:
    """To look is read, and changes nothing; a path that is added later is not open by mistake. The answer names the scope."""
    async with run_http(NOWHERE) as daemon:
        app = make_app(daemon.manager.engine)
        paths = [
            (method.upper(), re.sub(r"\{.*?\}", "nobody", path))
            for path, methods in app.openapi()["paths"].items()
            for method in methods
        ]
        reading = {path: await daemon.http(*path, token="read") for path in paths}
        managing = {path: await daemon.http(*path, (), _body(path[0]), token="manage") for path in paths}
    assert len(paths) > 15
    for (method, path), answer in reading.items():
        if method == "GET":
            assert answer.status in {200, 404}, path
        else:
            assert (403, "scope-needed", "manage") == (
                answer.status,
                answer.kind,
                answer.document["scope"],
            ), path
            assert 'error="insufficient_scope", scope="manage"' in answer.headers["www-authenticate"]
            assert "scope manage" in answer.document["detail"]
    assert {200, 202, 404, 422} == {answer.status for answer in managing.values()}


def _body(method: str) -> bytes | None:
    return b"{}" if method == "POST" else None


async def test_to_act_a_token_of_the_scope_trade_is_needed(
    simulator: SimulatorThread, run_http: RunHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With manage one may ask and see what would be sent; the event of an action names the token, and never shows it."""
    monkeypatch.setenv("WSMGR_TEST_KEY", KEY)

    async def asked(token: str, kind: str, payload: dict[str, Any], **more: Any) -> Answer:
        body = json.dumps({"kind": kind, "payload": payload, **more}).encode()
        return await daemon.http("POST", "/v1/requests", (), body, token=token)

    async with run_http(simulator.address.url, config=TRADING) as daemon:
        question = await asked("manage", "info", {"type": "user_state", "user": ADDRESS})
        preview = await asked("manage", "action", ORDER, preview=True)
        refused = await asked("manage", "action", ORDER)
        read = await asked("read", "info", {"type": "l2Book", "coin": "BTC"})
        placed = await asked("trade", "action", ORDER)
        events = await daemon.get("/v1/events")
    assert (200, "answered") == (question.status, question.document["outcome"])
    assert "scope trade" in preview.document["data"]["forbidden"]
    assert (403, "action-forbidden") == (refused.status, refused.kind)
    assert "token of the scope trade, and token:manage has the scope manage" in refused.document["detail"]
    assert (403, "scope-needed") == (read.status, read.kind)
    assert (200, "answered") == (placed.status, placed.document["outcome"])
    actions = [(row["actor"], row["detail"]["outcome"]) for row in events["items"] if row["kind"] == "action"]
    assert ("token:manage", "forbidden") == actions[-1]
    assert "token:trade" == actions[0][0]
    assert not any(token in json.dumps(events) for token in daemon.tokens.values())


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "localhost.evil.example:{port}", "", "10.1.2.3:{port}"]
)
async def test_a_host_that_does_not_mean_this_machine_is_misdirected(run_http: RunHttp, host: str) -> None:
    """A page that had its name point here (DNS rebinding) is refused, whatever token it shows."""
    async with run_http(NOWHERE) as daemon:
        name = host.format(port=daemon.place[1])
        answer = await daemon.http("GET", HEALTH, [("host", name)], token="trade")
    assert (421, "host-refused") == (answer.status, answer.kind)
    assert not host or host.partition(":")[0] not in answer.body.decode()


async def test_the_names_of_this_machine_and_configured_ones_are_answered_to(run_http: RunHttp) -> None:
    """A proxy passes on the name that it is called by."""
    async with run_http(NOWHERE, names=["wsmgr.example.com"]) as daemon:
        port = daemon.place[1]
        names = [f"localhost:{port}", f"127.0.0.1:{port}", f"[::1]:{port}", "WSMGR.example.com", "localhost"]
        statuses = [
            (await daemon.http("GET", HEALTH, [("host", name)], token="read")).status for name in names
        ]
    assert [200] * 5 == statuses


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "https://localhost:{port}.evil.example", "null", "http://localhost:1", "", "x"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
async def test_a_page_of_another_site_is_refused(run_http: RunHttp, origin: str, method: str) -> None:
    """Also where it only reads, also its question before (preflight), and no header lets it see the answer."""
    async with run_http(NOWHERE) as daemon:
        headers = [("origin", origin.format(port=daemon.place[1])), ("access-control-request-method", "GET")]
        answer = await daemon.http(method, "/v1/subscriptions", headers, token="trade")
    assert (403, "origin-refused") == (answer.status, answer.kind)
    assert not any(name.startswith("access-control") for name in answer.headers)


async def test_a_page_of_the_daemons_own_is_answered(run_http: RunHttp) -> None:
    """The dashboard that it serves asks with its own origin."""
    async with run_http(NOWHERE) as daemon:
        origin = ("origin", f"http://localhost:{daemon.place[1]}")
        answer = await daemon.http("GET", HEALTH, [origin], token="read")
    assert 200 == answer.status
    assert not any(name.startswith("access-control") for name in answer.headers)


async def test_a_request_that_names_no_host_or_two_is_refused(run_http: RunHttp) -> None:
    """HTTP/1.0 needs none and HTTP/1.1 exactly one; here neither gets in without one."""
    async with run_http(NOWHERE) as daemon:
        token = f"authorization: Bearer {daemon.tokens['trade']}\r\n"

        def ask(head: str) -> int:
            with socket.create_connection(daemon.place, PATIENCE) as client:
                return said(client, f"{head}\r\n".encode()).status

        old = await daemon.ask(ask, f"GET {HEALTH} HTTP/1.0\r\n{token}")
        none = await daemon.ask(ask, f"GET {HEALTH} HTTP/1.1\r\n{token}")
        two = await daemon.ask(
            ask, f"GET {HEALTH} HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n{token}"
        )
    assert (421, 400, 400) == (old, none, two)


async def test_who_loses_a_token_loses_the_stream_that_it_opened(
    run_http: RunHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Revoking counts for what is open too; others stay."""
    monkeypatch.setattr(connections, "BEAT", 0.02)
    async with run_http(NOWHERE) as daemon:
        row = await daemon.subscribe("bbo", params={"coin": "BTC"}, keep=True, wait="none")
        path = f"/v1/subscriptions/{row['id']}/stream"

        def opened(token: str) -> socket.socket:
            client = socket.create_connection(daemon.place, PATIENCE)
            head = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {daemon.tokens[token]}\r\n\r\n"
            client.sendall(head.encode())
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
            return client

        with await daemon.ask(opened, "read") as read, await daemon.ask(opened, "manage") as manage:
            await eventually(lambda: 2 == len(daemon.entry(row["id"]).buffers))
            await daemon.ask(daemon.file.revoke, "read")
            assert b"" == await daemon.ask(read.recv, 65536)
            await eventually(lambda: 1 == len(daemon.entry(row["id"]).buffers))
            assert 401 == (await daemon.http("GET", HEALTH, token="read")).status
            manage.settimeout(0.2)
            with pytest.raises(TimeoutError):
                await daemon.ask(manage.recv, 1)


async def test_a_token_that_is_made_while_the_daemon_runs_counts_at_once(
    directory: Path,
) -> None:
    """A daemon without tokens runs, lets nobody in, and says so."""
    settings = HttpSettings(address=HttpAddress("127.0.0.1", 0), directory=directory)
    async with Manager(url=NOWHERE, edge=edge(directory / "wsmgr.sock", http=settings)) as manager:
        daemon = HttpDaemon(manager, directory, {})
        before = await daemon.http("GET", HEALTH)
        daemon.tokens["late"] = await daemon.ask(daemon.file.create, "late", Scope.READ)
        after = await daemon.http("GET", HEALTH, token="late")
        (listening,) = await events_of(daemon, "api_listening")
    assert (401, 200) == (before.status, after.status)
    assert ("http", "warning", {"url": after.document["http"], "tokens": 0}) == listening


async def test_refusals_are_events_that_show_nothing_of_the_request(run_http: RunHttp) -> None:
    """Each kind once, with where it came from; the rest are counted until a minute is over."""
    async with run_http(NOWHERE) as daemon:
        for _ in range(5):
            await daemon.http("GET", HEALTH, [bearer("CANARY1")])
            await daemon.http("GET", HEALTH, [("host", "CANARY2")])
            await daemon.http("GET", HEALTH, [("origin", "http://CANARY3")])
            await daemon.http("DELETE", "/v1/subscriptions/CANARY4", token="read")
        refused = await events_of(daemon, "api_refused")
        everything = json.dumps(await daemon.get("/v1/events"))
    kinds = ("token-needed", "host-refused", "origin-refused", "scope-needed")
    assert [
        ("http", "warning", {"refused": kind, "count": 1, "last_from": "127.0.0.1"}) for kind in kinds
    ] == refused
    assert "CANARY" not in everything


async def test_the_health_says_where_it_listens_and_a_restart_listens_there_again(run_http: RunHttp) -> None:
    """Port 0 is chosen once: a server that crashed is found where it was. The Unix socket does not notice."""
    async with run_http(NOWHERE) as daemon:
        engine = daemon.manager.engine
        (edge_node,) = (child for child in engine.root.tree().children if child.id == "edge")
        _, server = edge_node.children
        first = server.ref
        assert first is not None
        port = daemon.place[1]
        health = await daemon.get(HEALTH)
        first.exit(Crash(RuntimeError("boom")))
        await eventually(lambda: not first.alive and url_of(engine) is not None)
        again = await daemon.http("GET", HEALTH, token="read")
    assert f"http://127.0.0.1:{port}" == health["http"] == again.document["http"]
    assert url_of(engine) is None


async def test_without_tcp_the_health_says_so(run_daemon: Any) -> None:
    """`daemon status` shows no address that nobody listens at."""
    async with run_daemon(NOWHERE) as daemon:
        assert (await daemon.get(HEALTH))["http"] is None


async def test_an_ipv6_address_is_served(run_http: RunHttp) -> None:
    """With brackets around it, as in any URL."""
    async with run_http(NOWHERE, http="[::1]:0") as daemon:
        port = daemon.place[1]
        answer = await daemon.http("GET", HEALTH, [("host", f"[::1]:{port}")], token="read")
    assert f"http://[::1]:{port}" == answer.document["http"]


async def test_a_port_that_is_taken_fails_the_start(directory: Path) -> None:
    """A daemon that cannot listen where it was told to does not pretend to run."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = HttpAddress("127.0.0.1", taken.getsockname()[1])
        settings = HttpSettings(address=address, directory=directory)
        with pytest.raises(Exception, match=f"cannot listen on 127.0.0.1 port {address.port}.*in use"):
            async with Manager(url=NOWHERE, edge=edge(directory / "wsmgr.sock", http=settings)):
                pytest.fail("it started")


async def test_other_protocols_than_http_1_get_nowhere(run_http: RunHttp) -> None:
    """WebSocket and HTTP/2 have limits of their own, and nobody needs them here: neither with a token nor without."""
    upgrade = (
        "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
        "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    )
    h2c = (
        "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
    )
    async with run_http(NOWHERE) as daemon:
        token = f"authorization: Bearer {daemon.tokens['trade']}\r\n"

        def ask(more: str) -> bytes:
            with socket.create_connection(daemon.place, PATIENCE) as client:
                client.sendall(f"GET {HEALTH} HTTP/1.1\r\nhost: localhost\r\n{token}{more}\r\n".encode())
                return (
                    answered(client).body
                    if "h2c" not in more
                    else b"".join(iter(lambda: client.recv(65536), b""))
                )

        def upgraded() -> int:
            with socket.create_connection(daemon.place, PATIENCE) as client:
                return said(
                    client, f"GET {HEALTH} HTTP/1.1\r\nhost: localhost\r\n{token}{upgrade}\r\n".encode()
                ).status

        assert 403 == await daemon.ask(upgraded)
        received = await daemon.ask(ask, h2c)
    assert b"the API speaks HTTP/1.1" in received
    assert b'"status":"ok"' not in received


async def test_on_the_unix_socket_nothing_of_this_is_asked(run_http: RunHttp) -> None:
    """Whoever can open the file is the daemon's user: no token, any host."""
    async with run_http(NOWHERE) as daemon:

        def ask() -> int:
            with unix(daemon.path) as client:
                return said(client, f"GET {HEALTH} HTTP/1.1\r\nhost: x\r\n\r\n".encode()).status

        assert 200 == await daemon.ask(ask)


async def test_requests_on_one_connection_are_judged_each_for_itself(run_http: RunHttp) -> None:
    """A token that was shown once is not remembered for the next request."""
    async with run_http(NOWHERE) as daemon:
        token = f"authorization: Bearer {daemon.tokens['read']}\r\n"

        def ask() -> list[int]:
            with socket.create_connection(daemon.place, PATIENCE) as client:
                heads = [
                    f"GET {HEALTH} HTTP/1.1\r\nhost: localhost\r\n{more}\r\n".encode()
                    for more in (token, "", token)
                ]
                return [said(client, head).status for head in heads]

        assert [200, 401, 200] == await daemon.ask(ask)


async def test_ending_the_daemon_ends_the_streams_over_tcp(run_http: RunHttp) -> None:
    """In order: a stream that asked for events is told why."""
    body = json.dumps({"type": "bbo", "params": {"coin": "BTC"}, "wait": "none", "events": True}).encode()
    async with run_http(NOWHERE) as daemon:
        head = (
            f"POST /v1/subscriptions?stream=1 HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n"
            f"authorization: Bearer {daemon.tokens['manage']}\r\n\r\n"
        )

        def opened() -> socket.socket:
            client = socket.create_connection(daemon.place, PATIENCE)
            client.sendall(head.encode() + body)
            assert client.recv(65536).startswith(b"HTTP/1.1 200")
            return client

        client = await daemon.ask(opened)
    with client:
        rest = b"".join(iter(lambda: client.recv(65536), b""))
    assert b'"event":"closed"' in rest
    assert rest.endswith(b"0\r\n\r\n")
