"""Story: what is seen of the daemon while the demonstration runs, and what is to be said of it at the end.

Nothing here does input or output: looks come in, each the daemon's own lists, and a verdict comes out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import define, field, frozen

Row = dict[str, Any]


@frozen(kw_only=True)
class Look:
    """One look at the daemon.

    Attributes:
        at: When, in seconds since the beginning.
        subscriptions: Its subscriptions, by id.
        connections: Its connections, by id.
    """

    at: float
    subscriptions: dict[str, Row]
    connections: dict[str, Row]

    def connection_of(self, id_: str) -> str | None:
        """Return the id of the connection that a subscription is on."""
        found: str | None = self.subscriptions.get(id_, {}).get("connection")
        return found

    def all_live(self) -> bool:
        """Return whether every subscription is live."""
        return all(row["state"] == "live" for row in self.subscriptions.values())


@define(kw_only=True)
class Story:
    """What has happened so far.

    Attributes:
        books: The ids of the two subscriptions that must not share a connection.
        wanted: The ids of all subscriptions.
        looks: The looks so far.
        killed: The connection that was killed, or None so far.
        before: The last look before that.
        back_at: When everything was live again, in seconds since the beginning.
        gaps: The gaps in the ledger, read at the end.
    """

    books: Sequence[str]
    wanted: Sequence[str]
    looks: list[Look] = field(factory=list[Look])
    killed: str | None = None
    before: Look | None = None
    back_at: float | None = None
    gaps: Sequence[Row] = ()

    def look(self, look: Look) -> None:
        """Take a look."""
        self.looks.append(look)
        if self.killed is not None and self.back_at is None and self.reconnected(look) and look.all_live():
            self.back_at = look.at

    def kill(self, connection: str) -> None:
        """Note that a connection has been killed."""
        self.killed = connection
        self.before = self.looks[-1]

    def reconnected(self, look: Look) -> bool:
        """Return whether the killed connection has a new socket and is ready."""
        if self.killed is None or self.before is None:
            return False
        was = self.before.connections[self.killed]
        now = look.connections.get(self.killed)
        return now is not None and now["state"] == "ready" and now["reconnects"] > was["reconnects"]

    def failures(self) -> Iterator[str]:
        """Say everything that is not as it must be; nothing at all is a success."""
        if not self.looks:
            yield "nothing was seen"
            return
        last = self.looks[-1]
        for id_ in self.wanted:
            row = last.subscriptions.get(id_)
            if row is None:
                yield f"the subscription {id_} is gone"
            elif row["state"] != "live":
                yield f"{row['key']} is {row['state']}" + (f" ({row['error']})" if row["error"] else "")
        if self.killed is None:
            yield "no connection was killed"
        elif not self.reconnected(last):
            yield f"{self.killed} was killed and did not come back"
        elif not any(gap["connection"] == self.killed for gap in self.gaps):
            yield f"{self.killed} was killed and no gap was recorded"
        yield from self._fallen()
        yield from self._mixed()

    def verdict(self) -> tuple[bool, str]:
        """Return whether the demonstration succeeded, and what to say in one line."""
        failures = list(self.failures())
        if failures:
            return False, "demo failed: " + "; ".join(failures)
        last = self.looks[-1]
        messages = sum(row["message_count"] for row in last.subscriptions.values())
        gap = max(row["duration_seconds"] or 0.0 for row in self.gaps if row["connection"] == self.killed)
        return True, (
            f"demo passed: {len(self.wanted)} subscriptions live on {len(last.connections)} connections,"
            f" {messages:,} messages; {self.killed} was killed and came back with its subscriptions and"
            f" counters (gap of {gap * 1000:,.0f} ms on record); the two books never shared a connection"
        )

    def _mixed(self) -> Iterator[str]:
        """Name the connection that both books were seen on."""
        for look in self.looks:
            one, other = (look.connection_of(book) for book in self.books)
            if one is not None and one == other:
                yield f"both books were on {one} at {look.at:.1f} s"
                return

    def _fallen(self) -> Iterator[str]:
        """Name the counters that were lower at one look than at the one before."""
        for before, after in zip(self.looks, self.looks[1:], strict=False):
            for id_, row in before.subscriptions.items():
                now = after.subscriptions.get(id_)
                if now is not None and now["message_count"] < row["message_count"]:
                    yield f"the counter of {row['key']} fell from {row['message_count']} to {now['message_count']}"
