"""The checks of options, one clear message per rule: which option, what it must be, what was seen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    """Raise ValueError unless `value` is one of `choices`."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")


def check_bool(name: str, value: object) -> None:
    """Raise TypeError unless `value` is a bool."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {value!r}")


def check_positive_int(name: str, value: object) -> None:
    """Raise unless `value` is an integer of at least 1."""
    check_count(name, value)
    if value == 0:
        raise ValueError(f"{name} must be at least 1, not 0")


def check_count(name: str, value: object) -> None:
    """Raise unless `value` is an integer of at least 0."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, not {value!r}")
    if value < 0:
        raise ValueError(f"{name} must not be negative, but is {value!r}")


def check_seconds(name: str, value: object, *, zero: bool = True, infinite: bool = False) -> None:
    """Raise unless `value` is a duration in seconds.

    Args:
        name: The option, for the message.
        value: What was given.
        zero: Whether 0 is a duration here.
        infinite: Whether `math.inf` is.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number of seconds, not {value!r}")
    if math.isnan(value) or value < 0 or (value == 0 and not zero):
        raise ValueError(f"{name} must be {'at least' if zero else 'more than'} 0 seconds, not {value!r}")
    if value == math.inf and not infinite:
        raise ValueError(f"{name} must be a finite number of seconds")
