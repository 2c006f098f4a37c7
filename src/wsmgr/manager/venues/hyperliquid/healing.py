"""Healing at Hyperliquid: which query brings what a gap of a stream has swallowed, and how its answer becomes frames of the stream.

What the queries are, with their limits (source: the venue's page "Info endpoint"; what is not there is what its streams and clients
show):

* `userFillsByTime`: a period, oldest first, 2,000 at a time, of the newest 10,000. Its end is left open, so that those 10,000 can
  be counted.
* `userFunding`, `userNonFundingLedgerUpdates`: a period, oldest first, 500 at a time.
* `candleSnapshot`: the bars of a period, the newest 5,000. A bar that is not over is left out: the stream brings it as it is.
* `historicalOrders`, `userTwapSliceFills`: the newest 2,000; `twapHistory`: the newest, cut where is not known. They take no
  period, and prove a gap only where they reach back.
* `recentTrades`: what a new subscriber gets anyway, about 30. Deep gaps of trades cannot be filled.

An item of an answer is made an item of the stream, and its key is read from a frame made of it, by the same reader as those of the
stream: so what is the same has the same key. `userFunding` wraps each payment, `historicalOrders` has more members than
`orderUpdates`. Of `userEvents` only the fills can be asked for, and of those not the ones of TWAPs, which that stream has apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
from attrs import frozen

from wsmgr.manager.model.healing import HealingQuery
from wsmgr.manager.model.subscription_type import Atom, SubscriptionType
from wsmgr.manager.venues.hyperliquid import payloads
from wsmgr.manager.venues.hyperliquid.catalog import CATALOG
from wsmgr.manager.venues.hyperliquid.payloads import PayloadError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsmgr.manager.model.items import Item
    from wsmgr.manager.venues.hyperliquid.items import ItemReader, ItemReaders

ITEMS_IN_FRAME: Final = 100
_MINUTE: Final = 60_000
_LENGTHS: Final = {
    "m": _MINUTE,
    "h": 60 * _MINUTE,
    "d": 1440 * _MINUTE,
    "w": 10_080 * _MINUTE,
    "M": 44_640 * _MINUTE,
}
_UPDATE_MEMBERS: Final = ("coin", "side", "limitPx", "sz", "oid", "timestamp", "origSz", "cloid")
"""What `orderUpdates` has of an order; the other members of `historicalOrders` are not in that stream."""

_Record = Mapping[str, Any]
_encode: Final = msgspec.json.encode


@frozen(kw_only=True)
class _Source:
    """One query: what it takes beside its type, of a subscription and a period in milliseconds, and how far it goes.

    `needs` are the parameters without which a type, one of the configuration, cannot be asked for.
    """

    params: Callable[[Atom, int, int], dict[str, Any]]
    needs: tuple[str, ...] = ("user",)
    cap: int | None = None
    paged: bool = False
    depth: int | None = None


def _of_user(atom: Atom, _since: int = 0, _until: int = 0) -> dict[str, Any]:
    return {"user": atom.params["user"]}


def _of_period(atom: Atom, since: int, until: int) -> dict[str, Any]:
    return {**_of_user(atom), "startTime": since, "endTime": until}


def _fills(atom: Atom, since: int, _until: int) -> dict[str, Any]:
    folded = {"aggregateByTime": True} if atom.params.get("aggregateByTime") else {}
    return {**_of_user(atom), **folded, "startTime": since}


def _candles(atom: Atom, since: int, until: int) -> dict[str, Any]:
    interval = atom.params["interval"]
    # The bar that was not over when the gap began is one of those that are wanted.
    start = since - int(interval[:-1]) * _LENGTHS[interval[-1]]
    period = {"startTime": max(0, start), "endTime": until}
    return {"req": {"coin": atom.params["coin"], "interval": interval, **period}}


def _trades(atom: Atom, _since: int, _until: int) -> dict[str, Any]:
    return {"coin": atom.params["coin"]}


_SOURCES: Final[Mapping[str, _Source]] = {
    "userFillsByTime": _Source(params=_fills, cap=2000, paged=True, depth=10_000),
    "userFunding": _Source(params=_of_period, cap=500, paged=True),
    "userNonFundingLedgerUpdates": _Source(params=_of_period, cap=500, paged=True),
    "candleSnapshot": _Source(params=_candles, needs=("coin", "interval"), cap=5000),
    "historicalOrders": _Source(params=_of_user, cap=2000),
    "userTwapSliceFills": _Source(params=_of_user, cap=2000),
    "twapHistory": _Source(params=_of_user),
    "recentTrades": _Source(params=_trades, needs=("coin",)),
}
_LEFT_OUT: Final = {
    "userEvents": "funding, liquidations, cancellations by the venue and TWAPs, which this stream tells too"
}


def heal(atom: Atom, since: float, until: float, readers: ItemReaders) -> HealingQuery | None:
    """Return the query that may fill a gap of a stream, or None where there is none.

    Args:
        atom: The subscription.
        since: From when on, in unix seconds by the venue's clock.
        until: Until when.
        readers: What reads the items of frames.
    """
    name = atom.type.healing
    source = None if name is None else _SOURCES.get(name)
    if name is None or source is None or not all(each in atom.params for each in source.needs):
        return None
    # Of `userEvents` it is the fills that are read, and these look as in `userFills`.
    reader = readers.of(CATALOG["userFills"] if atom.type.name == "userEvents" else atom.type)
    until_ms = math.ceil(until * 1000)
    return HealingQuery(
        name=name,
        payload={"type": name, **source.params(atom, max(0, math.floor(since * 1000)), until_ms)},
        items=partial(_items, atom, reader, until_ms),
        frames=partial(_frames, atom),
        seen=partial(_seen, atom, reader),
        cap=source.cap,
        paged=source.paged,
        depth=source.depth,
        leaves_out=_LEFT_OUT.get(atom.type.name),
    )


def _items(atom: Atom, reader: ItemReader, until: int, answer: object) -> list[Item]:
    try:
        records = msgspec.convert(answer, list[dict[str, Any]])
        texts = [_encode(found) for record in records if (found := _item(atom, record, until)) is not None]
        member = reader.subscription_type.items
        payload = {member: _listed(texts)} if member else _listed(texts)
        return reader.items(_frame(reader.subscription_type, payload))
    except (msgspec.ValidationError, KeyError, TypeError, AttributeError) as error:
        raise PayloadError(f"{atom.type.healing}: an answer cannot be read: {error!r}") from error


def _item(atom: Atom, record: _Record, until: int) -> _Record | None:
    """Return a record of an answer as the stream has it, or None for what does not belong there."""
    match atom.type.name:
        case "userFundings":
            delta = {name: value for name, value in record["delta"].items() if name != "type"}
            return {"time": record["time"], **delta}
        case "orderUpdates":
            order = record["order"]
            kept = {name: order[name] for name in _UPDATE_MEMBERS if order.get(name) is not None}
            if order.get("reduceOnly"):
                kept["reduceOnly"] = True
            return {**record, "order": kept}
        case "userEvents":
            return record if record.get("twapId") is None else None
        case "candle":
            return record if record["T"] <= until else None
        case _:
            return record


def _frames(atom: Atom, items: Sequence[Item]) -> list[bytes]:
    texts = [item.raw for item in items]
    if atom.type.items is None and atom.type.duplicate_key:
        return [_frame(atom.type, msgspec.Raw(text)) for text in texts]
    member = "fills" if atom.type.name == "userEvents" else atom.type.items
    named = {path: atom.params[name] for name, path in atom.type.identity}
    frames: list[bytes] = []
    for start in range(0, len(texts), ITEMS_IN_FRAME):
        listed = _listed(texts[start : start + ITEMS_IN_FRAME])
        frames.append(_frame(atom.type, {**named, member: listed} if member else listed))
    return frames


def _seen(atom: Atom, reader: ItemReader, raw: bytes) -> list[Item]:
    if atom.type.name != "userEvents":
        return reader.items(raw)
    fills = payloads.members(payloads.payload_text(atom.type, raw)).get("fills")
    return [] if fills is None else reader.items(_frame(reader.subscription_type, {"fills": fills}))


def _frame(subscription_type: SubscriptionType, payload: object) -> bytes:
    return _encode({"channel": subscription_type.channel[0], "data": payload})


def _listed(texts: Sequence[bytes]) -> msgspec.Raw:
    return msgspec.Raw(b"[%s]" % b",".join(texts))
