"""Streams: what a reader of the daemon is promised."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import anyio
import msgspec
import pytest
from anyio import to_thread
from tests.manager.daemon.conftest import (
    RunDaemon,
    RunningDaemon,
    eventually,
    lines_of,
    messages_of,
    records_of,
    rest_of,
    soon,
)

from wsmgr.manager.daemon import server
from wsmgr.manager.daemon.closing import Closing
from wsmgr.manager.daemon.errors import DaemonError, DaemonUnreachableError
from wsmgr.manager.daemon.message_stream import MessageStream, StreamOptions
from wsmgr.manager.model.message import Message
from wsmgr.manager.model.returning import Cursor
from wsmgr.manager.runtime.lines import STOPPING

if TYPE_CHECKING:
    from tests.conftest import StartSimulator

    from wsmgr.manager.daemon.client_stream import LineStream, RecordStream
    from wsmgr.manager.daemon.unix_client import DaemonClient
    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

BOOK = {"type": "l2Book", "params": {"coin": "BTC"}}
MEMBERS = [
    *("id", "venue", "type", "key", "seq", "epoch", "received_at", "venue_time", "venue_seq", "snapshot"),
    *("replayed", "healed", "duplicates", "gap", "data"),
]


def subscribe_lines(client: DaemonClient, wish: dict[str, Any]) -> LineStream:
    return client.subscribe_lines(wish, deadline=soon())


def subscribe_records(client: DaemonClient, wish: dict[str, Any]) -> RecordStream:
    return client.subscribe_records(wish, deadline=soon())


def flood(daemon: RunningDaemon, subscription_id: str, count: int) -> None:
    """Have a subscription's readers get more at once than a socket takes."""
    entry = daemon.entry(subscription_id)
    raw = json.dumps({"channel": "trades", "data": ["x" * 2000]}).encode()
    for buffer in entry.buffers:
        for number in range(count):
            buffer.put(Message(entry.source, "trades", number, 0, "hyperliquid-1", time.time(), raw))
        buffer.wake()


