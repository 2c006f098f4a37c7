"""Soaking: a daemon that loses a socket every few seconds, for as long as one likes, and whether it stays as large as it is.

Once a second its resident memory, descriptors, threads, database and log are measured from outside. *Flat* means: over the time after the
warm-up (a third of all, and a minute and a half at least), the growth by the median of all slopes between two samples (Theil and Sen: single peaks do not count) is
within an allowance. The database remembers what happened, so it may grow by so much for each row of its ledger and no more.

What a day of flapping writes is not extrapolated from a minute of it: the delays between two dials grow, so the first minute says little. It is lived
through on virtual time, with the log that the daemon writes.
"""

from __future__ import annotations

import itertools
import logging
import statistics
import threading
import time
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import anyio
from attrs import define, field, frozen

from wsmgr.actors.testing.virtual_time import run_virtually
from wsmgr.cli import logging_setup
from wsmgr.manager.daemon.unix_client import DaemonClient, path_of
from wsmgr.manager.manager import Manager
from wsmgr.manager.store.state_directory import StateDirectory
from wsmgr.manager.testing.simulated import URL, simulated
from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions, parse_faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

WARM_UP, WARM_UP_AT_LEAST = 1 / 3, 90.0
"""Share of the time, and seconds: what is kept for a minute (the replay buffers, the samples) is full by then."""
MEMORY_SLACK, MEMORY_SHARE = 4 * 2**20, 0.03
DESCRIPTOR_SLACK = 6
"""A socket that is being replaced, a request, a reader: all come and go."""
THREAD_SLACK = 3
DATABASE_SLACK = 6 * 2**20
"""The write-ahead log grows to 4 MiB before it is folded in."""
BYTES_A_ROW = 1024
LOG_A_DAY = 10 * 10**6

COINS = ("BTC", "ETH", "SOL", "XRP", "DOGE", "HYPE")
USER = "0x" + "a1" * 20
PRIVATE = ("userFills", "orderUpdates", "userFundings")
BOOKS: list[dict[str, Any]] = [{}, *({"nSigFigs": figures} for figures in (2, 3, 4, 5))]
KEPT: list[tuple[str, dict[str, Any]]] = [
    *(("l2Book", {"coin": "BTC", **book}) for book in BOOKS),
    *((name, {"coin": coin}) for name in ("bbo", "trades", "activeAssetCtx") for coin in COINS),
    *((name, {"user": USER}) for name in PRIVATE),
]
"""Books that need a socket each, public streams beside them, private ones on one of their own; some can be healed, some cannot."""
LOSE_EVERY = 2.5
"""Seconds between two lost sockets: as often as the venue's 30 dials a minute allow."""
NUMBERS = 40
"""How many numbers of sockets there may be between the oldest two that are open."""
GROWN_UP = 12.0
"""A socket that is lost sooner is one that flaps: its connection would wait longer and longer."""
FLAP_AFTER, FLAP_FOR = 120.0, 8.0
HOUR, DAY = 3600.0, 86_400.0


@frozen(kw_only=True)
class Sample:
    """What one second's look has found.

    Attributes:
        at: When, in seconds since the start.
        memory: Resident bytes.
        descriptors: Open descriptors.
        threads: Threads.
        database: Bytes of the database with its write-ahead log.
        log: Bytes of the log.
        rows: Rows of gaps and events.
    """

    at: float
    memory: int
    descriptors: int
    threads: int
    database: int
    log: int
    rows: int


