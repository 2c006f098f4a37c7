"""Truth: what the venue made of each stream, and what of it reached the client.

Kept as it happens, from the simulator's own hand (`Witness`) and from the network's (`Network.on_arrived`); the manager has no
part in it. A stream that nobody has subscribed to makes nothing, so `Truth.observe` is another client of it: then it is
known what was due while the one under test had lost it. A *unit* is the smallest thing that can be missing: an item of a type that sends items, else a whole tick.
All times are the loop's.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

import msgspec
from attrs import define, field, frozen

from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import read_subscription

if TYPE_CHECKING:
    from wsmgr.manager.model.message import Message
    from wsmgr.manager.testing.simulated.network import Connection, Network
    from wsmgr.manager.venues.hyperliquid.simulator.session import Outgoing
    from wsmgr.manager.venues.hyperliquid.simulator.sources import Frame
    from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import Subscription

Keys = tuple[str, ...]

_ORDER: Keys = ("order.oid", "status", "statusTimestamp")
_ITEMS: dict[str, tuple[str | None, Keys]] = {
    "trades": ("", ("tid",)),
    "candle": (None, ("t", "n", "v")),
    "orderUpdates": ("", _ORDER),
    "userFills": ("fills", ("tid", "oid", "side")),
    "userFundings": ("fundings", ("time", "coin")),
    "userNonFundingLedgerUpdates": ("nonFundingLedgerUpdates", ("time", "hash")),
    "userHistoricalOrders": ("orderHistory", _ORDER),
    "userTwapHistory": ("history", ("state.timestamp", "time", "status.status")),
    "userTwapSliceFills": ("twapSliceFills", ("fill.tid",)),
    "explorerBlock": ("", ("height",)),
    "explorerTxs": ("", ("hash",)),
}
"""For each type that sends items: where they are in its data (`""`: the data is the list; None: the data is the one item), and what
makes one unique. It is the simulator's knowledge of what it makes, and shares nothing with the catalog that it checks."""

ITEMIZED = frozenset({*_ITEMS, "userEvents"})
"""The types whose units are items; everything else is looked at tick by tick."""

SAME = 64
"""How many ticks of equal frames are kept apart."""


@frozen
class Made:
    """One tick that the venue made.

    Attributes:
        n: Its number.
        at: When it was due.
        units: What it holds.
    """

    n: int
    at: float
    units: tuple[Hashable, ...]


@frozen
class Arrival:
    """One data frame that was handed to the client.

    Attributes:
        at: When.
        connection: The number of its connection.
        n: The tick that it is of.
    """

    at: float
    connection: int
    n: int


@define(eq=False)
class StreamTruth:
    """What is known of one stream of the venue.

    Attributes:
        key: The venue's key of it.
        type: The subscription type.
        made: Every tick that had something to say, in the order of their times.
        arrivals: Every frame that reached the client, in order.
        arrived: When each tick reached the client first.
        units: Every unit that was made, or that reached the client in a snapshot.
        made_at: When each unit was made.
    """

    key: str
    type: str
    made: list[Made] = field(factory=list[Made], repr=False)
    arrivals: list[Arrival] = field(factory=list[Arrival], repr=False)
    arrived: dict[int, float] = field(factory=dict[int, float], repr=False)
    units: set[Hashable] = field(factory=set[Hashable], repr=False)
    made_at: dict[Hashable, float] = field(factory=dict[Hashable, float], repr=False)
    _by_text: dict[int, deque[int]] = field(factory=dict[int, "deque[int]"], repr=False)

    @property
    def itemized(self) -> bool:
        """Whether its units are items."""
        return self.type in ITEMIZED

    def take_made(self, n: int, at: float, frames: Sequence[Frame]) -> None:
        """Take a tick that was made."""
        units: tuple[Hashable, ...] = (n,)
        if self.itemized:
            units = tuple(unit for frame in frames for unit in items(self.type, payload(frame.text)))
        self.units.update(units)
        self.made_at.update(dict.fromkeys(units, at))
        self.made.append(Made(n, at, units))

    def made_between(self, first: float, last: float) -> Sequence[Made]:
        """Return the ticks that were due in a time, its ends among it; `made` is in the order of their times."""
        begin = bisect_left(self.made, first, key=_at)
        return self.made[begin : bisect_right(self.made, last, lo=begin, key=_at)]

    def take_arrival(self, n: int, at: float, connection: int, raw: bytes) -> None:
        """Take a frame that reached the client."""
        self.arrivals.append(Arrival(at, connection, n))
        self.arrived.setdefault(n, at)
        if self.itemized:
            self.units.update(items(self.type, payload(raw)))
        else:
            # Where a state did not change, one frame shows several ticks: they cannot be told apart, and need not be.
            self._by_text.setdefault(hash(raw), deque(maxlen=SAME)).append(n)

    def units_of(self, message: Message) -> tuple[Hashable, ...] | None:
        """Return the units of a message that a consumer got, None where it is not of this stream.

        An item may be told by an answer to a question before the stream has sent it: whether it is of the stream shows later.
        """
        if not self.itemized:
            same = self._by_text.get(hash(message.raw))
            return None if same is None else tuple(same)
        try:
            return items(self.type, message.data)
        except (AttributeError, KeyError, TypeError):
            return None

    def knows(self, unit: Hashable) -> bool:
        """Whether an item is of this stream.

        The stream userEvents of a made-up account tells of some of its fills only, and a question of all of them; they are known by
        the account's own range of trade numbers.
        """
        if unit in self.units or self.type != "userEvents":
            return unit in self.units
        return _account_of(unit) in {_account_of(each) for each in self.units} - {None}

    def without_replaced(self, missing: Sequence[Made], seen: Iterable[Hashable]) -> list[Made]:
        """Return those ticks that nothing has replaced for a consumer that has seen some units.

        A bar of a candle is replaced by the next frame of the same bar; whoever has a later one misses nothing. The history of orders
        has each order as it is now: a later status of it replaces the ones before.
        """
        if self.type == "orderUpdates":
            orders = [cast("tuple[int, str, int]", unit) for unit in seen]
            latest = {oid: at for oid, _, at in sorted(orders, key=lambda unit: unit[2])}
            return [
                made
                for made in missing
                if any(
                    latest.get(oid, -1) < at for oid, _, at in cast("list[tuple[int, str, int]]", made.units)
                )
            ]
        if self.type != "candle":
            return list(missing)
        newest: dict[object, int] = {}
        for unit in seen:
            begin, trades, _ = cast("tuple[int, int, str]", unit)
            newest[begin] = max(newest.get(begin, 0), trades)
        units = ((made, cast("tuple[int, int, str]", made.units[0])) for made in missing)
        return [made for made, (begin, trades, _) in units if newest.get(begin, -1) < trades]


