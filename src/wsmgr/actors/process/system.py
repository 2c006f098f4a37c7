"""What is asked of a process itself and not of its actor; served between two callbacks, even while it is suspended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsmgr.actors.errors import ActorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.actors.reasons import ExitReason

    from .calls import ReplyTo
    from .runner import ActorProcess


class StopRequest:
    """An orderly `ActorRef.stop`."""

    __slots__ = ("reason",)

    def __init__(self, reason: ExitReason) -> None:
        self.reason = reason


class SystemRequest:
    """An operation on the process, and where its result goes."""

    __slots__ = ("_operation", "reply_to")

    def __init__(self, operation: Callable[[ActorProcess], Any], reply_to: ReplyTo) -> None:
        self._operation = operation
        self.reply_to = reply_to

    def carry_out(self, process: ActorProcess) -> None:
        """Do it and answer; what it raises goes to whoever asked, and the process lives on."""
        if not self.reply_to.waiting:
            return
        try:
            self.reply_to.reply(self._operation(process))
        except Exception as error:  # noqa: BLE001 - the crash boundary: it goes to whoever asked
            self.reply_to.fail(error)
        except BaseException as error:
            self.reply_to.fail(ActorError(f"what was asked of {process.ref} raised {type(error).__name__}"))
            raise