def not_flat(samples: Sequence[Sample]) -> list[str]:
    """Say what has grown though it should not; samples of the warm-up do not count.

    Raises:
        ValueError: There are too few samples to say anything.
    """
    end = samples[-1].at if samples else 0.0
    kept = [sample for sample in samples if sample.at >= max(WARM_UP * end, WARM_UP_AT_LEAST)]
    if len(kept) < 3:
        raise ValueError(f"{len(kept)} samples after the warm-up are too few to be judged")
    memory = statistics.median(sample.memory for sample in kept)
    rows = kept[-1].rows - kept[0].rows
    limits = {
        "memory": max(MEMORY_SLACK, MEMORY_SHARE * memory),
        "descriptors": DESCRIPTOR_SLACK,
        "threads": THREAD_SLACK,
        "database": DATABASE_SLACK + BYTES_A_ROW * rows,
    }
    found: list[str] = []
    for name, limit in limits.items():
        grown = growth([(sample.at, getattr(sample, name)) for sample in kept])
        if grown > limit:
            found.append(f"{name} grew by {grown:.0f} in {end - kept[0].at:.0f} s; {limit:.0f} is allowed")
    return found


def growth(points: Sequence[tuple[float, float]]) -> float:
    """Return by how much something grew from the first point to the last, by the median of the slopes between any two."""
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for earlier, later in itertools.combinations(_thinned(points), 2)
        if later[0] > earlier[0]
    ]
    return statistics.median(slopes) * (points[-1][0] - points[0][0])


