"""The manager: what people embed.

::

    async with Manager(venues=["hyperliquid"]) as manager:
        book = await manager.subscribe("l2Book", coin="BTC")
        async for message in book:
            print(message.data["levels"][0][0])
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

import anyio
from anyio import to_thread

from wsmgr.manager.config import Config, load_config
from wsmgr.manager.model.errors import ManagerClosedError, UsageError, WsmgrError
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.showing import forgetful, shown
from wsmgr.manager.runtime import control, tree
from wsmgr.manager.runtime.callbacks import start_consumer
from wsmgr.manager.runtime.clock import current_clock
from wsmgr.manager.runtime.context import Context
from wsmgr.manager.runtime.engine import Engine
from wsmgr.manager.runtime.ledger import Ledger
from wsmgr.manager.runtime.policy import policy_named
from wsmgr.manager.runtime.scribe import Scribe
from wsmgr.manager.runtime.subscribing import DEFAULT_TIMEOUT, Wait
from wsmgr.manager.runtime.venue_setup import add_venues
from wsmgr.manager.runtime.why import say_why
from wsmgr.manager.store.recovery import Recovery, in_memory, recover
from wsmgr.manager.store.state_directory import StateDirectory
from wsmgr.manager.transport import select
from wsmgr.manager.venues.dialect import REQUEST_TIMEOUT, RequestKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import TracebackType

    from wsmgr.actors import ChildSpec
    from wsmgr.manager.hyperliquid import Hyperliquid
    from wsmgr.manager.model.delivery import Item, Policy
    from wsmgr.manager.model.outcome import Outcome
    from wsmgr.manager.runtime.callbacks import Callback
    from wsmgr.manager.runtime.connection_views import ConnectionView
    from wsmgr.manager.runtime.handle import Subscription
    from wsmgr.manager.runtime.history_views import EventView, GapView
    from wsmgr.manager.runtime.subscription_views import MetricsView, SubscriptionView
    from wsmgr.manager.runtime.tree_views import TreeView
    from wsmgr.manager.runtime.why import WhyView

CONNECTIONS = ("auto", "dedicated")
FULL = frozenset({"Full", "QueueFull", "WouldBlock"})
"""What queues raise that have no room: `queue`, asyncio, and the channels of anyio and trio."""
INBOX_RETRY = 0.001
MAX_INBOX_RETRY = 0.1


class TakesItems(Protocol):
    """Where messages of several subscriptions can go: an `Inbox`, or anything with `put_nowait`, such as `asyncio.Queue`."""

    def put_nowait(self, item: Item, /) -> object:
        """Take an item without waiting; raise when there is no room."""
        ...


class EdgeFactory(Protocol):
    """Makes what else runs in the tree, such as the daemon's API."""

    def __call__(self, engine: Engine, /) -> Sequence[ChildSpec]:
        """Return the child specifications."""
        ...


