"""Machine: where a manager runs in a simulated world: its clocks, its threads, its disk and its way to the network.

Work for threads is done in the loop: a thread would make a run depend on the machine under it, and virtual time
jumps while one works.
"""

from __future__ import annotations

import random
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple
from unittest import mock

import anyio
from anyio.lowlevel import checkpoint

from wsmgr.manager.runtime.clock import Clock
from wsmgr.manager.runtime.context import Context
from wsmgr.manager.testing.simulated.network import EPOCH

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from wsmgr.manager.testing.simulated.network import Network
    from wsmgr.manager.testing.simulated.socket import SimulatedSocket
    from wsmgr.manager.transport.protocol import Dial, OnBatch

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_MANAGER = "wsmgr.manager.manager"


class Machine:
    """The machine of one manager at a time.

    Args:
        network: What it is connected to.
        seed: What its backoff draws from.

    Attributes:
        running: Whether its process runs; a dead one reaches nothing.
        disk_delay: Seconds that work for a thread, such as a write to the disk, takes at most.
    """

    def __init__(self, network: Network, *, seed: int = 1) -> None:
        """Make a machine that runs."""
        self.running = True
        self.disk_delay = 0.0
        self._network = network
        self._random = random.Random(f"{seed}:machine")  # noqa: S311 - a simulation, not a secret

    def wall(self) -> float:
        """Unix seconds."""
        return EPOCH + anyio.current_time()

    @contextmanager
    def installed(self) -> Generator[None]:
        """Make each manager that is entered inside run on this machine."""
        clock = Clock(anyio.current_time, self.wall, anyio.current_time, anyio.current_time)
        context = partial(Context, uniform=self._random.uniform)
        with ExitStack() as stack:
            for target, replacement in (
                (f"{_MANAGER}.current_clock", lambda: clock),
                (f"{_MANAGER}.select", lambda: self.connect),
                (f"{_MANAGER}.Context", context),
                ("anyio.to_thread.run_sync", self._run_in_loop),
            ):
                stack.enter_context(mock.patch(target, replacement))
            yield

    @asynccontextmanager
    async def connect(self, dial: Dial, on_batch: OnBatch) -> AsyncGenerator[SimulatedSocket]:
        """Dial, as a process of this machine: one that is dead waits for ever."""
        if not self.running:
            await anyio.sleep_forever()
        async with self._network.connect(dial, on_batch) as socket:
            yield socket

    def crash(self) -> None:
        """The process dies: its connections end without a word, and what is left of it reaches nothing any more."""
        self.running = False
        for connection in list(self._network.connections.values()):
            connection.vanish()

    def start(self) -> None:
        """Let a new process run."""
        self.running = True

    async def _run_in_loop(
        self,
        function: Callable[[*Ts], T],
        *args: *Ts,
        **options: Any,  # noqa: ANN401, ARG002 - those of `to_thread.run_sync`
    ) -> T:
        """Do work for a worker thread in the loop; like a thread's it is not interrupted.

        It is done at some moment of the time that it takes: a process that dies meanwhile may or may not have done it.
        """
        await checkpoint()
        before = self._random.uniform(0.0, self.disk_delay)
        after = self._random.uniform(0.0, self.disk_delay - before)
        await _pause(before)
        try:
            return function(*args)
        finally:
            await _pause(after)


async def _pause(seconds: float) -> None:
    with anyio.CancelScope(shield=True):
        await anyio.sleep(seconds)
