"""The process in which a supervisor runs: it traps every signal and takes no mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from wsmgr.actors.errors import ForeignCancellationError, NotAnActorError
from wsmgr.actors.process.base import Process
from wsmgr.actors.process.context import call_chain
from wsmgr.actors.reasons import Crash, ExitReason, Killed

if TYPE_CHECKING:
    from wsmgr.actors.process.base import Owner
    from wsmgr.actors.process.calls import ReplyTo
    from wsmgr.actors.ref import ActorRef

    from .base import SupervisorBase


class SupervisorProcess(Process):
    """The process of one supervisor.

    It has no scope to cancel: a kill reaches it as a flag, and through it every child.
    """

    def __init__(
        self, supervisor: SupervisorBase, ref: ActorRef[Any], owner: Owner, child_id: object, restarts: int
    ) -> None:
        super().__init__(ref, owner, child_id, restarts)
        self.accept_cast = self._refuse_cast
        self._supervisor = supervisor
        self._killed = False

    async def live(self) -> None:
        """Host the children until they are gone."""
        call_chain.set(())
        reason: ExitReason
        try:
            reason = await self._supervisor.host()
        except anyio.get_cancelled_exc_class() as error:
            self._supervisor.cancelled_by = error
            reason = Crash(
                ForeignCancellationError(f"{self.ref} was cancelled, and nobody had asked for that")
            )
        except Exception as error:  # noqa: BLE001 - the crash boundary of the supervisor itself
            reason = Crash(error)
        self._supervisor.begin_stop(reason)
        self.finish(Killed() if self._killed else reason)

    def shutdown(self, reason: ExitReason) -> None:
        """End the children in order, then itself."""
        self._supervisor.begin_stop(reason)

    def kill(self) -> None:
        """End all children at once, without their good-byes, then itself."""
        self._killed = True
        self._supervisor.begin_kill()

    def exit_signal(self, sender: ActorRef[Any] | None, reason: ExitReason, *, kill: bool) -> None:  # noqa: ARG002
        """Obey a kill; any other signal is ignored, as by OTP's supervisors, unless its own supervisor sent it."""
        if kill:
            self.kill()

    def request_stop(self, reason: ExitReason) -> None:
        """End the children in order, then itself with `reason`."""
        self._supervisor.begin_stop(reason)

    def accept_send(self, message: object) -> bool:
        """Refuse.

        Raises:
            NotAnActorError: Always.
        """
        raise self._no_mail(message)

    def accept_call(self, request: object, reply_to: ReplyTo) -> None:  # noqa: ARG002 - the interface
        """Refuse.

        Raises:
            NotAnActorError: Always.
        """
        raise self._no_mail(request)

    def accept_info(self, message: object) -> None:
        """Nothing is monitored by a supervisor, so nothing comes."""

    async def wait_for_space(self) -> None:
        """Never needed: `accept_send` refuses."""

    async def abandon(self) -> None:
        """Nothing runs beside it."""

    def discard_mail(self, reason: ExitReason) -> None:
        """There is none."""

    def _refuse_cast(self, message: object) -> bool:  # noqa: ARG002 - the interface
        # Supervisors read no mail.
        self.ref.count_dead_letter("supervisor")
        return False

    def _no_mail(self, message: object) -> NotAnActorError:
        return NotAnActorError(
            f"{self.ref} is a supervisor and takes no mail ({type(message).__name__}); use its methods"
        )
