"""Network: a venue in this process, and what lies between it and its clients, on one clock and without a socket.

The venue is the real simulator's engine; only its shell is replaced. A frame takes the latency of its connection, in order; a
connection breaks as real ones do: reset, cut, closed, or stalled in one direction or both, for a while or for good. Dials are
admitted and refused by the venue, or never reach it.

Everything runs in :meth:`Network.run`; what it does depends on the clock and on what it was asked, never on the machine.
"""

from __future__ import annotations

import math
import random
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import urlsplit

import anyio

from wsmgr.manager.testing.simulated.schedule import Lane, Schedule
from wsmgr.manager.testing.simulated.socket import SimulatedSocket
from wsmgr.manager.transport.errors import DialError, Phase
from wsmgr.manager.transport.protocol import Dial, OnBatch, redact
from wsmgr.manager.venues.hyperliquid.simulator.engine import Engine
from wsmgr.manager.venues.hyperliquid.simulator.options import SimulatorOptions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from wsmgr.manager.venues.hyperliquid.simulator.journal import Witness
    from wsmgr.manager.venues.hyperliquid.simulator.session import Ending, Outgoing, Session

URL = "ws://venue.test/ws"
EPOCH = 1_790_000_000.0
CLIENT = "192.0.2.1"
LATENCY = 0.02
FULL_WINDOW = 256 * 1024
CLOSE_TIMEOUT = 1.0
GIVE_UP = 60.0

Unreachable: TypeAlias = Literal["refused", "silent", "unresolved"]
"""How a dial fails that never reaches the venue: at once, not before its deadline, or by its name."""

Arrived: TypeAlias = "Callable[[Connection, Sequence[Outgoing], float], None]"
"""Told of frames that are about to be handed to a client, and of the loop's time."""