class Manager:
    """A supervised WebSocket connection manager.

    Use it with `async with`: entering starts the tree, leaving drains and stops it. It runs on the event loop that it is
    entered in, asyncio or trio.

    Args:
        venues: Names of venues: those of the configuration, and `hyperliquid`, which needs none.
        url: The address of the venue, where there is one only: a simulator, a testnet, a proxy.
        state_dir: Where state is kept, so that kept subscriptions come back; None for state in memory.
        config: The configuration: a TOML file's path, its content as a mapping, or None for none.
        edge: Makes what else runs in the tree; for the daemon.

    Raises:
        UsageError: An argument or the configuration is wrong.
    """

    @forgetful  # of a key in the configuration
    def __init__(
        self,
        venues: Sequence[str] = ("hyperliquid",),
        *,
        url: str | None = None,
        state_dir: str | Path | None = None,
        config: str | Path | Mapping[str, Any] | None = None,
        edge: EdgeFactory | None = None,
    ) -> None:
        """Check the arguments; nothing runs yet."""
        self._config: Config = load_config(config, venues=tuple(venues), url=url)
        self._state_dir = None if state_dir is None else StateDirectory(Path(state_dir))
        self._edge = edge
        self._engine: Engine | None = None
        self._stack: AsyncExitStack | None = None

    async def __aenter__(self) -> Self:
        """Start the tree.

        Raises:
            StateDirectoryError: The state directory is held by another manager, or cannot be used.
        """
        if self._stack is not None:
            raise UsageError("this manager has been entered already; make another one")
        async with AsyncExitStack() as stack:
            recovery = await to_thread.run_sync(self._open_state, stack)
            context = Context(current_clock(), select())
            # Readers that can lose their connection to us, and return, come over the edge.
            context.registry.replays = self._edge is not None
            directory = None if self._state_dir is None else self._state_dir.path
            await to_thread.run_sync(add_venues, context, self._config, directory)
            ledger = Ledger(context)
            context.on_note = ledger.take
            if self._state_dir is not None:
                context.on_record = ledger.record
            _note_recovery(context, recovery)
            await to_thread.run_sync(ledger.restore, recovery.database)
            engine: Engine
            desired = None if self._state_dir is None else self._state_dir.desired

            def edge() -> Sequence[ChildSpec]:
                return () if self._edge is None else self._edge(engine)

            root = tree.root(
                context, lambda: Scribe(context, ledger, recovery.database, desired), ledger, edge
            )
            engine = Engine(context, root)
            stack.callback(engine.close)
            await stack.enter_async_context(root)
            stack.callback(context.drain)
            self._engine = engine
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        """Drain and stop the tree; when it returns, no task, socket or thread is left."""
        stack, self._engine = self._stack, None
        return None if stack is None else await stack.__aexit__(exc_type, exc, traceback)

    async def subscribe(
        self,
        type: str,
        /,
        *,
        venue: str | None = None,
        params: Mapping[str, object] | None = None,
        callback: Callback | None = None,
        inbox: TakesItems | None = None,
        policy: str | Policy | None = None,
        events: bool = False,
        redundancy: Literal[1, 2] = 1,
        connection: Literal["auto", "dedicated"] = "auto",
        keep: bool = False,
        wait: Wait = "ack",
        timeout: float = DEFAULT_TIMEOUT,
        **more: object,
    ) -> Subscription:
        """Subscribe, or join the subscription where the same is subscribed already.

        Args:
            type: The subscription type, as the venue spells it.
            venue: The venue's name; None for the only one, or `hyperliquid`.
            params: Parameters whose names collide with those of this method.
            callback: Called with each message, in an actor of its own; sync ones run in a worker thread.
            inbox: Gets each message by `put_nowait`; several subscriptions may share one.
            policy: What happens when this consumer is too slow: `drop_oldest`, `drop_newest`, `latest`, `block` or `fail`;
                None for the type's own.
            events: Whether continuity events come among the messages.
            redundancy: On how many sockets: with 2, whichever is first counts, and losing one loses nothing. For types whose
                `merge` is `items` or `time`; it costs a second subscription of the venue's quota.
            connection: `dedicated` for a connection of its own.
            keep: Whether it stays until someone ends it, over restarts where there is a state directory.
            wait: How far it must have come before this returns: `ack`, `live` or `none`.
            timeout: Seconds to wait for that.
            more: The parameters of the type: `coin="BTC"`.

        Returns:
            The consumer's handle: iterate over it, unless `callback` or `inbox` is given.

        Raises:
            UsageError: The type, a parameter or an option is wrong.
            QuotaError: A quota of the venue is used up (not with `wait="none"`).
            RejectedError: The venue refused it; its words are in the error.
            SubscribeTimeoutError: It did not come so far in time. The wish is withdrawn, unless `keep`.
        """
        if callback is not None and inbox is not None:
            raise UsageError("give a callback or an inbox, not both")
        if connection not in CONNECTIONS:
            raise UsageError(f"connection={shown(connection)} is not known; choose auto or dedicated")
        engine = self.engine
        handle = await engine.subscribe(
            type,
            {**(params or {}), **more},
            venue=venue,
            policy=policy_named(policy),
            events=events,
            dedicated=connection == "dedicated",
            redundancy=redundancy,
            keep=keep,
            wait=wait,
            timeout=timeout,
        )
        target = callback if inbox is None else _forward(inbox)
        if target is not None:
            await start_consumer(engine.context, handle, target)
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
        """Subscribe to several at once.

        Args:
            wishes: Type and parameters of each.
            venue: As for `subscribe`, for all of them; so are the others.
            events: Whether continuity events come among the messages.
            keep: Whether they stay until someone ends them.
            wait: How far each must have come.
            timeout: Seconds to wait for that.

        Returns:
            For each wish, in order, its handle or its error.
        """
        return await self.engine.subscribe_many(
            wishes, venue=venue, events=events, keep=keep, wait=wait, timeout=timeout
        )

    async def request(
        self,
        kind: RequestKind,
        payload: Mapping[str, object],
        *,
        venue: str | None = None,
        timeout: float = REQUEST_TIMEOUT,
    ) -> Outcome[Any]:
        """Ask a venue a question, or let it do something, over one of its sockets.

        An action is checked against the venue's settings (`trading`, `transfers`, `allowed_actions`, `max_notional`) and signed
        with the venue's key. It is sent at most once, and never again when its outcome is unknown. Cancelling this before it was
        sent sends nothing; afterwards it gives up the answer, not the request.

        Args:
            kind: `info` for a question, `action` for something that changes an account.
            payload: `type` and its parameters beside it: `{"type": "l2Book", "coin": "BTC"}`,
                `{"type": "cancel_order", "asset": "BTC", "order_id": 7}`. Amounts are `Decimal` or text.
            venue: The venue's name; None for the only one, or `hyperliquid`.
            timeout: Seconds for all of it: a connection, the quotas, the answer.

        Returns:
            `Answered(data)`, `Refused(words)` or `Unknown(why)`; `.unwrap()` returns the data or raises.

        Raises:
            UsageError: The request is wrong; nothing was sent.
            ActionForbiddenError: The venue's settings forbid the action; nothing was signed.
            RequestNotSentError: It could not be sent in time; nothing was changed.
        """
        return await self.engine.request(kind, payload, venue=venue, timeout=timeout)

    def reconnect(self, connection_id: str | None = None) -> list[str]:
        """Have a connection, or all, get a new socket; returns the ids of those that will.

        What delivers is moved make before break, where the venue allows it. A connection that waits dials as soon as the quota and
        a `Retry-After` allow; what a parked one carried is tried again at once.

        Raises:
            NotFoundError: There is no connection with this id.
        """
        return control.reconnect(self.engine.context, connection_id)

    def rebalance(self) -> list[str]:
        """Begin to give up the connections whose streams fit on the others; returns their ids."""
        return control.rebalance(self.engine.context)

    async def unsubscribe(self, subscription_id: str) -> None:
        """End a subscription for everybody.

        Raises:
            NotFoundError: There is none with this id.
        """
        await self.engine.unsubscribe(subscription_id)

    def get_subscription(self, subscription_id: str) -> SubscriptionView:
        """Return one subscription; raises NotFoundError where there is none with this id."""
        return self.engine.get_subscription(subscription_id)

    def list_subscriptions(self) -> list[SubscriptionView]:
        """Return every subscription."""
        return self.engine.list_subscriptions()

    def list_user_subscriptions(self, address: str) -> list[SubscriptionView]:
        """Return the subscriptions that name a user; the case of the address does not matter."""
        return self.engine.list_subscriptions(user=address)

    def get_metrics(self, subscription_id: str) -> MetricsView:
        """Return the counters of one subscription; raises NotFoundError where there is none with this id."""
        return self.engine.get_metrics(subscription_id)

    def list_all_metrics(self) -> list[MetricsView]:
        """Return the counters of every subscription."""
        return self.engine.list_all_metrics()

    def connection_info(self) -> list[ConnectionView]:
        """Return every connection."""
        return self.engine.connection_info()

    def tree(self) -> TreeView:
        """Return the supervision tree; it answers whatever the actors are doing."""
        return self.engine.tree()

    async def gaps(self, subscription_id: str | None = None) -> list[GapView]:
        """Return the newest gaps of the ledger, newest first."""
        return await self.engine.gaps(subscription_id)

    async def events(self, subscription_id: str | None = None) -> list[EventView]:
        """Return the newest events, newest first."""
        return await self.engine.events(subscription_id)

    async def why(self, subscription_id: str) -> WhyView:
        """Say why a subscription is as it is: what happened, who decided, on what evidence, what comes next and when.

        Raises:
            NotFoundError: There is none with this id.
        """
        return await say_why(self.engine.context, subscription_id)

    @cached_property
    def hyperliquid(self) -> Hyperliquid:
        """Hyperliquid's calls by name, on this manager's venue: the only one, or `hyperliquid`."""
        from wsmgr.manager.hyperliquid import Hyperliquid  # noqa: PLC0415 - it stands on this module

        return Hyperliquid(self)

    async def run_forever(self) -> None:
        """Wait until cancelled, or until the manager is asked to drain (`wsmgr drain`): for a program whose work is done in callbacks."""
        await self.engine.context.end_asked.wait()

    @property
    def engine(self) -> Engine:
        """The running engine.

        Raises:
            ManagerClosedError: The manager has not been entered, or has been left.
        """
        if self._engine is None:
            raise ManagerClosedError("the manager is not running; use it inside `async with Manager(...)`")
        return self._engine

    def _open_state(self, stack: AsyncExitStack) -> Recovery:
        """Take the state directory and open the database in it; both are given back when the stack is left."""
        if self._state_dir is None:
            recovery = in_memory()
        else:
            self._state_dir.prepare()
            stack.enter_context(self._state_dir.locked())
            recovery = recover(self._state_dir)
        stack.callback(recovery.database.close)
        return recovery


def _note_recovery(context: Context, recovery: Recovery) -> None:
    """Tell what a start found that a user must know: history that is gone, a database that was changed."""
    if recovery.why is not None:
        moved = None if recovery.moved_aside is None else str(recovery.moved_aside)
        detail = {"why": recovery.why, "moved_aside": moved, "restored": recovery.restored}
        context.note(Fact(kind="state_recovered", level="error", detail=detail))
    if recovery.migrated:
        context.note(Fact(kind="database_migrated", detail={"migrations": list(recovery.migrated)}))


def _forward(inbox: TakesItems) -> Callback:
    """Return a callback that puts items into an inbox, and waits while that is full.

    Meanwhile the consumer's own buffer fills, and its policy decides, counts and tells what is lost.
    """

    async def forward(item: Item) -> None:
        delay = INBOX_RETRY
        while True:
            try:
                inbox.put_nowait(item)
            except Exception as error:
                if type(error).__name__ not in FULL:
                    raise
            else:
                return
            await anyio.sleep(delay)
            delay = min(2 * delay, MAX_INBOX_RETRY)

    return forward
