"""The stream of events: what is written into the ledger, as it happens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from anyio import to_thread
from tests.manager.daemon.conftest import RunDaemon, RunningDaemon, eventually, lines_of, soon
from tests.manager.daemon.test_returning_readers import client_of

from wsmgr.manager.daemon import event_stream
from wsmgr.manager.daemon.errors import DaemonError
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.runtime import store_client
from wsmgr.manager.runtime.engine import Engine

if TYPE_CHECKING:
    from wsmgr.manager.daemon.client_stream import EventLines
    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

NOWHERE = "ws://127.0.0.1:9/ws"


def note(daemon: RunningDaemon, *kinds: str, **members: Any) -> None:
    """Have things happen."""
    for kind in kinds:
        daemon.manager.engine.context.note(Fact(kind=kind, **members))


async def followed(daemon: RunningDaemon, after: str | None = None, **filters: str | None) -> EventLines:
    return await daemon.ask(lambda: client_of(daemon).follow_events(filters, after, deadline=soon()))


async def read(daemon: RunningDaemon, stream: EventLines, count: int) -> list[dict[str, Any]]:
    return await daemon.ask(lines_of, stream, count)


def kinds(lines: list[dict[str, Any]]) -> list[str]:
    return [line["kind"] for line in lines if "kind" in line]


async def test_what_happens_comes_as_it_happens_with_its_number_in_the_ledger(run_daemon: RunDaemon) -> None:
    """Each line is the row that `/v1/events` lists later, byte for byte the same document."""
    async with run_daemon(NOWHERE) as daemon:
        with await followed(daemon) as stream:
            first = await read(daemon, stream, 1)
            note(daemon, "one", "two", detail={"why": "somebody asked"})
            lines = [line for line in await read(daemon, stream, 2) if line.get("kind") in {"one", "two"}]
            cursor = stream.cursor
        listed = (await daemon.get("/v1/events"))["items"]
    assert ("cursor", ["event", "id"]) == (first[0]["event"], list(first[0]))
    assert lines == [row for row in reversed(listed) if row["kind"] in {"one", "two"}]
    assert str(lines[-1]["id"]) == cursor


async def test_who_returns_has_missed_nothing(run_daemon: RunDaemon) -> None:
    """Behind its number comes what happened in the meantime, then what happens, each once and in order."""
    async with run_daemon(NOWHERE) as daemon:
        with await followed(daemon) as stream:
            await read(daemon, stream, 1)
            note(daemon, "first")
            await read(daemon, stream, 1)
        note(daemon, *(f"meanwhile{number}" for number in range(300)))
        with await followed(daemon, stream.cursor) as stream:
            lines = await read(daemon, stream, 301)
            note(daemon, "later")
            lines += await read(daemon, stream, 1)
    assert [*(f"meanwhile{number}" for number in range(300)), "later"] == [
        kind for kind in kinds(lines) if kind.startswith(("meanwhile", "later"))
    ]
    numbers = [line["id"] for line in lines if "kind" in line]
    assert sorted(set(numbers)) == numbers


async def test_what_happens_while_the_backlog_is_read_comes_once(
    run_daemon: RunDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the backlog and among the news, or in the news alone: the number tells."""
    listed = Engine.events

    async def read_slowly(self: Engine, *args: Any, **options: Any) -> Any:
        note(daemon, "before it is read")
        rows = await listed(self, *args, **options)
        note(daemon, "after it was read")
        return rows

    async with run_daemon(NOWHERE) as daemon:
        note(daemon, "first")
        monkeypatch.setattr(Engine, "events", read_slowly)
        with await followed(daemon, "0") as stream:
            lines = await read(daemon, stream, 4)
            note(daemon, "later")
            lines += await read(daemon, stream, 1)
    mine = {"first", "before it is read", "after it was read", "later"}
    assert ["first", "before it is read", "after it was read", "later"] == [
        kind for kind in kinds(lines) if kind in mine
    ]


