"""The API: what its paths answer."""

from __future__ import annotations

import http.client
import os
import socket
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import pytest
from starlette.requests import Request
from tests.manager.daemon.conftest import RunDaemon, RunningDaemon, eventually

from wsmgr.manager.daemon.closing import Closing
from wsmgr.manager.daemon.errors import DaemonError
from wsmgr.manager.daemon.subscribing import SubscribeRequest, subscribe
from wsmgr.manager.model.errors import SubscriptionClosedError
from wsmgr.manager.runtime.connection_views import ConnectionView
from wsmgr.manager.runtime.engine import Engine
from wsmgr.manager.runtime.subscription_views import MetricsView, SubscriptionView
from wsmgr.manager.store.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

BOOK: dict[str, Any] = {"type": "l2Book", "params": {"coin": "BTC"}}
ALICE = "0x" + "a1" * 20
NOWHERE = "ws://127.0.0.1:9/ws"
"""Nothing listens there."""


async def problem_of(daemon: RunningDaemon, wish: dict[str, Any]) -> Any:
    with pytest.raises(DaemonError) as caught:
        await daemon.ask(daemon.client.subscribe, wish)
    return caught.value.problem


def ask_plainly(
    path: Path, method: str, target: str, body: bytes | None = None
) -> tuple[int, str | None, bytes]:
    """Ask without our client: status, content type, body."""
    connection = http.client.HTTPConnection("localhost", timeout=10)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(path))
    connection.request(method, target, body)
    response = connection.getresponse()
    answer = response.status, response.getheader("content-type"), response.read()
    connection.close()
    return answer


def members_of(view: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(view)]


async def test_health_says_which_venues_at_which_urls(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """A command that is given `--url` compares it with what the daemon uses."""
    async with run_daemon(simulator.address.url) as daemon:
        health = await daemon.get("/v1/health")
        alive = await daemon.ask(ask_plainly, daemon.path, "GET", "/healthz")
    expected = {"hyperliquid": {"dialect": "hyperliquid", "url": simulator.address.url, "error": None}}
    assert expected == health["venues"]
    assert ("ok", os.getpid()) == (health["status"], health["pid"])
    assert (200, b"ok\n") == (alive[0], alive[2])


async def test_health_says_what_waits_in_memory_and_since_when_the_disk_fails(run_daemon: RunDaemon) -> None:
    """A store that is degraded, and buffers that are full, are seen before they hurt."""
    async with run_daemon(NOWHERE) as daemon:
        well = await daemon.get("/v1/health")
        context = daemon.manager.engine.context
        context.store_trouble, context.store_trouble_since = "the disk is full; make space", 12.5
        context.buffers.bytes, context.buffers.squeezed = 2 * context.buffers.limit, True
        context.registry.recents.bytes = 7
        ill = await daemon.get("/v1/health")
    assert {"trouble": None, "since": None} == well["store"]
    assert {"trouble": "the disk is full; make space", "since": "1970-01-01T00:00:12.500000Z"} == ill["store"]
    limits = {"limit": 256 * 2**20, "replay_limit": 32 * 2**20}
    assert {**limits, "bytes": 0, "squeezed": False, "replay_bytes": 0} == well["buffers"]
    assert {**limits, "bytes": 512 * 2**20, "squeezed": True, "replay_bytes": 7} == ill["buffers"]


async def test_a_subscription_is_answered_when_it_is_acknowledged(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """The answer is the row of `wsmgr list`; asking again for the same is the same subscription."""
    async with run_daemon(simulator.address.url) as daemon:
        row = await daemon.subscribe("l2Book", params={"coin": "BTC"}, keep=True)
        again = await daemon.subscribe("l2Book", params={"coin": "BTC"}, keep=True)
        listed = (await daemon.get("/v1/subscriptions"))["items"]
        one = await daemon.get(f"/v1/subscriptions/{row['id']}")
    assert members_of(SubscriptionView) == list(row)
    assert row["state"] in {"acknowledged", "live"}
    assert (True, 0, 0) == (row["kept"], row["consumers"], one["consumers"])
    assert [row["id"]] * 3 == [again["id"], listed[0]["id"], one["id"]]


async def test_one_that_is_not_waited_for_is_accepted_as_pending(run_daemon: RunDaemon) -> None:
    """With `wait=none` the answer does not wait for a venue that cannot be reached, and its status says so: 202."""
    async with run_daemon(NOWHERE) as daemon:
        body = msgspec.json.encode({**BOOK, "wait": "none", "keep": True})
        status, _, content = await daemon.ask(ask_plainly, daemon.path, "POST", "/v1/subscriptions", body)
    assert (202, "pending") == (status, msgspec.json.decode(content)["state"])


async def test_a_timeout_says_what_was_waited_for(run_daemon: RunDaemon) -> None:
    """Who waited in vain learns what the dial said and when the next one is; the wish is withdrawn."""
    async with run_daemon(NOWHERE) as daemon:
        problem = await problem_of(daemon, {**BOOK, "timeout": 1.0})
        assert [] == (await daemon.get("/v1/subscriptions"))["items"]
    assert (504, "urn:wsmgr:problem:subscribe-timeout") == (problem["status"], problem["type"])
    assert ("hyperliquid/l2Book?coin=BTC", "pending") == (problem["key"], problem["state"])
    assert "refused" in problem["why"]


async def test_a_refusal_carries_the_words_of_the_venue(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """What the venue said reaches the caller as it said it."""
    async with run_daemon(simulator.address.url) as daemon:
        problem = await problem_of(daemon, {"type": "bbo", "params": {"coin": "NOBODY"}})
    assert (409, "urn:wsmgr:problem:rejected") == (problem["status"], problem["type"])
    assert problem["words"].startswith("Invalid subscription")


async def test_a_used_up_quota_says_which_and_who_holds_it(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """A quota that only an end frees is refused at once, before anything is sent."""
    config = {"venues": {"hyperliquid": {"quotas": {"subscriptions": 1}}}}
    async with run_daemon(simulator.address.url, config=config) as daemon:
        await daemon.subscribe("bbo", params={"coin": "BTC"}, keep=True)
        problem = await problem_of(daemon, {"type": "bbo", "params": {"coin": "ETH"}})
    assert (429, "urn:wsmgr:problem:quota") == (problem["status"], problem["type"])
    assert ("subscriptions", 1) == (problem["quota"], problem["limit"])
    assert isinstance(problem["held_by"], list)


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"type": "l3Book"}, "l3Book"),
        ({"type": "l2Book"}, "coin"),
        ({"type": "l2Book", "params": {"coin": "BTC", "deep": 1}}, "deep"),
        ({**BOOK, "venue": "nowhere"}, "nowhere"),
        ({**BOOK, "policy": "hope"}, "hope"),
        ({**BOOK, "wait": "soon"}, "soon"),
        ({**BOOK, "timeout": -1}, "timeout"),
        ({**BOOK, "kept": True}, "kept"),
        ({"params": {}}, "type"),
    ],
)
async def test_a_wrong_wish_is_answered_with_what_was_wrong(
    run_daemon: RunDaemon, wish: dict[str, Any], words: str
) -> None:
    """A mistake of the caller is a 422 that names it, and nothing is subscribed."""
    async with run_daemon(NOWHERE) as daemon:
        problem = await problem_of(daemon, wish)
        assert [] == (await daemon.get("/v1/subscriptions"))["items"]
    assert (422, "urn:wsmgr:problem:usage") == (problem["status"], problem["type"])
    assert words in problem["detail"]


