"""The simulator as a process: its first line, its exit codes, its quiet end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = (sys.executable, "-m", "wsmgr.manager.venues.hyperliquid.simulator")
DEADLINE = 20.0


@pytest.mark.parametrize(("ending", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_process_prints_its_address_and_ends_quietly_on_a_signal(ending: signal.Signals, code: int) -> None:
    """One JSON line that a script reads, then nothing more, on either stream; Ctrl-C has its own exit code."""
    with subprocess.Popen(COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())
        assert ("hyperliquid", process.pid) == (address["dialect"], address["pid"])
        base = address["url"].removeprefix("ws://").removesuffix("/ws")
        assert f"ws://{base}/explorer/ws" == address["explorer_url"]
        with urllib.request.urlopen(f"http://{base}/sim/log", timeout=DEADLINE) as response:
            assert 0 == json.load(response)["dials"]
        process.send_signal(ending)
        assert ("", "") == process.communicate(timeout=DEADLINE)
        assert code == process.returncode


def test_process_whose_output_nobody_reads_serves_on() -> None:
    """`wsmgr sim ... | true`: no traceback, no early end."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [*COMMAND, "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        deadline = time.monotonic() + DEADLINE
        while not _answers(port):
            assert time.monotonic() < deadline, "the simulator does not serve"
        assert process.poll() is None
        process.terminate()
        assert 0 == process.wait(DEADLINE)
        assert "" == process.stderr.read()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/sim/log", timeout=1) as response:
            return bool(response.status == 200)
    except OSError:
        time.sleep(0.02)  # between two attempts to connect
        return False


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--fault", "nope"], 2, "unknown fault 'nope'"),
        (["--rate", "0"], 2, "rate is 0.0: give frames a second"),
        (["--port", "99999"], 2, "port is 99999"),
        (
            ["--replay", "nowhere.jsonl"],
            1,
            "the simulator cannot start: cannot read the capture nowhere.jsonl",
        ),
        (["--record", "nowhere/file.jsonl"], 1, "the simulator cannot start"),
    ],
)
def test_process_that_cannot_start_says_why(
    tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    """2 for what cannot be meant, 1 for what does not work; nothing on stdout."""
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE, check=False
    )
    assert (code, "") == (done.returncode, done.stdout)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
