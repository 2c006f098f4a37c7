"""The tools for tests do what they promise."""

from __future__ import annotations

import time

import anyio
import anyio.lowlevel
import pytest

from wsmgr.actors import LeakError, Started
from wsmgr.actors.testing import EventRecorder, Probe, check_leaks, run_virtually, settle, virtual_backend

pytestmark = pytest.mark.anyio


async def test_a_day_takes_no_time() -> None:
    """Virtual time jumps from deadline to deadline."""
    before, real = anyio.current_time(), time.perf_counter()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.sleep, 3600)
        await anyio.sleep(24 * 3600)
    assert pytest.approx(24 * 3600) == anyio.current_time() - before
    assert time.perf_counter() - real < 5


async def test_what_is_ready_runs_before_time_moves() -> None:
    """A deadline never overtakes work that can be done now."""
    log: list[str] = []

    async def work() -> None:
        for _ in range(100):
            await anyio.lowlevel.checkpoint()
        log.append("work")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        await anyio.sleep(0.000001)
        log.append("deadline")
    assert ["work", "deadline"] == log


async def test_task_left_running_is_a_leak() -> None:
    """With its name and where it stands."""
    async with anyio.create_task_group() as tasks:
        with pytest.raises(LeakError, match="sleeper"):
            async with check_leaks():
                tasks.start_soon(anyio.sleep_forever, name="sleeper")
        tasks.cancel_scope.cancel()


async def test_waiting_for_what_never_comes_times_out(recorder: EventRecorder) -> None:
    """A test never hangs on an event or a condition."""
    with pytest.raises(TimeoutError):
        await recorder.wait_for(Started)
    with pytest.raises(TimeoutError):
        await settle(lambda: False)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_without_a_plugin(backend: str) -> None:
    """`run_virtually` is anyio.run with a clock that jumps."""

    async def main() -> float:
        before = anyio.current_time()
        await anyio.sleep(1000)
        return anyio.current_time() - before

    assert pytest.approx(1000) == run_virtually(main, backend=backend)


def test_unknown_backend_is_refused() -> None:
    """Virtual time exists for two."""
    with pytest.raises(ValueError, match="curio"):
        virtual_backend("curio")


async def test_probe_outside_of_a_supervisor_is_only_an_object() -> None:
    """It starts when it is started."""
    assert Probe("x").journal == []
