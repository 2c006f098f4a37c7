"""The ledger: what is recorded, what becomes of each gap, and a disk that is waited for in vain."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import to_thread

from wsmgr.manager.manager import Manager
from wsmgr.manager.model.continuity import Gap, Interruption
from wsmgr.manager.model.fact import Fact, GapClosed, GapHealed, GapOpened
from wsmgr.manager.runtime import ledger as ledger_module
from wsmgr.manager.runtime.clock import Clock
from wsmgr.manager.runtime.context import Context
from wsmgr.manager.runtime.ledger import Ledger
from wsmgr.manager.runtime.store_client import read
from wsmgr.manager.store import queries
from wsmgr.manager.store.changes import FLUSHED, AddEvent, AddGap, CloseSubscription, Mark
from wsmgr.manager.store.committer import Read
from wsmgr.manager.store.database import Database
from wsmgr.manager.store.faults import Fault, FaultKind
from wsmgr.manager.store.history import ENDED, GapsAsked
from wsmgr.manager.store.rows import GapRow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartSimulator

    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

NOWHERE = "ws://127.0.0.1:9/ws"
FACT = Fact(kind="action", venue="hyperliquid", detail={"outcome": "sending", "nonce": 7})
ACTING = """
import sys, anyio
from wsmgr import Manager

async def main():
    table = {"trading": True, "network": "testnet", "secret_key_variable": "WSMGR_TEST_KEY"}
    config = {"venues": {"hyperliquid": table}}
    async with Manager(url=sys.argv[1], config=config, state_dir=sys.argv[2]) as manager:
        await manager.request("action", {"type": "schedule_cancellation"}, timeout=60)

anyio.run(main)
"""


async def connect(*_: object) -> Any:
    """Nothing is dialled here."""
    raise NotImplementedError


def stored(state_dir: Path) -> list[tuple[int, str]]:
    """Return what the database has, as another process sees it: the events of actions."""
    with sqlite3.connect(f"file:{state_dir / 'wsmgr.db'}?mode=ro", uri=True) as database:
        rows = database.execute("SELECT id, detail FROM events WHERE kind = 'action' ORDER BY id").fetchall()
    database.close()
    return rows


@pytest.fixture
def ledger() -> Ledger:
    context = Context(Clock(lambda: 0.0, lambda: 0.0), connect)  # type: ignore[arg-type]  # never called
    found = Ledger(context)
    context.on_note = found.take
    return found


def waiting(ledger: Ledger) -> list[tuple[int | None, str, dict[str, Any]]]:
    """Return the events that wait for the store."""
    rows = [change.row for change in ledger.facts() if isinstance(change, AddEvent)]
    return [(row.id, row.kind, dict(row.detail)) for row in rows]


async def test_a_recorded_fact_is_on_the_disk(tmp_path: Path) -> None:
    """Once, under the next number, and before the one who records it goes on."""
    async with Manager(url=NOWHERE, state_dir=tmp_path) as manager:
        for number in range(1, 6):
            await manager.engine.context.record(FACT)
            rows = await to_thread.run_sync(stored, tmp_path)
            assert number == len(rows)
            assert '"sending"' in rows[-1][1]
        events = [event for event in await manager.events() if event.kind == "action"]
    assert 5 == len(events)


async def test_without_a_state_directory_a_recorded_fact_is_an_event_like_any_other() -> None:
    """There is no disk to wait for."""
    async with Manager(url=NOWHERE) as manager:
        await manager.engine.context.record(FACT)
        assert ["action"] == [event.kind for event in await manager.events()]


async def test_a_store_that_is_not_there_is_waited_for_a_moment_only(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fact follows when it is, under the number that it got first, and another one says so."""
    assert 1.0 == ledger_module.RECORD_PATIENCE
    monkeypatch.setattr(ledger_module, "RECORD_PATIENCE", 0.05)
    with anyio.fail_after(5):
        await ledger.record(FACT)
    why = {"number": 1, "recorded": "action", "why": "the store did not answer within 0.05 s"}
    expected = [
        (1, "action", {"venue": "hyperliquid", "outcome": "sending", "nonce": 7}),
        (2, "recorded_late", {"venue": "hyperliquid", **why}),
    ]
    assert expected == waiting(ledger)


