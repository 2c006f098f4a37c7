"""Cells: how times, durations and numbers are written for people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, cast

NOTHING = "-"
MAX_WORDS: Final = 500
"""How many characters people are shown of what a venue says; `--json` has all of them."""
_LEFT_OUT: Final = " … "
_ENDING: Final = 150
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_KILO = 1000.0
_ADDRESS = re.compile(r"(0x[0-9a-f]{4})[0-9a-f]{32}([0-9a-f]{4})")


def text(value: object) -> str:
    """Return a value as text; None and an empty list as a dash."""
    match value:
        case None | "" | [] | ():
            return NOTHING
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return words(",".join(map(str, cast(Sequence[object], value))))
        case _:
            return words(str(value))


def printable(value: str) -> str:
    r"""Return text in one line, control characters escaped (`\x1b`, `\n`): what a venue says must not steer a terminal."""
    if value.isprintable():
        return value
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in value
    )


def printable_lines(value: str) -> str:
    """Return text with its lines as they are, and every other control character escaped."""
    return "\n".join(map(printable, value.split("\n")))


def words(value: str, *, whole: bool = False) -> str:
    """Return what a venue says, printable and in one line of at most 500 characters; of a longer one the middle is left out.

    Args:
        value: What it says, or a sentence about that: advice at the end of it stays.
        whole: Whether it is shown at any length.
    """
    shown = printable(value)
    if whole or len(shown) <= MAX_WORDS:
        return shown
    return shown[: MAX_WORDS - len(_LEFT_OUT) - _ENDING] + _LEFT_OUT + shown[-_ENDING:]


def key(value: object) -> str:
    """Return a subscription key without its venue and with its address shortened, for where there is little room."""
    return _ADDRESS.sub(r"\1…\2", text(value).partition("/")[2])


def clock(value: object) -> str:
    """Return an RFC 3339 time as `2026-03-01T12:00:00Z`: UTC, to the second."""
    found = moment(value)
    return NOTHING if found is None else f"{found:%Y-%m-%dT%H:%M:%SZ}"


def instant(value: object) -> str:
    """Return an RFC 3339 time as `2026-03-01T12:00:00.123Z`: UTC, to the millisecond."""
    found = moment(value)
    return NOTHING if found is None else f"{found:%Y-%m-%dT%H:%M:%S}.{found.microsecond // 1000:03}Z"


def moment(value: object) -> datetime | None:
    """Return an RFC 3339 text as a UTC datetime; None stays None."""
    return datetime.fromisoformat(value).astimezone(UTC) if isinstance(value, str) else None


def duration(value: object) -> str:
    """Return seconds in at most two units: `0.4s`, `12s`, `3m20s`, `2h05m`, `4d03h`."""
    if not isinstance(value, (int, float)):
        return NOTHING
    seconds = float(value)
    whole = round(seconds)
    if seconds < 10:  # noqa: PLR2004 - below ten seconds a tenth matters
        return f"{seconds:.1f}s"
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}m{whole % _MINUTE:02}s"
    if whole < _DAY:
        return f"{whole // _HOUR}h{whole % _HOUR // _MINUTE:02}m"
    return f"{whole // _DAY}d{whole % _DAY // _HOUR:02}h"


def number(value: object) -> str:
    """Return a number with at most one decimal, thousands apart."""
    match value:
        case bool() | None:
            return NOTHING
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.1f}"
        case _:
            return text(value)


def share(value: object) -> str:
    """Return a part of one as a percentage."""
    return f"{value:.2%}" if isinstance(value, (int, float)) else NOTHING


def size(value: object) -> str:
    """Return bytes as `512 B`, `12.3 kB`, `4.5 MB`."""
    if not isinstance(value, (int, float)):
        return NOTHING
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < _KILO:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= _KILO
    return f"{amount:.1f} TB"


def pairs(value: Mapping[str, object]) -> str:
    """Return a mapping as `name=value` pairs in one line."""
    return " ".join(f"{printable(name)}={text(item)}" for name, item in value.items()) or NOTHING
