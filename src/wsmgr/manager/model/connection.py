"""One connection: a slot for a socket, with the subscriptions that sit on it.

A connection has an id that stays; its sockets are numbered. It knows which wire keys are taken on it: by the
subscriptions that are placed there, and by *claims*: what the venue was asked for on the present socket. A claim outlives its
subscription until the venue has acknowledged its end and its late frames have passed: the *quarantine*.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from wsmgr.manager.model.claim import Claim, Phase
from wsmgr.manager.model.continuity import Interruption
from wsmgr.manager.model.inbound import Inbound, Moment
from wsmgr.manager.model.merging import Trial
from wsmgr.manager.model.subscription import Entry, IllegalMoveError

if TYPE_CHECKING:
    from collections.abc import Mapping

MUTE_AFTER, MUTE_FRAMES = 10.0, 3
"""After how many seconds and frames of the other side a joined side that brought nothing is called mute."""


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


_S = ConnectionState
IDLE = frozenset({_S.DISCONNECTED, _S.WAITING, _S.FLAPPING, _S.UNAUTHORIZED})
"""States in which a connection has no socket and waits for its turn to dial."""
_LEGAL: Mapping[ConnectionState, frozenset[ConnectionState]] = {
    **dict.fromkeys(IDLE, IDLE | {_S.DIALLING, _S.PARKED}),
    _S.DIALLING: frozenset({_S.AUTHENTICATING, _S.READY, _S.DISCONNECTED}),
    _S.AUTHENTICATING: frozenset({_S.READY, _S.DRAINING, _S.DISCONNECTED}),
    _S.READY: frozenset({_S.DRAINING, _S.DISCONNECTED}),
    _S.DRAINING: frozenset({_S.DISCONNECTED}),
    _S.PARKED: frozenset(),
}


class Purpose(Enum):
    """Why a subscription has a second side."""

    MOVE = "move"
    """It goes to another connection: the second side is to become the only one."""
    REDUNDANCY = "redundancy"
    """Two sides deliver for good: whichever is first counts."""


class Stage(Enum):
    """How far a second side has come."""

    WAITING = "waiting"
    """It is to be asked for."""
    ASKED = "asked"
    """It was asked for, or was acknowledged and its first frame is due."""
    ON_TRIAL = "on_trial"
    """It delivers; its frames are held until it is known how they continue those of the primary side."""
    JOINED = "joined"
    """It delivers beside the primary side."""


@define(eq=False)
class Second:
    """The second side of a subscription (`sides`).

    Attributes:
        connection: Where it is.
        purpose: What it is for.
        why: Why it goes there, in half a sentence.
        stage: How far it has come.
        deadline: When its answer, its proof or the judgement of its trial is due (monotonic); None while nothing is.
        trial: What it sent while on trial, compared with what the primary sent; None otherwise.
        behind: How many frames the primary side has brought since this one, joined, brought one.
        behind_since: When it brought one last (monotonic), or joined; None before.
    """

    connection: Connection
    purpose: Purpose
    why: str
    stage: Stage = Stage.WAITING
    deadline: float | None = None
    trial: Trial | None = field(default=None, repr=False)
    behind: int = 0
    behind_since: float | None = None

    def note_frame(self, *, own: bool, now: float) -> None:
        """Note that one of two joined sides brought a frame."""
        if own or self.behind_since is None:
            self.behind, self.behind_since = 0, now
        if not own:
            self.behind += 1

    def is_mute(self, now: float) -> bool:
        """Whether it brings nothing though the primary side does."""
        return (
            self.behind >= MUTE_FRAMES
            and self.behind_since is not None
            and now - self.behind_since > MUTE_AFTER
        )

    @property
    def joined(self) -> bool:
        """Whether it delivers beside the primary side."""
        return self.stage is Stage.JOINED


@frozen
class Handover:
    """What is not proved yet of the side that a subscription had alone before (`handover`).

    Attributes:
        entry: The subscription.
        known: Its last proof before, as the interruption that it would be.
        began: When its other side began.
        proved_by: What the old socket brings after this was sent after that beginning (monotonic).
    """

    entry: Entry
    known: Interruption
    began: Moment
    proved_by: float


@define(eq=False)
class Rotation:
    """A connection is to be replaced by another (`rotation`).

    Attributes:
        why: Why, in half a sentence.
        asked_at: Since when (monotonic).
        replacement: Where its streams go, or None while that is not open.
    """

    why: str
    asked_at: float
    replacement: Connection | None = None


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
        inbound: What came on its socket, or None while it has none.
        members: The subscriptions that are placed on it, by wire key: no two share one (DESIGN section 6).
        seconds: The subscriptions that have their second side here, by wire key.
        handovers: What subscriptions that went on elsewhere, or have a second side, still need to be proved here, by wire key.
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
        failed: The ids of the subscriptions that failed with it when it was parked.
        empty_since: When its last member left, or when it was opened without one (monotonic); or None.
        fits_since: Since when its members would fit on the other connections (monotonic), or None.
        proved: Whether its present socket, or the last one, has shown that it works: a stream on it was proved, or a request answered; or
            it was asked nothing.
        paused: Whether its socket is not read, because a consumer that blocks it is full.
        leaving: Whether its members are moving away, so that nothing is placed on it.
        rotation: Its replacement by another one, where that is wanted; else None.
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
    inbound: Inbound | None = None
    members: dict[str, Entry] = field(factory=dict[str, Entry], repr=False)
    seconds: dict[str, Entry] = field(factory=dict[str, Entry], repr=False)
    handovers: dict[str, Handover] = field(factory=dict[str, Handover], repr=False)
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
    failed: list[str] = field(factory=list[str], repr=False)
    empty_since: float | None = None
    fits_since: float | None = None
    proved: bool = True
    paused: bool = False
    leaving: bool = False
    rotation: Rotation | None = None

    def move(self, state: ConnectionState) -> None:
        """Move to another state; the only writer of `state`.

        Raises:
            IllegalMoveError: The present state does not allow it.
        """
        if state is not self.state and state not in _LEGAL[self.state]:
            raise IllegalMoveError(f"{self.id}: {self.state.value} -> {state.value}")
        self.state = state

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
        return self.privates > 0 or any(entry.type.private for entry in self.seconds.values())

    @property
    def public(self) -> bool:
        """Whether it carries market data, or will."""
        return self.privates < len(self.members) or any(
            not entry.type.private for entry in self.seconds.values()
        )

    def mixes(self, entry: Entry) -> bool:
        """Whether private streams and market data would meet here."""
        if self.empty:
            return False
        return self.public if entry.type.private else self.private

    @property
    def empty(self) -> bool:
        """Whether nothing is placed on it and nothing is on its way."""
        return not self.members and not self.seconds

    def conflicts(self, entry: Entry, now: float) -> bool:
        """Whether another subscription holds this one's wire key here (DESIGN section 6)."""
        for placed in (self.members.get(entry.wire_key), self.seconds.get(entry.wire_key)):
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

    def end_claim(self, key: str) -> None:
        """Have what was asked for under a subscription key ended, where the venue was asked for it."""
        claim = self._claims_by_key.get(key)
        if claim is not None and claim.phase in {Phase.ASKED, Phase.HELD}:
            self.set_phase(claim, Phase.ENDING)
            claim.deadline = None
            claim.attempts = 0

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
