"""A simulated venue, a daemon on it, and the command line, in this process and in one of its own."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cli.running import PATIENCE, Outcome, Process, environment, run
from wsmgr.cli.main import main
from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions, SimulatorThread

Cli = Callable[..., Outcome]
Spawn = Callable[..., Process]


@pytest.fixture(scope="session")
def venue() -> Iterator[SimulatorThread]:
    """A simulated venue; who kills its sockets or sets faults shares it and puts it right again."""
    with SimulatorThread(SimulatorOptions(rate=50)) as simulator:
        yield simulator


@pytest.fixture
def url(venue: SimulatorThread) -> str:
    return venue.address.url


@pytest.fixture(scope="session")
def daemon(venue: SimulatorThread) -> Iterator[Path]:
    """The state directory of a daemon that runs on the venue; tests take subscriptions of their own."""
    with TemporaryDirectory(prefix="wsmgr-test-") as name:
        directory = Path(name) / "state"
        environ = environment(directory)
        started = run("--url", venue.address.url, "daemon", "start", environ=environ)
        assert started.code == 0, started
        try:
            yield directory
        finally:
            stopped = run("daemon", "stop", environ=environ)
            assert stopped.code == 0, stopped


@pytest.fixture
def state_dir() -> Iterator[Path]:
    """A state directory in which no daemon runs; its path is short enough for a socket."""
    with TemporaryDirectory(prefix="wsmgr-test-") as name:
        yield Path(name) / "state"


@pytest.fixture
def cli(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> Iterator[Cli]:
    """Runs the command line in this process: quick, for what needs no process of its own."""
    loggers = [logging.getLogger(), logging.getLogger("wsmgr")]
    before = [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers]

    def run_here(*arguments: str, state_dir: Path = state_dir) -> Outcome:
        for name, value in environment(state_dir).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["wsmgr", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsysbinary.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    yield run_here
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate


@pytest.fixture
def spawn(state_dir: Path) -> Iterator[Spawn]:
    """Starts `wsmgr` as a process; what still runs at the end of the test is killed."""
    processes: list[Process] = []

    def start(*arguments: str, state_dir: Path = state_dir, patience: float = PATIENCE) -> Process:
        processes.append(Process(*arguments, environ=environment(state_dir), patience=patience))
        return processes[-1]

    yield start
    for process in processes:
        process.end()
