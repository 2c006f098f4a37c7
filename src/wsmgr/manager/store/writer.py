"""The writer: the one actor that writes the database.

Commits come as calls (answered when they are on the disk) or casts. While one batch is being written, what comes queues
up and is the next batch: the busier, the bigger, and the disk is waited for once a batch. SQLite runs on a worker
thread, one at a time; the loop never waits for the disk.

When writing fails:

- What the schema refuses is the caller's mistake: that commit alone fails with `StoreError`.
- A lock or a full disk passes: the batch is kept and tried again. A caller whose commit could not be written within
  `PATIENCE` is told `StoreError`, and its commit is withdrawn; casts wait on within `MAX_WAITING`, and what was given up
  is told in `events` when it works again.
- Anything else crashes the writer, after its callers were told. Its supervisor starts another, which opens the file anew.
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
from wsmgr.manager.store.backlog import Backlog, Waiting
from wsmgr.manager.store.changes import AddEvent, Change
from wsmgr.manager.store.committer import Commit, Committer, Read, passes
from wsmgr.manager.store.errors import StoreError
from wsmgr.manager.store.retention import maintain
from wsmgr.manager.store.rows import EventRow
from wsmgr.manager.store.sql import BUSY_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from wsmgr.actors import ExitReason, ReplyTo
    from wsmgr.manager.store.database import Database

FLUSH_INTERVAL: Final = 5.0
"""Seconds between two writes of the counters."""
MAINTENANCE_DELAY: Final = 60.0
"""Seconds after a start until history is rolled up and purged the first time."""
MAINTENANCE_INTERVAL: Final = 3600.0
"""Seconds between two maintenances."""
PATIENCE: Final = 4.5
"""Seconds after which a caller is told that its commit was not written; less than a call's own 5 s."""
RETRY_DELAYS: Final = (0.1, 0.2, 0.4, 0.8, 1.0)
"""Seconds before each further attempt; the last one from then on."""
MAX_WAITING: Final = 10_000
"""How many commits may wait while the database cannot be written."""
MAX_BATCH: Final = 4_096
"""How many commits are written in one transaction."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_log = logging.getLogger("wsmgr.manager.store")


class Writer(Actor[Commit]):
    """Writes what it is sent, and the counters every few seconds.

    - `await ref.call(Commit(changes))` returns the numbers given (see `Written`) when all of it is on the disk, and
      desired.json follows before the answer. It raises `StoreError` when nothing of it was or will be written. When it
      times out, is cancelled or ends with the writer, it may have been written.
    - `ref.cast(Commit(changes))` for what a crash may lose: events, gaps, counters.
    - `await ref.call(Read(query))` returns `query(database)`, run on the writer's thread.

    Whoever makes the writer opens the database before and closes it after. While a writer runs nobody else uses it.

    Args:
        database: Open for writing, a file or in memory.
        desired: Where desired.json is kept; None for a state in memory.
        collect: Returns the counters that changed since it was last asked, as changes; called on the loop every
            `flush_interval` and once at the end. What a writer has collected and not written when it crashes is lost,
            so for each new writer it must begin with everything.
        flush_interval: Seconds between two collections.
        now: The wall clock.
    """

    trap_exit: ClassVar[bool] = True
    mailbox: ClassVar[MailboxPolicy] = MailboxPolicy(capacity=16_384, overflow="reject")

    def __init__(
        self,
        database: Database,
        *,
        desired: Path | None = None,
        collect: Callable[[], Sequence[Change]] = tuple,
        flush_interval: float = FLUSH_INTERVAL,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._committer = Committer(database, desired)
        self._collect = collect
        self._flush_interval = flush_interval
        self._now = now
        self._thread = CapacityLimiter(1)
        self._backlog = Backlog(MAX_WAITING)
        self._reads: deque[tuple[Read, ReplyTo]] = deque()
        self._counters: Waiting | None = None
        self._failures = 0
        self._retry: Timer | None = None

    async def init(self) -> Continue | None:
        """Open the file anew, learn what it holds, and begin the flushes."""
        await self._run(self._committer.connect)
        self.send_interval(self._flush_interval, "flush")
        self.send_after(MAINTENANCE_DELAY, "maintain")
        return None

    async def handle_call(self, request: object, reply_to: ReplyTo) -> NoReply:
        """Take a `Commit` or a `Read`; both are answered after the next flush."""
        match request:
            case Commit():
                self._add(Waiting(request, anyio.current_time(), reply_to))
            case Read():
                self._reads.append((request, reply_to))
            case _:
                raise StoreError(f"the writer was asked for {request!r}; it takes Commit and Read")
        await self._flush_when_quiet()
        return NoReply()

    async def handle_cast(self, message: Commit) -> None:
        """Take a commit that nobody waits for."""
        self._add(Waiting(message, anyio.current_time()))
        await self._flush_when_quiet()

    async def handle_info(self, message: object) -> None:
        """Do what a timer is for: flush, try again, roll up and purge."""
        match message:
            case Timer(message="flush"):
                self._take_counters()
                await self._flush_when_quiet()
            case Timer(message="retry"):
                self._retry = None
                await self._flush()
            case Timer(message="maintain"):
                await self._maintain()
            case _:
                _log.debug("the writer has no use for %r", message)

    async def terminate(self, reason: ExitReason) -> None:
        """Write the counters and all that waits a last time; a crashed writer leaves that to the next one."""
        if not isinstance(reason, Crash):
            self._retry = None
            self._take_counters()
            await self._flush()
        self._tell(self._backlog.withdraw(), StoreError("the writer ended before it could write this"))
        if len(self._backlog):
            _log.error("the writer ended with %d commits that were not written", len(self._backlog))

    async def _flush_when_quiet(self) -> None:
        """Flush, unless more mail waits: the last of it flushes for all."""
        if self.ref.queued == 0 or len(self._backlog) + len(self._reads) >= MAX_BATCH:
            await self._flush()

    async def _flush(self) -> None:
        """Write what waits and answer, then answer the questions. Where a retry is due, only the questions."""
        if self._retry is None:
            try:
                await self._write()
            except (sqlite3.Error, OSError) as error:
                if not passes(error):
                    self._tell(self._backlog.withdraw(), StoreError(f"the database failed: {error}"))
                    raise
                self._postpone(error)
        while self._reads:
            read, reply_to = self._reads.popleft()
            await self._answer(read, reply_to)

    async def _write(self) -> None:
        while batch := self._backlog.first(MAX_BATCH):
            results = await self._run(self._committer.commit, [entry.commit for entry in batch], self._now())
            self._backlog.remove_first(len(batch))
            if self._counters in batch:
                self._counters = None
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
            await self._run(self._committer.write_copy)
        except OSError as error:
            if not passes(error):
                raise
            _log.warning("desired.json cannot be written: %s; the database is, and it is tried again", error)

    async def _answer(self, read: Read, reply_to: ReplyTo) -> None:
        try:
            reply_to.reply(await self._run(self._committer.read, read))
        except StoreError as error:
            reply_to.reject(error)

    async def _maintain(self) -> None:
        delay = MAINTENANCE_INTERVAL
        try:
            purged = await self._run(maintain, self._committer.database, self._now())
            _log.debug("history was purged: %s", purged)
        except sqlite3.Error as error:
            if not passes(error):
                raise
            _log.warning("history could not be purged: %s; it is tried again", error)
            delay = MAINTENANCE_DELAY
        self.send_after(delay, "maintain")

    def _take_counters(self) -> None:
        """Ask for the counters, unless the last ones still wait: what changed stays marked as changed until then."""
        if self._counters is None:
            self._counters = Waiting(Commit(self._collect()), anyio.current_time())
            self._add(self._counters)

    def _add(self, entry: Waiting) -> None:
        loser = self._backlog.add(entry)
        if loser is None:
            return
        if loser is self._counters:
            self._counters = None
        self._tell([loser], StoreError(f"{MAX_WAITING} commits wait already: the database cannot be written"))

    def _postpone(self, error: Exception) -> None:
        """Try again in a moment; who would wait too long until then is told now."""
        delay = RETRY_DELAYS[min(self._failures, len(RETRY_DELAYS) - 1)]
        if self._failures == 0:
            _log.warning("the database cannot be written: %s; it is tried again until it can", error)
        self._failures += 1
        self._retry = self.send_after(delay, "retry")
        too_late = anyio.current_time() + delay + BUSY_TIMEOUT - PATIENCE
        self._tell(self._backlog.withdraw(too_late), StoreError(f"the database cannot be written: {error}"))

    def _recover(self) -> None:
        if self._failures == 0:
            return
        _log.info("the database can be written again, after %d failures", self._failures)
        self._failures = 0
        if lost := self._backlog.forget_given_up():
            self.commits_lost(lost)

    def commits_lost(self, count: int) -> None:
        """Tell that commits were given up while the database could not be written; who numbers events overrides it."""
        event = EventRow(at=self._now(), level="error", kind="commits_lost", detail={"commits": count})
        self._add(Waiting(Commit([AddEvent(event)]), anyio.current_time()))

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
