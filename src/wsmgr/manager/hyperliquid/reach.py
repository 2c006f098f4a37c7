"""How the facades reach the venue: through the manager of the client's place, once there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import anyio

from wsmgr.manager.runtime.subscribing import DEFAULT_TIMEOUT
from wsmgr.manager.venues.dialect import REQUEST_TIMEOUT, left_until, read_timeout
from wsmgr.manager.venues.hyperliquid.universe import UniverseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsmgr.manager.hyperliquid.place import Place
    from wsmgr.manager.manager import TakesItems
    from wsmgr.manager.model.outcome import Outcome
    from wsmgr.manager.runtime.handle import Subscription
    from wsmgr.manager.venues.dialect import RequestKind
    from wsmgr.manager.venues.hyperliquid.desk import Desk
    from wsmgr.manager.venues.hyperliquid.exchange import Account as TradingAccount
    from wsmgr.manager.venues.hyperliquid.subscriptions import FeedOptions
    from wsmgr.manager.venues.hyperliquid.universe import Universe


class Host:
    """What makes the client's subscriptions: the manager."""

    def __init__(self, place: Place) -> None:
        self._place = place

    async def subscribe(
        self, type_name: str, params: Mapping[str, object], *, queue: object | None, options: FeedOptions
    ) -> Subscription:
        """Subscribe through the manager; the wait for it counts."""
        timeout = options.get("timeout", DEFAULT_TIMEOUT)
        deadline = anyio.current_time() + timeout
        manager = await self._place.manager(timeout)
        left: FeedOptions = {**options, "timeout": max(0.0, deadline - anyio.current_time())}
        inbox = cast("TakesItems | None", queue)  # the facade has checked it
        return await manager.subscribe(type_name, venue=self._place.venue, params=params, inbox=inbox, **left)


class Requester:
    """What sends the client's questions: the venue's own requester."""

    def __init__(self, place: Place) -> None:
        self._place = place

    async def request(
        self, kind: RequestKind, payload: Mapping[str, Any], *, timeout: float = REQUEST_TIMEOUT
    ) -> Outcome[Any]:
        """Send one request as the venue's requester does; the wait for the manager counts."""
        desk, left = await _desk_in_time(self._place, timeout)
        return await desk.requester.request(kind, payload, timeout=left)


class Names:
    """What knows the assets' names: the venue's universe."""

    def __init__(self, place: Place) -> None:
        self._place = place

    async def coin(self, name: str | int, *, timeout: float = REQUEST_TIMEOUT) -> str:
        """Return what the wire calls an asset.

        Raises:
            UniverseError: It could not be looked up in time.
        """
        deadline = anyio.current_time() + timeout
        desk = await self._place.desk(timeout)
        with anyio.move_on_after(deadline - anyio.current_time()):
            return await desk.universe.coin(name)
        raise UniverseError(
            f"the universe of Hyperliquid was not loaded within {timeout:g} s, and {name!r} is looked up in it"
        )

    async def universe(self) -> Universe:
        """Return the whole universe."""
        return await (await self._place.desk(REQUEST_TIMEOUT)).universe.universe()


class Trader:
    """What carries the client's actions out: the venue's trading desk, in the name of the client's account."""

    def __init__(self, place: Place, account: TradingAccount | None) -> None:
        self._place = place
        self._account = account

    async def act(
        self,
        name: str,
        params: Mapping[str, object],
        *,
        account: TradingAccount | None = None,
        timeout: float = REQUEST_TIMEOUT,
        **options: Any,  # noqa: ANN401 - each is of its own type
    ) -> Outcome[Any]:
        """Carry an action out, as `TradingDesk.act` does; `account` where it is given, else the client's. The wait counts."""
        desk, left = await _desk_in_time(self._place, timeout)
        actor = account or self._account
        return await desk.trading.act(name, params, account=actor, timeout=left, **options)


async def _desk_in_time(place: Place, timeout: float) -> tuple[Desk, float]:
    """Return the desk, and what is left of a timeout now that it is there."""
    seconds = read_timeout(timeout)
    deadline = anyio.current_time() + seconds
    return await place.desk(seconds), left_until(deadline, anyio.current_time())
