"""How Hyperliquid speaks: the `Dialect` of its WebSocket API.

JSON text frames both ways, one subscription a request, no sequence numbers, no authentication; a new socket knows
nothing. The venue closes a socket to which it has sent nothing for 60 s, so an application ping goes out every 30 s.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit, urlunsplit

import msgspec
from attrs import define, evolve, field

from wsmgr.manager.model.errors import ConfigurationError, UnknownTypeError
from wsmgr.manager.model.quota import Quotas
from wsmgr.manager.model.showing import shown
from wsmgr.manager.model.subscription_type import Atom, SubscriptionType
from wsmgr.manager.model.type_table import catalog_with
from wsmgr.manager.venues.dialect import (
    Desk,
    DeskSettings,
    Frame,
    KeepAlive,
    Pong,
    Requester,
    RequestKind,
    Unroutable,
)
from wsmgr.manager.venues.hyperliquid import answers, frames, healing, payloads, posts
from wsmgr.manager.venues.hyperliquid.catalog import CATALOG
from wsmgr.manager.venues.hyperliquid.items import ItemReaders
from wsmgr.manager.venues.hyperliquid.shapes import Envelope, Shapes

if TYPE_CHECKING:
    from wsmgr.manager.model.healing import HealingQuery
    from wsmgr.manager.model.items import Item

_EXPLORER_HOSTS: Final[Mapping[str, str]] = {
    "api.hyperliquid.xyz": "rpc.hyperliquid.xyz",
    "api.hyperliquid-testnet.xyz": "rpc.hyperliquid-testnet.xyz",
}
_QUOTAS: Final = Quotas(
    connections=10,
    dials_per_minute=30,
    subscriptions=1000,
    users=10,
    messages_per_minute=2000,
    requests_in_flight=100,
)
_KEEP_ALIVE: Final = KeepAlive(interval=30.0, frame=b'{"method":"ping"}')
_RESERVED_CHANNELS: Final = ("pong", "subscriptionResponse", "error", "post")


@define(eq=False)
class HyperliquidDialect:
    """Hyperliquid's dialect: sans-I/O, without state, shared by all its venues.

    Attributes:
        name: `hyperliquid`.
        catalog: Its subscription types by name.
        default_url: The main net.
        quotas: The venue's published limits, per source address. Older documents allow 100 sockets; the newer figure
            is the one that never gets a caller locked out.
        keep_alive: What keeps an idle socket open.
        request_host: Which of its hosts takes requests.
    """

    name: str = "hyperliquid"
    catalog: Mapping[str, SubscriptionType] = CATALOG
    default_url: str = "wss://api.hyperliquid.xyz/ws"
    quotas: Quotas = _QUOTAS
    keep_alive: KeepAlive = _KEEP_ALIVE
    request_host: str = "api"
    _read: Callable[[bytes], Envelope] = field(init=False, repr=False)
    _shapes: Shapes = field(init=False, repr=False)
    _routes: dict[str, frames.Route] = field(init=False, repr=False)
    _bare_route: Callable[[bytes], Frame] = field(init=False, repr=False)
    _packed: frozenset[str] = field(init=False, repr=False)
    _item_readers: ItemReaders = field(factory=ItemReaders, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Make the routes once: those of the catalog, and those of the venue's answers."""
        served = [each for each in self.catalog.values() if each.removed is None]
        self._shapes = Shapes(served)
        self._read = self._shapes.read
        self._packed = frozenset(channel for each in served if each.packed for channel in each.channel)
        self._bare_route = frames.bare_route(served, self._shapes)
        self._routes = {
            **frames.routes(served, self._shapes),
            "pong": lambda _: Pong(),
            "subscriptionResponse": partial(answers.acknowledgement, self.catalog),
            "error": partial(answers.refusal, self.catalog),
        }

    def with_types(self, tables: Mapping[str, Mapping[str, object]]) -> Self:
        """Return this dialect with types added or corrected, as the configuration has them.

        Args:
            tables: The fields that are told, by the type's name; see `type_table`.

        Raises:
            ConfigurationError: A table cannot be meant.
        """
        catalog = catalog_with(
            self.catalog,
            tables,
            where=f"dialects.{self.name}.types",
            reserved_channels=_RESERVED_CHANNELS,
            # It is where a request names the type itself.
            reserved_parameters=("type",),
        )
        return evolve(self, catalog=catalog)

    def url(self, base: str, host: str) -> str:
        """Return the address of `api` or `explorer`; another service's explorer is below its own address.

        Raises:
            ConfigurationError: There is no such host.
        """
        if host == "api":
            return base
        if host != "explorer":
            raise ConfigurationError(f"{self.name} has no host {host!r}; it has api and explorer")
        parts = urlsplit(base)
        name = parts.hostname or ""
        if name in _EXPLORER_HOSTS:
            netloc = parts.netloc.lower().replace(name, _EXPLORER_HOSTS[name])
            return urlunsplit(parts._replace(netloc=netloc))
        return urlunsplit(
            parts._replace(path=parts.path.removesuffix("/").removesuffix("/ws") + "/explorer/ws")
        )

    def atom(self, type_name: str, params: Mapping[str, object]) -> Atom:
        """Check a wish. Whether a coin exists is the venue's to say.

        Raises:
            UnknownTypeError: No such type (the message names the nearest ones), or one that the venue removed.
            ParameterError: A parameter is missing, unknown or malformed.
        """
        subscription_type = self.catalog.get(type_name)
        if subscription_type is None:
            raise UnknownTypeError(_unknown(type_name, self.catalog))
        if subscription_type.removed is not None:
            raise UnknownTypeError(f"{type_name}: {subscription_type.removed}")
        canonical = answers.canonical(subscription_type, params)
        return Atom(
            type=subscription_type,
            params=canonical,
            wire_key=frames.wire_key(subscription_type, canonical),
            user=None if subscription_type.user is None else canonical[subscription_type.user],
        )

    def subscribe(self, atom: Atom) -> bytes:
        """Return the frame that asks for it."""
        return _request("subscribe", atom)

    def unsubscribe(self, atom: Atom) -> bytes:
        """Return the frame that ends it: with the same parameters, or the venue does not know what is meant."""
        return _request("unsubscribe", atom)

    def request(self, number: int, kind: RequestKind, payload: Mapping[str, Any]) -> bytes:
        """Return the frame that makes a request; its answer names the number again."""
        return posts.request(number, kind, payload)

    def desk(self, requester: Requester, settings: DeskSettings) -> Desk:
        """Return the desk of one of its venues: universe, queries and exchange.

        Raises:
            ConfigurationError: A setting cannot be used, or the key cannot.
        """
        # Its modules are many, and most programs only subscribe.
        from wsmgr.manager.venues.hyperliquid.desk import Desk as HyperliquidDesk  # noqa: PLC0415

        return HyperliquidDesk(requester, settings)

    def classify(self, raw: bytes) -> Frame:
        """Say what a frame is, reading only what routing needs; never raises for what a peer may send."""
        read = self._read
        try:
            envelope = read(raw)
        except frames.UNREADABLE:
            if raw.lstrip().startswith(b"["):
                return self._bare_route(raw)
            lenient = self._shapes.read_leniently(raw)
            if lenient is None:
                return Unroutable("unparsed")
            envelope = lenient
        route = self._routes.get(envelope.channel)
        if route is not None:
            return route(envelope.data)
        return (
            posts.answer(raw)
            if envelope.channel == "post"
            else Unroutable("unknown_channel", envelope.channel)
        )

    def payload(self, raw: bytes) -> Any:  # noqa: ANN401 - the payload's shape is the venue's
        """Decode the frame's `data` member (`fastAssetCtxs`: the JSON packed in it); of the explorer's, the whole frame.

        Raises:
            PayloadError: The frame is not JSON, or its packed payload is damaged or larger than 16 MiB.
        """
        return payloads.decode(raw, self._packed)

    def payload_bytes(self, raw: bytes) -> bytes:
        """Return the frame's `data` member as the JSON text that came (`fastAssetCtxs`: the text packed in it).

        Of the explorer's frames it is the whole frame.

        Raises:
            PayloadError: The frame is not JSON, or its packed payload is damaged or larger than 16 MiB.
        """
        return payloads.undecoded(raw, self._packed)

    def compose(self, subscription_type: SubscriptionType, frames: Sequence[bytes]) -> bytes:
        """Make one snapshot frame of a snapshot and the frames after it, oldest first.

        Raises:
            PayloadError: A frame is not one of this type.
        """
        return payloads.compose(subscription_type, frames)

    def items(self, subscription_type: SubscriptionType, raw: bytes) -> list[Item]:
        """Return the items of a frame, in its order.

        Raises:
            PayloadError: The frame is not one of this type.
        """
        return self._item_readers.of(subscription_type).items(raw)

    def with_items(self, subscription_type: SubscriptionType, raw: bytes, items: Sequence[Item]) -> bytes:
        """Return a frame like another one, with only these items.

        Raises:
            PayloadError: The frame is not one of this type, or cannot hold so many.
        """
        return self._item_readers.of(subscription_type).with_items(raw, items)

    def heal(self, atom: Atom, since: float, until: float) -> HealingQuery | None:
        """Return the query that may bring what a gap of a subscription has swallowed, or None where the type has none."""
        return healing.heal(atom, since, until, self._item_readers)

    def count_items(self, subscription_type: SubscriptionType, raw: bytes) -> int:
        """Return how many items a frame holds.

        Raises:
            PayloadError: The frame is not one of this type.
        """
        return payloads.count_items(subscription_type, raw)


def _request(method: str, atom: Atom) -> bytes:
    subscription = {"type": atom.type.name, **dict(sorted(atom.params.items()))}
    return msgspec.json.encode({"method": method, "subscription": subscription})


def _unknown(type_name: str, catalog: Mapping[str, SubscriptionType]) -> str:
    served = {name.lower(): name for name, each in catalog.items() if each.removed is None}
    lowered = type_name.lower()
    near = [lowered] if lowered in served else difflib.get_close_matches(lowered, served)
    hint = f"did you mean {' or '.join(served[name] for name in near)}? " if near else ""
    return f"there is no subscription type {shown(type_name)}; {hint}`wsmgr types hyperliquid` lists them all"
