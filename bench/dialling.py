"""How soon ten connections are back when a venue that cut them all and refused every dial takes dials again.

In virtual time, seeded, with the world that the tests use: `Dialling` decides, a dial takes 50 to 300 ms, and the venue counts the dials
that reach it, refused or not.

`python bench/dialling.py [--seeds 100] [--connections 10] [--uptime 120]` prints one line for each length of the outage: seconds from the
venue's return until the last connection was ready, and the most dials in any 60 s over all seeds. It fails where the 95th
percentile is over 9 s, or where the venue saw more than 30 dials in a minute.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

OUTAGES = (2.0, 5.0, 20.0, 60.0)
LATEST, QUOTA = 9.0, 30


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure how soon connections are back after an outage.")
    parser.add_argument(
        "--seeds", type=int, default=100, help="how often each outage is tried, seeds 0, 1, 2, ..."
    )
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument(
        "--uptime", type=float, default=120.0, help="seconds between the start and the outage"
    )
    options = parser.parse_args()
    # The world stands with the tests that assert what is printed here.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tests.manager.model.dialling_world import outage  # noqa: PLC0415 - only found now

    print(f"seeds 0 to {options.seeds - 1}, {options.connections} connections, {QUOTA} dials a minute")
    failed = False
    for away in OUTAGES:
        results = [
            outage(seed, away=away, count=options.connections, limit=QUOTA, uptime=options.uptime)
            for seed in range(options.seeds)
        ]
        seconds = sorted(each.seconds for each in results)
        middle, late = seconds[len(seconds) // 2], seconds[(len(seconds) * 95 + 99) // 100 - 1]
        most = max(each.most for each in results)
        failed |= late > LATEST or most > QUOTA
        print(
            f"away {away:3g} s: p50 {middle:5.2f} s  p95 {late:5.2f} s  worst {seconds[-1]:5.2f} s  most dials {most}"
        )
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
