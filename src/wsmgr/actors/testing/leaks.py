"""A check that what a test started has ended."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio
from anyio.lowlevel import checkpoint

from wsmgr.actors.errors import LeakError
from wsmgr.actors.process.stacks import awaits_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

_GRACE: Final = 10
"""Turns of the loop in which a task that is ending may end."""


@asynccontextmanager
async def check_leaks() -> AsyncGenerator[None, None]:
    """Fail when the body leaves a task behind that was not there before; time does not move meanwhile.

    Raises:
        LeakError: With the name and the stack of each.
    """
    # The coroutines themselves, not their ids: an id may be given again.
    before = {task.coro for task in _tasks()}
    yield
    turns = 0
    while left := [task for task in _tasks() if task.coro not in before]:
        if turns == _GRACE:
            stacks = "\n".join(f"{task.name}: {' < '.join(reversed(awaits_of(task.coro)))}" for task in left)
            raise LeakError(f"tasks that were left running: {len(left)}\n{stacks}")
        await checkpoint()
        turns += 1


def _tasks() -> list[anyio.TaskInfo]:
    # anyio's plugin for pytest runs each step of a test in a task of its own: they are not the test's.
    return [
        task
        for task in anyio.get_running_tasks()
        if not getattr(task.coro, "__qualname__", "").startswith("TestRunner.")
    ]
