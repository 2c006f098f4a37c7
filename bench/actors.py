"""What actors cost, on asyncio, uvloop and trio, beside bars that are ratios within one run.

    python bench/actors.py [--backend asyncio|uvloop|trio] [--only cast,call,start,stop,memory,introspection]

Ends with 1 when a bar is missed. What is compared runs in one process, in alternating rounds; each figure is the median of
its rounds, on both sides of a ratio. Times are processor time of this process, which others on the machine disturb least;
"clock" says how much longer each measure took by the clock: 1.0 on an idle machine, as nothing here waits for anything.
Figures without a bar are for information.
"""

from __future__ import annotations

import argparse
import faulthandler
import sys
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

import actors_children as children
import actors_messages as messages
import anyio
import uvloop
from actors_rounds import Report, seconds_of

from wsmgr.actors.introspection import statistics, trace

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from wsmgr.actors import ActorRef

BACKENDS: dict[str, dict[str, Any]] = {
    "asyncio": {"backend": "asyncio"},
    "uvloop": {"backend": "asyncio", "backend_options": {"loop_factory": uvloop.new_event_loop}},
    "trio": {"backend": "trio"},
}
ROUNDS = 25
CASTS, AWAITED = 40 * messages.CHUNK, 4 * messages.CHUNK
CALLS = 1_000
STARTS = 1_000
STOP_ROUNDS, FEW, MANY = 7, 400, 4_000
WARM_UP, TEMPORARY = 1_000, 10_000
LIMIT = 300
"""Seconds after which a measure is given up."""


async def measure_cast(report: Report) -> None:
    """Compare `cast` with an anyio memory stream."""
    in_cast: list[tuple[float, float]] = []
    in_send: list[tuple[float, float]] = []
    seconds = await seconds_of(
        {
            "cast": lambda: messages.cast(CASTS, in_cast),
            "awaited": lambda: messages.stream_awaited(AWAITED),
            "nowait": lambda: messages.stream_nowait(CASTS, in_send),
            "paced": lambda: messages.stream_nowait(CASTS, [], messages.PACE),
        },
        ROUNDS,
    )
    rates = {name: (AWAITED if name == "awaited" else CASTS) / each for name, each in seconds.items()}
    report.heading(
        f"cast: chunks of {messages.CHUNK}, default mailbox, from the first cast to the last handled"
    )
    for name, label, putting in (
        ("cast", "cast", in_cast),
        ("nowait", "stream, send_nowait and batched receive_nowait", in_send),
    ):
        each, put = (median(part) / CASTS * 1e9 for part in zip(*putting, strict=True))
        report.figure(label, f"{rates[name] / 1e6:.2f} M/s")
        report.figure("  producer + consumer, each message", f"{put:.0f} + {each - put:.0f} ns")
    report.figure(
        f"the same, yielding after {messages.PACE} as an actor does", f"{rates['paced'] / 1e6:.2f} M/s"
    )
    report.figure("stream, awaited send and receive", f"{rates['awaited'] / 1e6:.2f} M/s")
    report.at_least("cast / awaited stream", rates["cast"] / rates["awaited"], 5.0)
    bar = 0.4 if report.backend == "trio" else 0.5
    report.at_least("cast / send_nowait with batched receive_nowait", rates["cast"] / rates["nowait"], bar)


async def measure_call(report: Report) -> None:
    """Compare `call` with two tasks that wake each other."""
    seconds = await seconds_of(
        {
            "call": lambda: messages.call(CALLS),
            "events": lambda: messages.event_round_trip(CALLS),
        },
        ROUNDS,
    )
    report.heading(f"call: {CALLS:,} one after the other, default timeout")
    report.figure("call", f"{seconds['call'] / CALLS * 1e6:.2f} us")
    report.figure("event round trip", f"{seconds['events'] / CALLS * 1e6:.2f} us")
    report.below("call / event round trip", seconds["call"] / seconds["events"], 3.0)


async def measure_start(report: Report) -> None:
    """Say how many children start in a second."""
    seconds = await seconds_of({"dynamic": lambda: children.start_dynamic(STARTS)}, STOP_ROUNDS)
    report.heading(f"start: {STARTS:,} children, one after the other")
    report.figure("DynamicSupervisor.start_child", f"{STARTS / seconds['dynamic'] / 1e3:.1f} k/s")


