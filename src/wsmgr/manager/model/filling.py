"""Filling: what a healing query brought goes to the consumers, and what is known of the gap to everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.model.gaps import MERGED_FOR, healed
from wsmgr.manager.model.publishing import publish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsmgr.manager.model.continuity import Healed
    from wsmgr.manager.model.items import Item
    from wsmgr.manager.model.registry import Registry
    from wsmgr.manager.model.subscription import Entry


def fill(entry: Entry, frames: Sequence[bytes], items: Sequence[Item], *, wall: float) -> None:
    """Publish what was missed, marked as healed, and remember it as delivered.

    Args:
        entry: The subscription; it may be interrupted again.
        frames: Frames of the stream in the venue's format, in the order in which they are to be delivered.
        items: The items in them.
        wall: Now, in unix seconds.
    """
    connection = "" if entry.connection is None else entry.connection.id
    if entry.merger is not None:
        entry.merger.remember_keys(item.key for item in items)
    for frame in frames:
        publish(entry, frame, connection=connection, wall=wall, healed=True)
    for buffer in entry.buffers:
        buffer.wake()


def finish(registry: Registry, entry: Entry, found: Sequence[Healed], *, actor: str, now: float) -> None:
    """Say what is known of gaps that were looked into; where none is left, what was delivered need not be remembered for long."""
    healed(registry, entry, found, actor=actor)
    if entry.healing is None and entry.second is None and registry.entries.get(entry.id) is entry:
        entry.merge_until = now + MERGED_FOR
        registry.venues[entry.venue].attention[entry.id] = entry
