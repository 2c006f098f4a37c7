"""Outages: streams of items that can be asked for later lose their connection at random, for half a second to a minute each.

The whole manager stands against the simulator on virtual time (`wsmgr.manager.testing.simulated`). What a stream made while its
connection did not bring it is *withheld*; each such item must reach the consumer once, with a snapshot or a query. Of a candle the
item is the bar as it was at its end: what it was before, the later state replaces.
`bench/outages.py` is this for more than a thousand gaps, `test_outages.py` for some dozens.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

import anyio
from attrs import define, field, frozen

from wsmgr.manager.manager import Manager
from wsmgr.manager.model.message import Message
from wsmgr.manager.runtime.handle import Subscription
from wsmgr.manager.runtime.store_client import read
from wsmgr.manager.store import queries
from wsmgr.manager.store.committer import Read
from wsmgr.manager.testing.simulated import URL, StreamTruth, World, in_virtual_time, simulated, stream_key
from wsmgr.manager.venues.hyperliquid.simulator.options import Limits, SimulatorOptions

if TYPE_CHECKING:
    from wsmgr.manager.store.rows import GapRow
    from wsmgr.manager.testing.simulated.truth import Made

TYPES: Final = (
    "userFills",
    "userFundings",
    "userNonFundingLedgerUpdates",
    "candle",
    "userHistoricalOrders",
)
WHOLE_SHARE: Final = 0.95
"""The share of the gaps of a type that must be proved empty or filled."""
RATE: Final = 1.0
"""Ticks of each stream in a second. A snapshot holds 30 items: it covers the shorter half of the outages, and queries the rest."""
SHORTEST: Final = 0.5
LONGEST: Final = 60.0
SETTLE: Final = 20.0
PAUSE: Final = (3.0, 60.0)
"""Seconds between two outages: often too few for the gaps of the one before to be healed."""
CALM: Final = 400.0
"""Seconds after the last outage: enough for each query to be tried as often as it is."""
SLACK: Final = 2.0
_USERS: Final = tuple(f"0x{digit * 40}" for digit in "abc")
_COINS: Final = ("BTC", "ETH", "SOL")
_MEMORY: Final = Path("/dev/shm")

How = Literal["reset", "close", "stall", "deaf", "refused", "silent"]
"""Some connections broken, closed by the venue, stalled in both directions or towards us; all broken, and no dial answered or let through."""
HOW: Final[tuple[How, ...]] = get_args(How)

Wish = tuple[str, dict[str, str]]


@frozen(kw_only=True)
class Tally:
    """What became of one type.

    Attributes:
        gaps: Its gaps in the ledger.
        empty: Those of them that were proved empty.
        filled: Those that were filled.
        reasons: Why the others stayed open, and how many for each reason.
        withheld: Items that the connection did not bring when they were made.
        once: Those of them that the consumer got once.
        never: Those that it did not get.
        doubled: Items that it got twice or more, withheld or not.
        delivered: All items that it got.
        examples: Some of those that came never or twice, with what the ledger knows of that time.
    """

    gaps: int
    empty: int
    filled: int
    reasons: Counter[str]
    withheld: int
    once: int
    never: int
    doubled: int
    delivered: int
    examples: Sequence[str]

    @property
    def whole(self) -> float:
        """The share of the gaps that were proved empty or filled."""
        return (self.empty + self.filled) / self.gaps if self.gaps else 1.0

    @property
    def missed_bars(self) -> list[str]:
        """Which bars it does not reach."""
        found: list[str] = []
        if self.never:
            found.append(f"{self.never} withheld items never came")
        if self.doubled:
            found.append(f"{self.doubled} items came more than once")
        if self.whole < WHOLE_SHARE:
            found.append(f"{self.whole:.1%} of the gaps are whole, of {WHOLE_SHARE:.0%}")
        return found


@define(eq=False)
class Reader:
    """One consumer that counts how often each item came.

    Attributes:
        kind: The subscription type.
        stream: The truth of its stream.
        handle: Its handle.
        seen: How often each item came, and when first.
    """

    kind: str
    stream: StreamTruth
    handle: Subscription
    seen: Counter[Hashable] = field(factory=Counter[Hashable], repr=False)
    first_at: dict[Hashable, float] = field(factory=dict[Hashable, float], repr=False)

    async def run(self) -> None:
        """Read for ever."""
        async for item in self.handle:
            if isinstance(item, Message) and not item.replayed:
                units = self.stream.units_of(item)
                assert units is not None, item.raw[:200]
                self.seen.update(units)
                for unit in units:
                    self.first_at.setdefault(unit, anyio.current_time())


def run_outages(outages: int, seed: int) -> dict[str, Tally]:
    """Let so many random outages happen, one after the other, and return what became of each type.

    Args:
        outages: How many; each makes a gap in every stream of the connections that it hits.
        seed: What they are drawn from.
    """
    with TemporaryDirectory(prefix="wsmgr-outages-", dir=_MEMORY if _MEMORY.is_dir() else None) as directory:
        return in_virtual_time(partial(_run, outages, seed, Path(directory)), seed=seed)


async def _run(outages: int, seed: int, directory: Path) -> dict[str, Tally]:
    tallies: list[dict[str, Tally]] = []
    random = Random(f"{seed}:outages")
    options = SimulatorOptions(rate=RATE, seed=seed, limits=Limits.real())
    async with (
        simulated(options, seed=seed) as world,
        Manager(url=URL, state_dir=directory) as manager,
        anyio.create_task_group() as tasks,
    ):
        readers = [await _reader(manager, world, number, wish) for number, wish in enumerate(_wishes())]
        for reader in readers:
            tasks.start_soon(reader.run)
        begun, order = anyio.current_time(), list(HOW)
        await anyio.sleep(SETTLE)
        for number in range(outages):
            # Each kind comes once in six outages, in an order of its own.
            if number % len(HOW) == 0:
                order = random.sample(HOW, len(HOW))
            await _outage(world, random, order[number % len(HOW)])
            await anyio.sleep(random.uniform(*PAUSE))
        await anyio.sleep(CALM)
        rows = await read(manager.engine.context, Read(partial(queries.list_gaps, limit=None)))
        tallies.append(_tallies(readers, rows, begun, anyio.current_time() - SLACK))
        tasks.cancel_scope.cancel()
    return tallies[0]


def _wishes() -> list[Wish]:
    users: list[Wish] = [(kind, {"user": user}) for user in _USERS for kind in TYPES if kind != "candle"]
    return users + [("candle", {"coin": coin, "interval": "1m"}) for coin in _COINS]


async def _reader(manager: Manager, world: World, number: int, wish: Wish) -> Reader:
    """Subscribe; each fifth stream has a connection of its own, so that outages hit some streams and spare others."""
    kind, params = wish
    dialect = manager.engine.context.venues["hyperliquid"].dialect
    stream = world.truth.observe(stream_key(dialect.subscribe(dialect.atom(kind, params))))
    connection: Literal["auto", "dedicated"] = "dedicated" if number % 5 == 0 else "auto"
    handle = await manager.subscribe(kind, params=params, connection=connection, wait="live")
    return Reader(kind, stream, handle)


async def _outage(world: World, random: Random, how: How) -> None:
    """Let something be lost for a while; returns when the way is free again."""
    network = world.network
    seconds = random.uniform(SHORTEST, LONGEST) if random.random() < 0.5 else random.uniform(SHORTEST, 5.0)
    connections = list(network.connections.values())
    hit = random.sample(connections, random.randint(1, len(connections))) if connections else []
    match how:
        case "reset":
            for each in hit:
                each.reset()
        case "close":
            for each in hit:
                each.session.end("close", "restarting", code=1012)
        case "stall" | "deaf":
            for each in hit:
                each.stall(up=how == "stall", seconds=seconds)
            await anyio.sleep(seconds)
        case "refused" | "silent":
            network.unreachable = how
            for each in connections:
                each.reset()
            await anyio.sleep(seconds)
            network.unreachable = None


def _tallies(
    readers: Sequence[Reader], rows: Sequence[GapRow], begun: float, until: float
) -> dict[str, Tally]:
    return {
        kind: _tally([reader for reader in readers if reader.kind == kind], rows, begun, until)
        for kind in TYPES
    }


def _tally(readers: Sequence[Reader], rows: Sequence[GapRow], begun: float, until: float) -> Tally:
    ids = {reader.handle.id for reader in readers}
    gaps = [row for row in rows if row.subscription_id in ids]
    counts: defaultdict[str, int] = defaultdict(int)
    examples: list[str] = []
    for reader in readers:
        assert reader.handle.dropped == 0, "a consumer was too slow: what it missed says nothing"
        stream, seen = reader.stream, reader.seen
        missing = [
            made for made in _lasting(stream) if begun <= made.at <= until and made.n not in stream.arrived
        ]
        never = [made for made in missing if not all(seen[unit] for unit in made.units)]
        counts["withheld"] += len(missing)
        counts["once"] += sum(all(seen[unit] == 1 for unit in made.units) for made in missing)
        counts["never"] += len(never)
        counts["delivered"] += seen.total()
        twice = [unit for unit, times in seen.items() if times > 1]
        counts["doubled"] += len(twice)
        examples += [f"{stream.key} n={made.n} made at {made.at:.3f} never came" for made in never[:3]]
        examples += [
            f"{stream.key} {unit} came {seen[unit]} times, first at {reader.first_at[unit]:.3f}"
            for unit in twice[:3]
        ]
    proofs = Counter(row.proof for row in gaps)
    return Tally(
        gaps=len(gaps),
        empty=proofs["empty"],
        filled=proofs["filled"],
        reasons=Counter(_words(row) for row in gaps if row.proof is None),
        examples=examples,
        **{name: counts[name] for name in ("withheld", "once", "never", "doubled", "delivered")},
    )


def _lasting(stream: StreamTruth) -> Sequence[Made]:
    """Return the ticks that no later one replaces: all, and of a candle the last one of each bar that is over."""
    if stream.type != "candle":
        return stream.made
    bars: dict[Hashable, Made] = {}
    for made in stream.made:
        (bar,) = made.units
        bars[cast("tuple[int, int, str]", bar)[0]] = made
    return list(bars.values())[:-1]


def _words(row: GapRow) -> str:
    """Why a gap stayed open, without its own times."""
    if row.ended_at is None or math.isinf(row.ended_at):
        return "it has not ended"
    return (row.open_because or "no reason is given").partition(": ")[2] or str(row.open_because)
