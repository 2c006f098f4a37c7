"""One bad child never takes its siblings with it: every dynamic place of the tree, in virtual time.

The tree is the product's own, with its own actors; only what reaches out of the process is left out. A transport that never
gets through stands for the network, an actor that does nothing for SQLite's thread.
"""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NoReturn, cast

import anyio
import pytest
from attrs import define, field

from wsmgr.actors import Actor, ActorRef, ChildInfo, ChildStatus, Killed, Shutdown, StartError
from wsmgr.actors.testing import check_leaks, settle, virtual_backend
from wsmgr.manager.config import Config, VenueConfig
from wsmgr.manager.model.connection import Connection, ConnectionState
from wsmgr.manager.model.dialling import LONG_PROBE
from wsmgr.manager.model.errors import ManagerClosedError, SubscribeTimeoutError
from wsmgr.manager.model.fact import Fact, Note
from wsmgr.manager.model.progress import FAILURE_RETRIES
from wsmgr.manager.model.subscription import State
from wsmgr.manager.runtime import tree
from wsmgr.manager.runtime.callbacks import CallbackConsumer, start_consumer
from wsmgr.manager.runtime.caretaker import RETRIES
from wsmgr.manager.runtime.clock import current_clock
from wsmgr.manager.runtime.context import Context
from wsmgr.manager.runtime.dialer import Dialer, DialWanted, Look, tell
from wsmgr.manager.runtime.engine import Engine
from wsmgr.manager.runtime.keeper import Keeper
from wsmgr.manager.runtime.ledger import Ledger
from wsmgr.manager.runtime.link import Link
from wsmgr.manager.runtime.requests import Requests
from wsmgr.manager.runtime.session import Session
from wsmgr.manager.runtime.venue_setup import add_venues
from wsmgr.manager.transport.errors import DialError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from wsmgr.manager.model.subscription import Entry
    from wsmgr.manager.runtime.handle import Subscription
    from wsmgr.manager.transport.protocol import Closed, Dial, OnBatch

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("slow_beat")]

Path = tuple[str, ...]

CROWD = 100
HOUR = 3600.0
DIALER = ("core", "origins", "dialer:hyperliquid:v0")
VENUE = ("core", "venues", "venue:v0")


@pytest.fixture(
    params=[pytest.param("asyncio", id="asyncio-virtual"), pytest.param("trio", id="trio-virtual")]
)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Virtual time: an hour takes a moment."""
    return virtual_backend(request.param)


@pytest.fixture
def slow_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the beat, on which no promise here hangs, come once a minute: 3,600 of them take longer than the rest."""
    monkeypatch.setattr("wsmgr.manager.runtime.beat.BEAT", 60.0)


class Bug(Exception):  # noqa: N818 - it stands for any exception of our own
    """What a bad child raises."""


@define(eq=False)
class Fault:
    """A bug of one actor among many.

    Attributes:
        after: The actor raises so many seconds after each start; None: in `init`.
        crashes: How often it has raised.
        fixed: Once this is set, the actor is healthy from its next start on.
    """

    after: float | None
    crashes: int = 0
    fixed: bool = False

    def plant(
        self, monkeypatch: pytest.MonkeyPatch, kind: type[Actor[Any]], is_bad: Callable[[Any], bool]
    ) -> None:
        """Give the bug to those actors of a class that are bad."""
        healthy = kind.init

        async def init(actor: Actor[Any]) -> Any:
            if self.fixed or not is_bad(actor):
                return await healthy(actor)
            if self.after is None:
                self.crash()
            answer = await healthy(actor)
            actor.start_soon(self.crash_later)
            return answer

        monkeypatch.setattr(kind, "init", init)

    async def crash_later(self) -> None:
        if self.after:
            await anyio.sleep(self.after)
        self.crash()

    def crash(self) -> NoReturn:
        self.crashes += 1
        raise Bug(f"crash {self.crashes}")


class NoStore(Actor[Any]):
    """Stands where the store's writer stands, and writes nothing."""


@asynccontextmanager
async def never_through(_dial: Dial, _on_batch: OnBatch) -> AsyncGenerator[Any, None]:
    """Be a transport whose dials never come to an end."""
    await anyio.sleep_forever()
    yield


class OpenSocket:
    """A socket that stays open: whenever one looks, another byte has come."""

    rtt = None

    def __init__(self) -> None:
        self._bytes = 0

    @property
    def bytes_received(self) -> int:
        self._bytes += 1
        return self._bytes

    async def send(self, frame: bytes | str) -> None:
        pass

    @property
    def last_inbound_at(self) -> float:
        return anyio.current_time()

    async def aclose(self, code: int, reason: str, *, timeout: float) -> None:
        pass

    async def wait_closed(self) -> Closed:
        await anyio.sleep_forever()
        raise AssertionError


