"""What can be wrong with a universe, or with a name that is looked up in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsmgr.manager.model.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from wsmgr.manager.model.outcome import Refused, Unknown


class UniverseError(UnavailableError):
    """The universe could not be read or loaded, or is too old to sign with.

    Args:
        message: What happened, and to which part of it.
        outcome: What became of the query that was to bring it, where that is the reason.
    """

    def __init__(self, message: str, outcome: Refused | Unknown | None = None) -> None:
        """Keep the outcome beside the words."""
        super().__init__(message)
        self.outcome = outcome


class UnknownAssetError(UsageError):
    """No asset (or no token) has this name.

    Args:
        message: What was looked for, and what there is instead.
        nearest: The names that come nearest, best first.
    """

    def __init__(self, message: str, nearest: tuple[str, ...] = ()) -> None:
        """Keep the nearest names beside the words."""
        super().__init__(message)
        self.nearest = nearest


class AmbiguousAssetError(UnknownAssetError):
    """Several assets (or tokens) go by this name; `nearest` has them all, by names that are not ambiguous."""


def suggestion(names: tuple[str, ...]) -> str:
    """Return the end of a sentence that proposes names; empty where there are none."""
    if not names:
        return ""
    *others, last = names
    return f"; did you mean {', '.join(others)} or {last}?" if others else f"; did you mean {last}?"
