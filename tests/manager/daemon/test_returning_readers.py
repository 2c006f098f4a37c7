"""Readers that return with their cursor: they miss nothing that is still held, and are told a gap before anything else is missing."""

from __future__ import annotations

import json
import random
import threading
from typing import TYPE_CHECKING, Any

import pytest
from anyio import to_thread
from tests.manager.daemon.conftest import (
    RunDaemon,
    RunningDaemon,
    eventually,
    lines_of,
    records_of,
    rest_of,
    soon,
)
from tests.manager.daemon.test_stream import flood

from wsmgr.manager.daemon.client_stream import RecordStream
from wsmgr.manager.daemon.errors import DaemonError
from wsmgr.manager.daemon.stream_client import StreamClient
from wsmgr.manager.model.message import Message

if TYPE_CHECKING:
    from tests.conftest import StartSimulator

    from wsmgr.manager.daemon.records import Record
    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

BOOK = {"type": "l2Book", "params": {"coin": "BTC"}}
TRADES = {"type": "trades", "params": {"coin": "BTC"}}
ALICE = "0x" + "a1" * 20


def client_of(daemon: RunningDaemon) -> StreamClient:
    return StreamClient(daemon.path, timeout=10.0)


def parts_of(stream: Any, count: int) -> list[Any]:
    """Read so many parts, and close the stream; what comes with the last ones is given too."""
    parts: list[Any] = []
    with stream:
        for batch in stream:
            parts += batch
            if len(parts) >= count:
                break
    return parts


def messages(lines: list[bytes]) -> list[dict[str, Any]]:
    return [row for line in lines if "data" in (row := json.loads(line))]


def frames(records: list[Record]) -> list[bytes]:
    return [record.data for record in records if not record.told]


def told(records: list[Record]) -> list[dict[str, Any]]:
    return [json.loads(record.data) for record in records if record.told]


@pytest.mark.parametrize("raw", [False, True])
async def test_a_reader_that_returns_again_and_again_has_every_message_once(
    raw: bool, start_simulator: StartSimulator, run_daemon: RunDaemon
) -> None:
    """Its cursor is the only thing that it brings; lines and frames alike."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - to repeat it
    draw = random.Random(seed)
    simulator = start_simulator(rate=200)
    async with run_daemon(simulator.address.url) as daemon:
        client = client_of(daemon)
        whole = await daemon.manager.subscribe("bbo", coin="BTC", policy="drop_oldest")
        id_, cursor, read = whole.id, None, list[Any]()
        opened = client.records_after if raw else client.lines_after
        for _ in range(20):
            stream: Any = await daemon.ask(lambda after=cursor: opened(id_, after, deadline=soon()))
            read += await daemon.ask(parts_of, stream, draw.randrange(1, 30))
            cursor = stream.cursor
        came = [item.raw for item in await whole.batch() if isinstance(item, Message)]
    got = (
        [json.loads(frame)["data"] for frame in frames(read)]
        if raw
        else [row["data"] for row in messages(read)]
    )
    wanted = [json.loads(frame)["data"] for frame in came]
    first = wanted.index(got[0])
    assert wanted[first : first + len(got)] == got


@pytest.mark.parametrize("raw", [False, True])
async def test_a_reader_that_returns_too_late_is_told_the_gap_first(
    raw: bool, start_simulator: StartSimulator, run_daemon: RunDaemon
) -> None:
    """With the number of messages that are missing, and then whatever is still held."""
    simulator = start_simulator(rate=300)
    async with run_daemon(simulator.address.url) as daemon:
        client = client_of(daemon)
        book = await daemon.manager.subscribe("l2Book", coin="BTC", policy="drop_oldest")
        left = (await book.next(timeout=10)).seq
        await book.next(timeout=30, where=lambda message: message.seq > left + 600)
        opened = client.records_after if raw else client.lines_after
        stream: Any = await daemon.ask(lambda: opened(book.id, f"0:{left}", deadline=soon()))
        read = await daemon.ask(parts_of, stream, 5)
    told_first = json.loads(read[0].data if raw else read[0])
    assert "gap" == told_first["event"]
    if raw:
        cursor = json.loads(read[1].data)
        assert ("cursor", cursor["seq"] - left) == (cursor["event"], told_first["missing"])
        assert not read[2].told
    else:
        message = json.loads(read[1])
        assert message["seq"] - left - 1 == told_first["missing"] == message["gap"]["missing"]
    assert told_first["missing"] > 300


async def test_a_reader_of_frames_is_told_its_place_only_where_it_could_not_count(
    start_simulator: StartSimulator, run_daemon: RunDaemon
) -> None:
    """The first frame's place, and that of one behind a hole: a line for each frame would cost as much as the frame."""
    simulator = start_simulator(rate=200)
    async with run_daemon(simulator.address.url) as daemon:
        client = client_of(daemon)
        trades = await daemon.manager.subscribe("bbo", coin="BTC")
        await trades.next(timeout=10)
        with await daemon.ask(lambda: client.records_after(trades.id, None, deadline=soon())) as stream:
            records = await daemon.ask(records_of, stream, 60)
            place = stream.cursor
        assert ["cursor"] == [line["event"] for line in told(records)]
        assert f"0:{told(records)[0]['seq'] + len(frames(records))}" == place


