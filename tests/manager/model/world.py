"""A small world for the tests: a registry with one venue, a clock that only the test moves, and scripted frames.

A scripted frame is text: `data|<wire key>|<truth>|<numbers>`, `ack|subscribe|<key>`, ... The wire key is what the client can
read of a data frame; the truth is the subscription key that it belongs to, which only the test looks at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from attrs import define, field
from tests.manager.model.catalog import CATALOG
from tests.manager.model.keys import parse_key

from wsmgr.manager.model import handover, progress
from wsmgr.manager.model.delivery import MAX_BYTES, MAX_MESSAGES, Buffer, Policy
from wsmgr.manager.model.dispatch import Dispatcher
from wsmgr.manager.model.effects import Subscribe, Unsubscribe
from wsmgr.manager.model.fact import Note
from wsmgr.manager.model.frame import Ack, Data, Frame, Pong, Refusal, RefusalKind, Unroutable
from wsmgr.manager.model.inbound import Moment
from wsmgr.manager.model.items import Item
from wsmgr.manager.model.message import Message, Source
from wsmgr.manager.model.quota import Quotas
from wsmgr.manager.model.reconciliation import Plan, reconcile
from wsmgr.manager.model.registry import Origin, Registry, Venue
from wsmgr.manager.model.subscription_key import format_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsmgr.manager.model.connection import Connection, Stage
    from wsmgr.manager.model.subscription import Entry, State
    from wsmgr.manager.model.subscription_type import Atom

WALL = 1_000_000.0
"""Unix seconds when the monotonic clock shows 0."""
URLS = {"api": "ws://venue/ws"}


def data(atom: Atom, key: str, *numbers: int) -> bytes:
    """A data frame of the stream `key` with some items; without any, with the number 0."""
    return frame("data", atom, key, numbers or (0,))


def frame(kind: Literal["data", "snapshot"], atom: Atom, key: str, numbers: Sequence[int]) -> bytes:
    """A frame of the stream `key` with these items."""
    return f"{kind}|{atom.wire_key}|{key}|{','.join(map(str, numbers))}".encode()


def numbers_of(messages: Sequence[Message]) -> list[int]:
    """The numbers of the items in what consumers see of messages."""
    return [int(item.raw) for message in messages for item in items(message.data.encode())]


def classify(raw: bytes) -> Frame:
    """Say what a scripted frame is, as a dialect does."""
    match raw.decode().split("|"):
        case ["data", wire_key, _, numbers]:
            return Data(wire_key, venue_time=_time(wire_key, numbers))
        case ["snapshot", wire_key, _, numbers]:
            return Data(wire_key, venue_time=_time(wire_key, numbers), snapshot=True)
        case ["ack", ("subscribe" | "unsubscribe") as method, key]:
            return Ack(method, *_named(key))
        case ["already", key]:
            return Ack("subscribe", *_named(key), already=True)
        case ["invalid", key]:
            return Refusal(RefusalKind.INVALID, "no such coin", *_named(key))
        case ["users"]:
            return Refusal(RefusalKind.USERS, "too many users")
        case ["pong"]:
            return Pong()
        case _:
            return Unroutable("unparsed")


def _time(wire_key: str, numbers: str) -> float | None:
    """The venue's time of a frame: of a book its number, of anything else none."""
    return float(numbers) if wire_key.startswith("book:") else None


def _named(key: str) -> tuple[str, dict[str, object]]:
    _, type_name, params = parse_key(key)
    return type_name, CATALOG[type_name].canonical(params)


def items(raw: bytes) -> list[Item]:
    """The items of a scripted frame, or of frames end to end: the numbers, `data|fills:u1|<key>|1,2,3`."""
    return [
        Item(number, None, number.encode())
        for part in raw.decode().split("+")
        for number in part.split("|")[3].split(",")
        if number
    ]


def with_items(raw: bytes, kept: Sequence[Item]) -> bytes:
    """A scripted frame with some of its items."""
    parts = raw.decode().split("|")
    return "|".join([*parts[:3], ",".join(item.raw.decode() for item in kept)]).encode()


def join(frames: Sequence[bytes]) -> bytes:
    """Compose a log: the frames, end to end."""
    return b"+".join(frames)


@define(eq=False)
class Reader:
    """A consumer: its buffer, and how often it was woken."""

    policy: Policy = Policy.DROP_OLDEST
    events: bool = False
    max_messages: int = MAX_MESSAGES
    max_bytes: int = MAX_BYTES
    woken: int = 0
    buffer: Buffer = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.buffer = Buffer(
            self.policy,
            self._wake,
            events=self.events,
            max_messages=self.max_messages,
            max_bytes=self.max_bytes,
        )

    def _wake(self) -> None:
        self.woken += 1

    def read(self) -> list[object]:
        """Everything that waits: messages and events."""
        found: list[object] = []
        while (item := self.buffer.take()) is not None:
            found.append(item)
        return found

    def messages(self) -> list[Message]:
        """The messages among everything that waits."""
        return [item for item in self.read() if isinstance(item, Message)]


