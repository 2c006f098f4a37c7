"""wsmgr keeps WebSocket subscriptions alive and says honestly when it could not.

::

    from wsmgr import Manager

    async with Manager() as manager:
        book = await manager.subscribe("l2Book", coin="BTC")
        async for message in book:
            print(message.data["levels"][0][0])

What is heavy is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
        ConfigurationError,
        LaggedError,
        ManagerClosedError,
        NotFoundError,
        ParameterError,
        QuotaError,
        RejectedError,
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
    from wsmgr.manager.runtime.handle import Subscription
    from wsmgr.manager.runtime.inbox import Inbox

_HOMES = {
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
        "ConfigurationError",
        "LaggedError",
        "ManagerClosedError",
        "NotFoundError",
        "ParameterError",
        "QuotaError",
        "RejectedError",
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
    "wsmgr.manager.runtime.handle": ("Subscription",),
    "wsmgr.manager.runtime.inbox": ("Inbox",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Closed",
    "ConfigurationError",
    "Failed",
    "Gap",
    "Inbox",
    "Interrupted",
    "Lagged",
    "LaggedError",
    "Live",
    "Manager",
    "ManagerClosedError",
    "Message",
    "NotFoundError",
    "ParameterError",
    "Policy",
    "QuotaError",
    "Rejected",
    "RejectedError",
    "Resumed",
    "StateDirectoryError",
    "SubscribeTimeoutError",
    "Subscription",
    "SubscriptionClosedError",
    "SubscriptionFailedError",
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
