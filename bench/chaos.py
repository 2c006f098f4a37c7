"""Chaos: many seeds of the whole manager under random faults, on virtual time (`make chaos`).

`python bench/chaos.py --seeds 500 --minutes 60` runs the seeds 1 to 500, an hour each, on all processors, and prints a line for each
run, the first few of each broken promise, a summary, and how long anybody was blind as a Markdown table. It fails where a promise
was broken. `--seed 7` runs one seed and prints all that it broke; with `--log` what happened in it too.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from wsmgr.manager.testing.chaos import Report, blindness_table, run_seed, summary

SHOWN = 2


def main(arguments: argparse.Namespace) -> bool:
    seeds = range(1, arguments.seeds + 1) if arguments.seed is None else [arguments.seed]
    shown = SHOWN if arguments.seed is None else sys.maxsize
    run = partial(
        run_seed,
        minutes=arguments.minutes,
        restarts=not arguments.without_restarts,
        backend=arguments.backend,
    )
    began = time.monotonic()
    reports: list[Report] = []
    with ProcessPoolExecutor(arguments.processes) as pool:
        for report in pool.map(run, seeds):
            reports.append(report)
            print(report.line, flush=True)
            said: Counter[str] = Counter()
            for complaint in report.complaints:
                said[complaint.invariant] += 1
                if said[complaint.invariant] <= shown:
                    print(f"    {complaint.at:10.3f}  {complaint.invariant}: {complaint.text}", flush=True)
            if arguments.log:
                print("\n".join(report.log))
    took = time.monotonic() - began
    print(f"\n{summary(reports, arguments.minutes)}; {took:.0f} s\n\n{blindness_table(reports)}")
    return not any(report.complaints for report in reports)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run the manager under random faults on virtual time.")
    parser.add_argument("--seeds", type=int, default=20, help="run the seeds 1 to this")
    parser.add_argument("--seed", type=int, help="run this seed alone")
    parser.add_argument("--minutes", type=float, default=10.0, help="simulated minutes of chaos in each run")
    parser.add_argument("--processes", type=int, help="how many run at once; all processors by default")
    parser.add_argument("--backend", choices=("asyncio", "trio"), default="asyncio")
    parser.add_argument("--without-restarts", action="store_true", help="never stop or kill the process")
    parser.add_argument("--log", action="store_true", help="print what happened in each run")
    sys.exit(0 if main(parser.parse_args()) else 1)
