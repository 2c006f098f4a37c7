"""Asking: what the facade's methods share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from wsmgr.manager.model.errors import UsageError
from wsmgr.manager.model.subscription_type import Parameter, ParameterKind
from wsmgr.manager.venues.hyperliquid.info.queries import QUERIES

if TYPE_CHECKING:
    from wsmgr.manager.model.outcome import Outcome
    from wsmgr.manager.venues.dialect import Requester
    from wsmgr.manager.venues.hyperliquid.universe import UniverseLoader

_ADDRESS = Parameter(name="address", kind=ParameterKind.ADDRESS)


class HasAddress(Protocol):
    """An account: anything with an address."""

    @property
    def address(self) -> str:
        """0x and 40 hexadecimal digits."""
        ...


class HasVaultAddress(Protocol):
    """An account that may trade for a vault."""

    @property
    def vault_address(self) -> str | None:
        """0x and 40 hexadecimal digits, or None."""
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

    def __init__(self, requester: Requester, universe: UniverseLoader, address: str | None = None) -> None:
        self._requester = requester
        self._universe = universe
        self._address: str | None = None if address is None else _ADDRESS.parse("info", address)

    async def _ask(self, method: str, **values: object) -> Outcome[Any]:
        return await self._requester.request("info", QUERIES[method].payload(values))

    async def _ask_of_user(
        self, method: str, address: str | None, account: HasAddress | None, **values: object
    ) -> Outcome[Any]:
        if address is not None and account is not None:
            raise UsageError(f"{method}: address and account are both given; give one of them")
        user = account.address if account is not None else self._address if address is None else address
        if user is None:
            raise UsageError(
                f"{method}: no account is named; give address= or account=, here or to the client"
            )
        return await self._ask(method, address=user, **values)

    async def _ask_of_coin(
        self, method: str, asset: str | int | None, coin: str | None, **values: object
    ) -> Outcome[Any]:
        if (asset is None) == (coin is None):
            given = "neither asset nor coin is given" if coin is None else "asset and coin are both given"
            raise UsageError(f"{method}: {given}; give one of them")
        if asset is not None:
            coin = await self._universe.coin(asset)
        return await self._ask(method, coin=coin, **values)
