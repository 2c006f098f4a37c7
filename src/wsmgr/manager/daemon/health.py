"""Health: what a daemon says of itself."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import msgspec
import sniffio

from wsmgr.manager.daemon.listening import url_of
from wsmgr.manager.runtime.engine import Engine
from wsmgr.manager.runtime.timestamps import at
from wsmgr.manager.version import version


class VenueHealth(msgspec.Struct, kw_only=True):
    """One venue; `error` says why it is parked as a whole, or is null."""

    dialect: str
    url: str
    error: str | None


class StoreHealth(msgspec.Struct, kw_only=True):
    """The store; `trouble` says why nothing can be written, so that all goes on in memory, or is null; `since` says since when."""

    trouble: str | None
    since: datetime | None


class BufferHealth(msgspec.Struct, kw_only=True):
    """What waits in memory, in bytes of frames, as it was at most a second ago.

    Attributes:
        bytes: In all consumers' buffers together.
        limit: How much may be in them.
        squeezed: Whether it was more, so that each has a share of the limit for now.
        replay_bytes: What is kept beside them, for readers that return.
        replay_limit: How much of that may be kept.
    """

    bytes: int
    limit: int
    squeezed: bool
    replay_bytes: int
    replay_limit: int


class Health(msgspec.Struct, kw_only=True):
    """What a daemon says of itself.

    Attributes:
        backend: The event loop that it runs on.
        http: Where it listens over TCP, or null.
    """

    status: str
    version: str
    pid: int
    backend: str
    started_at: datetime
    uptime_seconds: float
    http: str | None
    venues: dict[str, VenueHealth]
    subscriptions: int
    connections: int
    consumers: int
    store: StoreHealth
    buffers: BufferHealth


class Pulse:
    """Knows since when the API is served.

    Args:
        engine: The running manager.
    """

    def __init__(self, engine: Engine) -> None:
        """Begin now."""
        self._engine = engine
        self._version = version()
        self._wall = engine.context.clock.wall()
        self._monotonic = engine.context.clock.monotonic()

    def health(self) -> Health:
        """Return how the daemon is."""
        context = self._engine.context
        entries = context.registry.entries.values()
        return Health(
            status="ending" if context.draining else "ok",
            version=self._version,
            pid=os.getpid(),
            backend=sniffio.current_async_library(),
            started_at=datetime.fromtimestamp(self._wall, UTC),
            uptime_seconds=context.clock.monotonic() - self._monotonic,
            http=url_of(self._engine),
            venues={
                name: VenueHealth(dialect=venue.dialect.name, url=venue.url, error=venue.model.error)
                for name, venue in context.venues.items()
            },
            subscriptions=len(entries),
            connections=sum(len(venue.model.connections) for venue in context.venues.values()),
            consumers=sum(len(entry.buffers) for entry in entries),
            store=StoreHealth(trouble=context.store_trouble, since=at(context.store_trouble_since)),
            buffers=BufferHealth(
                bytes=context.buffers.bytes,
                limit=context.buffers.limit,
                squeezed=context.buffers.squeezed,
                replay_bytes=context.registry.recents.bytes,
                replay_limit=context.registry.recents.max_bytes,
            ),
        )
