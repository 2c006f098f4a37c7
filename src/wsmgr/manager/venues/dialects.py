"""Finds dialects by name: the built-in ones, and those that other distributions add.

A distribution adds one through the entry point group `wsmgr.dialects`; the entry point's object is called without arguments
and returns the dialect. A dialect that has `with_types` takes subscription types from the configuration.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from wsmgr.manager.model.errors import ConfigurationError
from wsmgr.manager.venues.hyperliquid import HyperliquidDialect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wsmgr.manager.venues.dialect import Dialect

GROUP = "wsmgr.dialects"
_BUILT_IN: dict[str, Callable[[], Dialect]] = {"hyperliquid": HyperliquidDialect}


@runtime_checkable
class TakesTypes(Protocol):
    """A dialect whose catalog can be added to."""

    def with_types(self, tables: Mapping[str, Mapping[str, object]], /) -> Dialect:
        """Return it with types added or corrected; raises ConfigurationError where a table cannot be meant."""
        ...


def dialect_names() -> list[str]:
    """Return the names of all dialects, the built-in ones first."""
    return [
        *_BUILT_IN,
        *sorted(point.name for point in entry_points(group=GROUP) if point.name not in _BUILT_IN),
    ]


def dialect_named(name: str, types: Mapping[str, Mapping[str, object]] | None = None) -> Dialect:
    """Return the dialect of a name.

    Args:
        name: The name.
        types: The tables `[dialects.NAME.types.TYPE]` of the configuration, by type: types to be added or corrected.

    Raises:
        ConfigurationError: There is none of this name, it takes no types, or a type cannot be meant.
    """
    dialect = _found(name)
    if not types:
        return dialect
    if not isinstance(dialect, TakesTypes):
        raise ConfigurationError(
            f"[dialects.{name}.types] has {', '.join(types)}, but the dialect {name!r} takes no types of a configuration"
        )
    return dialect.with_types(types)


def _found(name: str) -> Dialect:
    if name in _BUILT_IN:
        return _BUILT_IN[name]()
    for point in entry_points(group=GROUP, name=name):
        return cast("Dialect", point.load()())
    raise ConfigurationError(f"there is no dialect {name!r}; there are {', '.join(dialect_names())}")
