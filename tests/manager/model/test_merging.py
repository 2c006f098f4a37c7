"""Merging: two sides of a subscription, cut differently, become one stream with everything in it once."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.manager.model.world import messages

from wsmgr.manager.model.errors import WsmgrError
from wsmgr.manager.model.items import Item
from wsmgr.manager.model.merging import (
    MAX_HELD_BYTES,
    MAX_HELD_FRAMES,
    MAX_KEYS,
    Held,
    Merger,
    Overlap,
    Seen,
    Trial,
    Verdict,
)
from wsmgr.manager.model.subscription_type import Merge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WHOLE = Verdict(fresh=True)
NOTHING = Verdict(fresh=False, duplicates=1)
WALL = 5.0


def frame(*numbers: int) -> bytes:
    """A frame of these items."""
    return ",".join(map(str, numbers)).encode()


def numbers_of(raw: bytes) -> list[int]:
    return [int(number) for number in raw.decode().split(",") if number]


def read(raw: bytes) -> list[Item]:
    if raw.startswith(b"?"):
        raise WsmgrError("it cannot be read")
    return [Item(number, None, str(number).encode()) for number in numbers_of(raw)]


def write(raw: bytes, items: Sequence[Item]) -> bytes:
    return b",".join(item.raw for item in items)


def items_merger(*delivered: int, limit: int = MAX_KEYS) -> Merger:
    merger = Merger(Merge.ITEMS, read, write, limit=limit)
    merger.remember(frame(*delivered))
    return merger


def time_merger() -> Merger:
    return Merger(Merge.TIME, read, write)


# --- memory -----------------------------------------------------------------------------------------


@given(keys=st.lists(st.integers(0, 12)), limit=st.integers(1, 8))
def test_a_memory_knows_the_newest_keys_and_no_more_than_its_limit(keys: list[int], limit: int) -> None:
    """It is bounded, and what it forgets is the oldest."""
    seen, expected = Seen(limit), list[int]()
    for key in keys:
        assert (key not in expected) == seen.add(key)
        if key not in expected:
            expected = [*expected, key][-limit:]
        assert len(expected) == len(seen)
        assert set(expected) == {each for each in range(13) if each in seen}


# --- items ------------------------------------------------------------------------------------------


def test_a_frame_of_new_items_is_delivered_as_it_came() -> None:
    """Nothing is written anew where nothing is removed."""
    assert WHOLE == items_merger(1, 2).take(frame(3, 4), None)


def test_items_that_were_delivered_are_removed_and_counted() -> None:
    """What comes again on the other socket is delivered once, and the rest stays in its order."""
    merger = items_merger(1, 2)
    assert Verdict(fresh=True, duplicates=2, kept=frame(3, 4)) == merger.take(frame(2, 3, 1, 4), None)
    assert Verdict(fresh=False, duplicates=2) == merger.take(frame(3, 4), None)


def test_an_item_that_a_frame_repeats_is_delivered_once() -> None:
    """A frame is compared with itself too."""
    assert Verdict(fresh=True, duplicates=1, kept=frame(1, 2)) == items_merger().take(frame(1, 2, 1), None)


def test_a_frame_without_items_is_news() -> None:
    """A snapshot of nothing says that there is nothing."""
    merger = items_merger(1)
    assert [WHOLE, WHOLE] == [merger.take(frame(), None), merger.take(frame(), None)]
    assert 0 == merger.unreadable
    assert [] == merger.items(frame())


def test_a_frame_that_cannot_be_read_is_delivered_whole_and_counted() -> None:
    """Drift of the protocol costs doubles, never a message."""
    merger = items_merger()
    assert [WHOLE, WHOLE] == [merger.take(b"?", None), merger.take(b"?", None)]
    assert 2 == merger.unreadable
    merger.remember(b"?")
    assert not merger.knows(b"?", None)
    assert merger.items(b"?") is None
    assert 0 == len(merger)


def test_a_frame_that_cannot_be_cut_down_is_delivered_whole_and_counted() -> None:
    """A dialect that stumbles over its own frame loses nothing."""

    def refuse(raw: bytes, items: Sequence[Item]) -> bytes:
        raise KeyError(raw)

    merger = Merger(Merge.ITEMS, read, refuse)
    merger.remember(frame(1))
    assert WHOLE == merger.take(frame(1, 2), None)
    assert 1 == merger.unreadable


def test_what_a_subscription_had_delivered_is_remembered() -> None:
    """A merger begins with the frames that are kept anyway."""
    merger = items_merger()
    merger.seed(messages("1,2", "3"))
    assert 3 == len(merger)
    assert [True, True, True, False] == [merger.delivered(number) for number in (1, 2, 3, 4)]
    assert Verdict(fresh=True, duplicates=2, kept=frame(4)) == merger.take(frame(2, 3, 4), None)


def test_what_is_older_than_the_memory_reaches_comes_twice() -> None:
    """The memory is bounded, and in doubt an item is delivered."""
    merger = items_merger(1, 2, 3, limit=2)
    assert Verdict(fresh=True, duplicates=1, kept=frame(1)) == merger.take(frame(3, 1), None)


def test_a_frame_is_known_by_any_of_its_items() -> None:
    """An overlap of one item is an overlap."""
    merger = items_merger(1)
    assert merger.knows(frame(0, 1), None)
    assert not merger.knows(frame(0, 2), None)
    assert WHOLE == merger.take(frame(0), None)


def test_what_has_no_keys_cannot_be_merged() -> None:
    """A type without keys has one side at a time: it never gets here."""
    with pytest.raises(ValueError, match="without keys"):
        Merger(Merge.NONE, read, write)


# --- whole frames with a time -----------------------------------------------------------------------


def test_a_frame_older_than_the_newest_delivered_is_dropped() -> None:
    """Time never goes back."""
    merger = time_merger()
    assert [WHOLE, NOTHING, WHOLE] == [merger.take(b"a", 2.0), merger.take(b"b", 1.0), merger.take(b"c", 3.0)]


def test_a_frame_of_equal_time_is_dropped_only_if_the_same_bytes_were_delivered() -> None:
    """Two different frames of one time are two frames."""
    merger = time_merger()
    found = [merger.take(raw, 1.0) for raw in (b"a", b"b", b"a", b"b", b"c")]
    assert [WHOLE, WHOLE, NOTHING, NOTHING, WHOLE] == found


def test_the_same_bytes_at_another_time_are_another_frame() -> None:
    """A book that has not changed is still sent."""
    merger = time_merger()
    assert [WHOLE, WHOLE] == [merger.take(b"a", 1.0), merger.take(b"a", 2.0)]


def test_a_frame_without_a_time_is_delivered() -> None:
    """What cannot be put in order is not held back, and says nothing of the order of others."""
    merger = time_merger()
    assert [WHOLE, WHOLE, WHOLE] == [
        merger.take(b"a", None),
        merger.take(b"a", None),
        merger.take(b"b", 1.0),
    ]
    assert not merger.knows(b"a", None)


def test_a_merger_by_time_begins_where_the_subscription_is() -> None:
    """After a reconnect nothing older than what was delivered comes."""
    delivered = messages("a", "b", "c")
    for message, time in zip(delivered, (1.0, 3.0, 2.0), strict=True):
        message.venue_time = time
    merger = time_merger()
    merger.seed(delivered)
    assert merger.knows(b"a", 1.0)
    assert not merger.knows(b"a", 3.0)
    assert [NOTHING, NOTHING, WHOLE] == [
        merger.take(b"d", 2.5),
        merger.take(b"b", 3.0),
        merger.take(b"d", 3.0),
    ]


# --- a second side on trial -------------------------------------------------------------------------


def send(trial: Trial, story: str, merger: Merger) -> None:
    """Let frames of one item, or of one time, come: `p1` on the primary, `s1` on the second side."""
    for word in story.split():
        raw, time = word[1:].encode(), float(word[1:])
        if word[0] == "p":
            merger.take(raw, time)
            trial.primary(raw, time)
        else:
            trial.second(raw, time, WALL, False)


@pytest.mark.parametrize("merge", [Merge.ITEMS, Merge.TIME])
@pytest.mark.parametrize(
    ("story", "overlap"),
    [
        ("", Overlap.QUIET),
        ("s1", Overlap.QUIET),
        ("p1", Overlap.SECOND_SILENT),
        ("s1 p2 p3", Overlap.SECOND_SILENT),
        ("s1 s2", Overlap.NEWEST_ONLY),
        ("s1 s2 s3", Overlap.NEWEST_ONLY),
        ("p1 s1", Overlap.MATCHED),
        ("s1 p1", Overlap.MATCHED),
        ("s1 s2 p3 p1", Overlap.MATCHED),
        ("p1 p2 s3 s1", Overlap.MATCHED),
        ("s1 p1 p2 s7 s8", Overlap.MATCHED),
        ("s0", Overlap.MATCHED),
    ],
)
def test_a_trial_says_what_two_sides_have_shown(merge: Merge, story: str, overlap: Overlap) -> None:
    """What the venue does with two sockets is told from what came on them, in whichever order; 0 was delivered before."""
    merger = Merger(merge, read, write)
    merger.remember(b"0", 0.0)
    trial = Trial(merger)
    send(trial, story, merger)
    assert overlap is trial.judge()
    assert (overlap is Overlap.MATCHED) == trial.matched


@pytest.mark.parametrize("story", ["p1 s2 p3 s4", "s2 s4 p1"])
@pytest.mark.parametrize(
    ("merge", "overlap"), [(Merge.ITEMS, Overlap.DISJOINT), (Merge.TIME, Overlap.INCOMPARABLE)]
)
def test_two_sides_with_nothing_in_common_are_told_by_what_they_send(
    merge: Merge, overlap: Overlap, story: str
) -> None:
    """Items that only one of two has are shares; whole frames that differ are cuts of one state."""
    merger = Merger(merge, read, write)
    trial = Trial(merger)
    send(trial, story, merger)
    assert overlap is trial.judge()
    assert not trial.matched


@pytest.mark.parametrize("merge", [Merge.ITEMS, Merge.TIME])
def test_frames_whose_keys_cannot_be_read_were_sent_and_match_nothing(merge: Merge) -> None:
    """Two equal frames without a key are no proof that two sides are one stream."""
    trial = Trial(Merger(merge, read, write))
    for _ in range(2):
        trial.primary(b"?", None)
        trial.second(b"?", None, WALL, False)
    assert not trial.matched
    assert trial.judge() in {Overlap.DISJOINT, Overlap.INCOMPARABLE}


def test_what_the_primary_delivers_in_a_trial_is_remembered_as_delivered() -> None:
    """When the second side takes over, that does not come again."""
    merger = items_merger()
    Trial(merger).primary(frame(1, 2), None)
    assert Verdict(fresh=True, duplicates=1, kept=frame(3)) == merger.take(frame(2, 3), None)


def test_what_is_held_in_a_trial_is_not_taken_for_delivered() -> None:
    """The frames of the second side still have to be delivered when it takes over."""
    merger = items_merger()
    trial = Trial(merger)
    trial.second(frame(1), None, WALL, False)
    trial.second(frame(1), None, WALL, False)
    assert not trial.matched
    assert [WHOLE, NOTHING] == [merger.take(held.raw, held.venue_time) for held in trial.held()]


def test_the_frames_of_a_second_side_are_held_in_their_order() -> None:
    """With all that makes messages of them later."""
    trial = Trial(items_merger(2))
    trial.second(frame(1), 1.5, 7.0, True)
    trial.second(frame(2), None, 8.0, False)
    trial.second(frame(3), None, 9.0, False)
    assert [
        Held(frame(1), 1.5, 7.0, True),
        Held(frame(2), None, 8.0, False),
        Held(frame(3), None, 9.0, False),
    ] == trial.held()
    assert 0 == trial.overflowed


def test_a_trial_holds_so_many_frames_and_lets_the_oldest_go() -> None:
    """A venue that floods the second side does not fill the memory."""
    trial = Trial(items_merger())
    for number in range(MAX_HELD_FRAMES + 3):
        trial.second(frame(number), None, WALL, False)
    assert 3 == trial.overflowed
    assert MAX_HELD_FRAMES == len(trial.held())
    assert frame(3) == trial.held()[0].raw


def test_a_trial_holds_so_many_bytes_and_lets_the_oldest_go() -> None:
    """Large frames are fewer."""
    trial = Trial(time_merger())
    half = MAX_HELD_BYTES // 2
    for text in (b"a", b"b", b"c"):
        trial.second(text * half, None, WALL, False)
    assert 1 == trial.overflowed
    assert [b"b" * half, b"c" * half] == [held.raw for held in trial.held()]
    trial.second(b"d", None, WALL, False)
    assert [b"c" * half, b"d"] == [held.raw for held in trial.held()]
    assert 2 == trial.overflowed


# --- any interleaving -------------------------------------------------------------------------------


@define
class Sides:
    """A subscription that goes from its primary side to a second one, as the dispatcher and the trial do it."""

    merger: Merger
    delivered: list[tuple[bytes, float | None]] = field(factory=list[Any])
    trial: Trial | None = None

    def __attrs_post_init__(self) -> None:
        self.trial = Trial(self.merger)

    def primary(self, raw: bytes, time: float | None) -> None:
        self._deliver(raw, time)
        if self.trial is not None:
            self.trial.primary(raw, time)
            self._join_if_matched()

    def second(self, raw: bytes, time: float | None) -> None:
        if self.trial is None:
            self._deliver(raw, time)
            return
        self.trial.second(raw, time, WALL, False)
        self._join_if_matched()

    def _join_if_matched(self) -> None:
        if self.trial is not None and self.trial.matched:
            trial, self.trial = self.trial, None
            for held in trial.held():
                self._deliver(held.raw, held.venue_time)

    def _deliver(self, raw: bytes, time: float | None) -> None:
        verdict = self.merger.take(raw, time)
        if verdict.fresh:
            self.delivered.append((raw if verdict.kept is None else verdict.kept, time))


def cut(numbers: Sequence[int], sizes: Sequence[int]) -> list[bytes]:
    """Items in frames of these sizes, over and over."""
    found, begin = list[bytes](), 0
    for turn in count():
        if begin >= len(numbers):
            return found
        end = begin + sizes[turn % len(sizes)]
        found.append(frame(*numbers[begin:end]))
        begin = end
    return found


def run(
    sides: Sides,
    primary: Sequence[tuple[bytes, float | None]],
    second: Sequence[tuple[bytes, float | None]],
    turns: Iterator[bool],
    goes_on: int,
) -> None:
    """Let two sides send in any order; the primary ends so many frames after the second one was found to go on from it."""
    firsts, seconds = list(primary), list(second)
    while firsts or seconds:
        if firsts and (not seconds or next(turns, True)):
            sides.primary(*firsts.pop(0))
        else:
            sides.second(*seconds.pop(0))
        if sides.trial is None:
            firsts = firsts[:goes_on]
            goes_on = max(0, goes_on - 1)


SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=4)


@settings(max_examples=400, deadline=None)
@given(
    total=st.integers(0, 30),
    before=st.integers(0, 30),
    late=st.integers(0, 30),
    primary_sizes=SIZES,
    second_sizes=SIZES,
    turns=st.lists(st.booleans(), max_size=60),
    goes_on=st.integers(0, 30),
)
def test_two_sides_cut_differently_deliver_every_item_once_and_in_order(
    total: int,
    before: int,
    late: int,
    primary_sizes: list[int],
    second_sizes: list[int],
    turns: list[bool],
    goes_on: int,
) -> None:
    """Whichever side is ahead, however late the second one starts, and whenever the first one ends after that."""
    stream = range(total)
    before = min(before, total)
    merger = items_merger()
    merger.seed(messages(*(raw.decode() for raw in cut(stream[:before], primary_sizes))))
    sides = Sides(merger)
    run(
        sides,
        [(raw, None) for raw in cut(stream[before:], primary_sizes)],
        [(raw, None) for raw in cut(stream[late:], second_sizes)],
        iter(turns),
        goes_on,
    )
    found = [number for raw, _ in sides.delivered for number in numbers_of(raw)]
    assert list(stream[before:]) == found


@settings(max_examples=400, deadline=None)
@given(
    steps=st.lists(st.sampled_from([0.0, 0.0, 1.0]), max_size=25),
    before=st.integers(0, 25),
    late=st.integers(0, 25),
    turns=st.lists(st.booleans(), max_size=60),
    goes_on=st.integers(0, 25),
)
def test_two_sides_of_whole_frames_deliver_each_once_and_in_order(
    steps: list[float], before: int, late: int, turns: list[bool], goes_on: int
) -> None:
    """The same for frames with a time, some of them of one time."""
    stream = [(frame(number), sum(steps[: number + 1])) for number in range(len(steps))]
    merger = time_merger()
    for raw, time in stream[:before]:
        merger.remember(raw, time)
    sides = Sides(merger)
    run(sides, stream[before:], stream[late:], iter(turns), goes_on)
    assert stream[before:] == sides.delivered


def test_one_odd_time_does_not_stop_a_stream_for_good() -> None:
    """A frame of the year 2100 is delivered like any other, and those after it are no late ones of another side."""
    merger = Merger(Merge.TIME, lambda _: [], lambda raw, _: raw)
    times = [1000.0, 1000.5, 4_102_444_800.0, 1001.0, 1000.9, 1001.5, 1001.5]
    fresh = [merger.take(str(number).encode(), time).fresh for number, time in enumerate(times)]
    assert [True, True, True, True, False, True, True] == fresh
    merger.remember(b"odd", 4_102_444_800.0)
    assert [True, False] == [merger.take(b"a", 1002.0).fresh, merger.take(b"b", 1001.9).fresh]
