"""Each node of the tree, killed once and again and again: the table in `docs/explanation/what-restarts.md` is what happens.

The whole manager runs on virtual time against the simulated venue; `test_tree` does some of it over real sockets.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from attrs import define, field, frozen

from wsmgr.actors import Killed, SupervisorGaveUpError, SupervisorKilledError
from wsmgr.manager.manager import Manager
from wsmgr.manager.runtime.drain import Drain
from wsmgr.manager.runtime.tree import BUDGET
from wsmgr.manager.testing.simulated import URL, World, in_virtual_time, simulated
from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions

if TYPE_CHECKING:
    from wsmgr.actors import ActorRef, ExitReason

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "what-restarts.md"
SEED, RATE = 1, 1
USER = "0x" + "a1" * 20
WISHES: list[tuple[str, dict[str, Any]]] = [
    ("l2Book", {"coin": "BTC"}),
    ("l2Book", {"coin": "BTC", "nSigFigs": 3}),
    ("userFills", {"user": USER}),
]
"""Three subscriptions that do not share a socket."""
MANY, MINUTES = 10, 5.0
POLL = 0.25
SOON, AT_LAST = 60.0, 1200.0
"""Virtual seconds within which all is live again after one kill, and after many."""
VARIABLE = {
    "dialer:": "dialer:<origin>",
    "venue:": "venue:<name>",
    "hyperliquid-": "<connection>",
    "callback:": "callback:<subscription>",
}

Path_ = tuple[str, ...]
Processes = dict[Path_, "ActorRef[Any]"]


@frozen
class Row:
    """A row of the table.

    Attributes:
        node: The node that is killed.
        new: The topmost nodes that are others afterwards.
        sockets: What becomes of the sockets.
        again: What happens when it is killed again and again.
        sockets_then: What becomes of the sockets then.
    """

    node: str
    new: frozenset[str]
    sockets: str
    again: str
    sockets_then: str


def rows() -> list[Row]:
    """Return the table of the page."""
    cells = [
        line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")
    ]
    return [
        Row(node.strip("`"), frozenset(re.findall("`([^`]+)`", new)), sockets, again, then)
        for node, new, sockets, again, then in cells
    ]


TABLE = rows()


def name_of(path: Path_) -> str:
    """Return the name that the table has for a node: of those of which there may be several, what they are."""
    part = path[-1] if path else "root"
    return next((name for prefix, name in VARIABLE.items() if part.startswith(prefix)), part)


def processes(manager: Manager) -> Processes:
    """Return the live process at each path of the tree, the root's being the empty one."""
    root = manager.engine.root.tree()
    found: Processes = {}

    def collect(node: Any, path: Path_) -> None:
        if node.ref is not None and node.ref.alive:
            found[path] = node.ref
        for child in node.children:
            collect(child, (*path, str(child.id)))

    collect(root, ())
    return found


def open_sockets(world: World) -> set[int]:
    """Return the numbers of the connections that are open at the venue."""
    return {number for number, each in world.network.connections.items() if each.ended_at is None}


@define
class Case:
    """A manager with its world, in which one node is killed."""

    world: World
    manager: Manager
    before: Processes = field(init=False)
    opened: set[int] = field(init=False)
    carried: dict[str, int] = field(init=False)
    path: Path_ | None = None
    kills: int = 0

    def __attrs_post_init__(self) -> None:
        """Remember what there was."""
        self.before = processes(self.manager)
        self.opened = open_sockets(self.world)
        self.carried = {
            view.id: self.socket_of(view.connection) for view in self.manager.list_subscriptions()
        }

    def socket_of(self, connection: str | None) -> int:
        """Return the number of a connection's socket."""
        return next((each.socket for each in self.manager.connection_info() if each.id == connection), 0)

    async def kill(self, node: str) -> bool:
        """Kill the node as soon as it is there; returns whether it was within five minutes."""
        with anyio.move_on_after(MINUTES * 60.0 - anyio.current_time()):
            while (ref := self.found(node)) is None:  # noqa: ASYNC110 - virtual time: nothing tells of it
                await anyio.sleep(POLL)
            self.kills += 1
            ref.exit(Killed())
            await ref.monitor().wait()
            return True
        return False

    def found(self, node: str) -> ActorRef[Any] | None:
        """Return the process of a node; of several it is always the one that was found first."""
        now = processes(self.manager)
        if self.path is None:
            self.path = next(path for path in now if name_of(path) == node)
        return now.get(self.path)

    async def whole_again(self, within: float) -> None:
        """Wait until each subscription is live, and whatever is to come back is back."""
        with anyio.fail_after(within):
            while not self.is_whole():  # noqa: ASYNC110 - the same
                await anyio.sleep(POLL)

    def is_whole(self) -> bool:
        """Whether all is live and runs; a connection that was parked is not started again, and neither is a callback."""
        now = processes(self.manager)
        in_use = {view.id for view in self.manager.connection_info() if view.state != "parked"}
        idle = {
            path[-1] for path in self.before if name_of(path) in {"<connection>", "callback:<subscription>"}
        }
        idle -= in_use
        missing = [path for path in self.before if path not in now and idle.isdisjoint(path)]
        return not missing and all(view.state == "live" for view in self.manager.list_subscriptions())

    def new(self) -> frozenset[str]:
        """Return the topmost nodes that are others than before."""
        now = processes(self.manager)
        others = {path for path, ref in self.before.items() if path in now and now[path] is not ref}
        return frozenset(name_of(path) for path in others if path[:-1] not in others)

    def sockets(self) -> str:
        """Say in the table's words what has become of the sockets that were open."""
        before = self.opened
        stayed = before & open_sockets(self.world)
        words = {len(before): "stay", len(before) - 1: "the others stay", 0: "dialled anew"}
        return words.get(len(stayed), f"{len(stayed)} of {len(before)} stay")

    def check_gaps(self) -> None:
        """Whatever sat on a socket that is gone has its gap; whatever sits on one that stayed has none."""
        for view in self.manager.list_subscriptions():
            same = self.socket_of(view.connection) == self.carried[view.id]
            assert (view.gaps == 0) is same, f"{view.key}: {view.gaps} gaps"


