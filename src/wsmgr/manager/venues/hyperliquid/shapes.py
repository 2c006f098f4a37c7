"""Shapes: the few members of a frame that routing reads, as msgspec Structs made from a catalog.

A type says as paths into its payload where its frames name what was asked for (`identity`) and when they were made
(`time`). All paths of a catalog make one tree, and each branch of it a Struct: the JSON scanner fills its members and
skips all others. So a type that is added to the catalog is read like one that was built in.

An item of a list has a smaller Struct than a payload that is one object: there are many of them in a frame.

Members of one name may be a text in one type, a number or an object in another. Such a member takes each of them, and
what reads it looks at what it found. A frame that does not fit, because the venue changed a member, is decoded whole and
filled member by member: drift in a member that routing does not need loses nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, Union, cast

import msgspec
from attrs import define, field, frozen

from wsmgr.manager.model.subscription_type import Parameter, ParameterKind, SubscriptionType

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not JSON, not UTF-8, nested too deeply, or of another shape."""

_SCALARS: Final[Mapping[ParameterKind, type]] = {
    ParameterKind.TEXT: str,
    ParameterKind.ADDRESS: str,
    ParameterKind.INTEGER: int,
    ParameterKind.FLAG: bool,
}

_Struct = TypeVar("_Struct", bound=msgspec.Struct)
Read = Callable[[msgspec.Struct], Any]
"""Reads one member of a payload, or of an item; None where it is not there."""


class Content(msgspec.Struct, gc=False):
    """A payload that is one object. Made for a catalog, it has the members of its paths and those of `COMMON`."""

    if (
        TYPE_CHECKING
    ):  # the fields come after those of the paths, which is the order in which they are looked for
        isSnapshot: Any  # noqa: N815 - the venue's spelling
        method: Any
        subscription: Any


COMMON: Final = ("isSnapshot", "method", "subscription")
"""The members that every `Content` has: what says that it is a snapshot, and what the venue's answers name."""

Payload = Content | list[msgspec.Struct] | str | None


class Envelope(msgspec.Struct, gc=False):
    """A frame, as far as routing reads it."""

    channel: str
    data: Any = None


@define(eq=False)
class _Branch:
    """A member of the tree: what may be found there."""

    scalars: set[Any] = field(factory=set[Any])
    members: dict[str, _Branch] = field(factory=lambda: dict[str, _Branch]())  # noqa: PLW0108 - `_Branch` is being defined

    def at(self, path: str) -> _Branch:
        """Return the branch at a path, which is made where there is none."""
        found = self
        for name in path.split("."):
            found = found.members.setdefault(name, _Branch())
        return found


@frozen(eq=False)
class _Member:
    attribute: str
    scalar: Any
    inner: _Shape[msgspec.Struct] | None


@frozen(eq=False)
class _Shape(Generic[_Struct]):
    """A Struct, and how its members are spelled on the wire."""

    struct: type[_Struct]
    members: Mapping[str, _Member]

    def fill(self, value: object) -> _Struct:
        """Return the Struct with those members of a decoded value that have the type it wants."""
        given = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        kept: dict[str, Any] = {}
        for name, member in self.members.items():
            found = given.get(name)
            if member.inner is not None and isinstance(found, dict):
                kept[member.attribute] = member.inner.fill(cast("object", found))
            elif member.scalar is not None and found is not None:
                try:
                    kept[member.attribute] = msgspec.convert(found, member.scalar)
                except msgspec.ValidationError:
                    continue  # this is the drift: the member is as good as absent, and its route judges that
        return self.struct(**kept)


