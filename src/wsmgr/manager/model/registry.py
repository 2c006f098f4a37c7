"""The routing registry: which subscriptions are wanted, and which connection carries each.

Plain objects and plain functions: whoever crashes, they stay. The registry says what is *wanted*; what the network does
to it is in `progress`, and what is to be done next in `reconciliation`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from attrs import define, field

from wsmgr.manager.model import sides
from wsmgr.manager.model.claim import Phase
from wsmgr.manager.model.connection import Connection, ConnectionState
from wsmgr.manager.model.continuity import Closed, Interrupted, Interruption
from wsmgr.manager.model.errors import NotFoundError, SubscriptionClosedError, UnknownVenueError, WsmgrError
from wsmgr.manager.model.fact import Fact, GapOpened, Notebook
from wsmgr.manager.model.healing_queue import HealingQueue, Pace
from wsmgr.manager.model.items import Item
from wsmgr.manager.model.joining import Compose, log_for, replay
from wsmgr.manager.model.merging import Merger
from wsmgr.manager.model.message import Source
from wsmgr.manager.model.placement import Usage, usable_connections
from wsmgr.manager.model.pulse import Pulse
from wsmgr.manager.model.quota import Quotas, Shortage, UserSlots, Window
from wsmgr.manager.model.recent import Recent, RecentPool
from wsmgr.manager.model.requests import Requests
from wsmgr.manager.model.returning import OTHER_NUMBERING, Cursor, is_anew, returned
from wsmgr.manager.model.subscription import Entry, State, move
from wsmgr.manager.model.subscription_key import format_key, subscription_id
from wsmgr.manager.model.subscription_type import Atom, Merge, SubscriptionType

if TYPE_CHECKING:
    from wsmgr.manager.model.delivery import Buffer

MAX_ENDED = 100_000

Decode = Callable[[bytes], object]
ComposeFor = Callable[[SubscriptionType], Compose]


@define(eq=False)
class Origin:
    """What a venue's quotas count: dialect, host and source address. Venues of one origin share it.

    Attributes:
        name: The dialect and the host.
        quotas: Its limits.
        dials: Dials in the last 60 s.
        messages: Frames sent in the last 60 s.
        slots: Users whose slots linger at the venue.
        sockets_short: Whether something waits for a socket.
        clock_ahead: By how many seconds the venue's clock is ahead of ours, or None where that is not known.
        pace: When the next healing query may go out.
        silent_until: Until when nothing may be sent, because the venue said so (monotonic).
        venues: The venues that share it.
    """

    name: str
    quotas: Quotas
    dials: Window = field(init=False)
    messages: Window = field(init=False)
    slots: UserSlots = field(factory=UserSlots)
    sockets_short: Shortage = field(factory=Shortage, repr=False)
    clock_ahead: float | None = None
    pace: Pace = field(factory=Pace)
    silent_until: float = 0.0
    venues: list[Venue] = field(factory=lambda: list[Venue](), repr=False)  # noqa: PLW0108 - `Venue` is defined below

    def __attrs_post_init__(self) -> None:
        """Make the windows of the limits."""
        self.dials = Window(self.quotas.dials_per_minute)
        self.messages = Window(self.quotas.messages_per_minute)

    @property
    def open_connections(self) -> int:
        """How many connections it has: parked ones are left out, those that say goodbye are not."""
        return sum(
            connection.state is not ConnectionState.PARKED
            for venue in self.venues
            for connection in (*venue.connections, *venue.closing)
        )

    @property
    def ending(self) -> int:
        """How many subscriptions the venue still holds that are placed nowhere: their end is not acknowledged."""
        return sum(
            claim.phase is not Phase.GONE
            and claim.atom.wire_key not in connection.members
            and claim.atom.wire_key not in connection.seconds
            for connection in self._sockets()
            for claim in connection.unsettled.values()
        )

    @property
    def _placed(self) -> int:
        return sum(len(connection.members) + len(connection.seconds) for connection in self._sockets())

    def usage(self, now: float) -> Usage:
        """Return what the origin holds at `now`, as the venue counts it."""
        return Usage(
            connections=self.open_connections,
            subscriptions=self._placed + self.ending,
            users=self.slots.held(self._users(), now),
            short=self.sockets_short.lasts(now),
        )

    def coming(self, quota: str) -> int:
        """Return how many places of a quota of sockets or subscriptions will be free without anybody's doing: what holds them is ending."""
        limits = self.quotas
        if quota == "subscriptions" and limits.subscriptions is not None:
            return min(self.ending, max(0, limits.subscriptions - self._placed))
        if quota == "connections" and limits.connections is not None:
            going = sum(
                len(venue.closing) + sum(each.leaving and each.rotation is None for each in venue.connections)
                for venue in self.venues
            )
            return min(going, max(0, usable_connections(limits.connections) - self.open_connections + going))
        return 0

    def free_slot(self, user: str | None, now: float) -> None:
        """Start the linger of a user whom nothing at the venue names any more."""
        if user is not None and user not in set(self._users()):
            self.slots.left(user, now)

    def introducing(self) -> bool:
        """Whether a subscribe that adds a user is in flight."""
        return any(
            claim.introduces
            for venue in self.venues
            for connection in venue.connections
            for claim in connection.unsettled.values()
        )

    def _users(self) -> Iterator[str]:
        for connection in self._sockets():
            yield from connection.users
            yield from connection.held_users
            for claim in connection.unsettled.values():
                if claim.atom.user is not None and claim.phase is not Phase.GONE:
                    yield claim.atom.user

    def _sockets(self) -> Iterator[Connection]:
        """Yield every connection, those that say goodbye among them: the venue counts what it has on them."""
        for venue in self.venues:
            yield from venue.connections
            yield from venue.closing


