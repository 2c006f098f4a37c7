"""The host: what the facade needs of whoever makes its subscriptions. A running manager is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypedDict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from wsmgr.manager.model.delivery import Item, Policy
    from wsmgr.manager.model.message import Message


class FeedOptions(TypedDict, total=False):
    """What every method takes beside its own parameters: options of `Manager.subscribe`.

    Attributes:
        policy: What happens when its reader is too slow: `drop_oldest`, `drop_newest`, `latest`, `block` or `fail`; left
            out, the type's own.
        events: Whether continuity events come among the messages.
        connection: `dedicated` for a connection of its own.
        keep: Whether the subscription stays until someone ends it.
        wait: How far it must have come before the method returns: `ack` (the default), `live` or `none`.
        timeout: Seconds to wait for that, 30 unless given.
        redundancy: On how many sockets, 1 unless given; 2 for types whose frames can be merged.
    """

    policy: str | Policy | None
    events: bool
    connection: Literal["auto", "dedicated"]
    keep: bool
    wait: Literal["ack", "live", "none"]
    timeout: float
    redundancy: Literal[1, 2]


class Handle(Protocol):
    """One consumer of a subscription: `wsmgr.Subscription`."""

    @property
    def id(self) -> str:
        """The subscription's id, which all its consumers share."""
        ...

    @property
    def key(self) -> str:
        """The subscription key."""
        ...

    @property
    def state(self) -> str:
        """How far the subscription has come."""
        ...

    @property
    def error(self) -> str | None:
        """The last refusal or failure in words, or None."""
        ...

    @property
    def last(self) -> Message | None:
        """The newest message of the subscription, or None."""
        ...

    @property
    def metrics(self) -> Any:  # noqa: ANN401 - the runtime's view, which a venue does not know
        """What is counted about the subscription."""
        ...

    @property
    def dropped(self) -> int:
        """How many messages this consumer lost because it was too slow."""
        ...

    def __aiter__(self) -> AsyncIterator[Item]:
        """Iterate over what comes."""
        ...

    async def __anext__(self) -> Item:
        """Return the next message or event; raises StopAsyncIteration at the end."""
        ...

    async def next(
        self, *, timeout: float | None = None, where: Callable[[Message], bool] | None = None
    ) -> Message:
        """Return the next message, passing over events and what `where` does not want."""
        ...

    async def wait_live(self, *, timeout: float | None = None) -> None:
        """Return as soon as the subscription is live."""
        ...

    async def unsubscribe(self) -> None:
        """End this consumer; the subscription goes on for others."""
        ...

    def release(self) -> None:
        """End this consumer, without waiting for anything."""
        ...

    async def __aenter__(self) -> Self:
        """Return itself."""
        ...


class Host(Protocol):
    """What makes subscriptions."""

    async def subscribe(
        self, type_name: str, params: Mapping[str, object], *, queue: object | None, options: FeedOptions
    ) -> Handle:
        """Subscribe, and return a consumer.

        Args:
            type_name: The subscription type, as the venue spells it.
            params: Its parameters, as the venue spells them.
            queue: What gets each message by `put_nowait`, or None where the consumer is read itself.
            options: How.

        Raises:
            WsmgrError: As `Manager.subscribe` does.
        """
        ...


class NamesAssets(Protocol):
    """What knows the assets' names: the venue's universe."""

    async def coin(self, name: str | int, *, timeout: float) -> str:
        """Return what the wire calls an asset.

        Raises:
            WsmgrError: There is no such asset, or the universe could not be loaded in time.
        """
        ...
