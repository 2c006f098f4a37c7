"""What an error shows of a value, and what it does not."""

from __future__ import annotations

import base64
import traceback
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.model.errors import UsageError
from wsmgr.manager.model.showing import NOT_SHOWN, forgetful, looks_like_secret_key, shown

DIGITS = "c0ffee" * 10 + "beef"
RAW = bytes.fromhex(DIGITS)
NUMBER = int(DIGITS, 16)
FORMS: list[Any] = [
    DIGITS,
    f"0x{DIGITS}",
    f"0X{DIGITS.upper()}",
    f" {DIGITS}\n",
    DIGITS[:-1],
    DIGITS + "0",
    str(NUMBER),
    NUMBER,
    -NUMBER,
    RAW,
    bytearray(RAW),
    base64.b64encode(RAW).decode(),
    base64.urlsafe_b64encode(RAW).decode(),
]


class Broken:
    def __repr__(self) -> str:
        raise ValueError(DIGITS)


class Holder:
    def __repr__(self) -> str:
        return f"Holder({DIGITS})"


@pytest.mark.parametrize("form", FORMS)
def test_what_looks_like_a_key_is_not_shown(form: object) -> None:
    """Alone, in a list, as a name or a value of a mapping."""
    assert looks_like_secret_key(form)
    assert NOT_SHOWN == shown(form)
    assert f"[1, {NOT_SHOWN}]" == shown([1, form])
    assert f"{{'key': {NOT_SHOWN}}}" == shown({"key": form})


@pytest.mark.parametrize(
    "value", [f"my key is {DIGITS}", f"key={DIGITS}", Decimal(NUMBER), Holder(), [[Holder()]]]
)
def test_a_key_inside_something_else_is_not_shown_either(value: object) -> None:
    """Whatever the rest of it is."""
    assert NOT_SHOWN in shown(value)
    assert "c0ffee" not in shown(value)
    assert str(NUMBER)[:20] not in shown(value)


@pytest.mark.parametrize(
    "value",
    [
        "BTC",
        "",
        "it's",
        "0x" + "ab" * 20,
        "0x" + "ab" * 16,
        5,
        -(10**18),
        True,
        None,
        1.5,
        b"BTC",
        [1, "a"],
        {"a": {"b": [2]}},
    ],
)
def test_anything_else_is_shown_as_it_is_written(value: object) -> None:
    """Addresses and client order ids too."""
    assert not looks_like_secret_key(value)
    assert repr(value) == shown(value)


def test_what_is_long_or_deep_is_cut() -> None:
    """An error is a sentence, not a document."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in (
        "x y " * 10_000,
        deep,
        ["a" * 70] * 100,
        {str(name): "b" * 70 for name in range(100)},
        10**60,
    ):
        assert len(shown(value)) <= 240
    assert "[[[[...]]]]" == shown(deep)


def test_a_value_that_cannot_show_itself_does_no_harm() -> None:
    """Neither its error nor its error's text comes out."""
    assert "<Broken>" == shown(Broken())
    assert "[<Broken>]" == shown([Broken()])


def test_the_end_of_the_stack_does_no_harm() -> None:
    """A value that is shown at any depth at which a call is possible at all."""
    seen: list[str] = []

    def dig() -> None:
        try:
            dig()
        finally:
            if len(seen) < 40:
                try:
                    found = shown([[["deep"]]])
                except RecursionError:  # the very call has no room
                    found = ""
                seen.append(found)

    with pytest.raises(RecursionError):
        dig()
    assert {"", "(it cannot be shown)", "[[['deep']]]"} >= set(seen)
    assert "[[['deep']]]" == seen[-1]


@given(
    st.recursive(
        st.none() | st.text() | st.binary() | st.integers() | st.floats(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_value_is_shown_in_a_line_of_bounded_length(value: object) -> None:
    """Whatever is given."""
    assert 0 < len(shown(value)) <= 240


def test_an_error_forgets_the_frames_that_it_passed() -> None:
    """And its causes: their frames and their texts could hold a key as well."""

    @forgetful
    def read(secret: str, *, wrong: type[Exception]) -> str:
        try:
            return str(int(secret))
        except ValueError as error:
            raise wrong("no number") from error

    assert "5" == read("5", wrong=UsageError)
    for wrong in (UsageError, KeyError):
        with pytest.raises(wrong, match="no number") as raised:
            read("c0ffee", wrong=wrong)
        own = raised.value.__traceback__
        assert own is not None
        found = "".join(
            traceback.TracebackException(wrong, raised.value, own.tb_next, capture_locals=True).format()
        )
        assert "no number" in found
        assert "c0ffee" not in found


def test_a_bug_keeps_where_it_happened() -> None:
    """In a note without variables: a bug that cannot be found is not mended."""

    @forgetful
    def wrong() -> None:
        raise KeyError("nothing")

    with pytest.raises(KeyError) as raised:
        wrong()
    assert 'raise KeyError("nothing")' in raised.value.__notes__[0]
