"""Run: one seed from its beginning to its report."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeVar

import anyio

from wsmgr.manager.testing.chaos.faults import FaultBoard
from wsmgr.manager.testing.chaos.invariants import CHECKS, Evidence, blindness, proofs
from wsmgr.manager.testing.chaos.program import Program
from wsmgr.manager.testing.chaos.report import Report
from wsmgr.manager.testing.chaos.scenario import Scenario
from wsmgr.manager.testing.chaos.wishes import PASSING, STEADY
from wsmgr.manager.testing.simulated import EPOCH, in_virtual_time, simulated
from wsmgr.manager.venues.hyperliquid.simulator.options import Limits, SimulatorOptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.testing.chaos.wishes import Complaint

T = TypeVar("T")

CALM = 120.0
SETTLE = 20.0
DISK_DELAY = 0.01
_MEMORY = Path("/dev/shm")  # noqa: S108 - a fresh directory is made in it


def run_seed(seed: int, *, minutes: float = 10.0, restarts: bool = True, backend: str = "asyncio") -> Report:
    """Run the manager against the simulator for some simulated minutes of chaos and a calm, and judge it.

    Args:
        seed: Whatever is random is drawn from it.
        minutes: How long things go wrong.
        restarts: Whether the process is stopped and killed too.
        backend: `asyncio` or `trio`.
    """
    judge = partial(_report, seed)
    return judged(judge, seed, minutes=minutes, restarts=restarts, backend=backend)


def judged(
    judge: Callable[[Evidence], T],
    seed: int,
    *,
    minutes: float,
    restarts: bool = True,
    backend: str = "asyncio",
) -> T:
    """Run a seed and return what `judge` says of what it left behind; the manager still runs then."""
    with TemporaryDirectory(prefix="wsmgr-chaos-", dir=_MEMORY if _MEMORY.is_dir() else None) as directory:
        run = partial(_run, judge, seed, minutes * 60.0, Path(directory), restarts=restarts)
        return in_virtual_time(run, seed=seed, backend=backend)


def complaints_of(evidence: Evidence) -> list[Complaint]:
    """Return every promise that was broken."""
    found = [complaint for check in CHECKS for complaint in check(evidence)]
    return [*evidence.program.complaints, *found]


async def _run(
    judge: Callable[[Evidence], T], seed: int, seconds: float, directory: Path, *, restarts: bool
) -> T:
    verdicts: list[T] = []
    options = SimulatorOptions(rate="real", seed=seed, limits=Limits.real())
    async with simulated(options, seed=seed) as world, anyio.create_task_group() as tasks:
        world.machine.disk_delay = DISK_DELAY
        program = Program(world.machine, world.truth, directory)
        faults = FaultBoard(world.network)
        scenario = Scenario(seed, world.network, program, faults, restarts)
        tasks.start_soon(program.run)
        await program.up.wait()
        program.observe(kind for kind in STEADY + PASSING if "user" in kind.params)
        scenario.want_steady()
        await anyio.sleep(SETTLE)
        await scenario.run(seconds)
        faults.calm()
        await anyio.sleep(CALM)
        await program.up.wait()
        faults.close_forgotten(world.truth)
        gaps, events = await program.ledger()
        evidence = Evidence(program, world.network, faults.record, gaps, events, anyio.current_time())
        verdicts.append(judge(evidence))
        tasks.cancel_scope.cancel()
    return verdicts[0]


def _report(seed: int, evidence: Evidence) -> Report:
    program = evidence.program
    consumers = [consumer for wish in program.wishes for consumer in wish.consumers]
    counts = Counter(
        {
            "wishes": len(program.wishes),
            "messages": sum(consumer.messages for consumer in consumers),
            "faults": len(evidence.faults),
            "visible faults": sum(fault.visible for fault in evidence.faults),
            "connections": len(evidence.network.history),
            "restarts": len(program.restarts),
            "gaps": len(evidence.gaps),
            **{f"empty gaps {name}": count for name, count in sorted(proofs(evidence).counts.items())},
        }
    )
    log = [f"{fault.began:.6f} {fault.kind} {sorted(fault.connections)}" for fault in evidence.faults]
    log += [
        f"{row.at - EPOCH:.6f} {row.kind} {row.connection} {row.subscription_id} {row.detail}"
        for row in evidence.events
    ]
    return Report(seed, counts, tuple(complaints_of(evidence)), tuple(blindness(evidence)), tuple(log))
