"""The owner of the registry: an actor that does nothing else, so that there is nothing in it to crash on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsmgr.actors import Actor

if TYPE_CHECKING:
    from wsmgr.manager.model.registry import Registry


class RegistryOwner(Actor[Any]):
    """Stands for the registry in the tree.

    The routing registry, the counters and the quota windows are plain objects. Every actor of the core is started after this
    one, so a restart of it is a restart of all that works on them.

    Args:
        registry: The registry.
    """

    def __init__(self, registry: Registry) -> None:
        """Own the registry."""
        self.registry = registry
