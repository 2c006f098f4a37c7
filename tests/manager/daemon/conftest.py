"""A real manager with its API on a real Unix socket, and the real client in a thread."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import msgspec
import pytest
from anyio import to_thread

from wsmgr.manager.daemon.edge import edge
from wsmgr.manager.daemon.unix_client import DaemonClient
from wsmgr.manager.manager import Manager
from wsmgr.manager.runtime.lines import is_event

if TYPE_CHECKING:
    from wsmgr.manager.daemon.client_stream import LineStream, RecordStream
    from wsmgr.manager.daemon.records import Record
    from wsmgr.manager.model.subscription import Entry

Result = TypeVar("Result")
PATIENCE = 10.0


class RunningDaemon:
    """A daemon in this process.

    Attributes:
        manager: Its manager.
        path: Its socket.
        client: A client of it; use it through `ask`, it blocks.
    """

    def __init__(self, manager: Manager, path: Path) -> None:
        self.manager = manager
        self.path = path
        self.client = DaemonClient(path, timeout=PATIENCE)

    async def ask(self, ask: Callable[..., Result], *args: Any) -> Result:
        """Run a blocking call in a thread."""
        with anyio.fail_after(3 * PATIENCE):
            return await to_thread.run_sync(lambda: ask(*args))

    async def get(self, path: str, **query: Any) -> Any:
        return await self.ask(self.client.get, path, query)

    async def subscribe(self, type_name: str, **wish: Any) -> Any:
        return await self.ask(self.client.subscribe, {"type": type_name, **wish})

    def entry(self, subscription_id: str) -> Entry:
        return self.manager.engine.context.registry.entry(subscription_id)


RunDaemon = Callable[..., AbstractAsyncContextManager[RunningDaemon]]


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory whose name is short enough for a socket in it."""
    path = Path(tempfile.mkdtemp(prefix="wsmgr-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def run_daemon(directory: Path) -> RunDaemon:
    """One daemon at a time, for `async with`, on a venue at a URL."""

    @asynccontextmanager
    async def run(url: str, **options: Any) -> AsyncIterator[RunningDaemon]:
        path = directory / "wsmgr.sock"
        async with Manager(url=url, edge=edge(path), **options) as manager:
            yield RunningDaemon(manager, path)

    return run


def soon() -> float:
    """Return a deadline for a stream."""
    return time.monotonic() + PATIENCE


def lines_of(stream: LineStream, count: int) -> list[dict[str, Any]]:
    """Read lines, decoded, until there are `count`; what came in the same batch is among them."""
    lines: list[dict[str, Any]] = []
    for batch in stream:
        lines += [msgspec.json.decode(line) for line in batch]
        if len(lines) >= count:
            return lines
    return lines


def messages_of(stream: LineStream, count: int) -> list[bytes]:
    """Read the lines of `count` messages, as they are, passing over events."""
    lines: list[bytes] = []
    for batch in stream:
        lines += [line for line in batch if not is_event(line)]
        if len(lines) >= count:
            return lines[:count]
    return lines


def rest_of(stream: LineStream) -> list[dict[str, Any]]:
    """Read a stream to its end."""
    return [msgspec.json.decode(line) for batch in stream for line in batch]


def records_of(stream: RecordStream, count: int) -> list[Record]:
    """Read records until there are `count`."""
    records: list[Record] = []
    for batch in stream:
        records += batch
        if len(records) >= count:
            return records
    return records


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds that no event tells of."""
    with anyio.fail_after(PATIENCE):
        while not holds():  # noqa: ASYNC110 - see the docstring
            await anyio.sleep(0.005)
