"""Stopped: rows out of the database that the last daemon left, where none runs."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from wsmgr.cli.sources import PAGE, EventFilters, Filters, Row
from wsmgr.manager.daemon.filters import STOPPED, EventFilter, check_state, check_user
from wsmgr.manager.model.errors import NotFoundError
from wsmgr.manager.runtime.history_views import event_view, gap_view
from wsmgr.manager.runtime.subscription_views import stopped_metrics_view, stopped_view
from wsmgr.manager.store import queries
from wsmgr.manager.store.history import number_of
from wsmgr.manager.store.stays import known_since, stays

if TYPE_CHECKING:
    from wsmgr.manager.store.database import Database

HISTORY: Final = 20
"""How many events about a subscription `why` shows, and how many of its connections."""
LEFT: Final = ("error", "last_message_at", "message_count", "gaps", "dropped", "reconnects")
"""What the last daemon knew of a subscription and that tells why it is as it is."""
COMES_BACK: Final = "it comes back with the next `wsmgr daemon start`: it is kept"
DOES_NOT: Final = "it does not come back: nobody keeps it"


class DatabaseSource:
    """Reads the database.

    Args:
        database: The database, opened for reading; None where there is none.
        as_of: The time to which it is complete, or None.
    """

    def __init__(self, database: Database | None, as_of: float | None) -> None:
        """Read nothing yet."""
        self.database = database
        self.as_of = as_of

    def subscriptions(self, filters: Filters) -> list[Row]:
        """Return the subscriptions that pass the filters; all are `stopped`."""
        check_user(filters.user)
        check_state(filters.state)
        if self.database is None or filters.state not in {None, STOPPED}:
            return []
        counters = {row.id: metrics for row, metrics in queries.list_metrics(self.database)}
        rows = queries.list_subscriptions(
            self.database, user=filters.user, venue=filters.venue, type_name=filters.type
        )
        return [_builtins(stopped_view(row, counters.get(row.id), self.as_of)) for row in rows]

    def subscription(self, id_: str) -> Row:
        """Return one subscription."""
        for row in self.subscriptions(Filters()):
            if row["id"] == id_:
                return row
        raise NotFoundError(id_)

    def metrics(self, id_: str | None) -> list[Row]:
        """Return the counters of one subscription, or of all."""
        found = [] if self.database is None else queries.list_metrics(self.database)
        rows = [
            self._dated(stopped_metrics_view(row, counters))
            for row, counters in found
            if id_ in {None, row.id}
        ]
        if id_ is not None and not rows:
            raise NotFoundError(id_)
        return rows

    def gaps(self, id_: str | None, *, unproved: bool = False, limit: int | None = PAGE) -> list[Row]:
        """Return gaps, newest first."""
        if self.database is None:
            found = []
        else:
            most = None if unproved else limit
            found = queries.list_gaps(self.database, subscription_id=id_, limit=most)
        if id_ is not None and not found:
            self.subscription(id_)
        shown = [row for row in found if not (unproved and row.proof is not None)]
        return [self._dated(gap_view(row)) for row in shown[:limit]]

    def events(self, filters: EventFilters, *, limit: int | None = PAGE) -> list[Row]:
        """Return the events that pass the filters, newest first."""
        id_, kind, level = filters.subscription, filters.kind, filters.level
        if self.database is None:
            found = []
        else:
            most = limit if level is None else None
            found = queries.list_events(self.database, subscription_id=id_, kind=kind, limit=most)
        if id_ is not None and not found:
            self.subscription(id_)
        return [self._dated(event_view(row)) for row in filter(EventFilter(level=level), found)][:limit]

    def why(self, id_: str) -> Row:
        """Say that nothing runs, and what the last daemon knew."""
        row = self.subscription(id_)
        evidence = {name: row[name] for name in LEFT if row[name] is not None}
        return {
            "id": id_,
            "key": row["key"],
            "state": row["state"],
            "connection": None,
            "summary": "no daemon runs, so nothing is received",
            "decided_by": "caller",
            "evidence": {**evidence, "unproved_gaps": len(self.gaps(id_, unproved=True, limit=None))},
            "next": {"what": COMES_BACK if row["kept"] else DOES_NOT, "at": None},
            "history": self._history(id_),
            "as_of": row["as_of"],
        }

    def _history(self, id_: str) -> list[Row]:
        """Return the newest events about a subscription, and those of its connections while it sat there, newest first."""
        if self.database is None:
            return []
        gaps = queries.list_gaps(self.database, subscription_id=id_, limit=HISTORY)
        own = queries.list_events(self.database, subscription_id=id_, limit=HISTORY)
        wanted = queries.get_subscription(self.database, id_)
        begun = -math.inf if wanted is None else wanted.subscribed_at
        sat = stays(gaps, own, since=known_since(gaps, own, HISTORY, begun=begun))
        beside = queries.list_events(self.database, stays=sat, limit=HISTORY)
        return [self._dated(event_view(row)) for row in sorted((*own, *beside), key=number_of, reverse=True)]

    def _dated(self, view: object) -> Row:
        as_of = None if self.as_of is None else datetime.fromtimestamp(self.as_of, UTC)
        return {**_builtins(view), "as_of": _builtins(as_of)}


def _builtins(value: object) -> Any:  # noqa: ANN401 - JSON
    return msgspec.to_builtins(value)
