"""`kill -9` of a writing process: what it acknowledged is there."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from wsmgr.manager.store.database import Database
from wsmgr.manager.store.desired import read_desired
from wsmgr.manager.store.queries import flushed_at, list_desired, list_subscriptions
from wsmgr.manager.store.recovery import Source, recover

if TYPE_CHECKING:
    from pathlib import Path

    from wsmgr.manager.store.state_directory import StateDirectory

CHILD = """
import sys
import anyio
from wsmgr.actors import ChildSpec, Supervisor
from wsmgr.manager.store.changes import CloseSubscription, PutSubscription
from wsmgr.manager.store.committer import Commit
from wsmgr.manager.store.recovery import recover
from wsmgr.manager.store.rows import SubscriptionRow
from wsmgr.manager.store.state_directory import StateDirectory
from wsmgr.manager.store.writer import Writer

def row(name):
    return SubscriptionRow(
        id=name, venue="v", type="t", key=name, params={}, connection_class="shared", kept=True,
        subscribed_at=1.0, updated_at=1.0,
    )

class Nothing:
    waits = False
    facts = counters = desired = tuple
    def written(self): pass
    def collect_all(self): pass

async def subscribe(ref, worker):
    for number in range(100_000):
        name = f"{worker}-{number}"
        await ref.call(Commit([PutSubscription(row(name))]))
        sys.stdout.write(f"subscribed {name}\\n")
        sys.stdout.flush()
        if number % 2:
            await ref.call(Commit([CloseSubscription(id=name, at=2.0)]))
            sys.stdout.write(f"unsubscribed {name}\\n")
            sys.stdout.flush()

async def main():
    directory = StateDirectory(sys.argv[1])
    with directory.locked():
        recovery = recover(directory)
        spec = ChildSpec("writer", lambda: Writer(recovery.database, Nothing(), directory=directory))
        async with Supervisor([spec]) as supervisor, anyio.create_task_group() as group:
            ref = supervisor.which_children()[0].ref
            for worker in range(4):
                group.start_soon(subscribe, ref, worker)

anyio.run(main, backend=sys.argv[2])
"""


def run_until_killed(directory: Path, backend: str, lines: int) -> list[tuple[str, str]]:
    """Let a process write, kill it after it has acknowledged so much, and return all that it acknowledged."""
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(directory), backend], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        told += process.stdout.readlines()
    # The last line may be torn: a torn line acknowledged nothing that could be told.
    return [(line.split()[0], line.split()[1]) for line in told if line.endswith("\n")]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_what_was_acknowledged_survives_a_kill(directory: StateDirectory, backend: str) -> None:
    """No acknowledged subscribe is lost and no acknowledged unsubscribe comes back: in the database and the copy."""
    told = run_until_killed(directory.path, backend, 200)
    subscribed = {name for verb, name in told if verb == "subscribed"}
    unsubscribed = {name for verb, name in told if verb == "unsubscribed"}

    reader = Database.read_only(directory.database)
    seen = {row.id for row in list_subscriptions(reader)}
    proof = flushed_at(reader)
    reader.close()
    copy = {one.id for one in read_desired(directory.desired) or ()}
    with directory.locked():
        recovery = recover(directory)
    desired = {row.id for row in list_desired(recovery.database)}
    recovery.database.close()

    # Odd ones are ended right after, so that for the last of them either may be true.
    must_live = {name for name in subscribed if int(name.split("-")[1]) % 2 == 0}
    assert Source.DATABASE is recovery.source
    assert proof is not None
    assert min(len(must_live), len(unsubscribed)) > 10
    for found in (seen, copy, desired):
        assert must_live <= found
        assert not unsubscribed & found