class _Observer:
    """A client that is always there and takes everything."""

    def deliver(self, subscription: Subscription, frame: Frame, n: int) -> None:
        """Take a frame; what was made is known already."""

    def is_congested(self, now: float) -> bool:
        """Never."""
        del now
        return False


class Truth:
    """Everything that the venue made and the client was handed.

    Attributes:
        streams: What is known of each stream, by the venue's key.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.streams: dict[str, StreamTruth] = {}
        self._network: Network | None = None
        self._observer = _Observer()

    def watch(self, network: Network) -> None:
        """Take what reaches the clients of a network whose witness this is."""
        self._network = network
        network.on_arrived = self._arrived

    def observe(self, key: str) -> StreamTruth:
        """Be a client of a stream from now on, and return what is known of it."""
        network = self._network
        assert network is not None  # noqa: S101 - see `watch`
        subscription = read_subscription(msgspec.json.decode(key))
        network.engine.hub.join(subscription, self._observer, network.now())
        network.hub_changed()
        return self.stream(key)

    def ignore(self, key: str) -> None:
        """Be no client of a stream any more."""
        network = self._network
        assert network is not None  # noqa: S101 - see `watch`
        network.engine.hub.leave(read_subscription(msgspec.json.decode(key)), self._observer)

    def stream(self, key: str) -> StreamTruth:
        """Return what is known of a stream."""
        found = self.streams.get(key)
        if found is None:
            kind = msgspec.json.decode(key, type=dict[str, object])["type"]
            found = self.streams[key] = StreamTruth(key, str(kind))
        return found

    def made(self, stream: str, n: int, due: float, frames: Sequence[Frame]) -> None:
        """Take a tick that was made (`Witness`)."""
        if frames and self._network is not None:
            self.stream(stream).take_made(n, self._network.begun + due, frames)

    def _arrived(self, connection: Connection, frames: Sequence[Outgoing], now: float) -> None:
        for frame in frames:
            if frame.stream is not None and frame.n is not None:
                stream = self.stream(frame.stream)
                stream.take_arrival(frame.n, now, connection.number, frame.text.encode())


def _at(made: Made) -> float:
    return made.at


def stream_key(subscribe: bytes) -> str:
    """Return the venue's key of the stream that a subscribe request asks for."""
    request = msgspec.json.decode(subscribe, type=dict[str, object])
    return read_subscription(request["subscription"]).key


def items(kind: str, data: Any) -> tuple[Hashable, ...]:  # noqa: ANN401 - decoded JSON
    """Return what identifies each item of a payload.

    Raises:
        AttributeError, KeyError, TypeError: It is no payload of this type.
    """
    if kind == "userEvents":
        # One member a frame, its first; fills can be asked for one by one.
        name = next(iter(data))
        return items("userFills", data) if name == "fills" else ((name, msgspec.json.encode(data[name])),)
    member, keys = _ITEMS[kind]
    found = [data] if member is None else data[member] if member else data
    return tuple(tuple(_field(item, key) for key in keys) for item in found)


def payload(raw: bytes | str) -> Any:  # noqa: ANN401 - decoded JSON
    """Return the data of a frame; of a bare one, all of it.

    Raises:
        MsgspecError: It is no JSON.
        KeyError: It is no frame of data.
    """
    if raw[:1] in {"[", b"["}:
        return msgspec.json.decode(raw)
    return msgspec.json.decode(raw, type=dict[str, Any])["data"]


def _account_of(unit: Hashable) -> int | None:
    """Return whose fill it is: accounts number their trades in ranges of 65,536; None for what is no fill."""
    first = cast("tuple[Hashable, ...]", unit)[0] if isinstance(unit, tuple) else None
    return first >> 16 if isinstance(first, int) else None


def _field(item: Any, path: str) -> Any:  # noqa: ANN401 - decoded JSON
    for name in path.split("."):
        item = item[name]
    return item