@define(eq=False)
class Venue:
    """A named instance of a dialect, with what is wanted of it.

    Attributes:
        name: Its name.
        origin: What its quotas are counted with.
        decode: Decodes the payload of a frame.
        compose: Makes the snapshot of a log, for a type.
        connections: Its connections, oldest first.
        closing: Those that were closed and whose sockets are not gone yet: the venue still counts them.
        attention: The subscriptions that wait for something, by id; a live one that is held is not among them.
        request_host: Which of its hosts takes requests.
        requests: What it was asked beside subscriptions.
        opened: How many connections it has ever had: the next one's number.
        one_socket_only: Whether a trial has shown that two sockets do not both get the whole of a stream: moves break before they make.
        rotate_after: After how many seconds a socket is replaced, or None for never.
        read_items: Returns the items of a frame of a type.
        with_items: Makes a frame of a type with some items only.
        healing: The subscriptions that have gaps to be looked into.
        met_at: When a trial has shown last that both of two sockets bring a stream (monotonic), or None.
        overlap_failed_at: When that was shown last (monotonic), or None.
        stirred: Whether a frame has changed something that the keeper has to look at.
        error: Why the venue as a whole is parked, or None.
    """

    name: str
    origin: Origin
    decode: Decode
    compose: ComposeFor
    read_items: Callable[[SubscriptionType, bytes], list[Item]]
    with_items: Callable[[SubscriptionType, bytes, Sequence[Item]], bytes]
    connections: list[Connection] = field(factory=list[Connection])
    closing: list[Connection] = field(factory=list[Connection])
    attention: dict[str, Entry] = field(factory=dict[str, Entry])
    request_host: str = "api"
    requests: Requests = field(factory=Requests)
    opened: int = 0
    one_socket_only: bool = False
    met_at: float | None = None
    overlap_failed_at: float | None = None
    healing: HealingQueue = field(factory=HealingQueue)
    stirred: bool = False
    rotate_after: float | None = None
    error: str | None = None

    def __attrs_post_init__(self) -> None:
        """Join the origin."""
        self.origin.venues.append(self)

    def remember(self, entry: Entry) -> Merger | None:
        """Remember from now on what a subscription delivers, and what it has delivered of late; None where that says nothing."""
        entry.merge_until = math.inf
        if entry.merger is None and entry.type.merge is not Merge.NONE:
            entry.merger = Merger(
                entry.type.merge, partial(self.read_items, entry.type), partial(self.with_items, entry.type)
            )
            state = entry.log.state() if entry.log is not None else None
            if state is not None:
                entry.merger.remember(state[0])
            if entry.recent is not None:
                entry.merger.seed(entry.recent)
            if entry.last is not None:
                entry.merger.seed([entry.last])
            entry.known_from = _known_from(entry)
        return entry.merger


