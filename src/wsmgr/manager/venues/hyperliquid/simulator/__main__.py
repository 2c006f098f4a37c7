"""Runs the simulator with the options of `wsmgr sim hyperliquid`, for a checkout without the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Literal

from wsmgr.manager.venues.hyperliquid.simulator.faults import FaultError, parse_faults
from wsmgr.manager.venues.hyperliquid.simulator.options import SimulatorOptionError, SimulatorOptions
from wsmgr.manager.venues.hyperliquid.simulator.server import run


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments and run; returns the exit code, 2 for arguments that cannot be meant."""
    parser = argparse.ArgumentParser(prog="python -m wsmgr.manager.venues.hyperliquid.simulator")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=_rate)
    parser.add_argument("--fault", action="append", default=[], metavar="NAME[=VALUE]")
    parser.add_argument("--record", type=Path, metavar="FILE")
    parser.add_argument("--replay", type=Path, metavar="FILE")
    parser.add_argument("--loop", action="store_true")
    parser.add_argument("--idle-timeout", type=float, default=60.0, metavar="SECONDS")
    chosen = parser.parse_args(arguments)
    try:
        options = SimulatorOptions(
            host=chosen.host,
            port=chosen.port,
            seed=chosen.seed,
            rate=chosen.rate,
            faults=parse_faults(chosen.fault),
            record=chosen.record,
            replay=chosen.replay,
            loop=chosen.loop,
            idle_timeout=chosen.idle_timeout,
        )
    except (FaultError, SimulatorOptionError) as error:
        parser.error(str(error))
    return run(options)


def _rate(text: str) -> float | Literal["real"]:
    return "real" if text == "real" else float(text)


if __name__ == "__main__":
    sys.exit(main())
