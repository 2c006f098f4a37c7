"""Gaps that are asked for: which pages, which items are new, when nothing more is known, and in which words that is said."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import cast

import msgspec
import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.model import healing
from wsmgr.manager.model.continuity import Gap, Healed
from wsmgr.manager.model.healing import (
    MARGIN,
    MOST_GAPS,
    MOST_PAGES,
    PAUSES,
    SETTLE,
    TRIES,
    Healing,
    HealingQuery,
)
from wsmgr.manager.model.items import Item

NOW = 50.0
WALL = 5000.0


def gap(started_at: float = 1000.0, ended_at: float = 1010.0) -> Gap:
    return Gap(started_at=started_at, ended_at=ended_at, duration=ended_at - started_at, reason="lost")


def item(number: int, time: float) -> Item:
    return Item(number, time, msgspec.json.encode(number))


def nothing(_key: Hashable) -> bool:
    return False


def query(
    cap: int | None = 3, *, paged: bool = True, depth: int | None = None, leaves_out: str | None = None
) -> HealingQuery:
    return HealingQuery(
        name="byTime",
        payload={"type": "byTime"},
        items=lambda answer: list(cast("list[Item]", answer)),
        frames=lambda items: [each.raw for each in items],
        seen=lambda raw: [],
        cap=cap,
        paged=paged,
        depth=depth,
        leaves_out=leaves_out,
    )


@define(eq=False)
class World:
    """One subscription's gaps, and what was delivered for them."""

    healing: Healing = field(factory=Healing)
    delivered: list[Hashable] = field(factory=list)

    def answer(self, answer: Sequence[Item], asked: HealingQuery, now: float = NOW) -> list[Healed]:
        """Take an answer as the healer does."""
        page = self.healing.read(asked, list(answer), self.delivered.__contains__)
        self.delivered += [each.key for each in page.items]
        return self.healing.take(asked, page, now)

    def heal(self, answer: Sequence[Item], asked: HealingQuery) -> list[Healed]:
        """Ask for one page and take its answer."""
        self.healing.ask(NOW, WALL)
        return self.answer(answer, asked)


def wanting(*gaps: Gap) -> World:
    world = World()
    for each in gaps:
        assert [] == world.healing.add(each, NOW - SETTLE)
    return world


def proofs(found: Sequence[Healed]) -> list[tuple[float, str | None, int]]:
    return [(each.gap.started_at, each.gap.proof, each.items) for each in found]


def why(found: Sequence[Healed]) -> str:
    (only,) = found
    assert (None, None) == (only.gap.proof, only.gap.healed_by)
    assert only.gap.open_because is not None
    return only.gap.open_because


def test_gap_is_asked_for_with_a_margin_when_the_venue_has_written_it_down() -> None:
    """Some seconds after its end, on either side by as much as clocks may differ."""
    world = wanting(gap())
    assert NOW == world.healing.due_at
    assert (1000.0 - MARGIN, 1010.0 + MARGIN) == world.healing.ask(NOW, WALL)


def test_what_the_venue_may_still_be_writing_down_is_not_asked_for() -> None:
    """The stream brings it."""
    world = wanting(gap())
    assert (1000.0 - MARGIN, 1011.0) == world.healing.ask(NOW, 1012.0)
    assert (1000.0 - MARGIN, 1010.0) == world.healing.ask(NOW, 1008.0)


def test_period_is_by_the_venues_clock() -> None:
    """As far as its offset is known."""
    world = World()
    world.healing.add(gap(), NOW, offset=100.0)
    assert (1100.0 - MARGIN, 1110.0 + MARGIN) == world.healing.ask(NOW, WALL)
    ahead = World()
    ahead.healing.add(gap(), NOW, offset=100.0)
    assert 1111.0 == ahead.healing.ask(NOW, 1012.0)[1]


def test_answer_that_was_not_cut_off_proves_the_gap() -> None:
    """Empty where all of it was delivered, filled where something was missed."""
    world = wanting(gap())
    world.delivered = [1]
    (found,) = world.heal([item(1, 999.0)], query())
    assert ("empty", "query byTime", 0) == (found.gap.proof, found.gap.healed_by, found.items)
    world = wanting(gap())
    assert [(1000.0, "filled", 2)] == proofs(world.heal([item(2, 1006.0), item(1, 1005.0)], query()))
    assert [1, 2] == world.delivered
    assert [] == world.healing.wanted