@define(eq=False)
class World:
    """A manager's tree with so many venues, `v0`, `v1`, ..., each with an origin of its own."""

    venues: int = 1
    connect: Any = never_through
    notes: list[Note] = field(factory=list)
    context: Context = field(init=False)
    engine: Engine = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.context = Context(current_clock(), self.connect, on_note=self.notes.append)
        names = [f"v{number}" for number in range(self.venues)]
        quotas = {"connections": "off", "dials_per_minute": "off"}
        configs = [
            VenueConfig(name=name, dialect="hyperliquid", url=f"ws://{name}/ws", quotas=quotas)
            for name in names
        ]
        add_venues(self.context, Config(venues=tuple(configs)), None)
        no_store = cast("tree.MakeWriter", NoStore)
        self.engine = Engine(
            self.context, tree.root(self.context, no_store, Ledger(self.context), lambda: ())
        )

    @property
    def dialer(self) -> ActorRef[Any]:
        """The dialer of `v0`."""
        (origin, *_) = self.context.origins.values()
        assert origin.dialer is not None
        return origin.dialer

    def why_parked(self) -> str | None:
        """Why `v0` is parked, or None."""
        return self.context.venues["v0"].model.error

    def connections(self) -> list[Connection]:
        """The connections of `v0`."""
        return self.context.venues["v0"].model.connections

    def states(self) -> list[ConnectionState]:
        """The states of the connections of `v0`."""
        return [connection.state for connection in self.connections()]

    def events(self, kind: str) -> list[Fact]:
        """The facts of a kind, oldest first."""
        return [note for note in self.notes if isinstance(note, Fact) and note.kind == kind]

    async def subscribe(self, coin: str) -> tuple[Subscription, Entry]:
        """Subscribe at `v0`, on a connection of its own, without waiting for it."""
        handle = await self.engine.subscribe(
            "l2Book", {"coin": coin}, venue="v0", dedicated=True, wait="none"
        )
        return handle, self.context.registry.entry(handle.id)

    def processes(self) -> dict[Path, ActorRef[Any] | None]:
        """Every process of the tree, by its path."""
        return dict(_processes(self.engine.root.tree(), ()))

    def find(self, *path: str) -> list[ChildInfo]:
        """The children at a path of the tree: one or none."""
        found = [self.engine.root.tree()]
        for name in path:
            found = [child for node in found for child in node.children if child.id == name]
        return found


def _processes(node: ChildInfo, path: Path) -> Iterator[tuple[Path, ActorRef[Any] | None]]:
    yield path, node.ref
    for child in node.children:
        yield from _processes(child, (*path, str(child.id)))


@asynccontextmanager
async def running(world: World) -> AsyncGenerator[World, None]:
    """Run the tree; entered when the caretaker has started every venue that it can."""
    last = list(world.context.venues.values())[-1]
    async with check_leaks(), world.engine.root:
        await settle(lambda: last.running is not None or last.failures > 0)
        yield world


def carries(connection: Connection, coin: str) -> bool:
    """Whether a coin's subscription is on a connection: one that is tried again has another connection."""
    return f"l2Book:{coin}" in connection.members


def healthy_dialling(world: World) -> set[str]:
    """The ids of the connections of `v0` that are dialling, but for the bad ones."""
    return {
        connection.id
        for connection in world.connections()
        if connection.state is ConnectionState.DIALLING
        and not carries(connection, "LINK")
        and not carries(connection, "SESSION")
    }


async def ignore(_item: object) -> None:
    """Be a callback."""


