"""What starting, ending and forgetting children costs, in processor seconds and bytes; for `actors.py`."""

from __future__ import annotations

import gc
import tracemalloc
from time import process_time
from typing import TYPE_CHECKING, Any, Protocol

import anyio
from anyio.lowlevel import checkpoint

from wsmgr.actors import Actor, ActorRef, ChildSpec, ChildStatus, DynamicSupervisor, Normal, Stop, Supervisor
from wsmgr.actors.task_supervisor import TaskSupervisor

if TYPE_CHECKING:
    from collections.abc import Callable

RUNNING = 100
"""Children that run while memory is measured: the loop's own few hundred bytes are then no part of the ratio."""


class Idle(Actor[None]):
    """Does nothing, and ends when it is sent something."""

    async def handle_cast(self, message: None) -> Stop:
        return Stop()


async def start_dynamic(count: int) -> float:
    """Time `count` times `start_child`, one after the other."""
    async with DynamicSupervisor() as supervisor:
        started = process_time()
        await _fill(supervisor, count)
        return process_time() - started


async def stop_dynamic(count: int) -> float:
    """Time the end of a dynamic supervisor with `count` children, from leaving its body to the last one's end."""
    started = 0.0
    async with DynamicSupervisor() as supervisor:
        await _fill(supervisor, count)
        gc.collect()
        started = process_time()
    return process_time() - started


async def stop_dynamic_from_outside(count: int) -> float:
    """Time the end of a dynamic supervisor with `count` children whose `run()` is cancelled."""
    started = 0.0
    supervisor = DynamicSupervisor()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(supervisor.run)
        while supervisor.tree().status is not ChildStatus.RUNNING:
            await checkpoint()
        await _fill(supervisor, count)
        gc.collect()
        started = process_time()
        tasks.cancel_scope.cancel()
    return process_time() - started


async def stop_static(count: int) -> float:
    """Time the end of a static supervisor with `count` children, which end one after the other."""
    started = 0.0
    async with Supervisor([ChildSpec(number, Idle) for number in range(count)]) as supervisor:
        _expect(count, supervisor.count_children().active)
        gc.collect()
        started = process_time()
    return process_time() - started


async def memory_of_temporary_children(warm_up: int, count: int) -> tuple[int, int]:
    """Return the traced bytes after `warm_up` temporary children have ended, and after `count` more."""
    async with DynamicSupervisor() as supervisor:

        async def start(*, ends: bool) -> ActorRef[Any]:
            ref = await supervisor.start_child(ChildSpec("temporary", Idle, restart="temporary"))
            if ends and not ref.cast(None):
                raise RuntimeError(f"{ref} did not take its message")
            return ref

        return await _memory(start, lambda: supervisor.count_children().specs, warm_up, count)


async def memory_of_tasks(warm_up: int, count: int) -> tuple[int, int]:
    """Return the traced bytes after `warm_up` supervised tasks have ended, and after `count` more."""
    async with TaskSupervisor() as tasks:

        async def start(*, ends: bool) -> ActorRef[Any]:
            ref: ActorRef[Any] = await tasks.start(checkpoint if ends else anyio.sleep_forever)
            return ref

        return await _memory(start, lambda: tasks.count_children().specs, warm_up, count)


class _Start(Protocol):
    async def __call__(self, *, ends: bool) -> ActorRef[Any]: ...


async def _memory(start: _Start, known: Callable[[], int], warm_up: int, count: int) -> tuple[int, int]:
    async def run(number: int) -> int:
        for _ in range(number):
            ref = await start(ends=True)
            with ref.monitor() as monitor:
                await monitor.wait()
            if ref.exit_reason != Normal():
                raise RuntimeError(f"{ref} ended with {ref.exit_reason}")
            del ref, monitor
        while known() > RUNNING:
            await checkpoint()
        _expect(RUNNING, known())
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        for _ in range(RUNNING):
            await start(ends=False)
        return await run(warm_up), await run(count)
    finally:
        tracemalloc.stop()


async def _fill(supervisor: DynamicSupervisor, count: int) -> None:
    for number in range(count):
        await supervisor.start_child(ChildSpec(number, Idle))
    _expect(count, supervisor.count_children().active)


def _expect(count: int, active: int) -> None:
    if active != count:
        raise RuntimeError(f"{active} children run, not {count}")
