"""Payloads of Hyperliquid's data frames: decoded, as the bytes that came, and composed.

The payload is the frame's `data` member. `fastAssetCtxs` alone packs it: a text of base64 over raw deflate over JSON.
"""

from __future__ import annotations

import binascii
import zlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from wsmgr.manager.model.errors import WsmgrError
from wsmgr.manager.venues.hyperliquid.frames import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wsmgr.manager.model.subscription_type import SubscriptionType

MAX_INFLATED_BYTES: Final = 16 * 1024 * 1024
"""How large a packed payload may become: as large as a frame may be."""

_PACKED: Final = frozenset({"fastAssetCtxs"})
_RAW_DEFLATE: Final = -zlib.MAX_WBITS


class PayloadError(WsmgrError, ValueError):
    """The payload of a frame cannot be read: it is not in the form that its channel is known to have."""


class _Decoded(msgspec.Struct, gc=False):
    channel: str
    data: Any = None


class _Undecoded(msgspec.Struct, gc=False):
    channel: str
    data: msgspec.Raw = msgspec.Raw(b"null")


_read_decoded: Final = msgspec.json.Decoder(_Decoded).decode
_read_undecoded: Final = msgspec.json.Decoder(_Undecoded).decode
_read_items: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read_any: Final = msgspec.json.Decoder(Any).decode
_encode: Final = msgspec.json.encode


def decode(raw: bytes) -> Any:  # noqa: ANN401 - the payload's shape is the venue's
    """Return the payload decoded.

    Raises:
        PayloadError: The frame is not JSON, or its packed payload is damaged or too large.
    """
    try:
        frame = _read_decoded(raw)
        return _read_any(_inflate(frame.channel, frame.data)) if frame.channel in _PACKED else frame.data
    except UNREADABLE as error:
        raise _unreadable(raw, error) from error


def undecoded(raw: bytes) -> bytes:
    """Return the payload as the JSON text that came; a packed one as the JSON text in it.

    Raises:
        PayloadError: The frame is not JSON, or its packed payload is damaged or too large.
    """
    try:
        frame = _read_undecoded(raw)
        if frame.channel in _PACKED:
            return _inflate(frame.channel, _read_any(frame.data))
        return bytes(frame.data)
    except UNREADABLE as error:
        raise _unreadable(raw, error) from error


def compose(subscription_type: SubscriptionType, frames: Sequence[bytes]) -> bytes:
    """Make one snapshot frame of a snapshot and the frames after it, in the order in which they came.

    Items are copied as they came; the newest `log_limit` are kept. The other members (the user) are those of the first
    frame; `isSnapshot` is set where the venue has such a member.

    Args:
        subscription_type: A type with `join = log`.
        frames: At least one of its frames, oldest first.

    Raises:
        PayloadError: A frame is not one of this type.
    """
    items = [item for raw in frames for item in _items(subscription_type, raw)][
        -subscription_type.log_limit :
    ]
    first = _read_undecoded(frames[0])
    if not subscription_type.items:
        return _encode({"channel": first.channel, "data": items})
    members = {**_read_members(first.data), "isSnapshot": True, subscription_type.items: items}
    return _encode({"channel": first.channel, "data": members})


def count_items(subscription_type: SubscriptionType, raw: bytes) -> int:
    """Return how many items a frame holds; a type without a list of them has one item a frame.

    Raises:
        PayloadError: The frame is not one of this type.
    """
    return 1 if subscription_type.items is None else len(_items(subscription_type, raw))


def _items(subscription_type: SubscriptionType, raw: bytes) -> list[msgspec.Raw]:
    try:
        data = _read_undecoded(raw).data
        if not subscription_type.items:
            return _read_items(data)
        found = _read_members(data).get(subscription_type.items)
        return [] if found is None else _read_items(found)
    except UNREADABLE as error:
        raise _unreadable(raw, error) from error


def _inflate(channel: str, text: object) -> bytes:
    if not isinstance(text, str):
        raise PayloadError(f"{channel}: the payload is {type(text).__name__}, not a text of base64")
    try:
        packed = binascii.a2b_base64(text, strict_mode=True)
        inflater = zlib.decompressobj(_RAW_DEFLATE)
        found = inflater.decompress(packed, MAX_INFLATED_BYTES + 1)
    except (ValueError, zlib.error) as error:
        raise PayloadError(
            f"{channel}: the payload ({len(text)} characters) cannot be unpacked: {error}"
        ) from error
    if len(found) > MAX_INFLATED_BYTES:
        raise PayloadError(f"{channel}: the payload unpacks to more than {MAX_INFLATED_BYTES} bytes")
    if not inflater.eof:
        raise PayloadError(f"{channel}: the packed payload ({len(packed)} bytes) breaks off")
    return found


def _unreadable(raw: bytes, error: Exception) -> PayloadError:
    return PayloadError(f"a frame of {len(raw)} bytes that begins {raw[:60]!r} cannot be read: {error}")
