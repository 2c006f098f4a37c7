"""The top of a tree: one task group that sees the outside's cancellation, one shield that the tree does not.

::

    Root.run()
    └─ task group "control"             the only part that can see a cancellation from outside
       ├─ sentinel                      sleeps; when it is cancelled it asks the supervisor to stop
       └─ CancelScope(shield=True)      ONE shield for the whole tree
          └─ the supervisor's process   hosts its children, among them supervisors that need neither

Without the shield a cancellation from outside reaches every child at once, and the order of their ends is lost.
Without the sentinel each child would need a shield of its own, and then ending N children costs N squared on asyncio.
A *native* cancellation (Ctrl-C under `asyncio.run`, `asyncio.timeout`) knows no shields: it hits the host task, which
ends the children in order just the same and passes it on afterwards.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from wsmgr.actors.errors import StartError, SupervisorGaveUpError, SupervisorKilledError
from wsmgr.actors.messages import FailedToStart
from wsmgr.actors.reasons import Crash, ExitReason, Killed, Shutdown, is_cancellation

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from wsmgr.actors.events import Event
    from wsmgr.actors.process.base import Process

    from .base import SupervisorBase


class Root:
    """Runs one supervisor that has no supervisor above it; to that supervisor it is the owner."""

    def __init__(self, supervisor: SupervisorBase) -> None:
        self._supervisor = supervisor
        self._process = supervisor.adopt(self, None, supervisor.name, 0)
        self._settled = anyio.Event()
        self._over = anyio.Event()
        self._has_body = False
        self._fatal: BaseException | None = None
        self._body: anyio.abc.TaskGroup | None = None

    # -- as the owner of the supervisor's process --------------------------------------------------------------------

    def spawn(self, fn: Callable[..., Coroutine[Any, Any, None]], *args: object, name: str) -> None:
        """Not needed: a supervisor has no helper tasks."""
        raise NotImplementedError

    def child_started(self, process: Process) -> None:  # noqa: ARG002 - the interface
        """Let `enter` return; from now on there is a body that cannot outlive the supervisor."""
        self._has_body = self._body is not None
        self._settled.set()

    def child_ended(self, process: Process) -> None:  # noqa: ARG002 - the interface
        """Let `enter` and `leave` return."""
        self._settled.set()
        self._over.set()

    def fatal(self, error: BaseException) -> None:
        """Stop the tree; the root raises `error` once it is gone."""
        self._fatal = self._fatal or error
        self._supervisor.begin_stop(Shutdown(f"{type(error).__name__} in a child"))

    def emit(self, event: Event) -> None:
        """Report `event` where the supervisor's events go."""
        self._supervisor.emit(event)

    # -- running -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until the supervisor has ended, and raise what that means for the caller."""
        await self._control()
        await checkpoint_if_cancelled()
        if self._supervisor.cancelled_by is not None:
            raise self._supervisor.cancelled_by
        error = self._verdict()
        if error is not None:
            raise error

    async def enter(self) -> None:
        """Start the supervisor beside the caller's body and wait until it has started."""
        self._body = anyio.create_task_group()
        await self._body.__aenter__()
        self._body.start_soon(self._beside, name=f"{self._process.ref.path}#{self._process.ref.id}")
        try:
            await self._settled.wait()
        except BaseException as error:
            await self.leave(error)
            raise
        if not self._process.acknowledged:
            await self._body.__aexit__(None, None, None)
            await checkpoint_if_cancelled()
            raise self._verdict() or StartError(self._process.child_id, self._reason())

    async def leave(self, error: BaseException | None) -> bool:
        """End the supervisor after the body, which raised `error`, and wait for it."""
        assert self._body is not None  # noqa: S101 - `enter` came first
        self._has_body = False
        self._supervisor.begin_stop(Shutdown())
        with anyio.CancelScope(shield=True):
            error = await self._wait_for_the_end() or error
        if error is None or is_cancellation(error):
            traceback = None if error is None else error.__traceback__
            handled = await self._body.__aexit__(None if error is None else type(error), error, traceback)
        else:
            handled = False
            # The body's exception goes on and explains more than a cancellation that it coincides with.
            with suppress(anyio.get_cancelled_exc_class()):
                await self._body.__aexit__(None, None, None)
        verdict = self._verdict()
        if verdict is not None:
            raise verdict
        return bool(handled)

    async def _wait_for_the_end(self) -> BaseException | None:
        """Wait until the supervisor is gone, whatever hits this task meanwhile, and return that."""
        hit: BaseException | None = None
        while not self._over.is_set():
            try:
                await self._over.wait()
            except anyio.get_cancelled_exc_class() as cancellation:
                hit = hit or cancellation
            except KeyboardInterrupt as interrupt:
                # The second one, most likely: whoever still says good-bye is killed.
                hit = interrupt
                self._supervisor.begin_kill()
        return hit

    async def _beside(self) -> None:
        assert self._body is not None  # noqa: S101 - `enter` came first
        await self._control()
        if self._has_body:
            self._body.cancel_scope.cancel()

    async def _control(self) -> None:
        async with anyio.create_task_group() as control:
            control.start_soon(
                self._sentinel, name=f"{self._process.ref.path}#{self._process.ref.id}:sentinel"
            )
            with anyio.CancelScope(shield=True):
                await self._process.run()
            control.cancel_scope.cancel()

    async def _sentinel(self) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            self._supervisor.begin_stop(Shutdown())

    def _reason(self) -> ExitReason:
        return self._process.reason or Shutdown()

    def _verdict(self) -> BaseException | None:
        if self._fatal is not None:
            return self._fatal
        gave_up = self._supervisor.gave_up
        if gave_up is not None:
            error: BaseException = SupervisorGaveUpError(
                self._supervisor.name, gave_up.child_id, gave_up.reason, gave_up.why
            )
            return error
        match self._reason():
            case Shutdown(FailedToStart(child_id, reason)):
                return StartError(child_id, reason)
            case Crash(error):
                return error
            case Killed():
                # Whoever waits for it must not go on as if the work were done.
                return SupervisorKilledError(self._supervisor.name)
            case _:
                return None
