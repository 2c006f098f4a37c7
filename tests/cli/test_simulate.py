"""`wsmgr sim`: the simulator as a process: its first line, its exit codes, its quiet end."""

from __future__ import annotations

import json
import signal
import socket
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.cli.running import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Cli, Spawn

CAPTURED = '{"subscription":{"type":"bbo","coin":"BTC"},"frame":{"channel":"bbo","data":{"coin":"BTC"}},"timestamp":0}'


@pytest.mark.parametrize(("ending", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_the_first_line_of_a_simulator_is_its_address_and_a_signal_ends_it_quietly(
    ending: signal.Signals, code: int, spawn: Spawn, cli: Cli
) -> None:
    """Scripts read one line of JSON and go on; nothing more comes on either stream; Ctrl-C has its own exit code."""
    simulator = spawn("sim", "hyperliquid", "--port", "0", "--rate", "50", "--fault", "late=2")
    address = json.loads(simulator.stdout.readline())
    assert ["dialect", "url", "explorer_url", "pid"] == list(address)
    assert ("hyperliquid", simulator.pid) == (address["dialect"], address["pid"])
    base = address["url"].removeprefix("ws://").removesuffix("/ws")
    assert f"ws://{base}/explorer/ws" == address["explorer_url"]
    stream = ["--url", address["url"], "subscribe", "bbo", "--coin", "BTC", "--count", "1", "--json"]
    assert 0 == cli(*stream).code
    with urllib.request.urlopen(f"http://{base}/sim/log", timeout=PATIENCE) as response:
        assert 1 == json.load(response)["dials"]
    simulator.signal(ending)
    outcome = simulator.outcome()
    assert (code, b"", "") == (outcome.code, outcome.out, outcome.err)


def test_a_capture_goes_round_on_the_address_that_was_named(tmp_path: Path, spawn: Spawn, cli: Cli) -> None:
    """`--host` and `--replay --loop`: more messages than the file holds, from where it was asked to listen."""
    capture = tmp_path / "capture.jsonl"
    capture.write_text(f"{CAPTURED}\n")
    options = ["--host", "localhost", "--replay", str(capture), "--loop", "--rate", "50"]
    simulator = spawn("sim", "hyperliquid", *options)
    url = json.loads(simulator.stdout.readline())["url"]
    assert url.startswith("ws://localhost:")
    assert 0 == cli("--url", url, "subscribe", "bbo", "--coin", "BTC", "--count", "3", "--raw").code


def test_a_simulator_whose_output_nobody_reads_serves_on(spawn: Spawn) -> None:
    """`wsmgr sim ... | true`: no traceback, no early end."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    simulator = spawn("sim", "hyperliquid", "--port", str(port))
    simulator.stdout.close()
    deadline = time.monotonic() + PATIENCE
    while not answers(port):
        assert time.monotonic() < deadline, "the simulator does not serve"
    simulator.signal(signal.SIGTERM)
    assert b"" == simulator.stderr.read()
    assert 0 == simulator.code()


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/sim/log", timeout=1) as response:
            return bool(response.status == 200)
    except OSError:
        time.sleep(0.02)  # between two attempts to connect
        return False


def test_a_port_that_is_taken_is_named(cli: Cli) -> None:
    """And what to do instead."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = cli("sim", "hyperliquid", "--port", str(port))
    assert (1, b"") == (outcome.code, outcome.out)
    assert (
        f"wsmgr: the simulator cannot start: port {port} of 127.0.0.1 is taken; name another" in outcome.err
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--fault", "nope"], 2, "unknown fault 'nope'"),
        (["--rate", "0"], 2, "rate is 0.0: give frames a second"),
        (["--port", "99999"], 2, "port is 99999"),
        (["--loop"], 2, "loop is set without replay"),
        (
            ["--replay", "nowhere.jsonl"],
            1,
            "the simulator cannot start: cannot read the capture nowhere.jsonl",
        ),
        (["--record", "nowhere/file.jsonl"], 1, "the simulator cannot start"),
    ],
)
def test_a_simulator_that_cannot_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, message: str, cli: Cli
) -> None:
    """2 for what cannot be meant, 1 for what does not work; nothing on stdout."""
    monkeypatch.chdir(tmp_path)
    outcome = cli("sim", "hyperliquid", *arguments)
    assert (code, b"") == (outcome.code, outcome.out)
    assert message in outcome.err
    assert "Traceback" not in outcome.err
