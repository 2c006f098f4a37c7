"""A small blocking client of the daemon, over its Unix socket.

It stands on `http.client`, which is imported in a fraction of the time that larger clients take: `wsmgr list` should be
quick. Each request has a connection of its own; a socket of the same machine costs next to nothing.
"""

from __future__ import annotations

import http.client
import json
import os
import socket as sockets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from wsmgr.manager.daemon.client_stream import EventLines, LineStream, RecordStream
from wsmgr.manager.daemon.errors import DaemonError, DaemonUnreachableError
from wsmgr.manager.daemon.peer import ROOT, user_at

TIMEOUT = 30.0
MARGIN = 10.0
"""How much longer than the daemon itself the client waits for an answer that has a deadline of its own."""
_SUBSCRIPTIONS = "/v1/subscriptions"
_REQUESTS = "/v1/requests"

Query = Mapping[str, object]
_StreamType = TypeVar("_StreamType", LineStream, RecordStream, EventLines)


class DaemonClient:
    """Talks to the daemon behind a socket.

    Args:
        socket: The path of its socket.
        timeout: Seconds to wait for an answer.
    """

    def __init__(self, socket: Path, *, timeout: float = TIMEOUT) -> None:
        """Remember where the daemon listens; nothing is opened yet."""
        self.socket = socket
        self.timeout = timeout

    def get(self, path: str, query: Query | None = None) -> Any:  # noqa: ANN401 - the document's shape is the path's
        """Return the document at a path; None where the daemon says that there is none yet (204).

        Args:
            path: The path, such as `/v1/health`; `path_of` quotes an id.
            query: Its query parameters; those that are None are left out.

        Raises:
            DaemonError: The daemon answered with a problem.
            DaemonUnreachableError: Nothing answers.
        """
        return self._ask("GET", path, query)

    def post(
        self, path: str, body: object, query: Query | None = None, *, timeout: float | None = TIMEOUT
    ) -> Any:  # noqa: ANN401 - the document's shape is the path's
        """Send a document and return the answer; raises what `get` raises.

        Args:
            path: The path.
            body: The document, in Python's terms.
            query: Query parameters.
            timeout: Seconds that the daemon may take; None for ever.
        """
        return self._ask("POST", path, query, body, timeout=None if timeout is None else timeout + MARGIN)

    def delete(self, path: str, query: Query | None = None) -> Any:  # noqa: ANN401 - the document's shape is the path's
        """Delete what is at a path and return the answer; raises what `get` raises."""
        return self._ask("DELETE", path, query)

    def items(self, path: str, query: Query | None = None, *, limit: int | None = None) -> Iterator[Any]:
        """Yield the rows of a list, page after page.

        Args:
            path: The path, such as `/v1/subscriptions`.
            query: Query parameters.
            limit: How many rows at most; None for all.
        """
        after: str | None = None
        given = 0
        while True:
            page = self.get(path, {**(query or {}), "after": after})
            for item in page["items"]:
                if given == limit:
                    return
                given += 1
                yield item
            after = page["next"]
            if after is None or given == limit:
                return

    def subscribe(self, wish: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a row of `/v1/subscriptions`
        """Subscribe without reading and return the subscription's row; raises what `get` raises.

        Args:
            wish: The request: type, venue, params, keep, wait, timeout, connection.
        """
        return self.post(_SUBSCRIPTIONS, wish, timeout=wish.get("timeout", TIMEOUT))

    def subscribe_lines(self, wish: Mapping[str, Any], *, deadline: float | None = None) -> LineStream:
        """Subscribe and read, in one: nothing is lost between. The first line is the event `subscribed`.

        Args:
            wish: As for `subscribe`, with policy and events.
            deadline: When reading raises TimeoutError, by `time.monotonic`; None for never.

        Raises:
            DaemonError: The daemon answered with a problem.
            DaemonUnreachableError: Nothing answers.
        """
        return self._subscribe(LineStream, wish, deadline)

    def subscribe_records(self, wish: Mapping[str, Any], *, deadline: float | None = None) -> RecordStream:
        """The same as `subscribe_lines`, with frames; the first record is the line of the event `subscribed`."""
        return self._subscribe(RecordStream, wish, deadline)

    def stream_lines(
        self,
        subscription_id: str,
        *,
        events: bool = False,
        policy: str | None = None,
        deadline: float | None = None,
    ) -> LineStream:
        """Read a subscription that is there, as lines of JSON; raises what `subscribe_lines` raises.

        Args:
            subscription_id: Its id.
            events: Whether continuity events come among the messages.
            policy: What happens when this consumer is too slow; None for the type's own.
            deadline: When reading raises TimeoutError, by `time.monotonic`; None for never.
        """
        return self._stream(LineStream, subscription_id, events, policy, deadline)

    def stream_records(
        self,
        subscription_id: str,
        *,
        events: bool = False,
        policy: str | None = None,
        deadline: float | None = None,
    ) -> RecordStream:
        """The same as `stream_lines`, with frames, byte for byte."""
        return self._stream(RecordStream, subscription_id, events, policy, deadline)

    def request(self, wish: Mapping[str, Any]) -> Any:  # noqa: ANN401 - an outcome, or a preview
        """Have the daemon ask a venue, or act there; raises what `get` raises.

        Args:
            wish: The request: kind, payload, venue, timeout, preview.

        Returns:
            The answer: `outcome`, and `data`, `words` or `why` beside it.
        """
        return self.post(_REQUESTS, wish, timeout=wish.get("timeout", TIMEOUT))

    def answers(self) -> bool:
        """Return whether a daemon listens on the socket."""
        try:
            _connect(self.socket, self.timeout).close()
        except DaemonUnreachableError:
            return False
        return True

    def _subscribe(
        self, kind: type[_StreamType], wish: Mapping[str, Any], deadline: float | None
    ) -> _StreamType:
        timeout = wish.get("timeout", TIMEOUT)
        query = {"stream": "1", "format": _format(kind)}
        patience = None if timeout is None else timeout + MARGIN
        return self._open(kind, "POST", _target(_SUBSCRIPTIONS, query), wish, patience, deadline)

    def _stream(
        self,
        kind: type[_StreamType],
        subscription_id: str,
        events: bool,
        policy: str | None,
        deadline: float | None,
    ) -> _StreamType:
        query = {"format": _format(kind), "events": "1" if events else None, "policy": policy}
        path = path_of(subscription_id, "stream")
        return self._open(kind, "GET", _target(path, query), None, self.timeout, deadline)

    def _open(
        self,
        kind: type[_StreamType],
        method: str,
        target: str,
        body: object,
        timeout: float | None,
        deadline: float | None,
    ) -> _StreamType:
        connection = _Connection(self.socket, timeout)
        try:
            response = self._request(connection, method, target, body)
            sock = connection.taken()
            sock.settimeout(None)
        except BaseException:
            connection.close()
            raise
        return kind(connection, sock, response, self.socket, deadline=deadline)

    def _ask(
        self,
        method: str,
        path: str,
        query: Query | None,
        body: object = None,
        *,
        timeout: float | None = TIMEOUT,
    ) -> Any:  # noqa: ANN401 - the document's shape is the path's
        connection = _Connection(self.socket, self.timeout if method != "POST" else timeout)
        try:
            response = self._request(connection, method, _target(path, query), body)
            content = self._complete(response)
        finally:
            connection.close()
        return json.loads(content) if content else None

    def _request(
        self, connection: _Connection, method: str, target: str, body: object
    ) -> http.client.HTTPResponse:
        """Send a request and return the response, its body not read yet; a problem is raised."""
        content = None if body is None else json.dumps(body).encode()
        headers = {} if content is None else {"content-type": "application/json"}
        try:
            connection.request(method, target, content, headers)
            response = connection.getresponse()
        except TimeoutError as error:
            raise DaemonUnreachableError(
                self.socket, f"it did not answer within {connection.timeout} s"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise DaemonUnreachableError(self.socket, f"it went away without an answer ({error})") from error
        if response.status >= http.client.BAD_REQUEST:
            raise DaemonError(_problem(response.status, response.reason, self._complete(response)))
        return response

    def _complete(self, response: http.client.HTTPResponse) -> bytes:
        try:
            return response.read()
        except (OSError, http.client.HTTPException) as error:
            raise DaemonUnreachableError(self.socket, "it went away in the middle of its answer") from error


def path_of(subscription_id: str, part: str | None = None) -> str:
    """Return the path of a subscription, or of a part of it such as `last`, `metrics`, `stream`."""
    path = f"{_SUBSCRIPTIONS}/{quote(subscription_id, safe='')}"
    return path if part is None else f"{path}/{part}"


class _Connection(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = _connect(self._path, self.timeout)
        self._opened = self.sock

    def taken(self) -> sockets.socket:
        """Return the socket; after a response that ends with the connection `sock` is None."""
        return self._opened


def _connect(path: Path, timeout: float | None) -> sockets.socket:
    connection = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        connection.connect(str(path))
    except OSError as error:
        connection.close()
        raise DaemonUnreachableError(path, f"nothing answers there ({error})", sent=False) from error
    server = user_at(connection)
    if not _is_believable(server, path):
        connection.close()
        raise DaemonUnreachableError(
            path, f"the user {server} listens there, who is neither you nor root", sent=False
        )
    return connection


def _is_believable(server: int | None, path: Path) -> bool:
    """Return whether what listens on a socket may be the daemon that is meant, and not somebody's trap.

    One's own daemon and root's are believed. Root may use anybody's, but where anybody can make a directory, such as in /tmp,
    the socket's may be somebody's who waits for root.
    """
    own = os.geteuid()
    if server in {ROOT, own}:
        return True
    return own == ROOT and not path.parent.parent.stat().st_mode & stat.S_IWOTH


def _format(kind: type[LineStream | RecordStream]) -> str:
    return "raw" if kind is RecordStream else "lines"


def _target(path: str, query: Query | None) -> str:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path


def _problem(status: int, reason: str, content: bytes) -> Mapping[str, Any]:
    """Return the problem document of an answer; what is not one becomes one."""
    try:
        problem = json.loads(content)
    except ValueError:
        problem = None
    if isinstance(problem, dict):
        return {"status": status, **problem}
    return {"status": status, "detail": f"the daemon answered {status} {reason}"}
