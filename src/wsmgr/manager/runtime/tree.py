"""The tree: who supervises whom, and what restarts when something dies (DESIGN section 3).

::

    root                              one_for_one
    ├── store                         one_for_one; the writer restarts with backoff, however often
    │   └── writer                    SQLite on its thread
    ├── core                          rest_for_one
    │   ├── registry                  owns the plain objects
    │   ├── origins                   dynamic: one dialer per origin; each restarts with backoff, however often
    │   ├── venues                    dynamic, children temporary
    │   │   └── venue:<name>          rest_for_one
    │   │       ├── connections       dynamic, children temporary
    │   │       │   └── <connection>  one_for_all: link, session
    │   │       ├── keeper
    │   │       ├── requests
    │   │       └── healer                asks for what gaps have swallowed
    │   ├── caretaker                 starts dialers and venues
    │   └── pulse                     one_for_one
    │       └── beat                  measures; it restarts with backoff, however often
    ├── consumers                     dynamic, children temporary: one per callback
    ├── edge                          what the daemon serves
    └── drain                         started last, so stopped first

One child that crashes without end never costs its siblings anything: under each dynamic supervisor it is either temporary,
and started again by a schedule of its own, or it restarts with a backoff inside a budget that this can never use up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from wsmgr.actors import Backoff, ChildSpec, DynamicSupervisor, Event, GaveUp, Supervisor
from wsmgr.actors.reasons import describe
from wsmgr.manager.model.filling import fill, finish
from wsmgr.manager.runtime.beat import Beat
from wsmgr.manager.runtime.callbacks import release_killed
from wsmgr.manager.runtime.caretaker import Caretaker
from wsmgr.manager.runtime.dialer import RESTARTS, Dialer
from wsmgr.manager.runtime.drain import Drain
from wsmgr.manager.runtime.healer import Healer
from wsmgr.manager.runtime.keeper import Keeper
from wsmgr.manager.runtime.link import Link
from wsmgr.manager.runtime.owner import RegistryOwner
from wsmgr.manager.runtime.requests import Requests, VenueRequester
from wsmgr.manager.runtime.scribe import Scribe

if TYPE_CHECKING:
    from wsmgr.manager.model.connection import Connection
    from wsmgr.manager.model.continuity import Healed
    from wsmgr.manager.model.items import Item
    from wsmgr.manager.model.subscription import Entry
    from wsmgr.manager.runtime.context import Context, OriginContext, VenueContext
    from wsmgr.manager.runtime.ledger import Ledger

BUDGET = 3
PERIOD = 60.0
UNLIMITED = 100_000
"""A budget that backoff keeps from ever being used up: the store, the beat, a dialer, and what the daemon serves may be down for hours."""

BACKOFF = Backoff(initial=1.0, maximum=30.0, reset=60.0)
"""How the store's writer and the beat are started again: soon, and then every half minute."""

HEALER_RESTARTS = Backoff(initial=30.0, maximum=600.0, immediate_first=False, reset="healthy")
"""Seldom enough that a healer which crashes without end never uses up its venue's budget: what it heals is past."""

MakeWriter = Callable[[], Scribe]
MakeEdge = Callable[[], Sequence[ChildSpec]]


def root(context: Context, make_writer: MakeWriter, ledger: Ledger, edge: MakeEdge) -> Supervisor:
    """Return the root of a manager's tree.

    Args:
        context: What the actors share.
        make_writer: Returns a new writer on the manager's database.
        ledger: What lies between the registry and the store.
        edge: Returns what else runs: a daemon's API.
    """
    return Supervisor(
        [
            _supervisor("store", lambda: _store(ledger, make_writer)),
            _supervisor("core", lambda: _core(context)),
            _supervisor("consumers", lambda: _consumers(context)),
            _supervisor("edge", lambda: _edge(edge)),
            ChildSpec("drain", lambda: Drain(context), shutdown=Drain.DEADLINE + 1.0),
        ],
        name="root",
        max_restarts=BUDGET,
        max_seconds=PERIOD,
    )


def connection_spec(context: Context, venue: VenueContext, connection: Connection) -> ChildSpec:
    """Return the child specification of one connection: link and session under a supervisor of their own."""

    def start() -> Supervisor:
        supervisor = Supervisor(
            [ChildSpec("link", lambda: Link(context, venue, connection, lambda: supervisor))],
            strategy="one_for_all",
            max_restarts=BUDGET,
            max_seconds=PERIOD,
        )
        return supervisor

    return ChildSpec(connection.id, start, type="supervisor", restart="temporary")


