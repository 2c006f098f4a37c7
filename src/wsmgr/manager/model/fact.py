"""Facts: what happened, for the ledger and the log.

The pure core cannot write to a database, so it says what happened and the runtime carries it to the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from attrs import field, frozen

from wsmgr.manager.model.continuity import Gap, Interruption

Level = Literal["debug", "info", "warning", "error"]


@frozen(kw_only=True)
class Fact:
    """Something that happened.

    Attributes:
        kind: What, in one word: `live`, `lost`, `rejected`, `parked`, ...
        level: How much it matters.
        venue: The venue's name, or None.
        actor: Who decided or noticed, or None.
        connection: The id of the connection that it is about, or None.
        subscription_id: The id of the subscription that it is about, or None.
        detail: The evidence: plain values, never a secret.
    """

    kind: str
    level: Level = "info"
    venue: str | None = None
    actor: str | None = None
    connection: str | None = None
    subscription_id: str | None = None
    detail: Mapping[str, Any] = field(factory=dict[str, Any])


@frozen(kw_only=True)
class GapOpened:
    """A subscription was interrupted."""

    subscription_id: str
    interruption: Interruption


@frozen(kw_only=True)
class GapClosed:
    """A subscription's open gap came to its end; `items` is what it was filled with."""

    subscription_id: str
    gap: Gap
    items: int = 0


@frozen(kw_only=True)
class GapHealed:
    """A gap that had been closed was looked into: its row is to say what is known of it now.

    Attributes:
        subscription_id: Whose gap.
        gap: The gap as it is now; its `started_at` is that of the row.
        items: How many items it was filled with.
    """

    subscription_id: str
    gap: Gap
    items: int = 0


Note = Fact | GapOpened | GapClosed | GapHealed
Notebook = Callable[[Note], None]
