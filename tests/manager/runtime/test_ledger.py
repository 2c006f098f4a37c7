"""Recording: a fact that is on the disk before anything else is done, and a disk that is waited for in vain."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from anyio import to_thread

from wsmgr.manager.manager import Manager
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.runtime import ledger as ledger_module
from wsmgr.manager.runtime.clock import Clock
from wsmgr.manager.runtime.context import Context
from wsmgr.manager.runtime.ledger import Ledger
from wsmgr.manager.store.changes import AddEvent

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import StartSimulator

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
    rows = [change.row for change in ledger.collect() if isinstance(change, AddEvent)]
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
