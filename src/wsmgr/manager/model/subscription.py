"""One subscription: what is wanted, how far it has come, and the moves that are legal.

::

    pending -> subscribing -> acknowledged -> live <-> stale -> lost -> subscribing ...
                                                   | rejected | failed | closed

An `Entry` is the registry's record. It outlives every connection; its state changes only through the named functions
below, which refuse illegal moves, and each change is told to whoever watches it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from attrs import define, field

from wsmgr.manager.model.continuity import Event, Gap, Interruption
from wsmgr.manager.model.delivery import Buffer
from wsmgr.manager.model.errors import WsmgrError
from wsmgr.manager.model.joining import Log
from wsmgr.manager.model.message import Message, Source
from wsmgr.manager.model.metrics import Counters
from wsmgr.manager.model.subscription_type import Atom, SubscriptionType

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection, Move  # noqa: TC004 - the connection holds entries: a cycle


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


Watcher: TypeAlias = Callable[["Entry"], None]
"""Told after each change of a subscription's state."""


class IllegalMoveError(RuntimeError):
    """A subscription was moved to a state that its present one does not allow: a bug in the manager."""


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
        move: Its move to another connection, or None.
        deadline: When the keeper looks at it again (monotonic), or None.
        attempts: Requests for it since it was last live.
        refusals: How often the venue refused it in a row.
        failures: How often it failed in a row.
        failed_at: When it failed last (monotonic), or None.
        unheld_since: When its last consumer left (monotonic), for one that is not kept; None while it is held.
        interruption: The open gap, or None.
        gap: The gap that its next message will carry, or None.
        last: Its newest message, or None.
        log: The snapshot and what came since, for `join = log`.
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
    state: State = State.PENDING
    error: str | None = None
    obstacle: WsmgrError | None = None
    quiet: bool = False
    seq: int = 0
    was_live: bool = False
    connection: Connection | None = field(default=None, repr=False)
    move: Move | None = field(default=None, repr=False)
    deadline: float | None = None
    attempts: int = 0
    refusals: int = 0
    failures: int = 0
    failed_at: float | None = None
    unheld_since: float | None = None
    interruption: Interruption | None = None
    gap: Gap | None = None
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
        """Whether the keeper has nothing to do about it at once."""
        return self.state in SETTLED

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