async def measure_stop(report: Report) -> None:
    """Compare the end of many children with the end of a tenth of them."""
    report.heading(f"stop: {FEW:,} and {MANY:,} children; starting them is not timed")
    ways: dict[str, Callable[[int], Awaitable[float]]] = {
        "DynamicSupervisor": children.stop_dynamic,
        "DynamicSupervisor, cancelled from outside": children.stop_dynamic_from_outside,
        "Supervisor": children.stop_static,
    }
    for name, stop in ways.items():
        seconds = await seconds_of(
            {"few": lambda: stop(FEW), "many": lambda: stop(MANY)},  # noqa: B023 - awaited here
            STOP_ROUNDS,
        )
        report.figure(name, f"{seconds['few'] * 1e3:.1f}, {seconds['many'] * 1e3:.1f} ms")
        report.at_most(f"{name}: {MANY:,} / {FEW:,}", seconds["many"] / seconds["few"], 20.0)


async def measure_memory(report: Report) -> None:
    """Compare the memory after many ended children with the memory after a tenth of them."""
    report.heading(
        f"memory: after {WARM_UP:,} ended temporary children, and {TEMPORARY:,} more; {children.RUNNING} run throughout"
    )
    kinds: dict[str, Callable[[int, int], Awaitable[tuple[int, int]]]] = {
        "DynamicSupervisor": children.memory_of_temporary_children,
        "TaskSupervisor": children.memory_of_tasks,
    }
    for name, memory in kinds.items():
        before, after = await memory(WARM_UP, TEMPORARY)
        report.figure(name, f"{before / 1e3:.0f}, {after / 1e3:.0f} kB")
        report.figure("  growth, each ended child", f"{(after - before) / TEMPORARY:.2f} bytes")
        report.at_most(f"{name}: after / before", after / before, 1.1)


async def measure_introspection(report: Report) -> None:
    """Say what it costs to watch an actor, and to have watched it."""
    seconds = await seconds_of(
        {
            "never watched": lambda: messages.cast(CASTS, []),
            "watched before": lambda: messages.cast(CASTS, [], _watched_before),
            "statistics on": lambda: messages.cast(CASTS, [], lambda ref: statistics(ref, on=True)),
            "trace into an empty function": lambda: messages.cast(
                CASTS, [], lambda ref: trace(ref, lambda _event: None)
            ),
        },
        ROUNDS,
    )
    report.heading("introspection: cast while the actor is")
    for name, each in seconds.items():
        report.figure(name, f"{CASTS / each / 1e6:.2f} M/s")


async def _watched_before(ref: ActorRef[int]) -> None:
    await statistics(ref, on=True)
    await trace(ref, lambda _event: None)
    await statistics(ref, on=False)
    await trace(ref, None)


MEASURES: dict[str, Callable[[Report], Awaitable[None]]] = {
    "cast": measure_cast,
    "call": measure_call,
    "start": measure_start,
    "stop": measure_stop,
    "memory": measure_memory,
    "introspection": measure_introspection,
}


def measure(report: Report, name: str) -> None:
    """Take one measure in an event loop of its own; a lost message must not let it wait for ever."""
    faulthandler.dump_traceback_later(LIMIT, exit=True)
    clock, processor = perf_counter(), process_time()
    anyio.run(MEASURES[name], report, **BACKENDS[report.backend])
    report.figure("clock", f"{(perf_counter() - clock) / (process_time() - processor):.1f}")
    faulthandler.cancel_dump_traceback_later()


def main() -> None:
    """Measure, print, and end with 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description="The costs of wsmgr.actors.")
    parser.add_argument("--backend", choices=BACKENDS, action="append", help="by default all")
    parser.add_argument("--only", default=",".join(MEASURES), help="what to measure, separated by commas")
    arguments = parser.parse_args()
    wanted = [name for name in MEASURES if name in arguments.only.split(",")]
    unknown = set(arguments.only.split(",")) - set(MEASURES)
    if unknown:
        parser.error(f"nothing is called {', '.join(sorted(unknown))}; there are {', '.join(MEASURES)}")
    report = Report()
    for backend in arguments.backend or BACKENDS:
        report.backend = backend
        for name in wanted:
            measure(report, name)
    print()
    for miss in report.missed:
        print(f"MISSED  {miss}")
    sys.exit(1 if report.missed else 0)


if __name__ == "__main__":
    main()
