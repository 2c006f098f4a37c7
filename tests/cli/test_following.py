"""`wsmgr events --follow`: what happens, as it happens, also over a restart of the daemon."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

from tests.cli.test_returning import running_daemon, said
from wsmgr.manager.daemon.stream_client import StreamClient
from wsmgr.manager.store.state_directory import StateDirectory

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Spawn
    from tests.conftest import StartSimulator


def test_who_follows_the_events_misses_none_over_a_restart(
    start_simulator: StartSimulator, state_dir: Path, spawn: Spawn
) -> None:
    """As JSON the rows of `wsmgr events --json`, in the order of their numbers; for people a line each. Ctrl-C ends it."""
    simulator = start_simulator(rate=10)
    url = ("--url", simulator.address.url)
    with running_daemon(simulator.address.url, state_dir) as wsmgr:
        client = StreamClient(StateDirectory(state_dir).socket())

        def ended() -> str:
            wish = {"type": "bbo", "params": {"coin": "BTC"}, "wait": "none", "keep": True}
            id_ = str(client.subscribe(wish)["id"])
            client.delete(f"/v1/subscriptions/{id_}")
            return id_

        first = ended()
        follow = ("events", "--follow", "--after", "0", "--kind", "closed")
        readers = people, program = spawn(*follow, patience=60), spawn(*follow, "--json", patience=60)
        lines = [program.stdout.readline()]
        shown = [people.stdout.readline().decode()]
        wsmgr(*url, "daemon", "restart")
        for reader in readers:
            said(reader, b"attached to the daemon again")
        second = ended()
        lines.append(program.stdout.readline())
        shown.append(people.stdout.readline().decode())
        listed = wsmgr("events", "--kind", "closed", "--json").document
        for reader in readers:
            reader.signal(signal.SIGINT)
            assert 130 == reader.outcome().code
    rows = [json.loads(line) for line in lines]
    assert rows == listed[::-1]
    assert [first, second] == [row["subscription_id"] for row in rows]
    assert ["info  closed", "info  closed"] == [line.split("  ", 1)[1][:12] for line in shown]