def _thinned(points: Sequence[tuple[float, float]], most: int = 300) -> Sequence[tuple[float, float]]:
    """Return some of many points, evenly spread: of an hour's samples each second is more than it takes."""
    return points[:: max(1, len(points) // most)]


class Soak:
    """Keeps a daemon busy: sockets that are lost, phases of flapping, subscribes, unsubscribes and a reader.

    Args:
        simulator: The venue.
        directory: The state directory of the daemon, which runs.
        seed: Decides what is subscribed to and ended.
        spared: Until how many seconds after it was opened no socket is broken.
    """

    def __init__(
        self, simulator: SimulatorThread, directory: Path, seed: int, *, spared: float = GROWN_UP
    ) -> None:
        self._spared = spared
        self.read = self.changed = self.lost = 0
        self._simulator = simulator
        self._state = StateDirectory(directory)
        self._client = DaemonClient(self._state.socket())
        self._random = Random(seed)
        self._over = threading.Event()
        self._errors: list[BaseException] = []

    def run(self, seconds: float, say: Callable[[Sample], None] = lambda _: None) -> list[Sample]:
        """Keep it busy for so long; returns a sample of each second."""
        ids = [self._subscribe(name, params) for name, params in KEPT]
        threads = [
            threading.Thread(target=self._guarded, args=(work,), daemon=True)
            for work in (self._lose, self._change, lambda: self._read(ids))
        ]
        for thread in threads:
            thread.start()
        samples: list[Sample] = []
        began = time.monotonic()
        try:
            while (at := time.monotonic() - began) < seconds and not self._errors:
                samples.append(self._sample(at))
                say(samples[-1])
                self._over.wait(max(0.0, len(samples) - at))
        finally:
            self._over.set()
            for thread in threads:
                thread.join(30.0)
        if self._errors:
            raise self._errors[0]
        return samples

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told by whoever runs the soak
            self._errors.append(error)

    def _lose(self) -> None:
        """Break the oldest socket every few seconds, unless it is young; now and then let what is dialled anew flap for a while."""
        began = time.monotonic()
        last = 0
        while not self._over.wait(LOSE_EVERY):
            flaps = (time.monotonic() - began) % (FLAP_AFTER + FLAP_FOR) > FLAP_AFTER
            self._simulator.set_faults(*(["flap"] if flaps else []))
            ages = [each["uptime_seconds"] or 0.0 for each in self._client.items("/v1/connections")]
            if max(ages, default=0.0) < self._spared:
                continue
            # Sockets are numbered as they are opened, and each that flaps takes a number too.
            for number in range(last + 1, last + 1 + NUMBERS):
                if self._simulator.kill(number):
                    last = number
                    self.lost += 1
                    break
        self._simulator.set_faults()

    def _change(self) -> None:
        """Subscribe to something and end it again."""
        while not self._over.wait(0.2):
            coin = self._random.choice(COINS)
            id_ = self._subscribe(
                "candle", {"coin": coin, "interval": self._random.choice(["1m", "5m", "1h"])}
            )
            self._client.delete(path_of(id_))
            self.changed += 1

    def _read(self, ids: Sequence[str]) -> None:
        """Read one stream after the other."""
        while not self._over.is_set():
            # The private ones, which come last, may have nothing to say.
            with self._client.stream_lines(
                self._random.choice(ids[: -len(PRIVATE)]), events=True, policy="latest"
            ) as lines:
                until = time.monotonic() + 2.0
                for _ in lines:
                    self.read += 1
                    if self._over.is_set() or time.monotonic() > until:
                        break

    def _subscribe(self, name: str, params: dict[str, Any]) -> str:
        wish = {"type": name, "params": params, "keep": True, "wait": "none"}
        return str(self._client.subscribe(wish)["id"])

    def _sample(self, at: float) -> Sample:
        holder = self._state.holder()
        assert holder is not None, "the daemon has gone"
        process = Path("/proc") / str(holder)
        status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
        newest = [self._client.get(f"/v1/{table}", {"limit": 1})["items"] for table in ("gaps", "events")]
        return Sample(
            at=at,
            memory=1024 * int(status["VmRSS"].split()[0]),
            descriptors=sum(1 for _ in (process / "fd").iterdir()),
            threads=int(status["Threads"]),
            database=_size(self._state.database) + _size(Path(f"{self._state.database}-wal")),
            log=_size(self._state.log),
            rows=sum(items[0]["id"] or 0 for items in newest if items),
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@define
class Flapping:
    """What hours of flapping left behind.

    Attributes:
        hours: How many were lived through.
        dials: How many dials were made.
        log: Bytes of the log, at the end of each half hour.
        database: Bytes of the database with its write-ahead log, likewise.
    """

    hours: float
    dials: int = 0
    log: list[int] = field(factory=list[int])
    database: list[int] = field(factory=list[int])

    @property
    def log_a_day(self) -> float:
        """Bytes of the log in a day, by all but the first half hour, which has the short delays."""
        if len(self.log) == 1:
            return self.log[0] * DAY / HOUR * 2
        return (self.log[-1] - self.log[0]) / (len(self.log) - 1) * DAY / HOUR * 2


def flapping_hours(
    hours: float, fault: str, directory: Path, *, seed: int = 1, say: Callable[[str], None] = lambda _: None
) -> Flapping:
    """Live through so many hours of a venue with a fault, on virtual time; the log and the database are those of a daemon.

    Args:
        hours: How many; halves count.
        fault: `flap`, or `drop_every=SECONDS`.
        directory: An empty directory.
        seed: What latencies and delays are drawn from.
        say: Called with a line each half hour.
    """
    found = Flapping(hours)

    async def live() -> None:
        options = SimulatorOptions(rate=1)
        state = directory / "state"
        async with simulated(options, seed=seed) as world, Manager(url=URL, state_dir=state) as manager:
            for name, params in KEPT:
                await manager.subscribe(name, params=params, keep=True, wait="live")
            world.network.engine.set_faults(parse_faults([fault]))
            for connection in list(world.network.connections.values()):
                connection.reset()
            for number in range(1, round(2 * hours) + 1):
                await anyio.sleep(HOUR / 2)
                found.dials = world.network.engine.journal.dials
                found.log.append(_size(directory / "log"))
                database = StateDirectory(state).database
                found.database.append(_size(database) + _size(Path(f"{database}-wal")))
                say(
                    f"{number / 2:5.1f} h  {found.dials} dials  log {found.log[-1]}  database {found.database[-1]}"
                )

    with _logging_to(directory / "log"):
        run_virtually(live)
    return found


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Let logs go to a file as the daemon's do."""
    loggers = [logging.getLogger(), logging.getLogger(logging_setup.LOGGER)]
    before = [(logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    with path.open("w", buffering=1) as file:
        try:
            with redirect_stderr(file):
                logging_setup.configure(level=logging.INFO)
            yield
        finally:
            for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
                logger.handlers[:] = handlers
                logger.setLevel(level)
                logger.propagate = propagate
