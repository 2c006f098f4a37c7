"""Where a process stands: the stack of its tasks, found by their names; for the report of a zombie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from wsmgr.actors.ref import ActorRef


def stack_of(ref: ActorRef[Any]) -> tuple[str, ...]:
    """Return `file:line function` for each await of the process's tasks, outermost first; costly, for rare use."""
    name = f"{ref.path}#{ref.id}"
    lines: list[str] = []
    for task in anyio.get_running_tasks():
        if task.name is not None and (task.name == name or task.name.startswith(f"{name}:")):
            lines.extend(awaits_of(task.coro))
    return tuple(lines)


def awaits_of(coroutine: object) -> list[str]:
    """Return `file:line function` for each await of one coroutine, outermost first."""
    lines: list[str] = []
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            break
        lines.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}")
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return lines
