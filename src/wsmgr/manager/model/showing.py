"""Showing: what an error shows of the values that were given.

A value is put into an error by `shown`: people see what they wrote, cut where it is long. What looks like a secret key is not
shown: a key is easily given in the wrong place, and errors go to terminals, logs and services that collect them. Such services
also show the variables of every frame that an error has passed; `forgetful` takes those frames away.
"""

from __future__ import annotations

import re
import reprlib
import traceback
from functools import wraps
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from wsmgr.manager.model.errors import WsmgrError

if TYPE_CHECKING:
    from collections.abc import Callable

NOT_SHOWN: Final = "(it looks like a secret key, and is not shown)"
_CANNOT_BE_SHOWN: Final = "(it cannot be shown)"
_MAX_CHARACTERS: Final = 80
_MAX_TOTAL: Final = 240
_MAX_BITS: Final = 200
_MAX_BYTES: Final = 16

# A key has 64 hexadecimal digits, or 77 decimal ones; an address has 40 and a client order id 32. In between is a key that was
# copied badly.
_DIGITS: Final = re.compile(r"[0-9a-fA-F]{48}")
_WHOLE: Final = re.compile(r"(?:0[xX])?[0-9a-fA-F]{48,}|[0-9a-zA-Z+/_-]{43}=")

Params = ParamSpec("Params")
Result = TypeVar("Result")


def looks_like_secret_key(value: object) -> bool:
    """Return whether a value may be a secret key: 48 and more hexadecimal digits, base64 of 32 bytes, or a number as large."""
    if isinstance(value, str):
        return _WHOLE.fullmatch(value.strip()) is not None
    if isinstance(value, bytes | bytearray):
        return len(value) > _MAX_BYTES
    return isinstance(value, int) and value.bit_length() > _MAX_BITS


def shown(value: object) -> str:
    """Return what an error shows of a value: its repr, cut where it is long or deep, and nothing of what looks like a key.

    It never raises, whatever the value's own repr does.
    """
    try:
        return _cut(_REPR.repr(value), _MAX_TOTAL)
    except Exception:  # noqa: BLE001 - an error about a value must not become another one; also a RecursionError
        return _CANNOT_BE_SHOWN


def forgetful(function: Callable[Params, Result]) -> Callable[Params, Result]:
    """Let the errors of a function pass without its frames, and without their causes: variables there may hold a secret.

    What a caller is to know stands in an error's text. An error that is not ours, a bug, keeps in a note where it happened.
    """

    @wraps(function)
    def call(*args: Params.args, **kwargs: Params.kwargs) -> Result:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - it is raised below, where nothing is left of the arguments
            failure = error
        del args, kwargs
        if not isinstance(failure, WsmgrError):
            failure.add_note("".join(traceback.format_tb(failure.__traceback__)))
        failure.__cause__ = failure.__context__ = None
        raise failure.with_traceback(None)

    return call


class _Repr(reprlib.Repr):
    """Reprs with limits, and without what looks like a key."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 3

    # The names of the arguments are those of the class above.
    def repr_str(self, x: str, level: int) -> str:  # noqa: ARG002
        hidden = _DIGITS.search(x) or looks_like_secret_key(x)
        return NOT_SHOWN if hidden else _cut(repr(x[: _MAX_CHARACTERS + 1]))

    def repr_int(self, x: int, level: int) -> str:  # noqa: ARG002
        return NOT_SHOWN if looks_like_secret_key(x) else repr(x)

    def repr_instance(self, x: object, level: int) -> str:  # noqa: ARG002 - bytes too
        if looks_like_secret_key(x):
            return NOT_SHOWN
        try:
            text = repr(x)
        except Exception:  # noqa: BLE001 - the value's own code
            return f"<{type(x).__name__}>"
        return NOT_SHOWN if _DIGITS.search(text) else _cut(text)


def _cut(text: str, most: int = _MAX_CHARACTERS) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


_REPR: Final = _Repr()