async def test_a_fact_is_kept_when_who_records_it_is_cancelled(ledger: Ledger) -> None:
    """What is to be known is never lost by somebody's impatience."""
    async with anyio.create_task_group() as group:
        group.start_soon(ledger.record, FACT)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    assert [(1, "action"), (2, "recorded_late")] == [each[:2] for each in waiting(ledger)]


async def test_an_action_in_flight_at_a_kill_leaves_its_nonce(
    start_simulator: StartSimulator, tmp_path: Path
) -> None:
    """That is the one whose outcome nobody knows; it was written before its bytes went out."""
    simulator = start_simulator("mute=post")

    def posted() -> list[str]:
        frames = [
            frame["text"] for connection in simulator.log()["connections"] for frame in connection["received"]
        ]
        return [frame for frame in frames if '"scheduleCancel"' in frame]

    environ = {**os.environ, "WSMGR_TEST_KEY": "5e" * 32}
    command = [sys.executable, "-c", ACTING, simulator.address.url, str(tmp_path)]
    process = await to_thread.run_sync(lambda: subprocess.Popen(command, env=environ))
    try:
        with anyio.fail_after(30):
            while not posted():
                assert process.poll() is None
                await anyio.sleep(0.001)
    finally:
        process.kill()
        status = await to_thread.run_sync(process.wait)
    assert -signal.SIGKILL == status
    (frame,) = posted()
    async with Manager(url=NOWHERE, state_dir=tmp_path) as manager:
        events = [event for event in await manager.events() if event.kind == "action"]
    assert ["sending"] == [event.detail["outcome"] for event in events]
    assert f'"nonce":{events[0].detail["nonce"]},' in frame.replace(" ", "")


def interrupted(since: float, reason: str = "connection lost") -> GapOpened:
    interruption = Interruption(since=since, since_monotonic=None, reason=reason, connection="hyperliquid-1")
    return GapOpened(subscription_id="a", interruption=interruption)


def ended(since: float, **values: Any) -> Gap:
    return Gap(
        started_at=since, ended_at=since + 2.0, duration=2.5, reason="connection lost", attempts=3, **values
    )


def gaps(ledger: Ledger) -> list[GapRow]:
    """Return the gaps as they are known, oldest first."""
    return ledger.history.gaps(GapsAsked(), None)[::-1]


def to_be_written(ledger: Ledger) -> list[GapRow]:
    """Return the gaps that are written next; then they are."""
    rows = [change.row for change in ledger.facts() if isinstance(change, AddGap)]
    ledger.written()
    return rows


async def test_a_gap_is_one_row_from_its_beginning_to_what_was_found_out_about_it(ledger: Ledger) -> None:
    """Opened, closed, and looked into later: each time the row is written whole, under its number."""
    ledger.take(interrupted(10.0))
    opened = GapRow(
        id=1, subscription_id="a", connection="hyperliquid-1", started_at=10.0, reason="connection lost"
    )
    assert [opened] == to_be_written(ledger)

    gap = ended(10.0, missing=3, venue_seq_from=5, venue_seq_to=7)
    ledger.take(GapClosed(subscription_id="a", gap=gap))
    (closed,) = to_be_written(ledger)
    found = (closed.id, closed.ended_at, closed.duration_seconds, closed.missing, closed.attempts)
    assert (1, 12.0, 2.5, 3, 3) == found
    assert (None, None, 5, 7, 0) == (
        closed.proof,
        closed.open_because,
        closed.venue_seq_from,
        closed.venue_seq_to,
        closed.healed_items,
    )

    healed = ended(10.0, proof="filled", healed_by="query userFillsByTime")
    ledger.take(GapHealed(subscription_id="a", gap=healed, items=4))
    (row,) = to_be_written(ledger)
    assert (1, "filled", "query userFillsByTime", 4, None) == (
        row.id,
        row.proof,
        row.healed_by,
        row.healed_items,
        row.open_because,
    )

    still_open = ended(10.0, open_because="the second page was refused")
    ledger.take(GapHealed(subscription_id="a", gap=still_open, items=2))
    (row,) = to_be_written(ledger)
    assert (1, None, "the second page was refused", 2) == (
        row.id,
        row.proof,
        row.open_because,
        row.healed_items,
    )