def _known_from(entry: Entry) -> float:
    """Return from when on every message that was delivered is remembered, in unix seconds."""
    if entry.recent is not None and len(entry.recent):
        return entry.recent.oldest_at
    if entry.last is not None:
        return entry.last.received_at
    # Nothing was delivered in this process: whatever is in doubt is delivered.
    return -math.inf


@define(eq=False)
class Registry:
    """Everything that is wanted, and where it is.

    Attributes:
        note: Where facts go.
        venues: The venues, by name.
        entries: The subscriptions, by id; ended ones are gone from it.
        ended: The epochs of the newest ended ones, by id.
        pulse: Whether the loop turns, so that deadlines can be judged.
        replays: Whether the newest messages of each subscription are kept for readers that return.
        recents: The newest messages of all subscriptions, within one bound.
    """

    note: Notebook
    venues: dict[str, Venue] = field(factory=dict[str, Venue])
    entries: dict[str, Entry] = field(factory=dict[str, Entry])
    ended: dict[str, int] = field(factory=dict[str, int])
    pulse: Pulse = field(factory=Pulse)
    replays: bool = False
    recents: RecentPool = field(factory=RecentPool)

    def venue(self, name: str) -> Venue:
        """Return a venue.

        Raises:
            UnknownVenueError: There is none of this name.
        """
        try:
            return self.venues[name]
        except KeyError:
            known = ", ".join(sorted(self.venues)) or "none"
            raise UnknownVenueError(f"there is no venue {name!r}; the venues are: {known}") from None

    def entry(self, entry_id: str) -> Entry:
        """Return a subscription.

        Raises:
            NotFoundError: None has this id.
        """
        try:
            return self.entries[entry_id]
        except KeyError:
            raise NotFoundError(entry_id) from None

    def want(self, venue_name: str, atom: Atom, *, wall: float, epoch: int = 0) -> tuple[Entry, bool]:
        """Return the subscription of a wish, and whether it is new: equal keys are one subscription.

        Args:
            venue_name: The venue.
            atom: The checked wish.
            wall: Now, in unix seconds.
            epoch: The numbering of a new one, where an earlier life of it is known.
        """
        venue = self.venue(venue_name)
        key = format_key(venue.name, atom.type.name, atom.params)
        found = self.entries.get(subscription_id(key))
        if found is not None:
            return found, False
        entry = new_entry(venue, atom, key, wall=wall, note=self.note)
        heals_or_merges = atom.type.healing is not None or atom.type.merge is Merge.ITEMS
        if self.replays or (heals_or_merges and entry.log is None):
            entry.recent = Recent()
        entry.epoch = max(epoch, self.ended.pop(entry.id, -1) + 1)
        self.entries[entry.id] = entry
        venue.attention[entry.id] = entry
        return entry, True

    def hold(self, entry: Entry, buffer: Buffer, *, after: Cursor | None = None, wall: float = 0.0) -> None:
        """Let a consumer hold a subscription: it gets the present state first, where the type has one, then all that comes.

        Args:
            entry: The subscription.
            buffer: The consumer's.
            after: The last message that a consumer had which returns: it gets what came since, as far as that is still held, and
                is told a gap where it is not.
            wall: Now, in unix seconds; for that gap.
        """
        if buffer in entry.buffers:
            return
        if self.entries.get(entry.id) is not entry:
            buffer.close(SubscriptionClosedError(f"{entry.key} has been ended"))
            return
        if after is None or not returned(entry, buffer, after, wall=wall):
            self._show_state(entry, buffer)
        entry.buffers.append(buffer)
        if after is not None and is_anew(entry, after):
            # It began again for this reader: the hole lasts until it delivers.
            since = min(entry.subscribed_at if after.at is None else after.at, wall)
            entry.interruption = Interruption(since=since, since_monotonic=None, reason=OTHER_NUMBERING)
            entry.gap_starts.append(since)
            self.note(GapOpened(subscription_id=entry.id, interruption=entry.interruption))
            buffer.tell(Interrupted(since=since, cause=OTHER_NUMBERING))
        entry.unheld_since = None
        if buffer.redundancy > 1:
            self.venues[entry.venue].attention[entry.id] = entry

    def _show_state(self, entry: Entry, buffer: Buffer) -> None:
        if entry.delivers and not entry.first:
            message = replay(entry.type.join, entry.last, entry.log)
            if message is not None:
                buffer.put(message)
                buffer.wake()

    def release(self, entry: Entry, buffer: Buffer, now: float) -> None:
        """Take a consumer's hold away; the last hold of a subscription that is not kept starts its linger."""
        if buffer in entry.buffers:
            entry.buffers.remove(buffer)
            entry.counters.dropped += buffer.dropped
            entry.counters.conflated += buffer.conflated
            if buffer.redundancy > 1 and self.entries.get(entry.id) is entry:
                self.venues[entry.venue].attention[entry.id] = entry
        self.check_held(entry, now)

    def check_held(self, entry: Entry, now: float) -> None:
        """Start the linger of a subscription that nobody holds and nobody keeps."""
        if self.entries.get(entry.id) is not entry:
            return
        if not entry.kept and not entry.buffers and entry.unheld_since is None:
            entry.unheld_since = now
            self.venues[entry.venue].attention[entry.id] = entry

    def end(self, entry: Entry, *, by: str, now: float) -> None:
        """End a subscription for everybody; its unsubscribe is sent when the keeper next looks."""
        if self.entries.get(entry.id) is not entry:
            return
        self.unplace(entry, now)
        entry.counters.end_live(now)
        move(entry, State.CLOSED)
        entry.tell(Closed(by=by))
        for buffer in entry.buffers:
            buffer.close(SubscriptionClosedError(f"{entry.key} was ended by {by}"))
            buffer.wake()
        entry.buffers.clear()
        del self.entries[entry.id]
        self._remember_end(entry.id, entry.epoch)
        self.venues[entry.venue].attention.pop(entry.id, None)
        self.note(Fact(kind="closed", venue=entry.venue, subscription_id=entry.id, detail={"by": by}))

    def forget(self, entry: Entry) -> None:
        """Take back a wish that was refused before anything was done about it."""
        del self.entries[entry.id]
        self.venues[entry.venue].attention.pop(entry.id, None)
        self._remember_end(entry.id, entry.epoch - 1)

    def unplace(self, entry: Entry, now: float) -> None:
        """Take a subscription off its connection; where the venue was asked for it there, that is to be ended."""
        sides.take_back(self, entry, why="it is being taken off", now=now, level="info")
        connection = entry.connection
        if connection is None:
            return
        connection.remove(entry, now)
        connection.end_claim(entry.key)

    def _remember_end(self, entry_id: str, epoch: int) -> None:
        """Keep the numbering of an ended subscription, so that a new life of it does not repeat it."""
        self.ended.pop(entry_id, None)
        self.ended[entry_id] = epoch
        if len(self.ended) > MAX_ENDED:
            del self.ended[next(iter(self.ended))]

    def by_user(self, user: str) -> Iterator[Entry]:
        """Yield the subscriptions that name a user; the case of an address does not matter."""
        wanted = user.lower()
        return (entry for entry in self.entries.values() if (entry.user or "").lower() == wanted)


def new_entry(venue: Venue, atom: Atom, key: str, *, wall: float, note: Notebook) -> Entry:
    """Return the record of a subscription that is wanted for the first time."""
    entry_id = subscription_id(key)

    def give_up(error: WsmgrError) -> None:
        detail = {"error": str(error)}
        fact = Fact(
            kind="state_lost", level="warning", venue=venue.name, subscription_id=entry_id, detail=detail
        )
        note(fact)

    return Entry(
        id=entry_id,
        key=key,
        venue=venue.name,
        atom=atom,
        source=Source(
            venue=venue.name, type=atom.type.name, key=key, subscription_id=entry_id, decode=venue.decode
        ),
        channel=atom.type.channel[0],
        subscribed_at=wall,
        log=log_for(atom.type.join, venue.compose(atom.type), give_up),
    )
