"""Scopes: what a token lets its holder do, and which scope a request needs.

====== =====================================================================================================
scope  what it allows
====== =====================================================================================================
read   whatever changes nothing: lists, counters, events, streams
manage the same, and subscribing, ending subscriptions, questions to a venue (they spend its quota), previews
trade  the same, and actions, where the venue's settings allow them
====== =====================================================================================================

By method alone: whatever does not only read needs `manage`, so a path that is added later is not open by mistake. Whether a
request to a venue is a question or an action stands in its body; `requesting` looks there.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final


class Scope(Enum):
    """What a token allows; each scope has those before it in it."""

    READ = "read"
    MANAGE = "manage"
    TRADE = "trade"

    def allows(self, needed: Scope) -> bool:
        """Return whether a token of this scope may do what needs another one."""
        return _ORDER[self] >= _ORDER[needed]


_ORDER: Final = {scope: place for place, scope in enumerate(Scope)}
NEEDED: Final[Mapping[str, Scope]] = {"GET": Scope.READ, "HEAD": Scope.READ}
"""What a method needs; any other needs `manage`."""


def needed(method: str) -> Scope:
    """Return the scope that a request needs at the door."""
    return NEEDED.get(method, Scope.MANAGE)