async def subscribe_over_and_over(world: World, coin: str) -> None:
    """Be a caller who does not give up, and subscribes again a minute after each end of its consumer."""
    while True:
        handle, _ = await world.subscribe(coin)
        try:
            consumer = await start_consumer(world.context, handle, ignore)
        except StartError:
            handle.release()
        else:
            await consumer.monitor().wait()
        await anyio.sleep(60.0)


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(None, id="in-init"),
        pytest.param(0.0, id="at-once"),
        pytest.param(25.0, id="after-25-s"),
        pytest.param(61.0, id="after-61-s"),
    ],
)
async def test_99_of_100_never_notice_the_one_that_crashes_without_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, after: float | None
) -> None:
    """Dialers, venues, connections (by their link, by their session), consumers: an hour later the others are the same processes."""
    bad: dict[type[Actor[Any]], Callable[[Any], bool]] = {
        Dialer: lambda dialer: dialer._origin.origin.name == "hyperliquid:v42",
        Keeper: lambda keeper: keeper._venue.model.name == "v43",
        Requests: lambda requests: requests._venue.model.name == "v44",
        Link: lambda link: carries(link._connection, "LINK"),
        Session: lambda session: carries(session._connection, "SESSION"),
        CallbackConsumer: lambda consumer: consumer._handle.key == "v0/l2Book?coin=CONSUMER",
    }
    # A thousand tracebacks take longer to write than the hour to pass.
    caplog.set_level(logging.CRITICAL, logger="wsmgr")
    faults = {kind: Fault(after) for kind in bad}
    for kind, fault in faults.items():
        fault.plant(monkeypatch, kind, bad[kind])
    world = World(venues=CROWD)
    async with running(world), anyio.create_task_group() as callers:
        await world.subscribe("CONSUMER")
        callers.start_soon(subscribe_over_and_over, world, "CONSUMER")
        coins = ("LINK", "SESSION", *(f"C{number}" for number in range(CROWD - 2)))
        for handle, _ in [await world.subscribe(coin) for coin in coins]:
            await start_consumer(world.context, handle, ignore)
        await settle(lambda: CROWD - 1 == len(healthy_dialling(world)))
        bad_ids = {"dialer:hyperliquid:v42", "venue:v43", "venue:v44", "callback:v0/l2Book?coin=CONSUMER"}
        bad_ids |= {connection.id for connection in world.connections()} - healthy_dialling(world)
        before = {path: ref for path, ref in world.processes().items() if not bad_ids & set(path)}
        for place in (("core", "origins"), ("core", "venues"), (*VENUE, "connections"), ("consumers",)):
            assert CROWD - 2 <= sum(path[:-1] == place for path in before)

        for _ in range(60):
            await anyio.sleep(HOUR / 60)
            assert [] == [path for path, ref in before.items() if ref is None or not ref.alive]

        processes = world.processes()
        assert [] == [path for path, ref in before.items() if processes.get(path) is not ref]
        assert [] == [kind for kind, fault in faults.items() if fault.crashes <= tree.BUDGET]
        callers.cancel_scope.cancel()


async def test_who_asked_a_dialer_that_crashed_need_not_ask_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is there at once, and sees for itself who waits: a single crash costs nobody a second."""
    healthy = Dialer.handle_cast
    lost: list[object] = []

    async def crash_once(dialer: Dialer, message: Any) -> None:
        if not lost:
            lost.append(message)
            raise Bug("the first message")
        await healthy(dialer, message)

    monkeypatch.setattr(Dialer, "handle_cast", crash_once)
    async with running(World()) as world:
        for number in range(10):
            await world.subscribe(f"C{number}")
        await anyio.sleep(1.0)
        assert 10 * [ConnectionState.DIALLING] == world.states()
        assert lost == [Look()]
        (event,) = world.events("dialer_failed")
        assert ("dialer:hyperliquid:v0", "Bug: the first message") == (event.actor, event.detail["error"])


async def test_a_dialer_that_is_down_is_shown_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meanwhile nobody hangs on it or crashes with it; whoever waited dials when it is back, half a minute later at most."""
    fault = Fault(None)
    async with running(World()) as world:
        fault.plant(monkeypatch, Dialer, lambda _: True)
        world.dialer.exit(Killed())
        await world.dialer.monitor().wait()
        handle, _ = await world.subscribe("C1")
        before = world.processes()
        with pytest.raises(SubscribeTimeoutError):
            await handle.wait_live(timeout=HOUR)
        after_an_hour = world.processes()
        assert [DIALER] == [path for path, ref in before.items() if after_an_hour.get(path) is not ref]
        (dialer,) = world.find(*DIALER)
        assert ChildStatus.RESTARTING is dialer.status
        assert HOUR / LONG_PROBE < fault.crashes < 3 * HOUR / LONG_PROBE
        assert fault.crashes == dialer.restarts
        assert [ConnectionState.DISCONNECTED] == world.states()

        fault.fixed = True
        await anyio.sleep(LONG_PROBE)
        assert [ConnectionState.DIALLING] == world.states()


