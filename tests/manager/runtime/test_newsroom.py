"""The newsroom: who follows the events gets each one, or is told how many are missing."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.runtime.newsroom import MAX_EVENTS, Newsroom
from wsmgr.manager.store.rows import EventRow


def event(number: int, kind: str = "live") -> EventRow:
    return EventRow(id=number, at=1.0, kind=kind)


def everything(_row: EventRow) -> bool:
    return True


def test_each_follower_gets_what_it_wants_from_then_on_until_it_leaves() -> None:
    """Nobody gets what another one wants, or what was before, or what comes after it left."""
    newsroom = Newsroom()
    newsroom.publish(event(1))
    all_of_them, lost = newsroom.follow(everything), newsroom.follow(lambda row: row.kind == "lost")
    newsroom.publish(event(2))
    newsroom.publish(event(3, "lost"))
    newsroom.leave(all_of_them)
    newsroom.publish(event(4, "lost"))
    assert (0, [2, 3]) == numbers(all_of_them.take())
    assert (0, [3, 4]) == numbers(lost.take())
    assert 4 == newsroom.newest


@given(st.lists(st.one_of(st.integers(1, 3 * MAX_EVENTS), st.none()), max_size=8))
def test_what_a_slow_follower_loses_is_counted_and_is_the_oldest(steps: list[int | None]) -> None:
    """Given and lost together are all that was published, in order, whenever it takes (None) what there is."""
    newsroom, published, seen = Newsroom(), 0, 0
    follower = newsroom.follow(everything)
    for count in [*steps, None]:
        if count is None:
            dropped, rows = numbers(follower.take())
            assert list(range(seen + dropped + 1, published + 1)) == rows
            assert len(rows) <= MAX_EVENTS
            seen = published
        else:
            for _ in range(count):
                published += 1
                newsroom.publish(event(published))


@pytest.mark.anyio
async def test_waiting_ends_when_something_is_there_and_not_before() -> None:
    """Also for what came before the wait began, and again after it was taken."""
    newsroom = Newsroom()
    follower = newsroom.follow(everything)
    with anyio.move_on_after(0.01) as nothing:
        await follower.wait()
    newsroom.publish(event(1))
    with anyio.fail_after(1):
        await follower.wait()
    follower.take()
    with anyio.move_on_after(0.01) as taken:
        await follower.wait()
    assert (True, True) == (nothing.cancelled_caught, taken.cancelled_caught)
    async with anyio.create_task_group() as group:
        group.start_soon(follower.wait)
        await anyio.wait_all_tasks_blocked()
        newsroom.publish(event(2))
    assert (0, [2]) == numbers(follower.take())


def numbers(taken: tuple[int, list[EventRow]]) -> tuple[int, list[int | None]]:
    return taken[0], [row.id for row in taken[1]]
