"""Readers of a daemon that lose it, or their connection to it, and come back: processes, sockets, `kill -9`."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.cli.proxy import CuttingProxy
from tests.cli.running import NOWHERE, environment, run
from wsmgr.manager.daemon.stream_client import StreamClient
from wsmgr.manager.daemon.unix_client import path_of
from wsmgr.manager.store.state_directory import StateDirectory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Cli, Spawn
    from tests.cli.running import Process
    from tests.conftest import StartSimulator

CUTS = 20
LONGEST = 8_000
"""Bytes until a cut at most: all cuts together are shorter than what is read, so that each of them happens."""
MESSAGES = 1_500
AWAY = 3.0
"""Seconds between a message and the last one before a kill, at most, and what a reader allows for the way."""


class Undisturbed:
    """Reads a subscription straight from the daemon, as lines, from the entry of a `with` to its end."""

    def __init__(self, client: StreamClient, id_: str) -> None:
        self.lines: dict[tuple[int, int], bytes] = {}
        self._stream = client.lines_after(id_, None)
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.stop()
        self._thread.join()
        self._stream.close()

    def _read(self) -> None:
        for batch in self._stream:
            for line in batch:
                row = json.loads(line)
                if "seq" in row and "data" in row:
                    self.lines[row["epoch"], row["seq"]] = line


@contextmanager
def running_daemon(url: str, state_dir: Path) -> Iterator[Callable[..., Any]]:
    """A daemon in the background that is killed at the end; gives what runs a command on it."""

    def wsmgr(*arguments: str) -> Any:
        outcome = run(*arguments, environ=environment(state_dir))
        assert 0 == outcome.code, outcome
        return outcome

    wsmgr("--url", url, "daemon", "start")
    try:
        yield wsmgr
    finally:
        kill(state_dir)


def kill(state_dir: Path) -> None:
    """End the daemon of a state directory by `kill -9`, where it runs, and wait until it is gone."""
    directory = StateDirectory(state_dir)
    pid = directory.holder()
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while directory.holder() == pid:
            assert time.monotonic() < deadline


def kill_when_read(state_dir: Path, id_: str) -> None:
    """End the daemon by `kill -9` as soon as somebody reads a subscription."""
    client = StreamClient(StateDirectory(state_dir).socket())
    while not client.get(path_of(id_))["consumers"]:
        time.sleep(0.02)
    kill(state_dir)


def kept(wsmgr: Callable[..., Any], *wish: str) -> str:
    return str(wsmgr("subscribe", *wish, "--detach").out.decode().strip())


def said(process: Process, word: bytes) -> bytes:
    """Read stderr up to the line that has the word."""
    for line in process.stderr:
        if word in line:
            return line
    raise AssertionError(f"{word!r} was not said; {process.outcome()}")


@pytest.mark.parametrize("command", ["tail --json", "subscribe --raw"])
def test_a_reader_that_is_cut_off_twenty_times_misses_and_doubles_nothing(
    command: str, start_simulator: StartSimulator, state_dir: Path, spawn: Spawn
) -> None:
    """Wherever its connection is cut, in a line, in a frame, in the head of an answer, it goes on behind its last message."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - to repeat it
    draw = random.Random(seed)
    cuts = [LONGEST, *(draw.choice([draw.randrange(600), draw.randrange(LONGEST)]) for _ in range(CUTS - 1))]
    name, form = command.split()
    simulator = start_simulator(rate=400)
    with running_daemon(simulator.address.url, state_dir) as wsmgr, TemporaryDirectory() as directory:
        id_ = kept(wsmgr, "bbo", "--coin", "BTC")
        socket = StateDirectory(state_dir).socket()
        wish = [id_] if name == "tail" else ["bbo", "--coin", "BTC"]
        with (
            Undisturbed(StreamClient(socket), id_) as undisturbed,
            CuttingProxy(Path(directory) / "wsmgr.sock", socket, cuts) as proxy,
        ):
            reader = spawn(
                name, *wish, form, "--count", str(MESSAGES), state_dir=Path(directory), patience=60
            )
            outcome = reader.outcome()
            assert (0, 0) == (outcome.code, proxy.left), outcome
    printed = outcome.out.splitlines()
    assert MESSAGES == len(printed)
    lines = list(undisturbed.lines.values())
    payloads = lines if form == "--json" else [payload(line) for line in lines]
    found = printed if form == "--json" else [payload(frame) for frame in printed]
    first = payloads.index(found[1])
    assert payloads[first : first + MESSAGES - 1] == found[1:]
    assert b"gap of" not in outcome.err.encode()
    # Two cuts may fall into one absence.
    assert CUTS // 2 <= outcome.err.count("s to be back") <= CUTS


def payload(document: bytes) -> Any:
    """What a frame and its line have in common."""
    return json.loads(document)["data"]


