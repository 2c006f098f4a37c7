"""Info: Hyperliquid's queries, as a facade and as data."""

from __future__ import annotations

from wsmgr.manager.venues.hyperliquid.info.facade import Info
from wsmgr.manager.venues.hyperliquid.info.queries import (
    QUERIES,
    UnknownQueryError,
    find_query,
    parse_query,
)
from wsmgr.manager.venues.hyperliquid.info.query import Query, QueryParameter
from wsmgr.manager.venues.hyperliquid.meaning import HasAddress, HasVaultAddress

__all__ = [
    "QUERIES",
    "HasAddress",
    "HasVaultAddress",
    "Info",
    "Query",
    "QueryParameter",
    "UnknownQueryError",
    "find_query",
    "parse_query",
]
