"""Values: how a text of the command line, or what a caller gave, becomes a value of a kind.

One set of rules for questions and actions. Whatever may be typed may be given typed; nothing is guessed. Numbers in
JSON are read exactly, not as floats. An error says where, what was given, and what to write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, cast

import msgspec

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.model.showing import looks_like_secret_key, shown
from wsmgr.manager.model.subscription_type import Parameter, ParameterKind
from wsmgr.manager.venues.hyperliquid.order_ids import MAX_ORDER_ID, Cloid

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
# The same numbers as seconds are the years 5138 and later, as microseconds 1973 and before.
_YEAR_1973, _YEAR_5138 = 10**11, 10**14
_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_TOKEN_ID: Final = re.compile(r"0x[0-9a-fA-F]{32}")
_TRIGGER_EXAMPLE: Final = '{"type": "trigger", "price": "64000", "is_market": true, "trigger": "sl"}'
_JSON: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder(float_hook=Decimal)

Read = Callable[[str, object], Any]
"""Returns the value of a name, or says what is wrong with it."""


class Kind(Enum):
    """What a parameter takes. The value is what an error says of it."""

    ASSET = 'the name of an asset, such as "BTC"'
    TOKEN = 'the name of a token, such as "PURR"'  # noqa: S105 - a spot token, not a secret
    TOKEN_ID = "a token's id: 0x and 32 hexadecimal digits (spotMeta has it)"  # noqa: S105 - as above
    AMOUNT = 'an amount, such as "0.001"'
    FLAG = "true or false"
    INTEGER = "a whole number above 0"
    ADDRESS = "an address: 0x and 40 hexadecimal digits"
    TEXT = "a text"
    TIME = (
        "a time: a datetime with a time zone, whole milliseconds since 1970, or ISO 8601 with its offset"
        ' from UTC ("2026-01-31T12:00:00Z")'
    )
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


def read_value(name: str, value: object, kind: Kind, read: Read, choices: Sequence[Any] = ()) -> Any:  # noqa: ANN401 - what the kind says
    """Return a value of a kind.

    Args:
        name: What it is of, for the errors: `place_order: size`.
        value: What was given.
        kind: What it shall be.
        read: What reads this kind.
        choices: The only values allowed; empty for any.

    Raises:
        ParameterError: It is not of the kind, looks like a secret key, or is not one of the choices.
    """
    if looks_like_secret_key(value):
        raise refusal(name, value, kind)
    found = read(name, value)
    if choices and found not in choices:
        raise ParameterError(
            f"{name}={shown(value)} is not allowed; choose one of {', '.join(map(str, choices))}"
        )
    return found


def read_time(name: str, value: object) -> int:
    """Return a time in unix milliseconds; 0 is the beginning of all.

    Raises:
        ParameterError: It is none, is a day, has no offset from UTC, or is in another unit.
    """
    found = _time_of_text(value) if isinstance(value, str) else value
    if isinstance(found, datetime):
        return _since_1970(name, found)
    if isinstance(found, date):
        raise ParameterError(
            f"{name}={shown(value)} is a day, not a time; write {found.isoformat()}T00:00:00Z"
        )
    if isinstance(found, bool) or not isinstance(found, int) or looks_like_secret_key(found):
        raise refusal(name, value, Kind.TIME)
    return _milliseconds(name, found)


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


def read_token_id(name: str, value: object) -> str:
    """Return the id of a token, in lower case.

    Raises:
        ParameterError: It is none.
    """
    if not isinstance(value, str) or not _TOKEN_ID.fullmatch(value):
        raise refusal(name, value, Kind.TOKEN_ID)
    return value.lower()


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
    if not 0 <= found <= MAX_ORDER_ID:
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
    read = read_cloid if isinstance(value, Cloid) or _is_hexadecimal(value) else read_order_number
    try:
        return read(name, value)
    except ParameterError as error:
        raise refusal(name, value, Kind.ORDER_ID) from error


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
    return ParameterError(f"{name}={shown(value)} is not {kind.value}")


def _is_hexadecimal(value: object) -> bool:
    return isinstance(value, str) and value[:2].lower() == "0x"


def _time_of_text(text: str) -> int | date | None:
    if _DIGITS.fullmatch(text):
        return int(text)
    for read in (date.fromisoformat, datetime.fromisoformat):
        try:
            return read(text)
        except ValueError:  # it would show the text, which may be a secret
            continue
    return None


def _since_1970(name: str, value: datetime) -> int:
    if value.utcoffset() is None:
        written = value.replace(tzinfo=None).isoformat()
        raise ParameterError(
            f"{name}={written} has no offset from UTC; where it is in UTC, write {written}Z, or give it tzinfo=UTC"
        )
    found = (value - _EPOCH) // _MILLISECOND
    if found < 0:
        raise ParameterError(f"{name}={value.isoformat()} is before 1970; write a later time")
    return found


def _milliseconds(name: str, value: int) -> int:
    """Refuse what was meant in another unit."""
    if value < 0:
        raise ParameterError(
            f"{name}={shown(value)} is before 1970; write a later time, in milliseconds since then"
        )
    if 0 < value < _YEAR_1973:
        raise ParameterError(
            f"{name}={shown(value)} is in 1970 to 1973; write milliseconds, not seconds: {value * 1000}"
        )
    if value >= _YEAR_5138:
        raise ParameterError(
            f"{name}={shown(value)} is after 5138; write milliseconds, not microseconds: {value // 1000}"
        )
    return value


READERS: Final[Mapping[Kind, Read]] = MappingProxyType(
    {
        Kind.ASSET: read_asset,
        Kind.TOKEN: plain(ParameterKind.TEXT),
        Kind.TOKEN_ID: read_token_id,
        Kind.FLAG: plain(ParameterKind.FLAG),
        Kind.INTEGER: read_integer,
        Kind.ADDRESS: read_address,
        Kind.TEXT: plain(ParameterKind.TEXT),
        Kind.TIME: read_time,
        Kind.CLOID: read_cloid,
        Kind.ORDER_NUMBER: read_order_number,
        Kind.ORDER_ID: read_order_id,
    }
)
"""What reads the kinds that questions and actions share. The others are read by `exchange.parameters`."""