async def test_a_gap_that_closes_with_its_proof_needs_no_second_word(ledger: Ledger) -> None:
    """What came with the resubscribe proved it empty, or filled it."""
    ledger.take(interrupted(10.0))
    gap = ended(10.0, proof="filled", healed_by="snapshot")
    ledger.take(GapClosed(subscription_id="a", gap=gap, items=2))
    (row,) = gaps(ledger)
    assert ("filled", "snapshot", 2) == (row.proof, row.healed_by, row.healed_items)


async def test_two_gaps_of_one_subscription_are_two_rows(ledger: Ledger) -> None:
    """One that is admitted while another is open takes nothing from it."""
    ledger.take(interrupted(10.0))
    ledger.take(interrupted(20.0, "moved without a proof"))
    ledger.take(GapClosed(subscription_id="a", gap=ended(20.0)))
    ledger.take(GapClosed(subscription_id="a", gap=ended(10.0)))
    assert [(1, 10.0, 12.0), (2, 20.0, 22.0)] == [
        (row.id, row.started_at, row.ended_at) for row in gaps(ledger)
    ]


async def test_a_gap_whose_beginning_was_not_told_is_written_all_the_same(ledger: Ledger) -> None:
    """No gap is dropped because a note is missing; nor because its row is not remembered any more."""
    ledger.take(GapClosed(subscription_id="a", gap=ended(10.0)))
    ledger.take(GapHealed(subscription_id="a", gap=ended(30.0, proof="empty", healed_by="snapshot")))
    found = [(row.id, row.started_at, row.ended_at, row.proof) for row in gaps(ledger)]
    assert [(1, 10.0, 12.0, None), (2, 30.0, 32.0, "empty")] == found


