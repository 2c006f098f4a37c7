"""Pages: lists are answered in parts, so that no request holds the data loop.

A cursor is the place of the last row that was given, not its index: a listing shows every row that stands through it
exactly once, whatever is added and removed meanwhile.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec
from anyio.lowlevel import checkpoint

from wsmgr.manager.model.errors import UsageError
from wsmgr.manager.model.subscription import Entry
from wsmgr.manager.runtime.history_views import EventView, GapView

PAGE = 250
SLICE = 50
"""How many rows are made between two chances for others to run."""

SCANNED = 2_500
"""How many rows of the ledger one request looks at, at most."""

MAX_DIGITS = 18
"""How long the number of a row can be: it is a signed integer of 64 bits."""

Row = TypeVar("Row")
LedgerRow = TypeVar("LedgerRow", EventView, GapView)
Place = tuple[float, str]
"""Where a row stands in its list: a number, then its id."""


class Page(msgspec.Struct):
    """One part of a list; `next` is the cursor of the rest, or None at the end."""

    items: list[Any]
    next: str | None = None


async def page(
    rows: Iterable[Row],
    *,
    place: Callable[[Row], Place],
    view: Callable[[Row], Any],
    after: str | None,
    limit: int = PAGE,
    wanted: Callable[[Row], bool] = lambda _row: True,
) -> Page:
    """Return the part of a list that follows a cursor.

    Cancelling it changes nothing.

    Args:
        rows: All rows, in about the order of their places.
        place: Tells where a row stands; it must not change while the row exists.
        view: Makes what is shown of a row.
        after: The cursor, or None for the beginning.
        limit: How many rows at most.
        wanted: Whether a row is to be shown.

    Raises:
        UsageError: The cursor is not one that an earlier page gave.
    """
    ordered = sorted(rows, key=place)
    start = 0 if after is None else bisect_right(ordered, _parse(after), key=place)
    items: list[Any] = []
    last: Row | None = None
    for count, row in enumerate(ordered[start:], 1):
        if wanted(row):
            if last is not None and len(items) == limit:
                return Page(items, _format(place(last)))
            items.append(view(row))
            last = row
        if count % SLICE == 0:
            await checkpoint()
    return Page(items)


async def page_of_ledger(
    read: Callable[[int | None, int], Awaitable[Sequence[LedgerRow]]],
    *,
    before: int | None,
    limit: int,
    wanted: Callable[[LedgerRow], bool] | None = None,
) -> Page:
    """Return a page of numbered rows out of the ledger, newest first: the cursor is the number of the last row that was looked at.

    A page in which few rows are wanted may be short, also empty, and have a cursor: after `SCANNED` rows a request has looked enough.

    Args:
        read: Returns the rows before a number, so many at most.
        before: The cursor's number, or None for the newest.
        limit: How many rows at most.
        wanted: Whether a row is to be shown; None where all are.
    """
    found: list[LedgerRow] = []
    count = limit + 1 if wanted is None else PAGE
    for _ in range(SCANNED // PAGE):
        rows = await read(before, count)
        for row in rows:
            if wanted is None or wanted(row):
                if len(found) == limit:
                    return Page(found, str(before))
                found.append(row)
            before = row.id
        if len(rows) < count:
            return Page(found)
    return Page(found, str(before))


def parse_number(cursor: str | None) -> int | None:
    """Return the number that the cursor of numbered rows stands for.

    Raises:
        UsageError: It is not a cursor of such a list.
    """
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= MAX_DIGITS):
        raise UsageError(f"after={cursor!r} is not a cursor of this list; take `next` of an earlier page")
    return int(cursor)


def place_of(entry: Entry) -> Place:
    """Return where a subscription stands in lists: in the order in which they were first wanted."""
    return entry.subscribed_at, entry.id


def _format(place: Place) -> str:
    return f"{place[0]!r}~{place[1]}"


def _parse(cursor: str) -> Place:
    number, _, id_ = cursor.partition("~")
    try:
        return float(number), id_
    except ValueError:
        raise UsageError(
            f"after={cursor!r} is not a cursor of this list; take `next` of an earlier page"
        ) from None
