"""The tree: what restarts when something in it is killed, and which sockets stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from wsmgr.actors import ActorRef, Crash, Killed
from wsmgr.manager.manager import Manager
from wsmgr.manager.model.connection import ConnectionState

if TYPE_CHECKING:
    from tests.conftest import StartSimulator
    from wsmgr.manager.runtime.handle import Subscription
    from wsmgr.manager.runtime.tree_views import TreeView
    from wsmgr.manager.venues.hyperliquid.simulator import SimulatorThread

pytestmark = pytest.mark.anyio

DEADLINE = 20.0
USER = "0x" + "a1" * 20
WISHES: list[tuple[str, dict[str, Any]]] = [
    ("l2Book", {"coin": "BTC"}),
    ("l2Book", {"coin": "BTC", "nSigFigs": 3}),
    ("userFills", {"user": USER}),
]
VENUE = "core/venues/venue:hyperliquid"
STAYS = (
    f"{VENUE}/keeper",
    "store/writer",
    "core/caretaker",
    "core/pulse/beat",
    "core/origins/dialer",
    f"{VENUE}/requests",
    "consumers",
    "edge",
    "drain",
)
DIALLED_ANEW = (
    "core/registry",
    "core/origins",
    "core/venues",
    VENUE,
    f"{VENUE}/connections",
)


def find(manager: Manager, path: str) -> ActorRef[Any]:
    """Return the process at a path of the tree."""
    node = manager.engine.root.tree()
    for name in path.split("/"):
        (node,) = [child for child in node.children if str(child.id).startswith(name)]
    assert node.ref is not None
    return node.ref


def ids(node: TreeView) -> list[str]:
    """Return the ids of a tree, each as often as it stands there."""
    return sorted([node.id, *(found for child in node.children for found in ids(child))])


async def live_again(handles: list[Subscription]) -> None:
    """Wait until each of them has brought two more messages: it is live, and its numbering has no hole."""
    for handle in handles:
        seen = handle.last.seq if handle.last is not None else 0
        first = await handle.next(timeout=DEADLINE, where=lambda message, seen=seen: message.seq > seen)  # type: ignore[misc]
        second = await handle.next(timeout=DEADLINE)
        assert second.seq == first.seq + 1
        assert "live" == handle.state


@pytest.mark.parametrize("path", STAYS)
async def test_killing_what_holds_no_socket_leaves_every_socket(
    simulator: SimulatorThread, path: str
) -> None:
    """It is restarted alone, and nobody notices."""
    async with Manager(url=simulator.address.url) as manager:
        handles = [await manager.subscribe(name, params=params) for name, params in WISHES]
        await live_again(handles)
        before = ids(manager.tree())
        victim = find(manager, path)
        victim.exit(Killed())
        await victim.monitor().wait()
        await live_again(handles)
        assert before == ids(manager.tree())
        assert [1, 1, 1] == [view.socket for view in manager.connection_info()]
        assert [0, 0, 0] == [view.gaps for view in manager.list_subscriptions()]
    assert 3 == simulator.log()["dials"]


@pytest.mark.parametrize("path", DIALLED_ANEW)
async def test_killing_what_holds_sockets_brings_them_all_back(
    simulator: SimulatorThread, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What hangs on it is dialled anew; every subscription is live again, with its gap, and none comes twice."""
    monkeypatch.setattr("wsmgr.manager.runtime.caretaker.RETRIES", (0.1,))
    async with Manager(url=simulator.address.url) as manager:
        handles = [await manager.subscribe(name, params=params) for name, params in WISHES]
        await live_again(handles)
        before = ids(manager.tree())
        victim = find(manager, path)
        victim.exit(Killed())
        await victim.monitor().wait()
        await until_gaps(manager, {handle.id for handle in handles})
        await live_again(handles)
        assert before == ids(manager.tree())
        assert ["ready"] * 3 == [view.state for view in manager.connection_info()]
    assert 6 == simulator.log()["dials"]