async def test_closed_gaps_are_remembered_within_a_bound(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Healing comes soon after; a manager that runs for a year does not grow."""
    monkeypatch.setattr(ledger_module, "CLOSED_GAPS", 2)
    for since in (10.0, 20.0, 30.0):
        ledger.take(interrupted(since))
        ledger.take(GapClosed(subscription_id="a", gap=ended(since)))
    ledger.take(GapHealed(subscription_id="a", gap=ended(20.0, proof="empty")))
    proofs = {row.id: row.proof for row in gaps(ledger)}
    assert {1: None, 2: "empty", 3: None} == proofs
    ledger.take(GapHealed(subscription_id="a", gap=ended(10.0, proof="empty")))
    assert {1: None, 2: "empty", 3: None, 4: "empty"} == {row.id: row.proof for row in gaps(ledger)}


async def test_the_end_of_a_subscription_closes_its_gap() -> None:
    """Nothing proves any more what was missed in it, and it is not open for ever."""
    wall = 130.0
    context = Context(Clock(lambda: 0.0, lambda: wall), connect)  # type: ignore[arg-type]  # never called
    ledger = Ledger(context)
    ledger.take(interrupted(90.0))
    ledger.take(Fact(kind="closed", subscription_id="another"))
    assert None is gaps(ledger)[0].ended_at
    ledger.take(Fact(kind="closed", subscription_id="a"))
    (row,) = gaps(ledger)
    assert (130.0, 40.0, "connection lost", ENDED, None) == (
        row.ended_at,
        row.duration_seconds,
        row.reason,
        row.open_because,
        row.proof,
    )
    ends = [change.id for change in ledger.facts() if isinstance(change, CloseSubscription)]
    assert ["another", "a"] == ends


async def test_until_when_all_was_heard_is_written_with_every_gap_that_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A gap that is not on the disk at a kill would begin at the mark: while one waits, the mark stays where it is."""
    monkeypatch.setattr("wsmgr.manager.store.history.AT_ONCE", 1)
    context = Context(Clock(lambda: 0.0, lambda: 130.0), connect)  # type: ignore[arg-type]  # never called
    ledger = Ledger(context)
    assert [Mark(FLUSHED, 130.0)] == ledger.counters()
    ledger.take(interrupted(90.0))
    ledger.take(interrupted(100.0))
    assert (1, []) == (len(ledger.facts()), ledger.counters())
    ledger.written()
    assert (1, [Mark(FLUSHED, 130.0)]) == (len(ledger.facts()), ledger.counters())


async def test_the_end_of_an_earlier_life_does_not_end_the_new_one(
    simulator: SimulatorThread, tmp_path: Path
) -> None:
    """A subscription that ended and was kept again while the disk was behind is kept on the disk."""
    async with Manager(url=simulator.address.url, state_dir=tmp_path) as manager:
        book = await manager.subscribe("l2Book", coin="BTC", keep=True)
        ledger = manager.engine.context.on_note.__self__  # type: ignore[union-attr]
        ledger.take(Fact(kind="closed", subscription_id=book.id))
        assert [] == [change for change in ledger.facts() if isinstance(change, CloseSubscription)]


async def test_a_store_that_is_known_to_be_out_holds_no_record_up(ledger: Ledger) -> None:
    """Not even for the moment that an unknown one is waited for."""
    ledger.fault = Fault(FaultKind.FULL, "no space")
    with anyio.fail_after(0.5):
        await ledger.record(FACT)
    found = [(number, kind, detail.get("number")) for number, kind, detail in waiting(ledger)]
    assert [(1, "action", None), (2, "recorded_late", 1)] == found


async def test_what_was_given_up_is_told_when_it_can_be_written_again(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for each loss, and without pushing anything more out."""
    monkeypatch.setattr("wsmgr.manager.store.history.WAITING", 3)
    small = Ledger(ledger._context)
    for _ in range(7):
        small.take(FACT)
    assert [5, 6, 7] == [each[0] for each in waiting(small)]
    small.written()
    assert [(8, "events_lost", {"count": 4})] == waiting(small)
    small.written()
    small.take(FACT)
    assert ["action"] == [each[1] for each in waiting(small)]


async def test_what_is_held_ends_with_the_manager_and_leaves_no_open_gap(
    simulator: SimulatorThread, tmp_path: Path
) -> None:
    """The kept one is interrupted until the next start; the held one is over, and its gap with it."""
    async with Manager(url=simulator.address.url, state_dir=tmp_path) as manager:
        kept = await manager.subscribe("l2Book", coin="BTC", keep=True)
        held = await manager.subscribe("l2Book", coin="BTC", nSigFigs=3)
        for handle in (kept, held):
            await handle.next(timeout=15)
    with closing(Database.read_only(tmp_path / "wsmgr.db")) as database:
        found = {row.subscription_id: row for row in queries.list_gaps(database)}
        states = {row.id: row.state for row in queries.list_subscriptions(database, state="closed")}
    assert (None, None) == (found[kept.id].ended_at, found[kept.id].open_because)
    assert (True, ENDED) == (found[held.id].ended_at is not None, found[held.id].open_because)
    assert {held.id: "closed"} == states


async def test_the_numbering_of_what_is_held_is_on_the_disk_soon_after_its_first_message(
    simulator: SimulatorThread, tmp_path: Path
) -> None:
    """Long before the next counters: a process that is killed in its first seconds has used it."""
    async with Manager(url=simulator.address.url, state_dir=tmp_path) as manager:
        first = await manager.subscribe("l2Book", coin="BTC")
        await first.next(timeout=15)
        await manager.unsubscribe(first.id)
        again = await manager.subscribe("l2Book", coin="BTC")
        await again.next(timeout=15)
        # Asked for before the first flush of the counters, which is 5 s after the start.
        rows = await read(manager.engine.context, Read(queries.list_subscriptions))
        assert [(again.id, 1, False)] == [(row.id, row.epoch, row.kept) for row in rows]
        assert 1 == manager.engine.context.registry.entry(again.id).epoch
