"""Room: what is done where a quota that only an end frees stands in the way of a subscription.

In this order: what is ending anyway gives its place; a second side gives its own (`redundancy`), because what is wanted once goes before what is
wanted twice; and where a socket is missing, private streams and market data share sockets (`folding`), because they are apart only while one is free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.model.folding import can_share, want_socket
from wsmgr.manager.model.redundancy import make_room

if TYPE_CHECKING:
    from wsmgr.manager.model.registry import Origin, Registry
    from wsmgr.manager.model.subscription import Entry

SOON, TRY_AGAIN = 1.0, 30.0
"""Seconds until what waits for a place is looked at again, if nobody does before: where one is coming, and where none is."""


class Room:
    """The places that are made in one look for what has none; each is promised once.

    Args:
        registry: The registry.
        origin: The origin whose quotas stand in the way.
        now: The monotonic time.
        wake: Takes when to look again.
    """

    def __init__(self, registry: Registry, origin: Origin, now: float, wake: list[float]) -> None:
        """Promise nothing yet."""
        self._registry = registry
        self._origin = origin
        self._now = now
        self._wake = wake
        self._coming: dict[str, int] = {}

    def promise(self, quota: str, waiting: Entry) -> bool:
        """Return whether a place of a quota will be had for a subscription that has none."""
        origin, now = self._origin, self._now
        if quota == "connections":
            want_socket(origin, now, self._wake)
        coming = self._coming.setdefault(quota, origin.coming(quota))
        if coming:
            self._coming[quota] = coming - 1
            self._wake.append(now + SOON)
            return True
        if make_room(self._registry, origin, quota, waiting, now):
            self._wake.append(now)
            return True
        self._wake.append(now + TRY_AGAIN)
        return quota == "connections" and can_share(origin)
