"""Closing: how what waits is told."""

from __future__ import annotations

import anyio
import pytest

from wsmgr.manager.daemon.closing import Closing

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("begin_first", [False, True])
async def test_what_waits_is_ended_and_what_follows_goes_on(begin_first: bool) -> None:
    """A request that waits when the end begins, or after it, gets to say goodbye."""
    closing = Closing()
    said: list[str] = []

    async def request() -> None:
        with closing.ended_by_closing():
            await anyio.sleep_forever()
        await anyio.lowlevel.checkpoint()
        said.append("goodbye")

    if begin_first:
        closing.begin()
    async with anyio.create_task_group() as group:
        group.start_soon(request)
        await anyio.wait_all_tasks_blocked()
        closing.begin()
        await closing.wait()
    assert ["goodbye"] == said
    assert closing.begun


async def test_the_end_does_not_reach_what_is_through() -> None:
    """A request that no longer waits is not cancelled."""
    closing = Closing()
    with closing.ended_by_closing():
        await anyio.lowlevel.checkpoint()
    closing.begin()
    await anyio.lowlevel.checkpoint()
