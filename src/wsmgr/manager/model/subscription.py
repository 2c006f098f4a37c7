"""One subscription: what is wanted, how far it has come, and the moves that are legal.

::

    pending -> subscribing -> acknowledged -> live <-> stale -> lost -> subscribing ...
                                                   | rejected | failed | closed

An `Entry` is the registry's record. It outlives every connection; its state changes only through the named functions
below, which refuse illegal moves, and each change is told to whoever watches it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from attrs import define, field

from wsmgr.manager.model.continuity import Event, Gap, Interruption
from wsmgr.manager.model.delivery import Buffer
from wsmgr.manager.model.errors import WsmgrError
from wsmgr.manager.model.joining import Log
from wsmgr.manager.model.merging import Merger, Orphans
from wsmgr.manager.model.message import Message, Source
from wsmgr.manager.model.metrics import Counters
from wsmgr.manager.model.recent import Recent
from wsmgr.manager.model.repair import Repair
from wsmgr.manager.model.subscription_type import Atom, SubscriptionType
from wsmgr.manager.model.watching import Watch

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import (  # noqa: TC004 - the connection holds entries: a cycle
        Connection,
        Second,
    )
    from wsmgr.manager.model.healing import Healing  # noqa: TC004 - it names the entry that it heals: a cycle


class State(Enum):
    """How far a subscription has come."""

    PENDING = "pending"
    """Wanted, and not asked for yet: it waits for a connection or for a quota."""
    SUBSCRIBING = "subscribing"
    """Asked for; the venue has not answered."""
    ACKNOWLEDGED = "acknowledged"
    """The venue took it; the proof that it delivers has not come."""
    LIVE = "live"
    """It delivers."""
    STALE = "stale"
    """It was live and has been silent for too long."""
    LOST = "lost"
    """Its socket is gone, or it has to be asked for again."""
    REJECTED = "rejected"
    """The venue refused it."""
    FAILED = "failed"
    """It is parked after a failure."""
    CLOSED = "closed"
    """Nobody wants it any more."""


_LEGAL: Mapping[State, frozenset[State]] = {
    State.PENDING: frozenset({State.SUBSCRIBING, State.FAILED, State.CLOSED}),
    State.SUBSCRIBING: frozenset(
        {
            State.ACKNOWLEDGED,
            State.LIVE,
            State.LOST,
            State.PENDING,
            State.REJECTED,
            State.FAILED,
            State.CLOSED,
        }
    ),
    State.ACKNOWLEDGED: frozenset({State.LIVE, State.LOST, State.REJECTED, State.FAILED, State.CLOSED}),
    State.LIVE: frozenset({State.STALE, State.LOST, State.FAILED, State.CLOSED}),
    State.STALE: frozenset({State.LIVE, State.LOST, State.FAILED, State.CLOSED}),
    State.LOST: frozenset({State.SUBSCRIBING, State.PENDING, State.REJECTED, State.FAILED, State.CLOSED}),
    State.REJECTED: frozenset({State.PENDING, State.CLOSED}),
    State.FAILED: frozenset({State.PENDING, State.CLOSED}),
    State.CLOSED: frozenset({State.PENDING}),
}
DELIVERING = frozenset({State.LIVE, State.STALE})
"""States in which its messages are given to consumers, so that what they know of it may have a hole when it ends."""
SETTLED = frozenset({State.LIVE, State.STALE, State.REJECTED, State.FAILED, State.CLOSED})
"""States in which a subscription waits for nothing that the keeper has to do at once."""


GAP_STARTS = 256
"""How many gaps of a subscription are told apart by their beginning."""
Watcher: TypeAlias = Callable[["Entry"], None]
"""Told after each change of a subscription's state."""


class IllegalMoveError(RuntimeError):
    """A subscription or a connection was moved to a state that its present one does not allow: a bug in the manager."""


