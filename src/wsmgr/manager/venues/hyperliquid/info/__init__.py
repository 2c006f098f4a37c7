"""Info: Hyperliquid's queries, as a facade and as data."""

from __future__ import annotations

from wsmgr.manager.venues.hyperliquid.info.asking import HasAddress, HasVaultAddress
from wsmgr.manager.venues.hyperliquid.info.facade import Info
from wsmgr.manager.venues.hyperliquid.info.queries import (
    QUERIES,
    UnknownQueryError,
    find_query,
    parse_query,
)
from wsmgr.manager.venues.hyperliquid.info.query import Query
from wsmgr.manager.venues.hyperliquid.info.values import QueryParameter, ValueKind

__all__ = [
    "QUERIES",
    "HasAddress",
    "HasVaultAddress",
    "Info",
    "Query",
    "QueryParameter",
    "UnknownQueryError",
    "ValueKind",
    "find_query",
    "parse_query",
]
