"""Values of a configuration's tables: read, or told with their table, their field and what may stand there.

A reader takes what TOML gives and returns what a field holds, or raises `UnfitError` with what it would have taken. What may be
None is written as `false`, because TOML has no null.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, cast

from attrs import frozen

from wsmgr.manager.model.errors import ConfigurationError
from wsmgr.manager.model.showing import shown

if TYPE_CHECKING:
    from enum import Enum

Table = Mapping[str, object]
Read = Callable[[object], Any]


class UnfitError(Exception):
    """A value that does not fit; its text is what would have. It never leaves a `Place`."""


@frozen
class Place:
    """Where in the configuration values are read: mistakes are told with it.

    Attributes:
        table: The table, as it is written: `[venues.desk-a]`.
    """

    table: str

    def fail(self, what: str, value: object, allowed: str) -> NoReturn:
        """Refuse a value: say what it is, and what is allowed there."""
        raise ConfigurationError(f"{self.table}: {what} is {shown(value)}; allowed is {allowed}")

    def read(self, what: str, value: object, read: Read) -> Any:  # noqa: ANN401 - what the field holds
        """Return a value as its reader returns it, or refuse it."""
        try:
            return read(value)
        except UnfitError as error:
            self.fail(what, value, str(error))

    def check_fields(self, table: Table, known: Sequence[str], *, of: str = "") -> None:
        """Refuse a table that has a field which is not known; `of` says what the table is about."""
        for name, value in table.items():
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise ConfigurationError(
                    f"{self.table}: there is no field {shown(name)}{of} (here: {shown(value)}); {hint}"
                    f"allowed are {', '.join(known)}"
                )


def text(value: object) -> str:
    """Read a text that says something."""
    if not isinstance(value, str) or not value.strip():
        raise UnfitError("a text")
    return value


def any_text(value: object) -> str:
    """Read a text, an empty one too."""
    if not isinstance(value, str):
        raise UnfitError("a text")
    return value


def path(value: object) -> str:
    """Read a path into a payload."""
    if not isinstance(value, str) or not all(value.split(".")):
        raise UnfitError("a path into the payload, such as 'coin' or 'state.coin'")
    return value


def texts(value: object) -> tuple[str, ...]:
    """Read an array of texts."""
    found = cast("list[object]", value) if isinstance(value, list) else [None]
    if not all(isinstance(each, str) and each for each in found):
        raise UnfitError("an array of texts")
    return tuple(cast("list[str]", found))


def array(value: object) -> list[object]:
    """Read an array of whatever."""
    if not isinstance(value, list):
        raise UnfitError("an array of values")
    return cast("list[object]", value)


def tables(value: object) -> list[Table]:
    """Read an array of tables."""
    found = cast("list[object]", value) if isinstance(value, list) else [value]
    if not all(isinstance(each, Mapping) for each in found):
        raise UnfitError("an array of tables, each with at least a name")
    return cast("list[Table]", found)


def channels(value: object) -> tuple[str, ...]:
    """Read a text, or an array of at least one."""
    try:
        found = texts([value] if isinstance(value, str) else value)
    except UnfitError:
        found = ()
    if not found:
        raise UnfitError("a text, or an array of at least one")
    return found


def pairs(value: object) -> tuple[tuple[str, str], ...]:
    """Read a table of texts."""
    found = cast("Table", value) if isinstance(value, Mapping) else {"": None}
    if not all(isinstance(each, str) and each for each in found.values()):
        raise UnfitError('a table of texts, such as { coin = "coin" }')
    return tuple(cast("Mapping[str, str]", found).items())


def paths(value: object) -> tuple[tuple[str, str], ...]:
    """Read a table of paths into a payload."""
    return tuple((name, path(each)) for name, each in pairs(value))


def flag(value: object) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise UnfitError("true or false")
    return value


def count(value: object) -> int:
    """Read how many."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UnfitError("a whole number, at least 1")
    return value


def seconds(value: object) -> float:
    """Read how long."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
        raise UnfitError("a number of seconds above 0")
    return float(value)


def one_of(kind: type[Enum]) -> Read:
    """Return what reads a member of an enum by its value."""

    def read(value: object) -> Enum:
        try:
            return kind(value)
        except ValueError:
            raise UnfitError("one of " + ", ".join(str(each.value) for each in kind)) from None

    return read


def or_none(read: Read) -> Read:
    """Return what reads `false` as None, and all else as `read` does."""

    def optional(value: object) -> Any:  # noqa: ANN401 - what the field holds
        if value is False:
            return None
        try:
            return read(value)
        except UnfitError as error:
            raise UnfitError(f"{error}, or false for none") from None

    return optional