def venue_spec(context: Context, venue: VenueContext) -> ChildSpec:
    """Return the child specification of one venue; when it gives up, its record says what was one crash too many."""

    def connections() -> DynamicSupervisor:
        venue.connections = DynamicSupervisor(max_restarts=BUDGET, max_seconds=PERIOD)
        venue.supervisors.clear()
        venue.model.closing.clear()
        venue.sessions.clear()
        return venue.connections

    def start() -> Supervisor:
        def note_why(event: Event) -> None:
            if isinstance(event, GaveUp) and event.supervisor is supervisor.ref:
                venue.model.error = f"{event.child_id}: {describe(event.reason)}"

        supervisor = Supervisor(
            [
                _supervisor("connections", connections),
                ChildSpec(
                    "keeper",
                    lambda: Keeper(context, venue, lambda found: connection_spec(context, venue, found)),
                ),
                ChildSpec("requests", lambda: Requests(context, venue)),
                ChildSpec("healer", lambda: _healer(context, venue), backoff=HEALER_RESTARTS),
            ],
            strategy="rest_for_one",
            max_restarts=BUDGET,
            max_seconds=PERIOD,
            on_event=note_why,
        )
        return supervisor

    return ChildSpec(f"venue:{venue.model.name}", start, type="supervisor", restart="temporary")


def dialer_spec(context: Context, origin: OriginContext) -> ChildSpec:
    """Return the child specification of an origin's dialer."""
    return ChildSpec(f"dialer:{origin.origin.name}", lambda: Dialer(context, origin), backoff=RESTARTS)


def _healer(context: Context, venue: VenueContext) -> Healer:
    clock = context.clock

    def deliver(entry: Entry, frames: Sequence[bytes], items: Sequence[Item]) -> None:
        fill(entry, frames, items, wall=clock.wall())

    def done(entry: Entry, found: Sequence[Healed]) -> None:
        finish(context.registry, entry, found, actor="healer", now=clock.monotonic())
        context.look(venue.model.name)

    return Healer(
        context,
        venue,
        queue=venue.model.healing,
        pace=venue.model.origin.pace,
        requester=VenueRequester(context, venue),
        deliver=deliver,
        finish=done,
    )


def _store(ledger: Ledger, make_writer: MakeWriter) -> Supervisor:
    def writer() -> Scribe:
        ledger.collect_all()
        return make_writer()

    return Supervisor(
        [ChildSpec("writer", writer, backoff=BACKOFF, shutdown=30.0)],
        max_restarts=UNLIMITED,
        max_seconds=PERIOD,
    )


def _core(context: Context) -> Supervisor:
    dialers: DynamicSupervisor

    def origins() -> DynamicSupervisor:
        nonlocal dialers
        dialers = DynamicSupervisor(max_restarts=UNLIMITED, max_seconds=PERIOD)
        return dialers

    def caretaker() -> Caretaker:
        return Caretaker(
            context,
            dialers,
            lambda origin: dialer_spec(context, origin),
            lambda venue: venue_spec(context, venue),
        )

    def venues() -> DynamicSupervisor:
        context.venue_supervisor = DynamicSupervisor(max_restarts=BUDGET, max_seconds=PERIOD)
        return context.venue_supervisor

    return Supervisor(
        [
            ChildSpec("registry", lambda: RegistryOwner(context.registry)),
            _supervisor("origins", origins),
            _supervisor("venues", venues),
            ChildSpec("caretaker", caretaker),
            _supervisor("pulse", lambda: _pulse(context)),
        ],
        strategy="rest_for_one",
        max_restarts=BUDGET,
        max_seconds=PERIOD,
    )


def _pulse(context: Context) -> Supervisor:
    return Supervisor(
        [ChildSpec("beat", lambda: Beat(context, lambda: release_killed(context)), backoff=BACKOFF)],
        max_restarts=UNLIMITED,
        max_seconds=PERIOD,
    )


def _consumers(context: Context) -> DynamicSupervisor:
    context.consumer_supervisor = DynamicSupervisor(max_restarts=BUDGET, max_seconds=PERIOD)
    return context.consumer_supervisor


def _edge(edge: MakeEdge) -> Supervisor:
    return Supervisor(list(edge()), max_restarts=UNLIMITED, max_seconds=PERIOD)


def _supervisor(name: str, start: Callable[[], Supervisor | DynamicSupervisor]) -> ChildSpec:
    return ChildSpec(name, start, type="supervisor")
