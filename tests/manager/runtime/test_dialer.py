"""The dialer: it carries grants, shows what is waited for, and forgets nothing while it is down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import anyio
import pytest
from attrs import define, field

from wsmgr.actors import ActorRef, Backoff, ChildSpec, ChildStatus, Killed, Supervisor
from wsmgr.actors.testing import settle, virtual_backend
from wsmgr.manager.config import load_config
from wsmgr.manager.model.connection import Connection, ConnectionState
from wsmgr.manager.runtime.clock import current_clock
from wsmgr.manager.runtime.context import Context, OriginContext
from wsmgr.manager.runtime.dialer import (
    DialAccepted,
    Dialer,
    DialGranted,
    DialNews,
    DialNow,
    DialRefused,
    DialWanted,
    SocketEnded,
    tell,
)
from wsmgr.manager.runtime.venue_setup import add_venues

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

pytestmark = pytest.mark.anyio

VENUES = ("a", "b")


@pytest.fixture(
    params=[pytest.param("asyncio", id="asyncio-virtual"), pytest.param("trio", id="trio-virtual")]
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Virtual time: half an hour takes a moment."""
    return virtual_backend(request.param)


@define(eq=False)
class Link:
    """A link that only asks, and writes down when it was let dial."""

    connection: Connection
    alive: bool = False
    dialled: list[float] = field(factory=list[float])

    def cast(self, message: object) -> bool:
        assert message == DialGranted()
        self.dialled.append(anyio.current_time())
        self.connection.state = ConnectionState.DIALLING
        self.connection.next_attempt_at = None
        return True


@define(eq=False)
class World:
    """One origin with two venues, and a connection of each."""

    supervisor: Supervisor
    context: Context
    origin: OriginContext
    links: dict[str, Link]

    def tell(self, news: DialNews) -> None:
        """Say it as a link does; one that does not dial any more has no socket either."""
        if isinstance(news, DialRefused | SocketEnded):
            self.links[news.connection].connection.state = ConnectionState.DISCONNECTED
        tell(self.context, self.origin, news)

    def ask(self, *names: str) -> None:
        for name in names or self.links:
            self.links[name].alive = True
            self.tell(DialWanted(name, 0))

    async def shown(self, name: str) -> tuple[ConnectionState, float | None, str | None]:
        """State, seconds until the next attempt, and reason of a connection."""
        await anyio.wait_all_tasks_blocked()
        connection = self.links[name].connection
        at = connection.next_attempt_at
        seconds = None if at is None else round(at - self.context.clock.wall(), 3)
        return connection.state, seconds, connection.reason


@pytest.fixture
async def world() -> AsyncGenerator[World, None]:
    """An origin whose dialer, killed, is back after ten seconds."""
    clock = current_clock()
    context = Context(cast(Any, type(clock))(clock.monotonic, clock.monotonic), cast(Any, None))
    tables = {
        name: {"dialect": "hyperliquid", "url": "ws://venue/ws", "account": f"0x{name * 40}"}
        for name in VENUES
    }
    add_venues(context, load_config({"venues": tables}, venues=VENUES, environ={}), None)
    (origin,) = context.origins.values()
    links = {}
    for name, venue in context.venues.items():
        connection = Connection(id=name, venue=name, host="api", url="ws://venue/ws")
        venue.model.connections.append(connection)
        links[name] = Link(connection)
        venue.links[name] = cast("ActorRef[Any]", links[name])
    backoff = Backoff(initial=10.0, jitter=0.0, immediate_first=False)
    spec = ChildSpec("dialer", lambda: Dialer(context, origin), backoff=backoff)
    async with Supervisor([spec], max_restarts=10) as supervisor:
        yield World(supervisor, context, origin, links)


async def kill_the_dialer(world: World) -> None:
    assert world.origin.dialer is not None
    world.origin.dialer.exit(Killed())
    await world.origin.dialer.monitor().wait()
    await settle(lambda: world.supervisor.tree().children[0].status is ChildStatus.RESTARTING)


async def test_a_retry_after_holds_for_every_venue_of_the_origin_and_through_a_restart(world: World) -> None:
    """It was said while the dialer was down, to one venue's connection; the other's is held to it by the next dialer."""
    begin = anyio.current_time()
    world.ask("a")
    await anyio.wait_all_tasks_blocked()
    assert [begin] == world.links["a"].dialled
    await kill_the_dialer(world)
    world.tell(DialRefused("a", "refused with HTTP 429", retry_after=30.0))
    world.ask()
    await anyio.sleep(29.0)
    assert [1, 0] == [len(link.dialled) for link in world.links.values()]
    await anyio.sleep(1.5)
    assert [2, 0] == [len(link.dialled) for link in world.links.values()], "one scout, when it is over"
    assert begin + 30.0 <= world.links["a"].dialled[-1]


async def test_what_each_connection_waits_for_is_shown(world: World) -> None:
    """Its own reason where something happened to it, else the origin's; and when, where that is known."""
    waiting = "the venue asked to wait (Retry-After)"
    world.tell(DialRefused("a", "429", retry_after=30.0))
    world.links["a"].connection.reason = "dialling failed at upgrade: refused with HTTP 429"
    world.ask()
    assert (ConnectionState.WAITING, 30.0, world.links["a"].connection.reason) == await world.shown("a")
    assert (ConnectionState.WAITING, 30.0, waiting) == await world.shown("b")
    await anyio.sleep(30.5)
    assert (ConnectionState.DIALLING, None) == (await world.shown("a"))[:2]
    assert (ConnectionState.WAITING, None, "a dials first") == await world.shown("b")
    world.tell(DialAccepted("a"))
    assert (ConnectionState.DIALLING, None, None) == await world.shown("b")


async def test_a_flapping_connection_is_shown_as_one(world: World) -> None:
    """With the time of its next dial, which comes later and later."""
    for _ in range(4):
        world.tell(SocketEnded("a", uptime=0.5, proved=False))
    world.ask("a")
    state, seconds, reason = await world.shown("a")
    assert (ConnectionState.FLAPPING, "its sockets are accepted and soon closed again") == (state, reason)
    assert seconds is not None
    assert 2.0 <= seconds <= 4.0


async def test_refused_credentials_are_shown_and_tried_at_once_when_somebody_says_so(world: World) -> None:
    """Unlike the other connection, whose credentials are its own, it waits for a minute."""
    world.tell(DialRefused("a", "401", credential=True))
    world.ask()
    assert (ConnectionState.UNAUTHORIZED, 60.0, "its credentials were refused") == await world.shown("a")
    assert ConnectionState.DIALLING is (await world.shown("b"))[0]
    world.tell(DialNow("a"))
    assert (ConnectionState.DIALLING, None, None) == await world.shown("a")


async def test_a_connection_that_flapped_before_a_restart_has_not_become_a_new_one(world: World) -> None:
    """Neither by a grant that nobody took nor by another dialer."""
    for _ in range(9):
        world.tell(SocketEnded("a", uptime=0.5, proved=False))
    world.ask("a")
    link = world.links["a"]
    link.alive = False
    await anyio.sleep(31.0)
    assert [] == link.dialled
    link.alive = True
    await kill_the_dialer(world)
    world.ask("a")
    await anyio.sleep(11.0)
    assert (ConnectionState.FLAPPING, []) == ((await world.shown("a"))[0], link.dialled)
