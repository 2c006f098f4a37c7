"""A beat that crashes: it costs no socket and no subscription, it is told, and what it measures goes on when it is well again.

The whole manager runs on virtual time against the simulated venue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from wsmgr.manager.manager import Manager
from wsmgr.manager.runtime.beat import Beat
from wsmgr.manager.runtime.tree import BACKOFF, BUDGET, PERIOD
from wsmgr.manager.testing.simulated import URL, World, in_virtual_time, simulated
from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions

if TYPE_CHECKING:
    from wsmgr.actors import ChildInfo

SEED = 1
WISHES: list[tuple[str, dict[str, Any]]] = [
    ("l2Book", {"coin": "BTC"}),
    ("l2Book", {"coin": "BTC", "nSigFigs": 3}),
    ("userFills", {"user": "0x" + "a1" * 20}),
]
"""Three subscriptions that do not share a socket."""


class Bug(Exception):  # noqa: N818 - it stands for any exception of our own
    """What a bad beat raises."""


def open_sockets(world: World) -> set[int]:
    """Return the numbers of the connections that are open at the venue."""
    return {number for number, each in world.network.connections.items() if each.ended_at is None}


def core(manager: Manager) -> dict[str, ChildInfo]:
    """Return the children of the core, by their names."""
    (found,) = [child for child in manager.engine.root.tree().children if child.id == "core"]
    return {str(child.id): child for child in found.children}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("part", ["_turn", "_look_at", "_keep_bounds", "_tell_offsets"])
def test_a_beat_that_raises_on_each_beat_costs_no_socket(
    part: str, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is started again more often than the core's budget allows, and nothing around it is; later it measures again."""

    def fail(*_: object) -> None:
        raise Bug(part)

    async def main() -> None:
        async with simulated(SimulatorOptions(rate=1), seed=SEED) as world, Manager(url=URL) as manager:
            books = [await manager.subscribe(name, params=params, wait="live") for name, params in WISHES]
            await anyio.sleep(PERIOD)
            opened, before = open_sockets(world), core(manager)
            with monkeypatch.context() as patched:
                patched.setattr(Beat, part, fail)
                await anyio.sleep(PERIOD)

            assert opened == open_sockets(world)
            assert [("live", 0)] * 3 == [(each.state, each.gaps) for each in manager.list_subscriptions()]
            after = core(manager)
            assert {name: child.ref for name, child in before.items()} == {
                name: child.ref for name, child in after.items()
            }
            told = [event for event in await manager.events() if event.kind == "beat_failed"]
            assert len(told) > BUDGET + 1
            assert {("error", "beat", f"Bug: {part}")} == {
                (event.level, event.actor, event.detail["error"]) for event in told
            }
            assert after["pulse"].children[0].restarts >= len(told) - 1

            counters = manager.engine.context.registry.entry(books[0].id).counters
            seconds = len(counters.history)
            await anyio.sleep(BACKOFF.maximum + 10.0)
            assert seconds + 10 <= len(counters.history)
            assert max(counters.history[:seconds]) >= max(counters.history[seconds:])
            assert len(told) == sum(event.kind == "beat_failed" for event in await manager.events())

    in_virtual_time(main, seed=SEED, backend=backend)