def test_items_of_several_pages_come_in_their_order_and_once() -> None:
    """The next page begins at the time of the last item, and brings those of that time again."""
    world, asked = wanting(gap()), query(cap=3)
    history = [item(number, 1000.0 + number // 2) for number in range(7)]
    assert [] == world.heal(history[:3], asked)
    assert (1001.0, NOW) == (world.healing.ask(NOW, WALL)[0], world.healing.due_at - PAUSES[0])
    assert [] == world.answer(history[2:5], asked)
    assert 1002.0 == world.healing.ask(NOW, WALL)[0]
    assert [] == world.answer(history[4:7], asked)
    assert [(1000.0, "filled", 7)] == proofs(world.heal(history[6:], asked))
    assert list(range(7)) == world.delivered


def test_pages_end_with_the_period() -> None:
    """What comes behind it is of no interest, however full the page."""
    world = wanting(gap())
    found = world.heal([item(1, 1001.0), item(2, 1020.0), item(3, 1030.0)], query(cap=3))
    assert [(1000.0, "filled", 1)] == proofs(found)


def test_query_without_an_end_is_cut_off_with_the_reason() -> None:
    """Also where a page of one moment cannot be gone on from."""
    world, asked = wanting(gap(1000.0, 2000.0)), query(cap=1)
    for number in range(MOST_PAGES - 1):
        assert [] == world.heal([item(number, 1000.0 + number)], asked)
    found = world.heal([item(99, 1500.0)], asked)
    assert MOST_PAGES == found[0].items
    assert f"cut off after {MOST_PAGES} pages" in why(found)
    assert "more may be missing" in why(found)
    world = wanting(gap())
    assert [] == world.heal([item(1, 1001.0)], asked)
    assert "cut off after 2 pages" in why(world.heal([item(1, 1001.0)], asked))


def test_as_many_items_as_the_venue_keeps_prove_nothing() -> None:
    """There may have been more; they are counted to the end, however far behind the gap that lies."""
    world, asked = wanting(gap()), query(cap=2, depth=4)
    assert [] == world.heal([item(1, 1100.0), item(2, 1101.0)], asked)
    assert [] == world.heal([item(2, 1101.0), item(3, 1102.0)], asked)
    found = world.heal([], asked)
    assert "knows the newest 4 items only" in why(found)
    world = wanting(gap())
    world.heal([item(1, 1100.0), item(2, 1101.0)], asked)
    assert [(1000.0, "empty", 0)] == proofs(world.heal([item(2, 1101.0)], asked))


def test_query_that_does_not_tell_all_fills_a_gap_and_leaves_it_open() -> None:
    """With what it does not tell of."""
    world = wanting(gap())
    found = world.heal([item(1, 1001.0)], query(leaves_out="funding"))
    assert [1] == world.delivered
    assert 1 == found[0].items
    assert "byTime does not tell of funding" in why(found)


@pytest.mark.parametrize(
    ("times", "cap", "proof"),
    [
        ([1001.0, 1002.0], 3, "filled"),
        ([1001.0, 1002.0], 2, None),
        ([1001.0, 1002.0], None, None),
        ([999.0, 1001.0], 2, None),
        ([995.0, 1001.0], 2, "filled"),
        ([900.0], None, "empty"),
        ([], None, "empty"),
    ],
)
def test_newest_items_prove_a_gap_where_they_reach_back(
    times: list[float], cap: int | None, proof: str | None
) -> None:
    """By time, or because there are no more than these."""
    world = wanting(gap())
    found = world.heal([item(n, time) for n, time in enumerate(times)], query(cap, paged=False))
    assert proof == found[0].gap.proof
    if proof is None:
        assert f"does not reach back: its oldest item is of 1970-01-01T00:16:{times[0] - 960:06.3f}Z" in why(
            found
        )


def test_what_was_delivered_after_the_gap_is_no_proof_in_an_answer() -> None:
    """The stream has gone on meanwhile: only time and length count."""
    world = wanting(gap())
    world.delivered = [1]
    assert "does not reach back" in why(world.heal([item(1, 1012.0)], query(1, paged=False)))


def test_items_outside_of_the_gap_are_not_missed() -> None:
    """They were delivered, or are the stream's to deliver; in the margins only what is not remembered was missed."""
    world = wanting(gap())
    times = [994.0, 996.0, 1000.0, 1010.0, 1014.0, 1016.0]
    world.heal([item(n, time) for n, time in enumerate(times)], query(cap=9))
    assert [1, 2, 3, 4] == world.delivered


def test_before_a_gap_nothing_is_missed_that_may_have_been_forgotten() -> None:
    """The memory of what was delivered may not reach back as far as the margin."""
    world = World()
    world.healing.add(gap(), NOW, known_from=998.0)
    world.heal([item(n, time) for n, time in enumerate([996.0, 999.0, 1001.0])], query(cap=9))
    assert [1, 2] == world.delivered
    ahead = World()
    ahead.healing.add(gap(), NOW, known_from=998.0, offset=10.0)
    ahead.heal([item(n, time) for n, time in enumerate([1007.0, 1009.0, 1010.0])], query(cap=9))
    assert [1, 2] == ahead.delivered


def test_about_a_gap_nothing_is_missed_that_may_have_been_forgotten_since() -> None:
    """In the gap itself everything is: the stream has brought nothing of that time."""
    world = wanting(gap())
    found = [item(n, time) for n, time in enumerate([999.0, 1001.0, 1011.0, 1013.0])]
    world.healing.ask(NOW, WALL)
    page = world.healing.read(query(9), found, nothing, known_from=1012.0)
    assert [1, 3] == [each.key for each in page.items]
    skewed = World()
    skewed.healing.add(gap(), NOW, offset=-1.0)
    skewed.healing.ask(NOW, WALL)
    page = skewed.healing.read(query(9), found, nothing, known_from=1012.0)
    assert [0, 1, 2, 3] == [each.key for each in page.items]


def test_item_that_an_answer_has_twice_is_delivered_once() -> None:
    """A venue may repeat itself."""
    world = wanting(gap())
    assert [(1000.0, "filled", 1)] == proofs(world.heal([item(1, 1001.0), item(1, 1001.0)], query()))
    assert [1] == world.delivered


def test_item_without_a_time_is_missed_where_it_was_not_delivered() -> None:
    """Nothing says that it is not."""
    world = wanting(gap())
    assert [(1000.0, "filled", 1)] == proofs(world.heal([Item(1, None, b"1")], query()))


def test_failed_query_is_asked_again_later_and_later_and_then_given_up() -> None:
    """The reason says what stays unknown, and why."""
    world = wanting(gap())
    dues: list[float] = []
    for _ in range(TRIES - 1):
        world.healing.ask(NOW, WALL)
        assert [] == world.healing.failed("byTime", "it was refused")
        dues.append(world.healing.due_at - NOW)
    assert [5.0, 60.0] == dues
    world.healing.ask(NOW, WALL)
    assert (
        "what happened from 1970-01-01T00:16:40.000Z to 1970-01-01T00:16:50.000Z is not known: "
        "byTime was asked 3 times; the last time it was refused"
    ) == why(world.healing.failed("byTime", "it was refused"))
    assert ([], None) == (world.healing.wanted, world.healing.round)


def test_page_that_came_makes_the_tries_start_anew() -> None:
    """A long history is not given up for a failure on each of its pages; what had come is kept."""
    world, asked = wanting(gap()), query(cap=1)
    for number in range(3):
        for _ in range(TRIES - 1):
            world.healing.ask(NOW, WALL)
            assert [] == world.healing.failed("byTime", "no answer")
        world.heal([item(number, 1001.0 + number)], asked)
    assert [(1000.0, "filled", 3)] == proofs(world.heal([], asked))


def test_query_that_could_not_be_sent_costs_no_try() -> None:
    """The venue is not there: its gaps wait."""
    world = wanting(gap())
    for _ in range(2 * TRIES):
        world.healing.ask(NOW, WALL)
        world.healing.postpone(NOW, 2.0)
        assert (NOW + 2.0, False) == (world.healing.due_at, world.healing.exhausted)


def test_answer_that_nobody_could_take_in_is_seen_by_the_next_one() -> None:
    """Whoever was to take it crashed each time: the gap is given up, not asked for without end."""
    world = wanting(gap())
    for _ in range(TRIES):
        assert not world.healing.exhausted
        world.healing.ask(NOW, WALL)
    assert world.healing.exhausted
    assert healing.UNTAKEN in why(world.healing.failed("byTime", healing.UNTAKEN))


def test_gaps_that_lie_close_together_are_asked_for_together() -> None:
    """Each has its own items and its own end; one that is far away has a round of its own."""
    world = wanting(gap(1000.0, 1010.0), gap(1050.0, 1060.0), gap(2000.0, 2010.0))
    assert (1000.0 - MARGIN, 1060.0 + MARGIN) == world.healing.ask(NOW, WALL)
    times = [1001.0, 1030.0, 1051.0, 1052.0]
    found = world.answer([item(n, time) for n, time in enumerate(times)], query(cap=9))
    assert [(1000.0, "filled", 1), (1050.0, "filled", 2)] == proofs(found)
    assert [0, 2, 3] == world.delivered
    assert (2000.0 - MARGIN, 2010.0 + MARGIN) == world.healing.ask(NOW, WALL)
    assert [(2000.0, "empty", 0)] == proofs(world.answer([], query()))


def test_newest_items_may_reach_back_to_one_of_two_gaps_only() -> None:
    """Each gap is judged for itself."""
    world = wanting(gap(1000.0, 1010.0), gap(1050.0, 1060.0))
    first, second = world.heal([item(1, 1040.0), item(2, 1055.0)], query(None, paged=False))
    assert (1000.0, None) == (first.gap.started_at, first.gap.proof)
    assert (1050.0, "filled", 1) == (second.gap.started_at, second.gap.proof, second.items)


def test_pages_that_were_cut_off_prove_the_gaps_that_lie_before_the_cut() -> None:
    """What they hold of these is whole."""
    world, asked = wanting(gap(1000.0, 1010.0), gap(1050.0, 1060.0)), query(cap=2)
    world.heal([item(1, 1001.0), item(2, 1055.0)], asked)
    first, second = world.heal([item(2, 1055.0), item(3, 1055.0)], asked)
    assert (1000.0, "filled", 1) == (first.gap.started_at, first.gap.proof, first.items)
    assert (1050.0, None, 2) == (second.gap.started_at, second.gap.proof, second.items)


def test_gap_that_comes_while_another_is_asked_for_has_its_turn_afterwards() -> None:
    """The question under way is answered as it was asked."""
    world = wanting(gap())
    world.healing.ask(NOW, WALL)
    due_at = world.healing.due_at
    world.healing.add(gap(1020.0, 1030.0), NOW + 1.0)
    assert due_at == world.healing.due_at
    found = world.answer([item(1, 1001.0), item(2, 1025.0)], query(cap=9), NOW + 2.0)
    assert [(1000.0, "filled", 1)] == proofs(found)
    assert NOW + 1.0 + SETTLE == world.healing.due_at
    assert [(1020.0, "filled", 1)] == proofs(world.heal([item(2, 1025.0)], query()))


def test_oldest_gap_gives_way_where_too_many_wait() -> None:
    """Nothing grows without a bound."""
    world = World()
    for number in range(MOST_GAPS):
        assert [] == world.healing.add(gap(number * 100.0, number * 100.0 + 1), NOW)
    found = world.healing.add(gap(90_000.0, 90_001.0), NOW)
    assert 0.0 == found[0].gap.started_at
    assert "later gaps waited" in why(found)
    assert MOST_GAPS == len(world.healing.wanted)


def test_snapshot_after_the_end_of_a_gap_proves_it() -> None:
    """An acknowledgement had ended it, and what was to be asked is known before it was asked."""
    world = wanting(gap())
    found = [item(1, 999.0), item(2, 1001.0)]
    assert [(1000.0, "filled", 1)] == proofs(world.healing.snapshot_came(found, found[1:]))
    assert [] == world.healing.wanted


def test_snapshot_that_falls_short_counts_for_the_gap_that_a_query_proves() -> None:
    """What it brought was missed, though the query finds nothing more: the gap is filled, not empty."""
    world = wanting(gap())
    found = [item(1, 1001.0)]
    assert [] == world.healing.snapshot_came(found, found)
    world.delivered = [1]
    assert [(1000.0, "filled", 1)] == proofs(world.heal(found, query()))
    world = World()
    world.healing.add(gap(), NOW, items=1)
    assert [(1000.0, "filled", 1)] == proofs(world.heal([], query()))


def test_snapshot_proves_older_gaps_by_time_only() -> None:
    """The item that it has in common with what was delivered came between the two."""
    world = wanting(gap(1000.0, 1010.0), gap(1050.0, 1060.0))
    found = [item(1, 1040.0), item(2, 1055.0)]
    assert [(1050.0, "filled", 1)] == proofs(world.healing.snapshot_came(found, found[1:]))
    assert [1000.0] == [each.gap.started_at for each in world.healing.wanted]
    older = [item(0, 900.0), *found]
    assert ["empty"] == [each.gap.proof for each in world.healing.snapshot_came(older, [])]


def test_answer_to_what_a_snapshot_has_proved_meanwhile_is_of_no_use() -> None:
    """Nothing is delivered for it, and no gap is told twice."""
    world = wanting(gap())
    world.healing.ask(NOW, WALL)
    found = [item(1, 999.0), item(2, 1001.0)]
    assert 1 == len(world.healing.snapshot_came(found, found[1:]))
    assert [] == world.answer([item(2, 1001.0), item(3, 1002.0)], query())
    assert [] == world.delivered
    assert [] == world.healing.failed("byTime", "no answer")


def test_all_is_given_up_with_one_reason() -> None:
    """The subscription was ended."""
    world = wanting(gap(1000.0, 1010.0), gap(1050.0, 1060.0))
    world.healing.ask(NOW, WALL)
    found = world.healing.give_up("it was ended")
    assert [1000.0, 1050.0] == [each.gap.started_at for each in found]
    assert ["it was ended"] * 2 == [str(each.gap.open_because).rpartition(": ")[2] for each in found]
    assert ([], None) == (world.healing.wanted, world.healing.round)


@given(
    times=st.lists(st.integers(0, 400).map(lambda tenth: tenth / 10), max_size=60).map(sorted),
    bounds=st.lists(
        st.integers(10, 390).map(lambda tenth: tenth / 10), min_size=2, max_size=6, unique=True
    ).map(sorted),
    cap=st.integers(8, 12),
    skew=st.floats(-4.0, 4.0),
)
def test_every_missed_item_is_delivered_once_and_no_other(
    times: list[float], bounds: list[float], cap: int, skew: float
) -> None:
    """Several gaps of one history, pages cut anywhere, and a venue whose clock differs by less than the margin."""
    history = [item(number, 1000.0 + time + skew) for number, time in enumerate(times)]
    gaps = [gap(1000.0 + a, 1000.0 + b) for a, b in zip(bounds[::2], bounds[1::2], strict=False)]
    missed = [
        each
        for each, time in zip(history, times, strict=True)
        if any(found.started_at < 1000.0 + time < found.ended_at for found in gaps)
    ]
    world, asked = wanting(*gaps), query(cap)
    world.delivered = [each.key for each in history if each not in missed]
    before = list(world.delivered)
    found: list[Healed] = []
    for _ in range(MOST_PAGES * len(gaps)):
        if world.healing.wanted:
            since, until = world.healing.ask(NOW, WALL)
            page = [each for each in history if since <= cast("float", each.time) <= until][:cap]
            found += world.answer(page, asked)
    assert [] == world.healing.wanted
    assert len(gaps) == len(found)
    assert len(world.delivered) == len(set(world.delivered))
    if all(each.gap.whole for each in found):
        assert [each.key for each in missed] == world.delivered[len(before) :]
        assert len(missed) == sum(each.items for each in found)
    else:
        # More than a page at one moment: it cannot be gone on from.
        assert max(times.count(time) for time in times) >= cap