async def test_who_returns_too_late_is_told_how_many_are_missing(
    run_daemon: RunDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backlog without end would hold the daemon up; what is left out is counted."""
    monkeypatch.setattr(event_stream, "BACKLOG", 250)
    async with run_daemon(NOWHERE) as daemon:
        note(daemon, *(f"old{number}" for number in range(700)))
        newest = (await daemon.get("/v1/events", limit=1))["items"][0]["id"]
        with await followed(daemon, "1") as stream:
            lines = await read(daemon, stream, 252)
    assert {"event": "cursor", "id": 1} == lines[0]
    assert {"event": "lagged", "dropped": newest - 251} == lines[1]
    assert list(range(newest - 249, newest + 1)) == [line["id"] for line in lines[2:252]]


async def test_a_number_that_no_event_has_had_begins_with_what_happens_now(run_daemon: RunDaemon) -> None:
    """The database was made anew while the reader was away: it is not made to wait until the numbers are there again."""
    async with run_daemon(NOWHERE) as daemon:
        with await followed(daemon, "1000000") as stream:
            first = await read(daemon, stream, 1)
            note(daemon, "now")
            lines = await read(daemon, stream, 1)
    assert (first[0]["id"] or 0) < 1000
    assert "now" in kinds(lines)


async def test_a_reader_that_is_too_slow_is_told_how_many_it_lost(
    run_daemon: RunDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its buffer is bounded, and no other reader notices."""
    monkeypatch.setattr("wsmgr.manager.runtime.newsroom.MAX_EVENTS", 10)
    async with run_daemon(NOWHERE) as daemon:
        with await followed(daemon, kind="burst") as stream:
            await read(daemon, stream, 1)
            note(daemon, *["burst"] * 25)
            lines = await read(daemon, stream, 11)
    assert {"event": "lagged", "dropped": 15} == lines[0]
    assert 10 == len(kinds(lines))


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"kind": "lost"}, ["lost"]),
        ({"level": "warning"}, ["lost", "broken"]),
        ({"level": "error"}, ["broken"]),
        ({"subscription": "abc"}, ["broken"]),
    ],
)
async def test_only_what_is_wanted_comes(
    filters: dict[str, str], expected: list[str], run_daemon: RunDaemon
) -> None:
    """The filters of the stream are those of the list, and behind a cursor they hold too."""
    async with run_daemon(NOWHERE) as daemon:
        with await followed(daemon, **filters) as stream:
            begins = await read(daemon, stream, 1)
            note(daemon, "calm")
            note(daemon, "lost", level="warning")
            note(daemon, "broken", level="error", subscription_id="abc")
            live = [*begins, *await read(daemon, stream, len(expected))]
        with await followed(daemon, str(begins[0]["id"] or 0), **filters) as stream:
            again = await read(daemon, stream, len(expected) + 1)
        listed = await daemon.ask(lambda: list(daemon.client.items("/v1/events", {**filters, "limit": 1})))
    mine = {"calm", "lost", "broken"}
    for found in (kinds(live), kinds(again), [row["kind"] for row in reversed(listed)]):
        assert expected == [kind for kind in found if kind in mine]


async def test_a_store_that_is_not_there_holds_up_no_news(
    run_daemon: RunDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who follows from now on asks the store for nothing; who returns is told that it cannot be read."""
    monkeypatch.setattr(store_client, "PATIENCE", 0.2)
    async with run_daemon(NOWHERE) as daemon:
        context = daemon.manager.engine.context
        writer, context.writer = context.writer, None
        with await followed(daemon) as stream:
            await read(daemon, stream, 1)
            note(daemon, "happens all the same")
            lines = await read(daemon, stream, 1)
        with pytest.raises(DaemonError) as caught:
            await followed(daemon, "0")
        context.writer = writer
        assert not context.newsroom._followers
    assert "happens all the same" in kinds(lines)
    assert (503, "store") == (caught.value.status, caught.value.kind)


async def test_a_reader_that_goes_is_followed_by_nobody(run_daemon: RunDaemon) -> None:
    """Its buffer goes with it."""
    async with run_daemon(NOWHERE) as daemon:
        followers = daemon.manager.engine.context.newsroom._followers
        with await followed(daemon) as stream:
            await read(daemon, stream, 1)
            assert 1 == len(followers)
        note(daemon, "one more")
        with await followed(daemon) as other:
            await read(daemon, other, 1)
            await eventually(lambda: len(followers) == 1)


async def test_the_end_of_the_daemon_ends_the_stream_in_order(
    simulator: SimulatorThread, run_daemon: RunDaemon
) -> None:
    """What had happened until then is in it."""
    async with run_daemon(simulator.address.url) as daemon:
        stream = await followed(daemon)
        await read(daemon, stream, 1)
        note(daemon, "the last")
    with stream:
        rest = await to_thread.run_sync(lambda: [json.loads(line) for batch in stream for line in batch])
    assert "the last" in kinds(rest)


@pytest.mark.parametrize("query", [{"level": "loud"}, {"after": "x"}, {"after": "-1"}])
async def test_a_filter_that_cannot_be_meant_is_refused(query: dict[str, str], run_daemon: RunDaemon) -> None:
    """A typing error is neither an empty list nor a silent stream."""
    async with run_daemon(NOWHERE) as daemon:
        for follow in ("0", "1"):
            with pytest.raises(DaemonError) as caught:
                await daemon.get("/v1/events", follow=follow, **query)
            assert 422 == caught.value.status
