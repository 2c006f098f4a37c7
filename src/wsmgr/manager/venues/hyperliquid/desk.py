"""The desk of one Hyperliquid venue: what callers ask of it beside subscriptions.

It puts together the universe, the queries and the exchange from the venue's settings. The key is read when the desk is made,
and only where the settings allow trading: a key that nothing may be signed with is not looked for.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from wsmgr.manager.model.errors import ConfigurationError, UsageError
from wsmgr.manager.model.fact import Fact
from wsmgr.manager.model.showing import shown
from wsmgr.manager.venues.dialect import REQUEST_TIMEOUT, DeskSettings
from wsmgr.manager.venues.hyperliquid.exchange.account import Account
from wsmgr.manager.venues.hyperliquid.exchange.desk import TradingDesk
from wsmgr.manager.venues.hyperliquid.exchange.policy import TradingPolicy
from wsmgr.manager.venues.hyperliquid.info import UnknownQueryError, find_query
from wsmgr.manager.venues.hyperliquid.signing import Nonces, load_secret
from wsmgr.manager.venues.hyperliquid.universe import UniverseLoader, UnknownAssetError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wsmgr.manager.model.outcome import Outcome
    from wsmgr.manager.model.subscription_type import Atom
    from wsmgr.manager.venues.dialect import Requester

_DOMAINS: Final[Mapping[str, str]] = {
    "mainnet": "hyperliquid.xyz",
    "testnet": "hyperliquid-testnet.xyz",
}
_BESIDE: Final = ("vault_address", "expires_after")


class Desk:
    """What a Hyperliquid venue does for callers beside subscriptions.

    Attributes:
        requester: What sends its requests.
        universe: What knows the assets' names.
        trading: What makes, checks, signs and sends actions.
        account: Who acts where a call names nobody, or None where the venue has no key.
        address: Whose account is meant where a query names nobody, or None.
    """

    def __init__(self, requester: Requester, settings: DeskSettings) -> None:
        """Read the settings; nothing is sent.

        Raises:
            ConfigurationError: A setting cannot be used, or the key cannot.
        """
        options = _Options(settings)
        wall = settings.wall
        network = options.network()
        self.requester = requester
        self.account = options.account()
        self.address = settings.account
        self.universe = UniverseLoader(
            requester,
            path=options.file(f"universe-{settings.venue}.json"),
            wall=wall,
            source=settings.source if network is None else f"{settings.source} ({network})",
            on_moved=lambda moved: settings.note(_moved(settings.venue, moved)),
        )
        self.trading = TradingDesk(
            requester,
            self.universe,
            policy=options.policy(),
            account=self.account,
            # One file for all venues: one key may sign for several.
            nonces=Nonces(options.file("nonces.json"), lambda: int(wall() * 1000)),
            mainnet=None if network is None else network == "mainnet",
            note=settings.note,
            record=settings.record,
            venue=settings.venue,
        )

    async def info(self, payload: Mapping[str, object], *, timeout: float = REQUEST_TIMEOUT) -> Outcome[Any]:
        """Ask the venue. A query that the catalog knows is checked first; any other goes out as it is.

        Args:
            payload: `type`, by the venue's name or the method's, and the parameters beside it.
            timeout: Seconds for all of it.

        Raises:
            UsageError: There is no type, or a parameter is wrong.
            RequestNotSentError: It could not be sent in time.
        """
        name, params = _split(payload)
        try:
            query = find_query(name)
        except UnknownQueryError:
            # The venue may know more than the table does, and says so itself where it does not.
            return await self.requester.request("info", {"type": name, **params}, timeout=timeout)
        users = [each for each in query.parameters if each.name == "user"]
        if self.address is not None and users and not {"user", users[0].keyword} & params.keys():
            params["user"] = self.address
        return await self.requester.request("info", query.payload(params), timeout=timeout)

    async def preview(self, payload: Mapping[str, object]) -> Mapping[str, Any]:
        """Return what `act` would sign and send; nothing is signed or sent, and no nonce is taken.

        Raises:
            UsageError: The action is wrong.
            UniverseError: An asset is named and the universe could not be loaded.
        """
        name, params = _split(payload)
        beside = {key: params.pop(key) for key in _BESIDE if key in params}
        return await self.trading.preview(name, params, **beside)

    async def act(
        self, payload: Mapping[str, object], *, who: str, timeout: float = REQUEST_TIMEOUT
    ) -> Outcome[Any]:
        """Sign an action and send it, once. Cancellation and errors are those of `TradingDesk.act`.

        Args:
            payload: `type`, a method's name or the venue's; its parameters beside it, and `vault_address` and `expires_after`
                where they are wanted.
            who: Who wants it, for the notes.
            timeout: Seconds for sending it and its answer.
        """
        name, params = _split(payload)
        beside = {key: params.pop(key) for key in _BESIDE if key in params}
        return await self.trading.act(name, params, who=who, timeout=timeout, **beside)

    async def hint(self, atom: Atom) -> str | None:
        """Return what a refused wish may have meant, in half a sentence: the coins nearest to its own, or None.

        The universe is loaded for it where it is not there.

        Raises:
            WsmgrError: The universe could not be loaded.
        """
        coin = atom.params.get("coin")
        if not isinstance(coin, str):
            return None
        try:
            if coin == await self.universe.coin(coin):
                # The coin is there: it is something else that the venue refused.
                return None
        except UnknownAssetError:
            # It is not there, so what is near it may be meant.
            pass
        near = [name for name in self.universe.nearest(coin) if name != coin]
        return f"did you mean {' or '.join(near)}?" if near else None


class _Options:
    """The settings of a desk, read one by one."""

    def __init__(self, settings: DeskSettings) -> None:
        self._settings = settings
        self._where = f"[venues.{settings.venue}]"

    def policy(self) -> TradingPolicy:
        return TradingPolicy(
            trading=self._flag("trading"),
            transfers=self._flag("transfers"),
            allowed_actions=self._names("allowed_actions"),
            max_notional=self._amount("max_notional"),
        )

    def account(self) -> Account | None:
        settings = self._settings
        file, variable = self._text("secret_key_file"), self._text("secret_key_variable")
        if not self._flag("trading"):
            return None
        key = load_secret(
            settings.venue, file=None if file is None else Path(file).expanduser(), variable=variable
        )
        return None if key is None else Account(key=key, address=settings.account)

    def network(self) -> str | None:
        """Return the network, or None where nothing says it."""
        network = self._text("network")
        if network is not None and network not in _DOMAINS:
            near = difflib.get_close_matches(network, _DOMAINS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"choose {' or '.join(_DOMAINS)}"
            raise ConfigurationError(f"network of {self._where} is {shown(network)}; {hint}")
        host = (urlsplit(self._settings.url).hostname or "").rstrip(".")
        said = next((each for each, domain in _DOMAINS.items() if f".{host}".endswith(f".{domain}")), None)
        if said is not None and network not in {None, said}:
            raise ConfigurationError(
                f"network of {self._where} is {network!r}, and {host} is the {said}; leave one of them away"
            )
        return network or said

    def file(self, name: str) -> Path | None:
        directory = self._settings.directory
        return None if directory is None else directory / name

    def _flag(self, name: str) -> bool:
        value = self._settings.options.get(name, False)
        if not isinstance(value, bool):
            raise ConfigurationError(f"{name} of {self._where} is {shown(value)}; write true or false")
        return value

    def _text(self, name: str) -> str | None:
        value = self._settings.options.get(name)
        if value is not None and not isinstance(value, str):
            raise ConfigurationError(f"{name} of {self._where} is {shown(value)}, which is no text")
        return value

    def _names(self, name: str) -> frozenset[str] | None:
        value = self._settings.options.get(name)
        if value is None:
            return None
        names = _items(value)
        if not all(isinstance(each, str) for each in names):
            raise ConfigurationError(
                f'{name} of {self._where} is {shown(value)}; write a list: ["order", "cancel"]'
            )
        return frozenset(cast("Sequence[str]", names))

    def _amount(self, name: str) -> Any:  # noqa: ANN401 - the policy checks and converts it
        return self._settings.options.get(name)


def _moved(venue: str, moved: Mapping[str, tuple[int, int]]) -> Fact:
    detail = {"ids": {name: {"before": before, "now": now} for name, (before, now) in moved.items()}}
    return Fact(kind="asset_ids_moved", level="error", venue=venue, detail=detail)


def _items(value: object) -> Sequence[object]:
    """Return the items of a list; of anything else one that is none."""
    return cast("Sequence[object]", value) if isinstance(value, list | tuple) else [None]


def _split(payload: Mapping[str, object]) -> tuple[str, dict[str, Any]]:
    params = dict(payload)
    name = params.pop("type", None)
    if not isinstance(name, str) or not name:
        raise UsageError(f"a request names its type, such as 'allMids'; here it is {shown(name)}")
    return name, params
