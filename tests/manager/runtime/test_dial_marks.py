"""Dial marks: a process that is started again keeps to what the venue counts, and to what it said."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import anyio
import pytest
from attrs import define, field

from wsmgr.manager.manager import Manager
from wsmgr.manager.model.dialling import Dialling
from wsmgr.manager.model.quota import WINDOW, Quotas
from wsmgr.manager.model.registry import Origin
from wsmgr.manager.runtime.clock import Clock
from wsmgr.manager.runtime.context import OriginContext
from wsmgr.manager.runtime.dial_marks import DialMarks
from wsmgr.manager.store.changes import Change, Mark
from wsmgr.manager.testing.simulated import URL, in_virtual_time, simulated
from wsmgr.manager.venues.hyperliquid.simulator import SimulatorOptions

if TYPE_CHECKING:
    from pathlib import Path

DIALS = 5


@define
class Process:
    """One process, with one origin; its monotonic clock is its own."""

    wall: float
    monotonic: float = 1000.0
    dials: int | None = DIALS
    marks: DialMarks = field(factory=DialMarks)
    origin: OriginContext = field(init=False)

    def __attrs_post_init__(self) -> None:
        origin = Origin("venue", Quotas(dials_per_minute=self.dials))
        self.origin = OriginContext(origin, Dialling(origin.dials, Random(1).uniform))

    @property
    def clock(self) -> Clock:
        """Its clocks."""
        return Clock(monotonic=lambda: self.monotonic, wall=lambda: self.wall)

    def dial(self, *after: float) -> None:
        """Dial, each so many seconds after the one before."""
        for seconds in after:
            self.monotonic += seconds
            self.wall += seconds
            self.origin.origin.dials.record(self.monotonic)

    def write(self, store: dict[str, float]) -> list[Change]:
        """Have its marks written."""
        changes = self.marks.changes([self.origin], self.clock)
        store.update({change.name: change.at for change in changes if isinstance(change, Mark)})
        return changes

    def begin(self, store: dict[str, float]) -> Process:
        """Begin with what the store has."""
        self.marks.adopt([self.origin], store, self.clock)
        return self

    def free(self) -> int:
        """How many dials are left."""
        return self.origin.origin.dials.free(self.monotonic)


def test_the_next_process_begins_with_the_dials_of_the_last_minute() -> None:
    """Each is free again when its own minute is over, whatever the new process's clock shows."""
    store: dict[str, float] = {}
    first = Process(wall=5000.0)
    first.dial(0.0, 10.0, 10.0)
    first.write(store)
    later = Process(wall=first.wall + 5.0, monotonic=7.0).begin(store)
    assert DIALS - 3 == later.free()
    assert pytest.approx(7.0 - 25.0 + WINDOW) == later.origin.origin.dials.free_at(7.0, keep=DIALS - 3)
    assert DIALS == Process(wall=first.wall + WINDOW, monotonic=7.0).begin(store).free()


def test_however_many_processes_there_were_the_newest_dials_are_known() -> None:
    """The store keeps as many as the quota allows, and writes over the oldest."""
    store: dict[str, float] = {}
    wall = 5000.0
    for _ in range(7):
        process = Process(wall=wall).begin(store)
        process.dial(20.0, 20.0)
        process.write(store)
        wall = process.wall
    assert {f"dial:venue:{place}" for place in range(DIALS)} == set(store)
    assert [wall - 80.0, wall - 60.0, wall - 40.0, wall - 20.0, wall] == sorted(store.values())


def test_what_is_written_is_not_written_again_unless_it_may_be_lost() -> None:
    """A writer that crashed may not have written it."""
    process, store = Process(wall=5000.0), dict[str, float]()
    process.dial(1.0, 1.0)
    assert process.marks.wait([process.origin])
    assert 2 == len(process.write(store))
    assert (False, []) == (process.marks.wait([process.origin]), process.write(store))
    process.marks.again()
    assert 2 == len(process.write(store))
    assert DIALS - 2 == Process(wall=process.wall).begin(store).free(), "each counts once"


def test_a_venue_that_asked_to_wait_is_waited_for_by_the_next_process() -> None:
    """And no longer than it asked."""
    store: dict[str, float] = {}
    first = Process(wall=5000.0)
    first.origin.dialling.refused("v-1", "429", first.monotonic, retry_after=30.0)
    first.write(store)
    later = Process(wall=5010.0, monotonic=7.0).begin(store)
    later.origin.dialling.request("v-1", 0, 7.0)
    assert ([], 27.0) == later.origin.dialling.grants(7.0)
    assert ["v-1"] == later.origin.dialling.grants(27.0)[0]
    long_over = Process(wall=5031.0).begin(store)
    assert 0.0 == long_over.origin.dialling.retry_after
    set_back = Process(wall=1400.0, monotonic=7.0).begin(store)
    assert 37.0 == set_back.origin.dialling.retry_after


def test_after_the_clock_was_set_back_dials_count_as_made_just_now() -> None:
    """Nobody can know better, and none is forgotten."""
    store: dict[str, float] = {}
    first = Process(wall=5000.0)
    first.dial(0.0, 1.0)
    first.write(store)
    later = Process(wall=4000.0).begin(store)
    assert (DIALS - 2, 1000.0 + WINDOW) == (
        later.free(),
        later.origin.origin.dials.free_at(1000.0, keep=DIALS - 1),
    )


def test_without_a_quota_there_is_nothing_to_keep() -> None:
    """No mark, and no failure."""
    store: dict[str, float] = {}
    process = Process(wall=5000.0, dials=None).begin(store)
    process.dial(1.0)
    assert [] == process.write(store)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_service_that_is_restarted_again_and_again_never_dials_more_than_the_venue_allows(
    backend: str, tmp_path: Path
) -> None:
    """Each start dials; after some of them there is nothing left to dial with for the rest of the minute."""

    async def run() -> None:
        async with simulated(SimulatorOptions()) as world:
            for _ in range(60):
                async with Manager(url=URL, state_dir=tmp_path) as manager:
                    await manager.subscribe("bbo", coin="BTC", wait="none", keep=True)
                    await anyio.sleep(1.0)
            assert 25 <= world.network.engine.journal.most_dials_a_minute <= 30

    in_virtual_time(run, backend=backend)
