"""`wsmgr subscribe` and `wsmgr tail` as processes: streams, pipes, Ctrl-C, gaps, with a daemon and without one."""

from __future__ import annotations

import json
import signal
import threading
from contextlib import ExitStack
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.cli.running import NOWHERE, Outcome, Process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli, Spawn
    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

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


class Drained:
    """A process whose stdout is read as it comes: a pipe that nobody reads fills up and stops the process."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self._thread = threading.Thread(target=self._drain)
        self._thread.start()

    def line(self) -> dict[str, Any]:
        """The next line of JSON; the end of stdout fails the test."""
        line = self._lines.get()
        assert line, f"stdout has ended; {self.process.outcome()}"
        found: dict[str, Any] = json.loads(line)
        return found

    def outcome(self) -> Outcome:
        """Wait for its end; what has been read from it already is not in the outcome."""
        left = b"".join(iter(self._lines.get, b""))
        ended = self.process.outcome()
        return Outcome(ended.code, left, ended.err.encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.signal(signal.SIGKILL)
        self._thread.join()

    def _drain(self) -> None:
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(b"")


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
    backend: str, url: str, state_dir: Path, cli: Cli
) -> None:
    """Five lines with the fields of the contract, exit code 0, and nothing written to the state directory."""
    arguments = ["--backend", backend, "--url", url, "subscribe", "l2Book", "--coin", "BTC"]
    outcome = cli(*arguments, "--count", "5", "--json")
    assert 0 == outcome.code, outcome
    assert [FIELDS] * 5 == [list(line) for line in outcome.lines]
    assert [1, 2, 3, 4, 5] == [line["seq"] for line in outcome.lines]
    assert {"BTC"} == {line["data"]["coin"] for line in outcome.lines}
    assert f"no daemon runs: a manager of this process streams (on {backend}" in outcome.err.splitlines()[0]
    assert not state_dir.exists()


def test_subscribe_with_a_daemon_streams_the_same_lines(daemon: Path, url: str, cli: Cli) -> None:
    """A program reads the same fields, whoever holds the socket, and is told on stderr who does."""
    arguments = ["subscribe", "l2Book", "--coin", "ETH", "--count", "5", "--json"]
    outcome = cli("--url", url, *arguments, state_dir=daemon)
    assert 0 == outcome.code, outcome
    assert [FIELDS] * 5 == [list(line) for line in outcome.lines]
    assert outcome.err.startswith(f"attached to the daemon at {daemon}")


@pytest.mark.parametrize("attached", ["--attach", "--no-attach"])
def test_a_stream_on_two_sockets_is_one_stream(
    attached: str, daemon: Path, venue: SimulatorThread, cli: Cli
) -> None:
    """`--redundancy 2`, with a daemon and without one: each message once, and the venue sends it twice."""
    asked = len(sockets_of(venue, "SOL"))
    wish = ["subscribe", "trades", "--coin", "SOL", "--redundancy", "2", "--count", "100", "--json"]
    outcome = cli("--url", venue.address.url, attached, *wish, state_dir=daemon)
    assert 0 == outcome.code, outcome
    seqs = [line["seq"] for line in outcome.lines]
    assert list(range(seqs[0], seqs[0] + 100)) == seqs
    assert 2 == len(sockets_of(venue, "SOL")) - asked


def sockets_of(venue: SimulatorThread, coin: str) -> list[int]:
    """The sockets on which the venue was asked for the trades of a coin."""
    return [
        socket["connection"]
        for socket in venue.log()["connections"]
        for frame in socket["received"]
        if frame["text"].startswith('{"method":"subscribe"') and f'"coin":"{coin}"' in frame["text"]
    ]


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


@pytest.mark.parametrize(("count", "code"), [(["--count", "2"], 1), ([], 0)])
def test_time_that_is_over_on_a_dead_venue_says_what_was_waited_for(
    count: list[str], code: int, cli: Cli
) -> None:
    """`0 of 2 messages` alone does not tell a quiet venue from one that refuses connections."""
    dead = ["--url", NOWHERE, "subscribe", "l2Book", "--coin", "BTC"]
    outcome = cli(*dead, "--duration", "0.4", *count)
    last = outcome.err.splitlines()[-1]
    assert (code, b"") == (outcome.code, outcome.out), outcome
    assert last.startswith("the time is over")
    assert "refused" in last


def test_time_that_is_over_with_a_daemon_says_what_was_waited_for(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also who reads along with a daemon is told why nothing came."""
    url = ["--url", NOWHERE]
    assert 0 == cli(*url, "daemon", "start").code
    try:
        monkeypatch.setattr("wsmgr.cli.subscribe.PATIENCE", 0.2)
        id_ = cli("subscribe", "l2Book", "--coin", "BTC", "--detach").out.decode().strip()
        outcome = cli("tail", id_, "--duration", "0.3", "--count", "1")
    finally:
        cli("daemon", "stop")
    assert (1, b"") == (outcome.code, outcome.out), outcome
    assert "refused" in outcome.err.splitlines()[-1]


