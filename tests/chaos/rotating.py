"""Rotating: streams at full speed go from socket to socket, make before break, again and again.

One stream of trades carries 10,000 items a second, one of bbo and one of l2Book 500 frames a second each; each second the connection is
asked to get a new socket. Each socket gets the arrays of trades cut at other places, as a venue's servers may: only the items are the
same. The manager is whole, the time virtual (`wsmgr.manager.testing.simulated`), the venue's and the manager's quotas are off.

`bench/rotation.py` is this for a minute, `test_rotation.py` for three seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Final
from unittest import mock

import anyio
import msgspec
from attrs import define, field, frozen

from wsmgr.manager.manager import Manager
from wsmgr.manager.model.continuity import Gap
from wsmgr.manager.model.message import Message
from wsmgr.manager.runtime.handle import Subscription
from wsmgr.manager.testing.simulated import EPOCH, URL, Machine, Network, in_virtual_time
from wsmgr.manager.venues.hyperliquid.simulator.options import SimulatorOptions
from wsmgr.manager.venues.hyperliquid.simulator.sources import Frame, Source, Tick
from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import read_subscription

if TYPE_CHECKING:
    from wsmgr.manager.testing.simulated import SimulatedSocket
    from wsmgr.manager.transport.protocol import Connect, Dial, OnBatch

RATE: Final = 500.0
"""Ticks of each stream in a second."""
ITEMS: Final = 20
"""Trades in a tick: 10,000 a second."""
LONGEST_ARRAY: Final = 60
INTERVAL: Final = 1.0
"""Seconds between two calls for a new socket."""
LATENCY: Final = (0.005, 0.1)
"""Seconds one way, drawn anew for each rotation; each socket has a share of its own, from a half to one and a half."""
SETTLE: Final = 3.0
ON_ITS_WAY: Final = 1.0
"""Seconds that what was made last may still be on its way, or in a cutter."""
MOST_EVENTS: Final = 100_000
_SNAPSHOT: Final = 30
_FIRST_TID: Final = 1_000_000
_TRADES: Final = b'{"channel":"trades"'
_QUOTAS: Final = (
    "connections",
    "dials_per_minute",
    "subscriptions",
    "users",
    "messages_per_minute",
    "requests_in_flight",
)


@frozen(kw_only=True)
class StreamOutcome:
    """What became of one stream.

    Attributes:
        made: How many units, items of trades and frames of the others, the venue made while it was judged.
        lost: How many of them never came.
        doubled: How many came more often than once.
        disordered: How often one came before one that was made before it.
        gaps: How many gaps its consumer was told of.
        dropped: How many messages its consumer was too slow for.
        first_fault: The first thing that was wrong, or None.
    """

    made: int
    lost: int
    doubled: int
    disordered: int
    gaps: int
    dropped: int
    first_fault: str | None

    @property
    def clean(self) -> bool:
        """Whether all came once and in order, and nobody was told of a gap."""
        return not (self.lost or self.doubled or self.disordered or self.gaps or self.dropped)


@frozen(kw_only=True)
class Outcome:
    """What a run showed.

    Attributes:
        streams: What became of each stream.
        rotations: How long each rotation took that was make before break, in seconds.
        broken: How many were break before make.
        sockets: How many sockets there were.
        arrays: How many frames of trades they brought, after they were cut.
    """

    streams: dict[str, StreamOutcome]
    rotations: Sequence[float]
    broken: int
    sockets: int
    arrays: int


@define(eq=False)
class Made:
    """What the venue made of each stream of states.

    Attributes:
        frames: The number of the tick of each frame, by its text, for each type.
    """

    frames: dict[str, dict[bytes, int]] = field(factory=dict[str, "dict[bytes, int]"])

    def made(self, stream: str, n: int, due: float, frames: Sequence[Frame]) -> None:
        """Take a tick (the simulator's `Witness`)."""
        del due
        kind = msgspec.json.decode(stream, type=_Typed).type
        if kind != "trades":
            for frame in frames:
                self.frames.setdefault(kind, {})[frame.text.encode()] = n

    def numbers(self, message: Message) -> list[int]:
        """Return the numbers of what a message tells."""
        if message.type == "trades":
            return [trade["tid"] for trade in message.data]
        number = self.frames[message.type].get(message.raw)
        return [] if number is None else [number]


@define(eq=False)
class Reader:
    """A consumer of one stream, and what it got.

    Attributes:
        kind: The subscription type.
        handle: Its handle.
        made: What the venue made.
        got: The numbers of the units, in the order in which they came.
        gaps: How many gaps it was told of.
    """

    kind: str
    handle: Subscription
    made: Made
    got: list[int] = field(factory=list[int], repr=False)
    gaps: int = 0

    async def run(self) -> None:
        """Read for ever."""
        async for item in self.handle:
            if isinstance(item, Message):
                self.got += self.made.numbers(item)
            elif isinstance(item, Gap):
                self.gaps += 1


class _Typed(msgspec.Struct):
    type: str


class _Array(msgspec.Struct):
    channel: str
    data: list[msgspec.Raw]


class Cutter:
    """Cuts the arrays of one socket anew: splits them and joins their ends to the beginning of the next.

    Args:
        random: Draws the lengths.
        on_batch: Takes the frames.
    """

    def __init__(self, random: Random, on_batch: OnBatch) -> None:
        """Begin with nothing held."""
        self.arrays = 0
        self._random = random
        self._on_batch = on_batch
        self._held: list[bytes] = []
        self._length = 0
        self._snapshot_came = False

    def __call__(self, batch: list[bytes]) -> None:
        """Take what was read from the socket, and hand it on."""
        frames = [cut for raw in batch for cut in (self._cut(raw) if raw.startswith(_TRADES) else [raw])]
        if frames:
            self._on_batch(frames)

    def _cut(self, raw: bytes) -> list[bytes]:
        if not self._snapshot_came:
            self._snapshot_came = True
            return [raw]
        self._held += [bytes(item) for item in msgspec.json.decode(raw, type=_Array).data]
        frames: list[bytes] = []
        self._length = self._length or self._random.randint(1, LONGEST_ARRAY)
        while len(self._held) >= self._length:
            cut, self._held = self._held[: self._length], self._held[self._length :]
            frames.append(b'{"channel":"trades","data":[%s]}' % b",".join(cut))
            self._length = self._random.randint(1, LONGEST_ARRAY)
        self.arrays += len(frames)
        return frames


def run_rotation(seconds: float, seed: int) -> Outcome:
    """Have the connection replaced each second for so many simulated seconds, and return what came of it.

    Args:
        seconds: How long.
        seed: What latencies and cuts are drawn from.
    """
    return in_virtual_time(partial(_run, seconds, seed), seed=seed)


async def _run(seconds: float, seed: int) -> Outcome:
    outcomes: list[Outcome] = []
    made = Made()
    random = Random(f"{seed}:rotating")
    network = Network(SimulatorOptions(rate=RATE, seed=seed), seed=seed, witness=made)
    machine = Machine(network, seed=seed)
    cutters: list[Cutter] = []
    config = {"venues": {"hyperliquid": {"url": URL, "quotas": dict.fromkeys(_QUOTAS, "off")}}}
    with machine.installed(), mock.patch.object(network, "connect", _cutting(network, cutters, seed)):
        async with anyio.create_task_group() as venue:
            venue.start_soon(network.run)
            async with Manager(config=config) as manager, anyio.create_task_group() as tasks:
                readers: list[Reader] = []
                for kind in ("trades", "bbo", "l2Book"):
                    _observe(network, kind)
                    handle = await manager.subscribe(kind, coin="BTC", events=True, wait="live")
                    readers.append(Reader(kind, handle, made))
                    tasks.start_soon(readers[-1].run)
                await anyio.sleep(INTERVAL)
                for _ in range(round(seconds / INTERVAL)):
                    network.latency = random.uniform(*LATENCY)
                    manager.reconnect()
                    await anyio.sleep(INTERVAL)
                await anyio.sleep(SETTLE)
                last = round((network.now() - ON_ITS_WAY) * RATE)
                rotated = [
                    event
                    for event in await manager.engine.events(limit=MOST_EVENTS)
                    if event.kind == "rotated"
                ]
                outcomes.append(
                    Outcome(
                        streams={reader.kind: _judged(reader, last) for reader in readers},
                        rotations=[float(e.detail["seconds"]) for e in rotated if e.level == "info"],
                        broken=sum(event.level != "info" for event in rotated),
                        sockets=len(network.history),
                        arrays=sum(cutter.arrays for cutter in cutters),
                    )
                )
                tasks.cancel_scope.cancel()
            venue.cancel_scope.cancel()
    return outcomes[0]


def _cutting(network: Network, cutters: list[Cutter], seed: int) -> Connect:
    """Return the network's way of dialling, with a cutter in each socket."""
    plain = network.connect

    @asynccontextmanager
    async def connect(dial: Dial, on_batch: OnBatch) -> AsyncGenerator[SimulatedSocket]:
        cutter = Cutter(Random(f"{seed}:{len(cutters)}"), on_batch)
        cutters.append(cutter)
        async with plain(dial, cutter) as socket:
            yield socket

    return connect


def _observe(network: Network, kind: str) -> None:
    """Be another client of a stream from now on, so that it never rests; trades come many at a time."""
    subscription = read_subscription({"type": kind, "coin": "BTC"})
    network.engine.hub.join(subscription, _Observer(), network.now())
    network.hub_changed()
    if kind == "trades":
        network.engine.hub.streams[subscription.key].source = Source(first=_past, tick=_tick, events=True)


class _Observer:
    def deliver(self, subscription: object, frame: Frame, n: int) -> None:
        """Take a frame; what was made is known already."""

    def is_congested(self, now: float) -> bool:
        """Never."""
        del now
        return False


def _past(at: Tick) -> Sequence[Frame]:
    last = _FIRST_TID + (at.n + 1) * ITEMS
    return (_trades(at, range(last - _SNAPSHOT, last)),)


def _tick(at: Tick) -> Sequence[Frame]:
    first = _FIRST_TID + at.n * ITEMS
    return (_trades(at, range(first, first + ITEMS)),)


def _trades(at: Tick, tids: range) -> Frame:
    time = round((EPOCH + at.time) * 1000)
    texts = [
        f'{{"coin":"BTC","side":"B","px":"100000.0","sz":"0.001","time":{time},"hash":"0x{tid:064x}","tid":{tid},'
        f'"users":["0x{"a" * 40}","0x{"b" * 40}"]}}'
        for tid in tids
    ]
    return Frame(f'{{"channel":"trades","data":[{",".join(texts)}]}}', tuple(tids))


def _judged(reader: Reader, last: int) -> StreamOutcome:
    """Judge what a consumer got, from its first unit to those of a tick."""
    if reader.kind == "trades":
        made: Sequence[int] = range(_FIRST_TID, _FIRST_TID + (last + 1) * ITEMS)
    else:
        made = sorted(number for number in reader.made.frames[reader.kind].values() if number <= last)
    expected = [number for number in made if number >= reader.got[0]]
    got = [number for number in reader.got if number <= expected[-1]]
    counts = Counter(got)
    return StreamOutcome(
        made=len(expected),
        lost=sum(not counts[number] for number in expected),
        doubled=sum(times - 1 for times in counts.values()),
        disordered=sum(later < earlier for earlier, later in pairwise(got)),
        gaps=reader.gaps,
        dropped=reader.handle.dropped,
        first_fault=None if got == expected else _first_fault(got, expected),
    )


def _first_fault(got: Sequence[int], expected: Sequence[int]) -> str:
    pairs = zip(got, expected, strict=False)
    at = next((at for at, (came, due) in enumerate(pairs) if came != due), min(len(got), len(expected)))
    return f"after {list(got[max(0, at - 2) : at])} came {list(got[at : at + 3])}, and not {list(expected[at : at + 3])}"
