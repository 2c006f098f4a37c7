"""`wsmgr subscribe` and `wsmgr tail` as processes: streams, pipes, Ctrl-C, gaps, with a daemon and without one."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.running import NOWHERE, Process
from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions, SimulatorThread

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli, Spawn

FIELDS = [
    "id",
    "venue",
    "type",
    "key",
    "seq",
    "epoch",
    "received_at",
    "venue_time",
    "venue_seq",
    "snapshot",
    "replayed",
    "healed",
    "duplicates",
    "gap",
    "data",
]
FRAMES = (
    '{"channel":"bbo",  "data":{"coin":"BTC","time":1708622398623,"bbo":[null,null]}}',
    '{"data":{"bbo":[null,null],"time":1708622398624,"coin":"BTC"},"channel":"bbo"}',
    '{"channel":"bbo","data":{"coin":"BTC","time":1708622398625,"bbo":[null,{"px":"1.0","sz":"\\u00b5","n":1}]}}',
)


def read_lines(process: Process, count: int) -> list[bytes]:
    return [process.stdout.readline() for _ in range(count)]


def read_until(process: Process, word: bytes) -> None:
    """Read stderr up to the line that has the word; the process's own end ends it too."""
    for line in process.stderr:
        if word in line:
            return
    raise AssertionError(f"{word!r} was not said; {process.outcome()}")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_subscribe_without_a_daemon_streams_by_itself_on_both_backends(
    backend: str, url: str, spawn: Spawn
) -> None:
    """Five lines with the fields of the contract, exit code 0, and nothing written to the state directory."""
    arguments = ["--backend", backend, "--url", url, "subscribe", "l2Book", "--coin", "BTC"]
    outcome = spawn(*arguments, "--count", "5", "--json").outcome()
    assert 0 == outcome.code, outcome
    assert [FIELDS] * 5 == [list(line) for line in outcome.lines]
    assert [1, 2, 3, 4, 5] == [line["seq"] for line in outcome.lines]
    assert {"BTC"} == {line["data"]["coin"] for line in outcome.lines}
    assert f"no daemon runs: a manager of this process streams (on {backend}" in outcome.err.splitlines()[0]


def test_subscribe_with_a_daemon_streams_the_same_lines(daemon: Path, url: str, cli: Cli) -> None:
    """A program reads the same fields, whoever holds the socket, and is told on stderr who does."""
    arguments = ["subscribe", "l2Book", "--coin", "ETH", "--count", "5", "--json"]
    outcome = cli("--url", url, *arguments, state_dir=daemon)
    assert 0 == outcome.code, outcome
    assert [FIELDS] * 5 == [list(line) for line in outcome.lines]
    assert outcome.err.startswith(f"attached to the daemon at {daemon}")


def test_raw_prints_the_bytes_of_the_venue_with_a_daemon_and_without(
    tmp_path: Path, spawn: Spawn, cli: Cli
) -> None:
    """Spaces, the order of members and escapes in a frame are as the venue sent them."""
    capture = tmp_path / "capture.jsonl"
    head = '{"subscription":{"type":"bbo","coin":"BTC"},"frame":'
    capture.write_text("".join(f'{head}{frame},"timestamp":0.0}}\n' for frame in FRAMES))
    wanted = "".join(f"{frame}\n" for frame in FRAMES).encode()
    with SimulatorThread(SimulatorOptions(replay=capture)) as venue:
        raw = ["--url", venue.address.url, "subscribe", "bbo", "--coin", "BTC", "--raw", "--count", "3"]
        daemon = spawn("--url", venue.address.url, "daemon", "run")
        alone = cli("--no-attach", *raw)
        read_until(daemon, b"daemon_ready")
        attached = cli("--attach", *raw)
    assert [(0, wanted), (0, wanted)] == [(outcome.code, outcome.out) for outcome in (alone, attached)]


@pytest.mark.parametrize("options", [["--no-attach"], ["--attach"], ["--detach"]])
def test_a_refusal_of_the_venue_exits_4_with_its_words(
    options: list[str], daemon: Path, url: str, cli: Cli
) -> None:
    """With a daemon and without one."""
    outcome = cli("--url", url, "subscribe", "trades", "--coin", "NOSUCH", *options, state_dir=daemon)
    assert (4, b"") == (outcome.code, outcome.out)
    assert "Invalid subscription" in outcome.err
    assert "NOSUCH" in outcome.err


