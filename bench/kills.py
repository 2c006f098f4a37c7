"""`kill -9` of the daemon at random moments, while clients subscribe and unsubscribe over its socket.

`python bench/kills.py 100 [--seed 1] [--backend asyncio|trio|both] [--keep DIRECTORY]` kills so many daemons on one state directory, a fifth of
them while they start, and prints a line for each and a summary. After each kill the database is read as the dead process left it,
after each start the daemon's list is compared with what had been acknowledged, and at the end each subscription that was live at a
kill must have a gap in the ledger that covers the moment. It fails where a promise was broken, and names each.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions, SimulatorThread

BACKENDS = {"asyncio": ("asyncio",), "trio": ("trio",), "both": ("asyncio", "trio")}
RATE = 5
SHOWN = 20


def say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill the daemon, again and again, and see what is lost.")
    parser.add_argument("kills", type=int, nargs="?", default=100, help="how many daemons are killed")
    parser.add_argument("--seed", type=int, default=1, help="decides the moments and what the clients do")
    parser.add_argument("--backend", choices=tuple(BACKENDS), default="both")
    parser.add_argument("--keep", type=Path, help="an empty directory for state and log, which is kept")
    options = parser.parse_args()
    # The drill stands with the test that does it a few times.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tests.acceptance.killing import Drill  # noqa: PLC0415 - only found now

    say(f"seed {options.seed}, {options.kills} kills, {options.backend}")
    began = time.monotonic()
    with ExitStack() as stack:
        directory = options.keep or Path(stack.enter_context(TemporaryDirectory(prefix="wsmgr-kills-")))
        venue = stack.enter_context(SimulatorThread(SimulatorOptions(seed=options.seed, rate=RATE)))
        drill = Drill(venue.address.url, options.seed, directory, backends=BACKENDS[options.backend], say=say)
        report = drill.run(options.kills)
    say(f"{report.line}; {time.monotonic() - began:.0f} s")
    for words in report.broken[:SHOWN]:
        say(f"    {words}")
    return int(bool(report.broken))


if __name__ == "__main__":
    sys.exit(main())
