"""The engine: what is subscribed to, asked and listed of a running manager.

`Manager`, the daemon's API and the command line all come here. Input is checked once, at this door; what happens behind it is
the actors' matter. What is done to connections by hand is in `control`, and why a subscription is as it is in `why`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field

from wsmgr.actors import Supervisor
from wsmgr.manager.model.delivery import Policy, default_policy
from wsmgr.manager.model.errors import ManagerClosedError, UsageError, WsmgrError
from wsmgr.manager.model.showing import shown
from wsmgr.manager.runtime.batch import subscribe_all
from wsmgr.manager.runtime.connection_views import ConnectionView, connection_view
from wsmgr.manager.runtime.context import Context, VenueContext
from wsmgr.manager.runtime.handle import Subscription
from wsmgr.manager.runtime.history_views import EventView, GapView, event_view, gap_view
from wsmgr.manager.runtime.store_client import list_events, list_gaps
from wsmgr.manager.runtime.subscribing import DEFAULT_TIMEOUT, Subscribing, Wait, choose_socket
from wsmgr.manager.runtime.subscription_views import (
    MetricsView,
    SubscriptionView,
    metrics_view,
    subscription_view,
)
from wsmgr.manager.runtime.tree_views import TreeView, tree_view
from wsmgr.manager.store.history import EventsAsked, GapsAsked
from wsmgr.manager.venues.dialect import REQUEST_TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wsmgr.manager.model.outcome import Outcome
    from wsmgr.manager.model.requests import RequestKind
    from wsmgr.manager.model.returning import Cursor

EMBEDDED = "embedded"
"""Who acts when a program calls the manager inside itself."""


@define(eq=False)
class Engine:
    """A running manager.

    Attributes:
        context: What its actors share.
        root: The root of its tree.
    """

    context: Context
    root: Supervisor
    _subscribing: Subscribing = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Make what begins and ends subscriptions."""
        self._subscribing = Subscribing(self.context)

    def close(self) -> None:
        """Tell every consumer that nothing more will come; for the end of the manager."""
        error = ManagerClosedError("the manager has been left; nothing more will come")
        for entry in self.context.registry.entries.values():
            for buffer in tuple(entry.buffers):
                buffer.close(error)
                buffer.wake()
        for venue in self.context.venues.values():
            venue.model.requests.close()
        for entry in list(self.context.registry.entries.values()):
            self.context.registry.end(entry, by=str(error), now=self.context.clock.monotonic())

    async def subscribe(
        self,
        type_name: str,
        params: Mapping[str, object],
        *,
        venue: str | None = None,
        policy: Policy | None = None,
        events: bool = False,
        dedicated: bool = False,
        redundancy: int = 1,
        keep: bool = False,
        owner: str | None = None,
        wait: Wait = "ack",
        timeout: float = DEFAULT_TIMEOUT,
    ) -> Subscription:
        """Subscribe, or join the subscription where the key is subscribed already.

        Cancelling it gives the consumer's hold back; a subscription that nobody else holds ends after its linger.

        Args:
            type_name: The subscription type.
            params: Its parameters.
            venue: The venue; None for the only one, or `hyperliquid`.
            policy: What happens when this consumer is too slow; None for the type's own.
            events: Whether the consumer wants continuity events.
            dedicated: Whether it wants a connection of its own.
            redundancy: On how many sockets it is wanted: 1 or 2.
            keep: Whether it stays until someone ends it.
            owner: Who wants it kept.
            wait: How far it must have come before this returns.
            timeout: Seconds to wait for that.

        Raises:
            UsageError: The type, a parameter or an option is wrong.
            QuotaError: A quota is used up (not with `wait="none"`).
            RejectedError: The venue refused it.
            SubscribeTimeoutError: It did not come so far in time; the wish is withdrawn unless `keep`.
            StoreError: It is to be kept and could not be written.
        """
        self._check_running()
        wish = await self._subscribing.begin(
            self.venue(venue),
            type_name,
            params,
            policy=policy,
            events=events,
            dedicated=dedicated,
            redundancy=redundancy,
            wait=wait,
        )
        return await self._subscribing.finish(wish, keep=keep, owner=owner, wait=wait, timeout=timeout)

    async def subscribe_many(
        self,
        wishes: Iterable[tuple[str, Mapping[str, object]]],
        *,
        venue: str | None = None,
        events: bool = False,
        keep: bool = False,
        wait: Wait = "ack",
        timeout: float = DEFAULT_TIMEOUT,
    ) -> list[Subscription | WsmgrError]:
        """Subscribe to several at once, all with the same options; `Manager.subscribe_many` says the rest."""
        self._check_running()
        return await subscribe_all(
            self._subscribing,
            self.venue(venue),
            wishes,
            events=events,
            keep=keep,
            wait=wait,
            timeout=timeout,
        )

    async def request(
        self,
        kind: RequestKind,
        payload: Mapping[str, object],
        *,
        venue: str | None = None,
        who: str = EMBEDDED,
        timeout: float = REQUEST_TIMEOUT,
    ) -> Outcome[Any]:
        """Ask a venue a question, or let it do something; `Manager.request` says the rest.

        Args:
            kind: `info` or `action`.
            payload: `type` and its parameters beside it.
            venue: The venue; None for the only one, or `hyperliquid`.
            who: Who wants it; noted with an action's outcome.
            timeout: Seconds for all of it.
        """
        self._check_running()
        desk = self.venue(venue).desk
        match kind:
            case "info":
                return await desk.info(payload, timeout=timeout)
            case "action":
                return await desk.act(payload, who=who, timeout=timeout)
            case _:
                raise UsageError(f"kind={shown(kind)} is not known; choose info or action")

    async def preview(self, payload: Mapping[str, object], *, venue: str | None = None) -> Mapping[str, Any]:
        """Return what an action would sign and send; nothing is sent.

        Raises:
            UsageError: The action is wrong.
        """
        self._check_running()
        return await self.venue(venue).desk.preview(payload)

    def join(
        self,
        subscription_id: str,
        *,
        policy: Policy | None = None,
        events: bool = False,
        after: Cursor | None = None,
    ) -> Subscription:
        """Return another consumer of a subscription that is wanted already.

        Args:
            subscription_id: The subscription.
            policy: What happens when this consumer is too slow; None for the type's own.
            events: Whether the consumer wants continuity events.
            after: The last message that it had, for a consumer that returns: it goes on behind it, or is told a gap first.

        Raises:
            NotFoundError: There is none with this id.
            UsageError: The policy needs a connection of its own, and the subscription has none.
        """
        self._check_running()
        entry = self.context.registry.entry(subscription_id)
        policy = policy or default_policy(entry.type)
        choose_socket(entry, new=False, dedicated=policy is Policy.BLOCK, policy=policy)
        return Subscription(self.context, entry, policy=policy, events=events, after=after)

    async def unsubscribe(self, entry_id: str, *, by: str = "unsubscribe") -> None:
        """End a subscription for everybody; it is on the disk when this returns, and does not come back.

        Raises:
            NotFoundError: There is none with this id.
            StoreError: It could not be written.
        """
        await self._subscribing.end(self.context.registry.entry(entry_id), by)

    def get_subscription(self, subscription_id: str) -> SubscriptionView:
        """Return a subscription.

        Raises:
            NotFoundError: There is none with this id.
        """
        entry = self.context.registry.entry(subscription_id)
        return subscription_view(entry, now=self.context.clock.monotonic())

    def list_subscriptions(
        self,
        *,
        user: str | None = None,
        venue: str | None = None,
        type_name: str | None = None,
        state: str | None = None,
    ) -> list[SubscriptionView]:
        """Return the subscriptions in the order in which they were wanted, filtered where a filter is given."""
        now = self.context.clock.monotonic()
        registry = self.context.registry
        entries = registry.entries.values() if user is None else registry.by_user(user)
        return [
            subscription_view(entry, now=now)
            for entry in entries
            if venue in {None, entry.venue}
            and type_name in {None, entry.type.name}
            and state in {None, entry.state.value}
        ]

    def get_metrics(self, subscription_id: str) -> MetricsView:
        """Return the counters of a subscription.

        Raises:
            NotFoundError: There is none with this id.
        """
        clock = self.context.clock
        entry = self.context.registry.entry(subscription_id)
        return metrics_view(entry, now=clock.monotonic(), wall=clock.wall())

    def list_all_metrics(self) -> list[MetricsView]:
        """Return the counters of every subscription."""
        now, wall = self.context.clock.monotonic(), self.context.clock.wall()
        return [metrics_view(entry, now=now, wall=wall) for entry in self.context.registry.entries.values()]

    def connection_info(self) -> list[ConnectionView]:
        """Return every connection."""
        now = self.context.clock.monotonic()
        return [
            connection_view(connection, now=now)
            for venue in self.context.venues.values()
            for connection in venue.model.connections
        ]

    def tree(self) -> TreeView:
        """Return the supervision tree; it answers whatever the actors are doing."""
        return tree_view(self.root.tree())

    async def gaps(
        self, subscription_id: str | None = None, *, before: int | None = None, limit: int = 250
    ) -> list[GapView]:
        """Return gaps out of the ledger, newest first; `before` goes on behind the gap of that number."""
        asked = GapsAsked(subscription_id=subscription_id, before=before, limit=limit)
        rows = await list_gaps(self.context, asked)
        return [gap_view(row) for row in rows]

    async def events(
        self, subscription_id: str | None = None, *, before: int | None = None, limit: int = 250
    ) -> list[EventView]:
        """Return events, newest first; `before` goes on behind the event of that number."""
        asked = EventsAsked(subscription_id=subscription_id, before=before, limit=limit)
        rows = await list_events(self.context, asked)
        return [event_view(row) for row in rows]

    def venue(self, name: str | None) -> VenueContext:
        """Return a venue by name; None means the only one, or `hyperliquid`.

        Raises:
            UnknownVenueError: There is none of this name.
            UsageError: There are several, and none was named.
        """
        venues = self.context.venues
        if name is None:
            if len(venues) == 1:
                return next(iter(venues.values()))
            if "hyperliquid" not in venues:
                raise UsageError(f"name the venue; there are {', '.join(sorted(venues))}")
            name = "hyperliquid"
        self.context.registry.venue(name)
        return venues[name]

    def _check_running(self) -> None:
        if self.context.draining:
            raise ManagerClosedError("the manager is ending: nothing new is taken")
