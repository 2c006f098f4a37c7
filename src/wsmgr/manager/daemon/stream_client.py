"""The client of readers: streams that begin behind a cursor, and the daemon's events as they happen."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode

from wsmgr.manager.daemon.client_stream import EventLines, LineStream, RecordStream
from wsmgr.manager.daemon.unix_client import DaemonClient, path_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_Kind = TypeVar("_Kind", LineStream, RecordStream, EventLines)


class StreamClient(DaemonClient):
    """A client that can go on where a reader has stopped; `DaemonClient` says the rest."""

    def lines_after(
        self, subscription_id: str, after: str | None, *, deadline: float | None = None
    ) -> LineStream:
        """Read a subscription from a place on, as lines of JSON, with events.

        Args:
            subscription_id: Its id.
            after: The cursor of the last message that the reader had; None to begin as a new one.
            deadline: When reading raises TimeoutError, by `time.monotonic`; None for never.

        Raises:
            DaemonError: The daemon answered with a problem.
            DaemonUnreachableError: Nothing answers.
        """
        query = {"format": "lines", "events": "1", "after": after}
        return self._read(LineStream, path_of(subscription_id, "stream"), query, deadline)

    def records_after(
        self, subscription_id: str, after: str | None, *, deadline: float | None = None
    ) -> RecordStream:
        """The same as `lines_after`, with frames, byte for byte."""
        query = {"format": "raw", "events": "1", "after": after}
        return self._read(RecordStream, path_of(subscription_id, "stream"), query, deadline)

    def follow_events(
        self, filters: Mapping[str, str | None], after: str | None = None, *, deadline: float | None = None
    ) -> EventLines:
        """Read the daemon's events as they happen; raises what `lines_after` raises.

        Args:
            filters: `subscription`, `kind` and `level`; those that are None are left out.
            after: The number of the last event that the reader had; None for what happens from now on.
            deadline: As for `lines_after`.
        """
        return self._read(EventLines, "/v1/events", {**filters, "follow": "1", "after": after}, deadline)

    def _read(
        self, kind: type[_Kind], path: str, query: Mapping[str, str | None], deadline: float | None
    ) -> _Kind:
        given = {name: value for name, value in query.items() if value is not None}
        return self._open(kind, "GET", f"{path}?{urlencode(given)}", None, self.timeout, deadline)
