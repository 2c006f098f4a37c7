"""`POST /v1/requests`: questions and actions through a real daemon's socket, at a simulated venue; who may act."""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import pytest
from anyio import to_thread
from starlette.requests import Request
from tests.manager.daemon.conftest import PATIENCE, eventually

from wsmgr.manager.daemon.api import make_app
from wsmgr.manager.daemon.closing import Closing
from wsmgr.manager.daemon.errors import DaemonError, DaemonUnreachableError
from wsmgr.manager.daemon.peer import ROOT, may_act, user_at, user_in
from wsmgr.manager.daemon.requesting import GIVEN_UP, VenueRequest, carry_out, read_request
from wsmgr.manager.daemon.unix_client import DaemonClient
from wsmgr.manager.manager import Manager
from wsmgr.manager.model.errors import ActionForbiddenError, ManagerClosedError, WsmgrError
from wsmgr.manager.model.requests import Progress
from wsmgr.manager.venues.hyperliquid.signing import SecretKey

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartSimulator
    from tests.manager.daemon.conftest import RunDaemon, RunningDaemon

    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

NOWHERE = "ws://127.0.0.1:9/ws"
KEY = "0x" + "5e" * 32
ADDRESS = SecretKey.parse(KEY).address
TRADING = {"trading": True, "network": "testnet", "secret_key_variable": "WSMGR_TEST_KEY"}
ORDER = {
    "type": "place_order",
    "asset": "BTC",
    "is_buy": True,
    "size": "0.001",
    "limit_price": "50000",
    "order_type": "LIMIT_GTC",
}
SOMEBODY_ELSE = 54321
AS_SOMEBODY_ELSE = """
import json, os, sys
from pathlib import Path
from wsmgr.manager.daemon.errors import DaemonError
from wsmgr.manager.daemon.unix_client import DaemonClient

os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
client = DaemonClient(Path(sys.argv[1]))
for wish in json.loads(sys.stdin.read()):
    try:
        answer = client.request(wish)
    except DaemonError as error:
        answer = error.problem
    print(json.dumps(answer))
"""


def settings(**changes: Any) -> dict[str, Any]:
    return {"venues": {"hyperliquid": {**TRADING, **changes}}}