class Connection:
    """One connection, from its upgrade to its end.

    Attributes:
        number: Its number at the venue, from 1.
        session: The venue's end.
        socket: The client's end.
        opened: Set when the client's end is open, or gone.
        opened_at: When the venue took it, on the loop's clock.
        ended_at: When the client's end was gone, or None.
        stalls: When nothing came through, in either direction: from, until (infinite: for good).
        up: What travels to the venue.
        down: What travels to the client.
    """

    def __init__(self, network: Network, path: str, on_batch: OnBatch) -> None:
        """Open a session at the venue; the answer to the upgrade is still to travel."""
        self._network = network
        self._dirty = False
        self._open_at_venue = True
        latency = network.latency_of()
        self.up = Lane(network.schedule, latency)
        self.down = Lane(network.schedule, latency)
        self.opened = anyio.Event()
        self.opened_at = anyio.current_time()
        self.ended_at: float | None = None
        self.stalls: list[tuple[float, float]] = []
        self.socket = SimulatedSocket(self, on_batch)
        self.session: Session = network.engine.open(path, CLIENT, self._notify)
        self.number = self.session.record.connection
        if self.session.ending is not None:
            self._notify()

    def reset(self) -> None:
        """Break the connection now, for both ends; what is on its way is lost."""
        self._venue_gone("the connection broke")
        self.down.cut()
        self._client_gone()
        self.socket.lost(ConnectionResetError(104, "Connection reset by peer"))

    def vanish(self) -> None:
        """The client's machine is gone: its ends closes without a word, and nothing of it is heard any more."""
        self.down.cut()
        self._client_gone()
        self.up.carry(partial(self._venue_gone, "the connection broke"))
        self.socket.lost(None)

    def stall(self, *, up: bool = True, down: bool = True, seconds: float | None = None) -> None:
        """Let nothing through, in one direction or both; after `seconds` it goes on, or never.

        A venue whose frames do not arrive gives the connection up after a minute.
        """
        lanes = [lane for lane, chosen in ((self.up, up), (self.down, down)) if chosen]
        for lane in lanes:
            lane.stall()
        now = anyio.current_time()
        self.stalls.append((now, math.inf if seconds is None else now + seconds))
        schedule = self._network.schedule
        if seconds is not None:
            schedule.call_after(seconds, lambda: self._resume(lanes))
        elif down:
            schedule.call_after(GIVE_UP, partial(self._venue_gone, "nothing of it is heard any more"))

    def _resume(self, lanes: Sequence[Lane]) -> None:
        now = anyio.current_time()
        if all(until <= now for _, until in self.stalls):
            for lane in lanes:
                lane.resume()

    # What the client's end does.

    def send(self, text: str) -> None:
        """Let a text frame travel to the venue."""
        self.up.carry(partial(self._received, text))

    def ping(self) -> None:
        """Let a ping travel to the venue, which answers it unless it has fallen silent."""
        self.up.carry(self._pinged)

    def close(self, code: int) -> None:
        """Let a close frame travel to the venue, which answers it."""
        self.up.carry(partial(self._close_received, code))

    def hang_up(self) -> None:
        """End the connection on the client's side."""
        self._client_gone()
        self.up.carry(partial(self._venue_gone, "the connection broke"))

    def reads(self) -> None:
        """The client has room again."""
        self._notify()

    # What the venue's end does.

    def _received(self, text: str) -> None:
        if self._open_at_venue:
            self.session.received(text, self._network.now())
            self._network.hub_changed()

    def _pinged(self) -> None:
        if self._open_at_venue and not self.session.is_silent:
            self.down.carry(self.socket.pong)

    def _close_received(self, code: int) -> None:
        if self._open_at_venue:
            self._venue_gone(f"the client closed: {code}")
            self.down.carry(partial(self.socket.peer_closed, code, ""))

    def _notify(self) -> None:
        if not self._dirty:
            self._dirty = True
            self._network.schedule.call_after(0.0, self._write)

    def _write(self) -> None:
        self._dirty = False
        session = self.session
        if not self._open_at_venue:
            return
        if session.ending is not None:
            self._end(session.ending)
        elif not session.is_silent and self.socket.unread_bytes < FULL_WINDOW:
            frames = session.take_outgoing(self._network.now())
            if frames:
                self.down.carry(partial(self._arrive, frames))

    def _arrive(self, frames: Sequence[Outgoing]) -> None:
        if self.socket.is_open:
            if self._network.on_arrived is not None:
                self._network.on_arrived(self, frames, anyio.current_time())
            self.socket.arrived([frame.text for frame in frames])

    def _end(self, ending: Ending) -> None:
        match ending.how:
            case "close":
                self.down.carry(partial(self.socket.peer_closed, ending.code, ending.why))
                self._network.schedule.call_after(CLOSE_TIMEOUT, partial(self._venue_gone, ending.why))
            case "reset":
                self._venue_gone(ending.why)
                self.down.carry(partial(self._broken, ConnectionResetError(104, "Connection reset by peer")))
            case "cut":
                self._venue_gone(ending.why)
                self.down.carry(partial(self._broken, None))

    def _broken(self, error: Exception | None) -> None:
        self._client_gone()
        self.socket.lost(error)

    def _venue_gone(self, why: str) -> None:
        if self._open_at_venue:
            self._open_at_venue = False
            ending = self.session.ending
            self._network.engine.closed(self.session, why if ending is None else ending.why)

    def _client_gone(self) -> None:
        self.opened.set()
        if self.ended_at is None:
            self.ended_at = anyio.current_time()
            self._network.connections.pop(self.number, None)


