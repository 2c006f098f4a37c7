"""Calls: by method or wire name, from texts or typed values."""

from __future__ import annotations

import inspect
from decimal import Decimal
from typing import Any

import hl.exchange
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from tests.manager.venues.hyperliquid.exchange import generated as some
from tests.manager.venues.hyperliquid.exchange.world import PARAMS, UNIVERSE

from wsmgr.manager.model.errors import ParameterError, UsageError
from wsmgr.manager.venues.hyperliquid.exchange import (
    BY_WIRE_NAME,
    CALLS,
    LIMIT_ALO,
    LIMIT_GTC,
    LIMIT_IOC,
    Cloid,
    TriggerOrder,
    UnknownActionError,
    parse_call,
)

ORDER = {"asset": "BTC", "is_buy": "true", "size": "0.001", "limit_price": "65000", "order_type": "LIMIT_GTC"}
RAW = "0x000000000000000000000000000000ab"
METHODS = {
    *(
        "place_orders",
        "place_order",
        "cancel_orders",
        "cancel_order",
        "cancel_orders_by_id",
        "cancel_order_by_id",
    ),
    *(
        "schedule_cancellation",
        "modify_order",
        "modify_orders",
        "update_leverage",
        "update_margin",
        "adjust_margin",
    ),
    *("approve_agent", "approve_builder", "set_referrer", "register_referrer", "place_twap", "cancel_twap"),
    *(
        "send_usd",
        "send_spot",
        "withdraw_funds",
        "transfer_usd",
        "transfer_tokens",
        "stake_tokens",
        "unstake_tokens",
    ),
    *(
        "delegate_tokens",
        "transfer_vault_funds",
        "create_vault",
        "create_sub_account",
        "transfer_account_funds",
    ),
    "reserve_weight",
}


def argument(name: str, params: dict[str, object], wanted: str) -> Any:
    return parse_call(name, params).arguments[wanted]


def test_the_catalog_has_the_31_methods_of_hl_sdk() -> None:
    """Each by its name, and no other."""
    theirs = {name for name in vars(hl.exchange.Exchange) if not name.startswith("_")}
    assert METHODS == set(CALLS) == theirs
    assert 31 == len(CALLS)


def test_every_parameter_of_hl_sdk_is_taken_under_its_name() -> None:
    """A call that hl-sdk takes is not refused for a parameter's name."""
    for name, spec in CALLS.items():
        theirs = set(inspect.signature(getattr(hl.exchange.Exchange, name)).parameters) - {"self", "account"}
        assert theirs <= {parameter.name for parameter in spec.parameters}, name


def test_every_parameter_says_what_it_is() -> None:
    """The command line shows these lines."""
    for spec in CALLS.values():
        assert spec.doc.endswith("."), spec.name
        assert all(parameter.doc for parameter in spec.parameters), spec.name


def test_a_text_becomes_what_it_says() -> None:
    """Everything that a command line gives is text."""
    call = parse_call("place_order", {**ORDER, "cloid": RAW, "reduce_only": "no"})
    assert {
        "asset": "BTC",
        "is_buy": True,
        "size": Decimal("0.001"),
        "limit_price": Decimal(65000),
        "order_type": LIMIT_GTC,
        "reduce_only": False,
        "cloid": Cloid(RAW),
        "builder": None,
    } == call.arguments
    assert ("BTC",) == call.assets
    assert () == call.tokens


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("LIMIT_GTC", LIMIT_GTC),
        ("limit_ioc", LIMIT_IOC),
        ("Limit_Alo", LIMIT_ALO),
        ('{"type": "limit", "tif": "Ioc"}', LIMIT_IOC),
        (
            '{"type": "trigger", "price": 64000.5, "is_market": true, "trigger": "sl"}',
            TriggerOrder(price="64000.5", is_market=True, trigger="sl"),
        ),
    ],
)
def test_an_order_type_may_be_a_name_or_json(text: str, found: object) -> None:
    """Numbers in JSON are read exactly."""
    assert found == argument("place_order", {**ORDER, "order_type": text}, "order_type")


@pytest.mark.parametrize(
    "wrong",
    [
        *("GTC", "", "{", "[]", "null", '{"type": "market"}', '{"type": "limit"}', '{"tif": "Gtc"}', 5),
        '{"type": "limit", "tif": "Gtc", "more": 1}',
        {"type": "trigger", "price": 64000.5, "is_market": True, "trigger": "sl"},
        {"type": ["limit"], "tif": "Gtc"},
    ],
)
def test_what_is_no_order_type_is_refused(wrong: object) -> None:
    """Unfinished JSON, unknown kinds, and a float from a caller."""
    with pytest.raises(ParameterError, match=r"^place_order: order_type"):
        parse_call("place_order", {**ORDER, "order_type": wrong})


@pytest.mark.parametrize(
    ("wire", "params", "method"),
    [
        ("order", ORDER, "place_order"),
        ("order", {"order_requests": [ORDER]}, "place_orders"),
        ("cancel", {"asset": "BTC", "order_id": "1"}, "cancel_order"),
        ("cancel", {"cancel_requests": [{"asset": "BTC", "order_id": 1}]}, "cancel_orders"),
        ("cancelByCloid", {"coin": "BTC", "client_order_id": RAW}, "cancel_order_by_id"),
        (
            "cancelByCloid",
            {"cancel_requests": [{"asset": "BTC", "client_order_id": RAW}]},
            "cancel_orders_by_id",
        ),
        ("modify", {"order_id": "5", **ORDER}, "modify_order"),
        ("batchModify", {"modify_requests": [{"order_id": 5, "order": ORDER}]}, "modify_orders"),
        ("usdSend", {"amount": "1", "destination": "0x" + "ab" * 20}, "send_usd"),
    ],
)
def test_a_wire_name_means_the_method_that_fits(wire: str, params: dict[str, object], method: str) -> None:
    """A list chooses the method of many, single parameters that of one."""
    assert method == parse_call(wire, params).spec.name


def test_every_wire_name_is_one_of_the_28() -> None:
    """31 methods make 28 kinds of action; three kinds are made by two methods each."""
    assert 28 == len(BY_WIRE_NAME)
    assert {"order", "cancel", "cancelByCloid"} == {
        wire for wire, specs in BY_WIRE_NAME.items() if len(specs) > 1
    }


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("place_ordr", "place_order"),
        ("usdsend", "usdSend"),
        ("PLACE_ORDER", "place_order"),
        ("withdraw", "withdraw3"),
    ],
)
def test_an_unknown_action_is_refused_with_the_nearest(name: str, hint: str) -> None:
    """A misspelt name is never guessed."""
    with pytest.raises(UnknownActionError, match=hint) as caught:
        parse_call(name, {})
    assert repr(name) in str(caught.value)
    assert isinstance(caught.value, UsageError)


def test_an_action_like_no_other_has_no_hint() -> None:
    """Nothing far-fetched is proposed."""
    with pytest.raises(UnknownActionError, match=r"no action 'zzzzzz'$"):
        parse_call("zzzzzz", {})


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({**ORDER, "sise": "1"}, "no parameter 'sise'; did you mean size"),
        ({key: value for key, value in ORDER.items() if key != "size"}, "size is missing"),
        ({**ORDER, "coin": "ETH"}, "asset is given twice"),
        ({**ORDER, "size": 0.001}, "size=0.001 is a float"),
        ({**ORDER, "size": None}, "size is missing"),
        ({**ORDER, "is_buy": "buy"}, "is_buy='buy' is not true or false"),
        ({**ORDER, "asset": ""}, "asset is empty"),
        ({**ORDER, "cloid": "7"}, "cloid='7' is not a client order id"),
        ({**ORDER, "builder": "{}"}, "builder: b is missing"),
        ({**ORDER, "builder": {"b": "0x" + "ab" * 20, "f": "many"}}, "f='many'"),
    ],
)
def test_a_wrong_parameter_is_refused_in_words(params: dict[str, object], words: str) -> None:
    """The error names the call, the parameter, what was given and what to write."""
    with pytest.raises(ParameterError, match=words) as caught:
        parse_call("place_order", params)
    assert str(caught.value).startswith("place_order: ")


def test_an_error_inside_a_list_says_where() -> None:
    """The third of a hundred orders is not searched for."""
    orders = [{**ORDER, "asset": "ETH"}, ORDER, {**ORDER, "size": 1.5}]
    with pytest.raises(ParameterError, match=r"^place_orders: order_requests\[2\]: size=1\.5 is a float"):
        parse_call("place_orders", {"order_requests": orders})
    orders[2] = {**ORDER, "size": "0"}
    with pytest.raises(ParameterError, match=r"^place_orders: order_requests\[2\]: size=0 must be above 0"):
        parse_call("place_orders", {"order_requests": orders})


def test_a_list_may_be_json_with_exact_numbers() -> None:
    """A number in JSON is not a float here."""
    text = (
        '[{"coin": "BTC", "is_buy": true, "size": 0.3, "limit_price": 0.1, "order_type": "LIMIT_GTC",'
        ' "reduce_only": true}]'
    )
    (order,) = argument("place_orders", {"order_requests": text}, "order_requests")
    assert (Decimal("0.3"), Decimal("0.1"), True) == (order.size, order.limit_price, order.reduce_only)


@pytest.mark.parametrize(
    "wrong", ["", "BTC", "{}", "[", "[1]", "[[]]", "null", "\ud800", 5, {"a": 1}, [], "[]"]
)
def test_what_is_no_list_of_requests_is_refused(wrong: object) -> None:
    """An empty batch too: it would be signed for nothing."""
    for name, parameter in (("place_orders", "order_requests"), ("cancel_orders", "cancel_requests")):
        with pytest.raises(ParameterError, match=f"^{name}: {parameter}"):
            parse_call(name, {parameter: wrong})


@given(orders=st.lists(some.orders(), min_size=1, max_size=5))
def test_each_asset_of_a_batch_is_looked_up_once(orders: list[dict[str, Any]]) -> None:
    """The same name twice is one question."""
    call = parse_call("place_orders", {"order_requests": orders})
    assert list(dict.fromkeys(order["asset"] for order in orders)) == list(call.assets)


def test_the_assets_of_changes_and_cancels_are_looked_up_too() -> None:
    """And tokens are tokens, not assets."""
    changes = [{"order_id": 1, "order": ORDER}, {"order_id": RAW, "order": {**ORDER, "asset": "ETH"}}]
    assert ("BTC", "ETH") == parse_call("modify_orders", {"modify_requests": changes}).assets
    cancels = [{"asset": "ETH", "client_order_id": RAW}]
    assert ("ETH",) == parse_call("cancel_orders_by_id", {"cancel_requests": cancels}).assets
    sent = parse_call("send_spot", {"coin": "PURR", "amount": "1", "destination": "0x" + "ab" * 20})
    assert ((), ("PURR",)) == (sent.assets, sent.tokens)


def test_choices_are_named() -> None:
    """A margin mode that there is not is answered with those that there are."""
    with pytest.raises(
        ParameterError, match=r"margin_mode='crossed' is not allowed; choose one of cross, isolated"
    ):
        parse_call("update_leverage", {"asset": "BTC", "leverage": 5, "margin_mode": "crossed"})
    with pytest.raises(ParameterError, match="na, normalTpsl, positionTpsl"):
        parse_call("place_orders", {"order_requests": [ORDER], "grouping": "oco"})


@pytest.mark.parametrize(
    ("name", "params"),
    [
        (
            "place_order",
            {
                **ORDER,
                "order_type": '{"type": "trigger", "price": "64000.5", "is_market": true, "trigger": "sl"}',
            },
        ),
        ("update_margin", {"asset": "BTC", "amount": "1.0000001"}),
        ("send_usd", {"amount": "0.0000001", "destination": "0x" + "ab" * 20}),
        ("stake_tokens", {"amount": "0.000000001"}),
        ("send_spot", {"asset": "PURR", "amount": "0.000001", "destination": "0x" + "ab" * 20}),
        ("create_vault", {"name": "a", "description": "b", "initial_usd": "1.1234567"}),
        ("place_twap", {"asset": "ETH", "size": "1.00001", "minutes": 5, "randomize": True, "is_buy": True}),
    ],
)
def test_an_amount_that_is_too_precise_makes_no_action(name: str, params: dict[str, object]) -> None:
    """Of every unit, before anything is signed."""
    call = parse_call(name, params)
    with pytest.raises(UsageError, match="too precise"):
        call.build(
            assets={each: UNIVERSE.asset(each) for each in call.assets},
            tokens={each: UNIVERSE.token(each) for each in call.tokens},
        )


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("send_usd", {"amount": "0", "destination": "0x" + "ab" * 20}),
        ("withdraw_funds", {"amount": "-1", "destination": "0x" + "ab" * 20}),
        ("transfer_usd", {"amount": "-1", "to_perp": True}),
        ("unstake_tokens", {"amount": "-1"}),
        ("transfer_vault_funds", {"amount": "-1", "vault": "0x" + "ab" * 20, "is_deposit": True}),
        ("transfer_account_funds", {"amount": "0", "address": "0x" + "ab" * 20, "is_deposit": True}),
        ("create_vault", {"name": "a", "description": "b", "initial_usd": "0"}),
        ("approve_builder", {"builder": "0x" + "ab" * 20, "max_fee_rate": "0.011"}),
        ("approve_builder", {"builder": "0x" + "ab" * 20, "max_fee_rate": "-0.001"}),
        ("adjust_margin", {"asset": "BTC", "leverage": "0"}),
    ],
)
def test_an_amount_out_of_its_bounds_makes_no_action(name: str, params: dict[str, object]) -> None:
    """A negative transfer would be one the other way."""
    call = parse_call(name, params)
    with pytest.raises(ParameterError):
        call.build(assets={each: UNIVERSE.asset(each) for each in call.assets}, tokens={})


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.decimals()
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)


@given(name=st.sampled_from(sorted(CALLS)), data=st.data())
def test_whatever_is_given_nothing_but_a_usage_error_comes_out(name: str, data: st.DataObject) -> None:
    """A caller's mistake is never an error of ours."""
    wrong = data.draw(st.sampled_from([parameter.name for parameter in CALLS[name].parameters]))
    try:
        call = parse_call(name, {**PARAMS[name], wrong: data.draw(anything)})
    except ParameterError as error:
        assert str(error).startswith(f"{name}: ")  # noqa: PT017 - a property of either
        return
    assert {parameter.name for parameter in CALLS[name].parameters} == set(call.arguments)


def test_an_action_keeps_each_asset_of_its_call_by_its_number() -> None:
    """Two names of one asset are one; two assets of one name are two."""
    other = evolve(UNIVERSE.asset("@107"), id=10_108, coin="@108")
    found: dict[Any, Any] = {
        "@107": UNIVERSE.asset("@107"),
        "HYPE/USDC": UNIVERSE.asset("@107"),
        "@108": other,
    }
    requests = [{"asset": name, "order_id": 1} for name in ("@107", "HYPE/USDC", "@108")]
    action = parse_call("cancel_orders", {"cancel_requests": requests}).build(assets=found, tokens={})
    assert [10_107, 10_107, 10_108] == [each["a"] for each in action.wire["cancels"]]
    assert [(10_107, "HYPE/USDC (@107)"), (10_108, "HYPE/USDC (@108)")] == [
        (named.id, str(named)) for named in action.about
    ]
