"""Pages: a listing is whole, whatever happens while it is read."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import anyio
import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.daemon.paging import SCANNED, Page, Place, page, page_of_ledger, parse_number
from wsmgr.manager.model.errors import UsageError
from wsmgr.manager.runtime.history_views import gap_view
from wsmgr.manager.store.rows import GapRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wsmgr.manager.runtime.history_views import GapView


@frozen
class Row:
    id: str
    at: float


def place(row: Row) -> Place:
    return row.at, row.id


async def next_page(rows: Iterable[Row], after: str | None, limit: int) -> Page:
    return await page(rows, place=place, view=lambda row: row.id, after=after, limit=limit)


@given(st.integers(0, 2**32), st.integers(0, 30), st.integers(1, 7))
def test_what_stands_through_a_listing_is_listed_once(seed: int, count: int, limit: int) -> None:
    """Rows that come and go between two pages neither hide nor repeat those that stay."""
    draw = random.Random(seed)
    staying = [Row(f"s{number}", float(draw.randrange(5))) for number in range(count)]

    async def listing() -> list[str]:
        seen: list[str] = []
        after = None
        while True:
            passing = [Row(f"p{draw.random()}", float(draw.randrange(5))) for _ in range(draw.randrange(6))]
            rows = [*staying, *passing]
            draw.shuffle(rows)
            found = await next_page(rows, after, limit)
            seen += found.items
            after = found.next
            if after is None:
                return seen

    seen = anyio.run(listing)
    assert sorted(row.id for row in staying) == sorted(id_ for id_ in seen if id_.startswith("s"))


@pytest.mark.anyio
async def test_others_run_while_a_page_is_made() -> None:
    """A long list does not hold the loop from its first to its last row."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(other)
        await next_page([Row(f"{number:04}", 0.0) for number in range(1000)], None, 250)
        group.cancel_scope.cancel()
    assert turns >= 4


@pytest.mark.anyio
async def test_a_page_that_ends_the_list_has_no_cursor() -> None:
    """`next` is null exactly when nothing follows, also where what follows is not wanted."""
    rows = [Row(f"{number}", 0.0) for number in range(4)]
    whole = await page(rows, place=place, view=lambda row: row.id, after=None, limit=4)
    filtered = await page(
        rows,
        place=place,
        view=lambda row: row.id,
        after=None,
        limit=2,
        wanted=lambda row: row.id in {"0", "1"},
    )
    assert (["0", "1", "2", "3"], None) == (whole.items, whole.next)
    assert (["0", "1"], None) == (filtered.items, filtered.next)


@pytest.mark.anyio
@pytest.mark.parametrize("cursor", ["", "x", "~id"])
async def test_a_cursor_that_no_page_gave_is_refused(cursor: str) -> None:
    """A mangled cursor is an error, not a list from some place."""
    with pytest.raises(UsageError, match="cursor"):
        await next_page([], cursor, 1)


class Ledger:
    """Numbered gaps, newest first; counts how often it is read."""

    def __init__(self, count: int) -> None:
        self.gaps = [gap_view(gap_row(number)) for number in range(count, 0, -1)]
        self.reads: list[int] = []

    async def read(self, before: int | None, count: int) -> list[GapView]:
        self.reads.append(count)
        rows = [gap for gap in self.gaps if before is None or (gap.id or 0) < before]
        return rows[:count]


def gap_row(number: int) -> GapRow:
    """A gap; one of ten is proved empty."""
    return GapRow(
        id=number,
        subscription_id="a",
        started_at=1.0,
        reason="reset",
        proof="empty" if number % 10 == 0 else None,
    )


async def listed(ledger: Ledger, limit: int, wanted: Callable[[GapView], bool] | None = None) -> list[int]:
    """Read a whole listing, page after page."""
    numbers: list[int] = []
    before: int | None = None
    while True:
        found = await page_of_ledger(ledger.read, before=before, limit=limit, wanted=wanted)
        numbers += [gap.id for gap in found.items]
        assert len(found.items) <= limit
        if found.next is None:
            return numbers
        before = parse_number(found.next)


@pytest.mark.anyio
@pytest.mark.parametrize("limit", [1, 2, 7, 20, 250])
async def test_the_pages_of_the_ledger_are_the_whole_ledger_once(limit: int) -> None:
    """Nothing is left out or repeated where a page ends, and the last page has no cursor."""
    assert list(range(20, 0, -1)) == await listed(Ledger(20), limit)


@pytest.mark.anyio
@pytest.mark.parametrize("limit", [1, 3, 250])
async def test_a_filter_of_the_ledger_finds_what_is_rare_and_far_down(limit: int) -> None:
    """A gap that stands behind thousands that are not wanted is found, and no request reads without end."""
    ledger = Ledger(4_000)
    assert list(range(4_000, 0, -10)) == await listed(ledger, limit, lambda gap: gap.proof == "empty")
    nothing = await page_of_ledger(ledger.read, before=None, limit=limit, wanted=lambda _gap: False)
    assert ([], str(4_000 - SCANNED + 1)) == (nothing.items, nothing.next)


@pytest.mark.anyio
async def test_without_a_filter_no_more_is_read_than_is_shown() -> None:
    """`limit=1` costs the database one row, and one that tells whether there are more."""
    ledger = Ledger(500)
    await page_of_ledger(ledger.read, before=None, limit=1)
    assert [2] == ledger.reads


def test_the_cursor_of_the_ledger_is_a_number() -> None:
    """Numbered rows need no more than their number."""
    assert (8, None) == (parse_number("8"), parse_number(None))
    for wrong in ("-1", "٣", "x", "", "9" * 19):
        with pytest.raises(UsageError, match="cursor"):
            parse_number(wrong)
