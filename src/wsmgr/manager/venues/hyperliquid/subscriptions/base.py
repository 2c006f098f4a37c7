"""What all methods of the facade share: the account or asset that is meant, and the table of feeds."""

from __future__ import annotations

import difflib
from inspect import signature
from itertools import count
from typing import TYPE_CHECKING, cast

import anyio

from wsmgr.manager.model.errors import ParameterError, UsageError
from wsmgr.manager.model.showing import shown
from wsmgr.manager.venues.dialect import REQUEST_TIMEOUT
from wsmgr.manager.venues.hyperliquid.meaning import check_coin, user_meant
from wsmgr.manager.venues.hyperliquid.subscriptions.feed import Feed, FeedNotFoundError, FeedQueue
from wsmgr.manager.venues.hyperliquid.subscriptions.host import FeedOptions
from wsmgr.manager.venues.hyperliquid.subscriptions.names import METHODS, snake_case
from wsmgr.manager.venues.hyperliquid.values import read_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wsmgr.manager.venues.hyperliquid.meaning import HasAddress
    from wsmgr.manager.venues.hyperliquid.subscriptions.feed import Queue
    from wsmgr.manager.venues.hyperliquid.subscriptions.host import Handle, Host, NamesAssets


class Feeds:
    """The base of the facade.

    Args:
        host: What makes the subscriptions.
        universe: What knows the assets' names.
        address: The account that is meant where a call names none.

    Raises:
        ParameterError: The address is none.
    """

    def __init__(self, host: Host, universe: NamesAssets, address: str | None = None) -> None:
        """Subscribe to nothing yet."""
        self._host = host
        self._universe = universe
        self._address = None if address is None else read_address("subscriptions: address", address)
        self._handles: dict[int, Handle] = {}
        self._numbers = count()

    async def unsubscribe(self, sid: int, /) -> None:
        """End a feed. Its subscription goes on for its other consumers, and for a linger after the last one.

        Args:
            sid: The feed's id.

        Raises:
            FeedNotFoundError: There is none with this id, or it was ended already; nothing else is touched.
        """
        handle = self.handle(sid)
        del self._handles[sid]
        await handle.unsubscribe()

    def unsubscribe_all(self) -> None:
        """End all feeds of this client, without waiting for anything."""
        handles = list(self._handles.values())
        self._handles.clear()
        for handle in handles:
            handle.release()

    def handle(self, sid: int, /) -> Handle:
        """Return the consumer behind a feed, a `wsmgr.Subscription`: its key, state, last message and metrics.

        Raises:
            FeedNotFoundError: There is none with this id, or it was ended already.
        """
        found = self._handles.get(sid)
        if found is None:
            raise FeedNotFoundError(sid)
        return found

    async def _feed(
        self, method: str, queue: Queue | None, options: FeedOptions, **values: object
    ) -> Feed[Queue]:
        self._check(method, queue, options)
        return await self._subscribe(method, queue, options, values)

    async def _feed_of_coin(
        self,
        method: str,
        asset: str | int | None,
        coin: str | None,
        queue: Queue | None,
        options: FeedOptions,
        **values: object,
    ) -> Feed[Queue]:
        self._check(method, queue, options)
        check_coin(method, asset, coin)
        if asset is not None:
            deadline = anyio.current_time() + (timeout := options.get("timeout", REQUEST_TIMEOUT))
            coin = await self._universe.coin(asset, timeout=timeout)
            options = {**options, "timeout": max(0.0, deadline - anyio.current_time())}
        return await self._subscribe(method, queue, options, {**values, "coin": coin})

    async def _feed_of_user(
        self,
        method: str,
        address: str | None,
        account: HasAddress | None,
        queue: Queue | None,
        options: FeedOptions,
        **values: object,
    ) -> Feed[Queue]:
        self._check(method, queue, options)
        user = user_meant(method, address, account, self._address)
        return await self._subscribe(method, queue, options, {**values, "user": user})

    async def _subscribe(
        self, method: str, queue: Queue | None, options: FeedOptions, values: Mapping[str, object]
    ) -> Feed[Queue]:
        found = METHODS[method]
        wire = {snake_case(each.name): each.name for each in found.parameters}
        params = {wire[name]: value for name, value in values.items() if value is not None}
        handle = await self._host.subscribe(found.name, params, queue=queue, options=options)
        sid = next(self._numbers)
        self._handles[sid] = handle
        # Without a queue the caller's type is that of its own one.
        return Feed(sid, cast("Queue", FeedQueue(handle)) if queue is None else queue)

    def _check(self, method: str, queue: object, options: Iterable[str]) -> None:
        if queue is not None and not callable(getattr(queue, "put_nowait", None)):
            raise UsageError(
                f"{method}: queue={shown(queue)} has no put_nowait; give an asyncio.Queue or an Inbox, or leave it away"
            )
        for name in options:
            if name not in FeedOptions.__optional_keys__:
                parameters = signature(getattr(self, method)).parameters.values()
                own = [each.name for each in parameters if each.kind is each.KEYWORD_ONLY]
                takes = [*own, *FeedOptions.__annotations__]
                near = difflib.get_close_matches(snake_case(name), takes, n=1)
                meant = f"did you mean {near[0]!r}? " if near else ""
                raise ParameterError(
                    f"{method}: there is no parameter {shown(name)}; {meant}it takes {', '.join(takes)}"
                )
