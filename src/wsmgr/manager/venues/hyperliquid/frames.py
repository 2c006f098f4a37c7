"""Reading Hyperliquid's frames: which stream a frame belongs to, from as little of it as possible.

A frame is `{"channel": C, "data": ...}`. One pass of the JSON scanner fills a few known members and skips the rest (the scan
itself is nine tenths of the cost of a book); a closure per channel, made from the catalog once, then builds the wire key.

The explorer's frames are bare arrays. What their first item holds tells whose they are; an empty one is nobody's. They are
looked at only where a frame could not be read as one with an envelope, so that those do not pay for it. Of their items only
the first and the last are read, and no object is made of any other: there may be millions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from wsmgr.manager.model.subscription_type import ParameterKind, SubscriptionType
from wsmgr.manager.venues.dialect import Data, Frame, Unroutable
from wsmgr.manager.venues.hyperliquid import shapes
from wsmgr.manager.venues.hyperliquid.shapes import Payload, Read, Shapes

UNREADABLE: Final = shapes.UNREADABLE
"""What decoding raises for bytes that are not JSON, not UTF-8, nested too deeply, or of another shape."""

_MILLISECONDS = 1000.0
_LATEST = 253_402_300_800_000  # the year 10000, which no calendar type of Python holds: such a time is none

Route = Callable[[Payload], Frame]

_Name = tuple[Read, bool, bool]
"""What reads one part of a wire key, whether it must be there, and whether it is an address."""

_LAST_BYTES: Final = 65_536
"""How far from the end of a bare array its last item is looked for."""


class _Items(msgspec.Struct, array_like=True, gc=False):
    """A JSON array, of which the scanner skips all that follows the first item. It is empty where there is none."""

    first: msgspec.Raw = msgspec.Raw()


_read_items: Final = msgspec.json.Decoder(_Items).decode
_read_item: Final = msgspec.json.Decoder(msgspec.Raw).decode
_read_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def wire_key(subscription_type: SubscriptionType, params: Mapping[str, Any]) -> str:
    """Return what the data frames of a subscription show of it: `l2Book:BTC`, or the channel alone.

    Args:
        subscription_type: The type.
        params: Its canonical parameters.
    """
    values = [shapes.shown(params.get(name, "")) for name, _ in subscription_type.identity]
    return _text(subscription_type.channel[0], values)


def routes(types: Iterable[SubscriptionType], found: Shapes) -> dict[str, Route]:
    """Return, by channel, what makes the frame of its payload, for the types whose frames have an envelope."""
    return {
        channel: _route(subscription_type, found)
        for subscription_type in types
        if not subscription_type.bare
        for channel in subscription_type.channel
    }


def bare_route(types: Iterable[SubscriptionType], found: Shapes) -> Callable[[bytes], Frame]:
    """Return what makes the frame of bytes that have no envelope, for the types whose frames have none."""
    told = [(set(each.bare), _route(each, found)) for each in types if each.bare]

    def route(raw: bytes) -> Frame:
        try:
            first = _read_items(raw).first
            if not first:
                return Unroutable("empty")
            members = _read_members(first)
            for needed, make in told:
                if needed <= members.keys():
                    return make([found.bare_item(first), found.bare_item(_last_item(raw, first))])
        except UNREADABLE:
            pass
        return Unroutable("unparsed")

    return route


def _last_item(raw: bytes, first: msgspec.Raw) -> msgspec.Raw:
    """Return the last item of a JSON array of objects, or an empty one where there is none that begins as the first does.

    A venue writes all items alike, so the last one begins where the first member's name stands for the last time, and from
    there one JSON value goes to the end of the array. From nowhere else one does: inside another object a brace would be
    left over, and inside a text an odd number of quotes.
    """
    opening = bytes(first).partition(b":")[0]
    tail = raw[-_LAST_BYTES:].rstrip()[:-1]
    begin = tail.rfind(opening)
    while begin >= 0:
        try:
            return _read_item(tail[begin:])
        except UNREADABLE:
            begin = tail.rfind(opening, 0, begin)
    return msgspec.Raw(b"{}")


def _route(subscription_type: SubscriptionType, found: Shapes) -> Route:
    content, listed = found.content, shapes.is_listed(subscription_type)
    channel = subscription_type.channel[0]
    named = _named(subscription_type, found)
    # One name is by far the most frequent case, so it is spelled out here: a call less for each frame.
    name_of, required, is_address = named[0] if len(named) == 1 else (None, False, False)
    prefix = f"{channel}:"
    time_of = None if subscription_type.time is None else found.time_reader(subscription_type.time)

    def route(payload: Payload) -> Frame:
        first: msgspec.Struct
        last: msgspec.Struct
        snapshot = False
        if isinstance(payload, content):
            first = last = payload
            snapshot = payload.isSnapshot is True
        elif listed and type(payload) is list and payload:
            first, last = payload[0], payload[-1]
        else:
            return _without_members(channel, payload, anonymous=not named)
        key: str | None = channel
        if name_of is None:
            key = _join(channel, named, first) if named else channel
        elif name := name_of(first):
            key = prefix + (name.lower() if is_address else name)
        elif required:
            key = None
        if key is None:
            return Unroutable("unparsed", channel)
        at = None if time_of is None else time_of(last)
        return Data(key, snapshot, at / _MILLISECONDS if at is not None and 0 < at < _LATEST else None)

    return route


def _without_members(channel: str, payload: Payload, *, anonymous: bool) -> Frame:
    """Judge a payload that is no object and no list of any: only a channel's name can route it."""
    if anonymous and payload is not None:
        return Data(channel)
    return Unroutable("empty" if payload == [] else "unparsed", channel)


def _named(subscription_type: SubscriptionType, found: Shapes) -> list[_Name]:
    known = {parameter.name: parameter for parameter in subscription_type.parameters}
    return [
        (
            found.name_reader(known[name], path),
            known[name].required,
            known[name].kind is ParameterKind.ADDRESS,
        )
        for name, path in subscription_type.identity
    ]


def _join(channel: str, named: Sequence[_Name], item: msgspec.Struct) -> str | None:
    """Return the wire key of a payload that names several, or None where one is missing that must be there."""
    values: list[str] = []
    for read_name, required, is_address in named:
        value = read_name(item)
        if not value and required:
            return None
        values.append((value.lower() if is_address else value) if value else "")
    return _text(channel, values)


def _text(channel: str, values: list[str]) -> str:
    """Return a wire key; what is empty at its end is left out."""
    while values and not values[-1]:
        values.pop()
    return f"{channel}:{','.join(values)}" if values else channel
