"""Fixtures for the whole suite: both backends through one name, and the simulator as a venue on a real socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions, SimulatorThread, parse_faults

StartSimulator = Callable[..., SimulatorThread]


@pytest.fixture(
    params=[
        pytest.param(("asyncio", {"use_uvloop": True}), id="asyncio"),
        pytest.param(("trio", {}), id="trio"),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The event loop that an async test runs on: asyncio with uvloop, and trio."""
    backend: tuple[str, dict[str, Any]] = request.param
    return backend


@pytest.fixture
def start_simulator() -> Iterator[StartSimulator]:
    """Start simulators, each in a thread of its own; they are stopped after the test."""
    running: list[SimulatorThread] = []

    def start(*faults: str, **options: Any) -> SimulatorThread:
        simulator = SimulatorThread(SimulatorOptions(faults=parse_faults(list(faults)), **options))
        running.append(simulator)
        simulator.__enter__()
        return simulator

    yield start
    for simulator in running:
        simulator.__exit__(None, None, None)


@pytest.fixture
def simulator(start_simulator: StartSimulator) -> SimulatorThread:
    """A simulator without faults, 50 frames a second of each stream."""
    return start_simulator(rate=50)
