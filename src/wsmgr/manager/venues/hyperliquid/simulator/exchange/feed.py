"""Feed: takes what happened to an account to everybody who watches it, at once and in the venue's order.

Streams tick by the clock; what an account does happens between ticks. Each event goes into its stream's log whether
somebody listens or not, under the number of the tick that its time lies in: events of one tick share it, and are told
apart by what identifies them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from wsmgr.manager.venues.hyperliquid.simulator.accounts import as_item
from wsmgr.manager.venues.hyperliquid.simulator.exchange.folding import fold_fills
from wsmgr.manager.venues.hyperliquid.simulator.sources import Frame, Tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from wsmgr.manager.venues.hyperliquid.simulator.accounts import Item
    from wsmgr.manager.venues.hyperliquid.simulator.exchange.happenings import Happenings
    from wsmgr.manager.venues.hyperliquid.simulator.hub import Stream
    from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import Subscription

Event = tuple[object, tuple[object, ...]]

_EVENTS = (
    "orderUpdates",
    "userEvents",
    "userFills",
    "userTwapSliceFills",
    "userTwapHistory",
    "userHistoricalOrders",
    "notification",
    "userNonFundingLedgerUpdates",
)
_ROUNDING = 1e-9


class Feed:
    """Sends frames that no tick makes."""

    def __init__(
        self, streams: Mapping[str, Stream], watching: Callable[[str], Sequence[Subscription]]
    ) -> None:
        """Make the feed of a hub.

        Args:
            streams: The hub's streams by key.
            watching: Every subscription that there ever was about an address.
        """
        self._streams = streams
        self._watching = watching

    def is_watched(self, user: str) -> bool:
        """Whether anybody ever subscribed to something about an address."""
        return bool(self._watching(user))

    def wake(self, user: str, now: float) -> None:
        """Bring an address's streams that nobody listens to up to now: what they send by the clock ends here."""
        for subscription in self._watching(user):
            stream = self._streams.get(subscription.key)
            if stream is not None and not stream.subscribers:
                stream.wake(now)

    def newest(self, user: str, type_: str) -> int | None:
        """The newest tick that an address's stream of a type has made; None when there is no such stream."""
        streams = (
            self._streams.get(subscription.key)
            for subscription in self._watching(user)
            if subscription.type == type_
        )
        made = [stream.n for stream in streams if stream is not None and stream.n is not None]
        return max(made, default=None)

    def tell(self, user: str, happened: Happenings, now: float) -> None:
        """Send what happened: the events, then every state of the account as it is now."""
        watched = self._watching(user)
        for type_ in _EVENTS:
            for subscription in watched:
                if subscription.type == type_:
                    for data, ids in _events(subscription, user, happened):
                        self._send(subscription, _frame(subscription, data, ids), now)
        if happened.changed:
            for subscription in watched:
                stream = self._streams.get(subscription.key)
                if stream is not None and stream.subscribers and not stream.source.events:
                    for frame in stream.source.first(Tick(_number_at(stream, now), now)):
                        self._send(subscription, frame, now)

    def _send(self, subscription: Subscription, frame: Frame, now: float) -> None:
        stream = self._streams.get(subscription.key)
        if stream is None:
            return
        n = _number_at(stream, now)
        stream.generated += 1
        if stream.source.events:
            stream.events.append((n, now, frame.ids))
        for subscriber, membership in list(stream.subscribers.items()):
            subscriber.deliver(membership.subscription, frame, n)


def _number_at(stream: Stream, now: float) -> int:
    """The number of the tick that a time lies in."""
    current = math.floor((now - stream.due(0)) / stream.interval + _ROUNDING)
    return current if stream.n is None else max(stream.n, current)


def _frame(subscription: Subscription, data: object, ids: tuple[object, ...]) -> Frame:
    return Frame(msgspec.json.encode({"channel": subscription.rule.channel, "data": data}).decode(), ids)


def _events(subscription: Subscription, user: str, happened: Happenings) -> Iterator[Event]:
    """What a stream of events sends: the data of each frame, and what identifies the events in it."""
    match subscription.type:
        case "orderUpdates":
            yield from _list(happened.order_updates, _order_ids)
        case "userEvents":
            yield from _user_events(happened)
        case "userFills":
            fills = (
                fold_fills(happened.fills) if subscription.values.get("aggregateByTime") else happened.fills
            )
            yield from _history(user, "fills", fills, _fill_ids)
        case "userTwapSliceFills":
            yield from _history(user, "twapSliceFills", happened.twap_slice_fills, _slice_ids)
        case "userTwapHistory":
            yield from _history(user, "history", happened.twap_events, _twap_ids)
        case "userHistoricalOrders":
            yield from _history(user, "orderHistory", happened.historical_orders, _order_ids)
        case "userNonFundingLedgerUpdates":
            yield from _history(user, "nonFundingLedgerUpdates", happened.ledger, _ledger_ids)
        case "notification":
            for text in happened.notifications:
                yield {"notification": text}, (text,)
        case _:
            pass


def _user_events(happened: Happenings) -> Iterator[Event]:
    """One member each frame. Fills of TWAP orders are in a member of their own, and not among the fills."""
    fills = [fill for fill in happened.fills if fill["twapId"] is None]
    yield from _member("fills", fills, _fill_ids)
    yield from _member("twapSliceFills", happened.twap_slice_fills, _slice_ids)
    yield from _member("twapHistory", happened.twap_events, _twap_ids)
    yield from _member("nonUserCancel", happened.venue_cancels, lambda item: item["oid"])


def _list(items: list[Item], identify: Callable[[Item], object]) -> Iterator[Event]:
    if items:
        yield items, tuple(identify(item) for item in items)


def _member(name: str, items: list[Item], identify: Callable[[Item], object]) -> Iterator[Event]:
    for data, ids in _list(items, identify):
        yield {name: data}, ids


def _history(user: str, name: str, items: list[Item], identify: Callable[[Item], object]) -> Iterator[Event]:
    for data, ids in _list(items, identify):
        yield {"user": user, name: data}, ids


def _fill_ids(fill: Item) -> object:
    return fill["tid"]


def _slice_ids(item: Item) -> object:
    return as_item(item["fill"])["tid"]


def _order_ids(change: Item) -> object:
    return [as_item(change["order"])["oid"], change["status"], change["statusTimestamp"]]


def _twap_ids(event: Item) -> object:
    return [as_item(event["state"])["timestamp"], as_item(event["status"])["status"], event["time"]]


def _ledger_ids(entry: Item) -> object:
    return [entry["time"], entry["hash"]]
