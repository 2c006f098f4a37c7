"""What the newest items of a history prove of a gap, and what they do not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.model.continuity import Gap
from wsmgr.manager.model.items import Item
from wsmgr.manager.model.reach import MARGIN, Reach, reach

SINCE = 1000.0


def items(*times: float) -> list[Item]:
    return [Item(time, time, b"{}") for time in times]


def test_snapshot_with_an_item_that_was_delivered_reaches_back() -> None:
    """Everything newer than that one is in it."""
    found = items(999.0, 1001.0, 1002.0)
    assert Reach(proof="filled", new=2) == reach(found, found[1:], since=SINCE)
    assert Reach(proof="empty", new=0) == reach(found, [], since=SINCE)


def test_what_was_delivered_after_the_gap_proves_nothing_of_it() -> None:
    """The item between two gaps is no proof for the first of them."""
    found = items(1003.0, 1004.0)
    assert reach(found, found[1:], since=SINCE, by_key=False).proof is None


def test_snapshot_that_begins_well_before_the_gap_reaches_back() -> None:
    """Though nothing of it is remembered; by less than clocks may differ it proves nothing."""
    old = items(SINCE - MARGIN, 1001.0)
    assert Reach(proof="filled", new=2) == reach(old, old, since=SINCE)
    older = items(SINCE - MARGIN - 0.5, 1001.0)
    assert Reach(proof="filled", new=1) == reach(older, older, since=SINCE)
    near = items(SINCE - MARGIN + 0.5, 1001.0)
    assert reach(near, near, since=SINCE).proof is None
    assert Reach(proof="empty", new=0) == reach(older[:1], older[:1], since=SINCE)


def test_whole_history_reaches_back_where_nothing_had_been_delivered() -> None:
    """Shorter than the venue cuts it; where the cut is not known, only an empty one is whole."""
    found = items(1001.0, 1002.0)
    assert Reach(proof="filled", new=2) == reach(found, found, since=SINCE, anything=False, cap=3)
    assert reach(found, found, since=SINCE, anything=False, cap=2).proof is None
    assert reach(found, found, since=SINCE, anything=False).proof is None
    assert Reach(proof="empty", new=0) == reach([], [], since=SINCE, anything=False)
    assert reach(found, found, since=SINCE, anything=True, cap=3).proof is None


def test_history_that_has_vanished_proves_nothing() -> None:
    """There were items, and now it is empty: the reason says so."""
    found = reach([], [], since=SINCE)
    assert (None, 0) == (found.proof, found.new)
    assert "empty" in str(found.why)


@pytest.mark.parametrize(
    ("found", "words"),
    [(items(1001.0), "1970-01-01T00:16:41.000Z"), ([Item(1, None, b"{}")], "no time")],
)
def test_reason_names_where_the_items_begin(found: list[Item], words: str) -> None:
    """A reader can see by how much it fell short."""
    assert words in str(reach(found, found, since=SINCE).why)


def test_gap_is_shown_with_its_proof_or_as_it_was() -> None:
    """A snapshot that falls short says nothing yet: a query may."""
    gap = Gap(started_at=1.0, ended_at=2.0, duration=1.0, reason="lost")
    shown = Reach(proof="empty", new=0).shown(gap)
    assert ("empty", "snapshot", None) == (shown.proof, shown.healed_by, shown.open_because)
    assert gap == Reach(proof=None, new=0, why="it is short").shown(gap)


@given(
    times=st.lists(st.floats(0.0, 60.0), min_size=1, max_size=30).map(sorted),
    began=st.floats(20.0, 40.0),
    ended=st.floats(0.0, 20.0),
    cut=st.integers(1, 10),
    forgotten=st.integers(0, 10),
    skew=st.floats(-4.9, 4.9),
)
def test_nothing_is_missing_where_a_snapshot_is_a_proof(
    times: list[float], began: float, ended: float, cut: int, forgotten: int, skew: float
) -> None:
    """Whatever was delivered, remembered and cut off, and however clocks differ within the margin."""
    ended += began
    history = [Item(number, time + skew, b"{}") for number, time in enumerate(times) if time <= ended]
    before = [item for item in history if times[item.key] <= began]  # type: ignore[call-overload] # it is a number
    remembered = {item.key for item in before[forgotten:]}
    snapshot = history[-cut:]
    fresh = [item for item in snapshot if item.key not in remembered]
    found = reach(snapshot, fresh, since=began, anything=bool(before))
    missed = [item for item in history if item not in before]
    if found.proof is not None:
        assert set(missed) <= set(snapshot)
        assert found.new >= len(missed)
    if found.proof == "empty":
        assert not missed
    oldest = snapshot[0].time if snapshot else None
    if len(fresh) < len(snapshot) or (oldest is not None and oldest <= began - MARGIN):
        assert found.proof is not None
