"""wsmgr keeps WebSocket subscriptions alive and says honestly when it could not.

::

    from wsmgr import Manager

    async with Manager() as manager:
        book = await manager.subscribe("l2Book", coin="BTC")
        async for message in book:
            print(message.data["levels"][0][0])

or, by Hyperliquid's own names::

    from wsmgr import Hyperliquid

    client = Hyperliquid()
    async with client.run():
        sid, queue = await client.subscriptions.l2_book(asset="BTC")
        print((await queue.get()).data["levels"][0][0])

What is heavy is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsmgr.manager.hyperliquid import Account, Hyperliquid
    from wsmgr.manager.manager import Manager
    from wsmgr.manager.model.continuity import (
        Closed,
        Failed,
        Gap,
        Interrupted,
        Lagged,
        Live,
        Rejected,
        Resumed,
    )
    from wsmgr.manager.model.delivery import Policy
    from wsmgr.manager.model.errors import (
        ActionForbiddenError,
        ConfigurationError,
        LaggedError,
        ManagerClosedError,
        NotFoundError,
        OutcomeUnknownError,
        ParameterError,
        QuotaError,
        RejectedError,
        RequestNotSentError,
        RequestRefusedError,
        StateDirectoryError,
        SubscribeTimeoutError,
        SubscriptionClosedError,
        SubscriptionFailedError,
        UnknownTypeError,
        UnknownVenueError,
        UsageError,
        WsmgrError,
    )
    from wsmgr.manager.model.message import Message
    from wsmgr.manager.model.outcome import Answered, Refused, Unknown
    from wsmgr.manager.runtime.handle import Subscription
    from wsmgr.manager.runtime.inbox import Inbox
    from wsmgr.manager.venues.hyperliquid.exchange import (
        GROUPING_NA,
        GROUPING_TRIGGER_NORMAL,
        GROUPING_TRIGGER_POSITION,
        LIMIT_ALO,
        LIMIT_GTC,
        LIMIT_IOC,
        TRIGGER_STOP_LOSS,
        TRIGGER_TAKE_PROFIT,
        Builder,
        CancelByIdRequest,
        CancelRequest,
        Cloid,
        LimitOrder,
        ModifyRequest,
        OrderRequest,
        TriggerOrder,
    )
    from wsmgr.manager.venues.hyperliquid.subscriptions import Feed, FeedNotFoundError, FeedQueue

_HOMES = {
    "wsmgr.manager.hyperliquid": ("Account", "Hyperliquid"),
    "wsmgr.manager.manager": ("Manager",),
    "wsmgr.manager.model.continuity": (
        "Closed",
        "Failed",
        "Gap",
        "Interrupted",
        "Lagged",
        "Live",
        "Rejected",
        "Resumed",
    ),
    "wsmgr.manager.model.delivery": ("Policy",),
    "wsmgr.manager.model.errors": (
        "ActionForbiddenError",
        "ConfigurationError",
        "LaggedError",
        "ManagerClosedError",
        "NotFoundError",
        "OutcomeUnknownError",
        "ParameterError",
        "QuotaError",
        "RejectedError",
        "RequestNotSentError",
        "RequestRefusedError",
        "StateDirectoryError",
        "SubscribeTimeoutError",
        "SubscriptionClosedError",
        "SubscriptionFailedError",
        "UnknownTypeError",
        "UnknownVenueError",
        "UsageError",
        "WsmgrError",
    ),
    "wsmgr.manager.model.message": ("Message",),
    "wsmgr.manager.model.outcome": ("Answered", "Refused", "Unknown"),
    "wsmgr.manager.runtime.handle": ("Subscription",),
    "wsmgr.manager.runtime.inbox": ("Inbox",),
    "wsmgr.manager.venues.hyperliquid.exchange": (
        "GROUPING_NA",
        "GROUPING_TRIGGER_NORMAL",
        "GROUPING_TRIGGER_POSITION",
        "LIMIT_ALO",
        "LIMIT_GTC",
        "LIMIT_IOC",
        "TRIGGER_STOP_LOSS",
        "TRIGGER_TAKE_PROFIT",
        "Builder",
        "CancelByIdRequest",
        "CancelRequest",
        "Cloid",
        "LimitOrder",
        "ModifyRequest",
        "OrderRequest",
        "TriggerOrder",
    ),
    "wsmgr.manager.venues.hyperliquid.subscriptions": ("Feed", "FeedNotFoundError", "FeedQueue"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "GROUPING_NA",
    "GROUPING_TRIGGER_NORMAL",
    "GROUPING_TRIGGER_POSITION",
    "LIMIT_ALO",
    "LIMIT_GTC",
    "LIMIT_IOC",
    "TRIGGER_STOP_LOSS",
    "TRIGGER_TAKE_PROFIT",
    "Account",
    "ActionForbiddenError",
    "Answered",
    "Builder",
    "CancelByIdRequest",
    "CancelRequest",
    "Cloid",
    "Closed",
    "ConfigurationError",
    "Failed",
    "Feed",
    "FeedNotFoundError",
    "FeedQueue",
    "Gap",
    "Hyperliquid",
    "Inbox",
    "Interrupted",
    "Lagged",
    "LaggedError",
    "LimitOrder",
    "Live",
    "Manager",
    "ManagerClosedError",
    "Message",
    "ModifyRequest",
    "NotFoundError",
    "OrderRequest",
    "OutcomeUnknownError",
    "ParameterError",
    "Policy",
    "QuotaError",
    "Refused",
    "Rejected",
    "RejectedError",
    "RequestNotSentError",
    "RequestRefusedError",
    "Resumed",
    "StateDirectoryError",
    "SubscribeTimeoutError",
    "Subscription",
    "SubscriptionClosedError",
    "SubscriptionFailedError",
    "TriggerOrder",
    "Unknown",
    "UnknownTypeError",
    "UnknownVenueError",
    "UsageError",
    "WsmgrError",
]


def __getattr__(name: str) -> object:
    """Import a public name from its home when it is first asked for."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
