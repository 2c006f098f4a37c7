"""An origin in virtual time: connections that dial as `Dialling` lets them, and a venue that takes or refuses their dials.

What a dialer and its links do around the model is done here without them: a wake-up falls when the model named it, a dial takes 50
to 300 ms, and the venue decides about it halfway. The venue counts dials as it sees them. `bench/dialling.py` prints what the tests
of this folder assert.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable
from functools import partial

from attrs import define, field, frozen

from wsmgr.manager.model.dialling import Dialling
from wsmgr.manager.model.quota import Window

MINUTE = 60.0
LATENCY = (0.05, 0.3)


@frozen
class Accept:
    """The venue accepts a dial.

    Attributes:
        uptime: Seconds until it closes the socket again; infinite: until the test says so.
        proved: Whether data flows on it.
    """

    uptime: float = math.inf
    proved: bool = True


@frozen
class Refuse:
    """The venue refuses a dial.

    Attributes:
        retry_after: Seconds that it asks to wait, or None.
        credential: Whether it is about the credentials.
    """

    retry_after: float | None = None
    credential: bool = False


Answer = Callable[[float, str], Accept | Refuse]
"""What the venue answers a dial that reaches it at a time, of a connection."""


@define(eq=False)
class Line:
    """One connection: what became of its dials."""

    ready_since: float | None = None
    generation: int = 0
    dialled: list[float] = field(factory=list[float])
    waits: list[float] = field(factory=list[float])
    asked_at: float | None = None


@define(eq=False)
class Origin:
    """One origin and its venue.

    Attributes:
        seed: Of everything that is drawn; print it where a test fails.
        answer: What the venue answers.
        limit: Dials in a minute.
        names: The connections.
        latency: Between which seconds a dial takes.
    """

    seed: int
    answer: Answer
    names: list[str]
    limit: int | None = 30
    latency: tuple[float, float] = LATENCY
    now: float = 0.0
    seen: list[tuple[float, str]] = field(factory=list[tuple[float, str]])
    """When each dial reached the venue, and whose it was."""
    bans: list[tuple[float, float]] = field(factory=list[tuple[float, float]])
    """From when until when the venue has asked for no dials."""
    lines: dict[str, Line] = field(init=False)
    model: Dialling = field(init=False)
    _random: random.Random = field(init=False)
    _events: list[tuple[float, int, Callable[[], None]]] = field(
        factory=list[tuple[float, int, Callable[[], None]]]
    )
    _numbers: itertools.count[int] = field(factory=itertools.count)
    _wake: float = math.inf

    def __attrs_post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.model = Dialling(Window(self.limit), self._random.uniform)
        self.lines = {name: Line() for name in self.names}

    def at(self, time: float, do: Callable[[], None]) -> None:
        """Do something at a time."""
        heapq.heappush(self._events, (time, next(self._numbers), do))

    def start(self) -> None:
        """Let every connection ask."""
        for name in self.names:
            self._ask(name)
        self._grant()

    def add(self, name: str) -> None:
        """Let one more connection ask."""
        self.names.append(name)
        self.lines[name] = Line()
        self._ask(name)
        self._grant()

    def urge(self) -> None:
        """Tell every connection to retry now."""
        for name in self.names:
            self.model.retry_now(name)
        self._grant()

    def cut(self) -> None:
        """End every open socket, one after the other."""
        for name in self.names:
            self.lose(name)

    def lose(self, name: str, *, proved: bool = True) -> None:
        """End a connection's socket, where it has one; who dials goes on."""
        line = self.lines[name]
        if line.ready_since is None:
            return
        self.model.closed(name, self.now, uptime=self.now - line.ready_since, proved=proved)
        line.ready_since = None
        line.generation += 1
        self._ask(name)
        self._grant()

    def restart_dialer(self) -> None:
        """Lose what a dialer knows that the model does not: its timer."""
        dialling = [
            name for name, line in self.lines.items() if line.ready_since is None and line.asked_at is None
        ]
        ready = [name for name, line in self.lines.items() if line.ready_since is not None]
        self._wake = math.inf
        self.model.resume(dialling, ready)
        for name, line in self.lines.items():
            if line.asked_at is not None:
                self.model.request(name, 0, self.now)
        self._grant()

    def run(self, until: float) -> None:
        """Go on until a time."""
        while True:
            at = min(self._events[0][0] if self._events else math.inf, self._wake)
            if at > until:
                self.now = until
                return
            self.now = at
            if self._wake <= at:
                self._grant()
            else:
                heapq.heappop(self._events)[2]()

    def all_ready(self) -> bool:
        """Whether every connection has a socket."""
        return all(line.ready_since is not None for line in self.lines.values())

    def most_in_a_minute(self) -> int:
        """Return the most dials that the venue saw in any 60 s."""
        times = sorted(at for at, _ in self.seen)
        first = most = 0
        for last, at in enumerate(times):
            while times[first] <= at - MINUTE:
                first += 1
            most = max(most, last - first + 1)
        return most

    def _ask(self, name: str) -> None:
        self.lines[name].asked_at = self.now
        self.model.request(name, 0, self.now)

    def _grant(self) -> None:
        granted, self._wake = self.model.grants(self.now)
        assert self._wake > self.now, f"seed {self.seed}: asked to look again at once, for ever"
        for name in granted:
            line = self.lines[name]
            assert line.asked_at is not None, f"seed {self.seed}: {name} did not ask"
            line.waits.append(self.now - line.asked_at)
            line.asked_at = None
            line.dialled.append(self.now)
            half = self._random.uniform(*self.latency) / 2
            self.at(self.now + half, partial(self._arrive, name, half))

    def _arrive(self, name: str, rest: float) -> None:
        self.seen.append((self.now, name))
        answer = self.answer(self.now, name)
        self.at(self.now + rest, lambda: self._told(name, answer))

    def _told(self, name: str, answer: Accept | Refuse) -> None:
        line = self.lines[name]
        match answer:
            case Accept(uptime, proved):
                line.ready_since = self.now
                self.model.accepted(name, self.now)
                if uptime < math.inf:
                    generation = line.generation
                    self.at(self.now + uptime, lambda: self._end(name, generation, proved=proved))
            case Refuse(retry_after, credential):
                if retry_after is not None:
                    self.bans.append((self.now, self.now + retry_after))
                self.model.refused(name, "refused", self.now, retry_after=retry_after, credential=credential)
                self._ask(name)
        self._grant()

    def _end(self, name: str, generation: int, *, proved: bool) -> None:
        if self.lines[name].generation == generation:
            self.lose(name, proved=proved)


@frozen
class Outage:
    """What an outage came to.

    Attributes:
        seconds: From the venue's return until the last connection was ready; infinite where it never was.
        most: The most dials in any 60 s.
    """

    seconds: float
    most: int


def outage(
    seed: int, *, away: float, count: int = 10, limit: int | None = 30, uptime: float = 120.0
) -> Outage:
    """Cut all connections at once, refuse their dials for a time, and see how soon all are ready again.

    Args:
        seed: Of everything that is drawn.
        away: Seconds for which the venue refuses.
        count: How many connections there are.
        limit: Dials in a minute.
        uptime: Seconds for which they were up before; their first dials count in the quota as well.
    """

    def answer(at: float, _name: str) -> Accept | Refuse:
        return Refuse() if uptime <= at < uptime + away else Accept()

    origin = Origin(seed, answer, [f"c{number}" for number in range(count)], limit)
    origin.start()
    origin.run(uptime)
    assert origin.all_ready(), f"seed {seed}: not even before the outage"
    origin.cut()
    origin.run(uptime + away)
    back = origin.now
    while not origin.all_ready() and origin.now < back + 10 * MINUTE:
        origin.run(origin.now + 0.01)
    return Outage(origin.now - back if origin.all_ready() else math.inf, origin.most_in_a_minute())