async def test_every_error_is_a_problem_document(run_daemon: RunDaemon) -> None:
    """Whatever is wrong with a request, its answer has one form (RFC 9457)."""
    requests: list[tuple[str, str, bytes | None, int]] = [
        ("POST", "/v1/subscriptions", b"{", 400),
        ("POST", "/v1/subscriptions", b"[]", 422),
        ("POST", "/v1/subscriptions", b" " * (1024 * 1024 + 1), 413),
        ("GET", "/v1/nothing", None, 404),
        ("PUT", "/v1/subscriptions", None, 405),
        ("GET", "/v1/subscriptions?limit=251", None, 422),
        ("GET", "/v1/subscriptions?after=x", None, 422),
        ("GET", "/v1/subscriptions?state=happy", None, 422),
        ("GET", "/v1/subscriptions?venue=nowhere", None, 422),
        ("GET", "/v1/subscriptions?type=l3Book", None, 422),
        ("GET", "/v1/subscriptions/nobody", None, 404),
        ("DELETE", "/v1/subscriptions/nobody", None, 404),
        ("GET", "/v1/subscriptions/nobody/last", None, 404),
        ("GET", "/v1/subscriptions/nobody/metrics", None, 404),
        ("GET", "/v1/gaps?after=x", None, 422),
        ("GET", "/v1/gaps?subscription=nobody", None, 404),
        ("GET", "/v1/events?subscription=nobody", None, 404),
    ]
    async with run_daemon(NOWHERE) as daemon:
        for method, target, body, expected in requests:
            status, media_type, content = await daemon.ask(ask_plainly, daemon.path, method, target, body)
            problem = msgspec.json.decode(content)
            assert (expected, "application/problem+json") == (status, media_type), target
            assert expected == problem["status"], target
            assert {"type", "title", "detail"} <= problem.keys(), target


