"""Scenario: what happens in one run, drawn from its seed while it happens.

Each step waits for a random while and then does one thing: to a connection, to a stream, to the way to the venue, to the process, or
as a user. What it may hit is what is there at that moment, in a fixed order, so that a seed always does the same.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import anyio
from attrs import define, field

from wsmgr.manager.testing.chaos.faults import FaultBoard
from wsmgr.manager.testing.chaos.program import Program
from wsmgr.manager.testing.chaos.wishes import PASSING, STEADY, Kind
from wsmgr.manager.testing.simulated import Network

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.testing.simulated import Connection

PAUSE = 3.0
CLOSE_CODES = (1000, 1001, 1006, 1008, 1011, 1012, 1013, 4000)
KEPT_SHARE = 0.7
TWICE_SHARE = 0.3
SLOW_SHARE = 0.3
ALL_SHARE = 0.3
DEAD_SECONDS = (0.2, 12.0)


@define(eq=False)
class Scenario:
    """What happens in one run.

    Args:
        seed: What it is drawn from.
        network: The venue and the way to it.
        program: The process.
        faults: The board of faults.
        restarts: Whether the process is ever stopped or killed.
    """

    seed: int
    network: Network
    program: Program
    faults: FaultBoard
    restarts: bool = True
    _random: random.Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Bind the seed."""
        self._random = random.Random(f"{self.seed}:scenario")  # noqa: S311 - a test, not a secret

    async def run(self, seconds: float) -> None:
        """Let things happen for some seconds."""
        steps = self._steps()
        actions, weights = zip(*steps, strict=True)
        until = anyio.current_time() + seconds
        while True:
            await anyio.sleep(self._random.expovariate(1 / PAUSE))
            if anyio.current_time() >= until:
                return
            if self.program.manager is None:
                continue
            self.want_steady()
            self._random.choices(actions, weights)[0]()

    def want_steady(self) -> None:
        """Want what is wanted from the beginning, where it is not wanted now."""
        wanted = {id(wish.kind) for wish in self.program.wanted}
        for kind in STEADY:
            if id(kind) not in wanted:
                self._want_kind(kind)

    def _want_kind(self, kind: Kind) -> None:
        kept, twice = self._random.random() < KEPT_SHARE, self._random.random() < TWICE_SHARE
        self.program.want(kind, kept=kept, twice=twice)

    def _steps(self) -> list[tuple[Callable[[], None], float]]:
        steps: list[tuple[Callable[[], None], float]] = [
            (self._reset, 5),
            (self._close, 5),
            (self._cut, 4),
            (self._all_lost, 2),
            (self._away, 2),
            (self._stall, 3),
            (self._half_open, 2),
            (self._slow_network, 1),
            (self._refusals, 2),
            (self._lossy_acks, 2),
            (self._killed_resubscribing, 2),
            (self._noise, 2),
            (self._late, 1),
            (self._mute_briefly, 2),
            (self._mute_long, 2),
            (self._forget, 1),
            (self._want, 4),
            (self._end, 3),
            (self._want_and_end, 1),
            (self._join, 3),
            (self._end_in_flight, 1),
            (self._leave, 2),
            (self._stop_reading, 2),
            (self._reconnect, 3),
            (self._rebalance, 1),
        ]
        if self.restarts:
            steps += [(self._kill, 1), (self._stop, 1)]
        return steps

    # To connections

    def _connection(self) -> Connection | None:
        open_ones = sorted(self.network.connections)
        return self.network.connections[self._random.choice(open_ones)] if open_ones else None

    def _reset(self) -> None:
        connection = self._connection()
        if connection is not None:
            self.faults.note("reset", connections=[connection.number])
            connection.reset()

    def _close(self) -> None:
        connection = self._connection()
        if connection is not None:
            code = self._random.choice(CLOSE_CODES)
            self.faults.note("close", connections=[connection.number])
            if code == 1006:  # noqa: PLR2004 - no close frame at all
                connection.session.end("cut", "chaos")
            else:
                connection.session.end("close", "chaos", code=code)

    def _cut(self) -> None:
        connection = self._connection()
        if connection is not None:
            self.faults.note("cut", connections=[connection.number])
            connection.session.end("cut", "chaos")

    def _all_lost(self) -> None:
        numbers = sorted(self.network.connections)
        self.faults.note("all reset", connections=numbers)
        for number in numbers:
            self.network.connections[number].reset()

    def _away(self) -> None:
        """The venue goes down and refuses until it is back."""
        seconds = self._random.choice((1.0, 3.0, 8.0, 25.0))
        self._all_lost()
        self.faults.unreachable(self._random.choice(("refused", "silent", "unresolved")), seconds)

    def _stall(self) -> None:
        connection = self._connection()
        if connection is None:
            return
        seconds = self._random.choice((2.0, 6.0, 11.0, None))
        lasting = float("inf") if seconds is None else seconds
        kind = "black hole" if seconds is None else "stall"
        self.faults.note(kind, seconds=lasting, connections=[connection.number])
        connection.stall(seconds=seconds)

    def _half_open(self) -> None:
        connection = self._connection()
        if connection is not None:
            self.faults.note("half open", seconds=float("inf"), connections=[connection.number])
            connection.stall(up=self._random.random() < 0.3, down=True)  # noqa: PLR2004

    # To the way there, and to the venue as a whole

    def _slow_network(self) -> None:
        self.faults.latency(self._random.uniform(0.05, 0.8), self._random.uniform(5, 30))

    def _refusals(self) -> None:
        seconds = self._random.uniform(2, 20)
        choices: tuple[tuple[str, object], ...] = (
            ("http_429", self._random.choice((1.0, 5.0, 30.0))),
            ("http_503", 2.0),
            ("reset_upgrade", True),
            ("flap", True),
            ("slow_upgrade", self._random.choice((2.0, 12.0))),
        )
        name, value = self._random.choice(choices)
        self.faults.set(f"dials {name}", seconds, {name: value})
        if self._random.random() < 0.7:  # noqa: PLR2004
            self._all_lost()
        else:
            self._reset()

    def _lossy_acks(self) -> None:
        choices: tuple[tuple[str, object], ...] = (
            ("lost_ack", True),
            ("slow_ack", self._random.uniform(0.5, 12.0)),
            ("early_data", True),
            ("stray_error", True),
            ("ack_case", frozenset({"user", "coin"})),
        )
        name, value = self._random.choice(choices)
        self.faults.set(name, self._random.uniform(5, 25), {name: value})
        self._reset()

    def _killed_resubscribing(self) -> None:
        sockets = self._random.randint(1, 5)
        self.faults.set("kill during resubscribe", 20.0, {"kill_during_resubscribe": sockets})
        self._all_lost()

    def _noise(self) -> None:
        choices: tuple[tuple[str, object], ...] = (
            ("garbage", 0.1),
            ("extra_fields", 0.3),
            ("greeting", "hello"),
        )
        name, value = self._random.choice(choices)
        self.faults.set(name, self._random.uniform(5, 40), {name: value})

    def _late(self) -> None:
        self.faults.set("late", 30.0, {"late": self._random.uniform(0.2, 5.0)})
        self._end()

    # To one stream

    def _mute_briefly(self) -> None:
        self._mute("short mute", self._random.uniform(0.3, 4.0))

    def _mute_long(self) -> None:
        self._mute("mute", self._random.uniform(40.0, 120.0))

    def _mute(self, kind: str, seconds: float) -> None:
        wanted = self.program.wanted
        if wanted:
            wish = self._random.choice(wanted)
            values = [str(value) for value in wish.kind.params.values()]
            name = f"{wish.kind.type}:{values[0]}" if values else wish.kind.type
            streams = [
                other.stream.key
                for other in wanted
                if other.kind.type == wish.kind.type
                and (not values or values[0] in map(str, other.kind.params.values()))
            ]
            self.faults.set(kind, seconds, {"quiet": frozenset({name})}, streams=streams)

    def _forget(self) -> None:
        wanted = self.program.wanted
        if wanted:
            wish = self._random.choice(wanted)
            if self.network.engine.forget(wish.stream.key):
                self.faults.note("forget", seconds=float("inf"), streams=[wish.stream.key])

    # As a user

    def _absent(self) -> Kind | None:
        wanted = {id(wish.kind) for wish in self.program.wanted}
        absent = [kind for kind in PASSING if id(kind) not in wanted]
        return self._random.choice(absent) if absent else None

    def _want(self) -> None:
        kind = self._absent()
        if kind is not None:
            self._want_kind(kind)

    def _end(self) -> None:
        wanted = self.program.wanted
        if wanted:
            self.program.end(self._random.choice(wanted))

    def _want_and_end(self) -> None:
        """End a wish within a moment, in the middle of its subscribe or right after it."""
        kind = self._absent()
        if kind is not None:
            self._want_kind(kind)
            wish = self.program.wishes[-1]
            delay = self._random.choice((0.0, 0.001, 0.05, 0.3))
            self.network.schedule.call_after(delay, lambda: self.program.end(wish) if wish.wanted else None)

    def _end_in_flight(self) -> None:
        """End what is in flight after its connection was lost, and want it again at once."""
        wanted = self.program.wanted
        if wanted:
            wish = self._random.choice(wanted)
            self._all_lost()
            self.program.end(wish)
            self.program.want(wish.kind, kept=wish.kept, twice=wish.redundancy > 1)

    def _join(self) -> None:
        wanted = self.program.wanted
        if wanted:
            twice, slow = self._random.random() < TWICE_SHARE, self._random.random() < SLOW_SHARE
            self.program.join(self._random.choice(wanted), twice=twice, slow=slow)

    def _leave(self) -> None:
        """End a guest, one that wants its stream on two sockets where there is one."""
        guests = [
            consumer
            for wish in self.program.wanted
            for consumer in wish.consumers
            if consumer.guest and consumer.reads
        ]
        twice = [consumer for consumer in guests if consumer.handle.buffer.redundancy > 1]
        if guests:
            self.program.leave(self._random.choice(twice or guests))

    def _stop_reading(self) -> None:
        slow = [
            consumer
            for wish in self.program.wanted
            for consumer in wish.consumers
            if consumer.slow and consumer.reads
        ]
        if slow:
            self._random.choice(slow).stop_reading(self._random.uniform(10.0, 60.0))
        elif self.program.wanted:
            self.program.join(self._random.choice(self.program.wanted), slow=True)

    def _reconnect(self) -> None:
        """Give a connection a new socket, or all of them."""
        manager = self.program.manager
        connections = [] if manager is None else sorted(view.id for view in manager.connection_info())
        if manager is not None and connections:
            self.faults.note("reconnect")
            chosen = None if self._random.random() < ALL_SHARE else self._random.choice(connections)
            manager.reconnect(chosen)

    def _rebalance(self) -> None:
        manager = self.program.manager
        if manager is not None:
            self.faults.note("rebalance")
            manager.rebalance()

    # To the process

    def _kill(self) -> None:
        self.faults.note("kill")
        self.program.kill(self._random.uniform(*DEAD_SECONDS))

    def _stop(self) -> None:
        self.faults.note("stop")
        self.program.stop(self._random.uniform(*DEAD_SECONDS))
