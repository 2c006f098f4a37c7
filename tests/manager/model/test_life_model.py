"""The whole life of subscriptions against a venue that does its worst, as a state machine.

Readers come and go, streams are ended and wanted again at once, acknowledgements are lost, sockets fall in the middle of
resubscribing, connections are parked, late frames come, time passes. After every step:

1. No socket ever carries two streams that the client cannot tell apart, and no frame reaches a stream that it is not of.
2. Every wanted subscription delivers, is final, or has something that will move it: none is ever forgotten.
3. What has ended is gone from every index, and does not come back.
4. No quota is exceeded; of the subscribes that add a user, one is in flight at a time.
5. The attention holds what waits for something, and nothing else.
6. A message carries a gap exactly when its stream was interrupted since the message before.

At the end the venue behaves, and everything that is wanted must come to deliver, and nothing else may be carried.
"""

from __future__ import annotations

import math
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Literal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.manager.model.catalog import BOOK, FILLS, ORDERS, TICKER, TRADES, atom
from tests.manager.model.scripted_venue import Outcome, Request, VenueSocket
from tests.manager.model.world import Reader, World, classify

from wsmgr.manager.model import progress
from wsmgr.manager.model.answers import take_answer
from wsmgr.manager.model.connection import Connection, ConnectionState, Phase
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
from wsmgr.manager.model.message import Message
from wsmgr.manager.model.placement import Refuse, place
from wsmgr.manager.model.quota import WINDOW, Quotas
from wsmgr.manager.model.subscription import SETTLED, Entry, State
from wsmgr.manager.model.subscription_type import Join, Kind

if TYPE_CHECKING:
    from wsmgr.manager.model.frame import Frame
    from wsmgr.manager.model.subscription_type import Atom

