"""The whole life of subscriptions against a venue that does its worst, as a state machine.

Readers come and go, streams are ended and wanted again at once, wanted on two sockets, go mute or are forgotten without a word;
acknowledgements are lost, sockets fall in the middle of resubscribing, are replaced or not read, connections are parked, late frames come,
time passes. What the venue tells is numbered. After every step:

1. No socket ever carries two streams that the client cannot tell apart, and no frame reaches a stream that it is not of.
2. Every wanted subscription delivers, is final, or has something that will move it: none is ever forgotten.
3. What has ended is gone from every index, and does not come back.
4. No quota is exceeded, second sides and replacements included; of the subscribes that add a user, one is in flight at a time.
5. The attention holds what waits for something, and nothing else.
6. A message carries a gap exactly when one ended since the message before that is not proved whole. Numbers are missing only where a message
   carries a gap, and of what can be merged none comes twice.

At the end the venue behaves, and everything that is wanted must come to deliver, and nothing else may be carried. Then all is ended, and
nothing is left at the venue.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Literal

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.manager.model.catalog import BOOK, FILLS, ORDERS, TICKER, TRADES, atom
from tests.manager.model.scripted_venue import Outcome, Request, Streams, VenueSocket
from tests.manager.model.world import Reader, World, classify, heard, numbers_of

from wsmgr.manager.model import progress, repairing, rotation
from wsmgr.manager.model.answers import take_answer
from wsmgr.manager.model.claim import Phase
from wsmgr.manager.model.dispatch import Dispatcher
from wsmgr.manager.model.effects import (
    CloseConnection,
    Effect,
    OpenConnection,
    Recycle,
    Subscribe,
    Unsubscribe,
)
from wsmgr.manager.model.fact import Fact, GapClosed
from wsmgr.manager.model.message import Message
from wsmgr.manager.model.placement import Refuse, place
from wsmgr.manager.model.quota import WINDOW, Quotas
from wsmgr.manager.model.recent import Recent
from wsmgr.manager.model.subscription import Entry, State
from wsmgr.manager.model.subscription_type import Kind, Merge
from wsmgr.manager.model.watching import PROBE_INTERVAL

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.model.frame import Frame
    from wsmgr.manager.model.subscription_type import Atom

QUOTAS = Quotas(connections=4, users=2, subscriptions=6, messages_per_minute=12)
STEADY = attrs.evolve(atom(TICKER, coin="A"), type=attrs.evolve(TICKER, cadence=5.0))
"""A stream that sends a state every five seconds, while it is well."""
WISHES = [
    STEADY,
    atom(TRADES, coin="A"),
    atom(BOOK, coin="A"),
    atom(BOOK, coin="A", depth=5),
    *(atom(kind, user=user) for kind in (ORDERS, FILLS) for user in ("u1", "u2", "u3")),
]
ANSWERS_WITHIN, READ_WITHIN, PAUSED_FOR = 5.0, 1.5, 8.0
"""The venue answers, and what it sent is read, within the deadline of an acknowledgement, unless it is lost; one socket is never later than
another by as much as they are compared with. A socket is not read for so long at most."""
REMEMBERED = 50
"""How many messages of a stream are kept: more than are on their way on a socket at any time."""
DELIVERING = {State.ACKNOWLEDGED, State.LIVE, State.STALE}
WRITTEN = DELIVERING | {State.SUBSCRIBING}
PICK = st.integers(0, 11)


class Life(RuleBasedStateMachine):
    """The manager's core between its consumers and the venue; it plays link, session and keeper."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(quotas=QUOTAS, now=1000.0)
        self.sockets: dict[str, VenueSocket] = {}
        self.readers: list[tuple[Entry, Reader]] = []
        self.streams = Streams()
        self.paused: dict[str, float] = {}
        self.heard: dict[tuple[str, int], int] = {}
        self.seen: dict[str, tuple[int, int]] = {}
        self.owed: set[str] = set()
        self.introducing: dict[tuple[str, str], str] = {}
        self.written: list[float] = []
        self.wake_at = math.inf
        self.pending = False
        self.dozing = False
        self.offline = False

    # What the test does to the world.

    @rule(wish=st.sampled_from(WISHES))
    def keep(self, wish: Atom) -> None:
        """Somebody wants it for good."""
        self.world.keep(wish)
        self._happened()

    @rule(wish=st.sampled_from(WISHES))
    def read_it(self, wish: Atom) -> None:
        """A reader comes."""
        self.readers.append(self.world.hold(wish))
        self._happened()

    @precondition(lambda self: self.readers)
    @rule(pick=PICK)
    def leave(self, pick: int) -> None:
        """A reader goes, also one whose stream was ended under it."""
        entry, reader = self.readers.pop(pick % len(self.readers))
        self._check_messages(entry, reader)
        self.world.registry.release(entry, reader.buffer, self.world.now)
        self._happened()

    @precondition(lambda self: self.world.registry.entries)
    @rule(pick=PICK)
    def unsubscribe(self, pick: int) -> None:
        """Somebody ends it for all."""
        entries = list(self.world.registry.entries.values())
        entry = entries[pick % len(entries)]
        self._audit()
        self.world.registry.end(entry, by="test", now=self.world.now)
        self.owed.discard(entry.id)
        self._happened()

    @precondition(lambda self: self.world.registry.entries)
    @rule(pick=PICK)
    def unsubscribe_and_want_again(self, pick: int) -> None:
        """It is ended and wanted again before anybody has looked."""
        entries = list(self.world.registry.entries.values())
        wish = entries[pick % len(entries)].atom
        self.unsubscribe(pick)
        self.keep(wish)

    @precondition(lambda self: any(each.requests for each in self.sockets.values()))
    @rule(pick=PICK, outcome=st.sampled_from(["ack", "ack", "ack", "lose", "lose", "invalid", "users"]))
    def answer(self, pick: int, outcome: Outcome) -> None:
        """The venue answers a request, or loses the answer, or refuses."""
        sockets = [each for each in self.sockets.values() if each.requests]
        socket = sockets[pick % len(sockets)]
        socket.handle(outcome, self.world.now, self._users_at_the_venue())

    @precondition(lambda self: any(each.held for each in self.sockets.values()))
    @rule(pick=PICK, count=st.integers(1, 3), cut=st.integers(0, 2))
    def tell(self, pick: int, count: int, cut: int) -> None:
        """A stream tells something, on every socket that carries it, cut into frames in different ways."""
        self._tell(self._told_about()[pick % len(self._told_about())], count, cut)

    @precondition(lambda self: self.sockets)
    @rule(pick=PICK, stream=PICK)
    def send_late(self, pick: int, stream: int) -> None:
        """A late frame of a stream that ended a moment ago."""
        socket = list(self.sockets.values())[pick % len(self.sockets)]
        late = [key for key in socket.streams_at(self.world.now) if key not in socket.held]
        if late:
            key = late[stream % len(late)]
            socket.send(key, self.streams.told[key][-1:] or [0], self.world.now)

    @precondition(lambda self: any(each.held for each in self.sockets.values()))
    @rule(pick=PICK, stream=PICK, what=st.sampled_from(["mute", "forget"]))
    def turn_bad(self, pick: int, stream: int, what: str) -> None:
        """The venue sends nothing more of a steady stream, or has lost one that may be silent, without a word."""
        sockets = [each for each in self.sockets.values() if each.held]
        socket = sockets[pick % len(sockets)]
        key = sorted(socket.held)[stream % len(socket.held)]
        steady = socket.held[key].type.cadence is not None
        if what == "mute" and steady:
            socket.mute.add(key)
        elif what == "forget" and not steady and not any(each.key == key for each in socket.requests):
            socket.forget(key)

    @precondition(lambda self: self.world.registry.entries)
    @rule(pick=PICK)
    def want_twice(self, pick: int) -> None:
        """Somebody wants it on two sockets."""
        entries = [each for each in self.world.registry.entries.values() if each.type.merge is not Merge.NONE]
        if entries:
            entry = entries[pick % len(entries)]
            entry.redundancy = 2
            for buffer in entry.buffers:
                buffer.redundancy = 2
            self.world.venue.attention[entry.id] = entry
            self._happened()

    @precondition(lambda self: self.world.venue.connections)
    @rule(pick=PICK)
    def replace_connection(self, pick: int) -> None:
        """Somebody wants a connection to be replaced."""
        connections = self.world.venue.connections
        rotation.want(
            self.world.registry, connections[pick % len(connections)], why="test", now=self.world.now
        )
        self._happened()

    @precondition(lambda self: self.sockets)
    @rule(pick=PICK)
    def block(self, pick: int) -> None:
        """A consumer blocks a socket: it is not read for a while."""
        name = list(self.sockets)[pick % len(self.sockets)]
        self.paused[name] = self.world.now + PAUSED_FOR
        self._connection(name).paused = True

    @precondition(lambda self: any(each.frames for each in self.sockets.values()))
    @rule(pick=PICK, count=st.integers(1, 4))
    def receive(self, pick: int, count: int) -> None:
        """Frames come in, in one wake-up."""
        names = [each for each, socket in self.sockets.items() if socket.frames and each not in self.paused]
        if not names:
            return
        name = names[pick % len(names)]
        frames = self.sockets[name].frames
        self._receive(name, [frames.popleft()[1] for _ in range(min(count, len(frames)))])

    @rule(pick=PICK)
    def talk(self, pick: int) -> None:
        """All that is on its way arrives: answers, a frame of one stream, and what was to be read."""
        for socket in self.sockets.values():
            while socket.requests:
                socket.handle("ack", self.world.now, self._users_at_the_venue())
        if told := self._told_about():
            self._tell(told[pick % len(told)])
        self._read_all()

    @precondition(lambda self: self.world.venue.connections)
    @rule(pick=PICK, what=st.sampled_from(["cut", "cut", "cut", "park", "park the suspect", "hush"]))
    def disaster(self, pick: int, what: str) -> None:
        """A socket falls with all that was on its way, a connection uses up its restarts, or the venue wants silence."""
        usable = [each for each in self.world.venue.connections if each.usable]
        if what == "hush":
            self.world.origin.silent_until = self.world.now + WINDOW
        elif usable and what == "cut":
            self._cut(usable[pick % len(usable)], "reset")
        elif usable:
            self._park(usable[pick % len(usable)], suspect=pick if what == "park the suspect" else None)
        self._happened()

    @rule(dozing=st.booleans(), offline=st.booleans())
    def weather(self, dozing: bool, offline: bool) -> None:
        """The keeper looks at once, or only when it gets to it; dials are accepted at once, or not at all."""
        self.dozing, self.offline = dozing, offline
        self._happened()

    @rule(pick=PICK)
    def calm(self, pick: int) -> None:
        """Everything arrives and nothing happens for longer than folding takes."""
        self._read_on()
        for _ in range(2):
            self.talk(pick)
            self.pass_time(1.0)
        self.pass_time(61.0)
        self.talk(pick)

    @rule(seconds=st.sampled_from([0.125, 1.0, 3.0, 10.0, 16.0, 61.0, 400.0]))
    def pass_time(self, seconds: float) -> None:
        """Time passes; what falls due on the way is done when it does."""
        until = self.world.now + seconds
        self._look_if_pending()
        while (at := min(self.wake_at, self._network_due(), math.floor(self.world.now) + 1.0)) <= until:
            self.world.now = max(self.world.now, at)
            self._work_network()
            self._beat()
            self._look()
        self.world.now = until
        self._look()

    # What must hold.

    @invariant()
    def placed_consistently(self) -> None:
        entries, connections = self.world.registry.entries, self.world.venue.connections
        for connection in connections:
            for wire_key, member in connection.members.items():
                assert (wire_key, connection) == (member.wire_key, member.connection)
                assert entries.get(member.id) is member
            assert all(entries.get(route.id) is route for route in connection.routes.values())
            for wire_key, entry in connection.seconds.items():
                assert entry.second is not None
                assert (wire_key, connection) == (entry.wire_key, entry.second.connection)
                assert wire_key not in connection.members
            users = Counter(member.user for member in connection.members.values() if member.user is not None)
            assert dict(users) == connection.users
            assert sum(member.type.private for member in connection.members.values()) == connection.privates
        placed = [entry for entry in entries.values() if entry.connection is not None]
        assert len(placed) == sum(len(connection.members) for connection in connections)
        twice = [entry for entry in entries.values() if entry.second is not None]
        assert len(twice) == sum(len(connection.seconds) for connection in connections)
        for entry in twice:
            assert entry.state is State.LIVE or (entry.state is State.STALE and entry.second_joined)
        assert all(entry.connection in connections for entry in placed)

    @invariant()
    def never_over_a_quota(self) -> None:
        connections = [each for each in self.world.venue.connections if each.usable]
        users = {user for connection in connections for user in connection.users}
        recent = [at for at in self.written if at > self.world.now - WINDOW]
        assert (QUOTAS.connections or 0) >= len(connections) + len(self.world.venue.closing)
        assert (QUOTAS.subscriptions or 0) >= self.world.origin.usage(self.world.now).subscriptions
        assert (QUOTAS.subscriptions or 0) >= sum(len(socket.held) for socket in self.sockets.values())
        assert (QUOTAS.users or 0) >= len(users)
        assert (QUOTAS.messages_per_minute or 0) >= len(recent)

    @invariant()
    def one_new_user_at_a_time(self) -> None:
        assert len(set(self.introducing.values())) <= 1

    @invariant()
    def attention_is_exact(self) -> None:
        entries, attention = self.world.registry.entries, self.world.venue.attention
        assert all(entries.get(entry.id) is entry for entry in attention.values())
        for entry in entries.values():
            assert not entry.waits or entry.id in attention
            assert entry.waits or self.pending or entry.id not in attention

    @invariant()
    def nothing_is_forgotten(self) -> None:
        if not self.pending:
            stuck = [
                (
                    entry.key,
                    entry.state,
                    entry.connection and entry.connection.id,
                    entry.deadline,
                    entry.error,
                    entry.repair,
                )
                for entry in self.world.registry.entries.values()
                if not self._will_move(entry)
            ]
            assert [] == stuck

    @invariant()
    def what_delivers_is_carried(self) -> None:
        """On a socket on which nothing is on its way, the client's belief is the truth."""
        for connection in self.world.venue.connections:
            socket = self.sockets.get(connection.id)
            if socket is None or socket.requests or socket.frames or self.pending:
                continue
            for member in connection.members.values():
                assert member.state not in DELIVERING or member.key in {*socket.held, *socket.forgotten}
            known = {member.key for member in connection.members.values()}
            known |= {entry.key for entry in connection.seconds.values()}
            known |= {claim.key for claim in connection.claims.values() if claim.phase is Phase.ENDING}
            assert set(socket.held) <= known

    @invariant()
    def messages_are_true_and_whole(self) -> None:
        for entry, reader in self.readers:
            self._check_messages(entry, reader)

    def teardown(self) -> None:
        """The venue behaves, and readers stay: everything that is wanted comes to deliver, and nothing else. Then all is ended."""
        self.dozing = self.offline = False
        self._read_on()
        self._run_well(20_000.0)
        # What was forgotten is found by the probe; what had nothing to tell meanwhile is stale for a moment.
        self._beat()
        self.world.now += PROBE_INTERVAL
        self._beat()
        self._run_well(2000.0)
        entries = self.world.registry.entries.values()
        delivering = {
            (entry.key, connection.id)
            for entry in entries
            if entry.state is State.LIVE
            for connection in (entry.connection, None if entry.second is None else entry.second.connection)
            if connection is not None
        }
        carried = {(key, name) for name, socket in self.sockets.items() for key in socket.held}
        # Beside a side that delivers nobody misses one that was forgotten, until it has to stand alone.
        missed = {(key, name) for name, socket in self.sockets.items() for key in socket.forgotten}
        assert carried <= delivering <= carried | missed
        for entry in entries:
            assert entry.state in {State.LIVE, State.REJECTED} or self._refused_by_a_quota(entry)
            assert entry.second is None or entry.second_joined
            assert entry.merger is None or entry.second is not None or entry.interruption is not None
        self.nothing_is_forgotten()
        self.attention_is_exact()
        self.messages_are_true_and_whole()
        for entry in list(entries):
            self.world.registry.end(entry, by="test", now=self.world.now)
        self._run_well(400.0)
        assert ([], {}, {}) == (self.world.venue.connections, self.sockets, self.world.venue.attention)

    def _run_well(self, seconds: float) -> None:
        """Let time pass in which the venue answers everything at once, and every stream tells something whenever anybody looks."""
        end = self.world.now + seconds
        self._look()
        while True:
            while any(socket.requests or socket.frames for socket in self.sockets.values()):
                for socket in self.sockets.values():
                    while socket.requests:
                        socket.handle("ack", self.world.now, self._users_at_the_venue())
                self._read_all()
            for key in self._told_about():
                self._tell(key)
            self._read_all()
            self._look()
            if any(socket.requests or socket.frames for socket in self.sockets.values()):
                continue
            if self.wake_at > end:
                break
            self.world.now = max(self.world.now, self.wake_at)
            self._look()
        self.world.now = max(self.world.now, end)

    # Link, session, keeper and network.

    def _happened(self) -> None:
        self.pending = True
        if not self.dozing:
            self._look()

    def _look_if_pending(self) -> None:
        if self.pending:
            self._look()

    def _look(self) -> None:
        self.pending = True
        self._listen_to_all()
        while self.pending:
            self.pending = False
            plan = self.world.look()
            self.wake_at = plan.wake_at
            for effect in plan.effects:
                self._perform(effect)
            self._dial()
        self._audit()

    def _listen_to_all(self) -> None:
        """See every message, also of what nobody reads; this holds nothing."""
        for entry in self.world.registry.entries.values():
            entry.recent = entry.recent or Recent()

    def _dial(self) -> None:
        for connection in self._without_socket() if not self.offline else ():
            progress.dialling(connection)
            self.sockets[connection.id] = VenueSocket(self.streams)
            progress.opened(self.world.registry, connection, now=self.world.now, wall=self.world.wall)
            self.pending = True

    def _perform(self, effect: Effect) -> None:
        match effect:
            case OpenConnection():
                pass
            case Subscribe(connection, wish):
                self._write(connection, "subscribe", wish)
            case Unsubscribe(connection, wish):
                self._write(connection, "unsubscribe", wish)
            case Recycle(connection, _, why):
                self._cut(connection, why)
                self.pending = True
            case CloseConnection(connection):
                self.world.venue.closing.remove(connection)
                assert connection.empty
                self._forget_socket(connection)
                self.pending = True

    def _write(self, connection: Connection, method: Literal["subscribe", "unsubscribe"], wish: Atom) -> None:
        key = self.world.key(wish)
        self.written.append(self.world.now)
        socket = self.sockets.get(connection.id)
        if socket is None:
            return
        if method == "subscribe":
            assert socket.carries(wish.wire_key, self.world.now) <= {key}
            if wish.user is not None and wish.user not in self._users_that_stay():
                self.introducing[connection.id, key] = wish.user
        socket.requests.append(Request(method, key, wish, self.world.now))

    def _receive(self, name: str, frames: list[bytes]) -> None:
        if name not in self.sockets:
            # A look between two sockets closed it: it was folded, or nothing was left on it.
            return
        connection = self._connection(name)
        heard(connection, self.world.wall, self.world.now)
        dispatcher = Dispatcher(
            self.world.registry,
            connection,
            classify=classify,
            on_control=partial(self._control, connection),
            monotonic=lambda: self.world.now,
            wall=lambda: self.world.wall,
        )
        for raw in frames:
            dispatcher([raw])
            self._audit()
        self._settle_introductions()
        self._happened()

    def _control(self, connection: Connection, frame: Frame) -> None:
        take_answer(self.world.registry, connection, frame, now=self.world.now, wall=self.world.wall)
        for name, key in list(self.introducing):
            claim = connection.claim_of(key)
            if name == connection.id and (claim is None or not claim.introduces):
                del self.introducing[name, key]

    def _settle_introductions(self) -> None:
        """An introduction is over when nothing of it is on its way: its answer was read, or lost."""
        for name, key in list(self.introducing):
            socket = self.sockets.get(name)
            asked = socket is not None and any(each.key == key for each in socket.requests)
            answered = socket is not None and any(
                raw.decode() == "users" or raw.decode().endswith(f"|{key}") for _, raw in socket.frames
            )
            if not asked and not answered:
                del self.introducing[name, key]

    def _cut(self, connection: Connection, reason: str) -> None:
        self._forget_socket(connection)
        progress.lost(
            self.world.registry, connection, reason=reason, now=self.world.now, wall=self.world.wall
        )

    def _park(self, connection: Connection, *, suspect: int | None) -> None:
        members = list(connection.members.values())
        if suspect is not None and members:
            connection.suspects += [members[suspect % len(members)].id] * 3
        self._forget_socket(connection)
        progress.parked(self.world.registry, connection, "boom", now=self.world.now, wall=self.world.wall)

    def _forget_socket(self, connection: Connection) -> None:
        """The socket is gone, and with it what was on its way."""
        self.sockets.pop(connection.id, None)
        self.paused.pop(connection.id, None)
        for found in [each for each in self.introducing if each[0] == connection.id]:
            del self.introducing[found]

    def _without_socket(self) -> list[Connection]:
        return [each for each in self.world.venue.connections if each.usable and each.id not in self.sockets]

    def _users_at_the_venue(self) -> set[str]:
        return {
            held.user
            for socket in self.sockets.values()
            for held in (*socket.held.values(), *socket.forgotten.values())
            if held.user
        }

    def _users_that_stay(self) -> set[str]:
        """The users whom the venue could not refuse: it tracks them by a stream whose end is not on its way."""
        return {
            held.user
            for socket in self.sockets.values()
            for key, held in (*socket.held.items(), *socket.forgotten.items())
            if held.user
            and not any((each.method, each.key) == ("unsubscribe", key) for each in socket.requests)
        }

    def _network_due(self) -> float:
        """When the network has to move: neither requests nor frames lie about for ever."""
        requests = [
            socket.requests[0].at + ANSWERS_WITHIN for socket in self.sockets.values() if socket.requests
        ]
        frames = [
            self.paused.get(name, socket.frames[0][0] + READ_WITHIN)
            for name, socket in self.sockets.items()
            if socket.frames
        ]
        return min([*requests, *frames, *self.paused.values()], default=math.inf)

    def _work_network(self) -> None:
        """Answer and read what is due."""
        for name, socket in list(self.sockets.items()):
            while socket.requests and socket.requests[0].at + ANSWERS_WITHIN <= self.world.now:
                socket.handle("ack", self.world.now, self._users_at_the_venue())
            frames: list[bytes] = []
            if self.paused.get(name, math.inf) <= self.world.now:
                del self.paused[name]
                self._connection(name).paused = False
                frames = [socket.frames.popleft()[1] for _ in range(len(socket.frames))]
            while (
                name not in self.paused
                and socket.frames
                and socket.frames[0][0] + READ_WITHIN <= self.world.now
            ):
                frames.append(socket.frames.popleft()[1])
            if frames:
                self._receive(name, frames)

    def _read_all(self) -> None:
        for name, socket in list(self.sockets.items()):
            if name not in self.paused:
                self._receive(name, [socket.frames.popleft()[1] for _ in range(len(socket.frames))])

    def _read_on(self) -> None:
        """No consumer blocks a socket any more."""
        for name in self.paused:
            self._connection(name).paused = False
        self.paused.clear()

    def _connection(self, name: str) -> Connection:
        (connection,) = [each for each in self.world.venue.connections if each.id == name]
        return connection

    def _told_about(self) -> list[str]:
        """The streams that the venue carries somewhere."""
        return sorted({key for socket in self.sockets.values() for key in socket.held})

    def _tell(self, key: str, count: int = 1, cut: int = 0) -> None:
        numbers = self.streams.tell(key, count)
        for number, socket in enumerate(self.sockets.values()):
            if key in socket.held:
                first = (cut + number) % len(numbers)
                for part in (numbers[:first], numbers[first:]):
                    if part:
                        socket.send(key, part, self.world.now)

    def _beat(self) -> None:
        """Listen to every stream; once a second, in the manager."""
        for entry in list(self.world.registry.entries.values()):
            entry.watch.beat(self.world.now, entry.counters.messages)
            self.pending |= repairing.listen(self.world.registry, entry, self.world.now)

    # The judgement.

    def _check_messages(self, entry: Entry, reader: Reader) -> None:
        for item in reader.read():
            assert isinstance(item, Message)
            assert {entry.key} == {part.decode().split("|")[2] for part in item.raw.split(b"+")}

    def _audit(self) -> None:
        """Check what was delivered since the last time, and what was said about what is missing.

        A state without a key that goes to another connection switches without a proof, and without a gap: the newest one is whole.
        """
        entries, closed, moved = self.world.registry.entries, Counter[str](), set[str]()
        for note in self.world.notes:
            if isinstance(note, GapClosed) and not note.gap.whole:
                closed[note.subscription_id] += 1
            elif isinstance(note, Fact) and note.kind == "moved" and note.subscription_id is not None:
                moved.add(note.subscription_id)
        self.world.notes.clear()
        self.owed |= closed.keys()
        self.owed &= entries.keys()
        for entry in entries.values():
            epoch, seq = self.seen.get(entry.id, (entry.epoch, 0))
            messages = [each for each in entry.recent or () if epoch != entry.epoch or each.seq > seq]
            for message in messages:
                assert (message.gap is not None) == (entry.id in self.owed)
                self.owed.discard(entry.id)
                self._check_numbers(entry, message, switched=entry.id in moved)
            while entry.recent is not None and len(entry.recent) > REMEMBERED:
                entry.recent.drop_oldest()
            assert entry.seq == (messages[-1].seq if messages else seq if epoch == entry.epoch else 0)
            self.seen[entry.id] = entry.epoch, entry.seq

    def _check_numbers(self, entry: Entry, message: Message, *, switched: bool) -> None:
        """Nothing is missing without a gap, and of what can be merged nothing comes twice."""
        numbers = numbers_of([message])
        last = self.heard.get((entry.id, entry.epoch))
        unproved = switched and entry.type.kind is Kind.STATE and entry.type.merge is Merge.NONE
        if last is not None and numbers and not (message.gap is not None or unproved):
            assert numbers[0] <= last + 1
        if last is not None and numbers and entry.type.merge is not Merge.NONE:
            assert numbers[0] > last
        assert sorted(set(numbers)) == numbers
        self.heard[entry.id, entry.epoch] = max([last or 0, *numbers])

    def _will_move(self, entry: Entry) -> bool:
        """Whether it delivers, is final, or something will move it."""
        now, connection, repair = self.world.now, entry.connection, entry.repair
        if repair is not None and entry.state in DELIVERING:
            # A question that is to be written waits until anything may be; what is not answered while the venue wants silence, too.
            silent_until = self.world.origin.silent_until
            due_at = silent_until if silent_until > now else repair.deadline or math.inf
            return self.wake_at < math.inf and self.wake_at <= due_at
        if entry.state is State.STALE:
            return False
        if entry.state is State.LIVE:
            return entry.unheld_since is None or self.wake_at < math.inf
        if entry.deadline is not None and entry.deadline > now:
            return self.wake_at <= entry.deadline
        if entry.state in {State.REJECTED, State.FAILED}:
            return entry.state is State.REJECTED and not entry.was_live
        if entry.state in {State.PENDING, State.LOST}:
            return self._will_be_asked(entry)
        # Asked for or acknowledged without a deadline: only a proof that is on its way can move it.
        socket = self.sockets.get(connection.id) if connection is not None else None
        return socket is not None and entry.state is State.ACKNOWLEDGED and entry.key in socket.held

    def _will_be_asked(self, entry: Entry) -> bool:
        connection, origin, now = entry.connection, self.world.origin, self.world.now
        if connection is None:
            return self.wake_at <= now or self._refused_by_a_quota(entry)
        if connection.id not in self.sockets:
            return connection.usable
        if origin.silent_until > now:
            return self.wake_at <= origin.silent_until
        if entry.user is not None and self.introducing:
            return True
        if origin.messages.free(now) <= 0:
            return self.wake_at <= origin.messages.free_at(now)
        return entry.user is not None and self.wake_at < math.inf

    def _refused_by_a_quota(self, entry: Entry) -> bool:
        usage = self.world.origin.usage(self.world.now)
        decision = place(entry, self.world.venue.connections, QUOTAS, usage, self.world.now)
        refused = entry.connection is None and isinstance(decision, Refuse)
        # Nothing is said where a place is coming.
        return refused and (entry.error is not None or self.wake_at < math.inf)


Life.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase
