"""Subscription types: what a caller gives is checked before anything is sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsmgr.manager.model.errors import ParameterError, UsageError
from wsmgr.manager.model.subscription_type import Merge, Parameter, ParameterKind, SubscriptionType

ADDRESS = "0x" + "aB" * 20
STREAM = SubscriptionType(
    name="stream",
    channel=("stream",),
    parameters=(
        Parameter(name="coin", required=True),
        Parameter(name="interval", choices=("1m", "1h")),
        Parameter(name="digits", kind=ParameterKind.INTEGER, choices=(2, 3, 4, 5)),
        Parameter(name="mantissa", kind=ParameterKind.INTEGER, choices=(2, 5), only_with=("digits", 5)),
        Parameter(name="fast", kind=ParameterKind.FLAG, default=False),
        Parameter(name="account", kind=ParameterKind.ADDRESS),
    ),
)
VALID = st.fixed_dictionaries(
    {"coin": st.sampled_from(["BTC", "@1", "kPEPE", "a b", "Ω"])},
    optional={
        "interval": st.sampled_from(["1m", "1h", None]),
        "digits": st.sampled_from([2, "3", 5, "5", None]),
        "fast": st.sampled_from([True, False, "true", "No", "1", None]),
        "account": st.sampled_from([ADDRESS, ADDRESS.lower(), None]),
    },
)


def refusal(**params: object) -> str:
    """What the type says about parameters that it does not take."""
    with pytest.raises(ParameterError) as caught:
        STREAM.canonical(params)
    return str(caught.value)


@given(VALID)
def test_canonical_parameters_are_canonical_already(params: dict[str, Any]) -> None:
    """What was checked and stored is the same wish when it is read again."""
    canonical = STREAM.canonical(params)
    assert canonical == STREAM.canonical(canonical)


@given(params=VALID, order=st.randoms(use_true_random=False))
def test_the_order_of_parameters_does_not_matter(params: dict[str, Any], order: Any) -> None:
    """Two callers who name the same things in another order want the same subscription."""
    shuffled = list(params.items())
    order.shuffle(shuffled)
    assert list(STREAM.canonical(params).items()) == list(STREAM.canonical(dict(shuffled)).items())


@given(VALID)
def test_canonical_parameters_are_sorted_and_hold_neither_nulls_nor_defaults(params: dict[str, Any]) -> None:
    """`fast=false` and leaving `fast` out are one subscription."""
    canonical = STREAM.canonical(params)
    assert sorted(canonical) == list(canonical)
    assert None not in canonical.values()
    assert canonical.get("fast") is not False


@pytest.mark.parametrize(
    ("name", "value", "canonical"),
    [
        ("coin", "a b", "a b"),
        ("interval", "1h", "1h"),
        ("digits", 5, 5),
        ("digits", "5", 5),
        ("digits", "005", 5),
        ("fast", True, True),
        ("fast", "TRUE", True),
        ("fast", "yes", True),
        ("fast", "1", True),
        ("account", ADDRESS, ADDRESS.lower()),
    ],
)
def test_each_kind_of_parameter_is_brought_to_one_form(name: str, value: object, canonical: object) -> None:
    """A number typed in a shell and a number in a program are one subscription; so are both cases of an address."""
    found = STREAM.canonical({"coin": "BTC", name: value})[name]
    assert canonical == found
    assert type(canonical) is type(found)


@pytest.mark.parametrize(
    ("params", "wrong", "right"),
    [
        (
            {"coin": "BTC", "symbol": "ETH"},
            "'symbol'",
            "it takes coin, interval, digits, mantissa, fast, account",
        ),
        ({}, "'coin' is missing", "coin"),
        ({"coin": None}, "'coin' is missing", "coin"),
        ({"coin": 7}, "coin=7", "a text"),
        ({"coin": ""}, "coin is empty", "a text"),
        ({"coin": " BTC"}, "coin=' BTC'", "without space at its ends"),
        ({"coin": "BTC", "interval": "7m"}, "interval='7m'", "choose one of 1m, 1h"),
        ({"coin": "BTC", "interval": 1}, "interval=1", "choose one of 1m, 1h"),
        ({"coin": "BTC", "digits": "many"}, "digits='many'", "a whole number; choose one of 2, 3, 4, 5"),
        ({"coin": "BTC", "digits": 7}, "digits=7", "choose one of 2, 3, 4, 5"),
        ({"coin": "BTC", "digits": True}, "digits=True", "a whole number"),
        ({"coin": "BTC", "digits": 5.0}, "digits=5.0", "a whole number"),
        ({"coin": "BTC", "digits": "\u0665"}, "digits='\u0665'", "a whole number"),
        ({"coin": "BTC", "digits": "9" * 19}, "digits=", "a whole number"),
        ({"coin": "BTC", "fast": "maybe"}, "fast='maybe'", "true or false"),
        ({"coin": "BTC", "fast": 1}, "fast=1", "true or false"),
        ({"coin": "BTC", "account": "0x12"}, "account='0x12'", "0x and 40 hexadecimal digits"),
        ({"coin": "BTC", "account": ADDRESS + "\n"}, "account=", "0x and 40 hexadecimal digits"),
        ({"coin": "BTC", "account": 5}, "account=5", "0x and 40 hexadecimal digits"),
        ({"coin": "BTC", "mantissa": 5}, "mantissa", "only allowed with digits=5"),
        ({"coin": "BTC", "mantissa": 2, "digits": 4}, "(here: 4)", "only allowed with digits=5"),
    ],
)
def test_a_refusal_names_the_type_what_was_wrong_and_what_would_be_right(
    params: dict[str, object], wrong: str, right: str
) -> None:
    """Whoever mistypes learns from the message alone how to type it."""
    message = refusal(**params)
    assert message.startswith("stream: ")
    assert wrong in message
    assert right in message


def test_a_missing_parameter_with_choices_lists_them() -> None:
    """What is left out can be put in without looking it up."""
    candle = SubscriptionType(
        name="candle",
        channel=("candle",),
        parameters=(Parameter(name="interval", required=True, choices=("1m", "1h")),),
    )
    with pytest.raises(ParameterError, match="'interval' is missing; choose one of 1m, 1h"):
        candle.canonical({})


def test_an_unknown_parameter_of_a_type_that_takes_none_says_so() -> None:
    """The message ends in words, not in an empty list."""
    with pytest.raises(ParameterError, match="it takes no parameters"):
        SubscriptionType(name="mids", channel=("mids",)).canonical({"coin": "BTC"})


def test_a_companion_is_allowed_beside_what_it_needs() -> None:
    """The rule refuses only what the venue refuses."""
    assert {"coin": "BTC", "digits": 5, "mantissa": 2} == STREAM.canonical(
        {"coin": "BTC", "digits": "5", "mantissa": 2}
    )


def test_a_wrong_parameter_is_a_usage_error() -> None:
    """The command line exits 2 for every `UsageError`, before anything is sent."""
    assert issubclass(ParameterError, UsageError)
    assert issubclass(ParameterError, ValueError)


def test_a_type_without_a_channel_is_refused() -> None:
    """Its frames could never be routed."""
    with pytest.raises(ValueError, match="channel"):
        SubscriptionType(name="mids", channel=())


@pytest.mark.parametrize(
    ("merge", "promise"), [(Merge.ITEMS, "at most once"), (Merge.TIME, "monotonic"), (Merge.NONE, "none")]
)
def test_the_promise_of_a_type_follows_from_how_it_is_merged(merge: Merge, promise: str) -> None:
    """`wsmgr types` never promises more than the merge can keep."""
    assert promise == SubscriptionType(name="t", channel=("t",), merge=merge).promise


def test_what_can_stand_in_for_a_type_is_said_in_words() -> None:
    """A refusal ends with what to do instead, where there is something."""
    substitutes = (("fills", "what was traded"), ("ledger", "what was moved"))
    orders = SubscriptionType(name="orders", channel=("orders",), substitutes=substitutes)
    assert "fills for what was traded, ledger for what was moved" == orders.substitute_words
    assert "" == STREAM.substitute_words


def test_a_type_that_names_a_user_is_private() -> None:
    """Private streams are placed apart and asked for first."""
    user = Parameter(name="user", kind=ParameterKind.ADDRESS, required=True)
    private = SubscriptionType(name="orders", channel=("orders",), parameters=(user,), user="user")
    assert (True, False) == (private.private, STREAM.private)
    assert (("user",), ("coin",)) == (private.required, STREAM.required)


def test_an_empty_text_is_refused_as_empty() -> None:
    """The message is true of the value that was given."""
    assert "empty" in refusal(coin="")
