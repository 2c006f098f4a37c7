"""The scribe: the store's writer, in its place in the tree."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from anyio import from_thread

from wsmgr.actors import Continue
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.store.committer import Read
from wsmgr.manager.store.history import EventsAsked, GapsAsked
from wsmgr.manager.store.state_directory import StateDirectory
from wsmgr.manager.store.writer import FLUSH_INTERVAL, Writer

if TYPE_CHECKING:
    from pathlib import Path

    from wsmgr.actors import ExitReason, NoReply, ReplyTo
    from wsmgr.manager.runtime.context import Context
    from wsmgr.manager.runtime.ledger import Ledger
    from wsmgr.manager.store.database import Database
    from wsmgr.manager.store.faults import Fault
    from wsmgr.manager.store.outage import Healed


class Scribe(Writer):
    """The writer of a manager: its source is the ledger, and it is reached through the context.

    It is asked for gaps and events (`GapsAsked`, `EventsAsked`) too, and answers with what the database and the ledger know
    together: what is not on the disk yet is in the answer, and a disk that cannot be read delays and hides nothing newer.

    Args:
        context: What the actors share.
        ledger: Says what has changed.
        database: The database.
        desired: The copy of the desired state, or None where the state is in memory.
    """

    def __init__(self, context: Context, ledger: Ledger, database: Database, desired: Path | None) -> None:
        """Bind the writer to the ledger."""
        directory = None if desired is None else StateDirectory(desired.parent)
        super().__init__(
            database, ledger, directory=directory, flush_interval=FLUSH_INTERVAL, now=context.clock.wall
        )
        self._context = context
        self._ledger = ledger
        self._directory = directory
        self._locks = ExitStack()
        self._lock_trouble: str | None = None
        self._lost_before = (0, 0)

    async def init(self) -> Continue:
        """Take the store's place; a database that cannot be opened is an outage, and never a failed start."""
        self._context.writer = self.ref
        return Continue()

    async def handle_continue(self, token: object) -> None:
        """Open the database for writing, before any message is looked at."""
        fault, since = self._ledger.fault, self._context.store_trouble_since
        if fault is not None and since is not None:
            self.go_on(fault, max(0.0, self._context.clock.wall() - since))
        await super().init()
        self._ledger.offer()

    async def handle_call(self, request: object, reply_to: ReplyTo) -> NoReply:
        """Take a `Commit`, a `Read`, `GapsAsked` or `EventsAsked`."""
        history = self._ledger.history
        match request:
            case GapsAsked():
                read = Read(request.of, partial(history.gaps, request))
            case EventsAsked():
                read = Read(request.of, partial(history.events, request))
            case _:
                return await super().handle_call(request, reply_to)
        return await super().handle_call(read, reply_to)

    async def terminate(self, reason: ExitReason) -> None:
        """Write all that waits a last time, and give back a lock that was taken again."""
        try:
            await super().terminate(reason)
        finally:
            self._locks.close()

    def degraded(self, fault: Fault) -> None:
        """Tell it as a fact: in memory and in the log, where it is seen although nothing can be written."""
        if self._ledger.fault is None:
            self._lost_before = self._lost
            self._context.store_trouble_since = self._context.clock.wall()
        self._ledger.fault = fault
        self._context.store_trouble = f"{fault.why}; {fault.advice}"
        detail = {"fault": fault.kind.value, "why": fault.why, "advice": fault.advice}
        self._context.note(Fact(kind="store_degraded", level="error", actor="writer", detail=detail))

    def healed(self, healed: Healed) -> None:
        """Tell it as a fact, with how long it took and what was lost."""
        self._ledger.fault = None
        self._context.store_trouble = self._context.store_trouble_since = None
        events, gaps = (now - before for now, before in zip(self._lost, self._lost_before, strict=True))
        detail: dict[str, Any] = {
            "seconds": round(healed.duration, 3),
            "events_lost": events,
            "gaps_lost": gaps,
        }
        if healed.rebuilt is not None:
            aside = healed.rebuilt.moved_aside
            detail["made_anew"] = healed.rebuilt.why
            detail["history_kept"] = healed.rebuilt.history_kept
            detail["moved_aside"] = None if aside is None else str(aside)
        self._context.note(Fact(kind="store_healed", level="warning", actor="writer", detail=detail))

    def look(self) -> None:
        """Look at what stands on the disk, also at the lock; on the writer's thread."""
        super().look()
        found = None if self._directory is None else self._directory.lock_again(self._locks)
        if found is not None and found != self._lock_trouble:
            fact = Fact(kind="lock_lost", level="error", actor="writer", detail={"why": found})
            from_thread.run_sync(self._context.note, fact)
        self._lock_trouble = found

    @property
    def _lost(self) -> tuple[int, int]:
        return self._ledger.history.events_lost, self._ledger.history.gaps_lost
