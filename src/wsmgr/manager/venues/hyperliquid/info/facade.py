"""The facade of Hyperliquid's queries: one method each, by the names of hl-sdk."""

from __future__ import annotations

from wsmgr.manager.venues.hyperliquid.info.market import MarketInfo
from wsmgr.manager.venues.hyperliquid.info.orders import OrderInfo
from wsmgr.manager.venues.hyperliquid.info.spot import SpotInfo
from wsmgr.manager.venues.hyperliquid.info.staking import StakingInfo
from wsmgr.manager.venues.hyperliquid.info.user import UserInfo


class Info(MarketInfo, OrderInfo, UserInfo, SpotInfo, StakingInfo):
    """All that Hyperliquid can be asked, over the socket.

    Each method sends one query and returns its outcome: `Answered` with the data in the venue's own shape
    (`info.shapes`), `Refused` with the venue's words, or `Unknown`; `.unwrap()` returns the data or raises. Where a
    method takes `asset`, the universe is loaded first if it is not there.

    An account is named by `address`, or by `account`, any object that has an `address`; else it is the client's.
    Times are aware datetimes or whole milliseconds since 1970. `dex` is a builder's dex; left out, the venue's own.

    Arguments are checked before anything is sent: whatever is wrong with them raises `UsageError`. A query that could
    not be sent raises `RequestNotSentError`. Cancelling a method gives up the answer; a query changes nothing, so it
    may be asked again.

    Args:
        requester: What sends the queries.
        universe: What knows the assets' names.
        address: The account that is meant where a call names none.

    Raises:
        ParameterError: The address is none.
    """