async def test_a_line_has_the_members_that_are_promised(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """Programs rely on the members of a stream line, and on their order being stable."""
    async with run_daemon(simulator.address.url) as daemon:
        with await daemon.ask(subscribe_lines, daemon.client, BOOK) as stream:
            first, message = (await daemon.ask(lines_of, stream, 2))[:2]
    assert ["id", "event", "subscription"] == list(first)
    assert ("subscribed", "live") == (first["event"], first["subscription"]["state"])
    assert MEMBERS == list(message)
    assert ("hyperliquid/l2Book?coin=BTC", 1, None) == (message["key"], message["seq"], message["gap"])
    assert message["received_at"].endswith("Z")
    assert "BTC" == message["data"]["coin"]


async def test_lines_and_records_carry_the_bytes_that_came(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """The payload of a line, and the frame of a record, are the venue's bytes: nothing is decoded and encoded again."""
    async with run_daemon(simulator.address.url) as daemon:
        book = await daemon.manager.subscribe("l2Book", coin="BTC", policy="drop_oldest")
        with (
            await daemon.ask(subscribe_lines, daemon.client, BOOK) as lines,
            await daemon.ask(subscribe_records, daemon.client, BOOK) as records,
        ):
            read = [undecoded(line) for line in await daemon.ask(messages_of, lines, 20)]
            frames = [record.data for record in await daemon.ask(records_of, records, 20) if not record.told]
        came = {message.seq: message.raw for message in await book.batch() if isinstance(message, Message)}
    assert [undecoded(came[int(bytes(line["seq"]))])["data"] for line in read] == [
        line["data"] for line in read
    ]
    first = list(came.values()).index(frames[0])
    assert list(came.values())[first : first + len(frames)] == frames


def undecoded(document: bytes) -> dict[str, msgspec.Raw]:
    return msgspec.json.decode(document, type=dict[str, msgspec.Raw])


async def test_subscribing_and_reading_in_one_loses_nothing(
    start_simulator: StartSimulator, run_daemon: RunDaemon
) -> None:
    """A stream that is asked for together with its subscription begins with the subscription's first message."""
    simulator = start_simulator(rate=200)
    async with run_daemon(simulator.address.url) as daemon:
        with await daemon.ask(
            subscribe_lines, daemon.client, {"type": "trades", "params": {"coin": "BTC"}}
        ) as stream:
            read = await daemon.ask(messages_of, stream, 30)
    assert list(range(1, 31)) == [msgspec.json.decode(line)["seq"] for line in read]


async def test_two_readers_share_a_subscription_and_end_alone(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """Two readers are one id and one wire subscription; one that goes leaves the other undisturbed."""
    async with run_daemon(simulator.address.url) as daemon:
        with await daemon.ask(subscribe_lines, daemon.client, BOOK) as staying:
            with await daemon.ask(subscribe_lines, daemon.client, BOOK) as leaving:
                first = (await daemon.ask(lines_of, leaving, 2))[0]
                entry = daemon.entry(first["id"])
                assert 2 == len(entry.buffers)
            await eventually(lambda: len(entry.buffers) == 1)
            seqs = [msgspec.json.decode(line)["seq"] for line in await daemon.ask(messages_of, staying, 20)]
        await eventually(lambda: not entry.buffers)
        assert 1 == (await daemon.get("/v1/health"))["subscriptions"]
    assert list(range(seqs[0], seqs[0] + 20)) == seqs
    (connection,) = simulator.log()["connections"]
    assert 1 == sum(
        "subscribe" in json.loads(received["text"]).get("method", "") for received in connection["received"]
    )


async def test_a_reader_that_vanishes_without_reading_is_let_go(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """A reader that died with the socket full gives its hold back, although the daemon is blocked in writing to it."""
    async with run_daemon(simulator.address.url) as daemon:
        stream = await daemon.ask(
            subscribe_lines, daemon.client, {"type": "trades", "params": {"coin": "BTC"}}
        )
        (row,) = (await daemon.get("/v1/subscriptions"))["items"]
        entry = daemon.entry(row["id"])
        flood(daemon, row["id"], 1000)
        await eventually(lambda: len(entry.buffers[0]) < 500)
        stream.close()
        await eventually(lambda: not entry.buffers)


async def test_a_reader_is_told_of_a_gap(simulator: SimulatorThread, run_daemon: RunDaemon) -> None:
    """Who asks for events is told of a lost connection as it is learned, and of the gap with the first message after it."""
    async with run_daemon(simulator.address.url) as daemon:
        with await daemon.ask(subscribe_lines, daemon.client, {**BOOK, "events": True}) as stream:
            lines = await daemon.ask(lines_of, stream, 4)
            simulator.kill(None)
            while not any(line.get("gap") and "data" in line for line in lines):
                lines += await daemon.ask(lines_of, stream, 1)
        gaps = (await daemon.get("/v1/gaps", subscription=lines[0]["id"]))["items"]
    events = [line["event"] for line in lines if "event" in line]
    assert ["interrupted", "gap", "resumed"] == [
        event for event in events if event not in {"subscribed", "live"}
    ]
    told = next(line for line in lines if line.get("event") == "gap")
    message = next(line for line in lines if line.get("gap") and "data" in line)
    assert {name: told[name] for name in message["gap"]} == message["gap"]
    assert [(told["reason"], None)] == [(gap["reason"], gap["missing"]) for gap in gaps]


async def test_unsubscribing_ends_every_stream_and_says_so(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """The readers of a subscription that somebody ends are told by whom, and their streams end in order."""
    async with run_daemon(simulator.address.url) as daemon:
        row = await daemon.subscribe("l2Book", params={"coin": "BTC"}, keep=True)
        with (
            await daemon.ask(
                lambda: daemon.client.stream_lines(row["id"], events=True, deadline=soon())
            ) as told,
            await daemon.ask(lambda: daemon.client.stream_lines(row["id"], deadline=soon())) as plain,
        ):
            assert {"ended": [row["id"]]} == await daemon.ask(
                daemon.client.delete, f"/v1/subscriptions/{row['id']}"
            )
            lines = await daemon.ask(rest_of, told)
            assert all("data" in line for line in await daemon.ask(rest_of, plain))
    assert {"id": row["id"], "event": "closed", "by": "unsubscribe"} == lines[-1]
    assert 1 == sum(line.get("event") == "closed" for line in lines)


async def test_nothing_is_said_to_a_reader_that_has_gone(run_daemon: RunDaemon) -> None:
    """The end of a stream whose reader disconnected is silent, and gives the hold back."""
    said: list[tuple[str, bool | None]] = []

    async def receive() -> Any:
        await anyio.wait_all_tasks_blocked()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        await anyio.lowlevel.checkpoint()
        said.append((message["type"], message.get("more_body")))

    async with run_daemon("ws://127.0.0.1:9/ws") as daemon:
        handle = await daemon.manager.subscribe("l2Book", coin="BTC", wait="none", events=True)
        stream = MessageStream(
            handle, bytes, options=StreamOptions(events=True), closing=Closing(), place=Cursor(0, 0)
        )
        await stream({"type": "http"}, receive, send)
        assert [] == daemon.entry(handle.id).buffers
    assert ("http.response.start", None) == said[0]
    assert {("http.response.body", True)} == set(said[1:])


@pytest.mark.parametrize("raw", [False, True])
async def test_the_end_of_the_daemon_ends_streams_in_order(
    simulator: SimulatorThread, run_daemon: RunDaemon, raw: bool
) -> None:
    """A reader can tell a daemon that was stopped from one that died, and its last line says that it was stopped."""
    async with run_daemon(simulator.address.url) as daemon:
        wish = {**BOOK, "events": True}
        stream: Any = await daemon.ask(subscribe_records if raw else subscribe_lines, daemon.client, wish)
    with stream:
        parts = await to_thread.run_sync(lambda: [part for batch in stream for part in batch])
    last = msgspec.json.decode(parts[-1].data if raw else parts[-1])
    assert ("closed", STOPPING) == (last["event"], last["by"])
    assert not daemon.path.exists()


async def test_a_reader_that_does_not_read_cannot_keep_the_daemon(
    simulator: SimulatorThread, run_daemon: RunDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A suspended `wsmgr tail` must not make `wsmgr daemon stop` wait for ever: it is hung up on."""
    monkeypatch.setattr(server, "HANG_UP_AFTER", 0.1)
    async with run_daemon(simulator.address.url) as daemon:
        stream = await daemon.ask(
            subscribe_lines, daemon.client, {"type": "trades", "params": {"coin": "BTC"}}
        )
        (row,) = (await daemon.get("/v1/subscriptions"))["items"]
        flood(daemon, row["id"], 1000)
        await eventually(lambda: len(daemon.entry(row["id"]).buffers[0]) < 500)
        began = anyio.current_time()
    assert anyio.current_time() - began < server.GRACE + 1.0
    stream.close()


async def test_a_private_stream_that_lagged_breaks_off(
    start_simulator: StartSimulator, run_daemon: RunDaemon
) -> None:
    """Under the policy `fail` nobody mistakes a stream with a hole for a complete one, whether it asked for events or not."""
    simulator = start_simulator(rate=10)
    async with run_daemon(simulator.address.url) as daemon:
        wish = {"type": "trades", "params": {"coin": "BTC"}, "policy": "fail"}
        told = await daemon.ask(subscribe_lines, daemon.client, {**wish, "events": True})
        plain = await daemon.ask(subscribe_lines, daemon.client, wish)
        with told, plain:
            (row,) = (await daemon.get("/v1/subscriptions"))["items"]
            flood(daemon, row["id"], 1500)
            lines = await daemon.ask(rest_of, told)
            with pytest.raises(DaemonUnreachableError, match="broke off"):
                await daemon.ask(rest_of, plain)
    assert ["lagged", "failed"] == [line["event"] for line in lines[-2:]]
    assert lines[-2]["dropped"] > 0


async def test_a_stream_of_an_unknown_id_is_refused(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """A stream that cannot begin is a problem with a status, not an empty stream."""
    async with run_daemon(simulator.address.url) as daemon:
        with pytest.raises(DaemonError) as caught:
            await daemon.ask(daemon.client.stream_lines, "nobody")
    assert (404, "not-found") == (caught.value.status, caught.value.kind)
