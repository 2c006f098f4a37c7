"""Outages: is every item that a lost connection withheld delivered once, and is every gap proved or filled?

`python bench/outages.py [OUTAGES] [SEED]` lets so many random outages of half a second to a minute hit 15 streams of fills, fundings,
ledger updates, candles and orders, on virtual time; by default 130, which interrupt a stream more than a thousand times. It prints
what became of each type, and fails where a withheld item never came or came twice, or where less than 95 % of a type's gaps were
proved empty or filled.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

REASONS = 5
COLUMNS = ("gaps", "empty", "filled", "open", "withheld", "once", "doubled", "never", "delivered")


def main(arguments: argparse.Namespace) -> int:
    # What is done stands with the test that does it for a few outages.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tests.chaos.outages import run_outages  # noqa: PLC0415 - only found now

    print(f"{arguments.outages} outages, seed {arguments.seed}", flush=True)
    began = time.monotonic()
    tallies = run_outages(arguments.outages, arguments.seed)
    print("".join(f"{name:>10}" for name in (*COLUMNS, "whole")) + "  type")
    for kind, tally in tallies.items():
        values = {name: getattr(tally, name, tally.reasons.total()) for name in COLUMNS}
        print("".join(f"{values[name]:>10}" for name in COLUMNS) + f"{tally.whole:>10.2%}  {kind}")
    failed = False
    for kind, tally in tallies.items():
        for reason, count in tally.reasons.most_common(REASONS):
            print(f"{kind}: {count} open: {reason}")
        for missed in tally.missed_bars:
            failed = True
            print(f"{kind}: MISSED: {missed}")
        for example in tally.examples[:REASONS]:
            print(f"{kind}: {example}")
    gaps = sum(tally.gaps for tally in tallies.values())
    print(f"{gaps} gaps in all; {time.monotonic() - began:.0f} s")
    return int(failed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Let streams of items lose their connection at random.")
    parser.add_argument("outages", type=int, nargs="?", default=130, help="how many outages")
    parser.add_argument("seed", type=int, nargs="?", default=1)
    sys.exit(main(parser.parse_args()))
