"""Values: how a text of the command line, or what a caller gave, becomes a value of a kind.

Whatever may be typed may be given typed; nothing is guessed. Numbers in JSON are read exactly, not as floats. An error
says where, what was given, and what to write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, cast

import msgspec

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.model.subscription_type import Parameter, ParameterKind
from wsmgr.manager.venues.hyperliquid.exchange.orders import Cloid

_MILLISECONDS_SINCE_2001: Final = 10**12
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TRIGGER_EXAMPLE: Final = '{"type": "trigger", "price": "64000", "is_market": true, "trigger": "sl"}'
_JSON: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(float_hook=Decimal)

Read = Callable[[str, object], Any]
"""Returns the value of a name, or says what is wrong with it."""


class Kind(Enum):
    """What a parameter takes. The value is what an error says of it."""

    ASSET = 'the name of an asset, such as "BTC"'
    TOKEN = 'the name of a token, such as "PURR"'  # noqa: S105 - a spot token, not a secret
    AMOUNT = 'an amount, such as "0.001"'
    FLAG = "true or false"
    INTEGER = "a whole number above 0"
    ADDRESS = "an address: 0x and 40 hexadecimal digits"
    TEXT = "a text"
    TIME = 'a time: unix milliseconds, or ISO 8601 with its offset ("2026-01-31T12:00:00Z")'
    CLOID = "a client order id: 0x and 32 hexadecimal digits"
    ORDER_NUMBER = "the number of an order"
    ORDER_ID = "the number of an order, or a client order id: 0x and 32 hexadecimal digits"
    ORDER_TYPE = "an order type: LIMIT_GTC, LIMIT_IOC, LIMIT_ALO, or JSON such as " + _TRIGGER_EXAMPLE
    BUILDER = 'a builder: JSON such as {"b": "0x...", "f": 10}'
    ORDER = "an order: JSON with the parameters of place_order"
    ORDERS = "a list of orders: JSON, each with the parameters of place_order"
    MODIFIES = 'a list of changes: JSON such as [{"order_id": 1, "order": {...}}]'
    CANCELS = 'a list of orders to cancel: JSON such as [{"asset": "BTC", "order_id": 1}]'
    CANCELS_BY_ID = 'a list of orders to cancel: JSON such as [{"asset": "BTC", "client_order_id": "0x..."}]'


def read_time(name: str, value: object) -> int:
    """Return a time in unix milliseconds.

    Raises:
        ParameterError: It is none, has no offset from UTC, or is in seconds.
    """
    found = _moment(name, value)
    if found < _MILLISECONDS_SINCE_2001:
        raise ParameterError(
            f"{name}={value!r} is before 2002; give unix milliseconds, not seconds, or ISO 8601"
        )
    return found


def read_address(name: str, value: object) -> str:
    """Return an address in lower case, the form that the venue signs.

    Raises:
        ParameterError: It is none.
    """
    return cast(str, plain(ParameterKind.ADDRESS)(name, value))


def read_asset(name: str, value: object) -> str | int:
    """Return the name or the number of an asset.

    Raises:
        ParameterError: It is none.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return cast(str, plain(ParameterKind.TEXT)(name, value))


def read_integer(name: str, value: object) -> int:
    """Return a whole number above 0.

    Raises:
        ParameterError: It is none.
    """
    found = cast(int, plain(ParameterKind.INTEGER)(name, value))
    if found <= 0:
        raise refusal(name, value, Kind.INTEGER)
    return found


def read_order_number(name: str, value: object) -> int:
    """Return the number of an order.

    Raises:
        ParameterError: It is none.
    """
    found = cast(int, plain(ParameterKind.INTEGER)(name, value))
    if found < 0:
        raise refusal(name, value, Kind.ORDER_NUMBER)
    return found


def read_cloid(name: str, value: object) -> Cloid:
    """Return a caller's id for an order.

    Raises:
        ParameterError: It is none.
    """
    if isinstance(value, Cloid):
        return value
    try:
        return Cloid(cast(str, value))
    except (ParameterError, TypeError) as error:
        raise refusal(name, value, Kind.CLOID) from error


def read_order_id(name: str, value: object) -> int | Cloid:
    """Return the number of an order, or the caller's id for it.

    Raises:
        ParameterError: It is none.
    """
    if isinstance(value, Cloid) or (isinstance(value, str) and value[:2].lower() == "0x"):
        return read_cloid(name, value)
    return read_order_number(name, value)


def read_mapping(name: str, value: object, kind: Kind) -> Mapping[str, object]:
    """Return a mapping, decoded where it is JSON in a text.

    Raises:
        ParameterError: It is none.
    """
    found = decoded(name, value, kind)
    if not isinstance(found, Mapping):
        raise refusal(name, value, kind)
    return cast(Mapping[str, object], found)


def decoded(name: str, value: object, kind: Kind) -> object:
    """Return the value of JSON in a text, and anything else as it is.

    Raises:
        ParameterError: It is none.
    """
    if not isinstance(value, str):
        return value
    try:
        return _JSON.decode(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise refusal(name, value, kind) from error


def plain(kind: ParameterKind) -> Read:
    """Return what reads one of the plain kinds, as subscriptions have them."""

    def read_plain(name: str, value: object) -> Any:  # noqa: ANN401 - what the kind says
        where, _, short = name.rpartition(": ")
        return Parameter(name=short, kind=kind).parse(where or "the call", value)

    return read_plain


def refusal(name: str, value: object, kind: Kind) -> ParameterError:
    """Return the error that a value is not of its kind."""
    return ParameterError(f"{name}={value!r} is not {kind.value}")


def _moment(name: str, value: object) -> int:
    if isinstance(value, str) and not value.isdecimal():
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise refusal(name, value, Kind.TIME) from error
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time(), tzinfo=UTC)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ParameterError(
                f"{name}={value.isoformat()} has no offset from UTC; write {value.isoformat()}Z"
            )
        return (value - _EPOCH) // timedelta(milliseconds=1)
    return cast(int, plain(ParameterKind.INTEGER)(name, value))