def test_a_script_goes_on_where_it_stopped(daemon: Path, cli: Cli) -> None:
    """`tail --after` with the numbers of the last line: what came between two commands is printed first."""
    id_ = cli("subscribe", "bbo", "--coin", "LTC", "--detach", state_dir=daemon).out.decode().strip()
    last = cli("tail", id_, "--count", "5", "--json", state_dir=daemon).lines[-1]
    cursor = f"{last['epoch']}:{last['seq']}"
    after = cli("tail", id_, "--after", cursor, "--count", "5", "--json", state_dir=daemon)
    wrong = cli("tail", id_, "--after", "yesterday", state_dir=daemon)
    cli("unsubscribe", id_, state_dir=daemon)
    assert [last["seq"] + number for number in range(1, 6)] == [line["seq"] for line in after.lines]
    assert (2, True) == (wrong.code, "cursor" in wrong.err)


@pytest.mark.parametrize("how", ["restarted", "killed"])
def test_a_reader_outlives_its_daemon_and_is_told_the_gap(
    how: str, start_simulator: StartSimulator, state_dir: Path, spawn: Spawn
) -> None:
    """It goes on in the numbering of the new daemon, and the first thing that it hears is what it may have missed."""
    simulator = start_simulator(rate=5)
    with running_daemon(simulator.address.url, state_dir) as wsmgr:
        id_ = kept(wsmgr, "bbo", "--coin", "BTC")
        reader = spawn("tail", id_, "--json", "--events", patience=60)
        until(reader, lambda line: line.get("seq", 0) > 5)
        if how == "killed":
            kill(state_dir)
            assert b"broke off before its end; the daemon has 30 s to be back" in said(reader, b"30 s")
            wsmgr("--url", simulator.address.url, "daemon", "start")
        else:
            wsmgr("--url", simulator.address.url, "daemon", "restart")
            assert b"the daemon ended the stream; the daemon has 30 s to be back" in said(reader, b"30 s")
        said(reader, b"attached to the daemon again")
        told = until(reader, lambda line: line.get("event") == "gap" or line.get("epoch") == 1)
        message = until(reader, lambda line: "data" in line)
        reader.signal(signal.SIGINT)
        assert 130 == reader.outcome().code
    assert "gap" == told.get("event"), told
    assert (1, told["started_at"]) == (message["epoch"], message["gap"]["started_at"])


def test_a_subscription_that_went_with_its_daemon_is_asked_for_again(
    start_simulator: StartSimulator, state_dir: Path, spawn: Spawn
) -> None:
    """Nobody kept it, so the new daemon does not know it: who subscribed subscribes again, and is told the gap."""
    simulator = start_simulator(rate=5)
    with running_daemon(simulator.address.url, state_dir) as wsmgr:
        reader = spawn("subscribe", "bbo", "--coin", "BTC", "--json", patience=60)
        first = until(reader, lambda line: line["seq"] > 5)
        kill(state_dir)
        said(reader, b"30 s to be back")
        wsmgr("--url", simulator.address.url, "daemon", "start")
        message = until(reader, lambda line: line["gap"] or line["seq"] < first["seq"])
        assert b"gap of " in said(reader, b"gap of ")
        reader.signal(signal.SIGINT)
        reader.outcome()
    assert first["id"] == message["id"]
    assert message["gap"]["reason"].startswith("the reader has been away over a restart")
    # The hole begins with what it had last, not with the new subscription.
    last_at = datetime.fromisoformat(first["received_at"])
    began_at = datetime.fromisoformat(message["gap"]["started_at"])
    assert abs((began_at - last_at).total_seconds()) < AWAY


def until(reader: Process, wanted: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Read lines up to the first that is wanted."""
    for line in reader.stdout:
        row: dict[str, Any] = json.loads(line)
        if wanted(row):
            return row
    raise AssertionError(f"the stream ended; {reader.outcome()}")


def test_ctrl_c_ends_a_reader_that_waits_for_its_daemon_at_once(state_dir: Path, spawn: Spawn) -> None:
    """Nobody has to wait thirty seconds for a prompt."""
    with running_daemon(NOWHERE, state_dir):
        id_ = kept_pending(state_dir)
        reader = spawn("tail", id_)
        kill_when_read(state_dir, id_)
        said(reader, b"to be back")
        began = time.monotonic()
        reader.signal(signal.SIGINT)
        assert 130 == reader.code()
    assert time.monotonic() - began < 5


def test_a_daemon_that_does_not_come_back_fails_its_readers_in_time(
    state_dir: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They say what they waited for, and end with the exit code 1."""
    monkeypatch.setattr("wsmgr.cli.returning.PATIENCE", 0.3)
    with running_daemon(NOWHERE, state_dir):
        id_ = kept_pending(state_dir)
        killer = threading.Thread(target=kill_when_read, args=[state_dir, id_])
        killer.start()
        outcome = cli("tail", id_)
        killer.join()
    assert (1, b"") == (outcome.code, outcome.out)
    assert "the daemon has 0.3 s to be back" in outcome.err
    assert "it was not back within 0.3 s" in outcome.err.splitlines()[-1]


def kept_pending(state_dir: Path) -> str:
    """Have the daemon keep a subscription whose venue cannot be reached."""
    client = StreamClient(StateDirectory(state_dir).socket())
    return str(
        client.subscribe({"type": "bbo", "params": {"coin": "BTC"}, "wait": "none", "keep": True})["id"]
    )
