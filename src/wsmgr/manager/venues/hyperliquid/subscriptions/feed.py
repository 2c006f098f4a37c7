"""A feed: one consumer of one subscription, as the facade's callers see it: a number and a queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple

import anyio

from wsmgr.manager.model.errors import NotFoundError, SubscriptionClosedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from typing_extensions import TypeVar  # which the type checkers bring: its default is not in Python 3.11

    from wsmgr.manager.model.delivery import Item
    from wsmgr.manager.venues.hyperliquid.subscriptions.host import Handle

    Queue = TypeVar("Queue", default="FeedQueue")
else:
    from typing import TypeVar

    Queue = TypeVar("Queue")


class FeedNotFoundError(NotFoundError):
    """No feed of this client has this id.

    Args:
        sid: The id that was asked for.
    """

    def __init__(self, sid: object) -> None:
        """Say which id was not found."""
        super().__init__(repr(sid))
        self.args = (f"this client has no feed {sid!r}: it was never made, or has been ended",)


class FeedQueue:
    """The queue of one feed: what comes on its subscription, in order, within the bounds of its policy.

    Several tasks may read it; each message goes to one of them. It also tells of the end, as a queue that is shared cannot.

    Args:
        handle: The feed's consumer.
    """

    def __init__(self, handle: Handle) -> None:
        """Read the consumer's own buffer."""
        self._handle = handle
        self._turn = anyio.Lock(fast_acquire=True)

    async def get(self) -> Item:
        """Return the next message (or event, where they were asked for), waiting for it. Cancelling it loses nothing.

        Raises:
            SubscriptionClosedError: The feed was ended.
            LaggedError: Its reader was too slow and its policy is `fail`.
            RejectedError: The venue refused the subscription for good.
            SubscriptionFailedError: The subscription is parked.
            ManagerClosedError: The client has been left.
        """
        try:
            return await self.__anext__()
        except StopAsyncIteration:
            raise SubscriptionClosedError(f"this feed of {self._handle.key} was ended") from None

    def __aiter__(self) -> AsyncIterator[Item]:
        """Iterate over what comes, until the feed is ended."""
        return self

    async def __anext__(self) -> Item:
        """Return the next item; raises what `get` raises, but StopAsyncIteration where the feed was ended."""
        async with self._turn:
            return await self._handle.__anext__()


class Feed(NamedTuple, Generic[Queue]):
    """What a method of the facade returns: `sid, queue = await client.subscriptions.l2_book(coin="BTC")`.

    Attributes:
        id: Its number within its client: 0, 1, ... Two feeds of one subscription have two.
        queue: Where its messages come: a `FeedQueue` of its own, or the queue that was given.
    """

    id: int
    queue: Queue