async def test_a_list_comes_in_pages(simulator: SimulatorThread, run_daemon: RunDaemon) -> None:
    """The pages together are the whole list, in the order in which the subscriptions were wanted."""
    async with run_daemon(simulator.address.url) as daemon:
        ids = [(await daemon.subscribe("bbo", params={"coin": coin}))["id"] for coin in ("BTC", "ETH", "SOL")]
        first = await daemon.get("/v1/subscriptions", limit=2)
        second = await daemon.get("/v1/subscriptions", limit=2, after=first["next"])
        whole = await daemon.ask(
            lambda: [row["id"] for row in daemon.client.items("/v1/metrics", {"limit": 1})]
        )
    assert ids == [row["id"] for row in (*first["items"], *second["items"])]
    assert (2, None) == (len(first["items"]), second["next"])
    assert ids == whole


async def test_a_list_is_filtered(simulator: SimulatorThread, run_daemon: RunDaemon) -> None:
    """By user (whatever the case of the address), type and state."""
    async with run_daemon(simulator.address.url) as daemon:
        book = await daemon.subscribe("l2Book", params={"coin": "BTC"}, wait="live")
        fills = await daemon.subscribe("userFills", params={"user": ALICE}, wait="live")

        async def ids(**query: str) -> list[str]:
            return [row["id"] for row in (await daemon.get("/v1/subscriptions", **query))["items"]]

        assert [fills["id"]] == await ids(user=ALICE.upper().replace("X", "x"))
        assert [book["id"]] == await ids(type="l2Book")
        assert [book["id"], fills["id"]] == await ids(state="live", venue="hyperliquid")
        assert [] == await ids(state="pending")


async def test_what_was_ended_is_gone(simulator: SimulatorThread, run_daemon: RunDaemon) -> None:
    """One is ended by its id, all of them without one."""
    async with run_daemon(simulator.address.url) as daemon:
        rows = [
            await daemon.subscribe("bbo", params={"coin": coin}, keep=True) for coin in ("BTC", "ETH", "SOL")
        ]
        ids = [row["id"] for row in rows]
        one = await daemon.ask(daemon.client.delete, f"/v1/subscriptions/{ids[0]}")
        rest = await daemon.ask(daemon.client.delete, "/v1/subscriptions")
        assert [] == (await daemon.get("/v1/subscriptions"))["items"]
    assert {"ended": ids[:1]} == one
    assert set(ids[1:]) == set(rest["ended"])