async def until_gaps(manager: Manager, ids: set[str]) -> None:
    """Wait until each subscription has a gap in the ledger that is over."""
    with anyio.fail_after(DEADLINE):
        while {gap.subscription_id for gap in await manager.gaps() if gap.ended_at is not None} != ids:  # noqa: ASYNC110 - no event
            await anyio.sleep(0.05)


@pytest.mark.parametrize("part", ["hyperliquid-1", "hyperliquid-1/link", "hyperliquid-1/session"])
async def test_killing_a_part_of_a_connection_touches_that_connection_alone(
    simulator: SimulatorThread, part: str
) -> None:
    """Its siblings keep their sockets."""
    async with Manager(url=simulator.address.url) as manager:
        handles = [await manager.subscribe(name, params=params) for name, params in WISHES]
        await live_again(handles)
        victim = find(manager, f"{VENUE}/connections/{part}")
        victim.exit(Killed())
        await victim.monitor().wait()
        await handles[0].next(timeout=DEADLINE, where=lambda message: message.gap is not None)
        await live_again(handles)
        assert [2, 1, 1] == [view.socket for view in manager.connection_info()]


async def test_a_venue_that_gives_up_says_so_at_once(simulator: SimulatorThread) -> None:
    """While nothing receives, nothing is called live: its subscriptions are lost until the venue is started again."""
    async with Manager(url=simulator.address.url) as manager:
        book = await manager.subscribe("l2Book", coin="BTC")
        await live_again([book])
        for _ in range(4):
            keeper = manager.engine.context.venues["hyperliquid"].keeper
            assert keeper is not None
            keeper.exit(Crash(RuntimeError("a bug of ours")))
            await keeper.monitor().wait()
            await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(DEADLINE):
            while manager.engine.context.venues["hyperliquid"].running is not None:
                await anyio.lowlevel.checkpoint()
        assert "lost" == book.state
        assert ["disconnected"] == [view.state for view in manager.connection_info()]
        assert "venue_parked" in {event.kind for event in await manager.events()}


async def test_a_connection_that_says_goodbye_while_its_venue_dies_is_dialled_anew(
    simulator: SimulatorThread,
) -> None:
    """Nothing stands half closed for ever, with subscriptions that count as live."""
    async with Manager(url=simulator.address.url) as manager:
        book = await manager.subscribe("l2Book", coin="BTC", wait="live")
        connection = manager.engine.venue(None).model.connections[0]
        connection.state = ConnectionState.DRAINING
        find(manager, f"{VENUE}/connections").exit(Killed())
        with anyio.fail_after(DEADLINE):
            while connection.socket < 2 or book.state != "live":  # noqa: ASYNC110 - nothing tells of both
                await anyio.sleep(0.01)
        assert 1 == manager.get_subscription(book.id).gaps


async def test_sockets_that_do_not_say_goodbye_hold_up_nobody_else(start_simulator: StartSimulator) -> None:
    """Each waits for its own peer; meanwhile others are opened and closed."""
    simulator = start_simulator(rate=20)
    async with Manager(url=simulator.address.url) as manager:
        kept = await manager.subscribe("trades", coin="BTC", keep=True)
        books = [await manager.subscribe("l2Book", coin="BTC", nSigFigs=figures) for figures in (2, 3, 4, 5)]
        simulator.set_faults("half_open")
        venue = manager.engine.venue(None)
        empty = [each for each in venue.model.connections if kept.key not in str(each.members)]
        for book in books:
            await manager.unsubscribe(book.id)
        for each in venue.model.connections:
            each.leaving = not each.members
        assert len(empty) >= 3
        with anyio.fail_after(6.0):
            manager.engine.context.look("hyperliquid")
            while len(manager.connection_info()) > 1 or len(venue.supervisors) > 1:  # noqa: ASYNC110 - nothing tells of it
                await anyio.sleep(0.05)