@define(eq=False)
class Entry:
    """The registry's record of one subscription.

    Attributes:
        id: Ten characters, derived from the key.
        key: The subscription key.
        venue: The venue's name.
        atom: What is wanted, checked.
        source: What its messages have in common.
        channel: The channel under which its messages are shown.
        kept: Whether it stays until someone ends it; otherwise it lives as long as consumers hold it.
        owner: Who asked for it to be kept, or None.
        dedicated: Whether somebody asked for a connection of its own.
        state: How far it has come.
        error: The last refusal or failure, in words, or None.
        obstacle: Which quota, of ours or of the venue's, it waits for, as an error for a caller who will not wait; or None.
        quiet: Whether it is live by its acknowledgement alone.
        first: Whether no frame has come since it was last asked for.
        fresh: Whether that first frame will be a new state of the stream.
        epoch: How often its numbering has started again; durable.
        seq: The number of its newest message.
        was_live: Whether it has been live since it was wanted.
        subscribed_at: When it was first wanted, in unix seconds.
        connection: Where it is placed, or None.
        second: Its second side, on another connection, or None.
        orphans: What a second side on trial had brought when its socket was lost, until that is looked into; or None.
        unproved: Since when it is not proved that a side which it has left, or has, was whole (unix seconds, by connection id; `handover`).
        second_due: When a second side that is wanted is tried next (monotonic).
        redundancy: On how many sockets who keeps it wants it: 1 or 2.
        avoid: The id of the connection on which it is not to be placed again, or None.
        deadline: When the keeper looks at it again (monotonic), or None.
        attempts: Requests for it since it was last live.
        refusals: How often the venue refused it in a row.
        failures: How often it failed in a row.
        failed_at: When it failed last (monotonic), or None.
        unheld_since: When its last consumer left (monotonic), for one that is not kept; None while it is held.
        interruption: The open gap, or None.
        gap: The gap that its next message will carry, or None.
        gap_starts: When its newest gaps began (unix seconds).
        last: Its newest message, or None.
        log: The snapshot and what came since, for `join = log`.
        recent: The newest messages, for readers that return with a cursor and for merging; None where neither needs them.
        merger: What was delivered, while two sides, or an interruption that ended a moment ago, may deliver it again; else None.
        merge_until: When that is not needed any more (monotonic); infinite while it is not known.
        known_from: From when on every message that was delivered is remembered (unix seconds), where that is not for ever.
        venue_seq: The venue's number of the newest message, where the type's frames are numbered.
        watch: How long it has been silent, and how long it usually is.
        repair: How far its repair has come, or None while nothing is wrong.
        healing: The gap that is being looked into, or None.
        buffers: The buffers of its consumers.
        counters: What is counted about it.
        watchers: Told after each change of state.
        stored: Whether its row on disk is up to date.
    """

    id: str
    key: str
    venue: str
    atom: Atom
    source: Source
    channel: str
    subscribed_at: float
    kept: bool = False
    owner: str | None = None
    dedicated: bool = False
    first: bool = True
    fresh: bool = True
    epoch: int = 0
    log: Log | None = None
    recent: Recent | None = field(default=None, repr=False)
    merger: Merger | None = field(default=None, repr=False)
    merge_until: float = math.inf
    known_from: float = -math.inf
    venue_seq: int | None = None
    watch: Watch = field(factory=Watch, repr=False)
    repair: Repair | None = None
    healing: Healing | None = None
    state: State = State.PENDING
    error: str | None = None
    obstacle: WsmgrError | None = None
    quiet: bool = False
    seq: int = 0
    was_live: bool = False
    connection: Connection | None = field(default=None, repr=False)
    second: Second | None = field(default=None, repr=False)
    orphans: Orphans | None = field(default=None, repr=False)
    unproved: dict[str, float] = field(factory=dict[str, float], repr=False)
    second_due: float = 0.0
    redundancy: int = 1
    avoid: str | None = None
    deadline: float | None = None
    attempts: int = 0
    refusals: int = 0
    failures: int = 0
    failed_at: float | None = None
    unheld_since: float | None = None
    interruption: Interruption | None = None
    gap: Gap | None = None
    gap_starts: deque[float] = field(factory=lambda: deque[float](maxlen=GAP_STARTS), repr=False)
    last: Message | None = field(default=None, repr=False)
    buffers: list[Buffer] = field(factory=list[Buffer], repr=False)
    counters: Counters = field(factory=Counters, repr=False)
    watchers: set[Watcher] = field(factory=set[Watcher], repr=False)
    stored: bool = False

    @property
    def type(self) -> SubscriptionType:
        """The subscription type."""
        return self.atom.type

    @property
    def wire_key(self) -> str:
        """What its frames show of it."""
        return self.atom.wire_key

    @property
    def user(self) -> str | None:
        """The user that it names, or None."""
        return self.atom.user

    @property
    def dropped(self) -> int:
        """Messages that consumers were too slow for: those that have left, and the present ones."""
        return self.counters.dropped + sum(buffer.dropped for buffer in self.buffers)

    @property
    def settled(self) -> bool:
        """Whether its state asks for nothing."""
        return self.state in SETTLED

    @property
    def delivers(self) -> bool:
        """Whether its messages are given to consumers."""
        return self.state in DELIVERING

    @property
    def sides_wanted(self) -> int:
        """On how many sockets anybody wants it: 1 or 2."""
        kept = self.redundancy if self.kept else 1
        return max((buffer.redundancy for buffer in self.buffers), default=1) if kept == 1 else kept

    @property
    def waits(self) -> bool:
        """Whether there is something about it that the keeper does or waits for."""
        return (
            self.state not in SETTLED
            or self.deadline is not None
            or self.unheld_since is not None
            or self.repair is not None
            or self.merger is not None
            or self._second_side_waits
        )

    @property
    def _second_side_waits(self) -> bool:
        if self.second is None:
            return self.sides_wanted > 1
        return self.second.deadline is not None or not self.second_joined or self.sides_wanted == 1

    @property
    def second_joined(self) -> bool:
        """Whether a second side delivers beside the primary one."""
        return self.second is not None and self.second.joined

    def tell(self, event: Event) -> None:
        """Put a continuity event into every consumer's buffer, and wake them."""
        for buffer in self.buffers:
            buffer.tell(event)
            buffer.wake()


def move(entry: Entry, state: State, *, error: str | None = None) -> None:
    """Move a subscription to another state; the only writer of `Entry.state`.

    Raises:
        IllegalMoveError: The present state does not allow it.
    """
    if state not in _LEGAL[entry.state]:
        raise IllegalMoveError(f"{entry.key}: {entry.state.value} -> {state.value}")
    entry.state = state
    entry.error = error
    entry.stored = False
    for watcher in tuple(entry.watchers):
        watcher(entry)