async def test_an_end_that_could_not_be_written_is_a_problem(
    run_daemon: RunDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who ends everything learns that the disk was full: an end that is not written could come back."""

    async def fail(*_: Any) -> None:
        raise StoreError("the disk is full")

    async with run_daemon(NOWHERE) as daemon:
        await daemon.subscribe("bbo", params={"coin": "BTC"}, keep=True, wait="none")
        monkeypatch.setattr(Engine, "unsubscribe", fail)
        with pytest.raises(DaemonError, match="disk is full") as caught:
            await daemon.ask(daemon.client.delete, "/v1/subscriptions")
    assert (503, "store") == (caught.value.status, caught.value.kind)


async def test_a_bug_is_answered_and_logged(
    run_daemon: RunDaemon, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception that nobody foresaw costs one request, and its traceback is in the daemon's log, not in the answer."""

    def fail(_: Engine) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(Engine, "tree", fail)
    async with run_daemon(NOWHERE) as daemon:
        with pytest.raises(DaemonError) as caught:
            await daemon.get("/v1/tree")
        assert "ok" == (await daemon.get("/v1/health"))["status"]
    assert (500, "internal") == (caught.value.status, caught.value.kind)
    assert "secret" not in str(caught.value.problem)
    logged = [record for record in caplog.records if record.name == "wsmgr.manager.daemon"]
    assert [ZeroDivisionError] == [record.exc_info[0] for record in logged if record.exc_info]


async def test_the_newest_message_is_at_hand(simulator: SimulatorThread, run_daemon: RunDaemon) -> None:
    """`last` is a stream line without a stream; a quiet subscription has none yet."""
    simulator.set_faults("quiet=orderUpdates")
    async with run_daemon(simulator.address.url) as daemon:
        book = await daemon.subscribe("l2Book", params={"coin": "BTC"}, wait="live")
        quiet = await daemon.subscribe("orderUpdates", params={"user": ALICE}, wait="live")
        last = await daemon.get(f"/v1/subscriptions/{book['id']}/last")
        assert await daemon.get(f"/v1/subscriptions/{quiet['id']}/last") is None
    assert ("l2Book", "BTC") == (last["type"], last["data"]["coin"])


async def test_the_rest_of_what_list_commands_show(simulator: SimulatorThread, run_daemon: RunDaemon) -> None:
    """Counters, connections, the tree, the events and the catalog have the members that programs rely on."""
    async with run_daemon(simulator.address.url) as daemon:
        row = await daemon.subscribe("l2Book", params={"coin": "BTC"}, wait="live")
        metrics = await daemon.get(f"/v1/subscriptions/{row['id']}/metrics")
        (connection,) = (await daemon.get("/v1/connections"))["items"]
        tree = await daemon.get("/v1/tree")
        events = (await daemon.get("/v1/events", limit=1))["items"]
        types = (await daemon.get("/v1/types"))["items"]
    assert members_of(MetricsView) == list(metrics)
    assert members_of(ConnectionView) == list(connection)
    assert (1, "ready") == (connection["subscriptions"], connection["state"])
    assert ["store", "core", "consumers", "edge", "drain"] == [child["id"] for child in tree["children"]]
    assert ["api"] == [child["id"] for child in tree["children"][3]["children"]]
    assert 1 == len(events)
    assert {"l2Book", "userFills", "allMids"} <= {each["type"] for each in types}


async def test_events_come_in_pages_newest_first(simulator: SimulatorThread, run_daemon: RunDaemon) -> None:
    """The cursor of the ledger is the number of a row, so a page never repeats what a newer event pushed down."""
    async with run_daemon(simulator.address.url) as daemon:
        ids: list[str] = []
        for coin in ("BTC", "ETH", "SOL"):
            ids.append((await daemon.subscribe("bbo", params={"coin": coin}, keep=True))["id"])
            await daemon.ask(daemon.client.delete, f"/v1/subscriptions/{ids[-1]}")
        numbers = await daemon.ask(
            lambda: [row["id"] for row in daemon.client.items("/v1/events", {"limit": 2})]
        )
        ended = await daemon.get("/v1/events", subscription=ids[0])
    assert {ids[0]} == {event["subscription_id"] for event in ended["items"]}
    assert sorted(numbers, reverse=True) == numbers
    assert list(range(1, len(numbers) + 1)) == sorted(numbers)


async def test_the_description_names_what_is_really_sent(run_daemon: RunDaemon) -> None:
    """`/openapi.json` describes the documents themselves, and no path of it is undocumented."""
    async with run_daemon(NOWHERE) as daemon:
        described = await daemon.get("/openapi.json")
        for path in ("/docs", "/redoc"):
            status, _, _ = await daemon.ask(ask_plainly, daemon.path, "GET", path)
            assert 404 == status
    schemas = described["components"]["schemas"]
    assert set(members_of(SubscriptionView)) == set(schemas["SubscriptionView"]["properties"])
    used = msgspec.json.encode(described).decode().split('"$ref":"#/components/schemas/')[1:]
    assert {name.split('"')[0] for name in used} <= schemas.keys()


async def test_a_client_that_goes_away_gives_its_wish_back(run_daemon: RunDaemon) -> None:
    """Ctrl-C of a `wsmgr subscribe` that still waits leaves nothing that holds the subscription."""
    async with run_daemon(NOWHERE) as daemon:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(daemon.path))
        body = msgspec.json.encode({**BOOK, "timeout": None})
        connection.sendall(
            b"POST /v1/subscriptions?stream=1 HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
        )
        connection.sendall(body)
        entries = daemon.manager.engine.context.registry.entries
        await eventually(lambda: any(entry.buffers for entry in entries.values()))
        connection.close()
        await eventually(lambda: not any(entry.buffers for entry in entries.values()))


async def test_an_answer_that_comes_as_its_client_goes_away_holds_nothing() -> None:
    """Where the subscription and the disconnect come in the same moment, the hold is given back."""
    released: list[bool] = []
    asked = anyio.Event()

    class Handle:
        def release(self) -> None:
            released.append(True)

    class StubbornEngine:
        async def subscribe(self, *_args: Any, **_options: Any) -> Handle:
            asked.set()
            with anyio.CancelScope(shield=True):
                await anyio.wait_all_tasks_blocked()
            return Handle()

    async def receive() -> Any:
        await asked.wait()
        return {"type": "http.disconnect"}

    engine: Any = StubbornEngine()
    with pytest.raises(SubscriptionClosedError):
        await subscribe(engine, SubscribeRequest(type="bbo"), Request({"type": "http"}, receive), Closing())
    assert [True] == released


async def test_the_end_of_the_daemon_answers_who_waits(run_daemon: RunDaemon) -> None:
    """A subscriber that waits for an unreachable venue is told that the daemon ends, and does not hold it up."""
    problems: list[Any] = []

    async def wait(daemon: RunningDaemon) -> None:
        problems.append(await problem_of(daemon, {**BOOK, "timeout": None}))

    async with anyio.create_task_group() as group, run_daemon(NOWHERE) as daemon:
        group.start_soon(wait, daemon)
        entries = daemon.manager.engine.context.registry.entries
        await eventually(lambda: bool(entries))
    assert [(503, "urn:wsmgr:problem:manager-closed")] == [
        (each["status"], each["type"]) for each in problems
    ]
