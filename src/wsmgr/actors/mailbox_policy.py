"""How much mail an actor holds, and what happens at the bound. Values: checked when they are made."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Literal

from attrs import field, frozen

from .validation import check_choice, check_positive_int

_OVERFLOWS: Final = ("reject", "drop_oldest", "drop_newest")


@frozen
class Conflate:
    """The overflow policy of actors that only need the newest of each kind; made by `conflate(key)`."""

    key: Callable[[object], Hashable | None]


def conflate(key: Callable[[object], Hashable | None]) -> Conflate:
    """Return the policy by which a cast replaces the queued one with the same key, in its place.

    Args:
        key: Returns what makes two casts the same kind, or None for one that must not be replaced.
    """
    return Conflate(key)


def _check_overflow(_: object, __: object, value: object) -> None:
    if not isinstance(value, Conflate):
        check_choice("overflow", value, _OVERFLOWS)


def _check_capacity(_: object, __: object, value: object) -> None:
    check_positive_int("capacity", value)


@frozen(kw_only=True)
class MailboxPolicy:
    """How much mail an actor holds, and what happens then.

    Attributes:
        capacity: Calls and casts that may wait, at least 1.
        overflow: What happens at the bound. `reject`: the new one is not accepted, and that is reported.
            `drop_newest`: the same as the actor's own wish, hence only counted. `drop_oldest`: the oldest makes
            room. `conflate(key)`: as `reject`, and a newer cast replaces the queued one of the same key at any time.
    """

    capacity: int = field(default=1024, validator=_check_capacity)
    overflow: Literal["reject", "drop_oldest", "drop_newest"] | Conflate = field(
        default="reject", validator=_check_overflow
    )
