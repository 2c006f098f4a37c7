"""Distortion: what faults do to frames, as text in and text out, and the frames that nobody asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from wsmgr.manager.venues.hyperliquid.simulator.subscriptions import Subscription

STRAY_ERROR = (
    '{"channel":"error","data":"Invalid subscription {\\"type\\":\\"bbo\\",\\"coin\\":\\"NOBODY\\"}"}'
)
STRAY_POST = '{"channel":"post","data":{"id":999999999,"response":{"type":"error","payload":"nobody asked"}}}'
GARBAGE = (
    "this is not JSON",
    '{"channel":"somethingNew","data":{"unknown":true}}',
    "[]",
    STRAY_ERROR,
    STRAY_POST,
)
_EXTRA_FIELD = ',"notInTheDocumentation":{"added":true}'


def is_quiet(subscription: Subscription, quiet: Container[str]) -> bool:
    """Whether a fault names a subscription: its type, or `type:coin`, `type:user`."""
    names = (subscription.type, *(f"{subscription.type}:{value}" for value in subscription.values.values()))
    return any(name in quiet for name in names)


def with_extra_field(text: str) -> str:
    """A frame with a field more: in its data where that is an object, else in the object around it."""
    end = len(text) - len(text[-2:].lstrip('"]'))
    return text[:end] + _EXTRA_FIELD + text[end:]


def with_other_case(acknowledgement: str, fields: Iterable[str]) -> str:
    """An acknowledgement in which the letters of some fields have the other case; an address keeps its `0x`."""
    frame = msgspec.json.decode(acknowledgement, type=_Acknowledgement)
    for field in fields:
        value = frame.data.subscription.get(field)
        if isinstance(value, str):
            head = "0x" if value.startswith("0x") else ""
            frame.data.subscription[field] = head + value[len(head) :].swapcase()
    return msgspec.json.encode(frame).decode()


class _Echo(msgspec.Struct):
    method: str
    subscription: dict[str, object]


class _Acknowledgement(msgspec.Struct):
    channel: str
    data: _Echo
