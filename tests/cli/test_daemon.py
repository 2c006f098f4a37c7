"""The daemon's life and the commands that ask it."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from wsmgr.cli.daemon import described
from wsmgr.manager.daemon.process import runs
from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions, SimulatorThread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Cli, Spawn

LISTED = [
    "id",
    "venue",
    "type",
    "key",
    "params",
    "class",
    "connection",
    "state",
    "quiet",
    "error",
    "kept",
    "consumers",
    "subscribed_at",
    "last_message_at",
    "message_count",
    "messages_per_minute",
    "rate",
    "gaps",
    "dropped",
    "reconnects",
    "redundancy",
    "second_connection",
]
CONNECTION = [
    "id",
    "venue",
    "classes",
    "state",
    "socket",
    "url",
    "subscriptions",
    "users",
    "opened_at",
    "uptime_seconds",
    "rtt_ms",
    "reconnects",
    "next_attempt_at",
    "reason",
]
UNKNOWN = "nope"
FRAMES = (
    '{"channel":"bbo",  "data":{"coin":"BTC","time":1708622398623,"bbo":[null,null]}}',
    '{"data":{"bbo":[null,null],"time":1708622398624,"coin":"BTC"},"channel":"bbo"}',
    '{"channel":"bbo","data":{"coin":"BTC","time":1708622398625,"bbo":[null,{"px":"1.0","sz":"\\u00b5","n":1}]}}',
)


def test_a_detached_subscription_outlives_the_daemon_and_ends_when_it_is_ended(
    url: str, state_dir: Path, cli: Cli, spawn: Spawn
) -> None:
    """Start, detach, stop, list, start again: the same id and no lower count; unsubscribed, it stays gone.

    At the end the daemon is killed: who reads from it says that it waits, and for how long; Ctrl-C ends that at once.
    """
    assert 0 == cli("--url", url, "daemon", "start").code
    again = cli("--url", url, "daemon", "start")
    assert 0 == again.code
    assert "runs already" in again.err
    status = cli("daemon", "status", "--json").document
    assert ("ok", str(state_dir), url) == (
        status["status"],
        status["state_dir"],
        status["venues"]["hyperliquid"]["url"],
    )
    kept, ended = (cli("subscribe", "l2Book", "--coin", coin, "--detach") for coin in ("BTC", "ETH"))
    assert (0, 0) == (kept.code, ended.code)
    id_ = kept.out.decode().strip()
    assert 0 == cli("tail", id_, "--count", "3", "--json").code
    assert ended.out == cli("unsubscribe", ended.out.decode().strip()).out
    assert [id_] == [row["id"] for row in cli("list", "--json").document]
    assert 0 == cli("daemon", "stop").code
    assert not runs(status["pid"])
    (stopped,) = cli("list", "--json").document
    assert (id_, "stopped") == (stopped["id"], stopped["state"])
    assert stopped["message_count"] >= 3
    assert 3 == cli("daemon", "status").code
    assert 0 == cli("--url", url, "daemon", "restart").code
    assert 0 == cli("tail", id_, "--count", "1", "--json").code
    (back,) = cli("list", "--json").document
    assert (id_, "live") == (back["id"], back["state"])
    assert back["message_count"] >= stopped["message_count"]
    reader = spawn("tail", id_, "--json")
    assert reader.stdout.readline()
    os.kill(cli("daemon", "status", "--json").document["pid"], signal.SIGKILL)
    told = next(line for line in reader.stderr if b"broke off" in line)
    assert b"the daemon has 30 s to be back" in told
    reader.signal(signal.SIGINT)
    assert 130 == reader.outcome().code
    assert 3 == cli("tail", id_).code


@pytest.fixture
def replayed(tmp_path: Path) -> Iterator[str]:
    """The address of a venue that sends three frames as they stand: spaces, the order of members, escapes."""
    capture = tmp_path / "capture.jsonl"
    head = '{"subscription":{"type":"bbo","coin":"BTC"},"frame":'
    capture.write_text("".join(f'{head}{frame},"timestamp":0.0}}\n' for frame in FRAMES))
    with SimulatorThread(SimulatorOptions(replay=capture)) as venue:
        yield venue.address.url


@pytest.mark.parametrize(
    ("backend", "number", "code"), [("asyncio", signal.SIGINT, 130), ("trio", signal.SIGTERM, 0)]
)
def test_raw_prints_the_bytes_of_the_venue_with_a_daemon_in_the_foreground_and_without(
    backend: str, number: signal.Signals, code: int, replayed: str, state_dir: Path, spawn: Spawn, cli: Cli
) -> None:
    """On both backends, byte for byte.

    The daemon logs to stderr alone and ends by a signal: Ctrl-C is 130, a service manager's SIGTERM is success; the socket
    is gone, and nothing was on stdout.
    """
    raw = ["--url", replayed, "subscribe", "bbo", "--coin", "BTC", "--raw", "--count", "3"]
    daemon = spawn("--backend", backend, "--url", replayed, "daemon", "run")
    alone = cli("--backend", backend, "--no-attach", *raw)
    while b"daemon_ready" not in (line := daemon.stderr.readline()):
        assert line
    assert backend == cli("daemon", "status", "--json").document["backend"]
    attached = cli("--attach", *raw)
    wanted = "".join(f"{frame}\n" for frame in FRAMES).encode()
    assert [(0, wanted), (0, wanted)] == [(outcome.code, outcome.out) for outcome in (alone, attached)]
    daemon.signal(number)
    outcome = daemon.outcome()
    assert (code, b"") == (outcome.code, outcome.out), outcome
    assert not (state_dir / "wsmgr.sock").exists()
    assert "Traceback" not in outcome.err


def test_lists_have_the_fields_of_the_contract(daemon: Path, cli: Cli) -> None:
    """Programs rely on these names."""
    id_ = cli("subscribe", "trades", "--coin", "BTC", "--detach", state_dir=daemon).out.decode().strip()
    rows = {row["id"]: row for row in cli("list", "--json", state_dir=daemon).document}
    assert LISTED == list(rows[id_])
    assert rows[id_] == cli("get", id_, "--json", state_dir=daemon).document | {
        name: rows[id_][name] for name in ("last_message_at", "message_count", "messages_per_minute", "rate")
    }
    assert CONNECTION == list(cli("connections", "--json", state_dir=daemon).document[0])
    metrics = cli("metrics", id_, "--json", state_dir=daemon).document
    assert id_ == metrics["id"]
    assert id_ in {row["id"] for row in cli("metrics", "--json", state_dir=daemon).document}
    tree = cli("tree", "--json", state_dir=daemon).document
    assert {"id", "type", "status", "restarts", "children"} == set(tree)
    assert [] == cli("gaps", id_, "--json", state_dir=daemon).document
    events = cli("events", "--json", state_dir=daemon).document
    assert "connected" in {event["kind"] for event in events}
    assert id_ == cli("unsubscribe", id_, state_dir=daemon).out.decode().strip()


def test_tables_of_a_running_daemon(daemon: Path, cli: Cli) -> None:
    """In a pipe each list is aligned text under a line of titles."""
    id_ = cli("subscribe", "bbo", "--coin", "BTC", "--detach", state_dir=daemon).out.decode().strip()
    for command, title in (("list", "ID"), ("metrics", "ID"), ("connections", "ID"), ("events", "AT")):
        text = cli(command, state_dir=daemon).out.decode()
        assert text.startswith(f"{title} "), text
        assert text.count("\n") >= 2
    assert "bbo?coin=BTC" in cli("list", "--type", "bbo", state_dir=daemon).out.decode()
    assert f"id:                  {id_}\n" in cli("get", id_, state_dir=daemon).out.decode()
    assert "├── core  (supervisor, running)" in cli("tree", state_dir=daemon).out.decode()
    cli("unsubscribe", id_, state_dir=daemon)


@pytest.mark.parametrize("command", ["get", "tail", "metrics", "gaps", "unsubscribe"])
def test_an_unknown_id_fails_and_is_named(command: str, daemon: Path, cli: Cli) -> None:
    """Exit code 1, as without a daemon."""
    outcome = cli(command, UNKNOWN, state_dir=daemon)
    assert (1, b"") == (outcome.code, outcome.out)
    assert f"'{UNKNOWN}'" in outcome.err


def test_the_others_are_ended_when_one_id_is_unknown(daemon: Path, cli: Cli) -> None:
    """The ids that were ended are on stdout, and the exit code says that not all were."""
    id_ = cli("subscribe", "bbo", "--coin", "ETH", "--detach", state_dir=daemon).out.decode().strip()
    outcome = cli("unsubscribe", UNKNOWN, id_, state_dir=daemon)
    assert (1, f"{id_}\n".encode()) == (outcome.code, outcome.out)


@pytest.mark.parametrize("command", ["list", "subscribe bbo --coin BTC --count 1", "connections"])
def test_another_address_than_the_daemons_is_refused(command: str, daemon: Path, url: str, cli: Cli) -> None:
    """`--url` never means something that is not done: with the daemon's own it goes on. A secret in it is not shown."""
    other = cli("--url", "ws://127.0.0.1:1/ws?token=secret", *command.split(), state_dir=daemon)
    assert (2, b"") == (other.code, other.out)
    assert url in other.err
    assert "secret" not in other.err
    assert 0 == cli(*command.split(), "--url", f"{url}?token=secret", state_dir=daemon).code