def action(payload: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": "action", "payload": payload, **more}


def info(name: str, **params: Any) -> dict[str, Any]:
    return {"kind": "info", "payload": {"type": name, **params}}


async def asked(daemon: RunningDaemon, wish: dict[str, Any]) -> Any:
    return await daemon.ask(daemon.client.request, wish)


def answering(daemon: RunningDaemon, wish: dict[str, Any], answers: list[Any]) -> None:
    try:
        answers.append(daemon.client.request(wish))
    except DaemonError as error:
        answers.append(error)


async def problem_of(daemon: RunningDaemon, wish: dict[str, Any]) -> Any:
    with pytest.raises(DaemonError) as caught:
        await asked(daemon, wish)
    return caught.value.problem


async def actions_of(daemon: RunningDaemon) -> list[tuple[Any, Any, Any]]:
    """Return who did which action with which outcome, oldest first; before each that was sent stands that it is being sent."""
    items = (await daemon.get("/v1/events"))["items"]
    rows = [
        (row["actor"], row["detail"]["action"], row["detail"]["outcome"])
        for row in items
        if row["kind"] == "action"
    ]
    return rows[::-1]


PREVIEW = action(ORDER, preview=True)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSMGR_TEST_KEY", KEY)


@pytest.mark.anyio
async def test_a_question_is_answered_with_what_the_venue_said(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """By the venue's name and by the method's, over the daemon's own connection."""
    async with run_daemon(simulator.address.url) as daemon:
        named = await asked(daemon, info("l2Book", coin="BTC"))
        called = await asked(daemon, info("l2_book", coin="BTC"))
        rows = (await daemon.get("/v1/connections"))["items"]
    assert [["outcome", "data"]] * 2 == [list(named), list(called)]
    assert [("answered", "BTC")] * 2 == [(each["outcome"], each["data"]["coin"]) for each in (named, called)]
    assert ["ready"] == [row["state"] for row in rows]


@pytest.mark.anyio
async def test_an_order_is_placed_and_noted_with_who_wanted_it(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """The venue's answer comes back; the event names the user at the other end of the socket, and no event has the key."""
    async with run_daemon(simulator.address.url, config=settings()) as daemon:
        await asked(daemon, info("user_state", user=ADDRESS))
        placed = await asked(daemon, action(ORDER))
        (status,) = placed["data"]["data"]["statuses"]
        cancel = {"type": "cancel", "asset": "BTC", "order_id": status["resting"]["oid"]}
        cancelled = await asked(daemon, action(cancel))
        noted = await actions_of(daemon)
        events = json.dumps(await daemon.get("/v1/events"))
    assert "answered" == placed["outcome"]
    assert {"outcome": "answered", "data": {"type": "cancel", "data": {"statuses": ["success"]}}} == cancelled
    me = f"uid:{os.geteuid()}"
    assert [
        (me, name, outcome) for name in ("order", "cancel") for outcome in ("sending", "answered")
    ] == noted
    assert KEY[2:] not in events


@pytest.mark.anyio
async def test_a_preview_shows_what_would_be_sent_and_sends_nothing(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """No key is needed for it, it is not noted as an action, and it says what forbids the action."""
    async with run_daemon(simulator.address.url) as daemon:
        shown = await asked(daemon, action(ORDER, preview=True))
        assert [] == await actions_of(daemon)
    assert "preview" == shown["outcome"]
    assert ("place_order", "order", "50") == (
        shown["data"]["method"],
        shown["data"]["action"]["type"],
        shown["data"]["notional"],
    )
    assert "`trading = true`" in shown["data"]["forbidden"]


@pytest.mark.anyio
async def test_numbers_of_an_action_are_read_exactly(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """A program may write an amount as a number: it is never a binary fraction."""
    async with run_daemon(simulator.address.url) as daemon:
        exact = await asked(daemon, action({**ORDER, "size": 0.00123, "limit_price": 100000.0}, preview=True))
    (order,) = exact["data"]["action"]["orders"]
    assert ("0.00123", "100000") == (order["s"], order["p"])


@pytest.mark.anyio
@pytest.mark.parametrize(("kind", "kept"), [("action", Decimal), ("info", float)])
async def test_numbers_of_a_question_stay_numbers(kind: str, kept: type) -> None:
    """A question that the table does not know goes out as it was given."""
    body = b'{"kind":"%s","payload":{"type":"newQuestion","share":0.1}}' % kind.encode()

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    wish = await read_request(Request({"type": "http"}, receive))
    assert kept is type(wish.payload["share"])


@pytest.mark.anyio
async def test_a_refusal_carries_the_words_of_the_venue(
    simulator: SimulatorThread, run_daemon: RunDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal is an outcome, not an error of the API."""
    stranger = "0x" + "77" * 32
    monkeypatch.setenv("WSMGR_TEST_KEY", stranger)
    async with run_daemon(simulator.address.url, config=settings()) as daemon:
        refused = await asked(daemon, action(ORDER))
        me = f"uid:{os.geteuid()}"
        assert [(me, "order", "sending"), (me, "order", "refused")] == await actions_of(daemon)
    assert ["outcome", "words"] == list(refused)
    assert "refused" == refused["outcome"]
    assert SecretKey.parse(stranger).address in refused["words"]


@pytest.mark.anyio
async def test_an_answer_that_does_not_come_is_unknown(
    start_simulator: StartSimulator, run_daemon: RunDaemon
) -> None:
    """It was sent: whoever asked learns that nothing is known, and it is noted so."""
    simulator = start_simulator("slow_post=60")
    async with run_daemon(simulator.address.url, config=settings()) as daemon:
        cancel = {"type": "schedule_cancellation"}
        unknown = await asked(daemon, action(cancel, timeout=1.0))
        me = f"uid:{os.geteuid()}"
        assert [(me, "scheduleCancel", "sending"), (me, "scheduleCancel", "unknown")] == await actions_of(
            daemon
        )
    assert ["outcome", "why"] == list(unknown)
    assert "unknown" == unknown["outcome"]
    assert re.fullmatch(r"no answer came within (1|0\.\d+) s", unknown["why"])


@pytest.mark.anyio
async def test_what_could_not_be_sent_is_a_503_that_says_so(run_daemon: RunDaemon) -> None:
    """Nothing was changed, so it is no unknown outcome; the reason is what the dial said."""
    async with run_daemon(NOWHERE) as daemon:
        problem = await problem_of(daemon, {**info("allMids"), "timeout": 0.5})
    assert (503, "urn:wsmgr:problem:request-not-sent") == (problem["status"], problem["type"])
    assert "refused" in problem["why"]


@pytest.mark.anyio
async def test_an_action_that_the_settings_forbid_is_a_403_that_names_the_setting(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """And it is noted, with who wanted it."""
    async with run_daemon(simulator.address.url, config=settings(trading=False)) as daemon:
        problem = await problem_of(daemon, action(ORDER))
        assert [(f"uid:{os.geteuid()}", "order", "forbidden")] == await actions_of(daemon)
    assert (403, "urn:wsmgr:problem:action-forbidden") == (problem["status"], problem["type"])
    assert "`trading = true`" in problem["detail"]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (info("l2Book"), "coin"),
        (info("l2Book", coin="BTC", deep=1), "deep"),
        (info("l2Book", coin="BTC", nSigFigs=7), "nSigFigs"),
        (action({"type": "place_ordr"}), "place_order"),
        (action({"type": "cancel", "asset": "BTC"}), "order_id"),
        ({**info("allMids"), "venue": "nowhere"}, "nowhere"),
        ({**info("allMids"), "preview": True}, "preview"),
        ({**info("allMids"), "timeout": 0}, "timeout"),
        ({**info("allMids"), "kind": "hope"}, "kind"),
        ({**info("allMids"), "when": "now"}, "when"),
        ({"kind": "info", "payload": {"coin": "BTC"}}, "type"),
        ({"kind": "info", "payload": []}, "payload"),
        ({"payload": {"type": "allMids"}}, "kind"),
    ],
)
async def test_a_wrong_request_is_answered_with_what_was_wrong(
    run_daemon: RunDaemon, wish: dict[str, Any], words: str
) -> None:
    """A mistake of the caller is a 422 that names it, before anything is dialled."""
    async with run_daemon(NOWHERE, config=settings()) as daemon:
        problem = await problem_of(daemon, wish)
        assert [] == (await daemon.get("/v1/connections"))["items"]
    assert (422, "urn:wsmgr:problem:usage") == (problem["status"], problem["type"])
    assert words in problem["detail"]


@pytest.mark.anyio
@pytest.mark.parametrize(("path", "member"), [("/v1/requests", b"payload"), ("/v1/subscriptions", b"params")])
@pytest.mark.parametrize(
    ("form", "status", "words"),
    [
        (b"{%s", b"400", b"is not JSON"),
        (b'{"%s":{"a":' + b"[" * 50_000, b"400", b"nested too deeply"),
        (b'{"%s":"' + b"." * 1024 * 1024, b"413", b"larger than 1048576 bytes"),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused(
    run_daemon: RunDaemon, path: str, member: bytes, form: bytes, status: bytes, words: bytes
) -> None:
    """No JSON, nested without end, or larger than anything that is meant."""
    body = form % member
    async with run_daemon(NOWHERE) as daemon:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(str(daemon.path))
            head = (
                f"POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            await daemon.ask(client.sendall, head.encode() + body)
            answer = await daemon.ask(lambda: b"".join(iter(lambda: client.recv(65536), b"")))
    assert answer.startswith(b"HTTP/1.1 %s " % status)
    assert words in answer


@pytest.mark.anyio
async def test_a_client_that_goes_away_takes_its_request_back(run_daemon: RunDaemon) -> None:
    """What was not sent when nobody waits any more is never sent."""
    async with run_daemon(NOWHERE) as daemon:
        requests = daemon.manager.engine.venue(None).model.requests
        impatient = DaemonClient(daemon.path)
        body = json.dumps(info("allMids")).encode()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(impatient.socket))
            head = f"POST /v1/requests HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body)
            await eventually(lambda: len(requests.waiting) == 1)
        await eventually(lambda: not requests.waiting)


@pytest.mark.anyio
@pytest.mark.parametrize("wish", [info("allMids"), action({"type": "set_referrer", "code": "A"}), PREVIEW])
async def test_the_end_of_the_daemon_tells_whoever_waits_that_nothing_was_sent(
    run_daemon: RunDaemon, wish: dict[str, Any]
) -> None:
    """Nobody waits for a daemon that has gone: what was not written never will be."""
    answers: list[Any] = []
    async with anyio.create_task_group() as group, run_daemon(NOWHERE, config=settings()) as daemon:
        group.start_soon(to_thread.run_sync, answering, daemon, wish, answers)
        await eventually(lambda: bool(daemon.manager.engine.venue(None).model.requests.waiting))
    assert [(503, "manager-closed")] == [(error.status, error.kind) for error in answers]
    assert "before the request was written" in str(answers[0])


@pytest.mark.anyio
async def test_the_end_of_the_daemon_tells_whoever_has_sent_that_nothing_is_known(
    start_simulator: StartSimulator, run_daemon: RunDaemon
) -> None:
    """It may have been carried out; the last event of it says so."""
    simulator = start_simulator("mute=post")
    answers: list[Any] = []
    async with (
        anyio.create_task_group() as group,
        run_daemon(simulator.address.url, config=settings()) as daemon,
    ):
        wish = action({"type": "schedule_cancellation"})
        group.start_soon(to_thread.run_sync, answering, daemon, wish, answers)
        requests = daemon.manager.engine.venue(None).model.requests
        await eventually(
            lambda: any(each.progress is Progress.WRITTEN for each in requests.in_flight.values())
        )
    assert [{"outcome": "unknown", "why": GIVEN_UP}] == answers


@pytest.mark.anyio
async def test_the_end_of_the_api_alone_tells_the_same(run_daemon: RunDaemon) -> None:
    """An API that is being restarted gives its requests up before the manager does."""
    closing = Closing()
    problems: list[WsmgrError] = []

    async def receive() -> Any:
        await anyio.sleep_forever()

    async with run_daemon(NOWHERE) as daemon, anyio.create_task_group() as group:
        engine = daemon.manager.engine

        async def ask() -> None:
            wish = VenueRequest(kind="info", payload={"type": "allMids"})
            try:
                await carry_out(engine, wish, Request({"type": "http"}, receive), closing)
            except WsmgrError as error:
                problems.append(error)

        group.start_soon(ask)
        await eventually(lambda: bool(engine.venue(None).model.requests.waiting))
        closing.begin()
    assert [ManagerClosedError] == [type(error) for error in problems]
    assert "nothing was sent" in str(problems[0])


@pytest.mark.skipif(os.geteuid() != ROOT, reason="only root can become somebody else")
@pytest.mark.anyio
async def test_somebody_else_may_ask_and_may_not_act(
    simulator: SimulatorThread, run_daemon: RunDaemon, directory: Path
) -> None:
    """Where the modes of the files let another user in by mistake, the kernel still says who it is: nothing is signed."""
    wishes = [info("l2Book", coin="BTC"), action(ORDER, preview=True), action(ORDER)]
    async with run_daemon(simulator.address.url, config=settings()) as daemon:
        await daemon.ask(directory.chmod, 0o755)
        await daemon.ask(daemon.path.chmod, 0o666)
        done = await daemon.ask(
            lambda: subprocess.run(
                [sys.executable, "-c", AS_SOMEBODY_ELSE, str(daemon.path), str(SOMEBODY_ELSE)],
                input=json.dumps(wishes),
                capture_output=True,
                text=True,
                check=True,
                timeout=3 * PATIENCE,
            )
        )
        asked_for, shown, refused = map(json.loads, done.stdout.splitlines())
        assert [(f"uid:{SOMEBODY_ELSE}", "place_order", "forbidden")] == await actions_of(daemon)
    assert "answered" == asked_for["outcome"]
    assert f"uid:{SOMEBODY_ELSE}" in shown["data"]["forbidden"]
    assert (403, "urn:wsmgr:problem:action-forbidden") == (refused["status"], refused["type"])
    assert f"uid:{SOMEBODY_ELSE}" in refused["detail"]


@pytest.mark.anyio
async def test_a_preview_has_the_time_that_the_request_gives_it(run_daemon: RunDaemon) -> None:
    """Where the venue would have to be asked first and cannot be reached, the answer comes all the same."""
    async with run_daemon(NOWHERE, config=settings()) as daemon:
        problem = await problem_of(daemon, action(ORDER, preview=True, timeout=0.1))
    assert (503, "urn:wsmgr:problem:request-not-sent") == (problem["status"], problem["type"])
    assert "within 0.1 s" in problem["detail"]


@pytest.mark.anyio
async def test_a_forbidden_actions_event_shows_no_key(simulator: SimulatorThread) -> None:
    """Whoever gives a key for the name of an action does not find it in the events."""
    body = json.dumps(action({"type": KEY})).encode()
    scope = {"type": "http", "method": "POST", "path": "/v1/requests", "headers": [], "query_string": b""}

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async with Manager(url=simulator.address.url, config=settings()) as manager:
        wish = await read_request(Request(scope, receive))
        with pytest.raises(ActionForbiddenError):
            await carry_out(manager.engine, wish, Request(scope, receive), Closing())
        (noted,) = [event for event in await manager.events() if event.kind == "action"]
    assert KEY[2:20] not in str(noted.detail)
    assert "forbidden" == noted.detail["outcome"]


@pytest.mark.anyio
async def test_a_server_that_does_not_say_who_asks_lets_nobody_act(simulator: SimulatorThread) -> None:
    """The same application behind another server refuses actions."""
    sent: list[Any] = []

    async def receive() -> Any:
        if sent:
            await anyio.sleep_forever()
        sent.append(None)
        return {"type": "http.request", "body": json.dumps(action(ORDER)).encode(), "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/v1/requests", "headers": [], "query_string": b""}
    async with Manager(url=simulator.address.url, config=settings()) as manager:
        await make_app(manager.engine)(scope, receive, send)
        (noted,) = [event for event in await manager.events() if event.kind == "action"]
    assert ("somebody unknown", "forbidden") == (noted.actor, noted.detail["outcome"])
    assert 403 == sent[1]["status"]
    assert b"somebody unknown" in sent[2]["body"]


@pytest.mark.parametrize(
    ("uid", "own", "may"),
    [
        (1000, 1000, True),
        (0, 1000, True),
        (0, 0, True),
        (1000, 0, False),
        (1001, 1000, False),
        (None, 0, False),
    ],
)
def test_the_daemons_own_user_and_root_may_act(uid: int | None, own: int, may: bool) -> None:
    """Nobody else, and nobody who is not known."""
    assert may == may_act(uid, own)


def test_the_user_at_a_unix_socket_is_told_by_the_kernel() -> None:
    """Of another socket nobody is told: an address is no user."""
    here, there = socket.socketpair(socket.AF_UNIX)
    with here, there, socket.socket(socket.AF_INET) as other:
        assert os.geteuid() == user_at(here)
        assert user_at(other) is None


def test_the_credentials_of_macos_are_read() -> None:
    """Version 0 of them; of another one nothing is believed."""
    groups = struct.pack("h", 1) + b"\0" * 66
    assert 501 == user_in(struct.pack("II", 0, 501) + groups)
    assert user_in(struct.pack("II", 1, 501) + groups) is None


def test_a_client_knows_whether_its_request_may_have_arrived(directory: Path) -> None:
    """Where nobody listened nothing was sent; where the daemon went away before it answered, nobody knows."""
    path = directory / "s"
    with pytest.raises(DaemonUnreachableError) as caught:
        DaemonClient(path).request(info("allMids"))
    assert not caught.value.sent
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with pytest.raises(DaemonUnreachableError) as caught:
            DaemonClient(path, timeout=0.1).get("/v1/health")
    assert caught.value.sent


@pytest.mark.anyio
async def test_the_description_has_all_four_answers(run_daemon: RunDaemon) -> None:
    """A program can be written from `/openapi.json`."""
    async with run_daemon(NOWHERE) as daemon:
        described = await daemon.get("/openapi.json")
    path = described["paths"]["/v1/requests"]["post"]
    views = path["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"]
    schemas = described["components"]["schemas"]
    tags = {schemas[view["$ref"].rpartition("/")[2]]["properties"]["outcome"]["enum"][0] for view in views}
    assert {"answered", "refused", "unknown", "preview"} == tags
    assert {"200", "400", "403", "408", "413", "422", "429", "503"} == set(path["responses"])
    body = path["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert {"kind", "payload"} == set(schemas[body.rpartition("/")[2]]["required"])
    assert msgspec.json.encode(described)
