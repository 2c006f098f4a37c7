"""A daemon that loses a socket every few seconds: does it stay as large as it is?

`python bench/soak.py 600 [--seed 1] [--speed 5] [--backend asyncio]` keeps a daemon busy for so many seconds: every 2.5 s the simulated venue, whose time
passes `--speed` times as fast, breaks its oldest socket, now and then it lets what is dialled anew flap, and meanwhile clients subscribe, unsubscribe and
read. It prints a line each `--every` seconds, and fails where memory, descriptors, threads or the database are not flat after the warm-up
(`tests/acceptance/soaking.py` says what that is).

`python bench/soak.py --flapping-hours 24 [--fault flap]` lives through so many hours of a venue whose sockets end at once (`--fault drop_every=15`: after
that time) on virtual time, and fails where the daemon's log would be over 10 MB a day.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions, SimulatorThread

RATE = 10


def say(line: str) -> None:
    print(line, flush=True)


def soak(options: argparse.Namespace, directory: Path, stack: ExitStack) -> int:
    from tests.acceptance.soaking import Sample, Soak, not_flat  # noqa: PLC0415 - only found now
    from tests.acceptance.terminal import Daemon  # noqa: PLC0415

    say(f"seed {options.seed}, speed {options.speed:g}, {options.backend}")
    simulated = SimulatorOptions(seed=options.seed, rate=RATE, speed=options.speed)
    venue = stack.enter_context(SimulatorThread(simulated))
    daemon = Daemon(venue.address.url, options.backend, directory / "state")
    stack.callback(daemon.kill)
    daemon.start()

    def show(sample: Sample) -> None:
        if round(sample.at) % options.every == 0:
            say(
                f"{sample.at:7.0f} s  memory {sample.memory / 2**20:6.1f} MiB  descriptors {sample.descriptors:3}"
                f"  threads {sample.threads:2}  database {sample.database / 2**20:5.1f} MiB ({sample.rows} rows)"
                f"  log {sample.log / 1000:6.0f} kB"
            )

    work = Soak(venue, daemon.state_dir, options.seed)
    samples = work.run(options.seconds, show)
    live = daemon.all_live(within=60.0)
    found = not_flat(samples)
    say(
        f"{work.lost} sockets lost, {work.changed} subscribed and ended, {work.read} lines read; {len(live)} live at the end;"
        f" {'flat' if not found else 'NOT FLAT: ' + '; '.join(found)}"
    )
    return int(bool(found))


def flapping(options: argparse.Namespace, directory: Path) -> int:
    from tests.acceptance.soaking import LOG_A_DAY, flapping_hours  # noqa: PLC0415 - only found now

    say(f"seed {options.seed}, {options.fault}, {options.flapping_hours:g} simulated hours")
    began = time.monotonic()
    found = flapping_hours(options.flapping_hours, options.fault, directory, seed=options.seed, say=say)
    say(
        f"log {found.log_a_day / 10**6:.1f} MB a day, {LOG_A_DAY / 10**6:.0f} are allowed;"
        f" {found.dials} dials; {time.monotonic() - began:.0f} s"
    )
    return int(found.log_a_day > LOG_A_DAY)


def main() -> int:
    parser = argparse.ArgumentParser(description="Keep a daemon busy, and see whether it grows.")
    parser.add_argument("seconds", type=float, nargs="?", default=600.0, help="how long")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--speed", type=float, default=5.0, help="simulated seconds of the venue in a real one"
    )
    parser.add_argument("--backend", choices=("asyncio", "trio"), default="asyncio")
    parser.add_argument("--every", type=int, default=10, help="seconds between two lines")
    parser.add_argument("--flapping-hours", type=float, help="live through so many hours of flapping instead")
    parser.add_argument("--fault", default="flap", help="what is wrong with the venue then")
    options = parser.parse_args()
    # What is done stands with the test that does it for a moment.
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="wsmgr-soak-")))
        if options.flapping_hours is not None:
            return flapping(options, directory)
        return soak(options, directory, stack)


if __name__ == "__main__":
    sys.exit(main())
