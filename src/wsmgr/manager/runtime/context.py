"""What the actors share: the registry, the venues as they are configured, and where to reach one another.

Everything here is a plain object that outlives every actor. A restarted actor writes its new ref in its place, and whoever
casts to a ref that has just died loses nothing: the keeper looks again, and a link asks again.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import structlog
from anyio import CapacityLimiter, Event
from attrs import define, field

from wsmgr.actors import ActorRef, DynamicSupervisor
from wsmgr.manager.model.buffer_pool import BufferPool
from wsmgr.manager.model.dialling import Dialling
from wsmgr.manager.model.fact import Fact, Note
from wsmgr.manager.model.registry import Origin, Registry, Venue
from wsmgr.manager.model.requests import first_connection
from wsmgr.manager.runtime.clock import Clock
from wsmgr.manager.runtime.newsroom import Newsroom
from wsmgr.manager.transport.protocol import Connect, Dial
from wsmgr.manager.venues.dialect import Desk, Dialect

if TYPE_CHECKING:
    from structlog.typing import EventDict

    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.runtime.handle import Subscription  # noqa: TC004 - the handle holds the context: a cycle

SYNC_CALLBACKS = 32


@define(eq=False)
class OriginContext:
    """One origin and its dialer.

    Attributes:
        origin: The model's record.
        dialling: The state of its dials: it outlives the dialer.
        dialer: The dialer, or None while there is none.
    """

    origin: Origin
    dialling: Dialling
    dialer: ActorRef[Any] | None = None


@define(eq=False)
class VenueContext:
    """One venue as it runs.

    Attributes:
        model: The model's record.
        dialect: How it speaks.
        url: Its address, without secrets.
        dials: What to dial for each of its hosts.
        shown_urls: The address of each of its hosts, without secrets.
        origin: Its origin.
        make_desk: Makes the desk.
        keeper: The keeper, or None while there is none.
        connections: The supervisor of its connections, or None while there is none.
        links: The links by connection id.
        sessions: The sessions of open sockets by connection id.
        supervisors: The supervisors of connections by connection id.
        requests: The actor that hands out requests, or None while there is none.
        healer: The actor that asks for what gaps have swallowed, or None while there is none.
        running: The supervisor of the venue's tree, or None while it is parked.
        started_at: When that was started (monotonic), or None.
        failures: How often it gave up in a row.
        look_pending: Whether the keeper has been told to look and has not looked yet.
        serve_pending: The same of the actor that hands out requests.
    """

    model: Venue
    dialect: Dialect
    url: str
    shown_urls: dict[str, str]
    dials: dict[str, Dial]
    origin: OriginContext
    make_desk: Callable[[], Desk] = field(init=False, repr=False)
    keeper: ActorRef[Any] | None = None
    connections: DynamicSupervisor | None = None
    links: dict[str, ActorRef[Any]] = field(factory=dict[str, ActorRef[Any]])
    sessions: dict[str, ActorRef[Any]] = field(factory=dict[str, ActorRef[Any]])
    supervisors: dict[str, ActorRef[Any]] = field(factory=dict[str, ActorRef[Any]])
    requests: ActorRef[Any] | None = None
    healer: ActorRef[Any] | None = None
    running: ActorRef[Any] | None = None
    started_at: float | None = None
    failures: int = 0
    look_pending: bool = False
    serve_pending: bool = False
    _desk: Desk | None = field(default=None, init=False)

    @property
    def desk(self) -> Desk:
        """What the venue does for callers beside subscriptions; made when it is first asked for.

        Raises:
            ConfigurationError: A setting for requests cannot be used.
        """
        if self._desk is None:
            self._desk = self.make_desk()
        return self._desk


@define(eq=False)
class Context:
    """Everything that the actors of one manager share.

    Attributes:
        clock: The clocks.
        connect: The transport of the running loop.
        uniform: Draws from [low, high]: backoff's randomness.
        registry: The routing registry.
        venues: The venues by name.
        origins: The origins by name.
        on_note: Takes each fact after it was logged, or None while there is nobody.
        on_record: Takes a fact after it was logged, and returns when it is on the disk; None where there is no disk.
        venue_supervisor: The supervisor of the venues.
        consumer_supervisor: The supervisor of callback consumers.
        writer: The store's writer, or None while there is none.
        consumers: The callback consumers that run, with their handles.
        threads: How many sync callbacks may run at once.
        store_trouble: Why nothing can be written to the disk, or None while it can.
        store_trouble_since: Since when that is so (unix seconds), or None.
        buffers: The bound that all consumers' buffers have together.
        newsroom: Tells whoever follows the events of each one.
        draining: Whether the manager has been told to end: nothing new is taken.
        end_asked: Set when somebody has asked the manager, from inside, to end.
    """

    clock: Clock
    connect: Connect
    registry: Registry = field(init=False)
    uniform: Callable[[float, float], float] = random.uniform
    venues: dict[str, VenueContext] = field(factory=dict[str, VenueContext])
    origins: dict[str, OriginContext] = field(factory=dict[str, OriginContext])
    on_note: Callable[[Note], None] | None = None
    on_record: Callable[[Fact], Awaitable[None]] | None = None
    venue_supervisor: DynamicSupervisor | None = None
    consumer_supervisor: DynamicSupervisor | None = None
    writer: ActorRef[Any] | None = None
    consumers: dict[ActorRef[Any], Subscription] = field(factory=dict["ActorRef[Any]", "Subscription"])
    threads: CapacityLimiter = field(factory=lambda: CapacityLimiter(SYNC_CALLBACKS))
    store_trouble: str | None = None
    store_trouble_since: float | None = None
    buffers: BufferPool = field(factory=BufferPool)
    newsroom: Newsroom = field(factory=Newsroom)
    draining: bool = False
    end_asked: Event = field(factory=Event)

    def __attrs_post_init__(self) -> None:
        """Make the registry, whose facts come here."""
        self.registry = Registry(note=self.note)

    def note(self, note: Note) -> None:
        """Take a fact: for the log, and for whoever keeps facts."""
        if isinstance(note, Fact):
            log(note)
        if self.on_note is not None:
            self.on_note(note)

    async def record(self, fact: Fact) -> None:
        """Take a fact, and return when it is on the disk, where there is one; a disk that is not there is not waited for long."""
        if self.on_record is None:
            self.note(fact)
        else:
            log(fact)
            await self.on_record(fact)

    def look(self, venue: str) -> None:
        """Tell a venue's keeper to look: something may be to be done. Never blocks; telling twice is telling once."""
        context = self.venues[venue]
        if not context.look_pending and context.keeper is not None:
            context.look_pending = context.keeper.cast(LOOK)

    def heal(self) -> None:
        """Tell every venue's healer that has new gaps; one that cannot be told is told the next time."""
        for venue in self.venues.values():
            if venue.model.healing.stirred and venue.healer is not None:
                venue.model.healing.stirred = not venue.healer.cast(LOOK)

    def serve(self, venue: VenueContext) -> None:
        """Tell a venue's requests that more may go out; where there is no connection for them, the keeper opens one."""
        if venue.model.requests.waiting and first_connection(venue.model) is None:
            self.look(venue.model.name)
        else:
            self._hand_out(venue)

    def serve_origin(self, origin: OriginContext) -> None:
        """Tell the requests of all venues of an origin that more may go out: they share its quotas."""
        for venue in self.venues.values():
            if venue.origin is origin:
                self._hand_out(venue)

    def drain(self) -> None:
        """Take nothing new from now on: the manager ends."""
        self.draining = True
        for venue in self.venues.values():
            venue.model.requests.refuse_waiting()

    def ask_end(self) -> None:
        """Arm the drain, and have whoever runs the manager (`Manager.run_forever`) leave it."""
        self.drain()
        self.end_asked.set()

    def _hand_out(self, venue: VenueContext) -> None:
        waits = venue.model.requests.waiting and first_connection(venue.model) is not None
        if waits and not venue.serve_pending and venue.requests is not None:
            venue.serve_pending = venue.requests.cast(LOOK)

    def connection(self, connection_id: str) -> Connection | None:
        """Return a connection by its id, or None."""
        for venue in self.venues.values():
            for connection in venue.model.connections:
                if connection.id == connection_id:
                    return connection
        return None


class _Look:
    """The keeper's cue."""


LOOK = _Look()


def log(fact: Fact) -> None:
    """Write a fact to the log: one line for a connection or a transition, under the venue's own logger.

    It goes through the standard library's logging, whatever structlog's own configuration is: a library never configures
    logging, and never writes to stdout. The fields are in the text and, for formatters, in the record's `fields`.
    """
    name = f"wsmgr.manager.{fact.venue}" if fact.venue else "wsmgr.manager"
    about = {"connection": fact.connection, "subscription": fact.subscription_id, "actor": fact.actor}
    known = {key: value for key, value in about.items() if value is not None}
    logger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, _to_logging],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    getattr(logger, fact.level)(fact.kind, **known, **fact.detail)


def _to_logging(_logger: object, _method: str, event: EventDict) -> tuple[tuple[str], dict[str, Any]]:
    fields = dict(event)
    kind = fields.pop("event")
    text = " ".join([str(kind), *(f"{key}={value!r}" for key, value in fields.items())])
    return (text.replace("%", "%%"),), {"extra": {"kind": kind, "fields": fields}}
