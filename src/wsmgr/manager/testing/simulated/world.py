"""World: a venue, the way to it and a machine, on the clock of the running loop.

::

    async def main():
        async with simulated(SimulatorOptions(rate=50)) as world:
            async with Manager(url=URL) as manager:
                trades = await manager.subscribe("trades", coin="BTC", wait="live")
                world.network.connections[1].reset()
                ...

    in_virtual_time(main, seed=7)
"""

from __future__ import annotations

import logging
import random
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, TypeVar
from unittest import mock

import anyio
from attrs import frozen

from wsmgr.actors.testing.virtual_time import run_virtually
from wsmgr.manager.testing.simulated.machine import Machine
from wsmgr.manager.testing.simulated.network import Network
from wsmgr.manager.testing.simulated.truth import Truth

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

    from wsmgr.manager.venues.hyperliquid.simulator.options import SimulatorOptions

T = TypeVar("T")


@frozen
class World:
    """What there is around a manager.

    Attributes:
        network: The venue and the way to it.
        machine: Where the manager runs.
        truth: What the venue made, and what reached the client.
    """

    network: Network
    machine: Machine
    truth: Truth


@asynccontextmanager
async def simulated(options: SimulatorOptions | None = None, *, seed: int = 1) -> AsyncGenerator[World]:
    """Run a world; each manager that is entered inside lives in it.

    Args:
        options: How the venue behaves; by default at its real cadence.
        seed: What latencies and backoff are drawn from.
    """
    truth = Truth()
    network = Network(options, seed=seed, witness=truth)
    truth.watch(network)
    machine = Machine(network, seed=seed)
    with machine.installed():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(network.run)
            yield World(network, machine, truth)
            tasks.cancel_scope.cancel()


def in_virtual_time(fn: Callable[[], Awaitable[T]], *, seed: int = 1, backend: str = "asyncio") -> T:
    """Run `await fn()` in virtual time, without logging, in an order that depends on the seed alone; returns its result.

    Args:
        fn: What to run.
        seed: What the order of trio's tasks is drawn from; asyncio's is given.
        backend: `asyncio` or `trio`.
    """
    with _silent(), _ordered(seed):
        return run_virtually(fn, backend=backend)


@contextmanager
def _silent() -> Generator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _ordered(seed: int) -> Generator[None]:
    """Make trio's order of tasks, which it draws at random on purpose, a matter of the seed."""
    order = random.Random(f"{seed}:trio")  # noqa: S311 - a test, not a secret
    with (
        mock.patch("trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING", new=True),
        mock.patch("trio._core._run._r", order),
    ):
        yield
