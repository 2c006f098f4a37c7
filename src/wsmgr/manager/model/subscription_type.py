"""A subscription type as data: what a dialect's catalog is made of.

A type declares everything that placement, joining, continuity and the command line need to know about a stream, so
that a venue's change of protocol is a change of data. Values that a caller gives are checked here, before anything
is sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from attrs import field, frozen, validators

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.model.showing import looks_like_secret_key, shown

MAX_TEXT = 256
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")


class ConnectionClass(Enum):
    """How the subscriptions of a type are placed on connections (DESIGN section 6)."""

    SHARED = "shared"
    """Its frames name everything that it was asked for: it may sit beside anything."""
    DEDICATED = "dedicated"
    """A parameter is not echoed: variants of one wire key never share a socket."""
    USER_GROUPED = "user_grouped"
    """It names a user: all of a user's streams go to that user's connection."""


class Kind(Enum):
    """What a frame of the type is."""

    STATE = "state"
    """Each frame replaces the one before: only the newest matters."""
    EVENT = "event"
    """Each frame tells something that happened: every one matters."""


class FirstProof(Enum):
    """What shows that a subscription delivers."""

    FRAME = "frame"
    """The venue promises a frame soon after the acknowledgement."""
    ACK = "ack"
    """The stream may be silent for long: its acknowledgement is the proof."""


class Join(Enum):
    """What a consumer gets first who joins a stream that is already live."""

    LAST = "last"
    """The newest frame is the state."""
    LOG = "log"
    """The snapshot and the items since, bounded."""
    FOLD = "fold"
    """The dialect keeps a merged state."""
    NONE = "none"
    """Pure events: nothing."""

    @property
    def keeps_log(self) -> bool:
        """Whether the frames since the last snapshot are kept for it."""
        return self in {Join.LOG, Join.FOLD}


class Merge(Enum):
    """How frames of two sockets are made one stream."""

    ITEMS = "items"
    """Keyed items: each is delivered at most once."""
    TIME = "time"
    """Whole frames with a venue time: never older than what was delivered."""
    NONE = "none"
    """No key: one side at a time."""


PROMISES = {Merge.ITEMS: "at most once", Merge.TIME: "monotonic", Merge.NONE: "none"}


class ParameterKind(Enum):
    """What values a parameter takes."""

    TEXT = "text"
    INTEGER = "integer"
    FLAG = "flag"
    ADDRESS = "address"


@frozen(kw_only=True)
class Parameter:
    """One parameter of a subscription type.

    Attributes:
        name: As the venue spells it.
        kind: What values it takes.
        required: Whether a subscription must name it.
        default: The value that is the same as leaving it out; dropped from the subscription key.
        choices: The only values allowed; empty for any.
        only_with: Another parameter and the value it must have for this one to be allowed, or None.
    """

    name: str
    kind: ParameterKind = ParameterKind.TEXT
    required: bool = False
    default: Any = None
    choices: tuple[Any, ...] = ()
    only_with: tuple[str, Any] | None = None

    def parse(self, type_name: str, value: object) -> Any:  # noqa: ANN401 - a parameter's value is text, int or bool
        """Return the value in its canonical form.

        Raises:
            ParameterError: The value is not of this parameter's kind, or not one of its choices; or it looks like a secret
                key, which would be sent, logged and stored.
        """
        if value == "":
            raise ParameterError(
                f"{type_name}: {self.name} is empty; give {_WANTED[self.kind]}{self.example()}"
            )
        parsed = _PARSERS[self.kind](value)
        if parsed is None:
            raise ParameterError(
                f"{type_name}: {self.name}={shown(value)} is not {_WANTED[self.kind]}" + self.example()
            )
        if self.choices and parsed not in self.choices:
            raise ParameterError(
                f"{type_name}: {self.name}={shown(value)} is not allowed; choose one of "
                + ", ".join(str(choice) for choice in self.choices)
            )
        return parsed

    def example(self) -> str:
        """Return the end of a sentence that names what may be chosen; empty where anything may."""
        return f"; choose one of {', '.join(map(str, self.choices))}" if self.choices else ""


def _parse_text(value: object) -> str | None:
    if not isinstance(value, str) or value.strip() != value or not 0 < len(value) <= MAX_TEXT:
        return None
    if looks_like_secret_key(value):
        return None
    return None if any("\ud800" <= character <= "\udfff" for character in value) else value


def _parse_integer(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return None if looks_like_secret_key(value) else value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    return None


def _parse_flag(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE + _FALSE:
        return value.lower() in _TRUE
    return None


def _parse_address(value: object) -> str | None:
    return value.lower() if isinstance(value, str) and ADDRESS.fullmatch(value) else None


_PARSERS = {
    ParameterKind.TEXT: _parse_text,
    ParameterKind.INTEGER: _parse_integer,
    ParameterKind.FLAG: _parse_flag,
    ParameterKind.ADDRESS: _parse_address,
}
_WANTED = {
    ParameterKind.TEXT: f"a text (UTF-8, at most {MAX_TEXT} characters, without space at its ends)",
    ParameterKind.INTEGER: "a whole number",
    ParameterKind.FLAG: "true or false",
    ParameterKind.ADDRESS: "an address: 0x and 40 hexadecimal digits",
}


@frozen(kw_only=True)
class SubscriptionType:
    """One stream that a dialect offers.

    Attributes:
        name: The type's name, as the venue spells it.
        channel: The channel under which its frames come; several where the venue uses several.
        parameters: What a subscription of it takes.
        identity: For each parameter that its frames name, where they name it: (parameter, field of the payload).
        connection_class: How it is placed.
        kind: Whether a frame is a state or an event.
        first_proof: What shows that it delivers.
        join: What a late consumer gets first.
        merge: How two sockets are made one stream.
        duplicate_key: The fields of an item that make it unique, for `merge = items`.
        items: The payload's member that holds the items (`""`: the payload itself is the list), or None.
        log_limit: How many items `join = log` keeps.
        time: Where its frames say when they were made, as a path into the payload (of a list: into its last item), or None.
        packed: Whether the payload is a text that has to be unpacked.
        marks_snapshots: Whether the venue says of a frame that it is a snapshot; else the first one after a subscribe is, for `join = log` and `fold`.
        numbered: Whether its frames carry numbers of its own, without holes, that go on over reconnects.
        bare: The members by which the first item tells a frame that has no envelope; empty where frames have one.
        user: The parameter that names the user, or None.
        host: Which host of the venue serves it.
        cadence: How often a frame comes at least while subscribed, in seconds, or None where it may be silent.
        healing: The query that can fill a gap, or None.
        substitutes: What can stand in for it where it cannot be had: (type, what that one gives of it).
        removed: Why the venue no longer serves it and what to use, or None.
    """

    name: str
    channel: tuple[str, ...] = field(validator=validators.min_len(1))
    parameters: tuple[Parameter, ...] = ()
    identity: tuple[tuple[str, str], ...] = ()
    connection_class: ConnectionClass = ConnectionClass.SHARED
    kind: Kind = Kind.STATE
    first_proof: FirstProof = FirstProof.FRAME
    join: Join = Join.LAST
    merge: Merge = Merge.NONE
    duplicate_key: tuple[str, ...] = ()
    items: str | None = None
    log_limit: int = 2000
    time: str | None = None
    packed: bool = False
    marks_snapshots: bool = False
    numbered: bool = False
    bare: tuple[str, ...] = ()
    user: str | None = None
    host: str = "api"
    cadence: float | None = None
    healing: str | None = None
    substitutes: tuple[tuple[str, str], ...] = ()
    removed: str | None = None

    @property
    def private(self) -> bool:
        """Whether it tells about one user's account."""
        return self.user is not None

    @property
    def required(self) -> tuple[str, ...]:
        """The names of the parameters that a subscription must give."""
        return tuple(parameter.name for parameter in self.parameters if parameter.required)

    @property
    def promise(self) -> str:
        """What is promised of its items across sockets, in words."""
        return PROMISES[self.merge]

    @property
    def substitute_words(self) -> str:
        """What can be subscribed to instead, as a part of a sentence; empty where nothing stands in for it."""
        return ", ".join(f"{name} for {what}" for name, what in self.substitutes)

    def canonical(self, params: Mapping[str, object]) -> dict[str, Any]:
        """Check a caller's parameters and return them canonical: sorted, defaults and nulls dropped.

        Raises:
            ParameterError: One is unknown, missing, malformed, or not allowed beside the others.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in params:
            if name not in known:
                takes = ", ".join(known) or "no parameters"
                raise ParameterError(f"{self.name}: there is no parameter {shown(name)}; it takes {takes}")
        found: dict[str, Any] = {}
        for name, parameter in sorted(known.items()):
            value = params.get(name)
            if value is None or (value == parameter.default and not parameter.required):
                if parameter.required:
                    raise ParameterError(
                        f"{self.name}: the parameter {name!r} is missing" + parameter.example()
                    )
                continue
            parsed = parameter.parse(self.name, value)
            if parsed != parameter.default:
                found[name] = parsed
        for name in found:
            _check_companion(self.name, known[name], found)
        return found


def _check_companion(type_name: str, parameter: Parameter, found: Mapping[str, Any]) -> None:
    if parameter.only_with is None:
        return
    other, wanted = parameter.only_with
    if found.get(other) != wanted:
        raise ParameterError(
            f"{type_name}: {parameter.name} is only allowed with {other}={wanted} (here: {shown(found.get(other))})"
        )


@frozen(kw_only=True)
class Atom:
    """One checked wish: a type with its canonical parameters.

    Attributes:
        type: The subscription type.
        params: Canonical parameters: sorted, defaults and nulls dropped, addresses lower-cased.
        wire_key: What its data frames will show of it, `l2Book:BTC`.
        user: The user that it names, or None.
    """

    type: SubscriptionType
    params: Mapping[str, Any]
    wire_key: str
    user: str | None = None
