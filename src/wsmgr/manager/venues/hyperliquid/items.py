"""The items of Hyperliquid's data frames: what tells each from the others, when it happened, and its bytes.

Read for merging and healing, by what a type says of itself: where its frames have the items (`items`) and which members make
one unique (`duplicate_key`). A Struct is made of just these members, so the scanner skips all others.

The venue promises no key. So where an item lacks a member of its key, because the venue renamed it or sends null, the whole
item counts: a change of the protocol then brings things twice, and never takes two things for one. (Recorded items of
`userTwapHistory` have no `twapId`; each of them counts whole.)

Times are milliseconds, but `userTwapHistory` has seconds. They are told apart by their size.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from attrs import define, field

from wsmgr.manager.model.items import Item
from wsmgr.manager.venues.hyperliquid import payloads
from wsmgr.manager.venues.hyperliquid.payloads import PayloadError
from wsmgr.manager.venues.hyperliquid.shapes import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from wsmgr.manager.model.subscription_type import SubscriptionType

_TIMES: Final = {"candle": "T", "userHistoricalOrders": "statusTimestamp", "userTwapSliceFills": "fill.time"}
"""Where items have their time, where it is neither what the type says of its frames nor `time`."""
_FIRST_MILLISECONDS: Final = 10**11
"""As milliseconds it is in the year 1973, as seconds in 5138."""
_LATEST: Final = 253_402_300_800_000
"""The year 10000, in milliseconds: what is later is no time."""

_read_list: Final = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_any: Final = msgspec.json.Decoder(Any).decode


@define(eq=False)
class ItemReaders:
    """Reads the items of every type; what a type needs for that is made once."""

    _readers: dict[str, ItemReader] = field(factory=lambda: dict[str, ItemReader](), init=False, repr=False)  # noqa: PLW0108 - `ItemReader` comes below

    def of(self, subscription_type: SubscriptionType) -> ItemReader:
        """Return the reader of a type."""
        found = self._readers.get(subscription_type.name)
        if found is None or found.subscription_type is not subscription_type:
            found = self._readers[subscription_type.name] = ItemReader(subscription_type)
        return found


class ItemReader:
    """Reads the items of one type's frames, and makes frames with fewer of them.

    Args:
        subscription_type: The type; an item of one without a `duplicate_key` counts whole.

    Attributes:
        subscription_type: The same.
    """

    def __init__(self, subscription_type: SubscriptionType) -> None:
        """Make the Struct of what is read of an item."""
        self.subscription_type = subscription_type
        time = _time_path(subscription_type)
        names = dict.fromkeys(path.partition(".")[0] for path in (*subscription_type.duplicate_key, time))
        attributes = {name: f"m{number}" for number, name in enumerate(names)}
        struct = msgspec.defstruct(
            "Item",
            [(attribute, Any, None) for attribute in attributes.values()],
            rename={attribute: name for name, attribute in attributes.items()},
            gc=False,
        )
        self._read_key = _key_reader(subscription_type.duplicate_key, attributes)
        self._read_time = _member_reader(time, attributes)
        self._read_members: Callable[[bytes | msgspec.Raw], list[msgspec.Struct]] = msgspec.json.Decoder(
            list[struct]  # type: ignore[valid-type] # it is made at run time
        ).decode

    def items(self, raw: bytes) -> list[Item]:
        """Return the items of a frame, in its order.

        Raises:
            PayloadError: The frame is not one of this type.
        """
        text = self._list_text(payloads.payload_text(self.subscription_type, raw))
        try:
            texts = map(bytes, _read_list(text))
            return [
                Item(self._key(members, item), _seconds(self._read_time(members)), item)
                for members, item in zip(self._read_members(text), texts, strict=True)
            ]
        except UNREADABLE as error:
            raise PayloadError(
                f"{self.subscription_type.name}: the items of a frame of {len(raw)} bytes cannot be read: {error}"
            ) from error

    def with_items(self, raw: bytes, items: Sequence[Item]) -> bytes:
        """Return a frame like another one, with only these items; its other members are as they were.

        Raises:
            PayloadError: The frame is not one of this type, or its payload is itself the one item and there is not one.
        """
        return payloads.with_payload(
            self.subscription_type, raw, self._payload(raw, [item.raw for item in items])
        )

    def _list_text(self, payload: bytes) -> bytes | msgspec.Raw:
        """Return the JSON list of the items of a payload."""
        member = self.subscription_type.items
        if member:
            return payloads.members(payload).get(member, b"[]")
        return payload if member is not None or payload.startswith(b"[") else b"[%s]" % payload

    def _payload(self, raw: bytes, texts: Sequence[bytes]) -> bytes:
        subscription_type = self.subscription_type
        member, listed = subscription_type.items, b"[%s]" % b",".join(texts)
        if member == "":
            return listed
        payload = payloads.payload_text(subscription_type, raw)
        if member:
            return msgspec.json.encode({**payloads.members(payload), member: msgspec.Raw(listed)})
        if payload.startswith(b"["):
            return listed
        if len(texts) != 1:
            raise PayloadError(f"a frame of {subscription_type.name} has one item, not {len(texts)}")
        return texts[0]

    def _key(self, members: msgspec.Struct, text: bytes) -> Hashable:
        key = self._read_key(members)
        if not key or None in key:
            key = (*key, _read_any(text))
        try:
            hash(key)
        except TypeError:  # an object or a list is in it
            return tuple(_hashable(value) for value in key)
        return key


def _time_path(subscription_type: SubscriptionType) -> str:
    """Return where an item has its time; a type whose payload is the item, or a list of them, may say so itself."""
    declared = None if subscription_type.items else subscription_type.time
    return declared or _TIMES.get(subscription_type.name, "time")


def _key_reader(
    paths: Sequence[str], attributes: dict[str, str]
) -> Callable[[msgspec.Struct], tuple[Any, ...]]:
    if len(paths) > 1 and not any("." in path for path in paths):
        return cast(
            "Callable[[msgspec.Struct], tuple[Any, ...]]",
            operator.attrgetter(*(attributes[path] for path in paths)),
        )
    readers = [_member_reader(path, attributes) for path in paths]
    return lambda members: tuple([read(members) for read in readers])


def _member_reader(path: str, attributes: dict[str, str]) -> Callable[[msgspec.Struct], Any]:
    """Return what reads a member, or a member of a member; it reads None where there is none."""
    name, *inner = path.split(".")
    read = operator.attrgetter(attributes[name])
    if not inner:
        return read

    def nested(members: msgspec.Struct) -> Any:  # noqa: ANN401 - what the venue sends
        found = read(members)
        for step in inner:
            if not isinstance(found, dict):
                return None
            found = cast("dict[str, Any]", found).get(step)
        return found

    return nested


def _hashable(value: object) -> Hashable:
    """Return an object or a list as JSON text that is the same however its members stood; anything else as it is."""
    if isinstance(value, dict | list):
        return msgspec.json.encode(cast("object", value), order="sorted")
    return value


def _seconds(value: object) -> float | None:
    if type(value) not in {int, float}:
        return None
    number = cast(float, value)
    if not 0 < number < _LATEST:
        return None
    return number / 1000 if number >= _FIRST_MILLISECONDS else float(number)
