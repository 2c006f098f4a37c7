"""The writer: the one actor that writes the database.

Commits come as calls, answered when they are on the disk. While one batch is being written, what comes queues up and is the
next batch: the busier, the bigger, and the disk is waited for once a batch. What nobody waits for (gaps, events, counters)
stays with the `Source` until the writer takes it. SQLite runs on a worker thread, one at a time; the loop never waits for
the disk.

When writing fails:

- What the schema refuses is the caller's mistake: that commit alone fails with `StoreError`.
- A fault of the disk (`faults`) begins an outage: the writer lives on, and tries and mends until it can write again. A
  caller whose commit could not be written within `PATIENCE` is told `StoreError`, and its commit is withdrawn. What nobody
  waits for stays in memory, at most one collection of it here and the rest with the source.
- Anything else is a bug and crashes the writer, after its callers were told. Its supervisor starts another.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import deque
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar, TypeVarTuple

import anyio
from anyio import CapacityLimiter, to_thread

from wsmgr.actors import Actor, Continue, Crash, MailboxPolicy, NoReply, Timer
from wsmgr.manager.model.errors import StateDirectoryError
from wsmgr.manager.store.backlog import Backlog, Waiting
from wsmgr.manager.store.committer import Commit, Committer, Read
from wsmgr.manager.store.errors import StoreError
from wsmgr.manager.store.faults import Fault, fault_of, is_damage
from wsmgr.manager.store.outage import Healed, Outage
from wsmgr.manager.store.retention import maintain
from wsmgr.manager.store.source import FLUSH, Flush
from wsmgr.manager.store.sql import BUSY_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wsmgr.actors import ExitReason, ReplyTo
    from wsmgr.manager.store.changes import Change
    from wsmgr.manager.store.database import Database
    from wsmgr.manager.store.source import Source
    from wsmgr.manager.store.state_directory import StateDirectory

FLUSH_INTERVAL: Final = 5.0
"""Seconds between two writes of the counters, and between two looks at what stands on the disk."""
MAINTENANCE_DELAY: Final = 60.0
"""Seconds after a start until history is rolled up and purged the first time."""
MAINTENANCE_INTERVAL: Final = 3600.0
"""Seconds between two maintenances."""
PATIENCE: Final = 4.5
"""Seconds after which a caller is told that its commit was not written; less than a call's own 5 s."""
MAX_WAITING: Final = 10_000
"""How many commits may wait while the database cannot be written."""
MAX_BATCH: Final = 4_096
"""How many commits are written in one transaction."""

