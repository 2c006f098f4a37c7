"""Reading Hyperliquid's frames: which stream a frame belongs to, from as little of it as possible.

Every frame is `{"channel": C, "data": ...}`. One pass of the JSON scanner fills a few known members and skips the rest
(the scan itself is nine tenths of the cost of a book); a closure per channel, made from the catalog once, then builds
the wire key. A frame that does not fit those members' types, because the venue changed one, is decoded whole and read
member by member, so that drift in a member that routing does not need loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, TypeVar, cast

import msgspec

from wsmgr.manager.model.subscription_type import ParameterKind, SubscriptionType
from wsmgr.manager.venues.dialect import Data, Frame, Unroutable

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not JSON, not UTF-8, nested too deeply, or of another shape."""

_MILLISECONDS = 1000.0
_LATEST = 253_402_300_800_000  # the year 10000, which no calendar type of Python holds: such a time is none
# Where a payload says when it was made, in milliseconds. Of a list, its last item says it.
_TIMES: Final[Mapping[str, str]] = {
    "bbo": "time",
    "clearinghouseState": "clearinghouseState.time",
    "l2Book": "time",
    "orderUpdates": "statusTimestamp",
    "trades": "time",
    "webData3": "userState.serverTime",
}


class UserState(msgspec.Struct, gc=False):
    """What routing needs of `webData3`'s inner object."""

    user: str | None = None
    serverTime: float | None = None  # noqa: N815 - the venue's spelling


class ClearinghouseState(msgspec.Struct, gc=False):
    """What routing needs of `clearinghouseState`'s inner object."""

    time: float | None = None


class Item(msgspec.Struct, gc=False):
    """The members that some channel's routing needs of an item, where the payload is a list of them."""

    coin: str | None = None
    time: float | None = None
    s: str | None = None
    i: str | None = None
    statusTimestamp: float | None = None  # noqa: N815 - the venue's spelling


class Content(Item, gc=False):
    """The members that some channel's routing needs of a payload that is one object."""

    isSnapshot: bool | None = None  # noqa: N815 - the venue's spelling
    user: str | None = None
    dex: str | None = None
    userState: UserState | None = None  # noqa: N815 - the venue's spelling
    clearinghouseState: ClearinghouseState | None = None  # noqa: N815 - the venue's spelling
    method: str | None = None
    subscription: dict[str, Any] | None = None


_NESTED: Final[Mapping[str, type[msgspec.Struct]]] = {
    "userState": UserState,
    "clearinghouseState": ClearinghouseState,
}
_Shape = TypeVar("_Shape", bound=msgspec.Struct)

Payload = Content | list[Item] | str | None
Route = Callable[[Payload], Frame]

_Name = tuple[Callable[[Item], Any], bool, bool]
"""What reads one part of a wire key, whether it must be there, and whether it is an address."""


class Envelope(msgspec.Struct, gc=False):
    """A frame, as far as routing reads it."""

    channel: str
    data: Payload = None


read: Final = msgspec.json.Decoder(Envelope).decode
"""Return what routing needs of a frame; raises one of `UNREADABLE` where it does not fit."""

_read_all: Final = msgspec.json.Decoder(Any).decode


def read_leniently(raw: bytes) -> Envelope | None:
    """Return what routing needs of a frame that `read` refused, without the members that do not fit.

    None where it is not a frame of this venue at all.
    """
    try:
        frame = _read_all(raw)
    except UNREADABLE:
        return None
    match frame:
        case {"channel": str(channel), **members}:
            return Envelope(channel, _lenient_payload(members.get("data")))
        case _:
            return None


def wire_key(subscription_type: SubscriptionType, params: Mapping[str, Any]) -> str:
    """Return what the data frames of a subscription show of it: `l2Book:BTC`, or the channel alone.

    Args:
        subscription_type: The type.
        params: Its canonical parameters.
    """
    values = (str(params.get(name, "")) for name, _ in subscription_type.identity)
    return _text(subscription_type.channel[0], [value for value in values if value])


