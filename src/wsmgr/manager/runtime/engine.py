"""The engine: what one can ask of a running manager.

`Manager`, the daemon's API and the command line all come here. Input is checked once, at this door; what happens behind it is
the actors' matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import anyio
from attrs import define, field

from wsmgr.actors import ActorRef, CallError, CallExitError, ChildSpec, Supervisor
from wsmgr.manager.model.delivery import Policy, default_policy
from wsmgr.manager.model.errors import (
    ManagerClosedError,
    QuotaError,
    RejectedError,
    SubscriptionClosedError,
    SubscriptionFailedError,
    UsageError,
    WsmgrError,
)
from wsmgr.manager.model.placement import Refuse, place
from wsmgr.manager.model.subscription import Entry, State
from wsmgr.manager.model.subscription_key import format_key, subscription_id
from wsmgr.manager.runtime.callbacks import Callback, CallbackConsumer
from wsmgr.manager.runtime.context import Context, VenueContext
from wsmgr.manager.runtime.handle import Subscription
from wsmgr.manager.runtime.rows import subscription_row
from wsmgr.manager.runtime.views import (
    ConnectionView,
    EventView,
    GapView,
    MetricsView,
    SubscriptionView,
    TreeView,
    connection_view,
    event_view,
    gap_view,
    metrics_view,
    subscription_view,
)
from wsmgr.manager.store import queries
from wsmgr.manager.store.changes import Change, CloseSubscription, PutSubscription
from wsmgr.manager.store.committer import Commit, Read
from wsmgr.manager.store.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wsmgr.manager.model.subscription_type import Atom

Wait = Literal["ack", "live", "none"]
WAITS: Mapping[str, frozenset[State]] = {
    "ack": frozenset({State.ACKNOWLEDGED, State.LIVE, State.STALE}),
    "live": frozenset({State.LIVE}),
}
STORE_PATIENCE = 10.0
STORE_RETRY = 0.1
DEFAULT_TIMEOUT = 30.0


@define(eq=False)
class Engine:
    """A running manager.

    Attributes:
        context: What its actors share.
        root: The root of its tree.
    """

    context: Context
    root: Supervisor
    _ends: dict[str, anyio.Event] = field(factory=dict[str, anyio.Event], init=False)

    def close(self) -> None:
        """Tell every consumer that nothing more will come; for the end of the manager."""
        error = ManagerClosedError("the manager has been left; nothing more will come")
        for entry in self.context.registry.entries.values():
            for buffer in tuple(entry.buffers):
                buffer.close(error)
                buffer.wake()
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
        if wait != "none" and wait not in WAITS:
            raise UsageError(f"wait={wait!r} is not known; choose ack, live or none")
        venue_context = self.venue(venue)
        atom = venue_context.dialect.atom(type_name, params)
        policy = policy or default_policy(atom.type)
        entry, new = await self._want(venue_context, atom)
        self._choose_socket(entry, new=new, dedicated=dedicated or policy is Policy.BLOCK, policy=policy)
        if new and wait != "none":
            self._check_quota(venue_context, entry)
        handle = Subscription(self.context, entry, policy=policy, events=events)
        self.context.look(entry.venue)
        kept_by_us = keep and not entry.kept
        try:
            if keep:
                await self._keep(entry, owner)
            if wait != "none":
                await handle.wait_for(WAITS[wait], timeout=timeout, over_quota=not new)
        except (RejectedError, QuotaError, SubscriptionFailedError, SubscriptionClosedError):
            handle.release()
            if kept_by_us:
                # The caller hears of the refusal, and so does not want it any more.
                entry.kept = False
            self._withdraw_unwanted(entry, "its refusal")
            raise
        except WsmgrError:
            handle.release()
            if new:
                self._withdraw_unwanted(entry, "the caller's timeout")
            raise
        except BaseException:
            handle.release()
            raise
        return handle

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
        """Subscribe to several at once; returns for each wish, in order, its handle or its error.

        Args:
            wishes: Type and parameters of each.
            venue: As for `subscribe`, for all of them; so are the others.
            events: Whether the consumers want continuity events.
            keep: Whether they stay until someone ends them.
            wait: How far each must have come.
            timeout: Seconds to wait for that.
        """
        asked = list(wishes)
        results: list[Subscription | WsmgrError | None] = [None] * len(asked)

        async def one(index: int, type_name: str, params: Mapping[str, object]) -> None:
            try:
                results[index] = await self.subscribe(
                    type_name, params, venue=venue, events=events, keep=keep, wait=wait, timeout=timeout
                )
            except WsmgrError as error:
                results[index] = error

        async with anyio.create_task_group() as group:
            for index, (type_name, params) in enumerate(asked):
                group.start_soon(one, index, type_name, params)
        return [result for result in results if result is not None]

    async def consume(self, handle: Subscription, callback: Callback) -> ActorRef[Any]:
        """Give what comes on a handle to a callback, under the tree's `consumers`; returns its actor.

        Raises:
            ManagerClosedError: No consumer can be started now; the handle is released.
        """
        spec = ChildSpec(
            f"callback:{handle.key}",
            lambda: CallbackConsumer(self.context, handle, callback),
            restart="temporary",
            # The drain has given it time already.
            shutdown=1.0,
        )
        supervisor = self.context.consumer_supervisor
        if supervisor is None:
            handle.release()
            raise ManagerClosedError("the manager has no consumers' supervisor: it is starting or ending")
        try:
            return await supervisor.start_child(spec)
        except CallExitError as error:
            handle.release()
            raise ManagerClosedError(f"the consumer of {handle.key} could not be started: {error}") from error
        except BaseException:
            handle.release()
            raise

    def join(
        self, subscription_id: str, *, policy: Policy | None = None, events: bool = False
    ) -> Subscription:
        """Return another consumer of a subscription that is wanted already.

        Raises:
            NotFoundError: There is none with this id.
            UsageError: The policy needs a connection of its own, and the subscription has none.
        """
        self._check_running()
        entry = self.context.registry.entry(subscription_id)
        policy = policy or default_policy(entry.type)
        self._choose_socket(entry, new=False, dedicated=policy is Policy.BLOCK, policy=policy)
        return Subscription(self.context, entry, policy=policy, events=events)

    async def unsubscribe(self, entry_id: str, *, by: str = "unsubscribe") -> None:
        """End a subscription for everybody; it is on the disk when this returns, and does not come back.

        Raises:
            NotFoundError: There is none with this id.
            StoreError: It could not be written.
        """
        await self._end(self.context.registry.entry(entry_id), by)

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
        return _tree_view(self.root.tree())

    async def gaps(
        self, subscription_id: str | None = None, *, before: int | None = None, limit: int = 250
    ) -> list[GapView]:
        """Return gaps out of the ledger, newest first; `before` goes on behind the gap of that number."""
        rows = await self._read(
            Read(
                lambda database: queries.list_gaps(
                    database, subscription_id=subscription_id, before=before, limit=limit
                )
            )
        )
        return [gap_view(row) for row in rows]

    async def events(
        self, subscription_id: str | None = None, *, before: int | None = None, limit: int = 250
    ) -> list[EventView]:
        """Return events, newest first; `before` goes on behind the event of that number."""
        rows = await self._read(
            Read(
                lambda database: queries.list_events(
                    database, subscription_id=subscription_id, before=before, limit=limit
                )
            )
        )
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

    async def _want(self, venue: VenueContext, atom: Atom) -> tuple[Entry, bool]:
        """Return the subscription of a wish, and whether it is new; one that is just being ended begins a new life."""
        key = format_key(venue.model.name, atom.type.name, atom.params)
        while (under_way := self._ends.get(subscription_id(key))) is not None:
            await under_way.wait()
        return self.context.registry.want(venue.model.name, atom, wall=self.context.clock.wall())

    def _choose_socket(self, entry: Entry, *, new: bool, dedicated: bool, policy: Policy) -> None:
        if not dedicated or entry.dedicated:
            return
        if not new:
            why = "policy='block'" if policy is Policy.BLOCK else "connection='dedicated'"
            raise UsageError(
                f"{entry.key} runs on a shared connection already; end it before you ask for {why}"
            )
        entry.dedicated = True

    def _check_quota(self, venue: VenueContext, entry: Entry) -> None:
        """Refuse a new subscription at once where only an end frees the quota that it needs."""
        now = self.context.clock.monotonic()
        origin = venue.model.origin
        decision = place(entry, venue.model.connections, origin.quotas, origin.usage(now), now)
        if isinstance(decision, Refuse):
            self.context.registry.forget(entry)
            raise QuotaError(decision.quota, decision.limit, decision.held_by, advice=decision.advice)

    async def _keep(self, entry: Entry, owner: str | None) -> None:
        was_kept, entry.kept = entry.kept, True
        entry.owner = owner if entry.owner is None else entry.owner
        try:
            await self._commit([PutSubscription(subscription_row(entry, self.context.clock.wall()))])
        except StoreError:
            # The caller hears that it is not kept, so it must not be.
            entry.kept = was_kept
            raise

    def _withdraw_unwanted(self, entry: Entry, by: str) -> None:
        """End a subscription that its caller gives up, unless somebody else holds it or keeps it.

        Without waiting: nobody can join it in between. What the disk still says of it is put right by the fact of its end.
        """
        if not entry.kept and not entry.buffers:
            self.context.registry.end(entry, by=by, now=self.context.clock.monotonic())
            self.context.look(entry.venue)

    async def _end(self, entry: Entry, by: str) -> None:
        """End a subscription for everybody: on the disk first, so that an end that could not be written can be asked for again.

        Who subscribes to the key meanwhile waits, and begins a new life of it.
        """
        under_way = self._ends.get(entry.id)
        if under_way is not None:
            await under_way.wait()
            return
        self._ends[entry.id] = done = anyio.Event()
        was_kept, entry.kept = entry.kept, False
        try:
            await self._commit([CloseSubscription(id=entry.id, at=self.context.clock.wall())])
        except BaseException:
            entry.kept = was_kept
            raise
        else:
            self.context.registry.end(entry, by=by, now=self.context.clock.monotonic())
            self.context.look(entry.venue)
        finally:
            del self._ends[entry.id]
            done.set()

    async def _commit(self, changes: list[Change]) -> None:
        await self._ask_writer(Commit(tuple(changes)))

    async def _read(self, read: Read) -> Any:  # noqa: ANN401 - what the query returns
        return await self._ask_writer(read)

    async def _ask_writer(self, request: object) -> Any:  # noqa: ANN401 - what the writer answers
        """Ask the store's writer; one that is being restarted is waited for."""
        with anyio.move_on_after(STORE_PATIENCE):
            while True:
                writer = self.context.writer
                try:
                    if writer is not None:
                        return await writer.call(request, timeout=STORE_PATIENCE)
                except CallExitError:
                    # It ended with this request; what it had not written is asked of the next one.
                    pass
                except CallError as error:
                    raise StoreError(f"the store did not answer: {error}") from error
                await anyio.sleep(STORE_RETRY)
        raise StoreError(f"the store was not there for {STORE_PATIENCE:g} s; see `wsmgr events` and the log")


def _tree_view(node: Any) -> TreeView:  # noqa: ANN401 - the tree node of the actors package
    return TreeView(
        id=str(node.id),
        type=node.type,
        status=node.status.value,
        restarts=node.restarts,
        children=[_tree_view(child) for child in node.children],
    )
