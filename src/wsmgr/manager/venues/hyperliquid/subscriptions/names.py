"""Names: what the facade's methods and their parameters are called, worked out from the catalog."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from wsmgr.manager.venues.hyperliquid.catalog import CATALOG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsmgr.manager.model.subscription_type import SubscriptionType

_INNER_CAPITAL: Final = re.compile(r"(?<!^)(?=[A-Z])")


def snake_case(name: str) -> str:
    """Return a wire name as Python writes it: `l2_book` for `l2Book`."""
    return _INNER_CAPITAL.sub("_", name).lower()


METHODS: Final[Mapping[str, SubscriptionType]] = MappingProxyType(
    {snake_case(each.name): each for each in CATALOG.values() if each.removed is None}
)
"""Every subscription type that is served, by its method."""

ALIASES: Final[Mapping[str, str]] = MappingProxyType({"best_bid_offer": "bbo"})
"""Other names of methods, as hl-sdk has them."""
