"""What other tasks ask of a supervisor: carried out by its host task, one at a time, in order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from wsmgr.actors.process.calls import ReplyTo

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from wsmgr.actors.ref import ActorRef


class Request:
    """An operation, who asked for it (the actor, if any), and where the result goes."""

    __slots__ = ("caller", "operation", "reply_to")

    def __init__(self, operation: Callable[[], Awaitable[Any]], caller: ActorRef[Any] | None) -> None:
        self.operation = operation
        self.caller = caller
        self.reply_to = ReplyTo()


class RequestQueue(deque[Request]):
    """The requests that wait."""

    def refuse(self, blockers: Collection[ActorRef[Any]], error: Callable[[], Exception]) -> None:
        """Fail the requests that come from a process in `blockers`, or from below one, each with an error of its own."""
        for request in [each for each in self if comes_from(blockers, each.caller)]:
            self.remove(request)
            request.reply_to.fail(error())

    def fail_all(self, error: Callable[[], Exception]) -> None:
        """Fail every request, each with an error of its own: tasks that raise the same one write into its traceback."""
        while self:
            self.popleft().reply_to.fail(error())


def comes_from(processes: Collection[ActorRef[Any]], caller: ActorRef[Any] | None) -> bool:
    """Return whether `caller` is one of `processes`, or below one of them in the tree."""
    while caller is not None:
        if caller in processes:
            return True
        caller = caller.parent
    return False
