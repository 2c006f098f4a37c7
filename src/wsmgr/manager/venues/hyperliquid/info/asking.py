"""Asking: what the facade's methods share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from wsmgr.manager.venues.hyperliquid.info.queries import QUERIES
from wsmgr.manager.venues.hyperliquid.meaning import check_coin, user_meant
from wsmgr.manager.venues.hyperliquid.values import read_address

if TYPE_CHECKING:
    from wsmgr.manager.model.outcome import Outcome
    from wsmgr.manager.venues.dialect import Requester
    from wsmgr.manager.venues.hyperliquid.meaning import HasAddress
    from wsmgr.manager.venues.hyperliquid.universe import Universe


class KnowsAssets(Protocol):
    """What knows the assets' names: the loader of the universe."""

    async def coin(self, name: str | int) -> str:
        """Return what the wire calls an asset.

        Raises:
            WsmgrError: There is no such asset, or the universe could not be loaded.
        """
        ...

    async def universe(self) -> Universe:
        """Return the whole universe.

        Raises:
            UniverseError: There is none, and it could not be loaded.
        """
        ...


class Asking:
    """The base of the facade.

    Args:
        requester: What sends the queries.
        universe: What knows the assets' names.
        address: The account that is meant where a call names none.

    Raises:
        ParameterError: The address is none.
    """

    def __init__(self, requester: Requester, universe: KnowsAssets, address: str | None = None) -> None:
        self._requester = requester
        self._universe = universe
        self._address = None if address is None else read_address("info: address", address)

    async def _ask(self, method: str, **values: object) -> Outcome[Any]:
        return await self._requester.request("info", QUERIES[method].payload(values))

    async def _ask_of_user(
        self, method: str, address: str | None, account: HasAddress | None, **values: object
    ) -> Outcome[Any]:
        user = user_meant(method, address, account, self._address)
        return await self._ask(method, address=user, **values)

    async def _ask_of_coin(
        self, method: str, asset: str | int | None, coin: str | None, **values: object
    ) -> Outcome[Any]:
        check_coin(method, asset, coin)
        if asset is not None:
            coin = await self._universe.coin(asset)
        return await self._ask(method, coin=coin, **values)
