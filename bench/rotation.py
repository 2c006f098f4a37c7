"""Rotation at full speed: is anything lost or doubled while streams go from socket to socket every second?

`python bench/rotation.py [SECONDS] [SEED]` has a connection replaced each second, for a minute of virtual time by default, make before
break, while trades come at 10,000 items a second, cut into other arrays on each socket, and bbo and l2Book at 500 frames a second each.
It prints what became of each stream, and fails where a unit never came, came twice or out of order, where a gap was told, or where a
rotation did not happen make before break.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

COLUMNS = ("made", "lost", "doubled", "disordered", "gaps", "dropped")


def main(arguments: argparse.Namespace) -> int:
    # What is done stands with the test that does it for three seconds.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tests.chaos.rotating import run_rotation  # noqa: PLC0415 - only found now

    print(f"{arguments.seconds} s, seed {arguments.seed}", flush=True)
    began = time.monotonic()
    outcome = run_rotation(arguments.seconds, arguments.seed)
    print("".join(f"{name:>12}" for name in COLUMNS) + "  stream")
    for kind, stream in outcome.streams.items():
        print("".join(f"{getattr(stream, name):>12}" for name in COLUMNS) + f"  {kind}")
        if stream.first_fault is not None:
            print(f"{kind}: {stream.first_fault}")
    took = outcome.rotations
    slowest = f", the slowest {max(took):.2f} s" if took else ""
    print(
        f"{len(took)} rotations make before break{slowest}; {outcome.broken} break before make; {outcome.sockets} sockets,"
        f" {outcome.arrays} arrays of trades; {time.monotonic() - began:.0f} s"
    )
    clean = all(stream.clean for stream in outcome.streams.values())
    return int(not clean or outcome.broken > 0 or len(took) < arguments.seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Replace a busy connection every second.")
    parser.add_argument("seconds", type=int, nargs="?", default=60, help="simulated seconds")
    parser.add_argument("seed", type=int, nargs="?", default=1)
    sys.exit(main(parser.parse_args()))
