"""One connection: a slot for a socket, with the subscriptions that sit on it.

A connection has an id that stays; its sockets are numbered. It knows which wire keys are taken on it: by the
subscriptions that are placed there, and by *claims*: what the venue was asked for on the present socket. A claim outlives its
subscription until the venue has acknowledged its end and its late frames have passed: the *quarantine*.
"""

from __future__ import annotations

from enum import Enum

from attrs import define, field

from wsmgr.manager.model.subscription import Entry
from wsmgr.manager.model.subscription_type import Atom

QUARANTINE = 10.0
ACK_DEADLINE = 10.0


class ConnectionState(Enum):
    """What a connection is doing."""

    DISCONNECTED = "disconnected"
    """It has no socket and waits for its turn to dial."""
    WAITING = "waiting"
    """Its next dial has a time: after a refusal, or for the quota."""
    DIALLING = "dialling"
    """It is dialling."""
    AUTHENTICATING = "authenticating"
    """Its socket is open and the handshake of the dialect is not over."""
    READY = "ready"
    """Its socket carries subscriptions."""
    DRAINING = "draining"
    """It says goodbye."""
    FLAPPING = "flapping"
    """Its sockets are accepted and soon closed again."""
    UNAUTHORIZED = "unauthorized"
    """The venue refuses its credentials."""
    PARKED = "parked"
    """It used up its restarts; it is tried again later, alone."""


class Phase(Enum):
    """What the venue was asked about a wire key on the present socket."""

    ASKED = "asked"
    """A subscribe was written and is not answered."""
    HELD = "held"
    """The venue has it."""
    ENDING = "ending"
    """It is to be ended, or its unsubscribe is not answered."""
    GONE = "gone"
    """Its end was acknowledged; late frames of it may still come."""


@define(kw_only=True)
class Claim:
    """What the venue was asked about one wire key on the present socket.

    A subscription may be ended and asked for again faster than the venue answers. Answers come in order, so the claim counts
    the unsubscribes that are not answered: only when none is, a frame of this wire key can be the new one's.

    Attributes:
        atom: What was asked for.
        key: Its subscription key.
        phase: How far that has come.
        acknowledged: Whether the venue said that it has it; a frame may prove it before.
        introduces: Whether its subscribe, not answered yet, is the origin's first that names its user.
        unanswered: How many unsubscribes were written and not answered.
        deadline: When the answer of the newest unsubscribe is due (monotonic), or None while none is due.
        attempts: How often this end was written.
        free_at: When a `GONE` wire key is free for another subscription (monotonic).
    """

    atom: Atom
    key: str
    phase: Phase = Phase.ASKED
    acknowledged: bool = False
    introduces: bool = False
    unanswered: int = 0
    deadline: float | None = None
    attempts: int = 0
    free_at: float = 0.0

    @property
    def to_be_written(self) -> bool:
        """Whether an unsubscribe is to be written."""
        return self.phase is Phase.ENDING and self.deadline is None


@define(eq=False)
class Move:
    """A subscription that delivers is on its way to another connection (`moving`).

    Attributes:
        to: Where it goes.
        why: Why it goes, in half a sentence.
        deadline: When the answer or the proof is due (monotonic); None until it was asked for there.
    """

    to: Connection
    why: str
    deadline: float | None = None


