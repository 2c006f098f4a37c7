"""Everything in processes of its own: the venue, the daemon, the readers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.acceptance.terminal import Daemon, Terminal, Venue
from tests.cli.conftest import cli, state_dir

__all__ = ["cli", "state_dir"]

StartVenue = Callable[..., Venue]
StartDaemon = Callable[..., Daemon]
Open = Callable[..., Terminal]


def start_venue_in(stack: ExitStack, *options: str) -> Venue:
    """Start a venue that is killed when the stack is left."""
    directory = stack.enter_context(TemporaryDirectory(prefix="wsmgr-test-"))
    venue = Venue(*options, state_dir=Path(directory))
    stack.callback(venue.kill)
    return venue


def start_daemon_in(stack: ExitStack, venue: Venue, backend: str) -> Daemon:
    """Start a daemon in a state directory of its own; it is killed when the stack is left."""
    state_dir = Path(stack.enter_context(TemporaryDirectory(prefix="wsmgr-test-"))) / "state"
    daemon = Daemon(venue.url, backend, state_dir)
    stack.callback(daemon.kill)
    daemon.start()
    return daemon


@pytest.fixture
def start_venue() -> Iterator[StartVenue]:
    """Start a simulated venue as a process: `start_venue("--rate", "50")`."""
    with ExitStack() as stack:
        yield lambda *options: start_venue_in(stack, *options)


@pytest.fixture
def start_daemon(start_venue: StartVenue) -> Iterator[StartDaemon]:
    """Start a daemon on a venue: `start_daemon(venue, backend)`."""
    with ExitStack() as stack:
        yield lambda venue, backend: start_daemon_in(stack, venue, backend)


@pytest.fixture
def terminal() -> Iterator[Open]:
    """Start a command that goes on, on a daemon: `terminal(daemon, "subscribe", ...)`."""
    with ExitStack() as stack:

        def start(daemon: Daemon, *arguments: str) -> Terminal:
            terminal = Terminal(*arguments, state_dir=daemon.state_dir)
            stack.callback(terminal.end)
            return terminal

        yield start
