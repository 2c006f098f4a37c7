"""Payloads of Hyperliquid's data frames: decoded, as the bytes that came, and composed.

The payload is the frame's `data` member. Types that are `packed` (`fastAssetCtxs`) have a text there: base64 over raw deflate
over JSON. A bare frame, as the explorer sends them, is itself the payload.
"""

from __future__ import annotations

import binascii
import zlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from wsmgr.manager.model.errors import WsmgrError
from wsmgr.manager.model.subscription_type import Join
from wsmgr.manager.venues.hyperliquid.shapes import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from wsmgr.manager.model.subscription_type import SubscriptionType

MAX_INFLATED_BYTES: Final = 16 * 1024 * 1024
"""How large a packed payload may become: as large as a frame may be."""

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
_read_raw: Final = msgspec.json.Decoder(msgspec.Raw).decode
_encode: Final = msgspec.json.encode


def decode(raw: bytes, packed: Container[str]) -> Any:  # noqa: ANN401 - the payload's shape is the venue's
    """Return the payload decoded.

    Args:
        raw: The frame.
        packed: The channels whose payloads are packed.

    Raises:
        PayloadError: The frame is not JSON, or its packed payload is damaged or too large.
    """
    try:
        if _is_bare(raw):
            return _read_any(raw)
        frame = _read_decoded(raw)
        return _read_any(_inflate(frame.channel, frame.data)) if frame.channel in packed else frame.data
    except UNREADABLE as error:
        raise _unreadable(raw, error) from error


def undecoded(raw: bytes, packed: Container[str]) -> bytes:
    """Return the payload as the JSON text that came; a packed one as the JSON text in it.

    Args:
        raw: The frame.
        packed: The channels whose payloads are packed.

    Raises:
        PayloadError: The frame is not JSON, or its packed payload is damaged or too large.
    """
    return _opened(raw, packed)[1]


def compose(subscription_type: SubscriptionType, frames: Sequence[bytes]) -> bytes:
    """Make one snapshot frame of a snapshot and the frames after it, in the order in which they came.

    * `join = log`: the items are put end to end, copied as they came, and the newest `log_limit` are kept. The other members
      (the user) are those of the first frame; `isSnapshot` is set where the venue has such a member.
    * `join = fold`: the first frame is the whole, an object for each coin; the later ones lay their members over it.

    Args:
        subscription_type: A type that is joined as a log or folded.
        frames: At least one of its frames, oldest first.

    Raises:
        PayloadError: A frame is not one of this type.
    """
    texts = [payload_text(subscription_type, raw) for raw in frames]
    made = _folded(texts) if subscription_type.join is Join.FOLD else _logged(subscription_type, texts)
    return with_payload(subscription_type, frames[0], made)


def count_items(subscription_type: SubscriptionType, raw: bytes) -> int:
    """Return how many items a frame holds; a type without a list of them has one item a frame.

    Raises:
        PayloadError: The frame is not one of this type.
    """
    if subscription_type.items is None:
        return 1
    return len(_items(subscription_type, payload_text(subscription_type, raw)))


def payload_text(subscription_type: SubscriptionType, raw: bytes) -> bytes:
    """Return the payload of a frame of a type, as the JSON text that came or was packed.

    Raises:
        PayloadError: The frame is not one of this type.
    """
    channel, text = _opened(raw, subscription_type.channel if subscription_type.packed else ())
    if channel in subscription_type.channel or (channel is None and subscription_type.bare):
        return text
    raise PayloadError(
        f"a frame of {len(raw)} bytes that begins {raw[:60]!r} is not one of {subscription_type.name}"
    )


def with_payload(subscription_type: SubscriptionType, raw: bytes, text: bytes) -> bytes:
    """Return a frame of a type with another payload, a JSON text; its other members are as they were.

    Raises:
        PayloadError: The frame is not one of this type.
    """
    if subscription_type.bare:
        return text
    data = _packed(text) if subscription_type.packed else msgspec.Raw(text)
    return _encode({**members(raw), "data": data})


def members(text: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Return the members of a JSON object, each as the text that came.

    Raises:
        PayloadError: The text is no JSON object.
    """
    try:
        return _read_members(text)
    except UNREADABLE as error:
        raise _unreadable(bytes(text), error) from error


def _is_bare(raw: bytes) -> bool:
    return raw.lstrip().startswith(b"[")


def _opened(raw: bytes, packed: Container[str]) -> tuple[str | None, bytes]:
    """Return the channel of a frame, None for a bare one, and its payload."""
    try:
        if _is_bare(raw):
            return None, bytes(_read_raw(raw))
        frame = _read_undecoded(raw)
        if frame.channel in packed:
            return frame.channel, _inflate(frame.channel, _read_any(frame.data))
        return frame.channel, bytes(frame.data)
    except UNREADABLE as error:
        raise _unreadable(raw, error) from error


def _logged(subscription_type: SubscriptionType, texts: Sequence[bytes]) -> bytes:
    items = [item for text in texts for item in _items(subscription_type, text)][
        -subscription_type.log_limit :
    ]
    if not subscription_type.items:
        return _encode(items)
    return _encode({**members(texts[0]), "isSnapshot": True, subscription_type.items: items})


def _folded(texts: Iterable[bytes]) -> bytes:
    state: dict[str, dict[str, msgspec.Raw]] = {}
    for text in texts:
        for name, change in members(text).items():
            state.setdefault(name, {}).update(members(change))
    return _encode(state)


def _items(subscription_type: SubscriptionType, text: bytes) -> list[msgspec.Raw]:
    try:
        if not subscription_type.items:
            return _read_items(text)
        found = members(text).get(subscription_type.items)
        return [] if found is None else _read_items(found)
    except UNREADABLE as error:
        raise _unreadable(text, error) from error


def _packed(text: bytes) -> str:
    deflater = zlib.compressobj(wbits=_RAW_DEFLATE)
    return binascii.b2a_base64(deflater.compress(text) + deflater.flush(), newline=False).decode()


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