class Shapes:
    """What routing reads of the frames of a catalog's types.

    Args:
        types: The types.

    Attributes:
        content: The Struct of a payload that is one object.
        read: Returns what routing needs of a frame; raises one of `UNREADABLE` where it does not fit.
    """

    def __init__(self, types: Sequence[SubscriptionType]) -> None:
        """Make the Structs."""
        self._tree = _tree(types)
        content = _tree(each for each in types if not each.bare)
        for name in COMMON:
            content.at(name).scalars.add(Any)
            self._tree.at(name).scalars.add(Any)
        self._content = _shape(content, Content)
        self._item = _shape(
            _tree(each for each in types if is_listed(each) and not each.bare), msgspec.Struct
        )
        self._bare = _shape(_tree(each for each in types if each.bare), msgspec.Struct)
        self.content = self._content.struct
        payload = _union({self.content, GenericAlias(list, self._item.struct), str, None})
        envelope = msgspec.defstruct("Frame", [("data", payload, None)], bases=(Envelope,), gc=False)
        self.read: Callable[[bytes], Envelope] = msgspec.json.Decoder(cast("type[Envelope]", envelope)).decode

    def read_leniently(self, raw: bytes) -> Envelope | None:
        """Return what routing needs of a frame that `read` refused, without the members that do not fit.

        None where it is not a frame of this venue at all.
        """
        try:
            frame = _read_all(raw)
        except UNREADABLE:
            return None
        match frame:
            case {"channel": str(channel), **members}:
                return Envelope(channel, self._payload(members.get("data")))
            case _:
                return None

    def bare_item(self, raw: msgspec.Raw) -> msgspec.Struct:
        """Return what routing needs of one item of a frame without an envelope."""
        return self._bare.fill(_read_all(raw))

    def name_reader(self, parameter: Parameter, path: str) -> Read:
        """Return what reads a parameter's value out of a payload, as the text that stands in a wire key.

        It reads `""` where the value is the parameter's default, and None where there is no value of its kind.
        """
        scalar, default, read = _SCALARS[parameter.kind], parameter.default, _reader(path)
        if scalar is str and default in {None, ""} and self._is_only(path, str):
            return read

        def text(item: msgspec.Struct) -> str | None:
            value = read(item)
            if type(value) is not scalar:
                return None
            return "" if value == default else shown(value)

        return text

    def time_reader(self, path: str) -> Read:
        """Return what reads a number out of a payload, or None where there is none."""
        read = _reader(path)
        if self._is_only(path, float):
            return read

        def number(item: msgspec.Struct) -> float | None:
            value = read(item)
            return value if type(value) in {int, float} else None

        return number

    def _payload(self, value: object) -> Payload:
        match value:
            case dict():
                return self._content.fill(cast("object", value))
            case list():
                return [self._item.fill(each) for each in cast("list[object]", value)]
            case str():
                return value
            case _:
                return None

    def _is_only(self, path: str, scalar: type) -> bool:
        """Whether nothing but this kind of scalar is ever read at a path."""
        branch = self._tree.at(path)
        return branch.scalars == {scalar} and not branch.members


def shown(value: object) -> str:
    """Return a parameter's canonical value as it stands in a wire key."""
    return ("false", "true")[value] if isinstance(value, bool) else str(value)


_read_all: Final = msgspec.json.Decoder(Any).decode


def is_listed(subscription_type: SubscriptionType) -> bool:
    """Return whether a type's payload can be a list of its items, and not only an object that holds one."""
    return not subscription_type.items and (
        subscription_type.items is not None or bool(subscription_type.duplicate_key)
    )


def _tree(types: Iterable[SubscriptionType]) -> _Branch:
    found = _Branch()
    for subscription_type in types:
        known = {parameter.name: parameter for parameter in subscription_type.parameters}
        for name, path in subscription_type.identity:
            found.at(path).scalars.add(_SCALARS[known[name].kind])
        if subscription_type.time is not None:
            found.at(subscription_type.time).scalars.add(float)
    return found


def _shape(branch: _Branch, base: type[_Struct]) -> _Shape[_Struct]:
    members: dict[str, _Member] = {}
    fields: list[tuple[str, Any, None]] = []
    for name, each in branch.members.items():
        inner = _shape(each, msgspec.Struct) if each.members and Any not in each.scalars else None
        scalar = _union(each.scalars)
        members[name] = _Member(_attribute(name), scalar, inner)
        takes = _union({scalar, None if inner is None else inner.struct, None})
        fields.append((_attribute(name), takes, None))
    spelled = {member.attribute: name for name, member in members.items()}
    struct = msgspec.defstruct(base.__name__, fields, bases=(base,), rename=spelled, gc=False)
    return _Shape(cast("type[_Struct]", struct), members)


def _union(kinds: set[Any]) -> Any:  # noqa: ANN401 - a type, as msgspec takes it; None where there is none
    return Any if Any in kinds else cast("Any", Union)[tuple(kinds)] if kinds else None


def _attribute(name: str) -> str:
    """Return how a member is called in Python, where not every text is a name."""
    plain = name.isidentifier() and not name.startswith(("_", "m_"))
    return name if plain else f"m_{name.encode().hex()}"


def _reader(path: str) -> Read:
    """Return what reads a member, or a member of a member, with None where there is none."""
    names = path.split(".")
    if len(names) == 1:
        return operator.attrgetter(_attribute(path))
    steps = [(name, _attribute(name)) for name in names]

    def nested(item: msgspec.Struct) -> Any:  # noqa: ANN401 - what the path was declared to lead to, or anything else
        found: Any = item
        for name, attribute in steps:
            if isinstance(found, dict):
                found = cast("dict[str, Any]", found).get(name)
            else:
                found = getattr(found, attribute, None)
        return found

    return nested