def routes(catalog: Mapping[str, SubscriptionType]) -> dict[str, Route]:
    """Return, by channel, what makes the frame of its payload; removed types have none."""
    return {
        channel: _route(subscription_type)
        for subscription_type in catalog.values()
        if subscription_type.removed is None
        for channel in subscription_type.channel
    }


def _route(subscription_type: SubscriptionType) -> Route:
    channel = subscription_type.channel[0]
    named = _named(subscription_type)
    # One name is by far the most frequent case, so it is spelled out here: a call less for each frame.
    name_of, required, is_address = named[0] if len(named) == 1 else (None, False, False)
    prefix = f"{channel}:"
    time_of = _reader(_TIMES[subscription_type.name]) if subscription_type.name in _TIMES else None

    def route(payload: Payload) -> Frame:
        first: Item
        last: Item
        snapshot = False
        if type(payload) is Content:
            first = last = payload
            snapshot = payload.isSnapshot is True
        elif type(payload) is list and payload:
            first, last = payload[0], payload[-1]
        else:
            return _without_members(channel, payload, anonymous=not named)
        found: str | None = channel
        if name_of is None:
            found = _join(channel, named, first) if named else channel
        elif name := name_of(first):
            found = prefix + (name.lower() if is_address else name)
        elif required:
            found = None
        if found is None:
            return Unroutable("unparsed", channel)
        at = None if time_of is None else time_of(last)
        return Data(found, snapshot, at / _MILLISECONDS if at is not None and 0 < at < _LATEST else None)

    return route


def _without_members(channel: str, payload: Payload, *, anonymous: bool) -> Frame:
    """Judge a payload that is no object and no list of any: only a channel's name can route it."""
    if anonymous and payload is not None:
        return Data(channel)
    return Unroutable("empty" if isinstance(payload, list) else "unparsed", channel)


def _named(subscription_type: SubscriptionType) -> list[_Name]:
    known = {parameter.name: parameter for parameter in subscription_type.parameters}
    return [
        (_reader(path), known[name].required, known[name].kind is ParameterKind.ADDRESS)
        for name, path in subscription_type.identity
    ]


def _join(channel: str, named: Sequence[_Name], item: Item) -> str | None:
    """Return the wire key of a payload that names several, or None where one is missing that must be there."""
    values: list[str] = []
    for read_name, required, is_address in named:
        value = read_name(item)
        if value:
            values.append(value.lower() if is_address else value)
        elif required:
            return None
    return _text(channel, values)


def _reader(path: str) -> Callable[[Item], Any]:
    """Return what reads a member, or a member of a member, with None where there is none."""
    outer, _, inner = path.partition(".")
    if not inner and outer in Item.__struct_fields__:
        return attrgetter(outer)  # both shapes have it, and this is the faster way
    if not inner:
        return lambda item: getattr(item, outer, None)

    def nested(item: Item) -> Any:  # noqa: ANN401 - a text or a number, as the path says
        return getattr(getattr(item, outer, None), inner, None)

    return nested


def _text(channel: str, values: Sequence[str]) -> str:
    return f"{channel}:{','.join(values)}" if values else channel


def _lenient_payload(value: object) -> Payload:
    match value:
        case dict():
            return _lenient(Content, cast("object", value))
        case list():
            return [_lenient(Item, each) for each in cast("list[object]", value)]
        case str():
            return value
        case _:
            return None


def _lenient(shape: type[_Shape], value: object) -> _Shape:
    """Fill a shape with those members of an object that have the type it wants."""
    members = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    kept: dict[str, Any] = {}
    for member in msgspec.structs.fields(shape):
        found, nested = members.get(member.name), _NESTED.get(member.name)
        if nested is not None and found is not None:
            kept[member.name] = _lenient(nested, found)
        elif found is not None:
            try:
                kept[member.name] = msgspec.convert(found, member.type)
            except msgspec.ValidationError:
                continue  # this is the drift: the member is as good as absent, and its route judges that
    return shape(**kept)