@pytest.fixture
def armed(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each end of a drain, whether anything had armed it."""
    found: list[bool] = []
    terminate = Drain.terminate

    async def noting(drain: Drain, reason: ExitReason) -> None:
        found.append(drain._context.draining)
        await terminate(drain, reason)
        found.append(drain._context.draining)

    monkeypatch.setattr(Drain, "terminate", noting)
    return found


async def nothing(_message: object) -> None:
    """Be a callback."""


async def begun(world: World, manager: Manager) -> Case:
    """Subscribe to what the table is about, a callback among it."""
    for name, params in WISHES:
        await manager.subscribe(name, params=params, wait="live")
    await manager.subscribe("l2Book", coin="BTC", callback=nothing)
    return Case(world, manager)


def test_the_table_has_a_row_for_each_node_of_the_tree() -> None:
    """And for nothing else."""

    async def main() -> None:
        async with simulated(SimulatorOptions(rate=RATE), seed=SEED) as world, Manager(url=URL) as manager:
            case = await begun(world, manager)
            nodes = {name_of(path) for path in case.before}
            assert nodes == {row.node for row in TABLE}
            assert len(nodes) == len(TABLE)

    in_virtual_time(main, seed=SEED)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("row", [row for row in TABLE if row.sockets != "closed"], ids=lambda row: row.node)
def test_a_node_that_is_killed_once(row: Row, backend: str, armed: list[bool]) -> None:
    """What the row says is new is new, and all that was wanted is live."""

    async def main() -> None:
        async with simulated(SimulatorOptions(rate=RATE), seed=SEED) as world, Manager(url=URL) as manager:
            case = await begun(world, manager)
            assert await case.kill(row.node)
            await case.whole_again(SOON)
            assert row.new == case.new()
            assert row.sockets == case.sockets()
            case.check_gaps()
            assert not any(armed)

    in_virtual_time(main, seed=SEED, backend=backend)


@pytest.mark.parametrize(
    "row", [row for row in TABLE if row.sockets_then != "closed"], ids=lambda row: row.node
)
def test_a_node_that_is_killed_again_and_again(row: Row, armed: list[bool]) -> None:
    """It costs what the row says and no more, and in the end all that was wanted is live."""

    async def main() -> None:
        async with simulated(SimulatorOptions(rate=RATE), seed=SEED) as world, Manager(url=URL) as manager:
            case = await begun(world, manager)
            while case.kills < MANY and await case.kill(row.node):
                pass
            await case.whole_again(AT_LAST)
            assert row.again == await outcome(row, case)
            assert row.sockets_then == case.sockets()
            assert not any(armed)

    in_virtual_time(main, seed=SEED)


async def outcome(row: Row, case: Case) -> str:
    """Say in the table's words what came of killing a node again and again."""
    kinds = {event.kind for event in await case.manager.events()}
    if case.new() == {"venue:<name>"} and "venue_parked" in kinds:
        return "the venue is parked"
    if "parked" in kinds:
        return "the connection is parked"
    if case.new() == {"core"}:
        return "`core` is restarted"
    if case.kills == 1:
        return "it comes back only when asked for"
    assert case.kills > BUDGET, "it was killed too seldom to use up a budget"
    return "the same" if case.new() == row.new else f"new are {sorted(case.new())}"


@pytest.mark.parametrize(
    "row", [row for row in TABLE if row.sockets_then == "closed"], ids=lambda row: row.node
)
def test_a_node_whose_death_ends_the_manager(row: Row, armed: list[bool]) -> None:
    """At the fourth time (the root: at once) the manager ends with an error that names it; every socket is closed, and nothing was drained."""
    at_once = row.sockets == "closed"
    ended = SupervisorKilledError if at_once else SupervisorGaveUpError
    assert ("the manager ends", at_once) == (row.again, row.node == "root")

    async def main() -> int:
        async with simulated(SimulatorOptions(rate=RATE), seed=SEED) as world:
            cases: list[Case] = []
            with pytest.raises(ended, match=row.node):
                await kill_to_the_end(world, row.node, cases)
            assert set() == open_sockets(world)
            return cases[0].kills

    assert (1 if at_once else BUDGET + 1) == in_virtual_time(main, seed=SEED)
    assert not any(armed)


async def kill_to_the_end(world: World, node: str, cases: list[Case]) -> None:
    """Kill a node of a manager until the manager has ended."""
    async with Manager(url=URL) as manager:
        cases.append(await begun(world, manager))
        while await cases[0].kill(node):
            pass
