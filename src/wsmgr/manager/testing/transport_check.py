"""What a check of a transport is, and what checks are made of."""

# ruff: noqa: S101, PT017 (checks speak in assertions, expected first; they need no test framework)

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

import anyio
import anyio.to_thread
from attrs import frozen

from wsmgr.manager.transport import Closed, Connect, Dial, DialError, Socket, SocketClosedError

CHECK_TIMEOUT = 15.0
"""Seconds that one check may take."""


class Peer(Protocol):
    """A server that plays scenarios."""

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        ...

    @property
    def scenarios(self) -> frozenset[str]:
        """The scenarios that it knows."""
        ...

    def take(self, timeout: float = 5.0) -> str:
        """Return the next thing that it said; blocks."""
        ...

    def proceed(self) -> None:
        """Let scripts that wait for it go on."""
        ...


MakePeer: TypeAlias = Callable[[], AbstractContextManager[Peer]]


@frozen
class Check:
    """One promise of a transport.

    Attributes:
        name: The promise, as a sentence with underscores.
        scenario: What the peer must know.
        run: Raises AssertionError where the promise is broken.
    """

    name: str
    scenario: str
    run: Callable[[Connect, Peer], Awaitable[None]]

    async def __call__(self, connect: Connect, make_peer: MakePeer) -> None:
        """Run the check against a fresh peer, within `CHECK_TIMEOUT`, and see that no task is left."""
        before = len(anyio.get_running_tasks())
        with make_peer() as peer, anyio.fail_after(CHECK_TIMEOUT):
            await self.run(connect, peer)
        assert before == len(anyio.get_running_tasks()), f"{self.name}: a task was left behind"


class Sink:
    """Takes batches, keeps copies, and lets a check wait for a number of frames."""

    def __init__(self) -> None:
        """Begin empty."""
        self.batches: list[list[bytes]] = []
        self._arrived = anyio.Event()

    @property
    def frames(self) -> list[bytes]:
        """All frames so far."""
        return [frame for batch in self.batches for frame in batch]

    def __call__(self, batch: list[bytes]) -> None:
        """Take a batch."""
        self.batches.append(list(batch))
        self._arrived.set()

    async def wait_for(self, count: int) -> list[bytes]:
        """Return the frames when there are at least `count`."""
        while len(frames := self.frames) < count:
            self._arrived = anyio.Event()
            await self._arrived.wait()
        return frames


def check_into(
    checks: list[Check], scenario: str
) -> Callable[[Callable[[Connect, Peer], Awaitable[None]]], None]:
    """Return a decorator that makes a coroutine function a check in `checks`, named like the function."""

    def register(run: Callable[[Connect, Peer], Awaitable[None]]) -> None:
        checks.append(Check(run.__name__, scenario, run))

    return register


async def heard(peer: Peer) -> str:
    """Return the next thing that the peer says."""
    return await anyio.to_thread.run_sync(peer.take)


async def gone(peer: Peer) -> None:
    """See that the peer's connection is closed."""
    said = await heard(peer)
    assert said == "gone", f"the peer's connection should be closed, but it said {said!r}"


async def dial_error(connect: Connect, dial: Dial) -> DialError:
    """Return the error of a dial that must fail; it shows no secret of the URL."""
    try:
        async with connect(dial, Sink()):
            pass
    except DialError as error:
        assert "secret" not in str(error), f"the query is in the error's text: {error}"
        return error
    raise AssertionError(f"{dial} connected, though it should have been refused")


async def send_refused(socket: Socket) -> Closed:
    """Return why a send was refused."""
    try:
        await socket.send("too late")
    except SocketClosedError as error:
        return error.closed
    raise AssertionError("a send on a closed socket did not raise")


def ended(closed: Closed, *, code: int | None, by: str) -> None:
    """Compare code and origin of an end."""
    assert (code, by) == (closed.code, closed.by), f"expected {code} by {by}, got {closed!r}"
