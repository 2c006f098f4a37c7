"""Program: a process with a manager in it, that is stopped, killed and started again over the same state.

A kill leaves the state directory as it stands at that moment, whatever the dying manager still writes; its sockets end
without a word. What a wish's caller was told before is what counts afterwards.
"""

from __future__ import annotations

import contextlib
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint
from attrs import define, field

from wsmgr.manager.manager import Manager
from wsmgr.manager.model.errors import NotFoundError, WsmgrError
from wsmgr.manager.model.subscription_type import Merge
from wsmgr.manager.runtime.store_client import read
from wsmgr.manager.store import queries
from wsmgr.manager.store.committer import Read
from wsmgr.manager.testing.chaos.wishes import Complaint, Consumer, Kind, Wish
from wsmgr.manager.testing.simulated import URL, Machine
from wsmgr.manager.testing.simulated.truth import StreamTruth, Truth, stream_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsmgr.manager.runtime.handle import Subscription
    from wsmgr.manager.store.rows import EventRow, GapRow

_VENUE = "hyperliquid"


@define(eq=False)
class Program:
    """A process with a manager, started again whenever it ends.

    Args:
        machine: Where it runs.
        truth: What its consumers are measured by.
        directory: Where its state directories are.

    Attributes:
        wishes: Everything that was ever wanted.
        complaints: What it found wrong at a start.
        restarts: When it went down and when it was up again.
        manager: The running manager, or None.
        up: Set while a manager runs.
    """

    machine: Machine
    truth: Truth
    directory: Path
    wishes: list[Wish] = field(factory=list[Wish], init=False)
    complaints: list[Complaint] = field(factory=list[Complaint], init=False)
    restarts: list[tuple[float, float]] = field(factory=list[tuple[float, float]], init=False)
    manager: Manager | None = field(default=None, init=False)
    up: anyio.Event = field(factory=anyio.Event, init=False)
    _scope: anyio.CancelScope = field(factory=anyio.CancelScope, init=False)
    _tasks: TaskGroup | None = field(default=None, init=False)
    _down_for: float = field(default=0.0, init=False)
    _down_at: float = field(default=0.0, init=False)
    _generation: int = field(default=0, init=False)
    _killed: bool = field(default=False, init=False)

    @property
    def state_dir(self) -> Path:
        """The state directory of the process that runs, or ran last."""
        return self.directory / str(self._generation)

    @property
    def wanted(self) -> list[Wish]:
        """What is wanted now."""
        return [wish for wish in self.wishes if wish.wanted]

    async def run(self) -> None:
        """Run a process after another, until cancelled."""
        while True:
            with anyio.CancelScope() as self._scope:
                async with Manager(url=URL, state_dir=self.state_dir) as manager:
                    await self._live(manager)
            self._buried()
            await anyio.sleep(max(0.0, self._down_at + self._down_for - anyio.current_time()))
            if self._killed:
                self._generation += 1
                self._killed = False
            self.machine.start()

    def stop(self, down_for: float) -> None:
        """End the process in good order; another starts `down_for` seconds later."""
        self._down(down_for)
        self._scope.cancel()

    def kill(self, down_for: float) -> None:
        """End the process as `kill -9` does; another starts `down_for` seconds later."""
        self._killed = True
        shutil.copytree(self.state_dir, self.directory / str(self._generation + 1))
        self.machine.crash()
        self._down(down_for)
        self._scope.cancel()

    def want(self, kind: Kind, *, kept: bool, twice: bool = False) -> None:
        """Want a subscription; `twice`: on two sockets, where its type allows it."""
        stream, merge = self._stream(kind)
        wish = Wish(
            kind=kind,
            kept=kept,
            stream=stream,
            merged=merge is Merge.ITEMS,
            unkeyed=merge is Merge.NONE,
            begun_at=anyio.current_time(),
            redundancy=2 if twice and merge is not Merge.NONE else 1,
        )
        self.wishes.append(wish)
        self._spawn(wish, wish.redundancy)

    def observe(self, kinds: Iterable[Kind]) -> None:
        """Know from now on what streams make, before anybody wants them: a question may tell of the time before a wish."""
        for kind in kinds:
            self._stream(kind)

    def join(self, wish: Wish, *, twice: bool = False, slow: bool = False) -> None:
        """Let another consumer read a wish; `twice`: on two sockets, where its type allows it, as long as it reads."""
        self._spawn(wish, 2 if twice and not wish.unkeyed else 1, slow=slow, guest=True)

    def leave(self, consumer: Consumer) -> None:
        """Let a guest read no more; what it read goes on for the others."""
        consumer.handle.release()

    def end(self, wish: Wish) -> None:
        """Want a subscription no longer: for everybody, where it is kept, else by its consumers' leaving."""
        wish.ended_at = anyio.current_time()
        tasks = self._tasks
        if tasks is not None and self.manager is not None:
            tasks.start_soon(self._end, self.manager, wish)

    async def ledger(self) -> tuple[list[GapRow], list[EventRow]]:
        """Return all gaps and all events from the disk, the oldest first."""
        manager = self.manager
        assert manager is not None  # noqa: S101 - the caller looks whether it runs
        context = manager.engine.context
        gaps: list[GapRow] = await read(context, Read(partial(queries.list_gaps, limit=None)))
        events: list[EventRow] = await read(context, Read(partial(queries.list_events, limit=None)))
        return gaps[::-1], events[::-1]

    def _stream(self, kind: Kind) -> tuple[StreamTruth, Merge]:
        manager = self.manager
        assert manager is not None  # noqa: S101 - the caller looks whether it runs
        dialect = manager.engine.context.venues[_VENUE].dialect
        atom = dialect.atom(kind.type, kind.params)
        return self.truth.observe(stream_key(dialect.subscribe(atom))), atom.type.merge

    def _spawn(
        self, wish: Wish, redundancy: Literal[1, 2], *, slow: bool = False, guest: bool = False
    ) -> None:
        if self._tasks is not None and self.manager is not None:
            consume = partial(self._consume, redundancy=redundancy, slow=slow, guest=guest)
            self._tasks.start_soon(consume, self.manager, wish)

    async def _live(self, manager: Manager) -> None:
        self.manager = manager
        self.up.set()
        if self._generation or self.restarts:
            self.restarts[-1] = (self.restarts[-1][0], anyio.current_time())
        self._check_restored(manager)
        async with anyio.create_task_group() as self._tasks:
            for wish in self.wishes:
                if wish.wanted:
                    self._spawn(wish, wish.redundancy)
                elif wish.kept and not wish.end_acknowledged.is_set():
                    self._tasks.start_soon(self._end, manager, wish)
            await anyio.sleep_forever()

    async def _consume(
        self, manager: Manager, wish: Wish, *, redundancy: Literal[1, 2], slow: bool, guest: bool
    ) -> None:
        await checkpoint()  # a process that has died in the meantime asks for nothing
        for other in self.wishes:
            # They are one subscription: an end that is on its way would end this one too.
            if other.kind is wish.kind and other is not wish and not other.wanted:
                await other.end_acknowledged.wait()
        try:
            handle = await manager.subscribe(
                wish.kind.type,
                params=wish.kind.params,
                keep=wish.kept and not guest,
                events=True,
                wait="none",
                redundancy=redundancy,
                policy="drop_oldest" if slow else None,
            )
        except WsmgrError as error:
            self._complain(
                "no wish lost", f"{wish.kind} could not be wanted: {type(error).__name__}: {error}"
            )
            return
        self._watch(manager, wish, handle)
        wish.acknowledged.set()
        consumer = Consumer(handle, wish.stream, wish.merged, guest, slow)
        wish.consumers.append(consumer)
        if not wish.wanted:
            handle.release()
        await consumer.run()

    def _watch(self, manager: Manager, wish: Wish, handle: Subscription) -> None:
        entry = manager.engine.context.registry.entries[handle.id]
        wish.id = handle.id
        if wish.note_state not in entry.watchers:
            entry.watchers.add(wish.note_state)
            wish.note_state(entry)

    async def _end(self, manager: Manager, wish: Wish) -> None:
        await checkpoint()  # see `_consume`
        if not wish.kept:
            for consumer in wish.consumers:
                await consumer.handle.unsubscribe()
        else:
            # Until its subscribe has returned nobody knows its id.
            await wish.acknowledged.wait()
            assert wish.id is not None  # noqa: S101 - known since then
            with contextlib.suppress(NotFoundError):  # an end that a kill interrupted may have been taken
                await manager.unsubscribe(wish.id)
        wish.end_acknowledged.set()

    def _down(self, down_for: float) -> None:
        self._down_at, self._down_for = anyio.current_time(), down_for
        self.restarts.append((self._down_at, float("inf")))
        for wish in self.wishes:
            for consumer in wish.consumers:
                consumer.die()
            if wish.states and wish.states[-1][1]:
                wish.states.append((self._down_at, ""))
            if wish.wanted and not wish.kept:
                wish.ended_at = self._down_at
                wish.end_acknowledged.set()
        self.manager = self._tasks = None
        self.up = anyio.Event()

    def _buried(self) -> None:
        for wish in self.wishes:
            if wish.states and wish.states[-1][1]:
                wish.states.append((self._down_at, ""))

    def _check_restored(self, manager: Manager) -> None:
        """See that what was acknowledged before is so now, before anything is asked for again."""
        found = {view.id for view in manager.list_subscriptions()}
        for wish in self.wishes:
            if wish.wanted and wish.kept and wish.acknowledged.is_set() and wish.id not in found:
                self._complain("no wish lost", f"{wish.kind} is not wanted after a restart")
        wanted = {wish.id for wish in self.wishes if wish.wanted and wish.kept}
        doubtful = {wish.id for wish in self.wishes if not wish.end_acknowledged.is_set()}
        for identifier in found - wanted - doubtful:
            self._complain("none resurrected", f"{identifier} was ended, and is wanted after a restart")

    def _complain(self, invariant: str, text: str) -> None:
        self.complaints.append(Complaint(invariant, anyio.current_time(), text))