async def test_a_quiet_stream_tells_its_place_at_once(
    start_simulator: StartSimulator, run_daemon: RunDaemon
) -> None:
    """A reader that was cut off before a message came knows where it was, and misses none of those that came meanwhile."""
    simulator = start_simulator("quiet=orderUpdates", rate=20)
    async with run_daemon(simulator.address.url) as daemon:
        client = client_of(daemon)
        orders = await daemon.subscribe("orderUpdates", params={"user": ALICE}, keep=True)
        with await daemon.ask(lambda: client.lines_after(orders["id"], None, deadline=soon())) as stream:
            (line,) = await daemon.ask(lines_of, stream, 1)
        simulator.set_faults()
        entry = daemon.entry(orders["id"])
        messages_since = await daemon.manager.subscribe("orderUpdates", user=ALICE)
        await messages_since.next(timeout=10, where=lambda message: message.seq >= 3)
        back = await daemon.ask(lambda: client.lines_after(orders["id"], stream.cursor, deadline=soon()))
        read = messages(await daemon.ask(parts_of, back, 3))
    assert {"id": orders["id"], "event": "cursor", "seq": 0, "epoch": 0} == line
    assert entry.epoch == 0
    assert [1, 2, 3] == [message["seq"] for message in read][:3]


async def test_a_reader_of_frames_that_returns_is_told_the_gap_though_it_asked_for_no_events(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """Frames cannot carry it."""
    async with run_daemon(simulator.address.url) as daemon:
        row = await daemon.subscribe("bbo", params={"coin": "BTC"}, keep=True, wait="live")
        client, path = client_of(daemon), f"/v1/subscriptions/{row['id']}/stream"
        query = {"format": "raw", "after": "7:7"}
        stream = await daemon.ask(lambda: client._read(RecordStream, path, query, soon()))
        records = await daemon.ask(parts_of, stream, 3)
    assert "gap" == told(records)[0]["event"]


def number_of(cursor: str | None) -> int:
    """The number in a cursor; the venue may have sent more than the flood."""
    return 0 if cursor is None else int(cursor.rpartition(":")[2])


async def test_a_reader_of_frames_that_was_too_slow_is_told_the_place_behind_the_hole(
    start_simulator: StartSimulator, run_daemon: RunDaemon
) -> None:
    """It goes on counting from there, so its cursor stays right."""
    simulator = start_simulator(rate=1)
    async with run_daemon(simulator.address.url) as daemon:
        row = await daemon.subscribe("trades", params={"coin": "BTC"}, keep=True, wait="live")
        client = client_of(daemon)
        with await daemon.ask(lambda: client.records_after(row["id"], None, deadline=soon())) as stream:
            await daemon.ask(records_of, stream, 1)
            flood(daemon, row["id"], 3_000)
            records: list[Record] = []
            while number_of(stream.cursor) < 2_999:
                records += await daemon.ask(records_of, stream, 1)
    hole = next(place for place, record in enumerate(records) if record.told and b'"lagged"' in record.data)
    dropped = json.loads(records[hole].data)["dropped"]
    place = json.loads(records[hole + 1].data)
    flooded = [frame for frame in frames(records) if b"xxx" in frame]
    assert ("cursor", 3_000 - dropped) == (place["event"], len(flooded))


async def test_who_subscribed_returns_to_what_it_subscribed_to(
    start_simulator: StartSimulator, run_daemon: RunDaemon
) -> None:
    """`after` in the wish: the same subscription goes on without a hole; one that went in the meantime begins with the gap."""
    simulator = start_simulator(rate=50)
    async with run_daemon(simulator.address.url) as daemon:
        wish = {**BOOK, "events": True, "wait": "none"}
        first = await daemon.ask(lambda: daemon.client.subscribe_lines(wish, deadline=soon()))
        before = messages(await daemon.ask(parts_of, first, 5))
        again = {**wish, "after": first.cursor}
        second = await daemon.ask(lambda: daemon.client.subscribe_lines(again, deadline=soon()))
        after = messages(await daemon.ask(parts_of, second, 5))
        await daemon.ask(daemon.client.delete, "/v1/subscriptions")
        third = await daemon.ask(
            lambda: daemon.client.subscribe_lines({**wish, "after": second.cursor}, deadline=soon())
        )
        lines = [json.loads(line) for line in await daemon.ask(parts_of, third, 7)]
    seqs = [message["seq"] for message in [*before, *after]]
    assert list(range(seqs[0], seqs[0] + len(seqs))) == seqs
    new = next(line for line in lines if "data" in line)
    told = [line["event"] for line in lines[: lines.index(new)]]
    assert ("subscribed", True) == (told[0], "gap" in told), (
        "the gap comes first, whether or not it delivered at once"
    )
    assert (after[-1]["epoch"] + 1, None) == (new["epoch"], new["gap"]["missing"])


@pytest.mark.parametrize("after", ["x", "7", "0:", "0:-1", "9" * 20 + ":1"])
async def test_a_cursor_that_is_none_is_refused(
    after: str, simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """A mangled cursor is an error, not a stream from some place; in a wish nothing is subscribed for it."""
    async with run_daemon(simulator.address.url) as daemon:
        row = await daemon.subscribe("bbo", params={"coin": "BTC"}, keep=True)
        refused: list[int] = []
        for ask in (
            lambda: client_of(daemon).lines_after(row["id"], after),
            lambda: daemon.client.subscribe_lines({**TRADES, "after": after}),
        ):
            with pytest.raises(DaemonError, match="cursor") as caught:
                await daemon.ask(ask)
            refused.append(caught.value.status)
        assert [row["id"]] == [each["id"] for each in (await daemon.get("/v1/subscriptions"))["items"]]
    assert [422, 422] == refused


async def test_the_end_of_the_daemon_gives_its_readers_what_there_is(
    start_simulator: StartSimulator, run_daemon: RunDaemon
) -> None:
    """What had come for a reader when the daemon was stopped is not lost: the last line comes behind it."""
    simulator = start_simulator(rate=1)
    async with run_daemon(simulator.address.url) as daemon:
        wish = {**TRADES, "events": True}
        stream = await daemon.ask(lambda: daemon.client.subscribe_lines(wish, deadline=soon()))
        (row,) = (await daemon.get("/v1/subscriptions"))["items"]
        (buffer,) = daemon.entry(row["id"]).buffers
        flood(daemon, row["id"], 900)
        await eventually(lambda: len(buffer) < 100)
        # The daemon waits in the middle of them, and more come meanwhile; the venue's own among them.
        flood(daemon, row["id"], 900)
        lines: list[dict[str, Any]] = []
        reader = threading.Thread(target=lambda: lines.extend(rest_of(stream)))
        reader.start()
    await to_thread.run_sync(reader.join)
    stream.close()
    seqs = [line["seq"] for line in lines if line.get("data") == ["x" * 2000]]
    assert [*range(900), *range(900)] == seqs
    assert "closed" == lines[-1]["event"]
