"""The edge: what the daemon adds to a manager's tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wsmgr.actors import Backoff, ChildSpec
from wsmgr.manager.daemon.errors import MissingExtraError
from wsmgr.manager.runtime.engine import Engine

if TYPE_CHECKING:
    from wsmgr.manager.daemon.settings import HttpSettings


def edge(socket: Path, *, http: HttpSettings | None = None) -> Callable[[Engine], Sequence[ChildSpec]]:
    """Return what `Manager(edge=...)` takes to serve its API on a Unix socket, and over TCP where that is asked for.

    Everything heavy is imported here, before any loop runs: it would hold one for a third of a second.

    Args:
        socket: The path of the socket; its directory must exist.
        http: How it is served over TCP; None for not at all.

    Raises:
        MissingExtraError: The extra `daemon` is not installed.
    """
    try:
        from wsmgr.manager.daemon.listeners import HttpListener, Listener, UnixListener  # noqa: PLC0415 - as below
        from wsmgr.manager.daemon.server import SHUTDOWN, ApiServer  # noqa: PLC0415 - needs the extra
    except ModuleNotFoundError as error:
        missing = error.name or str(error)
        if missing.partition(".")[0] == "wsmgr":
            raise
        raise MissingExtraError("the daemon", "daemon", missing) from error

    def child(name: str, engine: Engine, listener: Listener) -> ChildSpec:
        backoff = Backoff(initial=0.5, maximum=30.0, reset=60.0)
        return ChildSpec(name, lambda: ApiServer(engine, listener), shutdown=SHUTDOWN, backoff=backoff)

    def children(engine: Engine) -> Sequence[ChildSpec]:
        served = [child("api", engine, UnixListener(socket))]
        if http is not None:
            served.append(child("http", engine, HttpListener(engine, http)))
        return served

    return children
