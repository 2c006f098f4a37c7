"""Listening: where a manager's API listens over TCP, for its health; a port that was free to choose is known only then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from wsmgr.manager.runtime.engine import Engine

_URLS: Final[WeakKeyDictionary[Engine, str]] = WeakKeyDictionary()


def announce(engine: Engine, url: str) -> None:
    """Note that a manager's API listens at a URL."""
    _URLS[engine] = url


def withdraw(engine: Engine) -> None:
    """Note that it listens there no more."""
    _URLS.pop(engine, None)


def url_of(engine: Engine) -> str | None:
    """Return where a manager's API listens over TCP, or None where it does not."""
    return _URLS.get(engine)
