"""The client: Hyperliquid's three interfaces by name."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, Self, get_args

import anyio

from wsmgr.manager.hyperliquid.place import Given, Own, Place, desk_of
from wsmgr.manager.hyperliquid.reach import Host, Names, Requester, Trader
from wsmgr.manager.manager import Manager
from wsmgr.manager.model.errors import ManagerClosedError, UsageError
from wsmgr.manager.model.showing import forgetful, shown
from wsmgr.manager.venues.hyperliquid.exchange import Exchange
from wsmgr.manager.venues.hyperliquid.info import Info
from wsmgr.manager.venues.hyperliquid.subscriptions import Subscriptions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from wsmgr.manager.venues.hyperliquid.exchange import Account as TradingAccount

Network = Literal["mainnet", "testnet"]

TESTNET_URL: Final = "wss://api.hyperliquid-testnet.xyz/ws"
"""Where the test network is. Source: the venue's page "WebSocket"."""

_VENUE: Final = "hyperliquid"


class Hyperliquid:
    """A client of one Hyperliquid venue: three interfaces by name, over the manager's sockets.

    It works on a running manager, which stays its owner's, or runs one of its own: `async with client.run()` for a block, or
    `run_forever()` in a task. Calls that come while its own manager does not run wait for it, as long as their `timeout` says.

    Attributes:
        subscriptions: Streams: `l2_book`, `trades`, `user_fills`, ...
        info: Questions: `all_mids`, `user_state`, ...
        exchange: Actions: `place_order`, `cancel_order`, ... They need `trading=True`, or `trading = true` in the
            configuration of the manager that is given.

    Args:
        manager: A running manager, or None for one of its own.
        account: Who signs actions, and whose streams and answers are meant where a call names nobody.
        address: Whose streams and answers are meant, where there is no account.
        network: The network of its own manager, `mainnet` unless given: where it connects to, and what actions are signed for.
        url: The address of its own manager's venue: a simulator, a proxy. Where it is neither network's own, actions are
            signed only with `network` given: a signature is good for one of them, and no network is guessed.
        venue: The venue's name; None for the only one, or `hyperliquid`.
        trading: Whether its own manager may send orders.
        transfers: Whether its own manager may send transfers, withdrawals and approvals as well.
        manager_options: Further options of its own manager, such as `state_dir`.

    Raises:
        UsageError: Both an account and an address are given; an option is given that is the given manager's own; the venue is
            not Hyperliquid, or its settings contradict each other.
        ParameterError: The address is none.
        ManagerClosedError: The given manager is not running.
    """

    @forgetful  # of a key that was given as something else
    def __init__(
        self,
        manager: Manager | None = None,
        *,
        account: TradingAccount | None = None,
        address: str | None = None,
        network: Network | None = None,
        url: str | None = None,
        venue: str | None = None,
        trading: bool = False,
        transfers: bool = False,
        **manager_options: Any,  # noqa: ANN401 - each is of its own type
    ) -> None:
        """Check the arguments; nothing runs yet."""
        if account is not None and address is not None:
            raise UsageError("account and address are both given; give one of them")
        if account is not None:
            address = account.address or account.key.address
        place: Place
        if manager is None:
            settings = _settings(address, network, trading=trading, transfers=transfers)
            name = venue or _VENUE
            place = Own(_maker(name, settings, url, manager_options), name)
        else:
            _check_own(manager_options, network=network, url=url, trading=trading, transfers=transfers)
            place = Given(manager, venue)
            address = address or desk_of(manager, venue).address
        names = Names(place)
        self._place = place
        self.subscriptions = Subscriptions(Host(place), names, address)
        self.info = Info(Requester(place), names, address)
        self.exchange = Exchange(Trader(place, account))

    @asynccontextmanager
    async def run(self) -> AsyncGenerator[Self, None]:
        """Run its own manager for a block; where one was given, that must be running already and goes on after it.

        Leaving the block ends this client's feeds and, in an orderly way, its own manager: no task and no socket is left. The
        client may be run again afterwards.

        Raises:
            UsageError: It runs already, or its settings contradict each other.
            ManagerClosedError: The given manager is not running.
            StateDirectoryError: The state directory is held by another manager, or cannot be used.
        """
        async with self._place.run():
            try:
                yield self
            finally:
                self.subscriptions.unsubscribe_all()

    @property
    def manager(self) -> Manager:
        """The manager that it works on: for metrics, gaps, connections, and what has no name here.

        Raises:
            ManagerClosedError: Its own manager does not run.
        """
        manager = self._place.present()
        if manager is None:
            raise ManagerClosedError("this client does not run; use it inside `async with client.run()`")
        return manager

    async def run_forever(self) -> None:
        """Run until cancelled; raises what `run` raises. It is for a task of its own: keep a reference to that task."""
        async with self.run():
            await anyio.sleep_forever()


def _settings(address: str | None, network: str | None, *, trading: bool, transfers: bool) -> dict[str, Any]:
    """Return the venue's table of a configuration."""
    if network not in {None, *get_args(Network)}:
        raise UsageError(f"network={shown(network)} is not known; choose {' or '.join(get_args(Network))}")
    settings = {
        "dialect": _VENUE,
        "url": TESTNET_URL if network == "testnet" else None,
        "account": address,
        "network": network,
        "trading": trading or None,
        "transfers": transfers or None,
    }
    return {name: value for name, value in settings.items() if value is not None}


def _maker(
    venue: str, settings: dict[str, Any], url: str | None, options: Mapping[str, Any]
) -> Callable[[], Manager]:
    for name in ("config", "venues"):
        if name in options:
            raise UsageError(f"{name} is a manager's: give it to a Manager, and that to the client")
    return partial(Manager, [venue], url=url, config={"venues": {venue: settings}}, **options)


def _check_own(options: Mapping[str, Any], **more: object) -> None:
    """Refuse options that the given manager has decided already."""
    asked = {**more, **options}
    given = [name for name, value in asked.items() if value is not None and value is not False]
    if given:
        raise UsageError(
            f"{', '.join(given)}: the manager that is given has its own; set it there, in its configuration"
        )
