"""Types as tables: subscription types that a configuration adds to a catalog, or corrects in it.

::

    [dialects.hyperliquid.types.l3Book]                    # a type that the catalog does not have
    identity = { coin = "coin" }
    time = "time"
    merge = "time"

    [[dialects.hyperliquid.types.l3Book.parameters]]
    name = "coin"
    required = true

    [dialects.hyperliquid.types.l2Book]                    # one that it has: only what is told changes
    cadence = 2.0

    [dialects.hyperliquid.types.webData3]                  # one that the venue no longer serves
    removed = "the venue removed it; use clearinghouseState"

The fields are those of `SubscriptionType`, and `class` is short for `connection_class`. What may be None there is `false`
here. `identity`, `substitutes` and a parameter's `only_with` are tables. A new type comes under the channel of its name, and its
class follows from what it declares. Every mistake is told with its table, its field, what stands there and what may stand
there: a type that could never be asked for, routed or joined is refused before it is needed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, cast

from attrs import evolve, fields_dict

from wsmgr.manager.model import table_values as values
from wsmgr.manager.model.errors import ConfigurationError, ParameterError
from wsmgr.manager.model.subscription_type import (
    ConnectionClass,
    FirstProof,
    Join,
    Kind,
    Merge,
    Parameter,
    ParameterKind,
    SubscriptionType,
)
from wsmgr.manager.model.table_values import Place, Read, Table

SUBSCRIBE_OPTIONS: Final = (
    *("venue", "params", "callback", "inbox", "policy", "events", "redundancy", "connection", "keep"),
    *("wait", "timeout", "batch"),
)
"""What `subscribe` takes besides a type's parameters; none of these can be a parameter's name."""

Catalog = Mapping[str, SubscriptionType]

_TYPE_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_ALIASES: Final = {"class": "connection_class"}
_READERS: Final[Mapping[str, Read]] = {
    "channel": values.channels,
    "identity": values.paths,
    "connection_class": values.one_of(ConnectionClass),
    "kind": values.one_of(Kind),
    "first_proof": values.one_of(FirstProof),
    "join": values.one_of(Join),
    "merge": values.one_of(Merge),
    "duplicate_key": values.texts,
    "items": values.or_none(values.any_text),
    "log_limit": values.count,
    "time": values.or_none(values.path),
    "packed": values.flag,
    "bare": values.texts,
    "user": values.or_none(values.text),
    "cadence": values.or_none(values.seconds),
    "healing": values.or_none(values.text),
    "substitutes": values.pairs,
    "removed": values.or_none(values.text),
}
_TYPE_FIELDS: Final = (*_ALIASES, "parameters", "host", *_READERS)
_PARAMETER_FIELDS: Final = tuple(fields_dict(Parameter))


def catalog_with(
    catalog: Catalog,
    tables: Mapping[str, Table],
    *,
    where: str = "types",
    reserved_channels: Collection[str] = (),
    reserved_parameters: Collection[str] = (),
) -> Catalog:
    """Return a catalog with types added or corrected; the given one stays as it is.

    Args:
        catalog: What there is.
        tables: The fields that are told, by the type's name.
        where: What the tables stand under, for messages.
        reserved_channels: Channels under which the venue sends something else.
        reserved_parameters: Names that requests use for something else.

    Raises:
        ConfigurationError: A table cannot be meant.
    """
    hosts = tuple(dict.fromkeys(each.host for each in catalog.values()))
    places = {name: Place(f"[{where}.{name}]") for name in tables}
    found = dict(catalog)
    for name, table in tables.items():
        found[name] = made = _read_type(places[name], name, found.get(name), table, hosts)
        _check_parameters(places[name], made, (*SUBSCRIBE_OPTIONS, *reserved_parameters))
        _check_fields(places[name], made)
    for name, place in places.items():
        _check_substitutes(place, found[name], found)
        if found[name].removed is None:
            _check_routing(place, found[name], found, reserved_channels)
    return MappingProxyType(found)


def _read_type(
    place: Place, name: str, known: SubscriptionType | None, table: object, hosts: Sequence[str]
) -> SubscriptionType:
    if not _TYPE_NAME.fullmatch(name):
        place.fail("its name", name, "at most 64 letters, digits, and _ . : -")
    if not isinstance(table, Mapping):
        raise ConfigurationError(f"{place.table} is {table!r}; allowed is a table of a type's fields")
    told = cast("Table", table)
    place.check_fields(told, _TYPE_FIELDS)
    found: dict[str, Any] = {}
    for field, value in told.items():
        target = _ALIASES.get(field, field)
        if target in found:
            place.fail(field, value, f"it or {target}, not both")
        found[target] = _read_field(place, field, target, value, hosts)
    if known is not None:
        return evolve(known, **found)
    given: dict[str, Any] = {"name": name, "channel": (name,), **found}
    made = SubscriptionType(**given)
    return made if "connection_class" in found else evolve(made, connection_class=_class_of(made))


def _read_field(place: Place, field: str, target: str, value: object, hosts: Sequence[str]) -> Any:  # noqa: ANN401 - what the field holds
    if target == "parameters":
        return _read_parameters(place, value)
    if target == "host":
        if value not in hosts:
            place.fail(field, value, f"one of {', '.join(hosts)}")
        return value
    return place.read(field, value, _READERS[target])


def _class_of(subscription_type: SubscriptionType) -> ConnectionClass:
    """Return the class that follows from what a type declares."""
    if subscription_type.user is not None:
        return ConnectionClass.USER_GROUPED
    echoed = {name for name, _ in subscription_type.identity}
    if any(parameter.name not in echoed for parameter in subscription_type.parameters):
        return ConnectionClass.DEDICATED
    return ConnectionClass.SHARED


def _read_parameters(place: Place, value: object) -> tuple[Parameter, ...]:
    tables = place.read("parameters", value, values.tables)
    read = [(_read_parameter(place, each), each) for each in tables]
    known = {parameter.name: parameter for parameter, _ in read}
    return tuple(_with_companion(place, parameter, told, known) for parameter, told in read)


def _read_parameter(place: Place, table: Table) -> Parameter:
    name = place.read("the name of a parameter", table.get("name"), values.text)
    of = f" of the parameter {name!r}"
    place.check_fields(table, _PARAMETER_FIELDS, of=of)
    kind = place.read(f"kind{of}", table.get("kind", "text"), values.one_of(ParameterKind))
    required = place.read(f"required{of}", table.get("required", False), values.flag)
    plain = Parameter(name=name, kind=kind, required=required)
    choices = place.read(f"choices{of}", table.get("choices", []), values.array)
    parameter = evolve(plain, choices=tuple(_value(place, plain, f"choices{of}", each) for each in choices))
    default = table.get("default")
    if default is None:
        return parameter
    if required:
        place.fail(f"default{of}", default, "none, because the parameter is required")
    if kind is ParameterKind.TEXT and default == "":
        return evolve(parameter, default="")
    return evolve(parameter, default=_value(place, parameter, f"default{of}", default))


def _with_companion(
    place: Place, parameter: Parameter, table: Table, known: Mapping[str, Parameter]
) -> Parameter:
    value, what = table.get("only_with"), f"only_with of the parameter {parameter.name!r}"
    if value is None:
        return parameter
    pairs = _pairs(value)
    if len(pairs) != 1 or pairs[0][0] not in known or pairs[0][0] == parameter.name:
        place.fail(what, value, "a table of one other parameter and the value that it must have")
    name, wanted = pairs[0]
    return evolve(parameter, only_with=(name, _value(place, known[name], what, wanted)))


def _pairs(value: object) -> list[tuple[str, object]]:
    return list(cast("Table", value).items()) if isinstance(value, Mapping) else []


def _value(place: Place, parameter: Parameter, what: str, value: object) -> Any:  # noqa: ANN401 - text, int or bool
    try:
        return parameter.parse(place.table, value)
    except ParameterError as error:
        words = str(error).removeprefix(f"{place.table}: ")
        place.fail(what, value, f"what the parameter takes ({words})")


def _check_parameters(place: Place, made: SubscriptionType, reserved: Collection[str]) -> None:
    names = [parameter.name for parameter in made.parameters]
    for name in names:
        if name in reserved:
            place.fail("the name of a parameter", name, f"any but {', '.join(reserved)}")
        if names.count(name) > 1:
            place.fail("the name of a parameter", name, "each name once")
    for name, _ in made.identity:
        if name not in names:
            place.fail("a name in identity", name, f"a parameter: {', '.join(names) or 'there is none'}")
    if made.user is not None and made.user not in made.required:
        place.fail("user", made.user, f"a required parameter: {', '.join(made.required) or 'there is none'}")


def _check_fields(place: Place, made: SubscriptionType) -> None:
    if made.merge is Merge.ITEMS and not made.duplicate_key:
        place.fail("merge", "items", "items only with a duplicate_key")
    if made.merge is Merge.TIME and made.time is None:
        place.fail("merge", "time", "time only where the field time says where frames name theirs")
    if made.join is Join.LOG and made.items is None:
        place.fail("join", "log", "log only where items says where the payload has them")
    if made.packed and (made.identity or made.time is not None or made.bare):
        place.fail(
            "packed", True, "true only without identity, time and bare: it is not unpacked to be routed"
        )


def _check_substitutes(place: Place, made: SubscriptionType, catalog: Catalog) -> None:
    for name, _ in made.substitutes:
        if name not in catalog:
            place.fail("a name in substitutes", name, "a type of the catalog")


def _check_routing(place: Place, made: SubscriptionType, catalog: Catalog, reserved: Collection[str]) -> None:
    """Refuse a type whose frames would be taken for another's, or another's for its own."""
    for channel in made.channel:
        if channel in reserved:
            place.fail("channel", channel, f"any but {', '.join(reserved)}")
    told = set(made.bare)
    for other in catalog.values():
        if other.name == made.name or other.removed is not None:
            continue
        for channel in made.channel:
            if channel in other.channel:
                place.fail("channel", channel, f"one that no other type has; it is that of {other.name}")
        if told and other.bare and (told <= set(other.bare) or told >= set(other.bare)):
            place.fail("bare", list(made.bare), f"what tells it from {other.name} ({', '.join(other.bare)})")
