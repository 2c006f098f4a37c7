"""A secret key signs, and shows itself nowhere."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import logging
import pickle
import pprint
import traceback
from io import StringIO
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import pytest
import structlog
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from wsmgr.manager.model.errors import ConfigurationError, ParameterError
from wsmgr.manager.venues.hyperliquid.signing import SecretKey
from wsmgr.manager.venues.hyperliquid.signing.primitives import ORDER

if TYPE_CHECKING:
    from collections.abc import Callable

DIGITS = "c0ffee" * 10 + "beef"
KEY = SecretKey.parse(DIGITS)
KEY.sign(bytes(32))  # what it keeps for the next time is there too
RAW = bytes.fromhex(DIGITS)


def shows(text: str) -> bool:
    """Whether a text shows a part of the key, in any way in which Python writes bytes and numbers."""
    parts = ("c0ffee", r"\xc0\xff\xee", str(int(DIGITS, 16)), str(list(RAW))[1:20], str(RAW)[2:20])
    return any(part.lower() in text.lower() for part in parts)


@attrs.frozen
class Holder:
    key: SecretKey


@dataclasses.dataclass
class Record:
    key: SecretKey


def rich_text(value: object) -> str:
    console = Console(file=StringIO(), width=200)
    console.print(value)
    console.print({"key": value})
    return str(getattr(console.file, "getvalue")())  # noqa: B009 - a StringIO, which the type does not tell


def logged(value: object) -> str:
    stream = StringIO()
    logger = logging.Logger("test")  # noqa: LOG001 - of its own, so that nothing is left behind
    logger.addHandler(logging.StreamHandler(stream))
    logger.error("%s %r", value, value, extra={"key": value})
    return stream.getvalue()


def structured(value: object) -> str:
    stream = StringIO()
    renderers: list[Any] = [structlog.processors.JSONRenderer(), structlog.dev.ConsoleRenderer(colors=False)]
    for renderer in renderers:
        logger = structlog.wrap_logger(structlog.PrintLogger(stream), processors=[renderer])
        logger.error("signing", key=value)
    return stream.getvalue()


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        ascii,
        "{}".format,
        "{0!r:>40} {0!s:>40}".format,
        pprint.pformat,
        rich_text,
        logged,
        structured,
        lambda key: repr([{"key": (key,)}]),
        lambda key: repr(Holder(key)) + repr(attrs.asdict(Holder(key))),
        lambda key: repr(Record(key)) + repr(dataclasses.asdict(Record(key))),
        lambda key: repr(inspect.getmembers(key)),
        lambda key: repr([key, *(getattr(key, name) for name in type(key).__slots__)]),
        lambda key: json.dumps(key, default=repr),
        lambda key: repr(copy.copy(key)) + repr(copy.deepcopy({"key": key})),
    ],
)
def test_no_way_of_showing_a_key_shows_it(show: Callable[[object], str]) -> None:
    """Not printed, not formatted, not logged, not taken apart."""
    found = show(KEY)
    assert "SecretKey(***)" in found
    assert not shows(found)


@pytest.mark.parametrize(
    "text", [DIGITS, f"{RAW!r}", f"{list(RAW)}", f"{int(DIGITS, 16)}", f"0x{DIGITS.upper()}"]
)
def test_search_for_a_key_finds_one(text: str) -> None:
    """The test above can fail."""
    assert shows(text)


@pytest.mark.parametrize(
    "write",
    [
        *(lambda key, protocol=protocol: pickle.dumps(key, protocol) for protocol in range(6)),
        lambda key: pickle.dumps(Holder(key)),
        lambda key: pickle.dumps(key._sealed),
        lambda _: pickle.dumps(SecretKey.parse(DIGITS)._sealed),  # one that has not signed yet
        lambda _: copy.copy(SecretKey.parse(DIGITS)._sealed),
        lambda key: key.__getstate__(),
        lambda key: key.__reduce__(),
        vars,
        msgspec.to_builtins,
        msgspec.json.encode,
        msgspec.msgpack.encode,
        json.dumps,
        attrs.asdict,
        "{:x}".format,
    ],
)
def test_key_is_written_nowhere(write: Callable[[object], object]) -> None:
    """Whoever would write its parts is refused, and the refusal shows none."""
    with pytest.raises((TypeError, attrs.exceptions.NotAnAttrsClassError)) as raised:
        write(KEY)
    assert not shows("".join(whole_traceback(raised.value)))


def whole_traceback(error: BaseException) -> list[str]:
    """A traceback with the local variables of every frame but the caller's."""
    own = error.__traceback__
    assert own is not None
    if own.tb_next is None:
        return traceback.format_exception_only(error)
    shown = traceback.TracebackException(type(error), error, own.tb_next, capture_locals=True)
    return list(shown.format())


@pytest.mark.parametrize(
    "text",
    [
        "",
        DIGITS[:-1],
        DIGITS + "0",
        "0x" + DIGITS + "0",
        "0x0x" + DIGITS,
        "0X" + DIGITS,
        DIGITS[:-1] + "g",
        " " + DIGITS,
        DIGITS + "\n",
        DIGITS[:32] + " " + DIGITS[32:],
        DIGITS[:-1] + "\N{ARABIC-INDIC DIGIT ONE}",
        "0" * 64,
        f"{ORDER:064x}",
        "f" * 64,
        RAW,
        bytearray(RAW),
        int(DIGITS, 16),
        None,
    ],
)
def test_what_is_no_key_is_refused_without_showing_it(text: Any) -> None:
    """Almost a key is as secret as a key: neither the message nor a traceback with local variables shows it."""
    with pytest.raises(ConfigurationError, match="secret key") as raised:
        SecretKey.parse(text)
    found = "".join(whole_traceback(raised.value))
    assert "parse" in found
    assert not shows(found)
    assert "f" * 20 not in found
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_failure_while_signing_shows_no_key() -> None:
    """A digest of the wrong length is refused, and every frame on the way is clean."""
    with pytest.raises(ParameterError, match="32 bytes, not 31") as raised:
        KEY.sign(bytes(31))
    found = "".join(whole_traceback(raised.value))
    assert "SecretKey(***)" in found
    assert not shows(found)


@given(st.integers(1, ORDER - 1))
@settings(deadline=None)
def test_address_is_the_one_that_eth_account_derives(number: int) -> None:
    """In small letters; with or without `0x`, in small letters or large."""
    digits = f"{number:064x}"
    expected = Account.from_key(digits).address.lower()
    assert expected == SecretKey.parse(digits).address
    assert expected == SecretKey.parse(f"0x{digits.upper()}").address


@pytest.mark.parametrize("number", [1, ORDER - 1])
def test_first_and_last_key_are_keys(number: int) -> None:
    """The range is the group's, to its ends."""
    assert (
        SecretKey.parse(f"{number:064x}").address
        == Account.from_key(number.to_bytes(32, "big")).address.lower()
    )


@given(st.binary(min_size=32, max_size=32))
@settings(deadline=None)
def test_signature_is_the_one_that_eth_account_makes_and_the_smaller_of_two(digest: bytes) -> None:
    """The same digest gives the same signature, and s is in the lower half."""
    expected = Account.unsafe_sign_hash(digest, DIGITS)
    signature = KEY.sign(digest)
    assert (expected.r, expected.s, expected.v) == (signature.r, signature.s, signature.v)
    assert signature.s <= ORDER // 2
    assert signature.v in {27, 28}


def test_copy_of_a_key_is_the_key() -> None:
    """What holds a key can be copied; there is one key."""
    assert copy.copy(KEY) is KEY
    assert copy.deepcopy(Holder(KEY)).key is KEY
