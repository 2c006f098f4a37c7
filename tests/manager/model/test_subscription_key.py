"""Subscription keys: one text, one subscription, one id."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.manager.model.keys import parse_key

from wsmgr.manager.model.subscription_key import ID_LENGTH, format_key, subscription_id

RESERVED = "%&=+# ?/\x00\t\n\x1f\x7f\x85\x9f"
TEXT = st.text(
    st.one_of(
        st.sampled_from(RESERVED), st.characters(codec="utf-8", categories=["Cc", "L", "N", "P", "S", "Z"])
    )
)
NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1)
PARAMS = st.dictionaries(TEXT.filter(bool), TEXT, max_size=4)


@given(venue=NAMES, type_name=NAMES, params=PARAMS)
def test_what_is_formatted_is_parsed_back(venue: str, type_name: str, params: dict[str, str]) -> None:
    """A key can be handed around as text: nothing of it is lost, whatever a parameter holds."""
    assert (venue, type_name, params) == parse_key(format_key(venue, type_name, params))


@given(PARAMS)
def test_a_key_holds_no_space_and_no_control_character(params: dict[str, str]) -> None:
    """A key survives a line, a column and a shell word."""
    key = format_key("v", "t", params)
    assert [] == [each for each in key if each == " " or unicodedata.category(each) == "Cc"]


@given(PARAMS)
def test_only_reserved_characters_are_encoded(params: dict[str, str]) -> None:
    """A key stays readable: everything else stands as the caller wrote it."""
    encoded = {ord(each) for each in "%&=+# "} | set(range(0x20)) | set(range(0x7F, 0xA0))
    expected = {each for pair in params.items() for text in pair for each in text if ord(each) not in encoded}
    assert expected <= set(format_key("v", "t", params))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("BTC", "BTC"),
        ("@107", "@107"),
        ("xyz:TSLA", "xyz:TSLA"),
        ("HYPE/USDC", "HYPE/USDC"),
        ("a%b", "a%25b"),
        ("a&b", "a%26b"),
        ("a=b", "a%3Db"),
        ("a+b", "a%2Bb"),
        ("a#b", "a%23b"),
        ("a b", "a%20b"),
        ("a\nb", "a%0Ab"),
        ("a\x7fb", "a%7Fb"),
        ("a\x85b", "a%C2%85b"),
        ("Ω", "Ω"),
        (5, "5"),
        (True, "true"),
        (False, "false"),
    ],
)
def test_each_reserved_character_is_percent_encoded(value: object, written: str) -> None:
    """The list of the contract, character by character."""
    assert f"v/t?coin={written}" == format_key("v", "t", {"coin": value})


def test_parameters_stand_in_the_order_of_their_names() -> None:
    """The order in which a caller names parameters makes no second subscription."""
    assert "hyperliquid/l2Book?coin=BTC&nSigFigs=5" == format_key(
        "hyperliquid", "l2Book", {"nSigFigs": 5, "coin": "BTC"}
    )


def test_a_type_without_parameters_has_no_question_mark() -> None:
    """`hyperliquid/allMids` is the whole key."""
    assert "hyperliquid/allMids" == format_key("hyperliquid", "allMids", {})


@given(first=PARAMS, second=PARAMS)
def test_equal_keys_have_equal_ids_and_others_do_not(first: dict[str, str], second: dict[str, str]) -> None:
    """The id is the key's: the same after a restart, on another machine, in another process."""
    keys = format_key("v", "t", first), format_key("v", "t", second)
    assert (first == second) == (keys[0] == keys[1])
    assert (keys[0] == keys[1]) == (subscription_id(keys[0]) == subscription_id(keys[1]))


def test_an_id_never_changes_between_versions() -> None:
    """Ids are in people's scripts and on disk: a new way to derive them would orphan both."""
    found = subscription_id("hyperliquid/l2Book?coin=BTC")
    assert "3ybxjrjj7a" == found
    assert ID_LENGTH == len(found)
