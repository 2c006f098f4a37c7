"""What a daemon holds in memory with 1,000 live subscriptions, and what it costs at one frame a second of each.

    python bench/memory.py [SUBSCRIPTIONS]

Starts the simulator and a daemon as processes of their own, subscribes `trades` and `l2Book` of as many coins as it takes, and
prints the daemon's resident memory and processor time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from wsmgr.manager.daemon import process
from wsmgr.manager.daemon.unix_client import DaemonClient

WSMGR = [sys.executable, "-m", "wsmgr"]
SECONDS = 10.0


def resident_megabytes(pid: int) -> float:
    """Return the resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def processor_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def coins(url: str) -> list[str]:
    """Return the perpetual coins that the simulator lists."""
    base = url.replace("ws://", "http://").removesuffix("/ws")
    request = urllib.request.Request(
        f"{base}/info", data=b'{"type":"meta"}', headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return [asset["name"] for asset in json.load(answer)["universe"]]


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    simulator = subprocess.Popen(
        [*WSMGR, "sim", "hyperliquid", "--rate", "1"], stdout=subprocess.PIPE, text=True
    )
    assert simulator.stdout is not None
    url = json.loads(simulator.stdout.readline())["url"]
    kinds = ("trades", "l2Book", "bbo")
    wishes = [
        {"type": kind, "params": {"coin": coin}, "keep": True} for kind in kinds for coin in coins(url)
    ][:count]
    with tempfile.TemporaryDirectory() as directory:
        state = Path(directory)
        command = [*WSMGR, "--state-dir", directory, "--url", url, "daemon", "run"]
        started = process.start(state, command)
        try:
            print(f"daemon with nothing: {resident_megabytes(started.pid):.0f} MB")
            begun = time.perf_counter()
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda wish: DaemonClient(started.socket).subscribe(wish), wishes))
            print(f"{len(wishes)} subscribed in {time.perf_counter() - begun:.1f} s, one request each")
            before = processor_seconds(started.pid)
            time.sleep(SECONDS)
            used = (processor_seconds(started.pid) - before) / SECONDS
            live = list(DaemonClient(started.socket).items("/v1/subscriptions", {"state": "live"}))
            print(f"{len(live)} live: {resident_megabytes(started.pid):.0f} MB, {used:.1%} of a processor")
        finally:
            process.stop(state)
            simulator.terminate()
            simulator.wait()


if __name__ == "__main__":
    main()
