"""Asking the store's writer: what is committed is on the disk when it returns, and a writer that is being restarted is waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from wsmgr.actors import CallError, CallExitError
from wsmgr.manager.store.committer import Commit, Read
from wsmgr.manager.store.errors import StoreError
from wsmgr.manager.store.history import EventsAsked, GapsAsked, number_of
from wsmgr.manager.store.stays import known_since, stays

if TYPE_CHECKING:
    from wsmgr.manager.model.subscription import Entry
    from wsmgr.manager.runtime.context import Context
    from wsmgr.manager.store.changes import Change
    from wsmgr.manager.store.rows import EventRow, GapRow

PATIENCE = 10.0
RETRY = 0.1


async def commit(context: Context, changes: list[Change]) -> None:
    """Write changes.

    Raises:
        StoreError: They could not be written, or the store was not there for too long.
    """
    await _ask(context, Commit(tuple(changes)))


async def read(context: Context, query: Read) -> Any:  # noqa: ANN401 - what the query returns
    """Return what a query finds.

    Raises:
        StoreError: The database could not be read, or the store was not there for too long.
    """
    return await _ask(context, query)


async def list_gaps(context: Context, asked: GapsAsked) -> list[GapRow]:
    """Return gaps, newest first: those in the database, and those that wait for it or cannot be read from it.

    Raises:
        StoreError: The store was not there for too long.
    """
    found: list[GapRow] = await _ask(context, asked)
    return found


async def list_events(context: Context, asked: EventsAsked) -> list[EventRow]:
    """Return events, newest first, in the same way.

    Raises:
        StoreError: The store was not there for too long.
    """
    found: list[EventRow] = await _ask(context, asked)
    return found


async def list_history(context: Context, entry: Entry, *, limit: int) -> list[EventRow]:
    """Return the newest events about a subscription, and the newest of its connections while it sat there, newest first.

    Args:
        context: What the actors share.
        entry: The subscription.
        limit: How many of either.

    Raises:
        StoreError: The store was not there for too long.
    """
    own = await list_events(context, EventsAsked(subscription_id=entry.id, limit=limit))
    gaps = await list_gaps(context, GapsAsked(subscription_id=entry.id, limit=limit))
    places = (entry.connection, None if entry.second is None else entry.second.connection)
    sat = stays(
        gaps,
        own,
        since=known_since(gaps, own, limit, begun=entry.subscribed_at),
        until=context.clock.wall(),
        now=[place.id for place in places if place is not None],
    )
    beside = await list_events(context, EventsAsked(stays=sat, limit=limit))
    return sorted((*own, *beside), key=number_of, reverse=True)


async def _ask(context: Context, request: Commit | Read | GapsAsked | EventsAsked) -> Any:  # noqa: ANN401 - what the writer answers
    with anyio.move_on_after(PATIENCE):
        while True:
            writer = context.writer
            try:
                if writer is not None:
                    return await writer.call(request, timeout=PATIENCE)
            except CallExitError:
                # It ended with this request; what it had not written is asked of the next one.
                pass
            except CallError as error:
                raise StoreError(f"the store did not answer: {error}") from error
            await anyio.sleep(RETRY)
    raise StoreError(f"the store was not there for {PATIENCE:g} s; see `wsmgr events` and the log")