class Network:
    """A venue and the way to it.

    Args:
        options: How the venue behaves; host, port and speed mean nothing here.
        seed: What latencies are drawn from.
        witness: Told of what the venue makes, or None.

    Attributes:
        begun: When the venue's clock started, on the loop's.
        schedule: Runs everything.
        engine: The venue.
        connections: The connections that are open for their client, by number.
        history: Every connection that there ever was, in the order of their numbers.
        latency: Seconds that a frame takes one way, on average; a change is felt by what is sent from then on.
        unreachable: How dials fail that never reach the venue, or None.
        on_arrived: Told of frames that are about to be handed to a client, or None.
    """

    def __init__(
        self, options: SimulatorOptions | None = None, *, seed: int = 1, witness: Witness | None = None
    ) -> None:
        """Make a venue whose clock starts now; must be called on the loop that will run it."""
        self.schedule = Schedule()
        self.begun = anyio.current_time()
        self.engine = Engine(
            options or SimulatorOptions(rate="real", seed=seed),
            now=self.now,
            started_at=EPOCH + self.begun,
            witness=witness,
        )
        self.connections: dict[int, Connection] = {}
        self.history: list[Connection] = []
        self.latency = LATENCY
        self.unreachable: Unreachable | None = None
        self.on_arrived: Arrived | None = None
        self._random = random.Random(f"{seed}:network")  # noqa: S311 - a simulation, not a secret
        self._hub_at = math.inf

    def now(self) -> float:
        """The venue's clock: seconds since its start."""
        return anyio.current_time() - self.begun

    async def run(self) -> None:
        """Run the venue and all that is on its way, until cancelled."""
        await self.schedule.run()

    @asynccontextmanager
    async def connect(self, dial: Dial, on_batch: OnBatch) -> AsyncGenerator[SimulatedSocket]:
        """Dial the venue: the `Connect` of this network.

        Raises:
            DialError: No connection came about.
        """
        connection: Connection | None = None
        try:
            with anyio.move_on_after(dial.timeout):
                connection = await self._dial(dial, on_batch)
            if connection is None:
                phase: Phase = "tcp" if self.unreachable == "silent" else "upgrade"
                raise _dial_error(dial, f"no answer within {dial.timeout:g} s", phase)
            yield connection.socket
        finally:
            if connection is not None:
                connection.socket.leave()

    def hub_changed(self) -> None:
        """Something of the venue may be due earlier than before."""
        due = self.engine.hub.next_due
        if due is not None and due < self._hub_at:
            self._hub_at = due
            self.schedule.call_at(self.begun + due, partial(self._run_hub, due))

    def latency_of(self) -> Callable[[], float]:
        """Return the latency of one connection: a share of its own of the network's."""
        share = self._random.uniform(0.5, 1.5)
        return lambda: self.latency * share

    async def _dial(self, dial: Dial, on_batch: OnBatch) -> Connection:
        latency = self.latency_of()
        match self.unreachable:
            case "unresolved":
                raise _dial_error(dial, "the name is not known", "dns")
            case "silent":
                await anyio.sleep_forever()
            case "refused":
                await anyio.sleep(2 * latency())
                raise _dial_error(dial, "connection refused", "tcp")
            case None:
                await anyio.sleep(3 * latency())
        path = urlsplit(dial.url).path or "/"
        refusal = self.engine.admit(path, CLIENT)
        await anyio.sleep(self.engine.faults.slow_upgrade)
        if self.engine.faults.reset_upgrade:
            self.engine.journal.refused += refusal is None
            await anyio.sleep(latency())
            raise _dial_error(dial, "the peer hung up before it answered the upgrade", "upgrade")
        if refusal is not None:
            await anyio.sleep(latency())
            after = refusal.retry_after
            raise _dial_error(dial, f"HTTP {refusal.status}", "upgrade", refusal.status, after)
        connection = Connection(self, path, on_batch)
        self.connections[connection.number] = connection
        self.history.append(connection)
        self.hub_changed()
        connection.down.carry(connection.opened.set)
        try:
            await connection.opened.wait()
        except BaseException:
            connection.socket.leave()
            raise
        return connection

    def _run_hub(self, due: float) -> None:
        if due != self._hub_at:
            return  # an earlier one has been planned since, and has done this
        self._hub_at = math.inf
        self.engine.hub.run(max(due, self.now()))
        self.hub_changed()


def _dial_error(
    dial: Dial, why: str, phase: Phase, status: int | None = None, retry_after: float | None = None
) -> DialError:
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    return DialError(
        why, phase=phase, url=redact(dial.url), status=status, headers=headers, retry_after=retry_after
    )