def test_what_is_kept_though_its_acknowledgement_is_late_has_its_id_on_stdout(
    daemon: Path, venue: SimulatorThread, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`id=$(wsmgr subscribe ... --detach)` can end it, although the exit code is 1."""
    monkeypatch.setattr("wsmgr.cli.subscribe.PATIENCE", 0.3)
    venue.set_faults("slow_ack=3")
    try:
        outcome = cli("subscribe", "trades", "--coin", "LTC", "--detach", state_dir=daemon)
    finally:
        venue.set_faults()
    id_ = outcome.out.decode().strip()
    assert (1, True) == (outcome.code, bool(id_)), outcome
    assert f"wsmgr unsubscribe {id_}" in outcome.err
    assert outcome.out == cli("unsubscribe", id_, state_dir=daemon).out


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
    first, second = spawn(*stream, state_dir=daemon), spawn(*stream, "--count", "40", state_dir=daemon)
    heard = [json.loads(read_lines(process, 1)[0])["id"] for process in (first, second)]
    first.signal(signal.SIGINT)
    outcome = first.outcome()
    assert 130 == outcome.code, outcome
    assert all(line["data"]["coin"] == "SOL" for line in outcome.lines)
    last = second.outcome()
    assert 0 == last.code, last
    assert 39 == len(last.lines)
    assert {last.lines[0]["id"]} == set(heard)


def test_a_reader_goes_on_after_the_venue_was_lost_and_is_told_of_the_gap(
    daemon: Path, venue: SimulatorThread, spawn: Spawn
) -> None:
    """No silent loss: on stderr always, and among the lines where they are asked for. Ctrl-C ends each after a whole line."""
    stream = ["--url", venue.address.url, "subscribe", "bbo", "--coin", "DOGE"]
    with ExitStack() as stack:

        def started(*arguments: str, **options: Path) -> Drained:
            return stack.enter_context(Drained(spawn(*arguments, **options)))

        alone = started("--no-attach", *stream, "--raw")
        attached = started(*stream, "--json", "--events", state_dir=daemon)
        raw = started(*stream, "--raw", state_dir=daemon)
        readers = (alone, attached, raw)
        for reader in readers:
            reader.line()
        venue.kill()
        for reader in readers:
            read_until(reader.process, b"gap of ")
        told_at = json.loads(venue.request("POST", "/info", {"type": "exchangeStatus"}))["time"]
        gap = next(line for line in iter(attached.line, None) if line.get("event") == "gap")
        assert gap["reason"]
        for reader in readers:
            assert any(line["data"]["time"] > told_at for line in iter(reader.line, None) if "data" in line)
            reader.process.signal(signal.SIGINT)
            outcome = reader.outcome()
            assert 130 == outcome.code, outcome
            assert all(isinstance(line, dict) for line in outcome.lines)
