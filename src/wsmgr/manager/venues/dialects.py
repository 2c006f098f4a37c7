"""Finds dialects by name: the built-in ones, and those that other distributions add.

A distribution adds one through the entry point group `wsmgr.dialects`; the entry point's object is called without arguments
and returns the dialect.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, cast

from wsmgr.manager.model.errors import ConfigurationError
from wsmgr.manager.venues.hyperliquid import Hyperliquid

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsmgr.manager.venues.dialect import Dialect

GROUP = "wsmgr.dialects"
_BUILT_IN: dict[str, Callable[[], Dialect]] = {"hyperliquid": Hyperliquid}


def dialect_names() -> list[str]:
    """Return the names of all dialects, the built-in ones first."""
    return [
        *_BUILT_IN,
        *sorted(point.name for point in entry_points(group=GROUP) if point.name not in _BUILT_IN),
    ]


def dialect_named(name: str) -> Dialect:
    """Return the dialect of a name.

    Raises:
        ConfigurationError: There is none of this name.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name]()
    for point in entry_points(group=GROUP, name=name):
        return cast("Dialect", point.load()())
    raise ConfigurationError(f"there is no dialect {name!r}; there are {', '.join(dialect_names())}")
