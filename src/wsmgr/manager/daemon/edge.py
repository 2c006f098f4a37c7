"""The edge: what the daemon adds to a manager's tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from wsmgr.actors import Backoff, ChildSpec
from wsmgr.manager.daemon.errors import MissingExtraError
from wsmgr.manager.runtime.engine import Engine


def edge(socket: Path) -> Callable[[Engine], Sequence[ChildSpec]]:
    """Return what `Manager(edge=...)` takes to serve its API on a Unix socket.

    Everything heavy is imported here, before any loop runs: it would hold one for a third of a second.

    Args:
        socket: The path of the socket; its directory must exist.

    Raises:
        MissingExtraError: The extra `daemon` is not installed.
    """
    try:
        from wsmgr.manager.daemon.server import SHUTDOWN, ApiServer  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as error:
        missing = error.name or str(error)
        if missing.partition(".")[0] == "wsmgr":
            raise
        raise MissingExtraError("the daemon", "daemon", missing) from error

    def children(engine: Engine) -> Sequence[ChildSpec]:
        backoff = Backoff(initial=0.5, maximum=30.0, reset=60.0)
        return [ChildSpec("api", lambda: ApiServer(engine, socket), shutdown=SHUTDOWN, backoff=backoff)]

    return children