async def test_a_dialer_that_cannot_be_started_is_told_of_and_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The tree starts without it."""
    fault = Fault(None)
    fault.plant(monkeypatch, Dialer, lambda dialer: dialer._origin.origin.name == "hyperliquid:v0")
    async with running(World(venues=2)) as world:
        await world.subscribe("C1")
        await anyio.sleep(HOUR)
        assert [] == world.find(*DIALER)
        assert [ConnectionState.DISCONNECTED] == world.states()
        events = world.events("dialer_failed")
        assert {"dialer:hyperliquid:v0"} == {event.actor for event in events}
        assert HOUR / LONG_PROBE < fault.crashes < 3 * HOUR / LONG_PROBE
        assert fault.crashes == len(events)
        assert "crash 1" in events[0].detail["error"]

        fault.fixed = True
        await anyio.sleep(LONG_PROBE)
        assert [ConnectionState.DIALLING] == world.states()


async def test_a_wish_that_came_too_late_keeps_nobody_from_dialling() -> None:
    """A grant that finds its connection open is taken back: in its place a scout may dial."""
    dials = 0

    @asynccontextmanager
    async def first_alone(dial: Dial, _on_batch: OnBatch) -> AsyncGenerator[Any, None]:
        nonlocal dials
        dials += 1
        if dials > 1:
            raise DialError("connection refused", phase="tcp", url=dial.url)
        yield OpenSocket()

    async with running(World(connect=first_alone)) as world:
        await world.subscribe("C1")
        await settle(lambda: [ConnectionState.READY] == world.states())
        tell(world.context, world.context.venues["v0"].origin, DialWanted("v0-1", 0))
        await world.subscribe("C2")
        await anyio.sleep(20.0)
        assert 1 == world.connections()[0].dials
        assert world.connections()[1].dials >= 5


async def test_a_parked_venue_says_so_and_is_tried_again_until_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its schedule, an event each time; when the cause is gone, what was wanted is dialled for."""
    fault = Fault(1.0)
    fault.plant(monkeypatch, Keeper, lambda keeper: keeper._venue.model.name == "v0")
    async with running(World(venues=2)) as world:
        await world.subscribe("C1")
        await settle(lambda: len(world.events("venue_parked")) == 1)
        (connection,) = world.connections()
        assert "keeper: crash: Bug: crash 4" == world.why_parked()
        assert [] == world.find(*VENUE)
        assert [ConnectionState.DISCONNECTED] == world.states()
        assert "the venue was parked: keeper: crash: Bug: crash 4" == connection.reason
        assert connection.next_attempt_at is not None

        await anyio.sleep(sum(RETRIES[:-1]) + 60.0)
        assert list(RETRIES) == [event.detail["retry_in"] for event in world.events("venue_parked")]
        assert {"v0"} == {event.venue for event in world.events("venue_parked")}
        assert "keeper: crash: Bug: crash 20" == world.events("venue_parked")[-1].detail["why"]

        fault.fixed = True
        await anyio.sleep(RETRIES[-1])
        assert world.why_parked() is None
        assert [ChildStatus.RUNNING] == [child.status for child in world.find(*VENUE)]
        assert [ConnectionState.DIALLING] == world.states()


@pytest.mark.parametrize("kind", [Link, Session])
async def test_a_parked_connection_says_so_and_its_subscription_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, kind: type[Actor[Any]]
) -> None:
    """After five minutes, on another connection."""
    fault = Fault(0.0)
    fault.plant(monkeypatch, kind, lambda _: True)
    async with running(World()) as world:
        _, entry = await world.subscribe("C1")
        await settle(lambda: [ConnectionState.PARKED] == world.states())
        (connection,) = world.connections()
        text = f"Bug: crash {tree.BUDGET + 1}"
        assert (text, State.FAILED, text) == (connection.reason, entry.state, entry.error)
        assert [] == world.find(*VENUE, "connections", connection.id)
        (event,) = world.events("parked")
        assert (connection.id, text) == (event.connection, event.detail["error"])

        fault.fixed = True
        await anyio.sleep(FAILURE_RETRIES[0])
        assert entry.connection is not None
        assert connection is not entry.connection
        assert ConnectionState.DIALLING is entry.connection.state


async def test_a_consumer_whose_actor_crashes_says_so_and_gives_its_hold_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who subscribes again gets another one."""
    fault = Fault(0.0)
    fault.plant(monkeypatch, CallbackConsumer, lambda _: True)
    async with running(World()) as world:
        handle, entry = await world.subscribe("C1")
        consumer = await start_consumer(world.context, handle, ignore)
        await consumer.monitor().wait()
        assert [] == entry.buffers
        (event,) = world.events("consumer_failed")
        assert (entry.id, "Bug: crash 1") == (event.subscription_id, event.detail["error"])

        fault.fixed = True
        handle, entry = await world.subscribe("C1")
        consumer = await start_consumer(world.context, handle, ignore)
        await anyio.sleep(HOUR)
        assert consumer.alive
        assert [handle.buffer] == entry.buffers


async def test_a_consumer_that_cannot_be_started_gives_its_hold_back() -> None:
    """The caller is told in the product's words, and no buffer that nobody reads holds the subscription."""
    async with running(World()) as world:
        handle, entry = await world.subscribe("C1")
        consumers = world.context.consumer_supervisor
        assert consumers is not None
        consumers.begin_stop(Shutdown())
        with pytest.raises(ManagerClosedError, match=r"C1.*could not be started"):
            await start_consumer(world.context, handle, ignore)
        assert [] == entry.buffers
