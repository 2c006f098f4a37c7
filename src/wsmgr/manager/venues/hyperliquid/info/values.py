"""The values that a query takes: what is allowed, and how it stands on the wire."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from wsmgr.manager.model.errors import ParameterError
from wsmgr.manager.model.subscription_type import Parameter, ParameterKind

if TYPE_CHECKING:
    from collections.abc import Callable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_YEAR_1973, _YEAR_5138 = 10**11, 10**14
_CLIENT_ID = re.compile(r"0x[0-9a-fA-F]{32}")


class ValueKind(Enum):
    """What values a parameter takes."""

    TEXT = "text"
    INTEGER = "integer"
    FLAG = "flag"
    ADDRESS = "address"
    TIME = "time"
    """An aware datetime, or milliseconds since 1970; as text also RFC 3339."""
    ORDER_ID = "order id"
    """The venue's number, or the client's own id: 0x and 32 hexadecimal digits."""
    TOKEN_ID = "token id"  # noqa: S105  # a token of the exchange
    """0x and 32 hexadecimal digits."""


_WANTED = {
    ValueKind.TIME: "a time: a datetime with a time zone, whole milliseconds since 1970, or RFC 3339"
    " such as 2025-07-01T00:00:00Z",
    ValueKind.ORDER_ID: "an order's number, or its client id: 0x and 32 hexadecimal digits",
    ValueKind.TOKEN_ID: "a token's id: 0x and 32 hexadecimal digits (spotMeta has it)",
}


@frozen(kw_only=True)
class QueryParameter:
    """One parameter of a query.

    Attributes:
        name: As the venue spells it.
        keyword: As the method spells it.
        doc: What it is, in one line.
        kind: What values it takes.
        required: Whether the query needs it.
        default: The value that is the same to the venue as leaving it out; it is left out.
        choices: The only values allowed; empty for any.
        only_with: Another parameter and the value it must have for this one to be allowed, or None.
    """

    name: str
    keyword: str
    doc: str
    kind: ValueKind = ValueKind.TEXT
    required: bool = False
    default: Any = None
    choices: tuple[Any, ...] = ()
    only_with: tuple[str, Any] | None = None

    def parse(self, query: str, value: object) -> Any:  # noqa: ANN401 - a parameter's value is text, int or bool
        """Return the value as it stands on the wire.

        Raises:
            ParameterError: It is not of this parameter's kind, or not one of its choices.
        """
        read = _READERS.get(self.kind)
        if read is None:
            plain = Parameter(name=self.name, kind=ParameterKind[self.kind.name], choices=self.choices)
            return plain.parse(query, value)
        found = read(value)
        if found is None:
            raise ParameterError(f"{query}: {self.name}={value!r} is not {_WANTED[self.kind]}")
        if self.kind is ValueKind.TIME:
            self._check_time(query, found)
        return found

    def _check_time(self, query: str, milliseconds: int) -> None:
        """Refuse what was meant in another unit; 0 is the beginning of everything."""
        if 0 < milliseconds < _YEAR_1973:
            raise ParameterError(
                f"{query}: {self.name}={milliseconds} is in 1970 to 1973; give milliseconds, not seconds"
            )
        if milliseconds < 0 or milliseconds >= _YEAR_5138:
            raise ParameterError(
                f"{query}: {self.name}={milliseconds} is before 1970 or after 5138; give milliseconds since 1970"
            )


def _read_time(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if isinstance(value, datetime):
        return None if value.utcoffset() is None else (value - _EPOCH) // _MILLISECOND
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _read_order_id(value: object) -> int | str | None:
    if isinstance(value, str):
        if _CLIENT_ID.fullmatch(value):
            return value.lower()
        return int(value) if re.fullmatch(r"[0-9]{1,18}", value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _read_token_id(value: object) -> str | None:
    return value.lower() if isinstance(value, str) and _CLIENT_ID.fullmatch(value) else None


_READERS: dict[ValueKind, Callable[[object], Any]] = {
    ValueKind.TIME: _read_time,
    ValueKind.ORDER_ID: _read_order_id,
    ValueKind.TOKEN_ID: _read_token_id,
}
