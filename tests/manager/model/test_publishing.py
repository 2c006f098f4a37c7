"""Publishing: a frame gives the same message, counts and memory on the dispatcher's fast path as where it is merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.manager.model.catalog import BOOK, FILLS, ORDERS, TICKER, TRADES, atom
from tests.manager.model.world import Reader, World, frame

from wsmgr.manager.model.continuity import Gap
from wsmgr.manager.model.subscription_type import Atom, Merge

if TYPE_CHECKING:
    from wsmgr.manager.model.subscription import Entry

GAP = Gap(started_at=1.0, ended_at=2.0, duration=1.0, reason="test")

WISHES = [
    atom(FILLS, user="u1"),
    atom(BOOK, coin="A"),
    *(
        attrs.evolve(wish, type=attrs.evolve(wish.type, merge=Merge.ITEMS))
        for wish in (atom(TRADES, coin="A"), atom(ORDERS, user="u1"), atom(TICKER, coin="A"))
    ),
]


def run(wish: Atom, kinds: list[Any], *, merges: bool, replays: bool) -> dict[str, Any]:
    """What a stream leaves behind whose frames all bring something new: its messages, counts, log and replay buffer."""
    world = World()
    world.registry.replays = replays
    reader = Reader(events=True)
    entry: Entry = world.hold(wish, reader)[0]
    world.ask()
    world.acknowledge(entry)
    if merges:
        world.venue.remember(entry)
    for number, kind in enumerate(kinds, start=1):
        world.now += 0.5
        if kind == "gap":
            entry.gap = GAP
        else:
            world.deliver(entry, frame(kind, wish, entry.key, [number]))
    assert merges is (entry.merger is not None)
    recent = [] if entry.recent is None else [shown(message) for message in entry.recent]
    return {
        "read": [shown(item) for item in reader.read()],
        "last": shown(entry.last),
        "log": None if entry.log is None else entry.log.state(),
        "recent": recent,
        "counters": attrs.asdict(entry.counters),
        "first": (entry.first, entry.fresh, entry.quiet, entry.seq, entry.gap),
    }


def shown(item: Any) -> Any:
    """A message as its fields; an event as itself."""
    if item is None or not hasattr(item, "raw"):
        return item
    return {name: getattr(item, name) for name in item.__struct_fields__ if name != "source"}


@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: wish.type.name)
@given(
    kinds=st.lists(st.sampled_from(["data", "snapshot", "gap"]), min_size=1, max_size=8),
    replays=st.booleans(),
)
def test_the_fast_path_and_the_merged_one_leave_the_same_behind(
    wish: Atom, kinds: list[str], replays: bool
) -> None:
    """The two are written twice for speed: whoever changes one changes the other."""
    assert run(wish, kinds, merges=False, replays=replays) == run(wish, kinds, merges=True, replays=replays)
