"""Why a subscription is as it is: what explains it, and what happened to it and around it. `wsmgr why` shows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from wsmgr.manager.model.explaining import explain
from wsmgr.manager.runtime.history_views import EventView, event_view
from wsmgr.manager.runtime.store_client import list_history
from wsmgr.manager.runtime.timestamps import at

if TYPE_CHECKING:
    from wsmgr.manager.model.explaining import Explanation
    from wsmgr.manager.model.subscription import Entry
    from wsmgr.manager.runtime.context import Context

HISTORY: Final = 20
"""How many events about a subscription are shown, and how many of its connections."""


class NextView(msgspec.Struct, kw_only=True):
    """What comes next, and when; `at` is null where it waits for something that has no time."""

    what: str
    at: datetime | None


class WhyView(msgspec.Struct, kw_only=True):
    """Why a subscription is as it is: `wsmgr why`."""

    id: str
    key: str
    state: str
    connection: str | None
    summary: str
    decided_by: str
    evidence: Mapping[str, Any]
    next: NextView | None
    history: list[EventView]


async def say_why(context: Context, subscription_id: str) -> WhyView:
    """Say why a subscription is as it is: what happened, who decided, on what evidence, what comes next and when.

    Raises:
        NotFoundError: There is none with this id.
        StoreError: The store was not there for too long.
    """
    entry = context.registry.entry(subscription_id)
    history = [event_view(row) for row in await list_history(context, entry, limit=HISTORY)]
    now = context.clock.monotonic()
    found = explain(entry, context.registry.venues[entry.venue], now)
    return _why_view(entry, found, history, now=now, wall=context.clock.wall())


def _why_view(
    entry: Entry, found: Explanation, history: list[EventView], *, now: float, wall: float
) -> WhyView:
    """Return why a subscription is as it is.

    Args:
        entry: The subscription.
        found: The explanation.
        history: Its newest events and those of its connection, newest first.
        now: The monotonic time.
        wall: Unix seconds.
    """
    dials_at = None if entry.connection is None else entry.connection.next_attempt_at
    coming: NextView | None = None
    if found.next is not None:
        due = dials_at if found.next.at is None else wall + (found.next.at - now)
        coming = NextView(what=found.next.what, at=at(due))
    return WhyView(
        id=entry.id,
        key=entry.key,
        state=entry.state.value,
        connection=None if entry.connection is None else entry.connection.id,
        summary=found.summary,
        decided_by=found.decided_by,
        evidence=found.evidence,
        next=coming,
        history=history,
    )
