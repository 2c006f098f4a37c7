"""`wsmgr reconnect`, `rebalance` and `drain`, and the end of a daemon by signals."""

from __future__ import annotations

import json
import signal
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.cli.running import NOWHERE
from wsmgr.manager.daemon.process import runs
from wsmgr.manager.daemon.unix_client import DaemonClient, path_of
from wsmgr.manager.store.state_directory import StateDirectory

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli, Spawn
    from tests.cli.running import Process
    from tests.conftest import StartSimulator

LONG = 60.0


def started(spawn: Spawn, url: str, state_dir: Path) -> Process:
    """Run a daemon in the foreground, and wait until it answers."""
    daemon = spawn("--url", url, "daemon", "run", patience=LONG)
    client_of(state_dir)
    return daemon


def client_of(state_dir: Path) -> DaemonClient:
    client = DaemonClient(StateDirectory(state_dir).socket())
    deadline = time.monotonic() + 20
    while not client.answers():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return client


def test_reconnect_names_the_connections_that_get_a_new_socket(daemon: Path, cli: Cli) -> None:
    """All of them, or one; the ids are on stdout, for the next command."""
    id_ = cli("subscribe", "bbo", "--coin", "BTC", "--detach", state_dir=daemon).out.decode().strip()
    connections = [row["id"] for row in cli("connections", "--json", state_dir=daemon).document]
    one = cli("reconnect", connections[0], state_dir=daemon)
    everything = cli("reconnect", state_dir=daemon)
    cli("unsubscribe", id_, state_dir=daemon)
    assert (0, connections[:1]) == (one.code, one.out.decode().split())
    assert (0, True) == (everything.code, everything.out.startswith(b"hyperliquid-"))


def test_a_connection_that_there_is_not_fails_and_is_named(daemon: Path, cli: Cli) -> None:
    """Exit code 1, like any id that does not exist."""
    outcome = cli("reconnect", "hyperliquid-99", state_dir=daemon)
    assert (1, b"") == (outcome.code, outcome.out)
    assert "no connection with the id 'hyperliquid-99'" in outcome.err


def test_rebalance_without_anything_to_do_says_so(daemon: Path, cli: Cli) -> None:
    """Nothing on stdout, and no error."""
    outcome = cli("rebalance", state_dir=daemon)
    assert (0, b"") == (outcome.code, outcome.out), outcome
    assert "nothing to rebalance" in outcome.err


def test_drain_ends_the_daemon_in_an_orderly_way_and_returns_when_it_is_gone(
    start_simulator: StartSimulator, state_dir: Path, cli: Cli, spawn: Spawn
) -> None:
    """Its readers have all that came, the venue is told goodbye, the database is written, and its exit code is 0."""
    simulator = start_simulator(rate=10)
    daemon = started(spawn, simulator.address.url, state_dir)
    id_ = cli("subscribe", "bbo", "--coin", "BTC", "--detach").out.decode().strip()
    reader = spawn("tail", id_, "--json", "--events", patience=LONG)
    seen = [json.loads(reader.stdout.readline()) for _ in range(20)]
    drained = cli("drain")
    assert (0, b"") == (drained.code, drained.out), drained
    assert not runs(daemon.pid)
    assert 0 == daemon.code()
    for line in reader.stdout:
        seen.append(json.loads(line))
        if seen[-1].get("event") == "closed":
            break
    reader.signal(signal.SIGINT)
    assert 130 == reader.code()
    seqs = [row["seq"] for row in seen if "data" in row]
    assert list(range(seqs[0], seqs[0] + len(seqs))) == seqs
    assert "the end of the daemon" == seen[-1]["by"]
    listed = cli("list", "--json").document
    assert [(id_, "stopped")] == [(row["id"], row["state"]) for row in listed]
    assert seqs[-1] <= listed[0]["message_count"]
    assert {"the client closed: 1000"} == {each["why"] for each in simulator.log()["connections"]}


def test_what_is_kept_outlives_a_drain(state_dir: Path, cli: Cli, spawn: Spawn) -> None:
    """A drain ends the daemon and no subscription; where none runs, there is nothing to drain: exit code 3."""
    daemon = started(spawn, NOWHERE, state_dir)
    client = client_of(state_dir)
    row = client.subscribe({"type": "bbo", "params": {"coin": "BTC"}, "wait": "none", "keep": True})
    drained = cli("drain")
    assert 0 == drained.code, drained
    assert 0 == daemon.code()
    assert 3 == cli("drain").code
    assert [row["id"]] == [each["id"] for each in cli("list", "--json").document]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_second_sigterm_ends_a_daemon_at_once_whatever_it_waits_for(
    backend: str, start_simulator: StartSimulator, state_dir: Path, spawn: Spawn
) -> None:
    """A reader that hangs keeps the drain waiting; the second signal waits for nobody."""
    simulator = start_simulator(rate=2_000)
    daemon = spawn("--backend", backend, "--url", simulator.address.url, "daemon", "run", patience=LONG)
    client = client_of(state_dir)
    book = {"type": "l2Book", "params": {"coin": "BTC"}}
    row = client.subscribe({**book, "keep": True, "wait": "live"})
    hanging = socket.socket(socket.AF_UNIX)
    hanging.connect(str(client.socket))
    hanging.sendall(f"GET {path_of(row['id'], 'stream')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    # What it leaves in its socket fills that, and then the daemon waits for it.
    while client.get(path_of(row["id"], "metrics"))["message_count"] < 3_000:
        time.sleep(0.05)
    daemon.signal(signal.SIGTERM)
    ending = StateDirectory(state_dir).socket()
    while ending.exists():
        time.sleep(0.002)
    began = time.monotonic()
    daemon.signal(signal.SIGTERM)
    code = daemon.code()
    hanging.close()
    assert 128 + signal.SIGTERM == code
    assert time.monotonic() - began < 1.0
