"""Parameters of calls as data, and the arguments that are made of what a caller gave for them.

Lists, trigger orders and builders may be typed, mappings, or JSON in a text.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from attrs import frozen

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.model.showing import shown
from wsmgr.manager.venues.hyperliquid.exchange import amounts
from wsmgr.manager.venues.hyperliquid.exchange.orders import (
    LIMIT_ALO,
    LIMIT_GTC,
    LIMIT_IOC,
    Builder,
    CancelByIdRequest,
    CancelRequest,
    LimitOrder,
    ModifyRequest,
    OrderRequest,
    OrderType,
    TriggerOrder,
)
from wsmgr.manager.venues.hyperliquid.values import (
    READERS,
    Kind,
    Read,
    decoded,
    read_mapping,
    read_value,
    refusal,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

NAMED_ORDER_TYPES: Final[Mapping[str, OrderType]] = {
    "LIMIT_GTC": LIMIT_GTC,
    "LIMIT_IOC": LIMIT_IOC,
    "LIMIT_ALO": LIMIT_ALO,
}
"""Order types by the names under which a text may give them."""

ALIASES: Final[Mapping[str, str]] = {"coin": "asset"}
"""Other names of parameters."""


@frozen(kw_only=True)
class Parameter:
    """One parameter of a call.

    Attributes:
        name: Its name.
        kind: What it takes.
        doc: What it is, in half a sentence.
        required: Whether it must be given.
        default: What it is where it is not given.
        choices: The only values allowed; empty for any.
    """

    name: str
    kind: Kind
    doc: str
    required: bool = True
    default: Any = None
    choices: tuple[str, ...] = ()


Arguments = dict[str, Any]
"""The arguments of a call by their names, typed."""

Made = TypeVar("Made")


def optional(name: str, kind: Kind, doc: str, default: object = None, **more: Any) -> Parameter:  # noqa: ANN401 - fields of Parameter
    """Return a parameter that may be left out."""
    return Parameter(name=name, kind=kind, doc=doc, required=False, default=default, **more)


def read(where: str, parameters: Sequence[Parameter], given: Mapping[str, object]) -> Arguments:
    """Return the arguments of a call, checked and typed; what was left out or None has its default.

    Args:
        where: What is read, for the errors.
        parameters: What it takes.
        given: What was given: texts, or typed values.

    Raises:
        ParameterError: One is unknown, missing, given twice or malformed; an amount is a float.
    """
    by_name = {parameter.name: parameter for parameter in parameters}
    named = _named(where, by_name, given)
    found: Arguments = {}
    for name, parameter in by_name.items():
        value = named.get(name)
        if value is not None:
            reader = _READERS[parameter.kind]
            found[name] = read_value(f"{where}: {name}", value, parameter.kind, reader, parameter.choices)
        elif parameter.required:
            raise ParameterError(f"{where}: {name} is missing; give {parameter.kind.value}")
        else:
            found[name] = parameter.default
    return found


def _named(where: str, by_name: Mapping[str, Parameter], given: Mapping[str, object]) -> dict[str, object]:
    named: dict[str, object] = {}
    for called, value in given.items():
        name = called if called in by_name else ALIASES.get(called, called)
        if name not in by_name:
            near = difflib.get_close_matches(called, [*by_name, *ALIASES], n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ParameterError(
                f"{where}: there is no parameter {shown(called)}; {hint}it takes {', '.join(by_name) or 'none'}"
            )
        if value is not None and named.get(name) is not None:
            raise ParameterError(f"{where}: {name} is given twice, as {' and as '.join([*ALIASES, name])}")
        if value is not None:
            named[name] = value
    return named


def _order_type(name: str, value: object) -> OrderType:
    if isinstance(value, LimitOrder | TriggerOrder):
        return value
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        found = NAMED_ORDER_TYPES.get(value.upper())
        if found is None:
            raise refusal(name, value, Kind.ORDER_TYPE)
        return found
    fields = dict(read_mapping(name, value, Kind.ORDER_TYPE))
    match fields.pop("type", None):
        case "limit":
            return _made(name, LimitOrder, read(name, _LIMIT, fields))
        case "trigger":
            return _made(name, TriggerOrder, read(name, _TRIGGER, fields))
        case _:
            raise refusal(name, value, Kind.ORDER_TYPE)


def _builder(name: str, value: object) -> Builder:
    if isinstance(value, Builder):
        return value
    fields = read(name, _BUILDER, read_mapping(name, value, Kind.BUILDER))
    return _made(name, Builder, {"address": fields["b"], "fee": fields["f"]})


def _one(kind: Kind, made: type[Any], parameters: Sequence[Parameter]) -> Read:
    def read_one(name: str, value: object) -> Any:  # noqa: ANN401 - an instance of `made`
        if isinstance(value, made):
            return value
        return _made(name, made, read(name, parameters, read_mapping(name, value, kind)))

    return read_one


def _made(name: str, made: Callable[..., Made], fields: Arguments) -> Made:
    try:
        return made(**fields)
    except ParameterError as error:
        raise ParameterError(f"{name}: {error}") from error


def _many(kind: Kind, read_one: Read) -> Read:
    def read_many(name: str, value: object) -> list[Any]:
        items = decoded(name, value, kind)
        if not isinstance(items, list | tuple):
            raise refusal(name, value, kind)
        if not items:
            raise ParameterError(f"{name} is empty; give {kind.value}")
        return [read_one(f"{name}[{place}]", item) for place, item in enumerate(cast(list[object], items))]

    return read_many


_LIMIT: Final = (Parameter(name="tif", kind=Kind.TEXT, doc="how long it stays"),)
_TRIGGER: Final = (
    Parameter(name="price", kind=Kind.AMOUNT, doc="the trigger price"),
    Parameter(name="is_market", kind=Kind.FLAG, doc="whether it takes at the market"),
    Parameter(name="trigger", kind=Kind.TEXT, doc="tp or sl"),
)
_BUILDER: Final = (
    Parameter(name="b", kind=Kind.ADDRESS, doc="the builder's address"),
    Parameter(name="f", kind=Kind.ORDER_NUMBER, doc="its fee in tenths of a basis point"),
)
REDUCE_ONLY: Final = optional(
    "reduce_only", Kind.FLAG, "whether it may only make a position smaller", default=False
)
ORDER: Final = (
    Parameter(name="asset", kind=Kind.ASSET, doc="what to trade"),
    Parameter(name="is_buy", kind=Kind.FLAG, doc="whether to buy"),
    Parameter(name="size", kind=Kind.AMOUNT, doc="how much of the asset"),
    Parameter(name="limit_price", kind=Kind.AMOUNT, doc="the worst price to take"),
    Parameter(name="order_type", kind=Kind.ORDER_TYPE, doc="what kind of order"),
    REDUCE_ONLY,
    optional("cloid", Kind.CLOID, "the caller's id for it"),
)
"""What an order takes."""
CANCEL: Final = (
    Parameter(name="asset", kind=Kind.ASSET, doc="the asset of the order"),
    Parameter(name="order_id", kind=Kind.ORDER_NUMBER, doc="the venue's number of the order"),
)
"""What a cancel takes."""
CANCEL_BY_ID: Final = (
    Parameter(name="asset", kind=Kind.ASSET, doc="the asset of the order"),
    Parameter(name="client_order_id", kind=Kind.CLOID, doc="the caller's id for the order"),
)
"""What a cancel by the caller's id takes."""
_MODIFY: Final = (
    Parameter(name="order_id", kind=Kind.ORDER_ID, doc="the order to change"),
    Parameter(name="order", kind=Kind.ORDER, doc="what it becomes"),
)

_READ_ORDER: Final = _one(Kind.ORDER, OrderRequest, ORDER)
_READERS: Final[Mapping[Kind, Read]] = {
    **READERS,
    Kind.AMOUNT: amounts.amount,
    Kind.ORDER_TYPE: _order_type,
    Kind.BUILDER: _builder,
    Kind.ORDER: _READ_ORDER,
    Kind.ORDERS: _many(Kind.ORDERS, _READ_ORDER),
    Kind.MODIFIES: _many(Kind.MODIFIES, _one(Kind.MODIFIES, ModifyRequest, _MODIFY)),
    Kind.CANCELS: _many(Kind.CANCELS, _one(Kind.CANCELS, CancelRequest, CANCEL)),
    Kind.CANCELS_BY_ID: _many(Kind.CANCELS_BY_ID, _one(Kind.CANCELS_BY_ID, CancelByIdRequest, CANCEL_BY_ID)),
}
