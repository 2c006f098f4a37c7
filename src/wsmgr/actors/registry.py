"""Names for processes: who is it now, whichever incarnation that is.

A name is freed the moment its process ends, before its monitors, links and supervisor are told: whoever is told can
take the name, and `whereis` never answers with a process that has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from attrs import field, frozen

from .errors import AlreadyRegisteredError, CallExitError, DeadRefError
from .reasons import NoProc
from .ref import DEFAULT_TIMEOUT, ActorRef
from .validation import check_choice

Msg_contra = TypeVar("Msg_contra", contravariant=True)


_Entries: TypeAlias = dict[Hashable, dict[ActorRef[Any], Callable[[], None]]]


@frozen(kw_only=True, eq=False)
class Registry:
    """Names, each for one process (`unique`) or for any number (`duplicate`: local publish and subscribe).

    Attributes:
        keys: `unique` or `duplicate`.
    """

    keys: Literal["unique", "duplicate"] = field(default="unique")
    _entries: _Entries = field(factory=_Entries, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        check_choice("keys", self.keys, ("unique", "duplicate"))

    def register(self, key: Hashable, ref: ActorRef[Any]) -> None:
        """Give `ref` the name `key`, until it ends. An actor does this best in its `init`. Again: nothing.

        Raises:
            AlreadyRegisteredError: Names are unique here and another process has it.
            DeadRefError: The process has ended.
        """
        holders = self._entries.get(key, {})
        if ref in holders:
            return
        if holders and self.keys == "unique":
            raise AlreadyRegisteredError(key, next(iter(holders)))
        process = ref.process
        if process is None:
            raise DeadRefError(f"{ref} has ended and cannot be called {key!r}")

        def free() -> None:
            self._forget(key, ref)

        process.at_exit[free] = None
        self._entries.setdefault(key, {})[ref] = free

    def unregister(self, key: Hashable, ref: ActorRef[Any] | None = None) -> None:
        """Take the name `key` from `ref`, or from all who have it. Nobody has it: nothing."""
        for holder in self.lookup(key) if ref is None else (ref,):
            free = self._forget(key, holder)
            if free is not None and holder.process is not None:
                holder.process.at_exit.pop(free, None)

    def whereis(self, key: Hashable) -> ActorRef[Any] | None:
        """Return who has the name, the first who took it among several, or None. Any thread may ask."""
        return next(iter(self.lookup(key)), None)

    def lookup(self, key: Hashable) -> tuple[ActorRef[Any], ...]:
        """Return all who have the name, in the order in which they took it. Any thread may ask."""
        # `tuple` of a dictionary is one step to other threads; iterating over one is not.
        return tuple(self._entries.get(key, {}))

    def dispatch(self, key: Hashable, message: object) -> int:
        """Cast `message` to all who have the name; return how many accepted it."""
        return sum(ref.cast(message) for ref in self.lookup(key))

    def via(self, key: Hashable) -> Via[Any]:
        """Return an address that finds the holder of the name at each use."""
        return Via(self, key)

    def _forget(self, key: Hashable, ref: ActorRef[Any]) -> Callable[[], None] | None:
        holders = self._entries.get(key)
        if holders is None:
            return None
        free = holders.pop(ref, None)
        if not holders:
            del self._entries[key]
        return free


@frozen
class Via(Generic[Msg_contra]):
    """The address of whoever has a name: like a reference, and valid across restarts.

    Attributes:
        registry: Where the name is.
        key: The name.
    """

    registry: Registry
    key: Hashable

    def whereis(self) -> ActorRef[Any] | None:
        """Return who has the name, or None."""
        return self.registry.whereis(self.key)

    def cast(self, message: Msg_contra) -> bool:
        """`ActorRef.cast`; False when nobody has the name."""
        ref = self.whereis()
        return ref is not None and ref.cast(message)

    async def send(self, message: Msg_contra) -> None:
        """`ActorRef.send`.

        Raises:
            CallExitError: Nobody has the name, or the process ended.
        """
        await self._required().send(message)

    async def call(self, request: object, *, timeout: float = DEFAULT_TIMEOUT) -> Any:  # noqa: ANN401 - an answer is Any by nature
        """`ActorRef.call`, with the same errors.

        Raises:
            CallExitError: Nobody has the name (`NoProc()`), or the process ended.
        """
        return await self._required().call(request, timeout=timeout)

    def _required(self) -> ActorRef[Any]:
        ref = self.whereis()
        if ref is None:
            raise CallExitError(None, NoProc(), f"nobody is called {self.key!r}")
        return ref