@define(eq=False)
class World:
    """A registry with the venue `v`."""

    quotas: Quotas = field(factory=Quotas)
    now: float = 0.0
    notes: list[Note] = field(factory=list)
    dated_notes: list[tuple[float, Note]] = field(factory=list)
    registry: Registry = field(init=False)
    origin: Origin = field(init=False)
    venue: Venue = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.registry = Registry(note=self._note)
        self.origin = Origin("venue", self.quotas)
        self.venue = self.add_venue("v")

    def _note(self, note: Note) -> None:
        self.notes.append(note)
        self.dated_notes.append((self.now, note))

    def add_venue(self, name: str) -> Venue:
        """Another venue of the same origin."""
        venue = Venue(
            name,
            self.origin,
            decode=bytes.decode,
            compose=lambda _: join,
            read_items=lambda _, raw: items(raw),
            with_items=lambda _, raw, kept: with_items(raw, kept),
        )
        self.registry.venues[name] = venue
        return venue

    @property
    def wall(self) -> float:
        """Now, in unix seconds."""
        return WALL + self.now

    def key(self, atom: Atom) -> str:
        """The subscription key of a wish."""
        return format_key("v", atom.type.name, atom.params)

    def keep(self, atom: Atom, venue: str = "v") -> Entry:
        """Want something for good."""
        entry, _ = self.registry.want(venue, atom, wall=self.wall)
        entry.kept = True
        return entry

    def hold(self, atom: Atom, reader: Reader | None = None) -> tuple[Entry, Reader]:
        """Want something for as long as a reader reads it."""
        entry, _ = self.registry.want("v", atom, wall=self.wall)
        reader = reader or Reader()
        self.registry.hold(entry, reader.buffer)
        return entry, reader

    def look(self, venue: Venue | None = None) -> Plan:
        """Decide what is to be done now."""
        return reconcile(self.registry, venue or self.venue, now=self.now, wall=self.wall, urls=URLS)

    def open_all(self) -> None:
        """Let every connection that has no socket get one."""
        for venue in self.registry.venues.values():
            for connection in venue.connections:
                if connection.usable and not connection.ready:
                    progress.dialling(connection)
                    progress.opened(self.registry, connection, now=self.now, wall=self.wall)

    def ask(self) -> Plan:
        """Place what waits, open its connections and write its requests; returns what was done in the two looks."""
        first = self.look()
        self.open_all()
        second = self.look()
        return Plan(first.effects + second.effects, second.wake_at)

    def acknowledge(self, entry: Entry, *, already: bool = False) -> bool:
        """Let the venue take the subscribe of an entry that sits on a connection."""
        assert entry.connection is not None
        return progress.acknowledged(
            self.registry, entry.connection, entry.key, already=already, now=self.now, wall=self.wall
        )

    def make_live(self, atom: Atom) -> Entry:
        """A kept subscription that is live, by its acknowledgement and, where it takes one, a frame."""
        entry = self.keep(atom)
        self.ask()
        self.acknowledge(entry)
        if entry.deadline is not None:
            self.deliver(entry, data(atom, entry.key))
        return entry

    def dispatcher(self, connection: Connection) -> Dispatcher:
        """A dispatcher whose control frames go nowhere."""
        return Dispatcher(
            self.registry,
            connection,
            classify=classify,
            on_control=lambda _: None,
            monotonic=lambda: self.now,
            wall=lambda: self.wall,
        )

    def deliver(self, entry: Entry, *frames: bytes) -> None:
        """Let frames come on an entry's connection, in one wake-up."""
        assert entry.connection is not None
        heard(entry.connection, self.wall, self.now)
        self.dispatcher(entry.connection)(list(frames))

    def cut(self, connection: Connection, reason: str = "reset") -> None:
        """Lose a connection's socket."""
        progress.lost(self.registry, connection, reason=reason, now=self.now, wall=self.wall)


def heard(connection: Connection, wall: float, now: float) -> None:
    """A byte came on a connection's socket."""
    assert connection.inbound is not None
    connection.inbound.heard(Moment(wall, now))


def ponged(connection: Connection, wall: float, now: float) -> None:
    """A ping was answered on a connection's socket."""
    heard(connection, wall, now)
    handover.heard(connection, now)


def messages(*texts: str, key: str = "k") -> list[Message]:
    """Messages of one stream, numbered from 1, whose frames are these texts."""
    source = Source(venue="v", type="t", key=key, subscription_id=key, decode=bytes.decode)
    return [
        Message(source, "t", number, 0, "v-1", WALL, text.encode())
        for number, text in enumerate(texts, start=1)
    ]


def asked(plan: Plan) -> list[Atom]:
    """What a plan asks the venue for, in order."""
    return [effect.atom for effect in plan.effects if isinstance(effect, Subscribe)]


def ended(plan: Plan) -> list[Atom]:
    """What a plan ends at the venue, in order."""
    return [effect.atom for effect in plan.effects if isinstance(effect, Unsubscribe)]


def socket_of(entry: Entry) -> Connection:
    """The connection on which it sits."""
    assert entry.connection is not None
    return entry.connection


def state_of(entry: Entry) -> State:
    """How far it has come: asked anew each time."""
    return entry.state


def stage_of(entry: Entry) -> Stage | None:
    """How far its second side has come, if it has one."""
    return None if entry.second is None else entry.second.stage


def end(world: World, entry: Entry) -> Connection:
    """End a subscription; the connection on which it sat."""
    connection = socket_of(entry)
    world.registry.end(entry, by="test", now=world.now)
    return connection


def end_acknowledged(world: World, connection: Connection, wish: Atom) -> bool:
    """Let the venue take an unsubscribe."""
    return progress.end_acknowledged(world.registry, connection, world.key(wish), now=world.now)
