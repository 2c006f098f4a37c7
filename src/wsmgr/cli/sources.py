"""Sources: where a list's rows come from, the running daemon or, where none runs, the database that the last one left.

Rows are what `--json` writes: mappings with the fields of the contract.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from attrs import frozen

from wsmgr.cli.errors import CommandError, say
from wsmgr.cli.finding import find
from wsmgr.cli.settings import Settings

if TYPE_CHECKING:
    from wsmgr.cli.stopped import DatabaseSource
    from wsmgr.manager.daemon.unix_client import DaemonClient

Row = dict[str, Any]
Level = Literal["info", "warning", "error"]
"""How much an event matters, as the daemon's API names it."""
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


@frozen(kw_only=True)
class EventFilters:
    """Which events are listed; None for any.

    Attributes:
        subscription: The subscription that they are about.
        kind: What happened.
        level: How much they matter at least.
    """

    subscription: str | None = None
    kind: str | None = None
    level: Level | None = None

    def query(self) -> dict[str, str | None]:
        """Return them as the daemon's API takes them."""
        return {"subscription": self.subscription, "kind": self.kind, "level": self.level}


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

    def gaps(self, id_: str | None, *, unproved: bool = False, limit: int | None = PAGE) -> list[Row]:
        """Return gaps, newest first; an error where nothing has this id.

        Args:
            id_: Only those of this subscription.
            unproved: Only those that are neither proved empty nor filled.
            limit: How many at most; None for all.
        """
        ...

    def events(self, filters: EventFilters, *, limit: int | None = PAGE) -> list[Row]:
        """Return the events that pass the filters, newest first; an error where nothing has the id that they name."""
        ...

    def why(self, id_: str) -> Row:
        """Return why a subscription is as it is; an error where there is none of this id."""
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

    def gaps(self, id_: str | None, *, unproved: bool = False, limit: int | None = PAGE) -> list[Row]:
        """Return gaps, newest first."""
        query = {"subscription": id_, "open": "1" if unproved else None}
        return list(self.client.items("/v1/gaps", query, limit=limit))

    def events(self, filters: EventFilters, *, limit: int | None = PAGE) -> list[Row]:
        """Return the events that pass the filters, newest first."""
        return list(self.client.items("/v1/events", filters.query(), limit=limit))

    def why(self, id_: str) -> Row:
        """Return why a subscription is as it is."""
        from wsmgr.manager.daemon.unix_client import path_of

        found: Row = self.client.get(path_of(id_, "why"))
        return found


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
    from wsmgr.cli.stopped import DatabaseSource
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