@pytest.mark.parametrize("command", ["daemon run", "db init --fresh"])
def test_a_state_directory_that_is_in_use_is_refused_with_the_holder(
    command: str, daemon: Path, url: str, cli: Cli
) -> None:
    """A second daemon on the same state says who has it, and nobody takes the state from under the first."""
    pid = cli("daemon", "status", "--json", state_dir=daemon).document["pid"]
    outcome = cli("--url", url, *command.split(), state_dir=daemon)
    assert 1 == outcome.code
    assert f"the process {pid}" in outcome.err
    assert (daemon / "wsmgr.db").exists()


def test_status_says_that_nothing_can_be_written_and_since_when() -> None:
    """And how much waits in the consumers' buffers."""
    document: dict[str, Any] = {
        "status": "ok",
        "pid": 42,
        "state_dir": "/s",
        "socket": "/s/wsmgr.sock",
        "version": "1",
        "backend": "trio",
        "uptime_seconds": 3.0,
        **dict.fromkeys(("subscriptions", "connections", "consumers"), 1),
        "buffers": {"bytes": 12_300, "limit": 268_435_456},
        "store": {"trouble": None, "since": None},
        "venues": {},
    }
    well = described(document)
    document["store"] = {"trouble": "the disk is full; make space", "since": "2026-03-01T12:00:00.5Z"}
    ill = described(document)
    assert "buffered:      12.3 kB of 268.4 MB" in well.splitlines()
    assert {"store:         in memory only since 2026-03-01T12:00:00Z: the disk is full; make space"} == set(
        ill.splitlines()
    ) - set(well.splitlines())
