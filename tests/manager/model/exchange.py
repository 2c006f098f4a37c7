"""A manager's core and a venue that behaves, for tests in which streams flow: it plays link, session, keeper and caretaker.

Everything is answered and read at once, unless the test lets frames lie. What a stream tells is cut into frames differently on each socket.
"""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING, Literal

from attrs import define, field
from tests.manager.model.scripted_venue import Request, Streams, VenueSocket
from tests.manager.model.world import Reader, World, classify, heard, numbers_of, ponged

from wsmgr.manager.model import progress, repairing
from wsmgr.manager.model.answers import take_answer
from wsmgr.manager.model.dispatch import Dispatcher
from wsmgr.manager.model.effects import (
    CloseConnection,
    Effect,
    OpenConnection,
    Recycle,
    Subscribe,
    Unsubscribe,
)
from wsmgr.manager.model.fact import Fact

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.model.frame import Frame
    from wsmgr.manager.model.subscription import Entry
    from wsmgr.manager.model.subscription_type import Atom


@define(eq=False)
class Exchange:
    """A world whose venue answers.

    Attributes:
        world: The world.
        streams: What the venue has told.
        sockets: The venue's side of each socket, by the connection's id.
        silenced: Streams of which nothing is sent, on whichever socket.
        newest_only: Whether the venue serves a stream on the newest of its sockets only.
        offline: Whether it accepts no socket.
        done: Every effect so far, with its time.
        random: Cuts what is told into frames.
    """

    world: World = field(factory=World)
    streams: Streams = field(factory=Streams)
    sockets: dict[str, VenueSocket] = field(factory=dict)
    silenced: set[str] = field(factory=set)
    newest_only: bool = False
    offline: bool = False
    done: list[tuple[float, Effect]] = field(factory=list)
    random: Random = field(factory=lambda: Random(1))

    def keep(self, wish: Atom, *, redundancy: int = 1) -> tuple[Entry, Reader]:
        """Want something for good, and read it, events too."""
        entry = self.world.keep(wish)
        entry.redundancy = redundancy
        reader = Reader(events=True, max_messages=10**6, max_bytes=10**9)
        self.world.registry.hold(entry, reader.buffer)
        self.settle()
        return entry, reader

    def tell(self, key: str, count: int = 1, *, read: bool = True) -> None:
        """Let a stream tell something, on every socket that carries it."""
        numbers = self.streams.tell(key, count)
        carrying = [
            socket for socket in self.sockets.values() if key in socket.held and key not in self.silenced
        ]
        for socket in carrying[-1:] if self.newest_only else carrying:
            rest = numbers
            while rest:
                cut = self.random.randint(1, len(rest))
                socket.send(key, rest[:cut], self.world.now)
                rest = rest[cut:]
        if read:
            self.read()

    def read(self, connection: Connection | None = None, count: int | None = None) -> None:
        """Read what waits: everywhere, or some of one socket; and look."""
        for each in list(self.world.venue.connections):
            socket = self.sockets.get(each.id)
            if socket is not None and connection in {None, each}:
                waiting = len(socket.frames)
                frames = [
                    socket.frames.popleft()[1]
                    for _ in range(waiting if count is None else min(count, waiting))
                ]
                if frames:
                    self._receive(each, frames)
        self.look()

    def look(self) -> float:
        """Look and perform until nothing is to be done at once; returns when to look again."""
        while True:
            plan = self.world.look()
            for effect in plan.effects:
                self.done.append((self.world.now, effect))
                self._perform(effect)
            dialled = self._dial()
            if not plan.effects and not dialled:
                return plan.wake_at

    def settle(self) -> float:
        """Answer and read all that is on its way; returns when to look again."""
        wake_at = self.look()
        while any(socket.requests or socket.frames for socket in self.sockets.values()):
            for socket in self.sockets.values():
                while socket.requests:
                    socket.handle("ack", self.world.now, set())
            self.read()
            wake_at = self.look()
        return wake_at

    def beat(self) -> bool:
        """Listen to every stream and ping every socket, as is done once a second; returns whether the keeper has to look."""
        for connection in self.world.venue.connections:
            if connection.id in self.sockets:
                ponged(connection, self.world.wall, self.world.now)
        stirred = False
        for entry in list(self.world.registry.entries.values()):
            entry.watch.beat(self.world.now, entry.counters.messages)
            stirred |= repairing.listen(self.world.registry, entry, self.world.now)
        return stirred

    def run(self, seconds: float, *keys: str, answers: bool = True) -> None:
        """Let time pass with a beat each second; what falls due is done when it does, and some streams tell something each second."""
        end = self.world.now + seconds
        wake_at = self.settle() if answers else self.look()
        while self.world.now < end:
            tick = min(end, self.world.now + 1.0)
            while wake_at < tick:
                self.world.now = max(self.world.now, wake_at)
                wake_at = self.settle() if answers else self.look()
            self.world.now = tick
            for key in keys:
                self.tell(key, read=False)
            if answers:
                self.settle()
            self.beat()
            wake_at = self.settle() if answers else self.look()

    def cut(self, connection: Connection) -> None:
        """A socket falls, with all that was on its way; the next one is not dialled before somebody looks."""
        self.sockets.pop(connection.id, None)
        self.world.cut(connection)

    def facts(self, kind: str) -> list[Fact]:
        """What was noted of a kind."""
        return [fact for _, fact in self.dated_facts() if fact.kind == kind]

    def dated_facts(self) -> list[tuple[float, Fact]]:
        """What was noted, and when."""
        return [(at, note) for at, note in self.world.dated_notes if isinstance(note, Fact)]

    def count(self, effect: type[Effect]) -> int:
        """How many effects of a kind there were."""
        return sum(isinstance(done, effect) for _, done in self.done)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case OpenConnection():
                pass
            case Subscribe(connection, wish) | Unsubscribe(connection, wish):
                method: Literal["subscribe", "unsubscribe"] = (
                    "subscribe" if isinstance(effect, Subscribe) else "unsubscribe"
                )
                if connection.id in self.sockets:
                    request = Request(method, self.world.key(wish), wish, self.world.now)
                    self.sockets[connection.id].requests.append(request)
            case Recycle(connection, _, _):
                self.cut(connection)
            case CloseConnection(connection):
                self.world.venue.closing.remove(connection)
                self.sockets.pop(connection.id, None)

    def _dial(self) -> bool:
        if self.offline:
            return False
        waiting = [
            each for each in self.world.venue.connections if each.usable and each.id not in self.sockets
        ]
        for connection in waiting:
            progress.dialling(connection)
            self.sockets[connection.id] = VenueSocket(self.streams)
            progress.opened(self.world.registry, connection, now=self.world.now, wall=self.world.wall)
        return bool(waiting)

    def _receive(self, connection: Connection, frames: list[bytes]) -> None:
        heard(connection, self.world.wall, self.world.now)
        Dispatcher(
            self.world.registry,
            connection,
            classify=classify,
            on_control=partial(self._control, connection),
            monotonic=lambda: self.world.now,
            wall=lambda: self.world.wall,
        )(frames)

    def _control(self, connection: Connection, frame: Frame) -> None:
        take_answer(self.world.registry, connection, frame, now=self.world.now, wall=self.world.wall)


def told(reader: Reader) -> list[int]:
    """The numbers that a reader was given."""
    return numbers_of(reader.messages())