@pytest.mark.parametrize("attached", ["--attach", "--no-attach"])
@pytest.mark.parametrize(("count", "code"), [(["--count", "100000"], 1), ([], 0)])
def test_a_duration_that_is_over_before_the_count_fails(
    attached: str, count: list[str], code: int, daemon: Path, url: str, cli: Cli
) -> None:
    """A script that waits for so many messages is told that they did not come; alone it ends a stream in order."""
    timed = ["--url", url, "subscribe", "l2Book", "--coin", "BTC", "--json", "--duration", "0.4", *count]
    outcome = cli(attached, *timed, state_dir=daemon)
    assert code == outcome.code, outcome
    assert outcome.lines
    assert code == ("of 100000 messages" in outcome.err)


def test_a_venue_that_does_not_answer_ends_the_patience_with_what_the_dial_said(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for the first acknowledgement is told why it does not come."""
    monkeypatch.setattr("wsmgr.cli.subscribe.PATIENCE", 0.3)
    outcome = cli("--url", NOWHERE, "subscribe", "l2Book", "--coin", "BTC")
    assert 1 == outcome.code
    assert NOWHERE in outcome.err
    assert "refused" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_closed_pipe_ends_a_stream_quietly(daemon: Path, url: str, spawn: Spawn) -> None:
    """`| head -1` has had enough: exit code 0 and no traceback, with a daemon and without one."""
    # Small frames: what could not be written stays in Python's buffer, which the interpreter tries again at exit.
    stream = ["--url", url, "subscribe", "bbo", "--coin", "BTC", "--json"]
    for process in (spawn("--no-attach", *stream), spawn(*stream, state_dir=daemon)):
        process.stdout.readline()
        process.stdout.close()
        read_until_end = process.stderr.read().decode()
        assert 1 == read_until_end.count("\n"), read_until_end
        assert 0 == process.code()


def test_ctrl_c_ends_a_reader_with_130_and_leaves_the_others_undisturbed(
    daemon: Path, url: str, spawn: Spawn
) -> None:
    """Two readers of one subscription are one subscription; each ends alone, after a whole line."""
    stream = ["--url", url, "subscribe", "l2Book", "--coin", "SOL", "--json"]
    alone = spawn("--no-attach", *stream)
    first, second = spawn(*stream, state_dir=daemon), spawn(*stream, "--count", "40", state_dir=daemon)
    heard = {process: read_lines(process, 1) for process in (alone, first, second)}
    for process in (alone, first):
        process.signal(signal.SIGINT)
        outcome = process.outcome()
        assert 130 == outcome.code, outcome
        assert all(line["data"]["coin"] == "SOL" for line in outcome.lines)
    last = second.outcome()
    assert 0 == last.code, last
    assert 39 == len(last.lines)
    ids = {json.loads(lines[0])["id"] for process, lines in heard.items() if process is not alone}
    assert {last.lines[0]["id"]} == ids


def test_a_reader_goes_on_after_the_venue_was_lost_and_is_told_of_the_gap(
    daemon: Path, venue: SimulatorThread, spawn: Spawn
) -> None:
    """No silent loss: on stderr always, and among the lines where they are asked for."""
    # Small frames: nothing here reads stdout for a while, and a full pipe would stop the reader.
    stream = ["--url", venue.address.url, "subscribe", "bbo", "--coin", "DOGE"]
    alone = spawn("--no-attach", *stream, "--raw")
    attached = spawn(*stream, "--json", "--events", state_dir=daemon)
    raw = spawn(*stream, "--raw", state_dir=daemon)
    readers = (alone, attached, raw)
    for process in readers:
        read_lines(process, 2)
    venue.kill()
    for process in readers:
        read_until(process, b"gap of ")
    events: list[dict[str, Any]] = []
    while not any(event.get("event") == "gap" for event in events):
        events.append(json.loads(attached.stdout.readline()))
    (gap,) = (event for event in events if event.get("event") == "gap")
    assert gap["reason"]
    for process in readers:
        read_lines(process, 2)
        process.signal(signal.SIGINT)
        assert 130 == process.outcome().code


def test_a_reader_whose_daemon_is_killed_fails_and_says_so(url: str, state_dir: Path, spawn: Spawn) -> None:
    """Exit code 1: nobody waits for ever for a daemon that is gone."""
    daemon = spawn("--url", url, "daemon", "run")
    read_until(daemon, b"daemon_ready")
    reader = spawn("subscribe", "l2Book", "--coin", "BTC", "--json")
    read_lines(reader, 1)
    daemon.signal(signal.SIGKILL)
    outcome = reader.outcome()
    assert 1 == outcome.code, outcome
    assert "broke off" in outcome.err
    assert str(state_dir) in outcome.err