QUOTAS = Quotas(connections=4, users=2, subscriptions=6, messages_per_minute=12)
WISHES = [
    atom(TICKER, coin="A"),
    atom(TRADES, coin="A"),
    atom(BOOK, coin="A"),
    atom(BOOK, coin="A", depth=5),
    *(atom(kind, user=user) for kind in (ORDERS, FILLS) for user in ("u1", "u2", "u3")),
]
ANSWERS_WITHIN, READ_WITHIN = 5.0, 4.0
"""The venue answers, and what it sent is read, within the deadline of an acknowledgement, unless it is lost."""
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
        self.interrupted: set[str] = set()
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
        self.world.registry.end(entry, by="test", now=self.world.now)
        self.interrupted.discard(entry.id)
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

    @precondition(lambda self: self.sockets)
    @rule(pick=PICK, stream=PICK)
    def send(self, pick: int, stream: int) -> None:
        """The venue sends a frame, perhaps a late one."""
        socket = list(self.sockets.values())[pick % len(self.sockets)]
        streams = socket.streams(self.world.now)
        if streams:
            socket.send(streams[stream % len(streams)], self.world.now)

    @precondition(lambda self: any(each.frames for each in self.sockets.values()))
    @rule(pick=PICK, count=st.integers(1, 4))
    def receive(self, pick: int, count: int) -> None:
        """Frames come in, in one wake-up."""
        names = [each for each, socket in self.sockets.items() if socket.frames]
        name = names[pick % len(names)]
        frames = self.sockets[name].frames
        self._receive(name, [frames.popleft()[1] for _ in range(min(count, len(frames)))])

    @rule(pick=PICK)
    def talk(self, pick: int) -> None:
        """All that is on its way arrives: answers, a frame of one stream, and what was to be read."""
        for socket in self.sockets.values():
            while socket.requests:
                socket.handle("ack", self.world.now, self._users_at_the_venue())
            streams = socket.streams(self.world.now)
            if streams:
                socket.send(streams[pick % len(streams)], self.world.now)
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
        while (at := min(self.wake_at, self._network_due())) <= until:
            self.world.now = max(self.world.now, at)
            self._work_network()
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
            for wire_key, arrival in connection.arrivals.items():
                assert arrival.move is not None
                assert (wire_key, connection) == (arrival.wire_key, arrival.move.to)
                assert wire_key not in connection.members
            users = Counter(member.user for member in connection.members.values() if member.user is not None)
            assert dict(users) == connection.users
            assert sum(member.type.private for member in connection.members.values()) == connection.privates
        placed = [entry for entry in entries.values() if entry.connection is not None]
        assert len(placed) == sum(len(connection.members) for connection in connections)
        moving = [entry for entry in entries.values() if entry.move is not None]
        assert len(moving) == sum(len(connection.arrivals) for connection in connections)
        assert all(entry.connection in connections for entry in placed)

    @invariant()
    def never_over_a_quota(self) -> None:
        connections = [each for each in self.world.venue.connections if each.usable]
        users = {user for connection in connections for user in connection.users}
        recent = [at for at in self.written if at > self.world.now - WINDOW]
        assert (QUOTAS.connections or 0) - 1 >= len(connections)
        assert (QUOTAS.subscriptions or 0) >= sum(
            len(connection.members) + len(connection.arrivals) for connection in connections
        )
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
            waits = (
                entry.state not in SETTLED
                or entry.deadline is not None
                or entry.unheld_since is not None
                or entry.move is not None
            )
            assert not waits or entry.id in attention
            assert waits or self.pending or entry.id not in attention

    @invariant()
    def nothing_is_forgotten(self) -> None:
        if not self.pending:
            stuck = [entry for entry in self.world.registry.entries.values() if not self._will_move(entry)]
            assert [] == stuck

    @invariant()
    def what_delivers_is_carried(self) -> None:
        """On a socket on which nothing is on its way, the client's belief is the truth."""
        for connection in self.world.venue.connections:
            socket = self.sockets.get(connection.id)
            if socket is None or socket.requests or socket.frames or self.pending:
                continue
            for member in connection.members.values():
                assert member.state not in DELIVERING or member.key in socket.held
            known = {member.key for member in connection.members.values()}
            known |= {arrival.key for arrival in connection.arrivals.values()}
            known |= {claim.key for claim in connection.claims.values() if claim.phase is Phase.ENDING}
            assert set(socket.held) <= known

    @invariant()
    def messages_are_true_and_whole(self) -> None:
        for entry, reader in self.readers:
            self._check_messages(entry, reader)

    def teardown(self) -> None:
        """The venue behaves, and readers stay: everything that is wanted comes to deliver, and nothing else."""
        self.dozing = self.offline = False
        end = self.world.now + 20_000.0
        self._look()
        while self.world.now < end:
            for socket in self.sockets.values():
                while socket.requests:
                    socket.handle("ack", self.world.now, self._users_at_the_venue())
                for key in sorted(socket.held):
                    socket.send(key, self.world.now)
            self._read_all()
            self._look()
            if not any(socket.requests for socket in self.sockets.values()):
                self.world.now = max(self.world.now, self.wake_at)
                self._look()
        entries = self.world.registry.entries.values()
        delivering = {
            (entry.key, entry.connection.id)
            for entry in entries
            if entry.state is State.LIVE and entry.connection is not None
        }
        assert delivering == {(key, name) for name, socket in self.sockets.items() for key in socket.held}
        for entry in entries:
            assert entry.state in {State.LIVE, State.REJECTED} or self._refused_by_a_quota(entry)
        self.nothing_is_forgotten()
        self.attention_is_exact()
        self.messages_are_true_and_whole()

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
        while self.pending:
            self.pending = False
            plan = self.world.look()
            self.wake_at = plan.wake_at
            self.interrupted &= self.world.registry.entries.keys()
            for effect in plan.effects:
                self._perform(effect)
            self._dial()

    def _dial(self) -> None:
        for connection in self._without_socket() if not self.offline else ():
            connection.dials += 1
            self.sockets[connection.id] = VenueSocket()
            progress.opened(self.world.registry, connection, now=self.world.now, wall=self.world.wall)
            self.pending = True

    def _perform(self, effect: Effect) -> None:
        match effect:
            case OpenConnection(connection):
                connection.state = ConnectionState.DIALLING
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
        found = [each for each in self.world.venue.connections if each.id == name]
        if not found:
            # A look between two sockets closed it: it was folded, or nothing was left on it.
            return
        (connection,) = found
        connection.last_inbound_at, connection.last_inbound_monotonic = self.world.wall, self.world.now
        dispatcher = Dispatcher(
            self.world.registry,
            connection,
            classify=classify,
            on_control=partial(self._control, connection),
            monotonic=lambda: self.world.now,
            wall=lambda: self.world.wall,
        )
        for raw in frames:
            before = {entry.id: entry.seq for entry in self.world.registry.entries.values()}
            dispatcher([raw])
            self._check_gaps(before)
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
        connection.state = ConnectionState.DIALLING

    def _park(self, connection: Connection, *, suspect: int | None) -> None:
        members = list(connection.members.values())
        if suspect is not None and members:
            connection.suspects += [members[suspect % len(members)].id] * 3
        self._forget_socket(connection)
        progress.parked(self.world.registry, connection, "boom", now=self.world.now, wall=self.world.wall)

    def _forget_socket(self, connection: Connection) -> None:
        """The socket is gone, and with it what was on its way; what was live on it is interrupted."""
        self.interrupted |= {
            member.id for member in connection.members.values() if member.state in {State.LIVE, State.STALE}
        }
        self.sockets.pop(connection.id, None)
        for found in [each for each in self.introducing if each[0] == connection.id]:
            del self.introducing[found]

    def _without_socket(self) -> list[Connection]:
        return [each for each in self.world.venue.connections if each.usable and each.id not in self.sockets]

    def _users_at_the_venue(self) -> set[str]:
        return {held.user for socket in self.sockets.values() for held in socket.held.values() if held.user}

    def _users_that_stay(self) -> set[str]:
        """The users whom the venue could not refuse: it tracks them by a stream whose end is not on its way."""
        return {
            held.user
            for socket in self.sockets.values()
            for key, held in socket.held.items()
            if held.user
            and not any((each.method, each.key) == ("unsubscribe", key) for each in socket.requests)
        }

    def _network_due(self) -> float:
        """When the network has to move: neither requests nor frames lie about for ever."""
        requests = [
            socket.requests[0].at + ANSWERS_WITHIN for socket in self.sockets.values() if socket.requests
        ]
        frames = [socket.frames[0][0] + READ_WITHIN for socket in self.sockets.values() if socket.frames]
        return min([*requests, *frames], default=math.inf)

    def _work_network(self) -> None:
        """Answer and read what is due."""
        for name, socket in list(self.sockets.items()):
            while socket.requests and socket.requests[0].at + ANSWERS_WITHIN <= self.world.now:
                socket.handle("ack", self.world.now, self._users_at_the_venue())
            frames: list[bytes] = []
            while socket.frames and socket.frames[0][0] + READ_WITHIN <= self.world.now:
                frames.append(socket.frames.popleft()[1])
            if frames:
                self._receive(name, frames)

    def _read_all(self) -> None:
        for name, socket in list(self.sockets.items()):
            self._receive(name, [socket.frames.popleft()[1] for _ in range(len(socket.frames))])

    # The judgement.

    def _check_messages(self, entry: Entry, reader: Reader) -> None:
        for item in reader.read():
            assert isinstance(item, Message)
            assert {entry.key} == {part.decode().split("|")[2] for part in item.raw.split(b"+")}

    def _check_gaps(self, before: dict[str, int]) -> None:
        """A new message carries a gap if its stream was interrupted since the one before, and only then.

        A stream of pure events that moved to another connection counts as interrupted.
        """
        entries = self.world.registry.entries
        for note in self.world.notes:
            if isinstance(note, Fact) and note.kind == "moved" and note.subscription_id in entries:
                moved = entries[note.subscription_id]
                if moved.type.kind is Kind.EVENT and moved.type.join is Join.NONE:
                    self.interrupted.add(moved.id)
        self.world.notes.clear()
        for entry in self.world.registry.entries.values():
            if entry.seq != before[entry.id]:
                assert before[entry.id] + 1 == entry.seq
                assert entry.last is not None
                assert (entry.id in self.interrupted) == (entry.last.gap is not None)
                self.interrupted.discard(entry.id)

    def _will_move(self, entry: Entry) -> bool:
        """Whether it delivers, is final, or something will move it."""
        now, connection = self.world.now, entry.connection
        if entry.state in {State.LIVE, State.STALE}:
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
            return self._refused_by_a_quota(entry)
        if connection.id not in self.sockets:
            return connection.usable
        if origin.silent_until > now:
            return self.wake_at <= origin.silent_until
        if origin.messages.free(now) <= 0:
            return self.wake_at <= origin.messages.free_at(now)
        return entry.user is not None and bool(self.introducing or self.wake_at < math.inf)

    def _refused_by_a_quota(self, entry: Entry) -> bool:
        usage = self.world.origin.usage(self.world.now)
        decision = place(entry, self.world.venue.connections, QUOTAS, usage, self.world.now)
        return entry.connection is None and isinstance(decision, Refuse) and entry.error is not None


Life.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestLife = Life.TestCase
