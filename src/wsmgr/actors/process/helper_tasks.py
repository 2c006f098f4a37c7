"""The helper tasks of one actor: `Actor.start_soon`.

They run in the supervisor's task group, each in a scope of its own, and not in a group that every actor would have to
open: an actor without helpers pays nothing, and nothing has to nest with the scopes of its callbacks. They outlive
those, so that `terminate` can still use what they serve, and have ended before anyone is told of the actor's end.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from wsmgr.actors.errors import OutsideActorError
from wsmgr.actors.reasons import is_cancellation

from .context import call_chain, current_actor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from wsmgr.actors.ref import ActorRef


class _Spawn(Protocol):
    def __call__(self, fn: Callable[..., Coroutine[Any, Any, None]], *args: object, name: str) -> None: ...


class _Failed(Protocol):
    def __call__(self, error: BaseException, *, cancelled: bool) -> None: ...


class HelperTasks:
    """Starts the helpers of the actor `ref`, tells of failures, and ends them."""

    def __init__(self, ref: ActorRef[Any], spawn: _Spawn, failed: _Failed) -> None:
        self._ref = ref
        self._spawn = spawn
        self._failed = failed
        self._scopes: set[anyio.CancelScope] = set()
        self._gone: anyio.Event | None = None
        self._ended = False

    @property
    def running(self) -> int:
        """How many there are."""
        return len(self._scopes)

    def start(self, fn: Callable[..., Awaitable[object]], args: tuple[object, ...], name: str) -> None:
        """Run `fn(*args)`.

        Raises:
            OutsideActorError: The actor has ended.
        """
        if self._ended:
            raise OutsideActorError(f"{self._ref} has ended and starts no helper task {name!r} any more")
        scope = anyio.CancelScope()
        self._scopes.add(scope)
        self._spawn(self._run, scope, fn, args, name=f"{self._ref.path}#{self._ref.id}:{name}")

    async def end(self) -> BaseException | None:
        """Cancel the helpers and wait until they are gone.

        Returns:
            A cancellation that nobody asked for and that hit the wait, or None. The wait goes on all the same: the
            actor's end is under way, and its helpers must be gone before anyone is told of it.
        """
        self._ended = True
        foreign: BaseException | None = None
        for scope in list(self._scopes):
            scope.cancel()
        while self._scopes:
            self._gone = anyio.Event()
            try:
                await self._gone.wait()
            except anyio.get_cancelled_exc_class() as error:
                foreign = foreign or error
        return foreign

    async def _run(
        self, scope: anyio.CancelScope, fn: Callable[..., Awaitable[object]], args: tuple[object, ...]
    ) -> None:
        current_actor.set(self._ref)
        call_chain.set(())
        error: BaseException | None = None
        try:
            with scope:
                await fn(*args)
        except GeneratorExit:
            raise
        except BaseException as caught:  # noqa: BLE001 - the crash boundary
            error = None if is_cancellation(caught) and scope.cancel_called else caught
        self._scopes.discard(scope)
        if error is not None:
            self._failed(error, cancelled=scope.cancel_called)
        if not self._scopes and self._gone is not None:
            self._gone.set()


def name_of(fn: Callable[..., object]) -> str:
    """Return what a function is called, for people; without the arguments that are bound to it."""
    while isinstance(fn, partial):
        fn = fn.func
    return str(getattr(fn, "__qualname__", type(fn).__qualname__))