_DISK = (sqlite3.Error, OSError, StateDirectoryError)
"""What a fault of the disk raises."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_log = logging.getLogger("wsmgr.manager.store")


class Writer(Actor[Flush]):
    """Writes what it is sent and what its source has; the counters every few seconds.

    - `await ref.call(Commit(changes))` returns the numbers given (see `Written`) when all of it is on the disk, and
      desired.json follows before the answer. It raises `StoreError` when nothing of it was or will be written. When it
      times out, is cancelled or ends with the writer, it may have been written.
    - `await ref.call(Read(query))` returns `query(database)`, run on the writer's thread.
    - `ref.cast(FLUSH)` when the source has something.

    Whoever makes the writer opens the database before and closes it after. While a writer runs nobody else uses it.

    Args:
        database: Open for writing, a file or in memory.
        directory: The state directory that it is in; None for a state in memory.
        source: What it asks. What a writer has taken and not written when it crashes is lost, so for each new writer
            the source begins with everything.
        flush_interval: Seconds between two writes of the counters.
        now: The wall clock.
    """

    trap_exit: ClassVar[bool] = True
    mailbox: ClassVar[MailboxPolicy] = MailboxPolicy(capacity=16_384, overflow="reject")

    def __init__(
        self,
        database: Database,
        source: Source,
        *,
        directory: StateDirectory | None = None,
        flush_interval: float = FLUSH_INTERVAL,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._committer = Committer(database, directory, source.desired)
        self._source = source
        self._flush_interval = flush_interval
        self._now = now
        self._thread = CapacityLimiter(1)
        self._backlog = Backlog(MAX_WAITING)
        self._reads: deque[tuple[Read, ReplyTo]] = deque()
        self._collection: Waiting | None = None
        self._outage: Outage | None = None
        self._retry: Timer | None = None
        self._copy_failed = False

    async def init(self) -> Continue | None:
        """Open the file anew, learn what it holds, and begin the flushes."""
        try:
            await self._run(self._committer.connect)
        except _DISK as error:
            self._suffer(error)
        self.send_interval(self._flush_interval, "flush")
        self.send_after(MAINTENANCE_DELAY, "maintain")
        return None

    async def handle_call(self, request: object, reply_to: ReplyTo) -> NoReply:
        """Take a `Commit` or a `Read`; both are answered after the next flush."""
        match request:
            case Commit():
                if not self._backlog.add(Waiting(request, anyio.current_time(), reply_to)):
                    raise StoreError(
                        f"{MAX_WAITING} commits wait already: the disk is behind, or cannot be written"
                    )
            case Read():
                self._reads.append((request, reply_to))
            case _:
                raise StoreError(f"the writer was asked for {request!r}; it takes Commit and Read")
        await self._flush_when_quiet()
        return NoReply()

    async def handle_cast(self, message: Flush) -> None:  # noqa: ARG002 - there is one message
        """Take what waits at the source."""
        if self._source.waits:
            self._collect(self._source.facts)
        await self._flush_when_quiet()
        self._go_on()

    async def handle_info(self, message: object) -> None:
        """Do what a timer is for: look and flush, try again, roll up and purge."""
        match message:
            case Timer(message="flush"):
                await self._look()
                self._collect(self._everything)
                await self._flush_when_quiet()
                self._go_on()
            case Timer(message="retry"):
                self._retry = None
                await self._flush()
                self._go_on()
            case Timer(message="maintain"):
                await self._maintain()
            case _:
                _log.debug("the writer has no use for %r", message)

    async def terminate(self, reason: ExitReason) -> None:
        """Write all that waits a last time; a crashed writer leaves that to the next one."""
        if not isinstance(reason, Crash):
            self._retry = None
            await self._flush()
            self._collect(self._everything)
            await self._flush()
            while self._outage is None and self._source.waits:
                self._collect(self._source.facts)
                await self._flush()
        self._tell(self._backlog.withdraw(), StoreError("the writer ended before it could write this"))
        if len(self._backlog):
            _log.error("the writer ended, and the last counters, gaps and events were not written")

    def go_on(self, fault: Fault, seconds: float) -> None:
        """Go on with an outage in which the writer before this one ended; to be called before `init`.

        Args:
            fault: What that one met.
            seconds: How long it has lasted.
        """
        self._outage = Outage(anyio.current_time() - seconds)
        self._outage.go_on(fault)

    def degraded(self, fault: Fault) -> None:
        """Tell that nothing can be written, and why; who keeps facts overrides it."""
        _log.error("%s", fault)

    def healed(self, healed: Healed) -> None:
        """Tell that everything can be written again; who keeps facts overrides it."""
        _log.warning("the database can be written again, after %.1f s", healed.duration)

    def look(self) -> None:
        """Look at what stands on the disk; on the writer's thread."""
        self._committer.look()

    async def _flush_when_quiet(self) -> None:
        """Flush, unless more mail waits: the last of it flushes for all."""
        if self.ref.queued == 0 or len(self._backlog) + len(self._reads) >= MAX_BATCH:
            await self._flush()

    async def _flush(self) -> None:
        """Write what waits and answer, then answer the questions. Where a retry is due, only the questions."""
        if self._retry is None:
            try:
                await self._mend()
                await self._write()
            except _DISK as error:
                self._suffer(error)
        while self._reads:
            read, reply_to = self._reads.popleft()
            await self._answer(read, reply_to)

    async def _mend(self) -> None:
        outage = self._outage
        if outage is None or outage.to_mend is None:
            return
        rebuilt = await self._run(self._committer.mend, outage.to_mend, self._now())
        outage.mended(rebuilt)
        if rebuilt is not None:
            self._source.collect_all()

    async def _write(self) -> None:
        if self._outage is not None and not len(self._backlog):
            # Only a write shows that it can be written.
            self._backlog.add(Waiting(Commit(()), anyio.current_time()))
        while batch := self._backlog.first(MAX_BATCH):
            results = await self._run(self._committer.commit, [entry.commit for entry in batch], self._now())
            self._backlog.remove_first(len(batch))
            if self._collection in batch:
                self._collection = None
                self._source.written()
            self._recover()
            try:
                await self._write_copy()
            finally:
                for entry, result in zip(batch, results, strict=True):
                    _settle(entry, result)
        await self._write_copy()

    async def _write_copy(self) -> None:
        """Write desired.json if it is due. The database holds it already: a full disk delays the copy, not the answer."""
        if not self._committer.copy_due:
            return
        try:
            await self._run(self._committer.write_copy, self._now())
            self._copy_failed = False
        except OSError as error:
            if not self._copy_failed:
                _log.warning(
                    "desired.json cannot be written: %s; the database is, and it is tried again", error
                )
            self._copy_failed = True

    async def _answer(self, read: Read, reply_to: ReplyTo) -> None:
        try:
            found = await self._run(self._committer.read, read)
        except Exception as error:  # noqa: BLE001 - whatever a question does, its asker is told
            if is_damage(error) and self._outage is None:
                self._suffer(error)
            known = fault_of(error) is not None or (self._outage is not None and isinstance(error, _DISK))
            if read.complete is None or not known:
                refusal = StoreError(f"the database could not be read: {error}")
                refusal.__cause__ = error
                reply_to.reject(refusal)
                return
            found = None
        reply_to.reply(found if read.complete is None else read.complete(found))

    async def _look(self) -> None:
        if self._outage is None:
            try:
                await self._run(self.look)
            except _DISK as error:
                self._suffer(error)

    async def _maintain(self) -> None:
        delay = MAINTENANCE_DELAY
        if self._outage is None:
            try:
                purged = await self._run(maintain, self._committer.database, self._now())
                _log.debug("history was purged: %s", purged)
                delay = MAINTENANCE_INTERVAL
            except _DISK as error:
                self._suffer(error)
        self.send_after(delay, "maintain")

    def _everything(self) -> Sequence[Change]:
        return [*self._source.facts(), *self._source.counters()]

    def _collect(self, ask: Callable[[], Sequence[Change]]) -> None:
        """Take what the source has, unless what it gave before still waits."""
        if self._collection is None:
            collection = Waiting(Commit(ask()), anyio.current_time())
            if self._backlog.add(collection):
                self._collection = collection

    def _go_on(self) -> None:
        """Come back for what the source could not give at once."""
        if self._collection is None and self._source.waits:
            self.ref.cast(FLUSH)

    def _suffer(self, error: Exception) -> None:
        """Begin an outage, or go on with it: try again in a moment; who would wait too long until then is told now.

        Raises:
            Exception: The error, where it is a bug and no fault of the disk.
        """
        now = anyio.current_time()
        outage = self._outage
        fault = fault_of(error)
        if fault is None or (outage is not None and outage.contradicts(fault)):
            self._tell(self._backlog.withdraw(), StoreError(f"the database failed: {error}"))
            raise error
        if outage is None:
            self._outage = outage = Outage(now)
        if outage.meet(fault, now):
            self.degraded(fault)
        if self._retry is None:
            self._retry = self.send_after(outage.delay, "retry")
        too_late = now + outage.delay + BUSY_TIMEOUT - PATIENCE
        self._tell(self._backlog.withdraw(too_late), StoreError(str(fault)))

    def _recover(self) -> None:
        if self._outage is not None:
            outage, self._outage = self._outage, None
            if outage.told:
                self.healed(outage.heal(anyio.current_time()))

    @staticmethod
    def _tell(entries: Sequence[Waiting], error: StoreError) -> None:
        for entry in entries:
            if entry.caller is not None:
                entry.caller.reject(error)

    async def _run(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """Run on the worker thread, one at a time. It is not interrupted: a cancellation takes effect after it."""
        return await to_thread.run_sync(function, *args, limiter=self._thread)


def _settle(entry: Waiting, result: object) -> None:
    if entry.caller is None:
        if isinstance(result, StoreError):
            _log.error("%s", result)
    elif isinstance(result, StoreError):
        entry.caller.reject(result)
    else:
        entry.caller.reply(result)
