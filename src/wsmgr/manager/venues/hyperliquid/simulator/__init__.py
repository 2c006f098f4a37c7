"""The Hyperliquid simulator: a venue on this machine that speaks, refuses and fails like the real one.

`wsmgr sim hyperliquid` runs it as a process; :func:`run` is that process, :func:`serve` is the same inside a trio
program, and :class:`SimulatorThread` inside anything else. It shares no table with the manager, but for signatures: it is
what the manager is tested against.
"""

from __future__ import annotations

from wsmgr.manager.venues.hyperliquid.simulator.faults import FaultError, Faults, known_faults, parse_faults
from wsmgr.manager.venues.hyperliquid.simulator.options import (
    Address,
    Limits,
    SimulatorOptionError,
    SimulatorOptions,
    parse_limits,
)
from wsmgr.manager.venues.hyperliquid.simulator.replay import ReplayError
from wsmgr.manager.venues.hyperliquid.simulator.server import run, serve
from wsmgr.manager.venues.hyperliquid.simulator.thread import (
    SimulatorCrashError,
    SimulatorStartError,
    SimulatorThread,
)

__all__ = [
    "Address",
    "FaultError",
    "Faults",
    "Limits",
    "ReplayError",
    "SimulatorCrashError",
    "SimulatorOptionError",
    "SimulatorOptions",
    "SimulatorStartError",
    "SimulatorThread",
    "known_faults",
    "parse_faults",
    "parse_limits",
    "run",
    "serve",
]
