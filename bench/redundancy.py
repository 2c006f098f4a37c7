"""Two sockets for one stream: is anything lost or doubled while one of them is killed, again and again?

`python bench/redundancy.py [KILLS] [SEED]` has trades, bbo, l2Book and userFills on two sockets each (`redundancy=2`), real ones, against the
simulator in a thread of its own, at 100 frames a second of each stream. A random one of the two sockets of each stream is reset, by default
100 times; the next ones when every stream stands on two again, after up to a second. What waits to dial is told to dial at once: how soon it would is not
the question here. What was delivered is compared with what the simulator made. It prints that for each stream, and how long its
consumer got nothing when a socket was killed; it fails where a unit never came or came twice, or where a gap was told.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter
from functools import partial
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any
from unittest import mock

import anyio
import msgspec
from attrs import define, field

from wsmgr.manager.manager import Manager
from wsmgr.manager.model.continuity import Gap
from wsmgr.manager.model.message import Message
from wsmgr.manager.runtime.handle import Subscription
from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions, SimulatorThread
from wsmgr.manager.venues.hyperliquid.simulator.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wsmgr.manager.venues.hyperliquid.simulator.sources import Frame

ENGINE = "wsmgr.manager.venues.hyperliquid.simulator.server.Engine"
QUOTAS = ("dials_per_minute", "messages_per_minute")
STREAMS = {
    "trades": {"coin": "BTC"},
    "bbo": {"coin": "BTC"},
    "l2Book": {"coin": "BTC"},
    "userFills": {"user": f"0x{'a' * 40}"},
}
RATE = 100.0
LONGEST_WAIT = 1.0
"""Seconds between the moment in which all streams stand on two sockets and the next kill, at most."""
DEADLINE = 30.0
"""Seconds after a kill until all streams must stand on two sockets again."""
ON_ITS_WAY = 5.0
"""Seconds for which what was made last may be on its way."""
POLL = 0.005
SIDES = 2
COLUMNS = ("made", "lost", "doubled", "disordered", "gaps", "dropped")
WAITING = ("waiting", "flapping")
Socket = tuple[str, float | None]
"""A connection and when its socket was opened."""


@define(eq=False)
class Made:
    """What the venue made of each type, in its order: ids of items, else whole frames."""

    units: dict[str, list[object]] = field(factory=dict[str, "list[object]"])

    def made(self, stream: str, n: int, due: float, frames: Sequence[Frame]) -> None:
        """Take a tick (the simulator's `Witness`), in the simulator's thread."""
        del n, due
        kind = msgspec.json.decode(stream, type=dict[str, object])["type"]
        units = self.units.setdefault(str(kind), [])
        for frame in frames:
            units.extend(units_of(str(kind), msgspec.json.decode(frame.text)["data"], frame.text.encode()))


@define(eq=False)
class Reader:
    """A consumer of one stream, and what it got.

    Attributes:
        kind: The subscription type.
        handle: Its handle.
        got: The units, in the order in which they came.
        arrivals: When each message came.
        gaps: The gaps that it was told of.
    """

    kind: str
    handle: Subscription
    got: list[object] = field(factory=list[object], repr=False)
    arrivals: list[float] = field(factory=list[float], repr=False)
    gaps: list[Gap] = field(factory=list[Gap], repr=False)

    async def run(self) -> None:
        """Read for ever."""
        async for item in self.handle:
            if isinstance(item, Message):
                self.arrivals.append(anyio.current_time())
                self.got += units_of(self.kind, item.data, item.raw)
            elif isinstance(item, Gap):
                self.gaps.append(item)

    def longest_pause(self, since: float, until: float) -> float:
        """Seconds for which nothing came, of the longest such time that was not over at `since`."""
        return max(
            later - earlier
            for earlier, later in pairwise(self.arrivals)
            if later >= since and earlier <= until
        )


def units_of(kind: str, data: object, raw: bytes) -> list[object]:
    """What identifies the units of a frame: its items, or the frame."""
    match kind, data:
        case "trades", list():
            return [trade["tid"] for trade in data]
        case "userFills", {"fills": list(fills)}:
            return [fill["tid"] for fill in fills]
        case _:
            return [raw]


def main(arguments: argparse.Namespace) -> int:
    """Do what the arguments say; returns the exit code."""
    logging.disable(logging.WARNING)
    print(f"{arguments.kills} kills, seed {arguments.seed}, {RATE:g} frames a second", flush=True)
    return anyio.run(run, arguments.kills, arguments.seed, backend_options={"use_uvloop": True})


async def run(kills: int, seed: int) -> int:
    """Kill so many sockets, and print what became of the streams; returns the exit code."""
    made, began = Made(), time.monotonic()
    config = {"venues": {"hyperliquid": {"quotas": dict.fromkeys(QUOTAS, "off")}}}
    options = SimulatorOptions(rate=RATE, seed=seed)
    readers: list[Reader] = []
    periods: list[tuple[float, float]] = []
    newest: dict[str, object] = {}
    with mock.patch(ENGINE, partial(Engine, witness=made)), SimulatorThread(options) as venue:
        async with (
            Manager(url=venue.address.url, config=config) as manager,
            anyio.create_task_group() as tasks,
        ):
            for kind, params in STREAMS.items():
                handle = await manager.subscribe(kind, params=params, redundancy=2, events=True, wait="live")
                readers.append(Reader(kind, handle))
                tasks.start_soon(readers[-1].run)
            periods += await kill_sides(manager, venue, readers, kills, Random(seed))
            newest.update((kind, units[-1]) for kind, units in made.units.items())
            with anyio.move_on_after(ON_ITS_WAY):
                while any(newest[reader.kind] not in reader.got for reader in readers):  # noqa: ASYNC110 - other tasks read
                    await anyio.sleep(POLL)
            tasks.cancel_scope.cancel()
    print("".join(f"{name:>12}" for name in COLUMNS) + "  stream")
    verdicts = [report(reader, made.units[reader.kind], newest[reader.kind]) for reader in readers]
    for reader in readers:
        print_seconds(f"{reader.kind}: nothing came for", [reader.longest_pause(*each) for each in periods])
    print_seconds("on two sockets again after", [again - killed for killed, again in periods])
    print(f"{time.monotonic() - began:.0f} s")
    return int(not all(verdicts))


async def kill_sides(
    manager: Manager, venue: SimulatorThread, readers: Sequence[Reader], kills: int, random: Random
) -> list[tuple[float, float]]:
    """Kill a random socket so often, each time when all stand on two; returns when each kill was, and when they did again."""
    periods: list[tuple[float, float]] = []
    await until_redundant(manager, readers, {})
    for _ in range(kills):
        await anyio.sleep(random.uniform(0.0, LONGEST_WAIT))
        before = {reader.kind: sockets(manager, reader) for reader in readers}
        log = await anyio.to_thread.run_sync(venue.log)
        killed_at = anyio.current_time()
        for number in victims(log["live"], random):
            await anyio.to_thread.run_sync(venue.kill, number)
        await until_redundant(manager, readers, before)
        periods.append((killed_at, anyio.current_time()))
    return periods


def victims(live: Sequence[Mapping[str, Any]], random: Random) -> list[int]:
    """Choose sockets so that each stream loses one of its two; `live` is what the simulator has, by stream and socket."""
    streams: dict[str, set[int]] = {}
    for each in live:
        streams.setdefault(each["subscription"], set()).add(each["connection"])
    chosen: list[int] = []
    for stream in streams.values():
        whole = [other for other in streams.values() if other.isdisjoint(chosen)]
        spared = set[int]().union(*(other for other in streams.values() if other not in whole))
        if stream in whole and stream - spared:
            chosen.append(random.choice(sorted(stream - spared)))
    return chosen


async def until_redundant(
    manager: Manager, readers: Sequence[Reader], before: Mapping[str, frozenset[Socket]]
) -> None:
    """Wait until every stream stands on two sockets, of which one is not of those before; who waits to dial is told to."""
    with anyio.fail_after(DEADLINE):
        while True:
            now = {reader.kind: sockets(manager, reader) for reader in readers}
            if all(len(found) == SIDES and found != before.get(kind) for kind, found in now.items()):
                return
            for connection in manager.connection_info():
                if connection.state in WAITING:
                    manager.reconnect(connection.id)
            await anyio.sleep(POLL)


def sockets(manager: Manager, reader: Reader) -> frozenset[Socket]:
    """The sockets that a stream is delivered from."""
    entry = manager.engine.context.registry.entries[reader.handle.id]
    second = entry.second.connection if entry.second is not None and entry.second.joined else None
    found = [each for each in (entry.connection, second) if each is not None and each.ready]
    return frozenset((each.id, each.opened_monotonic) for each in found)


def report(reader: Reader, made: Sequence[object], newest: object) -> bool:
    """Print what became of a stream, from its first unit that the venue made while it listened; returns whether all is well."""
    began = set(made)
    first = next(unit for unit in reader.got if unit in began)
    expected = made[made.index(first) : made.index(newest) + 1]
    counts = Counter(reader.got)
    place = {unit: number for number, unit in enumerate(expected)}
    places = [place[unit] for unit in reader.got if unit in place]
    faults = (
        sum(not counts[unit] for unit in expected),
        sum(times - 1 for times in counts.values()),
        sum(later < earlier for earlier, later in pairwise(places)),
        len(reader.gaps),
        reader.handle.dropped,
    )
    print("".join(f"{value:>12}" for value in (len(expected), *faults)) + f"  {reader.kind}")
    for gap in reader.gaps:
        print(f"{reader.kind}: {gap}")
    return not any(faults)


def print_seconds(what: str, seconds: Sequence[float]) -> None:
    """Print the middle, the 99th percentile and the largest of some times."""
    ordered = sorted(seconds)
    middle, late = (ordered[(len(ordered) * share + 99) // 100 - 1] for share in (50, 99))
    print(f"{what}: p50 {middle * 1000:.0f} ms  p99 {late * 1000:.0f} ms  max {ordered[-1] * 1000:.0f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description="Kill one of two sockets of redundant streams, again and again."
    )
    parser.add_argument(
        "kills", type=int, nargs="?", default=100, help="how often each stream loses a socket"
    )
    parser.add_argument("seed", type=int, nargs="?", default=1)
    sys.exit(main(parser.parse_args()))
