"""Sources: where a list's rows come from, the running daemon or, where none runs, the database that the last one left.

Rows are what `--json` writes: mappings with the fields of the contract.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from attrs import frozen

from wsmgr.cli.errors import CommandError, say
from wsmgr.cli.finding import find
from wsmgr.cli.settings import Settings

if TYPE_CHECKING:
    from wsmgr.manager.daemon.unix_client import DaemonClient
    from wsmgr.manager.store.database import Database

Row = dict[str, Any]
PAGE: Final = 250
"""How many gaps or events are shown unless all are asked for."""


@frozen(kw_only=True)
class Filters:
    """Which subscriptions are listed; None for any.

    Attributes:
        user: The address that they name.
        venue: Their venue.
        type: Their type.
        state: Their state.
    """

    user: str | None = None
    venue: str | None = None
    type: str | None = None
    state: str | None = None

    def query(self) -> dict[str, str]:
        """Return those that are given, as the daemon's API takes them."""
        given = {"user": self.user, "venue": self.venue, "type": self.type, "state": self.state}
        return {name: value for name, value in given.items() if value is not None}


class Source(Protocol):
    """What can be asked, whether a daemon runs or not."""

    def subscriptions(self, filters: Filters) -> list[Row]:
        """Return the subscriptions that pass the filters."""
        ...

    def subscription(self, id_: str) -> Row:
        """Return one subscription; an error where there is none of this id."""
        ...

    def metrics(self, id_: str | None) -> list[Row]:
        """Return the counters of one subscription (an error where there is none of this id), or of all."""
        ...

    def gaps(self, id_: str | None, *, everything: bool) -> list[Row]:
        """Return the newest page of gaps, or all of them, newest first; an error where nothing has this id."""
        ...

    def events(self, *, everything: bool) -> list[Row]:
        """Return the newest page of events, or all of them, newest first."""
        ...


class DaemonSource:
    """Asks the running daemon.

    Args:
        client: The connection to it.
    """

    def __init__(self, client: DaemonClient) -> None:
        """Ask nothing yet."""
        self.client = client

    def subscriptions(self, filters: Filters) -> list[Row]:
        """Return the subscriptions that pass the filters."""
        return list(self.client.items("/v1/subscriptions", filters.query()))

    def subscription(self, id_: str) -> Row:
        """Return one subscription."""
        from wsmgr.manager.daemon.unix_client import path_of

        found: Row = self.client.get(path_of(id_))
        return found

    def metrics(self, id_: str | None) -> list[Row]:
        """Return the counters of one subscription, or of all."""
        from wsmgr.manager.daemon.unix_client import path_of

        return (
            list(self.client.items("/v1/metrics"))
            if id_ is None
            else [self.client.get(path_of(id_, "metrics"))]
        )

    def gaps(self, id_: str | None, *, everything: bool) -> list[Row]:
        """Return the newest page of gaps, or all of them, newest first."""
        return list(self.client.items("/v1/gaps", {"subscription": id_}, limit=None if everything else PAGE))

    def events(self, *, everything: bool) -> list[Row]:
        """Return the newest page of events, or all of them, newest first."""
        return list(self.client.items("/v1/events", limit=None if everything else PAGE))


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
        from wsmgr.manager.daemon.filters import STOPPED, check_state, check_user
        from wsmgr.manager.runtime.views import stopped_view
        from wsmgr.manager.store import queries

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
        raise _not_found(id_)

    def metrics(self, id_: str | None) -> list[Row]:
        """Return the counters of one subscription, or of all."""
        from wsmgr.manager.runtime.views import stopped_metrics_view
        from wsmgr.manager.store import queries

        found = [] if self.database is None else queries.list_metrics(self.database)
        rows = [
            self._dated(stopped_metrics_view(row, counters))
            for row, counters in found
            if id_ in {None, row.id}
        ]
        if id_ is not None and not rows:
            raise _not_found(id_)
        return rows

    def gaps(self, id_: str | None, *, everything: bool) -> list[Row]:
        """Return the newest page of gaps, or all of them, newest first."""
        from wsmgr.manager.runtime.views import gap_view
        from wsmgr.manager.store import queries

        limit = None if everything else PAGE
        found = (
            []
            if self.database is None
            else queries.list_gaps(self.database, subscription_id=id_, limit=limit)
        )
        if id_ is not None and not found:
            self.subscription(id_)
        return [self._dated(gap_view(row)) for row in found]

    def events(self, *, everything: bool) -> list[Row]:
        """Return the newest page of events, or all of them, newest first."""
        from wsmgr.manager.runtime.views import event_view
        from wsmgr.manager.store import queries

        limit = None if everything else PAGE
        found = [] if self.database is None else queries.list_events(self.database, limit=limit)
        return [self._dated(event_view(row)) for row in found]

    def _dated(self, view: object) -> Row:
        as_of = None if self.as_of is None else datetime.fromtimestamp(self.as_of, UTC)
        return {**_builtins(view), "as_of": _builtins(as_of)}


@contextmanager
def source(settings: Settings) -> Generator[Source]:
    """Open the running daemon, or, where none runs, the database; stderr is told which where it is the database.

    Raises:
        CommandError: `--attach` was given and no daemon runs, or `--url` is not the daemon's.
    """
    client = find(settings)
    if client is not None:
        yield DaemonSource(client)
        return
    with _database(settings) as found:
        yield found


@contextmanager
def _database(settings: Settings) -> Generator[DatabaseSource]:
    from wsmgr.manager.store import queries
    from wsmgr.manager.store.database import Database
    from wsmgr.manager.store.errors import MissingDatabaseError
    from wsmgr.manager.store.state_directory import StateDirectory

    directory = StateDirectory(settings.state_directory)
    asked = "no daemon runs" if settings.attach is None else "no daemon is asked"
    try:
        database = Database.read_only(directory.database)
    except MissingDatabaseError:
        say(f"{asked}, and none has run with the state directory {directory.path}: nothing to show")
        yield DatabaseSource(None, None)
        return
    try:
        as_of = queries.flushed_at(database)
        when = "" if as_of is None else f" as of {datetime.fromtimestamp(as_of, UTC):%Y-%m-%dT%H:%M:%SZ}"
        say(f"{asked}; this is what the database in {directory.path} says{when}")
        yield DatabaseSource(database, as_of)
    finally:
        database.close()


def in_order(rows: Sequence[Row], field: str | None) -> list[Row]:
    """Return rows sorted by a field; numbers fall, text and times rise, and rows without a value come last.

    Raises:
        CommandError: There is no such field.
    """
    if field is None or not rows:
        return list(rows)
    if field not in rows[0]:
        raise CommandError(f"--sort {field}: there is no such column; there are {', '.join(rows[0])}", 2)
    given = [row for row in rows if row[field] is not None]
    numbers = all(isinstance(row[field], (int, float)) for row in given)
    ordered = sorted(given, key=lambda row: row[field] if numbers else str(row[field]), reverse=numbers)
    return ordered + [row for row in rows if row[field] is None]


def _builtins(value: object) -> Any:  # noqa: ANN401 - JSON
    import msgspec

    return msgspec.to_builtins(value)


def _not_found(id_: str) -> Exception:
    from wsmgr.manager.model.errors import NotFoundError

    return NotFoundError(id_)