@define(eq=False)
class Connection:
    """A slot for one socket.

    Attributes:
        id: Its id, `hyperliquid-1`.
        venue: The venue's name.
        host: Which of the venue's hosts it goes to.
        url: The address, without secrets.
        dedicated: Whether it belongs to one subscription alone.
        state: What it is doing.
        reason: Why it is not ready, or why its last socket ended; None while nothing is wrong.
        dials: How many dials it has made.
        socket: The number of its present or last socket, from 1.
        reconnects: How many of its sockets replaced another.
        opened_at: When its present socket opened, in unix seconds, or None.
        opened_monotonic: The same on the monotonic clock.
        next_attempt_at: When it dials next, in unix seconds, or None.
        rtt: The newest round-trip time in seconds, or None.
        last_inbound_at: When the last byte came, in unix seconds, or None.
        last_inbound_monotonic: The same on the monotonic clock.
        members: The subscriptions that are placed on it, by wire key: no two share one (DESIGN section 6).
        arrivals: The subscriptions that are on their way here from another connection, by wire key.
        users: How many of the members name each user.
        privates: How many of them tell about an account.
        routes: The subscriptions whose frames may come on it, by wire key.
        claims: What the venue was asked for on the present socket, by wire key.
        unsettled: Those of them that something is to be done about or waited for: all but the held ones.
        held_users: How many held claims name each user.
        late: Frames that came for quarantined wire keys.
        unrouted: Frames that no subscription wanted.
        unparsed: Frames that could not be parsed or whose channel is unknown.
        unexplained: Answers that meant no request in flight.
        handling: The subscription whose frame was being handled when our own code raised, or None.
        suspects: For each crash, the id of that subscription, or None.
        empty_since: When its last member left, or when it was opened without one (monotonic); or None.
        fits_since: Since when its members would fit on the other connections (monotonic), or None.
        leaving: Whether its members are moving away, so that nothing is placed on it.
    """

    id: str
    venue: str
    host: str
    url: str
    dedicated: bool = False
    state: ConnectionState = ConnectionState.DISCONNECTED
    reason: str | None = None
    dials: int = 0
    socket: int = 0
    reconnects: int = 0
    opened_at: float | None = None
    opened_monotonic: float | None = None
    next_attempt_at: float | None = None
    rtt: float | None = None
    last_inbound_at: float | None = None
    last_inbound_monotonic: float | None = None
    members: dict[str, Entry] = field(factory=dict[str, Entry], repr=False)
    arrivals: dict[str, Entry] = field(factory=dict[str, Entry], repr=False)
    users: dict[str, int] = field(factory=dict[str, int])
    privates: int = 0
    routes: dict[str, Entry] = field(factory=dict[str, Entry], repr=False)
    claims: dict[str, Claim] = field(factory=dict[str, Claim], repr=False)
    unsettled: dict[str, Claim] = field(factory=dict[str, Claim], repr=False)
    held_users: dict[str, int] = field(factory=dict[str, int], repr=False)
    _claims_by_key: dict[str, Claim] = field(factory=dict[str, Claim], repr=False)
    late: int = 0
    unrouted: int = 0
    unparsed: int = 0
    unexplained: int = 0
    handling: Entry | None = field(default=None, repr=False)
    suspects: list[str | None] = field(factory=list[str | None], repr=False)
    empty_since: float | None = None
    fits_since: float | None = None
    leaving: bool = False

    @property
    def ready(self) -> bool:
        """Whether subscriptions can be asked for on it now."""
        return self.state is ConnectionState.READY

    @property
    def usable(self) -> bool:
        """Whether subscriptions may be placed on it."""
        return self.state not in {ConnectionState.PARKED, ConnectionState.DRAINING}

    @property
    def private(self) -> bool:
        """Whether it carries streams that tell about an account, or will."""
        return self.privates > 0 or any(entry.type.private for entry in self.arrivals.values())

    @property
    def public(self) -> bool:
        """Whether it carries market data, or will."""
        return self.privates < len(self.members) or any(
            not entry.type.private for entry in self.arrivals.values()
        )

    def mixes(self, entry: Entry) -> bool:
        """Whether private streams and market data would meet here."""
        if self.empty:
            return False
        return self.public if entry.type.private else self.private

    @property
    def empty(self) -> bool:
        """Whether nothing is placed on it and nothing is on its way."""
        return not self.members and not self.arrivals

    def conflicts(self, entry: Entry, now: float) -> bool:
        """Whether another subscription holds this one's wire key here (DESIGN section 6)."""
        for placed in (self.members.get(entry.wire_key), self.arrivals.get(entry.wire_key)):
            if placed is not None and placed.key != entry.key:
                return True
        claim = self.claims.get(entry.wire_key)
        if claim is None or claim.key == entry.key:
            return False
        return claim.phase is not Phase.GONE or claim.free_at > now

    def claim_of(self, key: str) -> Claim | None:
        """Return the claim of a subscription key, or None."""
        return self._claims_by_key.get(key)

    def put_claim(self, claim: Claim) -> None:
        """Keep a claim; its wire key was free, or its own."""
        self.drop_claim(claim.atom.wire_key)
        self.claims[claim.atom.wire_key] = claim
        self._claims_by_key[claim.key] = claim
        self._enter(claim)

    def set_phase(self, claim: Claim, phase: Phase) -> None:
        """Note how far a claim has come."""
        self._leave(claim)
        claim.phase = phase
        self._enter(claim)

    def drop_claim(self, wire_key: str) -> None:
        """Forget the claim of a wire key, where there is one."""
        claim = self.claims.pop(wire_key, None)
        if claim is not None:
            del self._claims_by_key[claim.key]
            self._leave(claim)

    def clear_claims(self) -> None:
        """Forget every claim: a new socket knows nothing."""
        self.claims.clear()
        self.unsettled.clear()
        self.held_users.clear()
        self._claims_by_key.clear()

    def _enter(self, claim: Claim) -> None:
        if claim.phase is not Phase.HELD:
            self.unsettled[claim.atom.wire_key] = claim
        elif claim.atom.user is not None:
            _count(self.held_users, claim.atom.user, 1)

    def _leave(self, claim: Claim) -> None:
        if claim.phase is not Phase.HELD:
            del self.unsettled[claim.atom.wire_key]
        elif claim.atom.user is not None:
            _count(self.held_users, claim.atom.user, -1)

    def add(self, entry: Entry) -> None:
        """Place a subscription here."""
        self.members[entry.wire_key] = entry
        entry.connection = self
        self.empty_since = None
        self.privates += entry.type.private
        if entry.user is not None:
            _count(self.users, entry.user, 1)

    def remove(self, entry: Entry, now: float) -> None:
        """Take a subscription off, with its route; its wire key is not quarantined by this."""
        if self.members.get(entry.wire_key) is entry:
            del self.members[entry.wire_key]
            self.privates -= entry.type.private
            if entry.user is not None:
                _count(self.users, entry.user, -1)
        if self.routes.get(entry.wire_key) is entry:
            del self.routes[entry.wire_key]
        entry.connection = None
        if not self.members:
            self.empty_since = now


def _count(users: dict[str, int], user: str, change: int) -> None:
    """Change how often a user is counted; one that is not counted any more is forgotten."""
    users[user] = users.get(user, 0) + change
    if not users[user]:
        del users[user]
