"""The scribe: the store's writer, in its place in the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.actors import Continue
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.store.writer import Writer

if TYPE_CHECKING:
    from pathlib import Path

    from wsmgr.manager.runtime.context import Context
    from wsmgr.manager.runtime.ledger import Ledger
    from wsmgr.manager.store.database import Database


class Scribe(Writer):
    """The writer of a manager: it asks the ledger what has changed, and is reached through the context.

    Args:
        context: What the actors share.
        ledger: Says what has changed.
        database: The database.
        desired: The copy of the desired state, or None where the state is in memory.
    """

    def __init__(self, context: Context, ledger: Ledger, database: Database, desired: Path | None) -> None:
        """Bind the writer to the ledger."""
        super().__init__(database, desired=desired, collect=ledger.collect, now=context.clock.wall)
        self._context = context
        self._ledger = ledger

    async def init(self) -> Continue:
        """Take the store's place; a database that cannot be opened is a crash with backoff, and never a failed start."""
        self._context.writer = self.ref
        return Continue()

    def commits_lost(self, count: int) -> None:
        """Tell it as a fact: the ledger numbers the events."""
        self._context.note(
            Fact(kind="commits_lost", level="error", actor="writer", detail={"commits": count})
        )

    async def handle_continue(self, token: object) -> None:
        """Open the database for writing, before any message is looked at."""
        await super().init()
        self._ledger.offer()
